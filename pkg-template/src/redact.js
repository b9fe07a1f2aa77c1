// The application's own masking: a function, or patterns. It runs on the snapshot before anything is queued, and fails
// closed. The core masks by key names and by the default patterns.

import { attempt, listOf, readGiven } from "./guard.js";
import { parseJson } from "./json.js";
import { printAt } from "./log.js";
import { snapshot } from "./snapshot.js";
import { disregard, isThenable } from "./thenables.js";
import { each } from "./lists.js";

export const MASK = "[Redacted]";

/** @typedef {(value: unknown, path: readonly string[]) => unknown} Redactor */

/** @typedef {(name: string) => string} Renamer Masks what is no value: a key, the name of a session or of a metric. */

/**
 * Reads `options.redact`.
 * @param {any} redact
 * @param {unknown} [logLevel]
 * @returns {{ redact: boolean, redactKeys: string[] | undefined, redactPatterns: boolean, redactor: Redactor | undefined, rename: Renamer | undefined }}
 */
export function redaction(redact, logLevel) {
  if (redact === false || typeof redact === "function") {
    return {
      redact: false,
      redactKeys: undefined,
      redactPatterns: false,
      redactor: redact ? answeringAtOnce(redact, logLevel) : undefined,
      rename: undefined,
    };
  }
  const givenKeys = readGiven(redact, "keys") ?? undefined;
  const isText = typeof givenKeys === "string";
  const keys = givenKeys && !isText ? attempt(() => allCases(givenKeys)) : undefined;
  if (givenKeys && !keys) {
    printAt(logLevel, "warn", "redact.keys must be a list of names: the default keys are used");
  }
  const given = readGiven(redact, "patterns");
  const patterns = given && attempt(() => compile(given));
  if (given && !patterns) {
    printAt(
      logLevel,
      "warn",
      "redact.patterns must be a list of regular expressions: the default patterns are used",
    );
  }
  return {
    redact: true,
    redactKeys: keys,
    redactPatterns: !patterns,
    redactor: patterns && ((value) => maskMatches(value, patterns)),
    rename: patterns && ((name) => attempt(() => String(maskMatches(name, patterns)), MASK)),
  };
}

/**
 * Masks the whole field if the function returns a promise, because it has then masked nothing yet.
 * @param {Redactor} redact
 * @param {unknown} logLevel
 * @returns {Redactor}
 */
function answeringAtOnce(redact, logLevel) {
  let hasWarned = false;
  return (value, path) => {
    const masked = disregard(redact(value, path));
    if (!isThenable(masked)) return masked;
    const what = "redact returned a promise, so the whole field was masked";
    if (!hasWarned) printAt(logLevel, "warn", `${what}: let it return the value to store`);
    hasWarned = true;
    throw new Error(what);
  };
}

/**
 * Adds keys in upper and lower case if they contain letters beyond ASCII, for which the core does not ignore case.
 * @param {Iterable<unknown>} keys
 */
function allCases(keys) {
  /** @type {string[]} */
  const cases = [];
  const given = listOf(keys);
  for (let i = 0; i < given.length; i++) {
    const text = String(given[i]);
    cases[cases.length] = text;
    attempt(() => {
      if (!/\P{ASCII}/u.test(text)) return;
      cases[cases.length] = text.toLowerCase();
      cases[cases.length] = text.toUpperCase();
    });
  }
  return cases;
}

/**
 * Copies of patterns that match everywhere in a string and keep no `lastIndex` between strings.
 * @param {Iterable<RegExp>} patterns
 */
function compile(patterns) {
  const copies = listOf(patterns);
  for (let i = 0; i < copies.length; i++) {
    const { source, flags } = /** @type {RegExp} */ (copies[i]);
    let kept = "g";
    each(flags, (flag) => {
      if (flag !== "g" && flag !== "y") kept += flag;
    });
    copies[i] = new RegExp(source, kept);
  }
  return copies;
}

/**
 * @param {unknown} value
 * @param {RegExp[]} patterns
 */
function maskMatches(value, patterns) {
  if (typeof value !== "string") return value;
  let text = value;
  for (let i = 0; i < patterns.length; i++) {
    text = text.replace(/** @type {RegExp} */ (patterns[i]), MASK);
  }
  return text;
}

/**
 * Runs the redactor over every value, parts before the whole. A field it throws on is masked as a whole.
 * @param {Redactor} redactor
 * @param {string} json a snapshot
 * @param {string[]} [path] of the object that the snapshot is
 * @param {Renamer} [rename]
 * @returns {string} JSON
 */
export function redactJson(redactor, json, path = [], rename = undefined) {
  const fields = parseJson(json);
  if (typeof fields !== "object" || fields === null) return json;
  each(Object.keys(fields), (key) => {
    const field = fields[key];
    const redacted = attempt(
      () => redactValue(redactor, field, below(path, key)),
      // A field has to stay an object to be stored at all.
      typeof field === "object" ? { redacted: MASK } : MASK,
    );
    put(fields, key, redacted);
  });
  // The redactor may have inserted any value.
  return snapshot(rename ? renamed(fields, rename) : fields);
}

/**
 * Copies a value with its keys masked. Keys of one object remain distinct.
 * @param {any} value parsed JSON
 * @param {Renamer} rename
 * @returns {any}
 */
function renamed(value, rename) {
  if (typeof value !== "object" || value === null) return value;
  const isList = Array.isArray(value);
  const members = isList ? value : Object.create(null);
  const counts = Object.create(null);
  each(Object.keys(value), (key) => {
    const name = isList ? key : unused(rename(key), members, counts);
    members[name] = renamed(value[key], rename);
  });
  return members;
}

/**
 * @param {string} name
 * @param {object} members without a prototype
 * @param {Record<string, number>} counts how often each name came before, without a prototype
 */
function unused(name, members, counts) {
  let free = name;
  while (free in members) {
    const count = (counts[name] ?? 1) + 1;
    counts[name] = count;
    free = `${name} ${count}`;
  }
  return free;
}

/**
 * @param {Redactor} redactor
 * @param {any} value
 * @param {readonly string[]} path
 * @returns {unknown}
 */
function redactValue(redactor, value, path) {
  if (typeof value === "object" && value !== null) {
    each(Object.keys(value), (key) => {
      put(value, key, redactValue(redactor, value[key], below(path, key)));
    });
  }
  return redactor(value, path);
}

/**
 * @param {readonly string[]} path
 * @param {string} key
 */
function below(path, key) {
  const longer = listOf(path);
  longer[longer.length] = key;
  return longer;
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
