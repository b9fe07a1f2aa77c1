// The runtime's functions for the core's futures: clocks, timers, microtasks to poll them in, and promises that are
// awaited as `await` does. globals.js decides which globals those are.

import { clearTimer, forwardNow, microtask, parseDate, startTimer, wallNow } from "./globals.js";
import { disregard } from "./thenables.js";

/** @import { Clocks, Runtime } from "./core.d.ts" */

/**
 * @param {(scope: number) => void} run polls the futures of a scope
 * @returns {Runtime & Clocks}
 */
export function newRuntime(run) {
  return {
    // On Workers the microtask belongs to the request that schedules it, and so do the promises and timers that do.
    wakeScope: (scope) => void microtask(() => run(scope)),
    startTimer: (handler, ms) => startTimer(handler, ms, undefined),
    clearTimer,
    now: forwardNow,
    wallNow,
    parseDate,
    disregard: (value) => void disregard(value),
    listen,
  };
}

/**
 * @param {unknown} value
 * @returns {import("./core.d.ts").Listened}
 */
function listen(value) {
  /** @type {((error: unknown) => void) | undefined} */
  let rejected;
  return {
    // oxlint-disable-next-line unicorn/no-thenable -- what listens, calls no other method
    then(fulfilled, onRejection) {
      rejected = onRejection;
      const once = (/** @type {(result: unknown) => void} */ listener) => {
        return (/** @type {unknown} */ result) => {
          if (!rejected) return;
          rejected = undefined;
          listener(result);
        };
      };
      void follow(value, once(fulfilled), once(onRejection));
    },
    forget() {
      const listener = rejected;
      rejected = undefined;
      listener?.(undefined);
    },
  };
}

/**
 * Waits for a value without calling the `then` of promises, which a library may have replaced.
 * @param {unknown} value
 * @param {(result: unknown) => void} fulfilled
 * @param {(error: unknown) => void} rejected
 */
async function follow(value, fulfilled, rejected) {
  let result;
  try {
    result = await value;
  } catch (error) {
    rejected(error);
    return;
  }
  fulfilled(result);
}
