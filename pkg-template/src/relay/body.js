// Reads a request's body, no further than is allowed and no longer.

import { Promise, clearTimer, startTimer } from "../globals.js";
import { LATE, bodyOf, cancel, readStream } from "../stream.js";

/** @import { BodyFault } from "./core.d.ts" */

/**
 * Read beyond the limit and thrown away: Node leaves a connection hanging, and with it its next
 * request, whose body was read in part.
 */
const DRAINED_BYTES = 1_000_000;

/** @type {Record<"enough" | "late" | "broken", BodyFault>} */
const FAULTS = { enough: "large", late: "slow", broken: "broken" };

/**
 * @param {Request} request
 * @param {number} limit bytes
 * @param {number} timeoutMs
 * @returns {Promise<{ bytes: Uint8Array, fault?: BodyFault }>}
 */
export async function readBody(request, limit, timeoutMs) {
  if (!request.body) return { bytes: new Uint8Array() };
  const source = bodyOf(request);
  if (!source) return { bytes: new Uint8Array(), fault: "broken" };
  /** @type {Uint8Array[]} */
  const chunks = [];
  let length = 0;
  /** @type {unknown} */
  let timer;
  /** @type {Promise<typeof LATE>} */
  const late = new Promise((resolve) => {
    timer = startTimer(resolve, timeoutMs, LATE);
  });
  const take = (/** @type {Uint8Array} */ chunk) => {
    length += chunk.byteLength;
    if (length <= limit) chunks.push(chunk);
    return length <= limit + DRAINED_BYTES;
  };
  const end = await readStream(source, take, late);
  if (end === "late") cancel(source);
  clearTimer(timer);
  const fault = end !== "ended" ? FAULTS[end] : length > limit ? "large" : undefined;
  if (fault) return { bytes: new Uint8Array(), fault };
  if (chunks.length === 1) return { bytes: /** @type {Uint8Array} */ (chunks[0]) };
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return { bytes };
}
