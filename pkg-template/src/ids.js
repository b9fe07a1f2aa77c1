// Session ids: new ones, and the one that stands for a name. Needs no wasm, so that `sessionIdFrom` is synchronous.

import { v4, v5 } from "uuid";
import { attempt } from "./guard.js";
import { print } from "./log.js";

/** RFC 9562, appendix B. Not `v5.URL`: the build leaves that out, see build-pkg.mjs. */
const NAMESPACE_URL = "6ba7b811-9dad-11d1-80b4-00c04fd430c8";

/** Of any version, also one that is still to come. RFC 9562, section 4. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Throws where the runtime has no random numbers to give: at a Worker's top level.
 * @returns {string}
 */
export function newSessionId() {
  return v4();
}

/**
 * The session id that a text is or stands for, as the core has it: a UUID in lower case, or version 5 of any
 * other name. Nothing where the text is blank.
 * @param {string} text
 * @returns {string | undefined}
 */
export function sessionIdOf(text) {
  const name = wellFormed(text).trim();
  if (!name) return undefined;
  return UUID.test(name) ? name.toLowerCase() : v5(name, NAMESPACE_URL);
}

/**
 * An id for an event that is still to be made. Empty where the runtime has no random numbers to give.
 * @returns {string}
 */
export function newEventId() {
  return attempt(newSessionId, "");
}

/**
 * The session of a name. What is no name (nothing, a list without elements, an object that shows as
 * `[object Object]`) is the same for everybody, who would then share one session: that gives a fresh id.
 * @param {unknown} name
 * @returns {string}
 */
export function sessionIdFrom(name) {
  const id = sessionIdOf(nameIn(name));
  if (id) return id;
  print(
    "error",
    "sessionIdFrom() got no name, so it returned a new id that no other caller has: pass the name of the conversation, as in sessionIdFrom(conversation.id)",
  );
  return attempt(newSessionId, "");
}

/**
 * @param {unknown} value
 * @returns {string} empty where it is none
 */
function nameIn(value) {
  if (typeof value === "string") return value;
  const isOne =
    typeof value === "bigint" ||
    (typeof value === "number" && Number.isFinite(value)) ||
    (typeof value === "object" && value !== null);
  const text = isOne ? attempt(() => String(value), "") : "";
  return text.startsWith("[object ") ? "" : text;
}

/**
 * Lone surrogates have no UTF-8; as everywhere here they become U+FFFD.
 * @param {string} text
 * @returns {string}
 */
export function wellFormed(text) {
  // With the u flag a pair is one character and no surrogate.
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}
