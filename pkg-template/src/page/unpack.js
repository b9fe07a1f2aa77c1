// The packed module, as pack/ has it, becomes the module again.

import { bytesOf } from "../load.js";
import { forwardNow } from "../globals.js";

/** Milliseconds between pauses: a tenth of what a visitor might notice, as slow phones take longer for one step. */
const AT_ONCE_MS = 5;

/** Bytes of the module in a step, after which the clock is looked at. */
const STEP = 256;

/** More than a module may have. */
const ALL = 2 ** 30;

/** @typedef {{ memory: WebAssembly.Memory, packed(): number, unpacked(): number, unpack(count: number): number }} Unpacker */

/**
 * @param {string} hex the WebAssembly that does it: pack/src/unpack.rs
 * @param {string} packed in base64
 * @param {() => Promise<void>} [pause] lets the page draw
 * @returns {Promise<BufferSource>}
 */
export async function unpack(hex, packed, pause) {
  const { more, bytes } = begin(hex, packed);
  for (let left = 1; left > 0;) {
    await pause?.();
    const until = forwardNow() + AT_ONCE_MS;
    do left = more(STEP);
    while (left > 0 && forwardNow() < until);
  }
  return bytes();
}

/**
 * The same without letting anybody wait, or draw.
 * @param {string} hex
 * @param {string} packed
 * @returns {BufferSource}
 */
export function unpackNow(hex, packed) {
  const { more, bytes } = begin(hex, packed);
  more(ALL);
  return bytes();
}

/**
 * @param {string} hex
 * @param {string} packed
 */
function begin(hex, packed) {
  const code = Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));
  const instance = new WebAssembly.Instance(new WebAssembly.Module(code));
  const unpacker = /** @type {Unpacker} */ (/** @type {unknown} */ (instance.exports));
  const memory = unpacker.memory.buffer;
  new Uint8Array(memory).set(bytesOf(packed), unpacker.packed());
  const length = unpacker.unpack(0);
  return {
    more: unpacker.unpack,
    bytes: () => new Uint8Array(memory, unpacker.unpacked(), length),
  };
}
