// One global of the runtime's, replaced by each thing that a test, a polyfill or a bug may put there, at each moment of the
// package's life. Arguments: the package's file, the global's path. Prints what went wrong, as JSON.
//
// What is promised: nothing throws, each promise settles, each enrichment is delivered, and no two sessions are one.

/** @typedef {{ case: string, what: string }} Problem */

// Taken before anything is replaced.
const { setTimeout, clearTimeout, Promise, JSON, Map, console } = globalThis;
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

const [, , entry, path = ""] = process.argv;
const isNumber = /now$|random$|timeOrigin$/.test(path);

/** @type {Problem[]} */
const problems = [];
let running = "";
const say = (/** @type {string} */ what) =>
  void (problems[problems.length] = { case: running, what });
process.on("unhandledRejection", (error) => say(`unhandled rejection: ${textOf(error)}`));
process.on("uncaughtException", (error) => say(`uncaught exception: ${textOf(error)}`));

let imports = 0;
for (const [name, replacement] of Object.entries({ ...REPLACEMENTS, ...(isNumber && NUMBERS) })) {
  for (const moment of path.startsWith("JSON.") ? LATER : MOMENTS) {
    running = `${name}, ${moment}`;
    await live(moment, replacement);
    globalThis.console = console;
  }
}
console.log(JSON.stringify(problems));
process.exit();

/**
 * @param {string} moment at which it is replaced
 * @param {(path: string) => any} replacement
 */
async function live(moment, replacement) {
  let undo = () => {};
  const arrive = (/** @type {string} */ at) => {
    if (at === moment) undo = replace(path, replacement(path));
  };
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
    mergeWindowMs: 1,
    fetch,
    logLevel: "silent",
  };
  try {
    arrive("before the import");
    const api = await settled("import", () => import(`${entry}?${imports++}`));
    arrive("after the import");
    const tracer = await settled("initTracer", () => api.initTracer(options));
    if (!tracer) return;
    /** @type {[string, Promise<any>][]} */
    const calls = [];
    const call = (/** @type {string} */ name, /** @type {() => Promise<any>} */ make) => {
      calls[calls.length] = [name, settled(name, make)];
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
 * @param {string} what
 * @param {() => Promise<any>} make
 * @returns {Promise<any>} undefined if it throws, rejects or does not settle in time
 */
async function settled(what, make) {
  let timer;
  try {
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("it never settles")), 5000);
    });
    return await Promise.race([make(), late]);
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
