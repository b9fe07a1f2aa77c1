// The built package in globals of its own: a fresh one for each program, with a clock, chance and `fetch` that are
// the simulation's. So one process runs thousands, none knows of another, and each follows from its seed.

/** @import { Random } from "./random.mjs" */
/** @import { Time } from "./time.mjs" */

/** Compiled once: that is most of what a start takes. @type {WebAssembly.Module | undefined} */
let compiled;

/** What the package's text finds under these names is the realm's. */
export const NAMES = [
  "globalThis",
  "setTimeout",
  "clearTimeout",
  "performance",
  "Date",
  "Math",
  "crypto",
  "WebAssembly",
  "console",
  "MessageChannel",
  "addEventListener",
  "removeEventListener",
  "dispatchEvent",
  "require",
  "module",
  "exports",
];

/**
 * The package's functions as its CommonJS gives them; what ends their following of contexts, for each that goes on costs
 * every promise of the process; and what runs a program in a context of its own.
 * @typedef {typeof import("../../pkg-template/index.d.ts") & {
 *   end: () => void,
 *   apart: <T>(program: () => T) => T,
 * }} Face
 *
 * @typedef {{ random: Random, time: Time, fetch: Function, hasContexts: boolean }} World
 * @typedef {(world: World) => Face} NewFace
 *
 * What differs between the runtimes of programs.
 * @typedef {object} Runtime
 * @property {Record<string, unknown>} [globals] beside the realm's own; what is undefined is not there
 * @property {(name: string) => unknown} [require]
 * @property {() => { globals: Record<string, unknown>, end: () => void }} [contexts] made for each program that has them
 * @property {<T>(program: () => T) => T} [apart]
 */

/**
 * @param {Function} create the package's CommonJS as a function of {@link NAMES}
 * @param {Runtime} runtime
 * @returns {NewFace}
 */
export function facesOf(create, runtime) {
  return ({ random, time, fetch, hasContexts }) => {
    const events = new EventTarget();
    const contexts = hasContexts ? runtime.contexts?.() : undefined;
    const module = { exports: {} };
    /** @type {Record<string, unknown>} */
    const all = {
      ...globals(random, time),
      fetch,
      AsyncLocalStorage: undefined,
      addEventListener: events.addEventListener.bind(events),
      removeEventListener: events.removeEventListener.bind(events),
      dispatchEvent: events.dispatchEvent.bind(events),
      ...runtime.globals,
      ...contexts?.globals,
      require: runtime.require,
      module,
      exports: module.exports,
    };
    if (!hasContexts) all["process"] = undefined;
    all["globalThis"] = new Proxy(globalThis, {
      get: (real, key) =>
        typeof key === "string" && key in all ? all[key] : /** @type {any} */ (real)[key],
      has: (real, key) =>
        typeof key === "string" && key in all ? all[key] !== undefined : key in real,
    });
    create(...NAMES.map((name) => all[name]));
    const end = () => contexts?.end();
    const apart = runtime.apart ?? ((program) => program());
    return /** @type {any} */ ({ ...module.exports, end, apart });
  };
}

/**
 * @param {Random} random
 * @param {Time} time
 */
function globals(random, time) {
  class Dated extends Date {
    constructor(/** @type {any[]} */ ...given) {
      // @ts-expect-error Dates take any of several lists of arguments
      super(...(given.length > 0 ? given : [time.now]));
    }
    /** @override */
    static now() {
      return time.now;
    }
  }
  const bytes = (/** @type {Uint8Array} */ array) => array.map(() => random.below(256));
  const uuid = () => {
    const digits = Array.from({ length: 30 }, () => random.below(16).toString(16)).join("");
    return digits.replace(/^(.{8})(.{4})(.{3})(.{3})(.{12})$/, "$1-$2-4$3-8$4-$5");
  };
  return {
    setTimeout: time.setTimeout,
    clearTimeout: time.clearTimeout,
    performance: { now: () => time.now - 1_600_000_000_000 },
    Date: Dated,
    Math: Object.assign(Object.create(Math), { random: () => random.next() }),
    crypto: {
      getRandomValues: (/** @type {Uint8Array} */ array) => (array.set(bytes(array)), array),
      randomUUID: () => uuid(),
    },
    WebAssembly: Object.assign(Object.create(WebAssembly), {
      Module: function (/** @type {BufferSource} */ code) {
        return (compiled ??= new WebAssembly.Module(code));
      },
      compile: async (/** @type {BufferSource} */ code) =>
        (compiled ??= await WebAssembly.compile(code)),
    }),
    console: { error() {}, warn() {}, info() {}, debug() {} },
  };
}
