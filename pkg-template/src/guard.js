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
 * @template {object} T
 * @param {T} value
 * @returns {{ deref(): T | undefined }} strongly where the runtime has no weak references
 */
export function weakly(value) {
  return typeof WeakRef === "function" ? new WeakRef(value) : { deref: () => value };
}

/**
 * Has `collected` called when a value that was registered is collected; nothing where the runtime does not tell.
 * @template T
 * @param {(held: T) => void} collected
 * @returns {FinalizationRegistry<T> | undefined}
 */
export function newRegistry(collected) {
  return attempt(() => new FinalizationRegistry(collected), undefined);
}

const { getPrototypeOf, hasOwn, prototype: everyObjects } = Object;

/**
 * A property that the holder was given, or has from a class of its own. What a page or a library put on
 * `Object.prototype` was given by nobody.
 * @param {any} holder
 * @param {PropertyKey} key
 * @returns {any}
 */
export function readGiven(holder, key) {
  return attempt(() => {
    if (holder === undefined || holder === null) return undefined;
    if (!(key in everyObjects)) return holder[key];
    for (let at = Object(holder); at && at !== everyObjects; at = getPrototypeOf(at)) {
      if (hasOwn(at, key)) return holder[key];
    }
    return undefined;
  }, undefined);
}

/**
 * The items of a list, or of anything that can be iterated, in a list that nobody else has. A list is read by its
 * places: its iterator may be anybody's.
 * @template T
 * @param {Iterable<T>} given
 * @returns {T[]}
 */
export function listOf(given) {
  const items = [];
  if (Array.isArray(given)) for (let i = 0; i < given.length; i++) items[i] = given[i];
  else for (const item of given) items[items.length] = item;
  return items;
}

/**
 * The beginning of a text, up to the last space: of half a secret nobody could tell that it is one.
 * @param {string} text
 * @param {number} length characters at most
 * @returns {string}
 */
export function beginningOf(text, length) {
  return text.length <= length ? text : text.slice(0, text.lastIndexOf(" ", length) + 1);
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
