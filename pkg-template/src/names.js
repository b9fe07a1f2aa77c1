// The Python SDK's snake_case names, accepted wherever a name of ours is: at the top level of what is
// passed in, never inside `metadata` and the like, where names are the caller's own.

import { messageOf } from "./guard.js";

/** Names of an enrichment that need a look. `tracer` and ids say where it goes, so they are no part of it. */
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
 * The enrichment's own fields under their camelCase names: the same object where nothing needs changing, else a shallow copy.
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
  for (let i = 0; i < keys.length; i++) {
    const key = /** @type {string} */ (keys[i]);
    const name = ENRICHMENT.get(key) ?? key;
    // Where both spellings are given, ours holds.
    if (name === "" || (name !== key && Object.hasOwn(params, name))) continue;
    try {
      fields[name] = params[key];
    } catch (error) {
      fields[name] = `[Threw: ${messageOf(error)}]`;
    }
  }
  return fields;
}

/**
 * `server_url` for `serverUrl`.
 * @param {string} name
 */
export function snakeCase(name) {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
