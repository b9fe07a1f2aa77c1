// Carries the session in W3C baggage, for applications whose headers OpenTelemetry writes and reads.
// https://www.w3.org/TR/baggage/

import { propagation } from "@opentelemetry/api";
import { baggageHeaders, baggageMembers } from "../baggage.js";
import { attempt, messageOf, read } from "../guard.js";
import { sessionIdFromHeaders } from "honeyhive-edge";

/** @import { Context, TextMapGetter, TextMapSetter } from "@opentelemetry/api" */
/** @import { SpanEngine } from "./engine.js" */
/** @import { Sessions } from "./sessions.js" */

const HEADER = "baggage";

export class SessionPropagator {
  #engine;
  #sessions;

  /**
   * @param {SpanEngine} engine
   * @param {Sessions} sessions
   */
  constructor(engine, sessions) {
    this.#engine = engine;
    this.#sessions = sessions;
  }

  /**
   * @param {Context} context
   * @param {any} carrier
   * @param {TextMapSetter} setter
   */
  inject(context, carrier, setter) {
    try {
      const { session } = this.#sessions.at(context);
      if (!session) return;
      const { sessionId, project, source } = session;
      const kept = { baggage: [written(carrier), ...ofContext(context)].join(",") };
      const { baggage } = baggageHeaders({ session_id: sessionId, project, source }, kept);
      if (baggage) setter.set(carrier, HEADER, baggage);
    } catch (error) {
      this.#engine.say("warn", `the session was not put into headers (${messageOf(error)})`);
    }
  }

  /**
   * @param {Context} context
   * @param {any} carrier
   * @param {TextMapGetter} getter
   * @returns {Context}
   */
  extract(context, carrier, getter) {
    return attempt(() => {
      const baggage = getter.get(carrier, HEADER);
      const sessionId = sessionIdFromHeaders({ baggage });
      if (!sessionId) return context;
      const members = baggageMembers(String(baggage));
      const session = { sessionId, project: members.get("project"), source: members.get("source") };
      return this.#sessions.from(context, session);
    }, context);
  }

  fields() {
    return [HEADER];
  }
}

/**
 * The baggage that another propagator has written already. A setter can only write, so the carrier itself is read: it is
 * a record of headers, or `Headers`.
 * @param {any} carrier
 * @returns {string}
 */
function written(carrier) {
  const get = read(carrier, "get");
  const value = typeof get === "function" ? get.call(carrier, HEADER) : read(carrier, HEADER);
  return Array.isArray(value) ? value.join(",") : String(value ?? "");
}

/**
 * The members of OpenTelemetry's own baggage, encoded as its own propagator encodes them. Other code sets these members:
 * a member that cannot be encoded is left out, and the others are passed on.
 * @param {Context} context
 * @returns {string[]}
 */
function ofContext(context) {
  const entries = propagation.getBaggage(context)?.getAllEntries() ?? [];
  return entries.flatMap(([key, entry]) => attempt(() => [member(key, entry)], []));
}

/**
 * @param {string} key
 * @param {import("@opentelemetry/api").BaggageEntry} entry
 */
function member(key, { value, metadata }) {
  // A token contains no parentheses: https://www.rfc-editor.org/rfc/rfc9110#name-tokens
  const encoded = encodeURIComponent(key).replace(/[()]/g, (it) => (it === "(" ? "%28" : "%29"));
  const properties = attempt(() => metadata?.toString()) ?? "";
  const isSafe = /^[\t\x20-\x2b\x2d-\x7e]+$/.test(properties);
  return `${encoded}=${encodeURIComponent(value)}${isSafe ? `;${properties}` : ""}`;
}
