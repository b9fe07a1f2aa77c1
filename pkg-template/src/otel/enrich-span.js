// Enriches a span: finds the span, checks how much it can still hold, and sets the attributes that the core makes of the
// fields. It never throws, whatever the arguments are and whatever the span does.

import { parseJson, plainJson } from "../json.js";
import { trace } from "@opentelemetry/api";
import { attempt, messageOf, read } from "../guard.js";
import { enrichmentFields } from "../names.js";
import { redaction, redactJson } from "../redact.js";
import { snapshot } from "../snapshot.js";

/** @import { Span } from "@opentelemetry/api" */
/** @import { SpanEngine } from "./engine.js" */
/** @import { Sessions } from "./sessions.js" */

/** https://opentelemetry.io/docs/specs/otel/common/#attribute-limits */
const ATTRIBUTE_LIMIT = 128;

/** TraceFlags.SAMPLED */
const SAMPLED = 1;

/**
 * @param {SpanEngine} engine
 * @param {Sessions} sessions
 * @param {any[]} given the fields, or a span and the fields
 */
export function enrichSpanWith(engine, sessions, given) {
  try {
    const names = given.length > 1 || isSpan(given[0]);
    const span = names ? given[0] : trace.getActiveSpan();
    const fields = names ? given[1] : given[0];
    if (!isSpan(span)) {
      const what = names ? "what was given as span is none" : "no span is active here";
      return engine.say("warn", `enrichSpan: ${what}, and nothing was set`);
    }
    if (span.isRecording()) {
      return enrich(engine, span, fields, sessions.of(span)?.redaction ?? redaction(undefined));
    }
    if (span.spanContext().traceFlags & SAMPLED) {
      engine.say("warn", "enrichSpan: the span has ended, and takes no more attributes");
    }
  } catch (error) {
    engine.say("warn", `enrichSpan: the span threw (${messageOf(error)})`);
  }
}

/**
 * @param {SpanEngine} engine
 * @param {Span} span
 * @param {unknown} fields
 * @param {ReturnType<typeof redaction>} masking
 */
function enrich(engine, span, fields, { redact, redactKeys, redactPatterns, redactor, rename }) {
  const { core } = engine;
  if (!core) return;
  const json = snapshot(attempt(() => enrichmentFields(fields), fields) ?? {});
  const present = Object.keys(read(span, "attributes") ?? {});
  const knownLimit = read(read(span, "_spanLimits"), "attributeCountLimit");
  const limit = knownLimit ?? ATTRIBUTE_LIMIT;
  const made = core.spanAttributes(
    redactor ? redactJson(redactor, json, [], rename) : json,
    redact,
    redactKeys,
    redactPatterns,
    plainJson(present),
    Math.max(limit - present.length, 0),
  );
  if (made === undefined) return;
  const { attributes, leftOut, warnings } = parseJson(made);
  span.setAttributes(attributes);
  // A span that knows its limit counts the attributes that it refuses, and exports the count as droppedAttributesCount.
  if (typeof knownLimit === "number") for (const name of leftOut) span.setAttribute(name, true);
  for (const warning of warnings) engine.say("warn", `enrichSpan: ${warning}`);
}

/**
 * @param {any} value
 * @returns {value is Span}
 */
function isSpan(value) {
  return typeof read(value, "spanContext") === "function";
}
