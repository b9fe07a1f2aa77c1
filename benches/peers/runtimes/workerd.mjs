// workerd: a Worker for each peer, bundled by wrangler as for a deployment. Its clock stands still while
// a handler runs, so what is told is the process's CPU time, as Linux counts it.

import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleWorker, startWorker } from "../../../tests/support/workerd.mjs";
import { manyLoads, rows } from "../measure.mjs";
import { payloads } from "../payloads.mjs";

const here = fileURLToPath(new URL("..", import.meta.url));
const cache = fileURLToPath(new URL("../../../.cache/peers/", import.meta.url));
const FLAGS = ["nodejs_compat"];
const DATE = "2025-01-01";
const LIMIT_MS = 60_000;

/** A peer is set up in the request that uses it: what belongs to one request is of no use in another. */
const code = (/** @type {string} */ adapter) => `
  import * as adapter from ${JSON.stringify(join(here, "adapters", `${adapter}.mjs`))};
  import { wasmMemory } from ${JSON.stringify(join(here, "../support/wasm-memory.mjs"))};
  import { jobs, load } from ${JSON.stringify(join(here, "measure.mjs"))};

  const handler = {
    async fetch(request, { URL: url }) {
      const peer = await adapter.setup({ url });
      const given = { peer, url, probe: {}, seconds: 1 };
      const what = await request.json();
      if (what.job) return Response.json(await jobs[what.job](given));
      if (what.load) return Response.json({ ...(await load(given, what.load)), wasm: wasmMemory() });
      peer.update(crypto.randomUUID(), "mcold_000000z", { plan: "pro" });
      await peer.flush();
      return new Response("done");
    },
  };
  export default adapter.around ? adapter.around(handler) : handler;
`;

/** @param {string} adapter */
export async function bundled(adapter) {
  const project = join(cache, adapter);
  await mkdir(project, { recursive: true });
  await writeFile(join(project, "worker.mjs"), code(adapter));
  return bundleWorker(project, FLAGS);
}

/**
 * One request to a Worker just started: some peers are of no use to a second one.
 * @param {string} bundle
 * @param {string} url of the server
 * @param {{job?: string, load?: import("../measure.mjs").Load}} [what] the first update, if nothing is said
 */
export async function ask(bundle, url, what = {}) {
  const from = performance.timeOrigin + performance.now();
  const worker = await startWorker(bundle, {
    compatibilityDate: DATE,
    flags: FLAGS,
    bindings: { URL: url },
  });
  try {
    const started = await cpuTime(worker.pid);
    const signal = AbortSignal.timeout(LIMIT_MS);
    const body = JSON.stringify(what);
    const answer = await fetch(worker.url, { method: "POST", body, signal });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${answer.status} ${text} ${worker.output.stderr.slice(-600)}`);
    return { text, from, cpu: (await cpuTime(worker.pid)) - started };
  } finally {
    await worker.stop();
  }
}

/**
 * @param {number} pid
 * @returns {Promise<number>} microseconds of all its threads
 */
async function cpuTime(pid) {
  let sum = 0;
  for (const thread of await readdir(`/proc/${pid}/task`)) {
    const stat = await readFile(`/proc/${pid}/task/${thread}/schedstat`, "utf8").catch(() => "0");
    sum += Number(stat.split(" ")[0]) / 1_000;
  }
  return sum;
}

/** The jobs whose CPU time is taken here, load by load. @type {Record<string, {name: string, load: import("../measure.mjs").Load}[]>} */
export const LOADS = {
  cost: Object.entries(payloads).map(([name, payload], n) => ({
    name,
    load: rows(`cost${n}`, payload),
  })),
  many: manyLoads().map((load) => ({ name: `${load.sessions} sessions`, load })),
};
