// Ended spans of OpenTelemetry's SDK, 1.x or 2.x, as the text that the core takes. What they hold is
// copied out by name: an SDK's span has a great deal more on it.

import { parseJson } from "../json.js";
import { attempt, read } from "../guard.js";
import { MASK, redactJson } from "../redact.js";
import { snapshot } from "../snapshot.js";

/** OTLP's SpanFlags: it is known whether the other span is remote, and it is. */
const KNOWN = 0x100;
const REMOTE = 0x200;

/** What finds the session is never masked. */
const SESSION_IDS = ["honeyhive.session_id", "traceloop.association.properties.session_id"];

/**
 * @param {readonly any[]} spans
 * @param {ReturnType<typeof import("../redact.js").redaction>} redaction of which only the user's own function and patterns are applied
 * @returns {string} lines: the JSON of where spans come from, and for each span the JSON of all but its
 *   attributes, and that of its attributes, which are most of it
 */
export function spanLines(spans, redaction) {
  const mask = redaction.redactor ? masking(redaction.redactor, redaction.rename) : NO_MASK;
  const resources = new Numbered();
  const scopes = new Numbered();
  let lines = "";
  for (const span of spans) {
    // One that throws is left out, the others are not.
    lines += attempt(() => {
      const { resource, instrumentationScope, instrumentationLibrary } = span;
      const attributes = snapshot(mask.attributes(span.attributes) ?? {});
      const rest = copy(span, mask);
      rest.resource = resources.number(resource);
      rest.scope = scopes.number(instrumentationScope ?? instrumentationLibrary);
      return `\n${snapshot(rest)}\n${attributes}`;
    }, "");
  }
  const origins = snapshot({
    resources: resources.all.map((resource) => ({
      attributes: mask.attributes(read(resource, "attributes")),
      schemaUrl: read(resource, "schemaUrl"),
    })),
    scopes: scopes.all.map((scope) => ({
      name: read(scope, "name"),
      version: read(scope, "version"),
      schemaUrl: read(scope, "schemaUrl"),
    })),
  });
  return origins + lines;
}

/**
 * @typedef {object} Mask
 * @property {(attributes: any) => any} attributes
 * @property {(text: any, ...path: string[]) => any} text
 */

/** @type {Mask} */
const NO_MASK = { attributes: (attributes) => attributes, text: (text) => text };

/**
 * @param {import("../redact.js").Redactor} redactor
 * @param {import("../redact.js").Renamer | undefined} rename
 * @returns {Mask}
 */
function masking(redactor, rename) {
  return {
    attributes(attributes) {
      const masked = parseJson(
        redactJson(redactor, snapshot(attributes ?? {}), ["attributes"], rename),
      );
      for (const id of SESSION_IDS) {
        const own = read(attributes, id);
        if (own !== undefined) masked[id] = own;
      }
      return masked;
    },
    text(text, ...path) {
      if (typeof text !== "string") return text;
      const name = /** @type {string} */ (path.pop());
      const masked = parseJson(redactJson(redactor, snapshot({ [name]: text }), path));
      // A span has a name in any case.
      return typeof masked[name] === "string" ? masked[name] : MASK;
    },
  };
}

/**
 * All of a span but its attributes.
 * @param {any} span
 * @param {Mask} mask
 * @returns {Record<string, unknown>}
 */
function copy(span, mask) {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  const { parentSpanContext } = span;
  const { events, links, status } = span;
  return {
    resource: 0,
    scope: 0,
    traceId,
    spanId,
    traceState: traceState?.serialize(),
    parentSpanId: parentSpanContext?.spanId ?? span.parentSpanId,
    flags: flags(traceFlags, parentSpanContext?.isRemote),
    name: mask.text(span.name, "name"),
    kind: span.kind,
    startTime: span.startTime,
    endTime: span.endTime,
    droppedAttributesCount: span.droppedAttributesCount,
    events: events.map((/** @type {any} */ event) => ({
      name: mask.text(event.name, "name"),
      time: event.time,
      attributes: mask.attributes(event.attributes),
      droppedAttributesCount: event.droppedAttributesCount,
    })),
    droppedEventsCount: span.droppedEventsCount,
    links: links.map((/** @type {any} */ link) => ({
      traceId: link.context.traceId,
      spanId: link.context.spanId,
      traceState: link.context.traceState?.serialize(),
      flags: flags(link.context.traceFlags, link.context.isRemote),
      attributes: mask.attributes(link.attributes),
      droppedAttributesCount: link.droppedAttributesCount,
    })),
    droppedLinksCount: span.droppedLinksCount,
    status: {
      code: status.code,
      message: mask.text(status.message, "status", "message"),
    },
  };
}

/**
 * @param {number} traceFlags
 * @param {boolean | undefined} isRemote
 */
function flags(traceFlags, isRemote) {
  return (traceFlags & 0xff) | KNOWN | (isRemote ? REMOTE : 0);
}

/** Objects, each once, and the place of each. */
class Numbered {
  /** @type {unknown[]} */
  all = [];
  /** @type {Map<unknown, number>} */
  #places = new Map();

  /** @param {unknown} value */
  number(value) {
    const known = this.#places.get(value);
    if (known !== undefined) return known;
    this.#places.set(value, this.all.length);
    return this.all.push(value) - 1;
  }
}
