// One global of the runtime's, replaced by each thing that a test, a polyfill or a bug may put there, at each moment of the
// package's life. Portable: it runs in Node and in a page, and reports what went wrong.
//
// What is promised: nothing throws, each promise settles, each enrichment is delivered, and no two sessions are one.

/** @typedef {{ case: string, what: string }} Problem */

// Taken before anything is replaced.
const { setTimeout, clearTimeout, Promise, JSON, Map, Set, console } = globalThis;
const { defineProperty, getOwnPropertyDescriptor } = Object;
const aDate = new Date();

const MOMENTS = ["before the import", "after the import", "between calls", "in flight"];

/** Of the language's own functions, which no engine lacks when it loads a module. */
const LATER = MOMENTS.filter((moment) => moment !== "before the import");

/** @type {Record<string, (path: string) => any>} */
const REPLACEMENTS = {
  "nothing at all": () => undefined,
  "one that throws": (path) =>
    function () {
      throw new TypeError(`${path} is broken`);
    },
  "one that gives nothing": () => function () {},
  "one that gives a text": () => () => "nonsense",
  "one that gives an object": () => () => ({}),
  "one that gives the same id": () => () => "11111111-1111-4111-8111-111111111111",
};

/** Of clocks and random numbers. @type {Record<string, (path: string) => any>} */
const NUMBERS = {
  NaN: () => () => NaN,
  infinite: () => () => Infinity,
  negative: () => () => -1e15,
  "a date": () => () => aDate,
  "standing still": () => () => 1e12,
  "going backwards": () => {
    let at = 1e12;
    return () => (at -= 1000);
  },
};

/**
 * @param {() => Promise<any>} load a fresh copy of the package
 * @param {string} path of the global
 * @param {boolean} [isNeeded] whether nothing can stand in for it: then each call may be dropped as disabled
 * @returns {Promise<Problem[]>}
 */
export async function liveWithout(load, path, isNeeded = false) {
  /** @type {Problem[]} */
  const problems = [];
  const isNumber = /now$|random$|timeOrigin$/.test(path);
  for (const [name, make] of Object.entries({ ...REPLACEMENTS, ...(isNumber && NUMBERS) })) {
    // With timers that never fire, there is nothing to wait with: who fakes them before the import advances them.
    const isSilentTimer = path === "setTimeout" && !/^nothing at all|throws/.test(name);
    for (const moment of path.startsWith("JSON.") || isSilentTimer ? LATER : MOMENTS) {
      const say = (/** @type {string} */ what) => {
        problems[problems.length] = { case: `${name}, ${moment}`, what };
      };
      const stop = hearUncaught(say);
      await live({ load, path, isNeeded, make, moment, say });
      globalThis.console = console;
      stop();
    }
  }
  return problems;
}

/**
 * @param {(what: string) => void} say
 * @returns {() => void} stops it
 */
function hearUncaught(say) {
  const { process } = globalThis;
  const rejected = (/** @type {any} */ it) =>
    say(`unhandled rejection: ${textOf(it.reason ?? it)}`);
  const uncaught = (/** @type {any} */ it) => say(`uncaught exception: ${textOf(it.error ?? it)}`);
  if (process) {
    process.on("unhandledRejection", rejected).on("uncaughtException", uncaught);
    return () => {
      process.off("unhandledRejection", rejected).off("uncaughtException", uncaught);
    };
  }
  addEventListener("unhandledrejection", rejected);
  addEventListener("error", uncaught);
  return () => {
    removeEventListener("unhandledrejection", rejected);
    removeEventListener("error", uncaught);
  };
}

/**
 * @typedef {object} Life
 * @property {() => Promise<any>} load
 * @property {string} path
 * @property {boolean} isNeeded
 * @property {(path: string) => any} make what stands there instead
 * @property {string} moment at which it is replaced
 * @property {(what: string) => void} say
 */

