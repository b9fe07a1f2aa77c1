// How the WebAssembly module becomes a running core, by what a runtime allows: Workers compile nothing
// and may not await what another request began; browsers and servers have the bytes inline.

import { textClass } from "./globals.js";

/** @import { CreateCore } from "./core.d.ts" */

function textClasses() {
  return { TextDecoder: textClass("TextDecoder"), TextEncoder: textClass("TextEncoder") };
}

/**
 * Where the module is at hand, and loading has to be over at once.
 * @template C
 * @param {CreateCore<C>} createCore
 * @param {WebAssembly.Module} module
 * @param {(error: unknown) => void} onTrap
 * @returns {C}
 */
export function openModule(createCore, module, onTrap) {
  const { imports, start } = createCore(onTrap, textClasses());
  // On Vercel's edge the module is of another realm; the constructor does not mind.
  return start(new WebAssembly.Instance(module, imports));
}

/**
 * Where the module is text in this very file.
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
    // A failure may pass; it must not be remembered.
    compiling.catch(() => (compiling = undefined));
    const { imports, start } = createCore(onTrap, textClasses());
    // Asynchronously: Chromium was long in allowing a page anything else.
    return start(await WebAssembly.instantiate(await compiling, imports));
  };
}

/**
 * The same at once: where no page has to be drawn meanwhile, or there is no later. Throws where the runtime compiles
 * nothing, or not at once.
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
  // The loop takes two milliseconds of a start in Node, and six or more on a slow phone.
  const { Buffer, Uint8Array } = /** @type {any} */ (globalThis);
  if (Buffer) return Buffer.from(base64, "base64");
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/**
 * What to do where a module that is text in the package's own file will not start.
 * @returns {string}
 */
export function inlineHint() {
  if (typeof WebAssembly === "undefined") {
    return "This runtime has no WebAssembly, as React Native's Hermes has none: enrich from your server instead.";
  }
  if (!("location" in globalThis)) return "The runtime has to allow WebAssembly.";
  return "A page with a Content-Security-Policy has to allow 'wasm-unsafe-eval' in script-src.";
}
