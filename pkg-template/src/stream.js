// Reads what somebody else sends. The stream may be any object: of another realm, a test's double, Node's own kind, or
// one that misbehaves.

import { textClass } from "./globals.js";
import { attempt } from "./guard.js";

/**
 * @typedef {object} Source
 * @property {() => Promise<{ done?: boolean, value?: unknown }>} next
 * @property {() => unknown} cancel
 */

/**
 * @param {any} stream
 * @returns {Source | undefined} nothing where it cannot be read chunk by chunk, or somebody else reads it
 */
export function sourceOf(stream) {
  const reader = attempt(() => stream?.getReader?.(), undefined);
  if (reader) return { next: () => reader.read(), cancel: () => reader.cancel() };
  // The streams of Node, which are the bodies of node-fetch's answers.
  const chunks = attempt(() => stream?.[Symbol.asyncIterator]?.(), undefined);
  return chunks && { next: () => chunks.next(), cancel: () => chunks.return?.() };
}

/** Nobody waits for what comes of it. @param {Source} source */
export function cancel(source) {
  (async () => await source.cancel())().catch(() => {});
}

/**
 * Made anew: the methods and the length of what is given may be anybody's.
 * @param {unknown} chunk
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function bytesOf(chunk) {
  if (typeof chunk === "string") return new (textClass("TextEncoder"))().encode(chunk);
  if (!ArrayBuffer.isView(chunk)) throw new TypeError("the stream is not one of bytes");
  const { buffer, byteOffset, byteLength } = /** @type {Uint8Array<ArrayBuffer>} */ (chunk);
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Of whole texts, so that it keeps nothing of one for the next: to make one costs as much as a short request's body. @type {any} */
let decoder;

/**
 * The text of UTF-8 that came in parts.
 * @param {Uint8Array[]} chunks
 * @returns {string}
 */
export function textOf(chunks) {
  decoder ??= new (textClass("TextDecoder"))();
  let length = 0;
  for (const { byteLength } of chunks) length += byteLength;
  const [first] = chunks;
  if (!first || first.byteLength === length) return decoder.decode(first);
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return decoder.decode(bytes);
}
