// The exports of `honeyhive-edge/otel`, made for one runtime.

import { enrichSpanWith } from "./enrich-span.js";
import { Instance } from "./instance.js";

/**
 * @param {import("./instance.js").Platform} platform
 */
export function otelFunctions(platform) {
  const instance = new Instance(platform);
  return {
    /** @type {typeof import("../../otel.d.ts").enrichSpan} */
    enrichSpan: (/** @type {[any?, any?]} */ ...given) => enrichSpanWith(instance, given),
  };
}
