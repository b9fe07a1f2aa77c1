// The object that users hold for a session. Its methods also work when detached from it, and appear as own functions of
// the tracer, so that tests can replace them with spies. A proxy makes them on access: held by each tracer, they would be
// most of the memory of an open session.

import { baggageHeaders } from "./baggage.js";
import { attempt, read } from "./guard.js";

/** @import { Session } from "./session.js" */
/** @import { Api } from "./api.js" */

/** Under this a tracer gives what is behind its proxy. */
const SELF = Symbol("honeyhive-edge.tracer");

const { bind } = Function.prototype;

/** @type {ProxyHandler<any>} */
const handler = {
  get(tracer, key) {
    if (key === SELF) return tracer;
    const value = Reflect.get(tracer, key, tracer);
    const isMethod = typeof value === "function" && key !== "constructor";
    return isMethod && !Object.hasOwn(tracer, key) ? Reflect.apply(bind, value, [tracer]) : value;
  },
  set(tracer, key, value) {
    const whole = { value, writable: true, enumerable: true, configurable: true };
    return Reflect.defineProperty(tracer, key, whole);
  },
  getOwnPropertyDescriptor(tracer, key) {
    const own = Reflect.getOwnPropertyDescriptor(tracer, key);
    if (own || !Object.isExtensible(tracer)) return own;
    const ofClass = Reflect.getOwnPropertyDescriptor(Object.getPrototypeOf(tracer), key);
    const isMethod = typeof ofClass?.value === "function" && key !== "constructor";
    return isMethod
      ? { ...ofClass, value: Reflect.apply(bind, ofClass.value, [tracer]) }
      : undefined;
  },
};

/**
 * The class of one api's tracers. That none of them has to hold the api is part of what makes them light.
 * @param {Api} api
 */
export function tracerClass(api) {
  class Tracer {
    #session;

    /**
     * @param {Session} session
     */
    constructor(session) {
      this.#session = session;
      // Where the runtime has no such symbol, compilers for `await using` look under this one. Not at
      // import: a polyfill may come later.
      const asyncDispose = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");
      /** @type {any} */ (Tracer.prototype)[asyncDispose] ??= async function () {
        await this.close();
      };
    }

    /**
     * @param {any} tracer
     * @returns {Session | undefined} the session of one of this api's tracers
     */
    static session(tracer) {
      const own = read(tracer, SELF);
      return typeof own === "object" && own !== null && #session in own ? own.#session : undefined;
    }

    /** @param {Session} session */
    static of(session) {
      return new Proxy(new Tracer(session), handler);
    }

    /** Else Vue would put a proxy around it, which nothing private can be read through. */
    get [Symbol.toStringTag]() {
      return "Tracer";
    }

    get sessionId() {
      return api.info(this.#session).sessionId;
    }

    get sessionName() {
      return api.info(this.#session).sessionName;
    }

    get project() {
      return api.info(this.#session).project;
    }

    get source() {
      return api.info(this.#session).source;
    }

    get enabled() {
      return api.info(this.#session).enabled;
    }

    enrichSession(/** @type {any} */ first, /** @type {any} */ second) {
      return api.enrichSession(this.#session, first, second);
    }

    enrichEvent(/** @type {any} */ eventId, /** @type {any} */ params) {
      return api.enrichEvent(this.#session, eventId, params);
    }

    addMetrics(/** @type {Record<string, number>} */ increments) {
      return api.addMetrics(this.#session, increments);
    }

    readSession(/** @type {any} */ sessionId) {
      return api.read(this.#session, sessionId, true);
    }

    readEvent(/** @type {any} */ eventId) {
      return api.read(this.#session, eventId, false);
    }

    /** @template T @param {() => T} fn */
    run(fn) {
      return api.run(this.#session, fn);
    }

    startSession(/** @type {import("../index.d.ts").SessionOptions} */ options) {
      return api.startSession(this.#session, options);
    }

    setTicket(/** @type {unknown} */ ticket) {
      api.setTicket(this.#session, ticket);
    }

    propagationHeaders(/** @type {any} */ headers) {
      const { sessionId, project, source } = api.info(this.#session);
      const named = { session_id: sessionId, project, source };
      return attempt(() => baggageHeaders(named, headers), headers ?? {});
    }

    flush(/** @type {{ timeoutMs?: number }} */ options) {
      return api.flush(this.#session, options);
    }

    close(/** @type {{ timeoutMs?: number } | undefined} */ options = undefined) {
      return api.close(this.#session, options);
    }

    /** A tracer inside what is logged or sent says which it is, and none of its secrets. */
    toJSON() {
      const { sessionId, sessionName, project, source, enabled } = api.info(this.#session);
      return { sessionId, sessionName, project, source, enabled };
    }
  }
  return Tracer;
}
