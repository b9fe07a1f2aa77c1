// W3C baggage: how a session travels from one service to the next in request headers.

import { attempt, read } from "./guard.js";
import { wellFormed } from "./ids.js";

/** In the order in which they count. */
const SESSION_KEYS = ["session_id", "honeyhive_session_id", "honeyhive.session_id"];

/**
 * @param {Record<string, string | undefined>} members
 * @returns {Record<string, string>}
 */
export function baggageHeaders(members) {
  const pairs = Object.entries(members)
    .filter(([, value]) => value)
    .map(([key, value]) => `${key}=${encodeURIComponent(wellFormed(String(value)))}`);
  return { baggage: pairs.join(",") };
}

/**
 * @param {any} headers Headers, or a record as Node's `request.headers`
 * @returns {string | undefined}
 */
export function sessionIdFromHeaders(headers) {
  return attempt(() => {
    const members = parse(baggageOf(headers));
    for (const key of SESSION_KEYS) {
      const id = members.get(key);
      if (id) return id;
    }
    return undefined;
  }, undefined);
}

/**
 * @param {any} headers
 * @returns {string}
 */
function baggageOf(headers) {
  if (typeof read(headers, "get") === "function") return String(headers.get("baggage") ?? "");
  const values = [];
  for (const name of Object.keys(headers)) {
    if (name.toLowerCase() === "baggage") values.push(headers[name]);
  }
  return values.flat().join(",");
}

/**
 * @param {string} baggage
 * @returns {Map<string, string>}
 */
function parse(baggage) {
  /** @type {Map<string, string>} */
  const members = new Map();
  for (const member of baggage.split(",")) {
    const [pair = ""] = member.split(";");
    const equals = pair.indexOf("=");
    if (equals < 0) continue;
    const value = pair.slice(equals + 1).trim();
    members.set(
      pair.slice(0, equals).trim(),
      attempt(() => decodeURIComponent(value), value),
    );
  }
  return members;
}
