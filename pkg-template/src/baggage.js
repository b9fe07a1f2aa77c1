// W3C baggage: how a session travels from one service to the next in request headers.

import { attempt, read } from "./guard.js";
import { wellFormed } from "./ids.js";

/** In the order in which they count. */
const SESSION_KEYS = ["session_id", "honeyhive_session_id", "honeyhive.session_id"];

/** What a header may have at most. https://www.w3.org/TR/baggage/#limits */
const MAX_BYTES = 8192;

/**
 * @param {Record<string, string | undefined>} members the first matters most
 * @param {any} [headers] whose other members are kept, as far as there is room
 * @returns {Record<string, string>}
 */
export function baggageHeaders(members, headers) {
  let baggage = "";
  const keys = new Set(SESSION_KEYS);
  const add = (/** @type {string} */ key, /** @type {string} */ member) => {
    keys.add(key);
    const longer = baggage ? `${baggage},${member}` : member;
    if (longer.length <= MAX_BYTES) baggage = longer;
  };
  for (const [key, value] of Object.entries(members)) {
    if (value) add(key, `${key}=${encodeURIComponent(wellFormed(value))}`);
  }
  for (const member of attempt(() => baggageOf(headers), "").split(",")) {
    const [key = ""] = member.split(/[=;]/).map((part) => part.trim());
    if (key && !keys.has(key)) add(key, member.trim());
  }
  return baggage ? { baggage } : {};
}

/**
 * @param {any} headers Headers, or a record as Node's `request.headers`
 * @returns {string | undefined}
 */
export function sessionIdFromHeaders(headers) {
  return attempt(() => {
    const members = baggageMembers(baggageOf(headers));
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
export function baggageMembers(baggage) {
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
