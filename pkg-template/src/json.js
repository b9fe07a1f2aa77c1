// JSON of what is the package's own: settings, ids, lists of texts. The engine's `JSON.stringify` asks each object
// for a `toJSON`, and libraries put one on the prototypes of all lists or all objects (Prototype.js did): what
// is written there would reach the core as something else, or not at all.

const { parse, stringify } = JSON;
const { isArray } = Array;
const { keys } = Object;

/** The engine's own, as it was when the package was loaded. */
export const parseJson = parse;

/**
 * Takes what holds texts, finite numbers, booleans, null, lists and plain objects, and no cycle.
 * @param {unknown} value
 * @returns {string} JSON; of what is none of these, "null"
 */
export function plainJson(value) {
  // Of these no engine asks for a toJSON.
  if (typeof value !== "object" || value === null) return stringify(value) ?? "null";
  let text = "";
  if (isArray(value)) {
    for (let i = 0; i < value.length; i++) text += `${i > 0 ? "," : ""}${plainJson(value[i])}`;
    return `[${text}]`;
  }
  const names = keys(value);
  for (let i = 0; i < names.length; i++) {
    const name = /** @type {string} */ (names[i]);
    const part = /** @type {Record<string, unknown>} */ (value)[name];
    if (part === undefined) continue;
    text += `${text === "" ? "" : ","}${stringify(name)}:${plainJson(part)}`;
  }
  return `{${text}}`;
}
