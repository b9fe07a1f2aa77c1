// The turn's spans: what happened, and how long each model call took, beside what is said of the session. They
// reach HoneyHive by OpenTelemetry; honeyhive-edge tells each whose session it is.

import { ROOT_CONTEXT, SpanStatusCode, trace } from "@opentelemetry/api";
import { BasicTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { HoneyHiveSpanExporter, SessionSpanProcessor, enrichSpan } from "honeyhive-edge/otel";

/** @typedef {import("honeyhive-edge/otel").SpanEnrichment} SpanEnrichment */

/** @type {BasicTracerProvider | undefined} */
let provider;

/**
 * @param {{ apiKey?: string, serverUrl?: string }} server
 * @param {string} name
 */
export function startTurn(server, name) {
  provider ??= new BasicTracerProvider({
    spanProcessors: [
      new SessionSpanProcessor(),
      new SimpleSpanProcessor(new HoneyHiveSpanExporter(server)),
    ],
  });
  const spans = provider;
  const of = spans.getTracer("honey-shop-chat");
  const turn = of.startSpan(name, { root: true, startTime: Date.now() }, ROOT_CONTEXT);
  const below = trace.setSpan(ROOT_CONTEXT, turn);
  /** @type {(() => void)[]} */
  const ends = [];

  /** Ends now, and is exported with its turn. @param {import("@opentelemetry/api").Span} span */
  function endLater(span) {
    const at = Date.now();
    ends.push(() => span.end(at));
  }

  return {
    /**
     * A span around a call of the model.
     * @template {{ used: object }} T
     * @param {string} step
     * @param {SpanEnrichment} before What goes in.
     * @param {() => Promise<T>} call
     * @param {(result: T) => SpanEnrichment} after What came out.
     * @returns {Promise<T>}
     */
    async call(step, before, call, after) {
      const span = of.startSpan(step, { startTime: Date.now() }, below);
      enrichSpan(span, { eventType: "model", ...before });
      try {
        const result = await call();
        enrichSpan(span, { ...after(result), metrics: { ...result.used } });
        return result;
      } catch (error) {
        fail(span, error);
        throw error;
      } finally {
        endLater(span);
      }
    },

    /** @param {unknown} [error] What the turn failed with. */
    end(error) {
      if (error !== undefined) fail(turn, error);
      endLater(turn);
    },

    /**
     * Hands the spans over. Not before the session is stored: one that a span is the first to speak of
     * would be made without its inputs. Resolves when they are there.
     */
    async export() {
      for (const end of ends) end();
      await spans.forceFlush().catch(() => {});
    },
  };
}

/** @param {import("@opentelemetry/api").Span} span @param {unknown} error */
function fail(span, error) {
  enrichSpan(span, { error });
  span.setStatus({
    code: SpanStatusCode.ERROR,
    message: error instanceof Error ? error.message : String(error),
  });
}
