// The comparison: `make bench`, or `node benches/peers/compare.mjs`. One peer after the other in each
// runtime, each against a server of its own kind on loopback. PEERS, RUNTIMES and JOBS in the environment
// name a part of it (by commas). Results go to benches/results/, those of less than a whole runtime to
// build/bench/.

import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { spread } from "./measure.mjs";
import { RUNTIMES, peers, versions } from "./peers.mjs";
import { draw } from "./plots.mjs";
import * as chromium from "./runtimes/chromium.mjs";
import * as processes from "./runtimes/processes.mjs";
import * as workerd from "./runtimes/workerd.mjs";
import { startServer } from "./server.mjs";
import { markdown } from "./tables.mjs";

/** @import { PeerInfo, Runtime } from "./peers.mjs" */

/** What is measured where; the rest of what a runtime can say of itself is told from outside. */
/** @type {Record<Runtime, string[]>} */
const JOBS = {
  Node: ["snapshot", "caller", "cost", "many", "flood", "memory", "growth", "cold"],
  Bun: ["snapshot", "caller", "cost", "many", "memory", "cold"],
  Deno: ["snapshot", "caller", "cost", "many", "memory", "cold"],
  workerd: ["snapshot", "cost", "many", "cold"],
  Chromium: ["snapshot", "caller", "cost", "many", "memory", "longtasks"],
};

/** For each payload, in seconds: enough for some hundred calls of all but the slowest. */
const SECONDS = 1;
const COLD_STARTS = 5;
const PAGES = 3;

const listed = (/** @type {string} */ name) => process.env[name]?.split(",");
const wanted = {
  peers: listed("PEERS") ?? peers.map(({ name }) => name),
  runtimes: listed("RUNTIMES") ?? RUNTIMES,
  jobs: listed("JOBS"),
};
/** Whole runtimes take their place beside the others' last results. */
const whole = wanted.jobs === undefined && process.env["PEERS"] === undefined;

/**
 * @param {PeerInfo} peer
 * @param {Runtime} runtime
 * @returns {Promise<any>}
 */
async function measured(peer, runtime) {
  const adapter = peer.adapter(runtime);
  const jobs = JOBS[runtime].filter((job) => wanted.jobs?.includes(job) ?? true);
  const inside = jobs.filter((job) => job !== "cold" && job !== "longtasks");
  const server = await startServer(runtime === "Chromium" ? await chromium.pageOf(adapter) : {});
  try {
    if (runtime === "workerd") return await inWorkerd(adapter, server.url, inside);
    if (runtime !== "Chromium") {
      const args = [adapter, server.url, inside.join(","), String(SECONDS)];
      return inside.length > 0 ? await processes.report(runtime, "child.mjs", args) : {};
    }
    const found = inside.length > 0 ? await chromium.report(server.url, inside, SECONDS) : {};
    if (!jobs.includes("longtasks")) return found;
    const pages = [];
    for (let n = 0; n < PAGES; n++) pages.push(await chromium.longTasks(server.url));
    return { ...found, longtasks: pages.map(({ ms }) => ms) };
  } finally {
    await server.close();
  }
}

/**
 * @param {string} adapter
 * @param {string} url
 * @param {string[]} jobs
 */
async function inWorkerd(adapter, url, jobs) {
  const bundle = await workerd.bundled(adapter);
  /** @type {Record<string, any>} */
  const found = {};
  for (const job of jobs) {
    const loads = workerd.LOADS[job];
    if (!loads) {
      found[job] = JSON.parse((await workerd.ask(bundle, url, { job })).text);
      continue;
    }
    found[job] = [];
    for (const { name, load } of loads) {
      const idle = await workerd.ask(bundle, url, { load: { ...load, updates: 0 } });
      const { text, cpu } = await workerd.ask(bundle, url, { load });
      const { caller: _, ...report } = JSON.parse(text);
      found[job].push({ ...report, name, cpu: (cpu - idle.cpu) / report.updates });
    }
  }
  return found;
}

