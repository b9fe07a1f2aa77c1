// What methods of lists do, without them: a library or a page may have replaced those by functions that work otherwise, or
// not at all, and an option that a broken `forEach` skips would be one that fails open.

/**
 * @template T
 * @param {ArrayLike<T>} list
 * @param {(item: T, place: number) => void} use
 */
export function each(list, use) {
  for (let i = 0; i < list.length; i++) use(/** @type {T} */ (list[i]), i);
}

/**
 * @template T
 * @param {ArrayLike<T>} list
 * @param {(item: T) => unknown} test
 * @returns {T[]} the items that pass
 */
export function filtered(list, test) {
  /** @type {T[]} */
  const passed = [];
  each(list, (item) => {
    if (test(item)) passed[passed.length] = item;
  });
  return passed;
}
