// One edge function in Vercel's edge runtime, with code generation forbidden as in production.

import { AsyncLocalStorage } from "node:async_hooks";
import * as buffer from "node:buffer";
import * as events from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { EdgeRuntime } from "edge-runtime";

/** Under this symbol are the modules of Node's that functions on Vercel's edge may import. */
export const NODE_MODULES = "tests: Node's modules";

/** @param {string} folder with edge.js and wasm_<n>.wasm in it */
export async function edgeRuntime(folder) {
  /** @type {Record<string, WebAssembly.Module>} */
  const modules = {};
  for (const name of await readdir(folder)) {
    if (!name.endsWith(".wasm")) continue;
    modules[name.replace(".wasm", "")] = await WebAssembly.compile(
      await readFile(join(folder, name)),
    );
  }
  return new EdgeRuntime({
    initialCode: await readFile(join(folder, "edge.js"), "utf8"),
    codeGeneration: { strings: false, wasm: false },
    // There on Vercel and put there by Next.js, but not by this package.
    // https://vercel.com/docs/functions/runtimes/edge
    extend: (context) =>
      Object.assign(context, modules, {
        AsyncLocalStorage,
        [Symbol.for(NODE_MODULES)]: { "node:buffer": buffer, "node:events": events },
      }),
  });
}
