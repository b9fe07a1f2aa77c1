// What the face needs of the globals, taken when it is loaded. Libraries, polyfills and tests put their own
// in place of many of them: zone.js and Bluebird of `Promise`, sinon, Jest and Vitest of the timers and the
// clock. What they put there later is for the application, and may stand still or never run.

import { attempt, read } from "./guard.js";

/**
 * The engine's own promises, whatever stands under the global name: async functions return nothing else.
 * @type {PromiseConstructor}
 */
export const Promise = /* @__PURE__ */ (() =>
  /** @type {any} */ ((async () => {})()).constructor)();

/**
 * What the first of two comes to. As `Promise.race`, which goes through the iterator that all lists have, and
 * through the `then` that a library gave all promises.
 * @template A, B
 * @param {A} one
 * @param {B} other
 * @returns {Promise<Awaited<A> | Awaited<B>>}
 */
export function firstOf(one, other) {
  return new Promise((resolve, reject) => {
    const follow = async (/** @type {A | B} */ value) => {
      try {
        resolve(await value);
      } catch (error) {
        reject(error);
      }
    };
    void follow(one);
    void follow(other);
  });
}

const loaded = {
  setTimeout: read(globalThis, "setTimeout"),
  clearTimeout: read(globalThis, "clearTimeout"),
  now: clockOf(read(globalThis, "performance")),
};

/** @param {any} performance */
function clockOf(performance) {
  const now = read(performance, "now");
  return typeof now === "function" ? () => now.call(performance) : undefined;
}

/**
 * The function that a fake clock stands in for, where one was there before this file: sinon's, which Jest and
 * Vitest use, holds what it replaced beside itself.
 * @param {"setTimeout" | "clearTimeout"} name
 * @returns {Function}
 */
function timerFunction(name) {
  const clock = read(loaded[name], "clock");
  return read(clock, `_${name}`) ?? loaded[name] ?? read(globalThis, name);
}

/**
 * Throws where the runtime allows no timer, as in a Worker's global scope.
 * @template A
 * @param {(given: A) => void} fn
 * @param {number} ms
 * @param {A} given
 * @returns {unknown} for {@link clearTimer}
 */
export function startTimer(fn, ms, given) {
  const setTimeout = timerFunction("setTimeout");
  return setTimeout(fn, ms, given);
}

/**
 * As {@link startTimer}, for what is waited for without end where the runtime allows no timer: a page that is gone has
 * none any more.
 * @param {() => void} fn
 * @param {number} ms
 * @returns {unknown} for {@link clearTimer}
 */
export function tryTimer(fn, ms) {
  return attempt(() => startTimer(fn, ms, undefined), undefined);
}

/** @param {unknown} timer */
export function clearTimer(timer) {
  if (timer === undefined) return;
  // Nothing to do about a runtime that cannot clear its own timer.
  attempt(() => {
    const clearTimeout = timerFunction("clearTimeout");
    clearTimeout(timer);
  }, undefined);
}

/**
 * A class for text and its bytes. Jest's page has none; there it is Node's own.
 * @param {"TextDecoder" | "TextEncoder"} name
 * @returns {any} undefined where there is none
 */
export function textClass(name) {
  const { process } = /** @type {any} */ (globalThis);
  const ofNode = () => process.getBuiltinModule("node:util")[name];
  return read(globalThis, name) ?? attempt(ofNode, undefined);
}

/**
 * The runtime's forward clock, in milliseconds; the wall clock where there is none.
 * @returns {number}
 */
export function forwardNow() {
  const clock = read(loaded.setTimeout, "clock");
  const now = clock ? clockOf(read(clock, "_performance")) : loaded.now;
  return attempt(() => now?.(), undefined) ?? Date.now();
}

/**
 * Runs `fn` in a microtask of the current turn. The engine schedules it itself: `queueMicrotask` is one of the
 * functions that fake clocks replace.
 * @param {() => void} fn does not throw
 */
export async function microtask(fn) {
  await undefined;
  fn();
}
