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
  setTimeout: unfaked("setTimeout"),
  clearTimeout: unfaked("clearTimeout"),
  now: clockOf(unfaked("performance")),
};

/**
 * The real global of that name, even if a fake clock was installed before this file was loaded: sinon's clock, which Jest
 * and Vitest use, keeps what it replaced.
 * @param {"setTimeout" | "clearTimeout" | "performance"} name
 */
function unfaked(name) {
  const clock = read(read(globalThis, "setTimeout"), "clock");
  return read(clock, `_${name}`) ?? read(globalThis, name);
}

/** @param {any} holder */
function clockOf(holder) {
  const now = read(holder, "now");
  return typeof now === "function" ? () => now.call(holder) : undefined;
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
  const setTimeout = loaded.setTimeout ?? globalThis.setTimeout;
  const end = forwardNow() + ms;
  const over = () => {
    // A clock that stands still is put forward: what waits for a time would otherwise wait for ever.
    const late = end - forwardNow();
    if (late > 0) putForward(late);
    fn(given);
  };
  const timer = setTimeout(over, ms);
  hasStarted = true;
  return timer;
}

let hasStarted = false;

/** @returns {boolean} whether a timer could be started so far: a page that is gone had timers, a runtime without any never */
export function hadTimers() {
  return hasStarted;
}

/**
 * Starts a timer, or none if the runtime allows none. A page that is gone, for example, has no timers. The caller then
 * waits without a time limit.
 * @param {() => void} fn
 * @param {number} ms
 * @returns {unknown} for {@link clearTimer}
 */
export function tryTimer(fn, ms) {
  return attempt(() => startTimer(fn, ms, undefined));
}

/**
 * @param {number} ms
 * @returns {Promise<undefined>} resolves then; never if the runtime allows no timer
 */
export function delay(ms) {
  return new Promise((resolve) => tryTimer(() => resolve(undefined), ms));
}

/** @param {unknown} timer */
export function clearTimer(timer) {
  if (timer === undefined) return;
  // A runtime that cannot clear its own timer is ignored.
  attempt(() => {
    const clearTimeout = loaded.clearTimeout ?? globalThis.clearTimeout;
    clearTimeout(timer);
  });
}

/**
 * A class that encodes or decodes text. Jest's page has none, and the global one may be a test's or a polyfill's that lacks
 * what is needed, so Node's own is used there.
 * @param {"TextDecoder" | "TextEncoder"} name
 * @returns {any} undefined if there is none
 */
export function textClass(name) {
  const { process } = /** @type {any} */ (globalThis);
  const ofNode = () => process.getBuiltinModule("node:util")[name];
  const given = read(globalThis, name);
  const { encodeInto, decode } = attempt(() => new given(), {});
  return encodeInto || decode ? given : attempt(ofNode);
}

/** The last valid reading of the runtime's forward clock. */
let lastMs = 0;

/** By how much the forward clock is ahead of the runtime's, which was set back or stood still while a timer ran. */
let aheadMs = 0;

/**
 * The runtime's forward clock, in milliseconds, which is never set back; the wall clock if there is none. While a clock that
 * worked gives no time, this one stands still until a timer ends.
 * @returns {number} 0 if no clock has given a time so far
 */
export function forwardNow() {
  const ms = timeOf(loaded.now);
  if (ms && ms < lastMs) aheadMs += lastMs - ms;
  lastMs = ms || lastMs;
  return (lastMs || wallNow()) + aheadMs;
}

/**
 * Puts the forward clock forward: for a time that was waited for, or that nothing can wait for.
 * @param {number} ms
 */
export function putForward(ms) {
  aheadMs += ms;
}

/**
 * The wall clock, in milliseconds since the Unix epoch. It is the application's even if a test has replaced it, unless
 * that one gives no time.
 * @returns {number} 0 if no clock gives a time, as in a Worker's global scope
 */
export function wallNow() {
  return timeOf(dateNow) || timeOf(performanceNow);
}

const dateNow = () => Date.now();
const performanceNow = () => performance.timeOrigin + performance.now();

/** The latest time that a `Date` can hold. */
const LAST_TIME = 8.64e15;

/**
 * Reads a clock. Each request reads its clocks several times, so this allocates nothing.
 * @param {(() => unknown) | undefined} clock
 * @returns {number} 0 if the clock throws or gives no time: a Worker's reads 0 outside of requests
 */
function timeOf(clock) {
  try {
    const ms = clock?.();
    return typeof ms === "number" && ms > 0 && ms <= LAST_TIME ? ms : 0;
  } catch {
    return 0;
  }
}

/**
 * The time that an HTTP date says, in milliseconds since the Unix epoch. Its oldest form, as in "Sun Nov  6 08:49:37 1994",
 * names no zone, and Date.parse would take the runtime's: RFC 9110, section 5.6.7.
 * @param {string} text
 * @returns {number} NaN if it is no date
 */
export function parseDate(text) {
  return attempt(() => +Date.parse(/^... .+\d$/.test(text) ? `${text} GMT` : text), NaN);
}

/** @returns {number} from which a core draws what is random */
export function randomSeed() {
  return attempt(() => Math.random() * Number.MAX_SAFE_INTEGER, 0);
}

/**
 * Runs `fn` in a microtask of the current turn. It does not use `queueMicrotask`, which fake clocks replace.
 * @param {() => void} fn must not throw
 */
export async function microtask(fn) {
  await undefined;
  fn();
}
