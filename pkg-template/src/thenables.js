// Handles promises of every kind: the engine's, another realm's, subclasses, those of zone.js and Bluebird, and lazy
// objects that begin their work when their `then` is called, such as query builders. The kind of a value is determined
// from the value itself, never from the global `Promise`, which libraries replace.
//
// The `then` of an object that may be lazy is called only once, because each call may be a query.

import { attempt, read } from "./guard.js";
import { Promise } from "./globals.js";

/**
 * @param {any} value
 * @returns {value is PromiseLike<unknown>}
 */
export function isThenable(value) {
  const isObject = (typeof value === "object" && value !== null) || typeof value === "function";
  return isObject && typeof read(value, "then") === "function";
}

/** @param {unknown} value */
function isOfEngine(value) {
  return attempt(() => value instanceof Promise, false);
}

/**
 * Whether a thenable may begin its work only when its `then` is called. Other thenables are promises, which work by
 * themselves; their classes have a static `resolve`.
 * @param {PromiseLike<unknown>} value
 */
export function isLazy(value) {
  if (isOfEngine(value)) return value.then !== Promise.prototype.then;
  return typeof read(read(value, "constructor"), "resolve") !== "function";
}

/**
 * Converts a thenable to the engine's own promise. Its `then` is called immediately, while the caller's session is known,
 * and never again. Other values are returned unchanged.
 * @template T
 * @param {T} value
 * @returns {T | Promise<Awaited<T>>}
 */
export function adopted(value) {
  if (!isThenable(value) || (isOfEngine(value) && !isLazy(value))) return value;
  const { then } = /** @type {any} */ (value);
  return new Promise((resolve, reject) => void Reflect.apply(then, value, [resolve, reject]));
}

/**
 * Prevents an unhandled rejection if the result of an application's function is a promise that rejects: it would end the
 * process.
 * @template T
 * @param {T} result
 * @returns {T}
 */
export function disregard(result) {
  if (!isThenable(result)) return result;
  const ignore = () => {};
  const isNative = isOfEngine(result);
  if (isNative) attempt(() => void Reflect.apply(Promise.prototype.then, result, [ignore, ignore]));
  else if (!isLazy(result)) attempt(() => void result.then(ignore, ignore));
  return result;
}

/**
 * Makes a thenable that may be lazy begin its work in the session of the function that returned it.
 * @template T
 * @param {T} result what the function returned
 * @param {(then: () => unknown) => unknown} enter calls the object's `then` in that session
 * @param {() => void} [ended] called, once or more, when that work has ended
 * @returns {T} the same, but for a lazy object that takes no property: then one that inherits from it
 */
export function enterLazily(result, enter, ended = () => {}) {
  if (!isThenable(result) || !isLazy(result)) return result;
  const value = enteringThen(result, enter, ended);
  const then = { value, configurable: true, writable: true };
  const same = attempt(() => Object.defineProperties(result, { then }));
  return same ?? attempt(() => Object.create(result, { then }), result);
}

/**
 * @param {PromiseLike<unknown>} promise not lazy
 * @param {() => void} ended called when it is settled, before any handler that is added from now on
 */
export function whenSettled(promise, ended) {
  // `await` does not call `then`, which a library may have patched.
  if (read(promise, "constructor") === Promise) void afterwards(promise, ended);
  else attempt(() => void promise.then(ended, ended));
}

/**
 * @param {PromiseLike<unknown>} promise
 * @param {() => void} ended
 */
async function afterwards(promise, ended) {
  try {
    await promise;
  } catch {
    // The rejection is handled by other handlers of the promise.
  }
  ended();
}

/**
 * @param {PromiseLike<unknown>} lazy
 * @param {(then: () => unknown) => unknown} enter
 * @param {() => void} ended
 */
function enteringThen(lazy, enter, ended) {
  const { then } = lazy;
  /**
   * @param {unknown} fulfilled
   * @param {unknown} rejected
   */
  return (fulfilled, rejected) => {
    const kept = (/** @type {unknown} */ result) => {
      ended();
      return typeof fulfilled === "function" ? fulfilled(result) : result;
    };
    const broken = (/** @type {unknown} */ error) => {
      ended();
      if (typeof rejected === "function") return rejected(error);
      throw error;
    };
    return enter(() => Reflect.apply(then, lazy, [kept, broken]));
  };
}
