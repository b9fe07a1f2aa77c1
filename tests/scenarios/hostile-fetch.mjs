// A caller's own `fetch` that misbehaves in every way seen or imagined. Each fault has a tracer of
// its own with short limits; afterwards the same tracer gets a fetch that works, so that what the
// fault may have broken inside shows.

/** Only so that what never ends is told: a slow machine is waited for. */
const SETTLED_WITHIN_MS = 60_000;

/** Milliseconds between two beats of {@link beats}. */
const BEAT_MS = 100;

const json = () =>
  new Response('{"success":true}', { headers: { "content-type": "application/json" } });

/**
 * @typedef {object} Fault
 * @property {(input: any, init: any) => any} [fetch]
 * @property {Record<string, string>} [headers]
 */

/** @type {Record<string, () => Fault>} */
export const faults = {
  headerOutsideLatin1: () => ({ headers: { "x-team": "検索" } }),
  headerWithNewline: () => ({ headers: { "x-team": "a\r\nb: c" } }),
  headerNameInvalid: () => ({ headers: { "no spaces allowed": "x" } }),
  rejectsWithString: () => ({ fetch: () => Promise.reject("offline") }),
  rejectsWithUndefined: () => ({ fetch: () => Promise.reject() }),
  rejectsWithNull: () => ({ fetch: () => Promise.reject(null) }),
  rejectsWithSymbol: () => ({ fetch: () => Promise.reject(Symbol("offline")) }),
  rejectsWithForeignError: () => ({ fetch: () => Promise.reject(foreignError("other realm")) }),
  rejectsWithUnreadable: () => ({ fetch: () => Promise.reject(unreadable()) }),
  rejectsWithAbort: () => ({
    fetch: () => Promise.reject(new DOMException("stopped", "AbortError")),
  }),
  throwsError: () => ({
    fetch() {
      throw new TypeError("fetch is not allowed here");
    },
  }),
  throwsUndefined: () => ({
    fetch() {
      throw undefined;
    },
  }),
  returnsUndefined: () => ({ fetch: () => undefined }),
  returnsNumber: () => ({ fetch: () => 7 }),
  resolvesWithNull: () => ({ fetch: async () => null }),
  resolvesWithString: () => ({ fetch: async () => "200 OK" }),
  resolvesWithEmptyObject: () => ({ fetch: async () => ({}) }),
  resolvesWithBadStatus: () => ({ fetch: async () => ({ status: "two hundred", ok: "yes" }) }),
  resolvesWithUnreadable: () => ({ fetch: async () => unreadable() }),
  mockedResponse: () => ({
    fetch: async () => ({
      ok: true,
      status: 200,
      headers: { get: () => null },
      json: async () => ({ success: true }),
      text: async () => '{"success":true}',
    }),
  }),
  mockedWithoutMethods: () => ({ fetch: async () => ({ ok: true, status: 200 }) }),
  mockedTextThrows: () => ({
    fetch: async () => ({
      ok: true,
      status: 200,
      text() {
        throw new Error("no text");
      },
      json() {
        throw new Error("no json");
      },
    }),
  }),
  returnedWithoutPromise: () => ({ fetch: () => json() }),
  neverSettles: () => ({ fetch: () => new Promise(() => {}) }),
  ignoresTheSignal: () => ({
    fetch: () => new Promise((resolve) => setTimeout(() => resolve(json()), 1200)),
  }),
  bodyErrors: () => ({
    fetch: async () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            controller.error("cut off");
          },
        }),
      ),
  }),
  bodyNeverEnds: () => ({
    fetch: async () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) })),
  }),
  bodyWithoutEnd: () => ({
    fetch: async () =>
      new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode('{"event_id":"')),
          pull: (controller) => controller.enqueue(new Uint8Array(65_536).fill(97)),
        }),
      ),
  }),
  bodyOfNothingWithoutEnd: () => ({
    fetch: async () => ({
      ok: true,
      status: 200,
      body: { getReader: () => ({ read: async () => ({ value: new Uint8Array() }) }) },
    }),
  }),
  bodyNoStream: () => ({
    fetch: async () => ({ ok: true, status: 200, body: {}, json: async () => ({ success: true }) }),
  }),
  bodyLocked: () => ({
    async fetch() {
      const response = json();
      response.body?.getReader();
      return response;
    },
  }),
  bodyAlreadyRead: () => ({
    async fetch() {
      const response = json();
      await response.text();
      return response;
    },
  }),
  bodyNoJson: () => ({ fetch: async () => new Response("<h1>Hello</h1>") }),
  networkErrorResponse: () => ({ fetch: async () => Response.error() }),
  thenableThrows: () => ({
    fetch: () => ({
      then() {
        throw new Error("no promise after all");
      },
    }),
  }),
  thenGetterThrows: () => ({
    fetch: () => ({
      get then() {
        throw new Error("no promise at all");
      },
    }),
  }),
  thenableNeverCalls: () => ({ fetch: () => ({ then() {} }) }),
  thenableCallsTwice: () => ({
    fetch: () => ({
      then(/** @type {any} */ resolve, /** @type {any} */ reject) {
        resolve(json());
        reject(new Error("and yet it failed"));
        resolve(json());
      },
    }),
  }),
};

