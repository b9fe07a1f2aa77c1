// Reads an application's options into plain values for the core, and functions that stay in JavaScript. Options may be
// anything, even a proxy that throws; each is read once. The core decides how to treat a wrong value, but never receives
// the application's own object.

import { attempt, readGiven, weakReference } from "./guard.js";
import { printAt } from "./log.js";
import { snakeCase } from "./names.js";
import { redaction, redactJson } from "./redact.js";
import { snapshot } from "./snapshot.js";
import { each } from "./lists.js";

const SESSION_SCALARS = ["sessionName", "sessionId"];

const TRACER_SCALARS = [
  ...SESSION_SCALARS,
  "apiKey",
  "ticket",
  "project",
  "source",
  "serverUrl",
  "disabled",
  "timeoutMs",
  "deadlineMs",
  "mergeWindowMs",
  "maxQueueBytes",
  "maxConcurrency",
  "logLevel",
  "persist",
];

/** The options that name a session and its origin. */
const NAMES = ["sessionName", "source", "project"];

const WITHOUT_FIELDS = "the session starts without its first fields: they ";
const TOO_LARGE = "are more than the backend takes in one request (5 MB)";

const NO_ID = "it was left out";

const START_FIELDS = ["inputs", "metadata", "config", "userProperties"];

/** The options that link a session to an experiment, and the names under which HoneyHive looks for them in `metadata`. */
const EXPERIMENT = [
  { name: "runId", stored: "run_id" },
  { name: "datasetId", stored: "dataset_id" },
  { name: "datapointId", stored: "datapoint_id" },
];

/**
 * @typedef {object} Settings
 * @property {Record<string, unknown>} scalars
 * @property {Record<string, string> | undefined} headers
 * @property {ReturnType<typeof redaction>} redaction
 * @property {string} start JSON
 * @property {Function | undefined} fetch
 * @property {Function | undefined} ticket gives tickets, where the option `ticket` is a function
 * @property {((promise: Promise<unknown>) => void) | undefined} waitUntil
 * @property {((dropped: object) => unknown) | undefined} onDrop
 */

/**
 * @param {unknown} options
 * @returns {Settings}
 */
export function tracerSettings(options) {
  const plain = scalars(options, TRACER_SCALARS);
  const masking = redaction(option(options, "redact"), plain.logLevel);
  maskNames(plain, masking);
  const ticket = callable(option(options, "ticket"));
  if (ticket) delete plain.ticket;
  return shared({
    scalars: plain,
    headers: headerRecord(option(options, "headers")),
    redaction: masking,
    start: start(options, masking, plain.logLevel),
    fetch: callable(option(options, "fetch")),
    ticket,
    waitUntil: callable(option(options, "waitUntil")),
    onDrop: callable(option(options, "onDrop")),
  });
}

/** The settings of the last tracer. @type {WeakRef<Settings> | undefined} */
let last;

/**
 * The last tracer's settings, if they are equal, because a hundred thousand copies would take many megabytes.
 * @param {Settings} settings
 * @returns {Settings}
 */
function shared(settings) {
  const known = attempt(() => last?.deref());
  if (known && isDeepEqual(known, settings)) return known;
  last = weakReference(settings);
  return settings;
}

/**
 * Whether two plain values are equal. Functions are equal if they are identical.
 * @param {any} a
 * @param {any} b
 * @returns {boolean}
 */
function isDeepEqual(a, b) {
  if (typeof a !== "object" || typeof b !== "object") return a === b;
  if (a === null || b === null) return a === b;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  for (let i = 0; i < keys.length; i++) {
    const key = /** @type {string} */ (keys[i]);
    if (!isDeepEqual(a[key], b[key])) return false;
  }
  return true;
}

/**
 * The settings of a session started by startSession: its own options, and the parent's for everything else.
 * @param {unknown} options
 * @param {Settings} parent
 * @returns {Settings}
 */
