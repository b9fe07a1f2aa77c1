// Ended spans of OpenTelemetry's SDK, 1.x or 2.x, as the text that the core takes. What they hold is
// copied out by name: an SDK's span has a great deal more on it.

import { attempt, read } from "../guard.js";
import { snapshot } from "../snapshot.js";

/** OTLP's SpanFlags: it is known whether the other span is remote, and it is. */
const KNOWN = 0x100;
const REMOTE = 0x200;

/**
 * @param {readonly any[]} spans
 * @returns {string} JSON
 */
export function spanJson(spans) {
  const resources = new Numbered();
  const scopes = new Numbered();
  const plain = [];
  for (const span of spans) {
    // One that throws is left out, the others are not.
    const copied = attempt(() => copy(span), undefined);
    if (!copied) continue;
    const resource = resources.number(span.resource);
    const scope = scopes.number(span.instrumentationScope ?? span.instrumentationLibrary);
    plain.push({ resource, scope, ...copied });
  }
  return snapshot({
    resources: resources.all.map((resource) => ({
      attributes: read(resource, "attributes"),
      schemaUrl: read(resource, "schemaUrl"),
    })),
    scopes: scopes.all.map((scope) => ({
      name: read(scope, "name"),
      version: read(scope, "version"),
      schemaUrl: read(scope, "schemaUrl"),
    })),
    spans: plain,
  });
}

/** @param {any} span */
function copy(span) {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  const { parentSpanContext } = span;
  return {
    traceId,
    spanId,
    traceState: traceState?.serialize(),
    parentSpanId: parentSpanContext?.spanId ?? span.parentSpanId,
    flags: flags(traceFlags, parentSpanContext?.isRemote),
    name: span.name,
    kind: span.kind,
    startTime: span.startTime,
    endTime: span.endTime,
    attributes: span.attributes,
    droppedAttributesCount: span.droppedAttributesCount,
    events: span.events.map((/** @type {any} */ event) => ({
      name: event.name,
      time: event.time,
      attributes: event.attributes,
      droppedAttributesCount: event.droppedAttributesCount,
    })),
    droppedEventsCount: span.droppedEventsCount,
    links: span.links.map((/** @type {any} */ link) => ({
      traceId: link.context.traceId,
      spanId: link.context.spanId,
      traceState: link.context.traceState?.serialize(),
      flags: flags(link.context.traceFlags, link.context.isRemote),
      attributes: link.attributes,
      droppedAttributesCount: link.droppedAttributesCount,
    })),
    droppedLinksCount: span.droppedLinksCount,
    status: { code: span.status.code, message: span.status.message },
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
