// The caller's own masking: a function, or patterns of their own. It works on the snapshot, before
// anything is queued, and fails closed. Masking by key names, and the default patterns, are the core's.

import { attempt, read } from "./guard.js";
import { printAt } from "./log.js";
import { snapshot } from "./snapshot.js";

const MASK = "[Redacted]";

/** @typedef {(value: unknown, path: readonly string[]) => unknown} Redactor */

/**
 * What `options.redact` comes to.
 * @param {any} redact
 * @param {unknown} [logLevel]
 * @returns {{ redact: boolean, redactKeys: string[] | undefined, redactPatterns: boolean, redactor: Redactor | undefined }}
 */
export function redaction(redact, logLevel) {
  if (redact === false || typeof redact === "function") {
    return {
      redact: false,
      redactKeys: undefined,
      redactPatterns: false,
      redactor: redact || undefined,
    };
  }
  const keys = read(redact, "keys");
  const given = read(redact, "patterns");
  const patterns = given && attempt(() => compile(given), undefined);
  if (given && !patterns) {
    printAt(
      logLevel,
      "warn",
      "redact.patterns is no list of regular expressions: the default patterns are used",
    );
  }
  return {
    redact: true,
    redactKeys: Array.isArray(keys) ? attempt(() => keys.flatMap(cases), undefined) : undefined,
    redactPatterns: !patterns,
    redactor: patterns && ((value) => maskMatches(value, patterns)),
  };
}

/**
 * A key in upper and lower case where it has letters beyond ASCII: the core compares those as they are.
 * @param {unknown} key
 */
function cases(key) {
  const text = String(key);
  return /\P{ASCII}/u.test(text) ? [text, text.toLowerCase(), text.toUpperCase()] : [text];
}

/**
 * Copies that match everywhere in a string and keep no `lastIndex` between strings.
 * @param {Iterable<RegExp>} patterns
 */
function compile(patterns) {
  return [...patterns].map((p) => new RegExp(p.source, `${p.flags.replace(/[gy]/g, "")}g`));
}

/**
 * @param {unknown} value
 * @param {RegExp[]} patterns
 */
function maskMatches(value, patterns) {
  if (typeof value !== "string") return value;
  return patterns.reduce((text, pattern) => text.replace(pattern, MASK), value);
}

/**
 * Runs the redactor over every value, parts before the whole. A field it throws on is masked as a whole.
 * @param {Redactor} redactor
 * @param {string} json a snapshot
 * @param {string[]} [path] of the object that the snapshot is
 * @returns {string} JSON
 */
export function redactJson(redactor, json, path = []) {
  const fields = JSON.parse(json);
  if (typeof fields !== "object" || fields === null) return json;
  for (const key of Object.keys(fields)) {
    const field = fields[key];
    const redacted = attempt(
      () => redactValue(redactor, field, [...path, key]),
      // A field has to stay an object to be stored at all.
      typeof field === "object" ? { redacted: MASK } : MASK,
    );
    put(fields, key, redacted);
  }
  // The redactor may have put anything in.
  return snapshot(fields);
}

/**
 * @param {Redactor} redactor
 * @param {any} value
 * @param {readonly string[]} path
 * @returns {unknown}
 */
function redactValue(redactor, value, path) {
  if (typeof value === "object" && value !== null) {
    for (const key of Object.keys(value)) {
      put(value, key, redactValue(redactor, value[key], [...path, key]));
    }
  }
  return redactor(value, path);
}

/**
 * @param {any} holder parsed JSON, so that even a key "__proto__" is its own
 * @param {string} key
 * @param {unknown} value
 */
function put(holder, key, value) {
  if (value !== undefined) holder[key] = value;
  else if (Array.isArray(holder)) holder[Number(key)] = null;
  else delete holder[key];
}
