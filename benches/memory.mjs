// What sessions cost in memory, in the real package: many opened, enriched and closed one after the
// other, which is to leave nothing; and many open at once. The backend is a fetch that answers at
// once, so that nothing but the package is measured. `make memory`; SESSIONS=50000 for less.

import { pathToFileURL } from "node:url";
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
 * @returns {Promise<{early: Held, late: Held, delivered: number}>} after a tenth of them and after all
 */
export async function oneAfterTheOther({ initTracer }, sessions) {
  let delivered = 0;
  let early;
  for (let done = 0; done < sessions; done += 100) {
    const rest = Array.from({ length: 100 }, async (_, n) => {
      const tracer = await initTracer(options);
      tracer.enrichSession({ metadata: { n }, outputs: { text: "x".repeat(200) } });
      const report = await tracer.close();
      delivered += report.delivered;
    });
    await Promise.all(rest);
    if (early === undefined && done >= sessions / 10) early = await held();
  }
  return { early: /** @type {Held} */ (early), late: await held(), delivered };
}

/**
 * So many sessions open at once, each enriched once and delivered.
 * @param {typeof import("honeyhive-edge")} api
 * @param {number} sessions
 * @param {"startSession" | "initTracer"} how
 * @returns {Promise<Held>} for each session
 */
export async function allAtOnce({ initTracer }, sessions, how) {
  const first = await initTracer(options);
  await first.flush();
  const before = await held();
  const open = [];
  for (let n = 0; n < sessions; n++) {
    const tracer = how === "initTracer" ? await initTracer(options) : first.startSession();
    open.push(tracer);
    if (n % 1_000 === 999) {
      await Promise.all(open.slice(n - 999).map((each) => each.enrichSession({ metadata: { n } })));
    }
  }
  const after = await held();
  const each = (/** @type {keyof Held} */ what) => (after[what] - before[what]) / open.length;
  const cost = { wasm: each("wasm"), heap: each("heap"), rss: each("rss") };
  for (let n = 0; n < open.length; n += 1_000) {
    await Promise.all(open.slice(n, n + 1_000).map((tracer) => tracer.close()));
  }
  return cost;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const api = await import(new URL("../pkg/index.js", import.meta.url).href);
  const sessions = Number(process.env["SESSIONS"] ?? 1_000_000);
  const mb = (/** @type {number} */ bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
  const from = performance.now();
  const { early, late, delivered } = await oneAfterTheOther(api, sessions);
  console.log(
    `${delivered} sessions one after the other, ${((performance.now() - from) / 1000).toFixed(0)} s`,
  );
  for (const [when, { wasm, heap, rss }] of Object.entries({
    "after a tenth": early,
    "after all": late,
  })) {
    console.log(`  ${when}: wasm ${mb(wasm)}, heap ${mb(heap)}, RSS ${mb(rss)}`);
  }
  for (const how of /** @type {const} */ (["startSession", "initTracer"])) {
    const { wasm, heap, rss } = await allAtOnce(api, Math.ceil(sessions / 10), how);
    const figures = `wasm ${wasm.toFixed(0)} B, heap ${heap.toFixed(0)} B, RSS ${rss.toFixed(0)} B`;
    console.log(`${Math.ceil(sessions / 10)} open at once, by ${how}, each: ${figures}`);
  }
}
