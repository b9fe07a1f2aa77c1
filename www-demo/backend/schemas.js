// What the session and event routes take, after HoneyHive's Data Plane API 1.1.0. Where its OpenAPI
// document leaves a choice, the stricter reading holds here: a client that passes this backend
// passes the real one. Not for the test-side routes; faults.js and mode.js have their own.

import * as v from "valibot";
import { ApiError } from "./errors.js";

/** @typedef {{[key: string]: unknown}} JsonObject what JSON.parse makes of `{…}` */

/**
 * @param {unknown} value
 * @returns {value is JsonObject}
 */
export function isJsonObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// Not v.record(): that one leaves out keys such as "constructor", and a caller's keys are data.
const jsonObject = v.custom(isJsonObject, "must be an object");
const string = v.string("must be a string");
const number = v.number("must be a number");
const strings = v.array(string, "must be an array of strings");

// The route's prose lets a start_time or end_time given as a string fall back to the current time;
// its schema says number. A client that sends a string loses the time it meant, so: refused.
const session = {
  session_id: v.optional(string),
  session_name: v.optional(string),
  event_name: v.optional(string),
  source: v.optional(string),
  start_time: v.optional(number),
  end_time: v.optional(number),
  duration: v.optional(number),
  config: v.optional(jsonObject),
  inputs: v.optional(jsonObject),
  outputs: v.optional(jsonObject),
  metadata: v.optional(jsonObject),
  user_properties: v.optional(jsonObject),
  children_ids: v.optional(strings),
};

const update = {
  metadata: v.optional(jsonObject),
  feedback: v.optional(jsonObject),
  metrics: v.optional(jsonObject),
  // The route's schema takes any JSON here, HoneyHive's guide an object only.
  outputs: v.optional(jsonObject),
  config: v.optional(jsonObject),
  user_properties: v.optional(jsonObject),
  duration: v.optional(number),
  end_time: v.optional(number),
  children_ids: v.optional(strings),
};

/** Body of POST /v1/sessions: unknown properties are refused. */
export const sessionSchema = v.strictObject(session);

/** What POST /session/start has under `session`: further properties, `project` among them, pass. */
export const legacySessionSchema = v.object({ ...session, project: v.optional(string) });

/** Body of PUT /v1/events/{event_id}: further properties, `inputs` and `error` among them, pass. */
export const updateSchema = v.object(update);

/** Body of PUT /events. */
export const legacyUpdateSchema = v.object({ ...update, event_id: string });

const event = {
  project_id: v.optional(string),
  source: v.optional(string),
  event_name: v.optional(string),
  event_type: v.picklist(
    ["model", "tool", "chain", "session"],
    "must be model, tool, chain or session",
  ),
  event_id: v.optional(string),
  session_id: v.optional(string),
  parent_id: v.optional(string),
  children_ids: v.optional(strings),
  config: v.optional(jsonObject),
  inputs: jsonObject,
  outputs: v.optional(jsonObject),
  error: v.optional(v.nullable(string)),
  start_time: v.optional(number),
  end_time: v.optional(number),
  duration: v.optional(number),
  metadata: v.optional(jsonObject),
  feedback: v.optional(jsonObject),
  metrics: v.optional(jsonObject),
  user_properties: v.optional(jsonObject),
};

/** Body of POST /v1/events: unknown properties are refused. */
export const eventSchema = v.strictObject(event);

/** What POST /events has under `event`: further properties, `project` among them, pass. */
export const legacyEventSchema = v.object({ ...event, project: v.optional(string) });

const events = v.array(eventSchema, "must be an array of events");

/** Body of POST /v1/sessions/{session_id}/events/batch. */
export const sessionBatchSchema = v.strictObject({ events });

/** Body of POST /v1/events/batch. */
export const batchSchema = v.strictObject({
  events,
  single_session: v.optional(v.boolean()),
  session_properties: v.optional(
    v.object({
      session_name: v.optional(string),
      start_time: v.optional(number),
      user_properties: v.optional(jsonObject),
      metadata: v.optional(jsonObject),
    }),
  ),
});

const moment = v.pipe(
  string,
  v.check((text) => !Number.isNaN(Date.parse(text)), "must be a date"),
);
const count = v.pipe(number, v.integer(), v.minValue(1));

/** Body of POST /v1/events/search. */
export const searchSchema = v.strictObject({
  filters: v.optional(
    v.array(
      v.strictObject({
        field: string,
        operator: v.picklist([
          "exists",
          "not exists",
          "is",
          "is not",
          "contains",
          "not contains",
          "greater than",
          "less than",
          "after",
          "before",
        ]),
        value: v.union([string, number, v.boolean(), v.null()]),
        type: v.optional(v.picklist(["string", "number", "boolean", "datetime"])),
      }),
    ),
  ),
  dateRange: v.optional(v.strictObject({ start_time: moment, end_time: moment })),
  limit: v.optional(v.pipe(count, v.maxValue(1000)), 1000),
  page: v.optional(count, 1),
  // Accepted and ignored, as HoneyHive does.
  ignore_order: v.optional(v.boolean()),
  evaluation_id: v.optional(string),
});

const uuid = v.pipe(v.string(), v.uuid());

/** @param {string} value */
export const isUuid = (value) => v.is(uuid, value);

/**
 * @template {v.GenericSchema} S
 * @param {S} schema
 * @param {unknown} value
 * @param {string} [where] what the value is called in a complaint
 * @returns {v.InferOutput<S>} only the properties the schema knows
 */
export function check(schema, value, where = "body") {
  // valibot counts a list as an object without properties.
  if (!isJsonObject(value)) {
    throw new ApiError(400, "BAD_REQUEST", `${where} must be a JSON object`);
  }
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const complaints = result.issues.map((issue) => {
    const path = v.getDotPath(issue) ?? where;
    if (issue.expected === "never") return `${path}: unknown property`;
    return issue.received === "undefined" ? `${path}: missing` : `${path}: ${issue.message}`;
  });
  throw new ApiError(400, "BAD_REQUEST", complaints.join("; "));
}
