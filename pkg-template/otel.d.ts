/**
 * Spans of a session, for applications that bring their own OpenTelemetry. `@opentelemetry/api` is the
 * only package this needs beside the main one; nothing here throws.
 *
 * @packageDocumentation
 */

import type { Span } from "@opentelemetry/api";
import type { Enrichment } from "./index.js";

/** What can be said about a span: the fields of a session's enrichment, and three of a span's own. */
export interface SpanEnrichment extends Omit<Enrichment, "duration" | "endTime"> {
  /** What kind of step it was: `"model"`, `"tool"` or `"chain"`. */
  eventType?: string;
  /** Its name in HoneyHive, if not the span's. */
  eventName?: string;
  /** Its id in HoneyHive. */
  eventId?: string;
}

/**
 * Enriches the active span, or the one given. Objects are flattened into attributes (`honeyhive_metadata.a.b`),
 * lists by index; nulls are left out, secrets masked. What does not fit into the span's attributes (128 of them,
 * unless the tracer provider says otherwise) is left out with a warning.
 *
 * ```ts
 * enrichSpan({ metadata: { cache: "hit" }, metrics: { tokens: 512 } });
 * ```
 */
export function enrichSpan(enrichment: SpanEnrichment): void;
export function enrichSpan(span: Span, enrichment: SpanEnrichment): void;
