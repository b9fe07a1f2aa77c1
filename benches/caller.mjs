// What a call of enrichSession costs its caller, beside JSON.stringify of the same payload, in one
// run and in turns: `make bench`. The backend is the local one, over real HTTP.

import { startBackend } from "../www-demo/backend/server.mjs";

/**
 * The built package, which is not there yet when types are checked.
 * @type {typeof import("honeyhive-edge")}
 */
const { initTracer } = await import(new URL("../pkg/index.js", import.meta.url).href);

const ROUNDS = 40;
/** A round of large payloads has fewer calls: what waits to be sent is to fit into memory. */
const CALLS = 200;
const BYTES_A_ROUND = 4_000_000;

/** @param {number[]} values */
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

/**
 * @param {number} calls
 * @param {() => unknown} call
 */
function microseconds(calls, call) {
  const start = performance.now();
  for (let n = 0; n < calls; n++) call();
  return ((performance.now() - start) * 1000) / calls;
}

/** About as large as `bytes`, of the kind that applications send. */
function payload(/** @type {number} */ bytes) {
  const user = { id: "user_123", plan: "pro", tags: ["beta", "eu"], seen: 1_700_000_000_000 };
  const steps = Array.from({ length: 6 }, (_, n) => ({
    name: `step ${n}`,
    ms: n * 17.5,
    ok: true,
  }));
  const metadata = { user, steps, variant: "b", text: "" };
  metadata.text = "lorem ipsum ".repeat(Math.max(0, bytes - 560) / 12);
  return { metadata, metrics: { cost: 0.0042, tokens: 812 } };
}

const backend = await startBackend({ port: 0 });
const tracer = await initTracer({
  apiKey: "bench",
  serverUrl: backend.url,
  maxQueueBytes: 1 << 30,
  logLevel: "error",
});
console.log(
  `Node ${process.version}; median of ${ROUNDS} rounds of at most ${CALLS} calls, in turns`,
);
console.log("payload    JSON.stringify    enrichSession    ratio");
for (const bytes of [100, 1_100, 16_000, 100_000]) {
  const given = payload(bytes);
  const size = JSON.stringify(given).length;
  const calls = Math.min(CALLS, Math.ceil(BYTES_A_ROUND / size));
  /** @type {[number, number][]} */
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) {
    const stringify = microseconds(calls, () => JSON.stringify(given));
    const enrich = microseconds(calls, () => tracer.enrichSession(given));
    rounds.push([stringify, enrich]);
    await tracer.flush();
  }
  const warm = rounds.slice(ROUNDS / 4);
  const stringify = median(warm.map(([first]) => first));
  const enrich = median(warm.map(([, second]) => second));
  const ratio = median(warm.map(([first, second]) => second / first));
  const columns = [`${size} B`, `${stringify.toFixed(1)} µs`, `${enrich.toFixed(1)} µs`];
  console.log(
    columns[0].padEnd(11) + columns[1].padEnd(18) + columns[2].padEnd(17) + ratio.toFixed(1),
  );
}
const report = await tracer.close();
const stats = await (await fetch(`${backend.url}/_local/stats`)).json();
console.log(`delivered ${report.delivered}, dropped ${report.dropped}; stats of the backend:`);
console.log(JSON.stringify(stats).slice(0, 200));
await backend.close();
