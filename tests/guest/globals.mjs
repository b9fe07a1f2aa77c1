// One global of the runtime's, or one function of the language's, replaced by each thing that a test, a polyfill or a bug
// may put there, at each moment of the package's life. Portable: it runs in Node and in a page, and reports what went wrong.
//
// What is promised: nothing throws, each promise settles, each enrichment is delivered, and no two sessions are one. A
// method of a prototype that is broken may cost enrichments, each of which is then dropped with a sentence.

/** @typedef {{ case: string, what: string }} Problem */

// Taken before anything is replaced. What follows uses no method of a prototype, but by `apply`.
const { setTimeout, clearTimeout, Promise, String, console } = globalThis;
const { defineProperty, entries, getOwnPropertyDescriptor, getPrototypeOf, setPrototypeOf } =
  Object;
const { apply, construct, ownKeys } = Reflect;
const { stringify } = JSON;
const { includes, split } = String.prototype;
const isIn = (/** @type {unknown} */ text, /** @type {string} */ part) =>
  typeof text === "string" && apply(includes, text, [part]);
const aDate = new Date();
const aMap = new Map([["a", 1]]);
const aLongText = "é".repeat(300);

/** The id of the session "a name". */
const NAMED_ID = "c225fe6f-c7d0-59b1-a959-b5c15da66e04";

const MOMENTS = ["before the import", "after the import", "between calls", "in flight"];

/** Of the language's own functions, which no engine lacks when it loads a module. */
const LATER = ["after the import", "between calls", "in flight"];

/** Makes what stands there instead of a value. @typedef {(path: string, before: any) => any} Make */

/** @type {Record<string, Make>} */
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

/** Of clocks and random numbers. @type {Record<string, Make>} */
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

/** What a polyfill or instrumentation puts there, and works. @type {Record<string, Make>} */
const HONEST = {
  "a wrapper": (_, before) => {
    /** @this {unknown} */
    function wrapper(/** @type {any[]} */ ...given) {
      return new.target
        ? construct(before, given, new.target === wrapper ? before : new.target)
        : apply(before, this, given);
    }
    return likeness(wrapper, before);
  },
  "a subclass": (_, before) => {
    const Subclass = class extends before {};
    return likeness(
      /** @this {unknown} */
      function (/** @type {any[]} */ ...given) {
        return new.target ? construct(Subclass, given) : apply(before, this, given);
      },
      before,
    );
  },
};

/** @param {string} path @returns {boolean} whether it can be extended */
function isClass(path) {
  const prototype = globalThis[/** @type {"Map"} */ (path)]?.prototype;
  return path !== "Symbol" && prototype !== undefined;
}

/** Gives a wrapper what its original has besides being called. @param {any} wrapper @param {any} before */
function likeness(wrapper, before) {
  for (let keys = ownKeys(before), i = 0; i < keys.length; i++) {
    const key = /** @type {string} */ (keys[i]);
    if (key === "length" || key === "name") continue;
    const property = getOwnPropertyDescriptor(before, key);
    attempt(() => defineProperty(wrapper, key, /** @type {any} */ (property)));
  }
  return setPrototypeOf(wrapper, getPrototypeOf(before));
}

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
  const isOfLanguage = path.startsWith("JSON.");
  const ways = entries({ ...REPLACEMENTS, ...(isNumber && NUMBERS) });
  for (let way = 0; way < ways.length; way++) {
    const { 0: name, 1: make } = /** @type {[string, Make]} */ (ways[way]);
    // With timers that never fire, there is nothing to wait with: who fakes them before the import advances them.
    const isSilentTimer = path === "setTimeout" && !/^nothing at all|throws/.test(name);
    const moments = isOfLanguage || isSilentTimer ? LATER : MOMENTS;
    await each(moments, { load, path, name, make, isNeeded, mayDrop: false }, problems);
  }
  return problems;
}

