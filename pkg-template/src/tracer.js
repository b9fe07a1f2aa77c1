// What users hold of a session. Its methods are fields, so that they work when taken off the object.

import { baggageHeaders } from "./baggage.js";

/** @import { Session } from "./session.js" */
/** @import { Api } from "./api.js" */

/**
 * @param {Api} api
 * @param {Session} session
 * @returns {import("../index.d.ts").Tracer}
 */
export function makeTracer(api, session) {
  const tracer = /** @type {any} */ (new Tracer(api, session));
  // Where the runtime has no such symbol, compilers for `await using` look under this one.
  const asyncDispose = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");
  Object.defineProperty(tracer, asyncDispose, { value: () => tracer.close().then(() => {}) });
  return tracer;
}

class Tracer {
  #api;
  #session;

  /**
   * @param {Api} api
   * @param {Session} session
   */
  constructor(api, session) {
    this.#api = api;
    this.#session = session;
  }

  get sessionId() {
    return this.#api.info(this.#session).sessionId;
  }

  get sessionName() {
    return this.#api.info(this.#session).sessionName;
  }

  get project() {
    return this.#api.info(this.#session).project;
  }

  get source() {
    return this.#api.info(this.#session).source;
  }

  get enabled() {
    return this.#api.info(this.#session).enabled;
  }

  /** @type {(first?: any, second?: any) => Promise<import("../index.d.ts").Delivery>} */
  enrichSession = (first, second) => this.#api.enrich(this.#session, first, second);

  /** @param {Record<string, number>} increments */
  addMetrics = (increments) => this.#api.addMetrics(this.#session, increments);

  /**
   * @template T
   * @param {() => T} fn
   * @returns {T}
   */
  run = (fn) => this.#api.run(this.#session, fn);

  /** @param {import("../index.d.ts").SessionOptions} [options] */
  startSession = (options) => this.#api.startSession(this.#session, options);

  /** @param {any} [headers] */
  propagationHeaders = (headers) => {
    const { sessionId, project, source } = this.#api.info(this.#session);
    return baggageHeaders({ session_id: sessionId, project, source }, headers);
  };

  /** @param {{ timeoutMs?: number }} [options] */
  flush = (options) => this.#api.flush(this.#session, options);

  /** @param {{ timeoutMs?: number }} [options] */
  close = (options) => this.#api.close(this.#session, options);

  /** A tracer inside what is logged or sent says which it is, and none of its secrets. */
  toJSON() {
    const { sessionId, sessionName, project, source, enabled } = this.#api.info(this.#session);
    return { sessionId, sessionName, project, source, enabled };
  }
}
