// Writes ended spans of OpenTelemetry's SDK, 1.x or 2.x, as the JSON that the core reads. Only named properties are
// copied, because an SDK's span holds a great deal more.

import { parseJson } from "../json.js";
import { read } from "../guard.js";
import { MASK, redactJson } from "../redact.js";
import { whyOf } from "../send.js";
import { snapshot, snapshotAll } from "../snapshot.js";

/** OTLP's SpanFlags: whether it is known if the other span is remote, and whether it is. */
const KNOWN = 0x100;
const REMOTE = 0x200;

/** The attributes that identify the session, which are never masked. */
const SESSION_IDS = ["honeyhive.session_id", "traceloop.association.properties.session_id"];

/** About how many characters the core is given at once, because long strings slow garbage collection down. */
const FULL_PART = 65_536;

/** Where texts of a span are, for the application's own masking. */
const NAME = ["name"];
const STATUS_MESSAGE = ["status", "message"];

/**
 * @param {readonly any[]} spans
 * @param {ReturnType<typeof import("../redact.js").redaction>} redaction only its function and patterns are applied here
 * @param {(part: string) => void} give takes all parts but the last
 * @returns {string} the last part, in the form that the core's `ReadSpans::read` describes
 */
export function writeSpans(spans, redaction, give) {
  const mask = redaction.redactor ? masking(redaction.redactor, redaction.rename) : NO_MASK;
  let part = new Part(mask);
  // The spans of an export are often alike, so the length of a part tells how many the next one may have.
  let mostSpans = 1;
  try {
    for (const span of spans) {
      if (part.spans >= mostSpans) {
        const json = part.json();
        give(json);
        mostSpans = Math.ceil((part.spans * FULL_PART) / json.length);
        part = new Part(mask);
      }
      part.add(span);
    }
  } catch (error) {
    // What the list had before it threw is exported.
    part.addUnreadable(error);
  }
  return part.json();
}

/** Some spans of an export, and their resources and scopes. */
class Part {
  /** The resources and scopes, and then the spans. @type {unknown[]} */
  #items = [null];
  #mask;
  #resources = new Numbered();
  #scopes = new Numbered();

  /** @param {Mask} mask */
  constructor(mask) {
    this.#mask = mask;
  }

  get spans() {
    return this.#items.length - 1;
  }

  /**
   * A span that throws costs the others nothing.
   * @param {any} span
   */
  add(span) {
    try {
      this.#items.push(this.#read(span));
    } catch (error) {
      this.addUnreadable(error);
    }
  }

  /** @param {unknown} error says why a span, or the rest of a list, could not be read */
  addUnreadable(error) {
    this.#items.push(whyOf(error, "reading it throws"));
  }

  /** @param {any} span */
  #read(span) {
    const mask = this.#mask;
    const { traceId, spanId, traceFlags, traceState } = span.spanContext();
    const { parentSpanContext, startTime, endTime, events, links, status } = span;
    // In the order that `SpanParts` in src/core/spans/otlp.rs has.
    return [
      this.#resources.number(span.resource),
      this.#scopes.number(span.instrumentationScope ?? span.instrumentationLibrary),
      span.kind,
      startTime?.[0],
      startTime?.[1],
      endTime?.[0],
      endTime?.[1],
      flags(traceFlags, parentSpanContext?.isRemote),
      status?.code,
      span.droppedAttributesCount,
      span.droppedEventsCount,
      span.droppedLinksCount,
      traceId,
      spanId,
      parentSpanContext?.spanId ?? span.parentSpanId,
      traceState?.serialize(),
      mask.text(span.name, NAME),
      mask.text(status?.message, STATUS_MESSAGE),
      mask.attributes(span.attributes),
      events?.length > 0 ? events.map(eventWith(mask)) : null,
      links?.length > 0 ? links.map(linkWith(mask)) : null,
    ];
  }

  json() {
    const mask = this.#mask;
    this.#items[0] = {
      resources: this.#resources.all.map((resource) => ({
        attributes: mask.attributes(read(resource, "attributes")),
        schemaUrl: read(resource, "schemaUrl"),
      })),
      scopes: this.#scopes.all.map((scope) => ({
        name: read(scope, "name"),
        version: read(scope, "version"),
        schemaUrl: read(scope, "schemaUrl"),
      })),
    };
    return snapshotAll(this.#items);
  }
}

/**
 * @typedef {object} Mask
 * @property {(attributes: any) => any} attributes
 * @property {(text: any, path: string[]) => any} text
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
    text(text, path) {
      if (typeof text !== "string") return text;
      const name = /** @type {string} */ (path[path.length - 1]);
      const masked = parseJson(redactJson(redactor, snapshot({ [name]: text }), path.slice(0, -1)));
      // A span must have a name.
      return typeof masked[name] === "string" ? masked[name] : MASK;
    },
  };
}

/** @param {Mask} mask */
const eventWith = (mask) => (/** @type {any} */ event) => ({
  name: mask.text(event.name, NAME),
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
  /** The place of the object that was asked for last. */
  #last = -1;

  /** @param {unknown} value */
  number(value) {
    // Most spans come from where the one before came from.
    if (this.#last >= 0 && this.all[this.#last] === value) return this.#last;
    const known = this.#places.get(value);
    this.#last = known ?? this.all.push(value) - 1;
    if (known === undefined) this.#places.set(value, this.#last);
    return this.#last;
  }
}
