/**
 * Spans of a session, for applications that bring their own OpenTelemetry: each span is told its session,
 * can be enriched like one, and is exported to HoneyHive.
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
 * `@opentelemetry/api` is all this needs beside the main entry. Nothing here throws.
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

/** What can be said about a span: the fields of a session's enrichment, and three of a span's own. */
export interface SpanEnrichment extends Omit<Enrichment, "duration" | "endTime"> {
  /** What kind of step it was: `"model"`, `"tool"` or `"chain"`. */
  eventType?: string;
  /** Its name in HoneyHive, if not the span's. */
  eventName?: string;
  /**
   * Its id in HoneyHive, by which `enrichEvent` reaches it: `newEventId()`, or a name of your own, which stands for
   * a UUID.
   */
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

/** Settings of a {@link SessionSpanProcessor}. */
export interface SessionSpanProcessorOptions {
  /** What {@link enrichSpan} masks on the spans of this provider, as a tracer's `redact` does for its session. */
  redact?: TracerOptions["redact"];
}

/**
 * Tells each span that starts in a session's context which session that is; a span outside of any is left as it
 * is. The session is the one that a bare `enrichSession()` would reach where the span starts; where none is known
 * there, as after an `await` in a browser, it is its parent's. A `honeyhive.session_id` that the application gave
 * the span counts instead.
 */
export class SessionSpanProcessor {
  constructor(options?: SessionSpanProcessorOptions);
  onStart(span: Span, parentContext: Context): void;
  onEnd(): void;
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
}

/** Settings of a {@link HoneyHiveSpanExporter}: those of a tracer that have to do with delivery. */
export type SpanExporterOptions = Pick<
  TracerOptions,
  | "apiKey"
  | "ticket"
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
>;

/**
 * Exports spans to HoneyHive (OTLP over HTTP, as JSON), from everywhere this package runs. Retried and delivered
 * like enrichments: what can pass is tried again until `deadlineMs` is over, and on Workers under the `waitUntil`
 * of the request that the spans come from. Goes into a `BatchSpanProcessor`, or on Workers a
 * `SimpleSpanProcessor`: what ends within `mergeWindowMs` goes out together in any case.
 */
export class HoneyHiveSpanExporter {
  constructor(options?: SpanExporterOptions);
  export(
    spans: readonly EndedSpan[],
    resultCallback: (result: { code: number; error?: Error }) => void,
  ): void;
  /** Resolves when all that was exported has ended: on Workers, in this request. */
  forceFlush(): Promise<void>;
  /** `forceFlush`, then takes nothing more. */
  shutdown(): Promise<void>;
}

/** A `ReadableSpan` of OpenTelemetry's SDK, 1.x or 2.x. */
export interface EndedSpan {
  readonly name: string;
  readonly attributes: object;
}

/**
 * Carries the session from service to service in W3C baggage, beside the members that others put there. Goes last
 * into a `CompositePropagator`. Spans that are started in the context it read from headers belong to the caller's
 * session, as long as no other is entered.
 */
export class SessionPropagator implements TextMapPropagator {
  /** Writes the session of `context` into `carrier`, beside the members that are there. */
  inject(context: Context, carrier: unknown, setter: TextMapSetter): void;
  /** A context with the session that `carrier` names, or `context` itself. */
  extract(context: Context, carrier: unknown, getter: TextMapGetter): Context;
  fields(): string[];
}
