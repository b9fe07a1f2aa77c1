// Reads what somebody else sends, as far as is wanted and no longer than it is waited for. The stream may be
// any object: of another realm, a test's double, Node's own kind, or one that misbehaves.

import { firstOf, textClass } from "./globals.js";
import { attempt, read } from "./guard.js";

/** What `late` has to resolve with. */
export const LATE = Symbol("late");

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
  const reader = attempt(() => stream.getReader(), undefined);
  if (reader) return { next: () => reader.read(), cancel: () => reader.cancel() };
  // The streams of Node, which are the bodies of node-fetch's answers.
  const chunks = attempt(() => stream[Symbol.asyncIterator](), undefined);
  return chunks && { next: () => chunks.next(), cancel: () => chunks.return?.() };
}

/**
 * @param {Source} source
 * @param {(chunk: Uint8Array) => boolean} take whether more is wanted
 * @param {Promise<typeof LATE>} late
 * @returns {Promise<"ended" | "enough" | "late" | "broken">} never rejects. What was not read is cancelled; what is
 *   late, the caller has to end: in workerd cancelling in the middle of a read leaves a rejection that nobody can catch
 */
export async function readStream(source, take, late) {
  /** @type {"enough" | "broken"} */
  let end = "broken";
  try {
    for (;;) {
      const result = await firstOf(source.next(), late);
      if (result === LATE) return "late";
      if (result.done) return "ended";
      if (!take(bytesOf(result.value))) {
        end = "enough";
        break;
      }
    }
  } catch {
    // It broke off, or was no stream after all.
  }
  cancel(source);
  return end;
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
function bytesOf(chunk) {
  if (typeof chunk === "string") return new (textClass("TextEncoder"))().encode(chunk);
  if (!ArrayBuffer.isView(chunk)) throw new TypeError("the stream is not one of bytes");
  const { buffer, byteOffset, byteLength } = /** @type {Uint8Array<ArrayBuffer>} */ (chunk);
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/**
 * @param {any} holder whose `body` may be a stream
 * @returns {Source | undefined}
 */
export function bodyOf(holder) {
  const body = read(holder, "body");
  return body === undefined || body === null ? undefined : sourceOf(body);
}
