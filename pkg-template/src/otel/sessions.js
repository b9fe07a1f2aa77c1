// Finds the session of a span: the session that code running there would enrich, or, if that is unknown or unchanged, the
// session of its parent or of the calling service.

import { createContextKey, trace } from "@opentelemetry/api";
import { innermostTracer } from "../context/entered.js";
import { attempt } from "../guard.js";

/** @import { Context } from "@opentelemetry/api" */
/** @import { redaction } from "../redact.js" */

/**
 * What a span stores of its session.
 * @typedef {{ sessionId: string, sessionName?: string | undefined, project?: string | undefined, source?: string | undefined }} SpanSession
 */

/**
 * What was known when a span was started, or when a calling service's session was read from headers.
 * @typedef {object} Origin
 * @property {SpanSession | undefined} session
 * @property {string | undefined} active the id of the session that was active then
 * @property {unknown} [span] the span of the context into which the calling service's session was read
 * @property {ReturnType<typeof redaction>} [redaction] the masking of the processor that saw the span start
 */

/** The key under which a context holds the calling service's session. */
const CALLER = createContextKey("honeyhive-edge.caller");

/**
 * The state that the copies of this module share. An application may load it as ES module and as CommonJS, and Next.js
 * bundles an application's instrumentation and its routes separately.
 * @typedef {object} Shared
 * @property {WeakMap<object, Origin>} origins the origin of each span
 */
const SHARED = Symbol.for("honeyhive-edge.otel");

export class Sessions {
  /** @type {Shared} */
  #shared;
  #activeTracer;

  /** @param {() => import("../../index.d.ts").Tracer | undefined} activeTracer the function of this copy of the main module */
  constructor(activeTracer) {
    this.#activeTracer = activeTracer;
    const holder = /** @type {any} */ (globalThis);
    this.#shared = holder[SHARED] ?? { origins: new WeakMap() };
    attempt(() => Object.defineProperty(holder, SHARED, { value: this.#shared }));
  }

  /**
   * The origin of a span that is started in this context.
   * @param {Context} context
   * @returns {Origin}
   */
  at(context) {
    const parent = trace.getSpan(context);
    const caller = /** @type {Origin | undefined} */ (context.getValue(CALLER));
    const started = parent && this.#shared.origins.get(parent);
    // If a calling service's session was read inside this span, it is newer than the span.
    const origin = caller && (caller.span === parent || !started) ? caller : started;
    const active = this.#active();
    const isUnchanged = !active || active.sessionId === origin?.active;
    return {
      session: (isUnchanged && origin?.session) || active,
      active: active?.sessionId,
    };
  }

  /**
   * @param {object} span
   * @returns {Origin | undefined} the origin that was noted for it
   */
  of(span) {
    return this.#shared.origins.get(span);
  }

  /**
   * @param {object} span
   * @param {Origin} origin
   */
  note(span, origin) {
    this.#shared.origins.set(span, origin);
  }

  /**
   * A context whose spans belong to the calling service's session, until another session is entered.
   * @param {Context} context
   * @param {SpanSession} session
   * @returns {Context}
   */
  from(context, session) {
    /** @type {Origin} */
    const caller = {
      session,
      active: this.#active()?.sessionId,
      span: trace.getSpan(context),
    };
    return context.setValue(CALLER, caller);
  }

  /** @returns {SpanSession | undefined} */
  #active() {
    return innermostTracer(this.#activeTracer);
  }
}