export function sessionSettings(options, parent) {
  // All settings of the parent are copied, because the core may have released the parent by the time they are needed.
  const { sessionId: _, ...inherited } = parent.scalars;
  const settings = {
    ...parent,
    scalars: { ...inherited, ...maskNames(scalars(options, SESSION_SCALARS), parent.redaction) },
    start: start(options, parent.redaction, parent.scalars.logLevel),
  };
  return isDeepEqual(settings, parent) ? parent : settings;
}

/**
 * An option under its own name or the Python SDK's.
 * @param {any} options
 * @param {string} name
 * @returns {any}
 */
function option(options, name) {
  return readGiven(options, name) ?? attempt(() => readGiven(options, snakeCase(name)));
}

/**
 * @param {unknown} options
 * @param {string[]} names
 */
function scalars(options, names) {
  /** @type {Record<string, unknown>} */
  const values = {};
  each(names, (name) => {
    const value = option(options, name);
    if (value === undefined || value === null) return;
    values[name] = scalar(value);
  });
  return values;
}

/**
 * The part of an option's value that the core receives as JSON.
 * @param {unknown} value
 */
function scalar(value) {
  if (value === Infinity) return Number.MAX_VALUE;
  // Any other value is a mistake that the core reports, for which it does not need the contents.
  const fits = Number.isFinite(value) || typeof value === "string" || typeof value === "boolean";
  return fits ? value : {};
}

/**
 * Masks the options that name a session and its origin, by the application's own patterns.
 * @param {Record<string, unknown>} values
 * @param {ReturnType<typeof redaction>} masking
 */
function maskNames(values, { rename }) {
  if (!rename) return values;
  each(NAMES, (name) => {
    const value = values[name];
    if (typeof value === "string") values[name] = rename(value);
  });
  return values;
}

/**
 * @param {unknown} options
 * @param {ReturnType<typeof redaction>} masking
 * @param {unknown} logLevel
 */
function start(options, { redactor, rename }, logLevel) {
  /** @type {Record<string, unknown>} */
  const fields = {};
  each(START_FIELDS, (name) => {
    fields[name] = option(options, name);
  });
  const experiment = option(options, "experiment");
  each(EXPERIMENT, ({ name, stored }) => {
    const id = option(experiment, name) ?? undefined;
    // Keys that are not fields of an enrichment are stored in its metadata.
    if (typeof id === "string" && id !== "") fields[stored] = id;
    else if (id !== undefined)
      printAt(logLevel, "warn", `\`experiment.${name}\` must be a text: ${NO_ID}`);
  });
  let isCut = false;
  const json = attempt(() => {
    const whole = snapshot(fields, () => (isCut = true));
    return redactor && !isCut ? redactJson(redactor, whole, [], rename) : whole;
  });
  if (json !== undefined && !isCut) return json;
  printAt(logLevel, "warn", WITHOUT_FIELDS + (isCut ? TOO_LARGE : "could not be read"));
  return "{}";
}

/**
 * @param {any} headers a record or `Headers`
 * @returns {Record<string, string> | undefined}
 */
function headerRecord(headers) {
  if (typeof headers !== "object" || headers === null) return undefined;
  return attempt(() => {
    /** @type {Record<string, string>} */
    const record = Object.create(null);
    const keep = (/** @type {unknown} */ name, /** @type {unknown} */ value) => {
      if (typeof name === "string" && typeof value === "string") record[name] = value;
    };
    if (Array.isArray(headers)) {
      for (let i = 0; i < headers.length; i++) keep(headers[i][0], headers[i][1]);
    } else if (typeof readGiven(headers, "forEach") === "function") {
      headers.forEach((/** @type {unknown} */ value, /** @type {unknown} */ name) =>
        keep(name, value),
      );
    } else {
      each(Object.keys(headers), (name) => {
        keep(name, headers[name]);
      });
    }
    return record;
  });
}

/**
 * @param {unknown} value
 * @returns {any}
 */
function callable(value) {
  return typeof value === "function" ? value : undefined;
}
