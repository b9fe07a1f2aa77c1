// Lets calls into the WebAssembly instance trap, one after another: for each export that a usual
// piece of work calls, at its first and a later call, before or after it has done its part. Then
// everything has to have ended, and the next call has to work on a fresh instance.

/** Far above the limits that the tracers are given. */
const SETTLED_WITHIN_MS = 10_000;

/** @param {import("./runner.mjs").Context} context */
export async function run({ api, servers, keys }) {
  const traps = interceptInstances();
  const options = {
    apiKey: keys.main,
    serverUrl: servers.v1,
    timeoutMs: 2000,
    deadlineMs: 4000,
    mergeWindowMs: 1,
    logLevel: /** @type {const} */ ("silent"),
  };
  let number = 0;
  const bystander = await api.initTracer({ ...options, sessionName: "bystander" });

  /** The usual piece of work: every promise it gets goes through `settled`. */
  const work = async () => {
    number += 1;
    let dropped = 0;
    const tracer = await settled(
      api.initTracer({ ...options, sessionName: `work ${number}`, onDrop: () => void dropped++ }),
    );
    if (typeof tracer === "string") return { failed: tracer };
    const deliveries = await Promise.all([
      settled(tracer.enrichSession({ metadata: { number } })),
      settled(tracer.addMetrics({ number: 1 })),
      settled(bystander.enrichSession({ metadata: { during: number } })),
    ]);
    deliveries.push(await settled(tracer.enrichSession({ metadata: { later: number } })));
    const flushed = await settled(tracer.flush({ timeoutMs: 4000 }));
    const report = await settled(tracer.close({ timeoutMs: 4000 }));
    return { sessionId: tracer.sessionId, deliveries, flushed, report, dropped };
  };
  /** What has to work again after whatever happened. */
  const next = async () => {
    const tracer = await settled(api.initTracer({ ...options, sessionName: `next ${number}` }));
    if (typeof tracer === "string") return { failed: tracer };
    const delivery = await settled(tracer.enrichSession({ metadata: { fresh: number } }));
    const report = await settled(tracer.close());
    const known = await settled(bystander.enrichSession({ metadata: { after: number } }));
    return { sessionId: tracer.sessionId, delivery, report, known, number };
  };

  try {
    const untouched = await work();
    traps.record();
    await work();
    const used = traps.recorded();

    const rounds = [];
    for (const [name, count] of Object.entries(used)) {
      for (const call of new Set([1, Math.min(3, count)])) {
        for (const when of /** @type {const} */ (["before", "after"])) {
          traps.arm({ name, call, when });
          const during = await work();
          const fired = traps.disarm();
          rounds.push({ name, call, when, fired, during, after: await next() });
        }
      }
    }

    traps.arm({ always: true });
    const instancesBefore = traps.instances();
    const hopeless = await work();
    traps.disarm();
    const made = traps.instances() - instancesBefore;
    const recovered = await next();
    return {
      used,
      untouched,
      rounds,
      hopeless,
      made,
      recovered,
      number,
      bystander: bystander.sessionId,
    };
  } finally {
    traps.restore();
    await settled(bystander.close());
  }
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T | string>}
 */
function settled(promise) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {Promise<string>} */
  const limit = new Promise((resolve) => {
    timer = setTimeout(() => resolve("never settled"), SETTLED_WITHIN_MS);
  });
  return Promise.race([promise.catch((error) => `rejected: ${error}`), limit]).finally(() =>
    clearTimeout(timer),
  );
}

/**
 * From now on every instance that is made goes through here, however it is made.
 * @typedef {{name?: string, call?: number, when?: "before" | "after", always?: boolean}} Plan
 */
function interceptInstances() {
  const own = { Instance: WebAssembly.Instance, instantiate: WebAssembly.instantiate };
  /** @type {Record<string, number> | undefined} */
  let counts;
  /** @type {(Plan & {seen: number, fired: boolean}) | undefined} */
  let plan;
  let instances = 0;

  /** @param {string} name */
  const isDue = (name) => {
    if (!plan) return undefined;
    if (plan.always) return "before";
    if (plan.fired || name !== plan.name || ++plan.seen !== plan.call) return undefined;
    plan.fired = true;
    return plan.when;
  };
  const trap = () => new WebAssembly.RuntimeError("unreachable");

  /** @param {WebAssembly.Instance} instance */
  const wrapped = (instance) => {
    instances += 1;
    /** @type {Record<string, any>} */
    const exports = {};
    for (const [name, value] of Object.entries(instance.exports)) {
      exports[name] =
        typeof value !== "function"
          ? value
          : (/** @type {any[]} */ ...args) => {
              if (counts) counts[name] = (counts[name] ?? 0) + 1;
              const due = isDue(name);
              if (due === "before") throw trap();
              const result = value(...args);
              if (due === "after") throw trap();
              return result;
            };
    }
    return { exports };
  };
  const set = (/** @type {string} */ name, /** @type {unknown} */ value) =>
    Object.defineProperty(WebAssembly, name, { configurable: true, writable: true, value });

  set("Instance", function Instance(/** @type {any} */ module, /** @type {any} */ imports) {
    return wrapped(new own.Instance(module, imports));
  });
  set("instantiate", async (/** @type {any} */ source, /** @type {any} */ imports) => {
    /** @type {any} */
    const made = await own.instantiate.call(WebAssembly, source, imports);
    return made instanceof own.Instance
      ? wrapped(made)
      : { module: made.module, instance: wrapped(made.instance) };
  });

  return {
    record: () => void (counts = {}),
    recorded() {
      const recorded = counts ?? {};
      counts = undefined;
      return recorded;
    },
    /** @param {Plan} wanted */
    arm: (wanted) => void (plan = { ...wanted, seen: 0, fired: false }),
    disarm() {
      const fired = plan?.fired ?? false;
      plan = undefined;
      return fired;
    },
    instances: () => instances,
    restore() {
      set("Instance", own.Instance);
      set("instantiate", own.instantiate);
    },
  };
}
