// Finds the session of a span: the session that code running there would enrich, or, if that is unknown or unchanged, the
// session of its parent or of the calling service.

import { createContextKey, trace } from "@opentelemetry/api";
import { innermostTracer } from "../context/entered.js";
import { attempt } from "../guard.js";

/** @import { Context } from "@opentelemetry/api" */
/** @import { redaction } from "../redact.js" */

/**
 * What a span is told of its session.
 * @typedef {{ sessionId: string, sessionName?: string | undefined, project?: string | undefined, source?: string | undefined }} SpanSession
 */

/**
 * What was known where a span was started, or where a caller's session was read from its headers.
 * @typedef {object} Origin
 * @property {SpanSession | undefined} session
 * @property {string | undefined} active id of the session that was active there
 * @property {unknown} [span] of the context into which a caller's session was read
 * @property {ReturnType<typeof redaction>} [redaction] of the processor that saw the span
 */

/** The same in each copy of this module. */
const CALLER = createContextKey("honeyhive-edge.caller");

/**
 * What the copies of this module know in common: an application may well have several, as ES module and
 * CommonJS, or in the bundles that Next.js makes of its instrumentation and of its routes.
 * @typedef {object} Shared
 * @property {WeakMap<object, Origin>} origins by span
 */
const SHARED = Symbol.for("honeyhive-edge.otel");

export class Sessions {
  /** @type {Shared} */
  #shared;
  #activeTracer;

  /** @param {() => import("../../index.d.ts").Tracer | undefined} activeTracer of this copy of the main module */
  constructor(activeTracer) {
    this.#activeTracer = activeTracer;
    const holder = /** @type {any} */ (globalThis);
    this.#shared = holder[SHARED] ?? { origins: new WeakMap() };
    attempt(() => Object.defineProperty(holder, SHARED, { value: this.#shared }), undefined);
  }

  /**
   * Where a span started in this context belongs.
   * @param {Context} context
   * @returns {Origin}
   */
  at(context) {
    const parent = trace.getSpan(context);
    const caller = /** @type {Origin | undefined} */ (context.getValue(CALLER));
    const started = parent && this.#shared.origins.get(parent);
    // A caller's session that was read with this very span around it is newer than the span.
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
   * @returns {Origin | undefined} what was noted of it
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
   * A context in which the caller's session is meant, until another is entered.
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
