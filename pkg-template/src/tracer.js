// What users hold of a session. Its methods work when taken off the object, and are made as they are
// taken: held by each tracer, they would be most of what an open session costs.

import { baggageHeaders } from "./baggage.js";

/** @import { Session } from "./session.js" */
/** @import { Api } from "./api.js" */

export class Tracer {
  #api;
  #session;

  /**
   * @param {Api} api
   * @param {Session} session
   */
  constructor(api, session) {
    this.#api = api;
    this.#session = session;
    // Where the runtime has no such symbol, compilers for `await using` look under this one. Not at
    // import: a polyfill may come later.
    const asyncDispose = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");
    /** @type {any} */ (Tracer.prototype)[asyncDispose] ??= dispose;
  }

  /**
   * @param {Api} api
   * @param {any} tracer
   * @returns {Session | undefined} the session of one of `api`'s tracers
   */
  static session(api, tracer) {
    const is = typeof tracer === "object" && tracer !== null && #session in tracer;
    return is && tracer.#api === api ? tracer.#session : undefined;
  }

  /** Else Vue would put a proxy around it, which nothing private can be read through. */
  get [Symbol.toStringTag]() {
    return "Tracer";
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

  get enrichSession() {
    return (/** @type {any} */ first, /** @type {any} */ second) =>
      this.#api.enrich(this.#session, first, second);
  }

  get addMetrics() {
    return (/** @type {Record<string, number>} */ increments) =>
      this.#api.addMetrics(this.#session, increments);
  }

  get run() {
    /** @type {<T>(fn: () => T) => T} */
    return (fn) => this.#api.run(this.#session, fn);
  }

  get startSession() {
    return (/** @type {import("../index.d.ts").SessionOptions} */ options) =>
      this.#api.startSession(this.#session, options);
  }

  get propagationHeaders() {
    return (/** @type {any} */ headers) => {
      const { sessionId, project, source } = this.#api.info(this.#session);
      return baggageHeaders({ session_id: sessionId, project, source }, headers);
    };
  }

  get flush() {
    return (/** @type {{ timeoutMs?: number }} */ options) =>
      this.#api.flush(this.#session, options);
  }

  get close() {
    /** @type {(options?: { timeoutMs?: number }) => Promise<import("../index.d.ts").FlushReport>} */
    return (options) => this.#api.close(this.#session, options);
  }

  /** A tracer inside what is logged or sent says which it is, and none of its secrets. */
  toJSON() {
    const { sessionId, sessionName, project, source, enabled } = this.#api.info(this.#session);
    return { sessionId, sessionName, project, source, enabled };
  }
}

// Whoever wants to may put something else in a method's place, as with one that is held.
for (const name of [
  "enrichSession",
  "addMetrics",
  "run",
  "startSession",
  "propagationHeaders",
  "flush",
  "close",
]) {
  const { get } = Object.getOwnPropertyDescriptor(Tracer.prototype, name) ?? {};
  /** @this {Tracer} @param {unknown} value */
  const set = function (value) {
    Object.defineProperty(this, name, { value, writable: true, configurable: true });
  };
  Object.defineProperty(Tracer.prototype, name, { get, set, configurable: true });
}

/** @this {Tracer} */
async function dispose() {
  await this.close();
}
