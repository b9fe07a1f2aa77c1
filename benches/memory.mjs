// What sessions cost in memory, in the real package: many opened, enriched and closed one after the
// other, which is to leave nothing; and many open at once. The backend is a fetch that answers at
// once, so that nothing but the package is measured. `make memory`; SESSIONS=50000 for less.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import v8 from "node:v8";
import vm from "node:vm";
import { wasmMemory } from "./support/wasm-memory.mjs";

v8.setFlagsFromString("--expose-gc");
const gc = vm.runInNewContext("gc");

/**
 * @typedef {object} Held in bytes
 * @property {number} wasm
 * @property {number} heap of JavaScript, after a collection
 * @property {number} rss
 */

/** @returns {Promise<Held>} */
async function held() {
  for (let i = 0; i < 5; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, rss } = process.memoryUsage();
  return { wasm: wasmMemory(), heap: heapUsed, rss };
}

const fetch = async () => new Response("{}");
const options = { apiKey: "bench", serverUrl: "http://127.0.0.1:1", fetch };

/**
 * So many sessions opened, enriched and closed, a hundred at a time.
 * @param {typeof import("honeyhive-edge")} api
 * @param {number} sessions
 * @returns {Promise<{tenths: Held[], delivered: number}>} what was held after each tenth of them
 */
export async function oneAfterTheOther({ initTracer }, sessions) {
  let delivered = 0;
  const tenths = [];
  for (let done = 0; done < sessions;) {
    const some = Array.from({ length: 100 }, async (_, n) => {
      const tracer = await initTracer(options);
      tracer.enrichSession({ metadata: { n }, outputs: { text: "x".repeat(200) } });
      const report = await tracer.close();
      delivered += report.delivered;
    });
    await Promise.all(some);
    done += 100;
    if (done >= ((tenths.length + 1) * sessions) / 10) tenths.push(await held());
  }
  return { tenths, delivered };
}

/**
 * Sessions that are open before any is counted. What the first ones take besides is tables that the others find made, and
 * code: Node compiles what runs often again and again, which took 50 bytes a session where a thousand went before.
 */
const WARM_UP = 4_000;

/**
 * So many sessions open at once, in thousands, each enriched once and delivered.
 * @param {typeof import("honeyhive-edge")} api
 * @param {number} sessions
 * @param {"startSession" | "initTracer"} how
 * @returns {Promise<Held>} for each session
 */
export async function allAtOnce({ initTracer }, sessions, how) {
  const first = await initTracer(options);
  /** @type {import("honeyhive-edge").Tracer[]} */
  const open = [];
  const openThousand = async () => {
    const some = [];
    for (let n = 0; n < 1_000; n++) {
      some.push(how === "initTracer" ? await initTracer(options) : first.startSession());
    }
    await Promise.all(some.map((each, n) => each.enrichSession({ metadata: { n } })));
    open.push(...some);
  };
  while (open.length < WARM_UP) await openThousand();
  const before = await held();
  while (open.length < sessions + WARM_UP) await openThousand();
  const after = await held();
  const each = (/** @type {keyof Held} */ what) =>
    (after[what] - before[what]) / (open.length - WARM_UP);
  const cost = { wasm: each("wasm"), heap: each("heap"), rss: each("rss") };
  for (let n = 0; n < open.length; n += 1_000) {
    await Promise.all(open.slice(n, n + 1_000).map((tracer) => tracer.close()));
  }
  return cost;
}

/** @param {number} bytes */
const mb = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** @type {Record<string, (api: typeof import("honeyhive-edge"), sessions: number) => Promise<void>>} */
const parts = {
  async oneAfterTheOther(api, sessions) {
    const from = performance.now();
    const { tenths, delivered } = await oneAfterTheOther(api, sessions);
    const seconds = ((performance.now() - from) / 1000).toFixed(0);
    console.log(`${delivered} sessions opened, enriched and closed, ${seconds} s`);
    tenths.forEach(({ wasm, heap, rss }, tenth) => {
      const done = ((tenth + 1) * sessions) / 10;
      console.log(`  after ${done}: wasm ${mb(wasm)}, heap ${mb(heap)}, RSS ${mb(rss)}`);
    });
  },
};
for (const how of /** @type {const} */ (["startSession", "initTracer"])) {
  parts[how] = async (api, sessions) => {
    const open = Math.ceil(sessions / 10);
    const { wasm, heap, rss } = await allAtOnce(api, open, how);
    const both = `${(wasm + heap).toFixed(0)} B (wasm ${wasm.toFixed(0)}, heap ${heap.toFixed(0)})`;
    console.log(`${open} open at once, by ${how}, each: ${both}, RSS ${rss.toFixed(0)} B`);
  };
}

// Each in a process of its own: memory that one has given back would hide what the next one takes.
const self = fileURLToPath(import.meta.url);
if (process.argv[1] === self) {
  const part = process.argv[2];
  const sessions = Number(process.env["SESSIONS"] ?? 1_000_000);
  if (part === undefined) {
    for (const each of Object.keys(parts)) {
      execFileSync(process.execPath, [self, each], { stdio: "inherit" });
    }
  } else {
    await parts[part]?.(await import(new URL("../pkg/index.js", import.meta.url).href), sessions);
  }
}
