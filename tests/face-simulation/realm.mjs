// The built package in globals of its own: a fresh one for each program, with a clock, chance and `fetch` that are
// the simulation's. So one process runs thousands, none knows of another, and each follows from its seed.

import { AsyncLocalStorage } from "node:async_hooks";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageDir } from "../support/package.mjs";

/** @import { Random } from "./random.mjs" */
/** @import { Time } from "./time.mjs" */

const built = readFileSync(join(packageDir, "index.cjs"), "utf8");

/** Compiled once: that is most of what a start takes. @type {WebAssembly.Module | undefined} */
let compiled;

const NAMES = [
  "globalThis",
  "setTimeout",
  "clearTimeout",
  "performance",
  "Date",
  "Math",
  "crypto",
  "WebAssembly",
  "console",
];

/**
 * The package's functions as its CommonJS gives them, and what ends their following of contexts: each that goes on costs
 * every promise of the process.
 * @typedef {typeof import("../../pkg-template/index.d.ts") & { end: () => void }} Face
 */

/**
 * @param {(code: string) => string} [change] a mistake that is planted in it
 * @returns {(world: { random: Random, time: Time, fetch: Function, hasContexts: boolean }) => Face}
 */
export function faces(change = (code) => code) {
  const create = new Function(...NAMES, "module", "exports", change(built));
  return ({ random, time, fetch, hasContexts }) => {
    const overrides = globals(random, time);
    /** @type {Record<string, unknown>} */
    const all = { ...overrides, fetch, AsyncLocalStorage: undefined };
    /** @type {AsyncLocalStorage<unknown>[]} */
    const storages = [];
    if (hasContexts) {
      /** @extends {AsyncLocalStorage<unknown>} */
      class Storage extends AsyncLocalStorage {
        constructor() {
          super();
          storages.push(this);
        }
      }
      all["AsyncLocalStorage"] = Storage;
    } else all["process"] = undefined;
    all["globalThis"] = new Proxy(globalThis, {
      get: (real, key) =>
        typeof key === "string" && key in all ? all[key] : /** @type {any} */ (real)[key],
      has: (real, key) => (typeof key === "string" && key in all) || key in real,
    });
    const module = { exports: {} };
    create(...NAMES.map((name) => all[name]), module, module.exports);
    const end = () => storages.splice(0).forEach((storage) => storage.disable());
    return /** @type {any} */ ({ ...module.exports, end });
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
    }),
    console: { error() {}, warn() {}, info() {}, debug() {} },
  };
}
