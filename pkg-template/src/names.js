// Accepts the Python SDK's snake_case names wherever the package has names of its own: at the top level of arguments, and
// never inside `metadata` and the like, where names are the application's.

import { messageOf } from "./guard.js";
import { each } from "./lists.js";

/** The names of an enrichment that are renamed or removed. `tracer` and ids are its target, not its content. */
const ENRICHMENT = new Map([
  ["user_properties", "userProperties"],
  ["end_time", "endTime"],
  ["sessionId", ""],
  ["session_id", ""],
  ["tracer", ""],
  ["tracerInstance", ""],
  ["tracer_instance", ""],
]);

/**
 * The enrichment's fields under their camelCase names: the same object if nothing has to change, else a shallow copy.
 * @param {any} params
 * @returns {any}
 */
export function enrichmentFields(params) {
  if (typeof params !== "object" || params === null || Array.isArray(params)) return params;
  const keys = Object.keys(params);
  let isAsItIs = true;
  for (let i = 0; i < keys.length; i++) {
    if (ENRICHMENT.has(/** @type {string} */ (keys[i]))) isAsItIs = false;
  }
  if (isAsItIs) return params;
  const fields = Object.create(null);
  each(keys, (key) => {
    const name = ENRICHMENT.get(key) ?? key;
    // If both spellings are given, camelCase takes precedence.
    if (name === "" || (name !== key && Object.hasOwn(params, name))) return;
    try {
      fields[name] = params[key];
    } catch (error) {
      fields[name] = `[Threw: ${messageOf(error)}]`;
    }
  });
  return fields;
}

/**
 * `server_url` for `serverUrl`.
 * @param {string} name
 */
export function snakeCase(name) {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
