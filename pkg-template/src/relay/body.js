// Reads a request's body, no further than is allowed and no longer.

/** @import { BodyFault } from "./core.d.ts" */

/**
 * Read beyond the limit and thrown away: Node leaves a connection hanging, and with it its next
 * request, whose body was read in part.
 */
const DRAINED_BYTES = 1_000_000;

/** Of a request without a body. */
const ENDED = /** @type {const} */ ({ done: true, value: undefined });

/**
 * @param {Request} request
 * @param {number} limit bytes
 * @param {number} timeoutMs
 * @returns {Promise<{ bytes: Uint8Array, fault?: BodyFault }>}
 */
export async function readBody(request, limit, timeoutMs) {
  /** @type {Uint8Array[]} */
  const chunks = [];
  let length = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {Promise<"slow">} */
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve("slow"), timeoutMs);
  });
  /** @type {BodyFault | undefined} */
  let fault;
  try {
    const reader = request.body?.getReader();
    while (fault === undefined) {
      const read = await Promise.race([reader?.read() ?? ENDED, late]);
      if (read === "slow") fault = read;
      else if (read.done) break;
      else if ((length += read.value.byteLength) > limit + DRAINED_BYTES) fault = "large";
      else if (length <= limit) chunks.push(read.value);
    }
    if (length > limit) fault ??= "large";
    // Nobody waits for what comes of it.
    if (fault) reader?.cancel().catch(() => {});
  } catch {
    fault = "broken";
  } finally {
    clearTimeout(timer);
  }
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
