// JSON of the package's own data: settings, ids, lists of strings. The engine's `JSON.stringify` calls `toJSON`, and
// some libraries (Prototype.js did) add one to the prototype of all arrays or all objects, so that the core would receive
// something else, or nothing.

import { each } from "./lists.js";

const { parse, stringify } = JSON;
const { isArray } = Array;
const { keys } = Object;

/** The engine's own JSON.parse, as it was when the package was loaded. */
export const parseJson = parse;

/**
 * Writes strings, finite numbers, booleans, null, arrays and plain objects without cycles.
 * @param {unknown} value
 * @returns {string} JSON; "null" for any other value
 */
export function plainJson(value) {
  // No engine looks for toJSON on these.
  if (typeof value !== "object" || value === null) return stringify(value) ?? "null";
  let text = "";
  if (isArray(value)) {
    for (let i = 0; i < value.length; i++) text += `${i > 0 ? "," : ""}${plainJson(value[i])}`;
    return `[${text}]`;
  }
  const names = keys(value);
  each(names, (name) => {
    const part = /** @type {Record<string, unknown>} */ (value)[name];
    if (part === undefined) return;
    text += `${text === "" ? "" : ","}${stringify(name)}:${plainJson(part)}`;
  });
  return `{${text}}`;
}
