// The measured process in Node, Bun and Deno: child.mjs ADAPTER URL JOB,JOB SECONDS. Says what it found
// as one line of JSON.

import process from "node:process";
import { wasmMemory } from "../../support/wasm-memory.mjs";
import { jobs } from "../measure.mjs";

const [adapter, url, names, seconds] = process.argv.slice(2);
const { setup } = await import(new URL(`../adapters/${adapter}.mjs`, import.meta.url).href);
const peer = await setup({ url });

const { Bun } = /** @type {any} */ (globalThis);
/** @type {() => void} */
const gc = Bun ? () => Bun.gc(true) : /** @type {any} */ (globalThis).gc;

const probe = {
  cpu() {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
  async memory() {
    for (let n = 0; n < 3; n++) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return { heap: process.memoryUsage().heapUsed, wasm: wasmMemory() };
  },
};

/** @type {Record<string, unknown>} */
const report = {};
for (const name of /** @type {(keyof typeof jobs)[]} */ ((names ?? "").split(","))) {
  report[name] = await jobs[name]({ peer, url: url ?? "", probe, seconds: Number(seconds) });
}
// Peers may write to the console as well.
console.log(`\nREPORT ${JSON.stringify(report)}`);
process.exit(0);
