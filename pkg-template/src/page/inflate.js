// The module of a page's bundle is deflated, so that a visitor waits for less; here it becomes itself again.

import inflateInto from "tiny-inflate";
import { attempt } from "../guard.js";
import { bytesOf } from "../load.js";

/**
 * By the browser, which is fast and lets the page draw meanwhile; by a library where the browser has nothing
 * for it (before 2023) or something else stands in its place.
 * @param {string} base64 of the deflated bytes (RFC 1951)
 * @param {number} length of the inflated bytes
 * @returns {Promise<BufferSource>}
 */
export async function inflate(base64, length) {
  const bytes = bytesOf(base64);
  const inflated = attempt(() => {
    const stream = new Blob([bytes]).stream();
    return new Response(stream.pipeThrough(new DecompressionStream("deflate-raw"))).arrayBuffer();
  });
  try {
    if (inflated) return await inflated;
  } catch {
    // What the browser cannot do is done here.
  }
  return inflateNow(base64, length);
}

/**
 * At once, for a page that is left while it opens.
 * @param {string} base64
 * @param {number} length
 * @returns {BufferSource}
 */
export function inflateNow(base64, length) {
  return inflateInto(bytesOf(base64), new Uint8Array(length));
}