/** @param {Life} life */
async function live({ load, path, isNeeded, make, moment, say }) {
  let undo = () => {};
  const arrive = (/** @type {string} */ at) => {
    if (at === moment) undo = replace(path, make(path));
  };
  const settled = (/** @type {string} */ what, /** @type {() => any} */ call) =>
    settledIn(5000, what, call, say);
  const bodies = new Map();
  let answer = () => {};
  const answered = new Promise((resolve) => (answer = () => resolve(undefined)));
  const fetch = async (/** @type {string} */ _, /** @type {any} */ init) => {
    bodies.set(bodies.size, init.body);
    await answered;
    // Not a Response: Node's own is made of what is replaced.
    return { ok: true, status: 200, headers: { get: () => null }, text: async () => "{}" };
  };
  /** @type {any} */
  const options = {
    apiKey: "hh_guest",
    serverUrl: "http://127.0.0.1:9",
    project: "own",
    mergeWindowMs: 1,
    persist: false,
    fetch,
    logLevel: "silent",
  };
  try {
    arrive("before the import");
    const api = await settled("import", load);
    arrive("after the import");
    const tracer = await settled("initTracer", () => api.initTracer(options));
    if (!tracer) return;
    /** @type {[string, Promise<any>][]} */
    const calls = [];
    const call = (/** @type {string} */ name, /** @type {() => Promise<any>} */ fn) => {
      calls[calls.length] = [name, settled(name, fn)];
    };
    arrive("between calls");
    call("first", () => tracer.enrichSession({ metadata: { first: 1 } }));
    call("added", () => tracer.addMetrics({ added: 1 }));
    call("bare", () => api.enrichSession({ metadata: { bare: [{ list: new Map([["a", 1]]) }] } }));
    await new Promise((resolve) => setTimeout(resolve, 10));
    arrive("in flight");
    call("second", () => tracer.enrichSession({ metadata: { second: "é".repeat(300) } }));
    call("named", () => api.enrichSession("a name", { metadata: { named: 1 } }));
    answer();
    const within = (/** @type {any} */ it) => it.enrichSession({ metadata: { within: 1 } });
    call("within", () => api.withSession(options, within));
    call("started", () => tracer.startSession({}).enrichSession({ metadata: { started: 1 } }));
    call("ran", () => tracer.run(() => api.enrichSession({ metadata: { ran: 1 } })));
    await settled("others", async () => {
      api.activeTracer();
      const ids = [tracer.sessionId, api.sessionIdFrom("a name"), api.newEventId()];
      ids.push(tracer.propagationHeaders().baggage);
      if (isNeeded) return;
      for (const id of ids) if (typeof id !== "string" || id.length < 36) say(`an id: ${id}`);
      const others = new Set([
        tracer.sessionId,
        tracer.startSession({}).sessionId,
        api.newEventId(),
      ]);
      if (others.size < 3) say("ids that are the same");
    });
    const report = settled("flush", () => api.flush());
    for (const [name, result] of calls) {
      const outcome = await result;
      if (isNeeded && outcome?.reason === "disabled" && outcome.message) continue;
      if (outcome?.status !== "delivered") say(`${name}: ${JSON.stringify(outcome)}`);
      let isSent = false;
      bodies.forEach((body) => (isSent ||= body.includes(`"${name}"`)));
      if (!isSent) say(`${name} was not sent`);
    }
    if ((await report)?.pending !== 0) say(`flush: ${JSON.stringify(await report)}`);
    await settled("close", () => tracer.close());
  } finally {
    undo();
  }
}

/**
 * @param {number} ms
 * @param {string} what
 * @param {() => any} call
 * @param {(what: string) => void} say
 * @returns {Promise<any>} undefined if it throws, rejects or does not settle in time
 */
async function settledIn(ms, what, call, say) {
  let timer;
  try {
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("it never settles")), ms);
    });
    return await Promise.race([call(), late]);
  } catch (error) {
    say(`${what}: ${textOf(error)}`);
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * @param {string} of the path of the global
 * @param {any} value
 * @returns {() => void} undoes it
 */
function replace(of, value) {
  const [first = "", second] = of.split(".");
  const holder = /** @type {any} */ (
    second ? globalThis[/** @type {"JSON"} */ (first)] : globalThis
  );
  const key = second ?? first;
  const before = getOwnPropertyDescriptor(holder, key);
  defineProperty(holder, key, { value, writable: true, configurable: true, enumerable: false });
  return () => {
    if (before) defineProperty(holder, key, before);
    else delete holder[key];
  };
}

/** @param {any} error */
function textOf(error) {
  return String(error?.stack ?? error)
    .split("\n    at")
    .slice(0, 4)
    .join(" | ");
}
