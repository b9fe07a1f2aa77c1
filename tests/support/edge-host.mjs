// A process that has one edge function answer one request, and prints what it answered and what nobody
// caught. Usage: edge-host.mjs <folder>, the request's body on standard input.

import { text } from "node:stream/consumers";
import { edgeRuntime } from "./edge-runtime.mjs";

const [, , folder = "."] = process.argv;
/** @type {string[]} */
const uncaught = [];
const note = (/** @type {unknown} */ reason) => void uncaught.push(String(reason));
process.on("uncaughtException", note);
process.on("unhandledRejection", note);

const runtime = await edgeRuntime(folder);

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
