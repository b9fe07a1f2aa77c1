// A process that runs one edge function in Vercel's edge runtime, with code generation forbidden as
// in production, and prints what it answered and what nobody caught. Usage: edge-host.mjs <folder>
// with edge.js and wasm_<n>.wasm in it, the request's body on standard input.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { EdgeRuntime } from "edge-runtime";

const [, , folder = "."] = process.argv;
/** @type {string[]} */
const uncaught = [];
const note = (/** @type {unknown} */ reason) => void uncaught.push(String(reason));
process.on("uncaughtException", note);
process.on("unhandledRejection", note);

/** @type {Record<string, WebAssembly.Module>} */
const modules = {};
for (const name of await readdir(folder)) {
  if (!name.endsWith(".wasm")) continue;
  modules[name.replace(".wasm", "")] = await WebAssembly.compile(
    await readFile(join(folder, name)),
  );
}
const runtime = new EdgeRuntime({
  initialCode: await readFile(join(folder, "edge.js"), "utf8"),
  codeGeneration: { strings: false, wasm: false },
  extend: (context) => Object.assign(context, modules),
});

const forbidden = Object.fromEntries(
  ["eval('1')", "new WebAssembly.Module(new Uint8Array([0,97,115,109,1,0,0,0]))"].map((code) => {
    try {
      return [code, `allowed: ${runtime.evaluate(code)}`];
    } catch (error) {
      return [code, String(error)];
    }
  }),
);
const ofItsOwn = runtime.evaluate("globalThis.wasm_0 instanceof WebAssembly.Module");

const response = await runtime.dispatchFetch("http://edge.local/", {
  method: "POST",
  body: await text(process.stdin),
});
const answer = { status: response.status, text: await response.text() };
// What the function left behind may still fail.
await new Promise((resolve) => setTimeout(resolve, 100));
process.stdout.write(JSON.stringify({ answer, uncaught, forbidden, ofItsOwn }));
