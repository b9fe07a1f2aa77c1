// The package's exports, made for one runtime. The methods behind them are in api.js.

import { Api } from "./api.js";

export { sessionIdFromHeaders } from "./baggage.js";
export { newEventId, sessionIdFrom } from "./ids.js";

/**
 * @param {import("./api.js").TracerPlatform} platform
 */
export function publicFunctions(platform) {
  const api = new Api(platform);
  return {
    /** @type {typeof import("../index.d.ts").initTracer} */
    initTracer: (options) => api.initTracer(options),
    /** @type {typeof import("../index.d.ts").withSession} */
    withSession: (options, fn) => api.withSession(options, fn),
    /** @type {typeof import("../index.d.ts").enrichSession} */
    enrichSession: (/** @type {any} */ first = undefined, /** @type {any} */ second = undefined) =>
      api.enrichSession(undefined, first, second),
    /** @type {typeof import("../index.d.ts").enrichEvent} */
    enrichEvent: (/** @type {any} */ eventId, /** @type {any} */ params = undefined) =>
      api.enrichEvent(undefined, eventId, params),
    /** @type {typeof import("../index.d.ts").activeTracer} */
    activeTracer: () => api.activeTracer(),
    /** @type {typeof import("../index.d.ts").flush} */
    flush: (options) => api.flush(undefined, options),
  };
}
