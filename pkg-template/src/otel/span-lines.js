// Writes ended spans of OpenTelemetry's SDK, 1.x or 2.x, as the text that the core reads. Only named properties are
// copied, because an SDK's span holds a great deal more.

import { parseJson } from "../json.js";
import { attempt, read } from "../guard.js";
import { MASK, redactJson } from "../redact.js";
import { snapshot } from "../snapshot.js";

/** OTLP's SpanFlags: whether it is known if the other span is remote, and whether it is. */
const KNOWN = 0x100;
const REMOTE = 0x200;

/** The attributes that identify the session, which are never masked. */
const SESSION_IDS = ["honeyhive.session_id", "traceloop.association.properties.session_id"];

/** The length in characters at which lines are passed to the core, because long strings slow garbage collection down. */
const FULL_LINES = 65_536;

/**
 * @param {readonly any[]} spans
 * @param {ReturnType<typeof import("../redact.js").redaction>} redaction only its function and patterns are applied here
 * @param {(lines: string) => void} give takes all lines but the last
 * @returns {string} the last lines, in the form that the core's `otlp::read` describes
 */
export function spanLines(spans, redaction, give) {
  const mask = redaction.redactor ? masking(redaction.redactor, redaction.rename) : NO_MASK;
  let lines = new Lines(mask);
  for (const span of spans) {
    if (lines.text.length >= FULL_LINES) {
      give(lines.whole());
      lines = new Lines(mask);
    }
    // A span that throws is left out; the others are still exported.
    attempt(() => lines.add(span));
  }
  return lines.whole();
}

/**
 * The JSON of the resources and scopes of spans, and a line for each span. JSON without indentation contains no end of a
 * line.
 */
class Lines {
  text = "";
  #mask;
  #resources = new Numbered();
  #scopes = new Numbered();

  /** @param {Mask} mask */
  constructor(mask) {
    this.#mask = mask;
  }

  /** @param {any} span */
  add(span) {
    const mask = this.#mask;
    const { traceId, spanId, traceFlags, traceState } = span.spanContext();
    const { parentSpanContext, startTime, endTime, events, links, status } = span;
    // In the order that `SpanParts` in src/core/spans/otlp.rs has. It is one list, because a text that is put together from many short ones costs more than all of their JSON.
    const parts = [
      this.#resources.number(span.resource),
      this.#scopes.number(span.instrumentationScope ?? span.instrumentationLibrary),
      Number(span.kind),
      Number(startTime?.[0]),
      Number(startTime?.[1]),
      Number(endTime?.[0]),
      Number(endTime?.[1]),
      flags(traceFlags, parentSpanContext?.isRemote),
      Number(status.code),
      Number(span.droppedAttributesCount),
      Number(span.droppedEventsCount),
      Number(span.droppedLinksCount),
      traceId,
      spanId,
      parentSpanContext?.spanId ?? span.parentSpanId,
      traceState?.serialize(),
      mask.text(span.name, "name"),
      mask.text(status.message, "status", "message"),
      mask.attributes(span.attributes),
      events.length > 0 ? events.map(eventWith(mask)) : null,
      links.length > 0 ? links.map(linkWith(mask)) : null,
    ];
    this.text += `\n${snapshot(parts)}`;
  }

  whole() {
    const mask = this.#mask;
    const origins = snapshot({
      resources: this.#resources.all.map((resource) => ({
        attributes: mask.attributes(read(resource, "attributes")),
        schemaUrl: read(resource, "schemaUrl"),
      })),
      scopes: this.#scopes.all.map((scope) => ({
        name: read(scope, "name"),
        version: read(scope, "version"),
        schemaUrl: read(scope, "schemaUrl"),
      })),
    });
    return origins + this.text;
  }
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
      // A span must have a name.
      return typeof masked[name] === "string" ? masked[name] : MASK;
    },
  };
}

/** @param {Mask} mask */
const eventWith = (mask) => (/** @type {any} */ event) => ({
  name: mask.text(event.name, "name"),
  time: event.time,
  attributes: mask.attributes(event.attributes),
  droppedAttributesCount: event.droppedAttributesCount,
});

/** @param {Mask} mask */
const linkWith = (mask) => (/** @type {any} */ link) => ({
  traceId: link.context.traceId,
  spanId: link.context.spanId,
  traceState: link.context.traceState?.serialize(),
  flags: flags(link.context.traceFlags, link.context.isRemote),
  attributes: mask.attributes(link.attributes),
  droppedAttributesCount: link.droppedAttributesCount,
});

/**
 * @param {number} traceFlags
 * @param {boolean | undefined} isRemote
 */
function flags(traceFlags, isRemote) {
  return (traceFlags & 0xff) | KNOWN | (isRemote ? REMOTE : 0);
}

/** A list of objects without duplicates, and the index of each. */
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