/**
 * Milliseconds from nothing to the first request, all peers in turns.
 * @param {Runtime} runtime
 * @param {PeerInfo[]} list
 * @returns {Promise<Map<string, import("./measure.mjs").Spread>>}
 */
async function coldStarts(runtime, list) {
  /** @type {Map<string, number[]>} */
  const times = new Map();
  const bundles = new Map();
  for (let n = 0; n < COLD_STARTS; n++) {
    for (const { name, adapter } of list) {
      const file = adapter(runtime);
      const server = await startServer();
      try {
        let from;
        if (runtime === "workerd") {
          if (!bundles.has(file)) bundles.set(file, await workerd.bundled(file));
          ({ from } = await workerd.ask(bundles.get(file), server.url));
        } else {
          const child = /** @type {"Node"} */ (runtime);
          ({ from } = await processes.report(child, "cold.mjs", [file, server.url], 30_000));
        }
        const first = server.first();
        if (first !== undefined) times.set(name, [...(times.get(name) ?? []), first - from]);
      } catch (error) {
        console.error(`  cold start of ${name} in ${runtime}: ${error}`);
      } finally {
        await server.close();
      }
    }
  }
  return new Map([...times].map(([name, values]) => [name, spread(values)]));
}

/** The package under its name, where the adapters look for it. */
async function linkPackage() {
  const link = fileURLToPath(new URL("node_modules/honeyhive-edge", import.meta.url));
  await symlink("../../../pkg", link).catch((error) => {
    if (error.code !== "EEXIST") throw error;
  });
}

const folder = new URL(whole ? "../results/" : "../../build/bench/", import.meta.url);

/** What the last runs found. */
async function before() {
  const text = await readFile(new URL("peers.json", folder), "utf8").catch(() => '{"runtimes":{}}');
  return JSON.parse(text).runtimes;
}

async function write() {
  await mkdir(folder, { recursive: true });
  await writeFile(new URL("peers.json", folder), `${JSON.stringify(results, null, 1)}\n`);
  await writeFile(new URL("peers.md", folder), markdown(results));
  for (const [name, svg] of Object.entries(await draw(results))) {
    await writeFile(new URL(`${name}.svg`, folder), svg);
  }
}

await linkPackage();
/** @type {import("./tables.mjs").Results} */
const results = {
  command: "make bench",
  date: new Date().toISOString().slice(0, 10),
  machine: `${availableParallelism()} cores, ${process.platform} ${process.arch}, Node ${process.version}`,
  versions: Object.fromEntries(
    await Promise.all(peers.map(async (peer) => [peer.name, await versions(peer)])),
  ),
  runtimes: whole && process.env["RUNTIMES"] !== undefined ? await before() : {},
};
const list = peers.filter(({ name }) => wanted.peers.includes(name));
for (const runtime of RUNTIMES.filter((name) => wanted.runtimes.includes(name))) {
  /** @type {Record<string, any>} */
  const found = (results.runtimes[runtime] = {});
  for (const peer of list) {
    const from = performance.now();
    const why = peer.not?.[runtime];
    found[peer.name] = why
      ? { not: why }
      : await measured(peer, runtime).catch((error) => ({ failed: String(error).slice(0, 300) }));
    const seconds = ((performance.now() - from) / 1_000).toFixed(0);
    const { failed } = found[peer.name];
    console.error(`${runtime}, ${peer.name}: ${why ?? failed ?? `${seconds} s`}`);
  }
  if (JOBS[runtime].includes("cold") && (wanted.jobs?.includes("cold") ?? true)) {
    const alone = { name: "fetch alone", packages: [], adapter: () => "fetch" };
    const able = list.filter(({ name }) => name !== "JSON.stringify" && !found[name].not);
    for (const [name, cold] of await coldStarts(runtime, [alone, ...able])) {
      found[name] = { ...found[name], cold };
    }
  }
  await write();
}

console.log(markdown(results));
console.error(`written to ${fileURLToPath(folder)}`);
process.exit(0);
