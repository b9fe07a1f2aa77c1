// The exports of `honeyhive-edge/otel`, made for one runtime.

import { activeTracer } from "honeyhive-edge";
import { enrichSpanWith } from "./enrich-span.js";
import { HoneyHiveSpanExporter } from "./exporter.js";
import { SpanEngine } from "./engine.js";
import { SessionSpanProcessor } from "./processor.js";
import { SessionPropagator } from "./propagator.js";
import { Sessions } from "./sessions.js";

/** @typedef {typeof import("honeyhive-edge/otel")} Public */

/**
 * @param {import("./engine.js").SpanPlatform} platform
 */
export function otelFunctions(platform) {
  const engine = new SpanEngine(platform);
  const sessions = new Sessions(activeTracer);
  return {
    /** @type {Public["enrichSpan"]} */
    enrichSpan: (/** @type {[any?, any?]} */ ...given) => enrichSpanWith(engine, sessions, given),
    SessionSpanProcessor: /** @type {Public["SessionSpanProcessor"]} */ (
      class extends SessionSpanProcessor {
        /** @param {unknown} options */
        constructor(options) {
          super(engine, sessions, options);
        }
      }
    ),
    SessionPropagator: /** @type {Public["SessionPropagator"]} */ (
      class extends SessionPropagator {
        constructor() {
          super(engine, sessions);
        }
      }
    ),
    HoneyHiveSpanExporter: /** @type {Public["HoneyHiveSpanExporter"]} */ (
      class extends HoneyHiveSpanExporter {
        /** @param {unknown} options */
        constructor(options) {
          super(engine, options);
        }
      }
    ),
  };
}
