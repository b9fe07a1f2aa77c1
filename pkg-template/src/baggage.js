// Passes a session from one service to the next in the request header of W3C baggage.

import { attempt, readGiven } from "./guard.js";
import { sessionIdOf, wellFormed } from "./ids.js";
import { each } from "./lists.js";

/** In order of precedence. */
const SESSION_KEYS = ["session_id", "honeyhive_session_id", "honeyhive.session_id"];

/** A member that a header can contain: a token, a value and properties. https://www.w3.org/TR/baggage/#definition */
const IS_MEMBER = /^[\w!#$%&'*+.^`|~-]+[\t ]*([=;][\t\x20-\x7e]*)?$/;

/** The limits of a header. https://www.w3.org/TR/baggage/#limits */
const MAX_BYTES = 8192;

/**
 * @param {Record<string, string | undefined>} members the first matters most
 * @param {any} [headers] the members that it already contains are kept, as far as there is room
 * @returns {Record<string, string>}
 */
export function baggageHeaders(members, headers) {
  let baggage = "";
  /** @type {Set<string>} */
  const keys = new Set();
  for (let i = 0; i < SESSION_KEYS.length; i++) keys.add(/** @type {string} */ (SESSION_KEYS[i]));
  const add = (/** @type {string} */ key, /** @type {string} */ member) => {
    keys.add(key);
    const longer = baggage ? `${baggage},${member}` : member;
    if (longer.length <= MAX_BYTES) baggage = longer;
  };
  each(Object.keys(members), (key) => {
    const value = members[key];
    if (value) add(key, `${key}=${encodeURIComponent(wellFormed(value))}`);
  });
  const others = attempt(() => baggageOf(headers), "").split(",");
  for (let i = 0; i < others.length; i++) {
    const member = String(others[i]).trim();
    const key = String(member.split(/[=;]/)[0]).trim();
    // A member that is not valid in a header would make `fetch` refuse the whole request.
    if (key && !keys.has(key) && IS_MEMBER.test(member)) add(key, member);
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
    for (let i = 0; i < SESSION_KEYS.length; i++) {
      const id = sessionIdOf(members.get(/** @type {string} */ (SESSION_KEYS[i])) ?? "");
      if (id) return id;
    }
    return undefined;
  });
}

/**
 * @param {any} headers
 * @returns {string}
 */
function baggageOf(headers) {
  if (typeof readGiven(headers, "get") === "function") return String(headers.get("baggage") ?? "");
  /** @type {string[]} */
  const values = [];
  each(Object.keys(headers), (name) => {
    if (name.toLowerCase() === "baggage") values[values.length] = String(headers[name]);
  });
  return values.join(",");
}

/**
 * @param {string} baggage
 * @returns {Map<string, string>}
 */
export function baggageMembers(baggage) {
  /** @type {Map<string, string>} */
  const members = new Map();
  const all = baggage.split(",");
  for (let i = 0; i < all.length; i++) {
    const pair = String(String(all[i]).split(";")[0]);
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
