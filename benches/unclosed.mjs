// What a hundred thousand requests leave in memory that each make a tracer, enrich and close nothing: in
// workerd, where each is a request of a Worker, and in a server of Node. `make unclosed`;
// REQUESTS=10000 for less.

import { run, SERVERS } from "../tests/isolation/load.mjs";

const REQUESTS = Number(process.env["REQUESTS"] ?? 100_000);
const STEPS = 10;

const mb = (/** @type {number} */ bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

for (const [name, serve] of Object.entries(SERVERS)) {
  if (!name.includes(process.env["SERVER"] ?? "")) continue;
  const from = performance.now();
  const steps = Array.from({ length: STEPS }, () => REQUESTS / STEPS);
  const { readings, stats } = await run(serve, steps);
  const seconds = ((performance.now() - from) / 1000).toFixed(0);
  console.log(`${name}: ${stats.sessions} sessions stored, ${seconds} s`);
  for (const { requests, wasm, heap, rss, tracers } of readings) {
    const held = `wasm ${mb(wasm)}, heap ${mb(heap)}, RSS ${mb(rss)}, ${tracers} tracers`;
    console.log(`  after ${requests}: ${held}`);
  }
}
