// A request that the relay's core describes, to the backend.

import { runtimeFetch, send } from "../send.js";
import { untraced } from "../untraced.js";

/** @import { Outgoing } from "./core.d.ts" */

/**
 * @param {unknown} fetch the caller's, if it gave one
 * @param {Outgoing} request
 * @param {number} timeoutMs
 */
export function sendWith(fetch, { url, ...init }, timeoutMs) {
  const own = typeof fetch === "function" ? fetch : undefined;
  return send(() => untraced(() => (own ?? runtimeFetch())(url, init)), init, timeoutMs);
}
