// Runs the core's loops, one for each request scope that has anything unsettled. The core decides what a loop waits for;
// the promises and timers to wait with belong to the runtime.
//
// On Workers nothing of one request may be continued in another: a loop is only run by events of its own scope, and
// nothing of a request that was torn down is touched any more.

import { Promise, clearTimer, microtask, startTimer } from "./globals.js";

/**
 * @typedef {object} Loop
 * @property {boolean} isWoken whether a microtask that runs the loop is scheduled
 * @property {unknown} [timer]
 * @property {() => void} [end] resolves the promise that keeps the request alive
 */

/**
 * @template K
 * @typedef {object} Loops
 * @property {(key: K) => void} wake runs the loop in a microtask of its own, and starts it if there is none
 * @property {(key: K) => void} look runs the loop now
 * @property {(key: K) => void} leave forgets a loop whose request was torn down
 */

/**
 * @template K the key of a loop
 * @param {(key: K, hasTimers: boolean) => number | undefined} run does what is due; returns the milliseconds after which
 *   it has to run again, or a negative number if nothing is left
 * @param {(key: K, promise: Promise<void>) => void} waitUntil
 * @param {(key: K, ms: number) => "skipped" | "answer" | "call"} [skip] called where there are no timers: puts the clock
 *   forward instead of waiting, or returns what else the loop waits for
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
      // Without timers, waiting enrichments are sent with the next call.
      run(key, false);
      ms = -1;
    }
    if (ms >= 0) return;
    loops.delete(key);
    loop.end?.();
    // A call was made while the loop ran.
    if (loop.isWoken) wake(key);
  };

  return { wake, look, leave: (key) => void loops.delete(key) };
}
