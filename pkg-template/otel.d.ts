/**
 * Puts the spans of your OpenTelemetry into their session, enriches them as sessions are enriched, and exports them to
 * HoneyHive.
 *
 * ```ts
 * import { NodeTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-node";
 * import { HoneyHiveSpanExporter, SessionSpanProcessor } from "honeyhive-edge/otel";
 *
 * new NodeTracerProvider({
 *   spanProcessors: [new SessionSpanProcessor(), new BatchSpanProcessor(new HoneyHiveSpanExporter())],
 * }).register();
 * ```
 *
 * Besides the main entry it needs `@opentelemetry/api` alone. No function here throws.
 *
 * @packageDocumentation
 */

import type {
  Context,
  Span,
  TextMapGetter,
  TextMapPropagator,
  TextMapSetter,
} from "@opentelemetry/api";
import type { Enrichment, TracerOptions } from "./index.js";

/** The data of one call about a span: the fields of a session's enrichment, and three of a span's own. */
export interface SpanEnrichment extends Omit<Enrichment, "duration" | "endTime"> {
  /** The kind of step: `"model"`, `"tool"` or `"chain"`. */
  eventType?: string;
  /** The step's name in HoneyHive. Default: the span's name. */
  eventName?: string;
  /**
   * The step's id in HoneyHive, by which `enrichEvent` reaches it: `newEventId()`, or a text of your own, which stands
   * for a UUID.
   */
  eventId?: string;
}

/**
 * Enriches the active span, or the span you pass. Objects become attributes of one level (`honeyhive_metadata.a.b`), and
 * so do lists, by index. Nulls are left out and secrets are masked. Keys beyond the span's limit of attributes (128 by
 * default) are left out with a warning.
 *
 * ```ts
 * enrichSpan({ metadata: { cache: "hit" }, metrics: { tokens: 512 } });
 * ```
 */
export function enrichSpan(enrichment: SpanEnrichment): void;
export function enrichSpan(span: Span, enrichment: SpanEnrichment): void;

/** The options of a {@link SessionSpanProcessor}. */
export interface SessionSpanProcessorOptions {
  /** The masking of {@link enrichSpan} on the spans of this provider, as a tracer's `redact` is for its session. */
  redact?: TracerOptions["redact"];
}

/**
 * Gives each span the id of its session when the span starts. That is the session that a bare `enrichSession()` reaches
 * there, or else the session of the span's parent, as after an `await` in a browser. A span without a session is not
 * changed. If your application has set `honeyhive.session_id` on the span, that id is kept.
 */
export class SessionSpanProcessor {
  constructor(options?: SessionSpanProcessorOptions);
  onStart(span: Span, parentContext: Context): void;
  onEnd(): void;
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
}

/** The options of a {@link HoneyHiveSpanExporter}: a tracer's options for delivery. */
export type SpanExporterOptions = Pick<
  TracerOptions,
  | "apiKey"
  | "serverUrl"
  | "disabled"
  | "timeoutMs"
  | "deadlineMs"
  | "mergeWindowMs"
  | "maxQueueBytes"
  | "maxConcurrency"
  | "headers"
  | "redact"
  | "fetch"
  | "waitUntil"
  | "logLevel"
> & {
  /** In place of a key: a ticket, for a relay of your own that accepts spans. */
  ticket?: string;
};

/**
 * Exports spans to HoneyHive (OTLP over HTTP, as JSON) from every runtime of the package. It delivers them as enrichments
 * are delivered: it retries until `deadlineMs`, and on Workers it sends under the `waitUntil` of the spans' own request.
 * Put it into a `BatchSpanProcessor`, or on Workers into a `SimpleSpanProcessor`: spans that end within `mergeWindowMs`
 * are sent together with either.
 */
export class HoneyHiveSpanExporter {
  constructor(options?: SpanExporterOptions);
  export(
    spans: readonly EndedSpan[],
    resultCallback: (result: { code: number; error?: Error }) => void,
  ): void;
  /** Resolves when all exported spans are delivered or dropped; on Workers, those of this request. */
  forceFlush(): Promise<void>;
  /** Calls `forceFlush`, and accepts no spans afterwards. */
  shutdown(): Promise<void>;
}

/** A `ReadableSpan` of OpenTelemetry's SDK, version 1 or 2. */
export interface EndedSpan {
  readonly name: string;
  readonly attributes: object;
}

/**
 * Carries the session from service to service in W3C baggage, and keeps the members of others. Put it last into a
 * `CompositePropagator`. Spans that start in an extracted context belong to the caller's session, until your code enters
 * another one.
 */
export class SessionPropagator implements TextMapPropagator {
  /** Writes the session of `context` into `carrier`, and keeps the members that it has. */
  inject(context: Context, carrier: unknown, setter: TextMapSetter): void;
  /** Returns a context with the session that `carrier` names, or `context` itself. */
  extract(context: Context, carrier: unknown, getter: TextMapGetter): Context;
  fields(): string[];
}
