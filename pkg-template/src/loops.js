// Runs a core's loops, one for each request scope that has anything unsettled. What they wait with, promises
// and timers, is the runtime's; what they wait for is the core's to say.
//
// On Workers nothing of one request may be continued in another: a loop is only ever run by what its own
// scope gave, and of one whose request was torn down nothing is touched any more.

import { Promise, clearTimer, microtask, startTimer } from "./globals.js";

/**
 * @typedef {object} Loop
 * @property {boolean} isWoken it runs in a microtask that is to come
 * @property {unknown} [timer]
 * @property {() => void} [end] ends the promise that holds the request alive
 */

/**
 * @template K
 * @typedef {object} Loops
 * @property {(key: K) => void} wake runs the loop in a microtask of its own, which may be a new one's first
 * @property {(key: K) => void} look runs it now
 * @property {(key: K) => void} leave forgets a loop whose request was torn down
 */

/**
 * @template K what tells loops apart
 * @param {(key: K, hasTimers: boolean) => number | undefined} run does what is to be done now; returns the
 *   milliseconds after which that is to be done again, and less than none if nothing is left
 * @param {(key: K, promise: Promise<void>) => void} waitUntil
 * @param {(key: K, ms: number) => "skipped" | "answer" | "call"} [skip] where there are no timers: puts the clock
 *   forward instead of waiting, or says what else the loop waits for
 * @returns {Loops<K>}
 */
export function newLoops(run, waitUntil, skip = () => "call") {
  /** @type {Map<K, Loop>} */
  const loops = new Map();

  const wake = (/** @type {K} */ key) => {
    const loop = loops.get(key) ?? { isWoken: false };
    loops.set(key, loop);
    if (!loop.isWoken) void microtask(() => look(key));
    loop.isWoken = true;
  };

  const look = (/** @type {K} */ key) => {
    const loop = loops.get(key);
    if (!loop) return;
    loop.isWoken = false;
    if (!loop.end) waitUntil(key, new Promise((resolve) => (loop.end = resolve)));
    clearTimer(loop.timer);
    let ms = run(key, true) ?? -1;
    try {
      if (ms >= 0 && ms < Infinity) loop.timer = startTimer(look, ms, key);
    } catch {
      const next = skip(key, ms);
      if (next === "skipped") wake(key);
      if (next !== "call") return;
      // Without timers, what waits goes out with the next call that comes.
      run(key, false);
      ms = -1;
    }
    if (ms >= 0) return;
    loops.delete(key);
    loop.end?.();
    // Something was given while it ran.
    if (loop.isWoken) wake(key);
  };

  return { wake, look, leave: (key) => void loops.delete(key) };
}
