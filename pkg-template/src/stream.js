// Reads a foreign stream. It may be of another realm, a test double, one of Node's own streams, or misbehave.

import { textClass } from "./globals.js";
import { attempt } from "./guard.js";

/**
 * @typedef {object} Source
 * @property {() => Promise<{ done?: boolean, value?: unknown }>} next
 * @property {() => unknown} cancel
 */

/**
 * @param {any} stream
 * @returns {Source | undefined} undefined if it cannot be read chunk by chunk, or is already being read
 */
export function sourceOf(stream) {
  const reader = attempt(() => stream?.getReader?.());
  if (reader) return { next: () => reader.read(), cancel: () => reader.cancel() };
  // Node's own streams, which are the bodies of node-fetch's responses.
  const chunks = attempt(() => stream?.[Symbol.asyncIterator]?.());
  return chunks && { next: () => chunks.next(), cancel: () => chunks.return?.() };
}

/** Cancels a stream without waiting for the result. @param {Source} source */
export function cancel(source) {
  (async () => await source.cancel())().catch(() => {});
}

/**
 * Copies the bytes of a chunk, because the methods and length of a foreign one cannot be trusted.
 * @param {unknown} chunk
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function bytesOf(chunk) {
  if (typeof chunk === "string") return new (textClass("TextEncoder"))().encode(chunk);
  if (!ArrayBuffer.isView(chunk)) throw new TypeError("the stream is not one of bytes");
  const { buffer, byteOffset, byteLength } = /** @type {Uint8Array<ArrayBuffer>} */ (chunk);
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** One decoder for all texts, because making one takes as long as decoding a short answer. It only decodes whole texts, so it keeps no state. @type {any} */
let decoder;

/**
 * Decodes UTF-8 that arrived in chunks.
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
