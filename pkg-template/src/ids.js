// Session ids: new ones, and the one that stands for a name. Needs no wasm, so that `sessionIdFrom` is synchronous.

import { v4, v5, validate } from "uuid";
import { attempt } from "./guard.js";

/** RFC 9562, appendix B. Not `v5.URL`: the build leaves that out, see build-pkg.mjs. */
const NAMESPACE_URL = "6ba7b811-9dad-11d1-80b4-00c04fd430c8";

/**
 * Throws where the runtime has no random numbers to give: at a Worker's top level.
 * @returns {string}
 */
export function newSessionId() {
  return v4();
}

/**
 * @param {unknown} name
 * @returns {string}
 */
export function sessionIdFrom(name) {
  const text = wellFormed(attempt(() => String(name), ""));
  return validate(text) ? text : v5(text, NAMESPACE_URL);
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
