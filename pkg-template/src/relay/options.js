// Reads an application's options into JSON for the core, and functions that stay in JavaScript. Options may be anything;
// each is read once. The core decides how to treat a wrong value.

import { plainJson } from "../json.js";
import { NAMES, environment } from "../env.js";
import { listOf, readGiven } from "../guard.js";
import { snakeCase } from "../names.js";

const SCALARS = [
  "apiKey",
  "serverUrl",
  "project",
  "source",
  "sessionName",
  "disabled",
  "path",
  "maxBodyBytes",
  "retryDelay",
  "timeoutMs",
  "logLevel",
];

const SECRET_NAMES = ["HH_RELAY_SECRET", "HH_RELAY_SECRET_PREVIOUS"];

/**
 * @param {unknown} options of a relay, or of the consumer of its queue
 * @param {(name: string) => unknown} variable
 * @param {object} more further members of the JSON
 * @returns {string} JSON
 */
export function settingsJson(options, variable, more) {
  /** @type {Record<string, unknown>} */
  const given = { env: environment(variable, NAMES, option(options, "logLevel")), ...more };
  for (let i = 0; i < SCALARS.length; i++) {
    const name = /** @type {string} */ (SCALARS[i]);
    given[name] = plain(option(options, name));
  }
  const origins = option(options, "origins");
  given.origins = plainOrList(origins);
  const rate = option(options, "rate");
  given.rate = isObject(rate)
    ? { requests: plain(readGiven(rate, "requests")), seconds: plain(readGiven(rate, "seconds")) }
    : plain(rate);
  const redact = redactionOf(option(options, "redact"));
  return plainJson({ ...given, ...redact });
}

/**
 * The option `redact` for the core, which applies the default patterns and the application's own keys.
 * @param {any} redact
 */
function redactionOf(redact) {
  if (redact === undefined || redact === null || redact === false) return {};
  const keys = readGiven(redact, "keys");
  const isOtherwise = typeof redact === "function" || readGiven(redact, "patterns") !== undefined;
  return {
    redact: true,
    redactPatterns: true,
    redactKeys: Array.isArray(keys) ? plainOrList(keys) : undefined,
    // The relay applies no functions or patterns of its own; the core warns about them.
    redactOtherwise: isOtherwise,
  };
}

/**
 * @param {unknown} options
 * @param {(name: string) => unknown} variable
 * @returns {string} JSON
 */
export function secretsJson(options, variable) {
  const secret = option(options, "secret");
  return plainJson({
    secret: plainOrList(secret),
    env: environment(variable, SECRET_NAMES, option(options, "logLevel")),
    logLevel: plain(option(options, "logLevel")),
  });
}

/**
 * @param {unknown} options
 * @returns {string} JSON
 */
export function ticketJson(options) {
  const fields = option(options, "fields");
  const events = option(options, "events");
  return plainJson({
    sessionId: plain(option(options, "sessionId")),
    fields: plainOrList(fields),
    events: plainOrList(events),
    expiresIn: plain(option(options, "expiresIn")),
  });
}

/**
 * An option under its own name or the Python SDK's way of writing it.
 * @param {any} options
 * @param {string} name
 * @returns {any}
 */
export function option(options, name) {
  return readGiven(options, name) ?? readGiven(options, snakeCase(name));
}

/**
 * A plain value; an object in place of anything else, which the core refuses as a value of the wrong type.
 * @param {unknown} value
 */
function plain(value) {
  if (value === undefined || value === null) return undefined;
  // JSON turns these into null, which would mean that the option was not given.
  if (typeof value === "number" && !Number.isFinite(value)) return {};
  const type = typeof value;
  return type === "string" || type === "number" || type === "boolean" ? value : {};
}

/** @param {unknown} value */
function plainOrList(value) {
  if (!Array.isArray(value)) return plain(value);
  const list = listOf(value);
  for (let i = 0; i < list.length; i++) list[i] = plain(list[i]);
  return list;
}

/** @param {unknown} value */
function isObject(value) {
  return typeof value === "object" && value !== null;
}
