// What it costs to import the package, and to start a session once that is done, in Node and in workerd:
// `make bench`. Best and median of several processes, as other work on the machine only ever adds.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { node } from "../tests/support/binaries.mjs";
import { runToEnd } from "../tests/support/child.mjs";
import { consumer, packageDir } from "../tests/support/package.mjs";
import { startWorker } from "../tests/support/workerd.mjs";

const PROCESSES = 9;

/** Sessions started one after the other between two looks at the clock, and how often. */
const BATCH = 100;
const BATCHES = 20;

/** Times that JSON is written and read: some 30 ms. */
const YARDSTICK = 20_000;

/** Portable: a Worker's clock stands still between two waits. */
const measured = `
  const tick = () => new Promise((resolve) => setTimeout(resolve, 0));
  const fetch = async () => new Response("{}");
  const options = { apiKey: "bench", serverUrl: "http://127.0.0.1:1", fetch };

  // What this machine takes for so much work of another kind, to hold the rest against.
  async function yardstick() {
    await tick();
    const from = performance.now();
    for (let n = 0; n < ${YARDSTICK}; n++) JSON.parse(JSON.stringify({ n, list: [n, "n"], text: "text" }));
    await tick();
    return performance.now() - from;
  }

  export async function measure(load) {
    const yard = await yardstick();
    await tick();
    const from = performance.now();
    const { initTracer, flush } = await load();
    if (performance.now() === from) await tick();
    const loaded = performance.now() - from;
    const starts = [];
    for (let batch = 0; batch < ${BATCHES}; batch++) {
      await tick();
      const from = performance.now();
      for (let n = 0; n < ${BATCH}; n++) await initTracer(options);
      await tick();
      starts.push((performance.now() - from) / ${BATCH});
      await flush();
    }
    return { yard, loaded, started: Math.min(...starts.slice(${BATCHES / 4})) };
  }
`;
const program = `
  import { measure } from "./measure.mjs";
  // What the first import of any package costs is Node's own.
  await import("empty");
  console.log(JSON.stringify(await measure(() => import("honeyhive-edge"))));
`;
const worker = `
  import { measure } from "./measure.js";
  export default {
    fetch: async () => Response.json(await measure(() => import("./package.js"))),
  };
`;

/**
 * @typedef {object} Startup in milliseconds
 * @property {number} yard so much work of another kind
 * @property {number} loaded the import
 * @property {number} started a warm initTracer
 */

/**
 * @param {string} version
 * @param {number} [processes]
 * @returns {Promise<Startup[]>} of each process
 */
export async function inNode(version, processes = PROCESSES) {
  const files = {
    "program.mjs": program,
    "measure.mjs": measured,
    "node_modules/empty/package.json": JSON.stringify({ type: "module", exports: "./index.js" }),
    "node_modules/empty/index.js": "",
  };
  const cwd = await consumer(`startup-${version}`, files);
  const all = [];
  for (let n = 0; n < processes; n++) {
    const { stdout, stderr } = await runToEnd(node(version), ["program.mjs"], { cwd });
    if (stderr) throw new Error(stderr);
    all.push(JSON.parse(stdout));
  }
  return /** @type {Startup[]} */ (all);
}

/**
 * The package's files as they are, in modules of their own: bundled, nobody could tell when it is loaded.
 * @param {string} compatibilityDate
 * @param {number} [processes]
 * @returns {Promise<Startup[]>} of each process
 */
export async function inWorkerd(compatibilityDate, processes = PROCESSES) {
  const folder = await consumer(`startup-workerd-${compatibilityDate}`);
  const bundle = join(folder, "bundle");
  await mkdir(bundle);
  const files = {
    "worker.js": worker,
    "measure.js": measured,
    "package.js": await readFile(join(packageDir, "workerd.js")),
    "core.wasm": await readFile(join(packageDir, "core.wasm")),
  };
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(bundle, name), content);
  }
  const all = [];
  for (let n = 0; n < processes; n++) {
    const { url, stop } = await startWorker(bundle, { compatibilityDate });
    const response = await fetch(url);
    const text = await response.text();
    await stop();
    if (!response.ok) throw new Error(text);
    all.push(JSON.parse(text));
  }
  return /** @type {Startup[]} */ (all);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const runs = {
    "Node 20": () => inNode("20"),
    "Node 26": () => inNode("26"),
    "workerd 2025-01-01": () => inWorkerd("2025-01-01"),
    "workerd 2026-11-01": () => inWorkerd("2026-11-01"),
  };
  for (const [name, run] of Object.entries(runs)) {
    const all = await run();
    const loaded = all.map((each) => each.loaded).toSorted((a, b) => a - b);
    const started = all.map((each) => each.started * 1000).toSorted((a, b) => a - b);
    const shown = (/** @type {number[]} */ values, /** @type {number} */ digits) =>
      `${values[0]?.toFixed(digits)} (median ${values[values.length >> 1]?.toFixed(digits)})`;
    console.log(`${name}: import ${shown(loaded, 1)} ms, warm initTracer ${shown(started, 0)} µs`);
  }
}
