// What a page pays for a smaller bundle: the module unpacked, beside the same module inflated, each first in a
// fresh process of Node. RUNS=40 for more than 15.

import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { deflateSync, inflateSync } from "node:zlib";
import { unpack } from "../pkg-template/src/page/unpack.js";

const ways =
  /** @type {Record<string, (wasm: Uint8Array, source: string) => Promise<() => unknown>>} */ ({
    async unpacked(_, source) {
      const [base64 = "", hex = ""] = [/"([\w+/=]{20000,})"/, /"([0-9a-f]{1000,})"/].map(
        (text) => text.exec(source)?.[1],
      );
      return () => unpack(hex, base64);
    },
    async inflated(wasm) {
      const base64 = deflateSync(wasm, { level: 9 }).toString("base64");
      return () => inflateSync(Buffer.from(base64, "base64"));
    },
  });

const [way] = process.argv.slice(2);
const prepare = way && ways[way];
if (prepare) {
  const pkg = new URL("../pkg/", import.meta.url);
  const wasm = await readFile(new URL("core.wasm", pkg));
  const run = await prepare(wasm, await readFile(new URL("browser.js", pkg), "utf8"));
  const from = performance.now();
  await run();
  console.log(performance.now() - from);
} else {
  /** @type {Record<string, number[]>} */
  const times = {};
  for (let run = 0; run < Number(process.env["RUNS"] ?? 15); run++) {
    for (const name of Object.keys(ways)) {
      const command = [...process.execArgv, String(process.argv[1]), name];
      (times[name] ??= []).push(Number(execFileSync(process.execPath, command)));
    }
  }
  for (const [name, all] of Object.entries(times)) {
    const sorted = all.toSorted((a, b) => a - b);
    const at = (/** @type {number} */ part) => sorted[Math.floor(part * sorted.length)]?.toFixed(1);
    console.log(`${name}: ${at(0.5)} ms (${at(0)} to ${at(0.9)})`);
  }
}
