// `import` and `require` load two files of this package, and an application may do both: its own modules the one, a
// library the other. Whichever is loaded second takes the functions of the first, so that there is one active session and
// one queue. Only the other format's are taken: who loads the same file anew, as test runners do, wants a new state.

import { format, version } from "#build";
import { attempt } from "./guard.js";

const SHARED = Symbol.for("honeyhive-edge");
const OTHER = { esm: "cjs", cjs: "esm" };

/** @typedef {ReturnType<typeof import("./public.js").publicFunctions>} Functions */

/**
 * @param {() => Functions} make
 * @returns {Functions}
 */
export function sharedFunctions(make) {
  const shared = holder();
  const others = attempt(() => shared?.[`${version} ${OTHER[format]}`]);
  const functions = areFunctions(others) ? others : make();
  attempt(() => {
    if (shared) shared[`${version} ${format}`] = functions;
  });
  return functions;
}

/** The object on the global that the copies share; undefined if the global object cannot be extended. @returns {any} */
function holder() {
  return attempt(() => {
    const { [SHARED]: there } = /** @type {any} */ (globalThis);
    if (typeof there === "object" && there !== null) return there;
    const value = Object.create(null);
    Object.defineProperty(globalThis, SHARED, { value, configurable: true });
    return value;
  });
}

/**
 * @param {any} found
 * @returns {found is Functions}
 */
function areFunctions(found) {
  const names = [
    "initTracer",
    "withSession",
    "enrichSession",
    "enrichEvent",
    "activeTracer",
    "flush",
  ];
  return attempt(() => names.every((name) => typeof found[name] === "function"), false);
}
