// The globals that the package uses, taken when it is loaded. Libraries, polyfills and tests replace many of them:
// zone.js and Bluebird replace `Promise`; sinon, Jest and Vitest replace timers and clocks. Later replacements are for
// the application: such a clock may stand still, and such a timer may never fire.

import { attempt, read } from "./guard.js";

/**
 * The engine's own Promise, whatever the global of that name is: async functions always return it.
 * @type {PromiseConstructor}
 */
export const Promise = /* @__PURE__ */ (() =>
  /** @type {any} */ ((async () => {})()).constructor)();

/**
 * Settles like the first of two promises. Unlike `Promise.race`, it uses neither the iterator of arrays nor the `then` of
 * promises, which libraries replace.
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
 * The real timer function, even if a fake clock was installed before this file was loaded: sinon's clock, which Jest and
 * Vitest use, keeps the function it replaced.
 * @param {"setTimeout" | "clearTimeout"} name
 * @returns {Function}
 */
function timerFunction(name) {
  const clock = read(loaded[name], "clock");
  return read(clock, `_${name}`) ?? loaded[name] ?? read(globalThis, name);
}

/**
 * Starts a timer. Throws if the runtime allows no timer, as in a Worker's global scope.
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
 * Starts a timer, or none if the runtime allows none. A page that is gone, for example, has no timers. The caller then
 * waits without a time limit.
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
  // A runtime that cannot clear its own timer is ignored.
  attempt(() => {
    const clearTimeout = timerFunction("clearTimeout");
    clearTimeout(timer);
  }, undefined);
}

/**
 * A class that encodes or decodes text. Jest's page has none, so Node's own is used there.
 * @param {"TextDecoder" | "TextEncoder"} name
 * @returns {any} undefined if there is none
 */
export function textClass(name) {
  const { process } = /** @type {any} */ (globalThis);
  const ofNode = () => process.getBuiltinModule("node:util")[name];
  return read(globalThis, name) ?? attempt(ofNode, undefined);
}

/**
 * The runtime's forward clock, in milliseconds; the wall clock if there is none.
 * @returns {number}
 */
export function forwardNow() {
  const clock = read(loaded.setTimeout, "clock");
  const now = clock ? clockOf(read(clock, "_performance")) : loaded.now;
  return attempt(() => now?.(), undefined) ?? Date.now();
}

/**
 * Runs `fn` in a microtask of the current turn. It does not use `queueMicrotask`, which fake clocks replace.
 * @param {() => void} fn must not throw
 */
export async function microtask(fn) {
  await undefined;
  fn();
}