/** Faults after which an enrichment still counts as persisted: a 2xx answer was there to be seen. */
export const delivering = [
  "mockedResponse",
  "mockedWithoutMethods",
  "bodyWithoutEnd",
  "bodyOfNothingWithoutEnd",
  "bodyNoStream",
  "bodyLocked",
  "bodyAlreadyRead",
  "returnedWithoutPromise",
  "thenableCallsTwice",
];

/** Those of them that only the package's own limit ends. */
const ENDED_BY_LIMIT = ["bodyOfNothingWithoutEnd"];

/**
 * Short where the limit is what ends a fault. What ends by itself has all the time a busy machine may take for it.
 * @param {string} name
 */
function limits(name) {
  const endsByItself = delivering.includes(name) && !ENDED_BY_LIMIT.includes(name);
  return endsByItself
    ? { timeoutMs: SETTLED_WITHIN_MS, deadlineMs: SETTLED_WITHIN_MS }
    : { timeoutMs: 150, deadlineMs: 500 };
}

/** @param {import("./runner.mjs").Context} context */
export async function run({ api, servers, keys }) {
  /** @type {Record<string, any>} */
  const facts = {};
  const meanwhile = bystander(api, { apiKey: keys.main, serverUrl: servers.v1 });
  await Promise.all(
    Object.entries(faults).map(async ([name, make]) => {
      const fault = make();
      let healed = false;
      let calls = 0;
      let dropped = 0;
      const tracer = await api.initTracer({
        apiKey: keys.main,
        serverUrl: servers.v1,
        sessionName: name,
        ...limits(name),
        mergeWindowMs: 1,
        logLevel: "error",
        onDrop: () => void (dropped += 1),
        ...(fault.headers ? { headers: fault.headers } : {}),
        ...(fault.fetch
          ? {
              fetch: /** @type {any} */ (
                (/** @type {any} */ input, /** @type {any} */ init) => {
                  calls += 1;
                  return healed ? globalThis.fetch(input, init) : fault.fetch?.(input, init);
                }
              ),
            }
          : {}),
      });
      const first = tracer.enrichSession({ metadata: { first: true } });
      const second = tracer.enrichSession({ metadata: { second: true } });
      const counting = beats();
      const settled = await settledWithin(Promise.all([first, second]));
      const waited = counting.stop();
      healed = true;
      // A server that failed is left alone for a while, maybe for longer than the short deadline; and a busy machine may
      // need longer than the short limit for a request that nothing is wrong with.
      const after = [];
      const sinceHealed = beats();
      while (
        sinceHealed.now() * BEAT_MS < SETTLED_WITHIN_MS &&
        after[after.length - 1]?.status !== "delivered"
      ) {
        const tried = tracer.enrichSession({ metadata: { after: true } });
        after.push(await settledWithin(tried));
      }
      sinceHealed.stop();
      const report = await settledWithin(tracer.close({ timeoutMs: SETTLED_WITHIN_MS }));
      facts[name] = { sessionId: tracer.sessionId, settled, waited, after, report, calls, dropped };
    }),
  );
  // The module as a whole has taken no harm.
  const tracer = await api.initTracer({
    apiKey: keys.main,
    serverUrl: servers.v1,
    sessionName: "afterwards",
  });
  const delivery = await api.enrichSession({ metadata: { fine: true } });
  await tracer.close();
  return {
    faults: facts,
    bystander: await meanwhile,
    afterwards: { sessionId: tracer.sessionId, delivery },
  };
}

