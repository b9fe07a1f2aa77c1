// What POST /opentelemetry/v1/traces takes: OTLP/HTTP in JSON, as strict as OpenTelemetry's protocol,
// which has receivers pass over properties that they do not know; and what is kept of a span.
// https://opentelemetry.io/docs/specs/otlp/#otlphttp

import * as v from "valibot";

/** Where a span's session is looked for, in this order. */
const SESSION_ATTRIBUTES = [
  "honeyhive.session_id",
  "traceloop.association.properties.session_id",
  "session.id",
];

/** @typedef {{[name: string]: unknown}} Attributes */

/**
 * A span as it is kept.
 * @typedef {object} StoredSpan
 * @property {string} trace_id
 * @property {string} span_id
 * @property {string | null} parent_id
 * @property {string} name
 * @property {number} kind SpanKind: 1 internal, 2 server, 3 client, 4 producer, 5 consumer
 * @property {string} start_time Unix nanoseconds, decimal
 * @property {string} end_time Unix nanoseconds, decimal
 * @property {Attributes} attributes
 * @property {{name: string, time: string, attributes: Attributes}[]} events
 * @property {{trace_id: string, span_id: string, attributes: Attributes}[]} links
 * @property {{code: number, message: string}} status 0 unset, 1 ok, 2 error
 * @property {number} dropped_attributes_count
 * @property {string} scope name of the instrumentation
 * @property {Attributes} resource
 */

const string = v.string("must be a string");
const count = v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 0);
const hex = (/** @type {number} */ length) =>
  v.pipe(
    string,
    v.regex(
      new RegExp(`^(?!0+$)[0-9a-f]{${length}}$`, "i"),
      `must be ${length} hexadecimal digits`,
    ),
  );
const traceId = hex(32);
const spanId = hex(16);
// 64 bits: JSON's encoding of protobuf has them as text, and takes numbers as well.
const int64 = v.pipe(v.union([v.pipe(v.number(), v.integer()), string]), v.transform(String));
const integer = v.pipe(int64, v.regex(/^-?[0-9]{1,19}$/, "must be a whole number"));
const nanoseconds = v.pipe(int64, v.regex(/^[1-9][0-9]{0,19}$/, "must be nanoseconds since 1970"));

/** @type {v.GenericSchema<unknown, unknown>} */
const anyValue = v.lazy(() =>
  v.pipe(
    v.union([
      v.pipe(
        v.strictObject({ stringValue: string }),
        v.transform((it) => it.stringValue),
      ),
      v.pipe(
        v.strictObject({ boolValue: v.boolean() }),
        v.transform((it) => it.boolValue),
      ),
      v.pipe(
        v.strictObject({ intValue: integer }),
        v.transform((it) => Number(it.intValue)),
      ),
      v.pipe(
        v.strictObject({ doubleValue: v.number() }),
        v.transform((it) => it.doubleValue),
      ),
      v.pipe(
        v.strictObject({
          arrayValue: v.strictObject({ values: v.optional(v.array(anyValue), []) }),
        }),
        v.transform((it) => it.arrayValue.values),
      ),
      v.pipe(
        v.strictObject({ kvlistValue: v.strictObject({ values: v.optional(keyValues, []) }) }),
        v.transform((it) => it.kvlistValue.values),
      ),
      v.pipe(
        v.strictObject({}),
        v.transform(() => null),
      ),
    ]),
  ),
);

/** @type {v.GenericSchema<any, Attributes>} */
const keyValues = v.lazy(() =>
  v.pipe(
    v.array(v.object({ key: v.pipe(string, v.nonEmpty()), value: anyValue })),
    v.transform((pairs) => Object.fromEntries(pairs.map(({ key, value }) => [key, value]))),
  ),
);
const attributes = v.optional(keyValues, []);

const event = v.object({
  timeUnixNano: nanoseconds,
  name: string,
  attributes,
  droppedAttributesCount: count,
});

const link = v.object({
  traceId,
  spanId,
  traceState: v.optional(string),
  attributes,
  droppedAttributesCount: count,
  flags: count,
});

const span = v.object({
  traceId,
  spanId,
  traceState: v.optional(string),
  parentSpanId: v.optional(v.union([spanId, v.literal("")])),
  flags: count,
  name: v.pipe(string, v.nonEmpty()),
  kind: v.optional(v.picklist([0, 1, 2, 3, 4, 5]), 0),
  startTimeUnixNano: nanoseconds,
  endTimeUnixNano: nanoseconds,
  attributes,
  droppedAttributesCount: count,
  events: v.optional(v.array(event), []),
  droppedEventsCount: count,
  links: v.optional(v.array(link), []),
  droppedLinksCount: count,
  status: v.optional(
    v.object({
      code: v.optional(v.picklist([0, 1, 2]), 0),
      message: v.optional(string, ""),
    }),
    {},
  ),
});

const origin = { attributes, droppedAttributesCount: count };

/** Body of POST /opentelemetry/v1/traces. */
export const tracesSchema = v.object({
  resourceSpans: v.array(
    v.object({
      resource: v.optional(v.object(origin), {}),
      schemaUrl: v.optional(string),
      scopeSpans: v.array(
        v.object({
          scope: v.optional(
            v.object({
              name: v.optional(string, ""),
              version: v.optional(string),
              ...origin,
            }),
            {},
          ),
          schemaUrl: v.optional(string),
          spans: v.array(span),
        }),
      ),
    }),
  ),
});

/**
 * @param {v.InferOutput<typeof tracesSchema>} body
 * @returns {StoredSpan[]}
 */
export function spansOf({ resourceSpans }) {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) =>
      spans.map((each) => ({
        trace_id: each.traceId.toLowerCase(),
        span_id: each.spanId.toLowerCase(),
        parent_id: each.parentSpanId?.toLowerCase() || null,
        name: each.name,
        kind: each.kind,
        start_time: each.startTimeUnixNano,
        end_time: each.endTimeUnixNano,
        attributes: each.attributes,
        events: each.events.map(({ name, timeUnixNano, attributes: of }) => ({
          name,
          time: timeUnixNano,
          attributes: of,
        })),
        links: each.links.map((it) => ({
          trace_id: it.traceId.toLowerCase(),
          span_id: it.spanId.toLowerCase(),
          attributes: it.attributes,
        })),
        status: each.status,
        dropped_attributes_count: each.droppedAttributesCount,
        scope: scope.name,
        resource: resource.attributes,
      })),
    ),
  );
}

/**
 * The session that a span's attributes name.
 * @param {StoredSpan} stored
 * @returns {{id: string, mayBeMade: boolean, name: string | undefined, source: string | undefined} | undefined}
 */
export function sessionOf({ attributes: of }) {
  for (const name of SESSION_ATTRIBUTES) {
    const id = text(of[name]);
    if (id === undefined || id === "") continue;
    return {
      id,
      mayBeMade: of["honeyhive.session_auto_create"] === true,
      name: text(of["honeyhive.session_name"]),
      source: text(of["honeyhive.source"]),
    };
  }
  return undefined;
}

/**
 * @param {unknown} value
 * @returns {string | undefined}
 */
function text(value) {
  return typeof value === "string" ? value : undefined;
}
