// Session ids: new ones, and the one that stands for a name. Needs no wasm, so that `sessionIdFrom` is synchronous.
// Written so that bundlers leave out what makes ids of names where nobody asks for it; uuid's own do not let them.

import { validate } from "uuid";
import { attempt } from "./guard.js";
import { sha1 } from "./sha1.js";

/** RFC 9562, appendix B. */
const NAMESPACE_URL = "6ba7b8119dad11d180b400c04fd430c8";

/**
 * Throws where the runtime has no random numbers to give: at a Worker's top level.
 * @returns {string}
 */
export function newSessionId() {
  // Only a page that came over HTTPS has the first.
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  return uuid(hex(crypto.getRandomValues(new Uint8Array(16))), 4);
}

/**
 * @param {unknown} name
 * @returns {string}
 */
export function sessionIdFrom(name) {
  const text = wellFormed(attempt(() => String(name), ""));
  if (validate(text)) return text;
  const namespace = NAMESPACE_URL.match(/../g)?.map((byte) => parseInt(byte, 16)) ?? [];
  return uuid(sha1(Uint8Array.from([...namespace, ...new TextEncoder().encode(text)])), 5);
}

/**
 * @param {string} digits of random or hashed bytes; those past the 32nd do not count
 * @param {number} version
 */
function uuid(digits, version) {
  const variant = ((parseInt(digits.charAt(16), 16) & 3) | 8).toString(16);
  return digits.replace(
    /^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/,
    `$1-$2-${version}$3-${variant}$4-$5`,
  );
}

/** @param {Uint8Array} bytes */
function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
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