/**
 * Another tracer of the same server, with the usual fetch, while all this goes on and a third one's request is held.
 * @param {import("./runner.mjs").Context["api"]} api
 * @param {object} server
 */
async function bystander(api, server) {
  /** @type {(answer: Response) => void} */
  let release = () => {};
  const answer = new Promise((/** @type {(answer: Response) => void} */ resolve) => {
    release = resolve;
  });
  const patience = { timeoutMs: SETTLED_WITHIN_MS, deadlineMs: SETTLED_WITHIN_MS };
  const held = await api.initTracer({ ...server, ...patience, fetch: () => answer });
  let isHeld = true;
  const enriched = held.enrichSession({ metadata: { held: true } }).then((delivery) => {
    isHeld = false;
    return delivery;
  });
  const tracer = await api.initTracer({ ...server, sessionName: "bystander", mergeWindowMs: 1 });
  const deliveries = [];
  for (let number = 1; number <= 5; number += 1) {
    await new Promise((resolve) => setTimeout(resolve, BEAT_MS));
    const { status } = await tracer.enrichSession({ metadata: { number } });
    deliveries.push({ status, isHeld });
  }
  release(json());
  const { status } = await enriched;
  await Promise.all([tracer.close(), held.close()]);
  return { sessionId: tracer.sessionId, deliveries, held: status };
}

/**
 * A clock of the scenario's own, in which a machine that is busy elsewhere loses beats.
 */
function beats() {
  let count = 0;
  const timer = setInterval(() => count++, BEAT_MS);
  return {
    now: () => count,
    /** @returns {number} how many beats there were */
    stop() {
      clearInterval(timer);
      return count;
    },
  };
}

/**
 * @template T
 * @param {Promise<T>} promise
 */
function settledWithin(promise) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const limit = new Promise((resolve) => {
    timer = setTimeout(() => resolve("never settled"), SETTLED_WITHIN_MS);
  });
  return Promise.race([promise.catch((error) => `rejected: ${error}`), limit]).finally(() =>
    clearTimeout(timer),
  );
}

/**
 * An Error of another realm where one can be made; else what an `instanceof` would make of one.
 * @param {string} message
 */
function foreignError(message) {
  const { process, document } = /** @type {any} */ (globalThis);
  const vm = process?.getBuiltinModule?.("node:vm");
  if (vm) {
    try {
      return vm.runInNewContext("new Error(message)", { message });
    } catch {
      // Not every runtime that has node:vm can make a context.
    }
  }
  if (document?.body) {
    const frame = document.createElement("iframe");
    document.body.append(frame);
    const error = new frame.contentWindow.Error(message);
    frame.remove();
    return error;
  }
  return { __proto__: { name: "Error" }, message };
}

function unreadable() {
  const fail = () => {
    throw new Error("not to be looked at");
  };
  return new Proxy(
    {},
    {
      // Looked at by the promise itself; the fault is what comes after.
      get: (_target, key) => (key === "then" ? undefined : fail()),
      has: fail,
      ownKeys: fail,
      getPrototypeOf: fail,
      getOwnPropertyDescriptor: fail,
    },
  );
}
