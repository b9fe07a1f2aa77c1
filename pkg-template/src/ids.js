// Session ids: new ones, and the one that stands for a name. Needs no wasm, so that `sessionIdFrom` is synchronous.

import { v4, v5, validate } from "uuid";
import { attempt } from "./guard.js";

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
  return validate(text) ? text : v5(text, v5.URL);
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
