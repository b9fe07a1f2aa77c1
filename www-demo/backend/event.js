// What becomes of an event that is no session: made by a client or out of a span, made again, searched for.
// Pure functions, as in session.js, whose rules of updating hold for it as well.

import { isUuid } from "./schemas.js";
import { mergeKeys } from "./session.js";

/** @typedef {import("./schemas.js").JsonObject} JsonObject */
/** @typedef {import("./session.js").SessionEvent} SessionEvent */
/** @typedef {import("./otlp.js").StoredSpan} StoredSpan */

/**
 * A model call, a tool call or a chain of them, with the fields of a session's event.
 * @typedef {Omit<SessionEvent, "parent_id" | "event_type" | "error" | "session_name"> & {
 *   parent_id: string,
 *   event_type: "model" | "tool" | "chain",
 *   error: string | null,
 * }} ChildEvent
 */

/** @typedef {import("valibot").InferOutput<typeof import("./schemas.js").eventSchema>} NewEvent */
/** @typedef {import("valibot").InferOutput<typeof import("./schemas.js").searchSchema>} Search */

const MERGED = /** @type {const} */ ([
  "metadata",
  "feedback",
  "metrics",
  "config",
  "user_properties",
]);

/**
 * @param {string} id a UUID
 * @param {string} session the UUID of its session
 * @param {NewEvent} body
 * @param {number} now Unix milliseconds, for an event without start_time
 * @returns {ChildEvent}
 */
export function createEvent(id, session, body, now) {
  return {
    event_id: id,
    session_id: session,
    parent_id: body.parent_id ?? session,
    children_ids: body.children_ids ?? [],
    event_type: /** @type {ChildEvent["event_type"]} */ (body.event_type),
    event_name: body.event_name ?? "unknown",
    source: body.source ?? "unknown",
    start_time: body.start_time ?? now,
    end_time: body.end_time ?? null,
    duration: body.duration ?? null,
    config: body.config ?? {},
    inputs: body.inputs,
    outputs: body.outputs ?? {},
    error: body.error ?? null,
    metadata: body.metadata ?? {},
    user_properties: body.user_properties ?? {},
    metrics: body.metrics ?? {},
    feedback: body.feedback ?? {},
    org_id: "local",
    workspace_id: "local",
    project_id: "local",
  };
}

/**
 * The same event made once more, by a try again or by the span that tells the rest of it: what it says stands, and
 * what was merged into it meanwhile, such as a rating, is kept.
 * @param {ChildEvent} before
 * @param {ChildEvent} again
 * @returns {ChildEvent}
 */
export function recreateEvent(before, again) {
  const merged = Object.fromEntries(
    MERGED.map((field) => [field, mergeKeys(before[field], again[field])]),
  );
  return { ...again, ...merged };
}

/**
 * The event that a span makes: one whose id the application has chosen, by `honeyhive_event_id`.
 * @param {StoredSpan} span
 * @param {string} session
 * @returns {ChildEvent | undefined}
 */
export function eventOfSpan(span, session) {
  const { attributes } = span;
  const id = attributes["honeyhive_event_id"];
  if (typeof id !== "string" || !isUuid(id)) return undefined;
  const ms = (/** @type {string} */ nanoseconds) => Number(nanoseconds) / 1e6;
  /** @param {string} field */
  const object = (field) => {
    const prefix = `honeyhive_${field}.`;
    const named = Object.entries(attributes).filter(([name]) => name.startsWith(prefix));
    return Object.fromEntries(named.map(([name, value]) => [name.slice(prefix.length), value]));
  };
  /** @param {string} name */
  const text = (name) => {
    const value = attributes[name];
    return typeof value === "string" ? value : undefined;
  };
  const type = text("honeyhive_event_type");
  return createEvent(
    id,
    session,
    {
      event_type: type === "model" || type === "chain" ? type : "tool",
      event_name: text("honeyhive_event_name") ?? span.name,
      source: text("honeyhive.source"),
      start_time: ms(span.start_time),
      end_time: ms(span.end_time),
      duration: ms(span.end_time) - ms(span.start_time),
      error: text("honeyhive_error") ?? (span.status.code === 2 ? span.status.message : null),
      inputs: object("inputs"),
      outputs: object("outputs"),
      config: object("config"),
      metadata: object("metadata"),
      metrics: object("metrics"),
      feedback: object("feedback"),
      user_properties: object("user_properties"),
    },
    ms(span.start_time),
  );
}

/**
 * Whether a search finds an event. A field is a path, such as `metadata.plan`.
 * @param {SessionEvent | ChildEvent} event
 * @param {Search} search
 */
export function isFound(event, { filters = [], dateRange, evaluation_id: run }) {
  if (run !== undefined && event.metadata["run_id"] !== run) return false;
  if (dateRange) {
    if (event.start_time < Date.parse(dateRange.start_time)) return false;
    if (event.start_time > Date.parse(dateRange.end_time)) return false;
  }
  return filters.every(({ field, operator, value }) =>
    holds(valueAt(event, field), operator, value),
  );
}

/** @param {unknown} event @param {string} field */
const valueAt = (event, field) =>
  field
    .split(".")
    .reduce(
      (/** @type {any} */ at, name) =>
        typeof at === "object" && at !== null && Object.hasOwn(at, name) ? at[name] : undefined,
      event,
    );

/**
 * @param {unknown} actual
 * @param {string} operator
 * @param {unknown} wanted
 * @returns {boolean}
 */
function holds(actual, operator, wanted) {
  if (operator.startsWith("not ")) return !holds(actual, operator.slice(4), wanted);
  if (operator === "is not") return !holds(actual, "is", wanted);
  if (operator === "exists") return actual !== undefined && actual !== null;
  if (operator === "is") return (actual ?? null) === wanted;
  if (actual === undefined || actual === null) return false;
  if (operator === "contains") return text(actual).includes(String(wanted));
  const moment = (/** @type {unknown} */ it) =>
    typeof it === "number" ? it : Number.isNaN(Number(it)) ? Date.parse(String(it)) : Number(it);
  const [a, b] = [moment(actual), moment(wanted)];
  return operator === "greater than" || operator === "after" ? a > b : a < b;
}

/** @param {unknown} value */
const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));
