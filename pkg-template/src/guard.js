// The face calls a lot of code that is not its own: getters, callbacks, the runtime's odd corners.
// None of it may throw into the application, so it is called through here.

/**
 * @template T, U
 * @param {() => T} fn
 * @param {U} fallback what a throw comes to
 * @returns {T | U}
 */
export function attempt(fn, fallback) {
  try {
    return fn();
  } catch {
    return fallback;
  }
}

/**
 * A property of a value that may be anything; `undefined` where there is none or reading it throws.
 * @param {any} holder
 * @param {PropertyKey} key
 * @returns {any}
 */
export function read(holder, key) {
  return attempt(() => holder?.[key], undefined);
}

/**
 * What a thrown value says of itself. Thrown values need not be errors, and asking may throw again.
 * @param {unknown} error
 * @returns {string}
 */
export function messageOf(error) {
  return attempt(() => {
    const message = /** @type {any} */ (error)?.message;
    return typeof message === "string" ? message : String(error);
  }, "unknown");
}
