// Marks each span that starts with its session, in the attributes that HoneyHive looks for.

import { Promise } from "../globals.js";
import { messageOf, read, readGiven } from "../guard.js";
import { sessionIdOf } from "../ids.js";
import { redaction } from "../redact.js";

/** @import { Context, Span } from "@opentelemetry/api" */
/** @import { SpanEngine } from "./engine.js" */
/** @import { Sessions, SpanSession } from "./sessions.js" */

const SESSION_ID = "honeyhive.session_id";

export class SessionSpanProcessor {
  #engine;
  #sessions;
  #redaction;

  /**
   * @param {SpanEngine} engine
   * @param {Sessions} sessions
   * @param {unknown} options
   */
  constructor(engine, sessions, options) {
    this.#engine = engine;
    this.#sessions = sessions;
    this.#redaction = redaction(readGiven(options, "redact"));
  }

  /**
   * @param {Span} span
   * @param {Context} parentContext
   */
  onStart(span, parentContext) {
    try {
      const origin = this.#sessions.at(parentContext);
      const own = read(read(span, "attributes"), SESSION_ID);
      // A session that the application set itself takes precedence, and its child spans inherit it.
      const sessionId = typeof own === "string" ? sessionIdOf(own) : undefined;
      if (sessionId) {
        if (sessionId !== own) span.setAttribute(SESSION_ID, sessionId);
        origin.session = { sessionId };
      } else if (origin.session) {
        span.setAttributes(attributesOf(origin.session));
      }
      this.#sessions.note(span, { ...origin, redaction: this.#redaction });
    } catch (error) {
      this.#engine.say("warn", `a span did not get its session (${messageOf(error)})`);
    }
  }

  onEnd() {}

  /** @returns {Promise<void>} */
  forceFlush() {
    return Promise.resolve();
  }

  /** @returns {Promise<void>} */
  shutdown() {
    return Promise.resolve();
  }
}

/**
 * @param {SpanSession} session
 * @returns {import("@opentelemetry/api").Attributes}
 */
function attributesOf({ sessionId, sessionName, source, project }) {
  /** @type {Record<string, string | boolean>} */
  const attributes = { "honeyhive.session_auto_create": true };
  for (const [name, value] of Object.entries({
    session_id: sessionId,
    session_name: sessionName,
    source,
    project,
  })) {
    if (value === undefined) continue;
    attributes[`honeyhive.${name}`] = value;
    attributes[`traceloop.association.properties.${name}`] = value;
  }
  return attributes;
}
