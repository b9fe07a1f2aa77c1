// A span is enriched in the moment it is asked for, or it has ended: so this module has to be there at
// once, and comes undeflated, because most runtimes inflate only in their own time.

/** @import { CreateCore } from "../core.d.ts" */

/**
 * Where the module is text in this very file: wasm in base64.
 * @template C
 * @param {CreateCore<C>} createCore
 * @param {string} base64
 * @returns {(onTrap: (error: unknown) => void) => C} throws where the runtime compiles nothing, or not at once
 */
export function openBytes(createCore, base64) {
  /** @type {WebAssembly.Module | undefined} */
  let module;
  return (onTrap) => {
    module ??= new WebAssembly.Module(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)));
    const { imports, start } = createCore(onTrap);
    return start(new WebAssembly.Instance(module, imports));
  };
}