/**
 * @param {() => Promise<any>} load a fresh copy of the package
 * @param {string} path of a function of the language's
 * @returns {Promise<Problem[]>}
 */
export async function liveWithBuiltin(load, path) {
  /** @type {Problem[]} */
  const problems = [];
  const mayDrop = /prototype/i.test(path);
  const ways = entries({ ...REPLACEMENTS, ...HONEST });
  for (let way = 0; way < ways.length; way++) {
    const { 0: name, 1: make } = /** @type {[string, Make]} */ (ways[way]);
    if (name === "one that gives the same id") continue;
    // Each loop and each search of the language would go on for ever.
    if (name === "one that gives an object" && /Iterator|RegExp.*exec/.test(path)) continue;
    if (name === "a subclass" && !isClass(path)) continue;
    const isHonest = name in HONEST;
    const lived = { load, path, name, make, isNeeded: false, mayDrop: mayDrop && !isHonest };
    await each(isHonest ? MOMENTS : LATER, lived, problems);
  }
  return problems;
}

/**
 * @param {string[]} moments
 * @param {Omit<Life, "moment" | "say"> & { name: string }} life
 * @param {Problem[]} problems
 */
async function each(moments, life, problems) {
  for (let i = 0; i < moments.length; i++) {
    const moment = /** @type {string} */ (moments[i]);
    const say = (/** @type {string} */ what) => {
      problems[problems.length] = { case: `${life.name}, ${moment}`, what };
    };
    const stop = hearUncaught(say);
    await live({ ...life, moment, say });
    globalThis.console = console;
    stop();
  }
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
 * @property {boolean} mayDrop whether calls may be dropped with a sentence
 * @property {Make} make what stands there instead
 * @property {string} moment at which it is replaced
 * @property {(what: string) => void} say
 */

/** @param {Life} life */
async function live({ load, path, isNeeded, mayDrop, make, moment, say }) {
  let undo = () => {};
  const arrive = (/** @type {string} */ at) => {
    if (at === moment) undo = replace(path, make);
  };
  const settled = (/** @type {string} */ what, /** @type {() => any} */ call) =>
    settledIn(5000, what, call, say);
  /** @type {unknown[]} */
  const bodies = [];
  const isSent = (/** @type {string} */ name, session = "") => {
    const what = name === "bare" ? '"bare":[{"list":{"a":1}}]' : `"${name}"`;
    for (let i = 0; i < bodies.length; i++) {
      if (isIn(bodies[i], what) && isIn(bodies[i], session)) return true;
    }
    return false;
  };
  let answer = () => {};
  const answered = new Promise((resolve) => (answer = () => resolve(undefined)));
  const fetch = async (/** @type {string} */ url, /** @type {any} */ init) => {
    bodies[bodies.length] = `${url} ${init.body}`;
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
    /** @type {{ name: string, result: Promise<any>, session: string }[]} */
    const calls = [];
    const call = (
      /** @type {string} */ name,
      /** @type {() => Promise<any>} */ fn,
      /** @type {string} */ session = "",
    ) => {
      calls[calls.length] = { name, result: settled(name, fn), session };
    };
    arrive("between calls");
    const own = (await settled("sessionId", () => tracer.sessionId)) ?? "";
    call("first", () => tracer.enrichSession({ metadata: { first: 1 } }), own);
    call("added", () => tracer.addMetrics({ added: 1 }), own);
    const bare = [{ list: aMap }];
    call("bare", () => api.enrichSession({ metadata: { bare } }), own);
    await new Promise((resolve) => setTimeout(resolve, 10));
    arrive("in flight");
    call("second", () => tracer.enrichSession({ metadata: { second: aLongText } }), own);
    call("named", () => api.enrichSession("a name", { metadata: { named: 1 } }), NAMED_ID);
    answer();
    const within = (/** @type {any} */ it) => it.enrichSession({ metadata: { within: 1 } });
    call("within", () => api.withSession(options, within));
    call("started", () => tracer.startSession({}).enrichSession({ metadata: { started: 1 } }));
    call("ran", () => tracer.run(() => api.enrichSession({ metadata: { ran: 1 } })), own);
    await settled("others", async () => {
      api.activeTracer();
      const named = api.sessionIdFrom("a name");
      const ids = [
        named,
        tracer.sessionId,
        tracer.startSession({}).sessionId,
        api.newEventId(),
        api.newEventId(),
      ];
      const { baggage } = tracer.propagationHeaders();
      if (isNeeded) return;
      if (named !== NAMED_ID && !mayDrop) say(`the id of a name: ${named}`);
      if (!isIn(baggage, own) && !mayDrop) say(`the headers: ${baggage}`);
      for (let i = 0; i < ids.length; i++) {
        const id = ids[i];
        if (typeof id !== "string" || (id.length !== 36 && !(mayDrop && id === "")))
          say(`an id: ${id}`);
        for (let j = 0; j < i; j++) if (id && id === ids[j]) say("ids that are the same");
      }
    });
    const report = settled("flush", () => api.flush());
    for (let i = 0; i < calls.length; i++) {
      const { name, result, session } = /** @type {typeof calls[number]} */ (calls[i]);
      const outcome = await result;
      const isDelivered = outcome?.status === "delivered";
      const isSaid = outcome?.status === "dropped" && outcome.message;
      if (isNeeded && isSaid && outcome.reason === "disabled") continue;
      if (isDelivered ? !isSent(name) : !(mayDrop && isSaid)) {
        say(`${name}: ${stringify(outcome)}${isSent(name) ? "" : ", and was not sent"}`);
      }
      if (isSent(name) && !isSent(name, session)) say(`${name} was sent for another session`);
    }
    const { pending } = (await report) ?? {};
    if (pending !== 0) say(`flush: ${stringify(await report)}`);
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
    return await new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error("it never settles")), ms);
      const result = call();
      void (async () => {
        try {
          resolve(await result);
        } catch (error) {
          reject(error);
        }
      })();
    });
  } catch (error) {
    say(`${what}: ${textOf(error)}`);
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * What a path begins with that is no global, and `prototype` of which is meant.
 * @type {Record<string, any>}
 */
const HIDDEN = {
  __proto__: null,
  ArrayIterator: { prototype: getPrototypeOf([][Symbol.iterator]()) },
  MapIterator: { prototype: getPrototypeOf(new Map().keys()) },
  SetIterator: { prototype: getPrototypeOf(new Set().keys()) },
  TypedArray: getPrototypeOf(Uint8Array),
};

/**
 * @param {string} path
 * @param {Make} make
 * @returns {() => void} undoes it
 */
function replace(path, make) {
  const names = apply(split, path, ["."]);
  let holder = /** @type {any} */ (globalThis);
  let i = 0;
  for (; i < names.length - 1; i++) holder = (i === 0 && HIDDEN[names[i]]) || holder[names[i]];
  const key = names[i] === "@@iterator" ? Symbol.iterator : names[i];
  const before = getOwnPropertyDescriptor(holder, key);
  const value = make(path, before && "value" in before ? before.value : holder[key]);
  defineProperty(holder, key, { value, writable: true, configurable: true, enumerable: false });
  return () => {
    if (before) defineProperty(holder, key, before);
    else delete holder[key];
  };
}

/**
 * @param {() => unknown} fn
 * @returns {void} whatever it throws
 */
function attempt(fn) {
  try {
    fn();
  } catch {
    // A property that cannot be defined is not copied.
  }
}

/** @param {any} error */
function textOf(error) {
  const lines = apply(split, String(error?.stack ?? error), ["\n    at"]);
  let text = lines[0];
  for (let i = 1; i < lines.length && i < 5; i++) text += ` | ${lines[i]}`;
  return text;
}
