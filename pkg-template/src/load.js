// Starts the WebAssembly module in the way that the runtime allows: Workers cannot compile and may not await what another
// request began; browsers and servers contain the bytes inline.

import { textClass } from "./globals.js";
import { attempt } from "./guard.js";

/** @import { CreateCore } from "./core.d.ts" */

function textClasses() {
  return { TextDecoder: textClass("TextDecoder"), TextEncoder: textClass("TextEncoder") };
}

/**
 * Starts a compiled module synchronously.
 * @template C
 * @param {CreateCore<C>} createCore
 * @param {WebAssembly.Module} module
 * @param {(error: unknown) => void} onTrap
 * @returns {C}
 */
export function openModule(createCore, module, onTrap) {
  const { imports, start } = createCore(onTrap, textClasses());
  // On Vercel's edge the module is of another realm, which the constructor accepts.
  return start(new WebAssembly.Instance(module, imports));
}

/**
 * Starts a module that is inlined as text.
 * @template C
 * @param {CreateCore<C>} createCore
 * @param {() => Promise<BufferSource>} bytes makes the module's of that text
 * @returns {(onTrap: (error: unknown) => void) => Promise<C>}
 */
export function inlineOpener(createCore, bytes) {
  /** @type {Promise<WebAssembly.Module> | undefined} */
  let compiling;
  return async (onTrap) => {
    compiling ??= bytes().then((module) => WebAssembly.compile(module));
    // A failure may be temporary, so it is not cached.
    compiling.catch(() => (compiling = undefined));
    const { imports, start } = createCore(onTrap, textClasses());
    // Compiled asynchronously, because Chromium long allowed pages nothing else.
    return start(await WebAssembly.instantiate(await compiling, imports));
  };
}

/**
 * Starts a module from its bytes synchronously, for runtimes without a page to render, and for pages that are being left.
 * Throws if the runtime cannot compile, or not synchronously.
 * @template C
 * @param {CreateCore<C>} createCore
 * @param {BufferSource} bytes
 * @param {(error: unknown) => void} onTrap
 * @returns {C}
 */
export function openBytes(createCore, bytes, onTrap) {
  return openModule(createCore, new WebAssembly.Module(bytes), onTrap);
}

/**
 * @param {string} base64
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function bytesOf(base64) {
  const { Buffer } = /** @type {any} */ (globalThis);
  const { fromBase64 } = /** @type {any} */ (Uint8Array);
  const made =
    attempt(() => Buffer.from(base64, "base64")) ??
    attempt(() => Reflect.apply(fromBase64, Uint8Array, [base64]));
  if (ArrayBuffer.isView(made)) return /** @type {any} */ (made);
  // The loop takes two milliseconds of a start in Node, and six or more on a slow phone.
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/**
 * The advice for a runtime in which a module that is inlined as text does not start.
 * @returns {string}
 */
export function inlineHint() {
  if (typeof WebAssembly === "undefined") {
    return "This runtime has no WebAssembly, as React Native's Hermes has none: enrich from your server instead.";
  }
  if (!("location" in globalThis)) return "The runtime has to allow WebAssembly.";
  return "A page with a Content-Security-Policy has to allow 'wasm-unsafe-eval' in script-src.";
}
