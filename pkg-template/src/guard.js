// Calls code that is not the package's own: getters, callbacks, and functions of the runtime. None of it may throw into
// the application.

/**
 * @template T
 * @template [U=undefined]
 * @param {() => T} fn
 * @param {U} [fallback] returned if `fn` throws
 * @returns {T | U}
 */
export function attempt(fn, fallback) {
  try {
    return fn();
  } catch {
    return /** @type {U} */ (fallback);
  }
}

/**
 * A property of any value; `undefined` if there is none or reading it throws.
 * @param {any} holder
 * @param {PropertyKey} key
 * @returns {any}
 */
export function read(holder, key) {
  // Not by `attempt`: a request reads dozens of properties, and each closure has to be allocated.
  try {
    return holder?.[key];
  } catch {
    return undefined;
  }
}

/**
 * @template {object} T
 * @param {T} value
 * @returns {WeakRef<T> | undefined} undefined if the runtime has no weak references, or a test has replaced them
 */
export function weakReference(value) {
  return attempt(() => {
    const reference = new WeakRef(value);
    return reference.deref() === value ? reference : undefined;
  });
}

/**
 * @template {object} T
 * @param {T} value
 * @returns {{ deref(): T | undefined }} a strong reference if the runtime has no weak ones
 */
export function weakly(value) {
  return weakReference(value) ?? { deref: () => value };
}

/**
 * Makes a registry that calls `collected` when a registered value is garbage-collected; undefined if the runtime has
 * none.
 * @template T
 * @param {(held: T) => void} collected
 * @returns {FinalizationRegistry<T> | undefined}
 */
export function newRegistry(collected) {
  return attempt(() => {
    const registry = new FinalizationRegistry(collected);
    // A test's class may make something else.
    return typeof registry.register === "function" ? registry : undefined;
  });
}

const { getPrototypeOf, hasOwn, prototype: everyObjects } = Object;

/**
 * A property of the holder or of its class. Properties that a page or a library added to `Object.prototype` are ignored.
 * @param {any} holder
 * @param {PropertyKey} key
 * @returns {any}
 */
export function readGiven(holder, key) {
  try {
    if (!(key in everyObjects)) return holder?.[key];
    for (let at = Object(holder); at && at !== everyObjects; at = getPrototypeOf(at)) {
      if (hasOwn(at, key)) return holder[key];
    }
  } catch {
    // Reading it throws.
  }
  return undefined;
}

/**
 * Copies the items of an array or of another iterable. An array is read by index, because its iterator may be replaced.
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
 * The beginning of a text, cut at the last space that fits: the masking would not recognise half of a secret.
 * @param {string} text
 * @param {number} length characters at most
 * @returns {string}
 */
export function beginningOf(text, length) {
  return text.length <= length ? text : text.slice(0, text.lastIndexOf(" ", length) + 1);
}

/**
 * The message of a thrown value. Thrown values need not be errors, and reading their message may throw again.
 * @param {unknown} error
 * @returns {string}
 */
export function messageOf(error) {
  return attempt(() => {
    const message = /** @type {any} */ (error)?.message;
    return typeof message === "string" ? message : String(error);
  }, "unknown");
}

/**
 * @param {unknown} value
 * @returns {string} such as "[object Map]", of values of any realm; throws if the value's own tag throws
 */
export function tagOf(value) {
  return Reflect.apply(Object.prototype.toString, value, []);
}
