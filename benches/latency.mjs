// The package at the latency of a real backend, beside its peers and a bare `fetch` loop: `make bench-latency`. Each is
// a process of its own, one after the other, against a server that takes its time. JOBS and RUNTIMES name a part of it
// (by commas), whose results take their place among those of benches/results/latency.*; those of PEERS, RATES and DELAYS
// go to build/bench/.

import { execFileSync } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { availableParallelism, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { bun, deno } from "../tests/support/binaries.mjs";
import { runToEnd } from "../tests/support/child.mjs";
import { EACH } from "./latency/load.mjs";
import { draw } from "./latency/plot.mjs";
import { markdown } from "./latency/table.mjs";
import { startWorkers } from "./latency/worker.mjs";
import { spread } from "./peers/measure.mjs";
import { peers, versions } from "./peers/peers.mjs";
import { startServer } from "./peers/server.mjs";

/** @import { Row } from "./latency/table.mjs" */

const OURS = "honeyhive-edge";

/** Those who are beside it. `PEERS=fetch` names the loops of all widths. */
const PEERS = [
  OURS,
  "langfuse",
  "@langfuse/otel",
  "posthog-node",
  "langsmith",
  "braintrust",
  "OpenTelemetry",
  ...[6, 64, 128, 256].map((lanes) => `fetch, ${lanes} at once`),
];
const RUNTIMES = ["Node", "Deno", "Bun", "workerd"];

/** `large` is the batch of 100,000, which takes as long as all the rest. */
const JOBS = ["batch", "cpu", "sessions", "capped", "large"];
const SECONDS = 5;

/** What the guide says a call takes, and what the comparison with others is at. */
const DELAY_MS = 100;

/** Requests a second that a capped server takes, and the ids that it is given. */
const CAP = 50;
const CAPPED_IDS = 1_000;

const listed = (/** @type {string} */ name) => process.env[name]?.split(",");
const wanted = {
  peers: listed("PEERS") ?? PEERS,
  runtimes: listed("RUNTIMES") ?? RUNTIMES,
  jobs: listed("JOBS") ?? JOBS,
  rates: (listed("RATES") ?? ["25", "50", "100", "200", "400"]).map(Number),
  delays: (listed("DELAYS") ?? ["20", "100", "200"]).map(Number),
};
const whole = !["PEERS", "RATES", "DELAYS"].some((name) => process.env[name]);
const folder = new URL(whole ? "results/" : "../build/bench/", import.meta.url);

/** @type {Record<string, () => [string, ...string[]]>} */
const COMMANDS = {
  Node: () => [process.execPath],
  Bun: () => [bun(), "run"],
  Deno: () => [deno(), "run", "-A", "--quiet", "--node-modules-dir=manual", "--no-lock"],
};
const CHILD = fileURLToPath(new URL("latency/child.mjs", import.meta.url));

/** @param {string} peer */
function adapterOf(peer) {
  const lanes = /^fetch, (\d+) at once$/.exec(peer)?.[1];
  if (lanes) return { adapter: "fetch", lanes: Number(lanes) };
  const known = peers.find(({ name }) => name === peer);
  if (!known) throw new Error(`there is no peer ${peer}: ${PEERS.join("; ")}`);
  return { adapter: known.adapter("Node") };
}

/**
 * @param {string} runtime
 * @param {string} peer
 * @param {string} url
 * @param {string} kind
 * @param {object} load
 * @returns {Promise<any>} what load.mjs reports
 */
async function run(runtime, peer, url, kind, load) {
  const [command, ...flags] = /** @type {() => [string]} */ (COMMANDS[runtime])();
  const { adapter, lanes } = adapterOf(peer);
  const given = JSON.stringify(lanes ? { ...load, lanes } : load);
  const args = [...flags, CHILD, adapter, url, kind, given];
  const { stdout, stderr, code } = await runToEnd(command, args, {
    timeoutMs: 300_000,
  });
  const found = /^REPORT (.*)$/m.exec(stdout)?.[1];
  if (found === undefined) throw new Error(`ended with ${code}: ${(stderr || stdout).slice(-300)}`);
  return JSON.parse(found);
}

/**
 * What became of what was said: by the server, which knows when it said yes, alike for all; and by the
 * promises of this package.
 * @param {import("./latency/load.mjs").Calls} calls
 * @param {import("./peers/server.mjs").Server} server
 * @returns {Partial<Row>}
 */
function outcome({ at, delivered, dropped, ms }, server) {
  const arrivals = server.arrivals();
  const keys = Object.keys(at);
  const late = keys.flatMap((key) => {
    const arrived = arrivals.get(key);
    return arrived === undefined ? [] : [arrived - /** @type {number} */ (at[key])];
  });
  const { requests, refused } = server.counts();
  return {
    said: keys.length,
    stored: late.length,
    requests,
    refused,
    late: percentiles(late),
    told: percentiles(delivered),
    dropped,
    ms,
  };
}

/** @param {number[]} values milliseconds */
function percentiles(values) {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const at = (/** @type {number} */ part) =>
    Math.round(sorted[Math.floor((sorted.length - 1) * part)] ?? NaN);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

const list = PEERS.filter((peer) => {
  return (
    wanted.peers.includes(peer) || (peer.startsWith("fetch") && wanted.peers.includes("fetch"))
  );
});

/** What a row is about, by which a later one takes its place. @param {Row} row */
const about = ({ job, runtime, peer, rate, ids, delayMs }) =>
  [job, runtime, peer, rate, ids, delayMs].join(" ");

/** Those of the last runs. @returns {Promise<Row[]>} */
async function before() {
  if (!whole) return [];
  const text = await readFile(new URL("latency.json", folder), "utf8").catch(() => '{"rows":[]}');
  return JSON.parse(text).rows;
}
const known = await before();

/** @type {Row[]} */
const rows = [];

// Before the versions are asked for, the package's own among them.
await symlink("../../../pkg", new URL("peers/node_modules/honeyhive-edge", import.meta.url)).catch(
  (error) => {
    if (error.code !== "EEXIST") throw error;
  },
);

/** What is known of the machine and of what runs on it. */
const setting = {
  command: "make bench-latency",
  date: new Date().toISOString().slice(0, 10),
  machine: `${availableParallelism()} cores, ${process.platform} ${process.arch}, Node ${process.version}`,
  commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], {
    encoding: "utf8",
  }).trim(),
  versions: (
    await Promise.all(peers.filter(({ name }) => list.includes(name)).map(versions))
  ).flat(),
  each: EACH,
  seconds: SECONDS,
  cap: CAP,
};

/** After each row: a run that is broken off has said something. */
async function write() {
  const again = new Set(rows.map(about));
  const results = {
    ...setting,
    rows: [...known.filter((row) => !again.has(about(row))), ...rows],
  };
  await mkdir(folder, { recursive: true });
  await writeFile(new URL("latency.json", folder), `${JSON.stringify(results, null, 1)}\n`);
  await writeFile(new URL("latency.md", folder), markdown(results));
  for (const [name, svg] of Object.entries(await draw(results))) {
    await writeFile(new URL(`${name}.svg`, folder), svg);
  }
  return markdown(results);
}

/**
 * @param {Row} row as far as it is known before
 * @param {import("./peers/server.mjs").Behaviour} behaviour
 * @param {(server: import("./peers/server.mjs").Server) => Promise<Partial<Row>>} measure
 */
async function measured(row, behaviour, measure) {
  const server = await startServer({}, behaviour);
  const from = performance.now();
  try {
    rows.push({ ...row, ...(await measure(server)), load: loadavg()[0] ?? 0 });
  } catch (error) {
    rows.push({ ...row, failed: String(error).slice(0, 200) });
  } finally {
    await server.close();
  }
  const { stored, said, failed, late } = /** @type {Row} */ (rows.at(-1));
  const seconds = ((performance.now() - from) / 1_000).toFixed(0);
  const what = [row.job, row.runtime, row.peer, row.rate ?? row.ids ?? "", `${row.delayMs} ms`];
  const found = failed ?? `${stored} of ${said}, p50 ${late?.p50}, p99 ${late?.p99}`;
  console.error(`${what.join(", ")}: ${found} (${seconds} s)`);
  await write();
}

/**
 * @param {string} runtime
 * @param {string} peer
 * @param {number} rate
 * @param {number} delayMs
 */
const sessions = (runtime, peer, rate, delayMs) =>
  measured({ job: "sessions", runtime, peer, rate, delayMs }, { delayMs }, async (server) => {
    const load = { job: "sessions", rate, seconds: SECONDS };
    return outcome(await run(runtime, peer, server.url, "sessions", load), server);
  });

/**
 * @param {string} runtime
 * @param {string} peer
 * @param {number} ids
 */
const batch = (runtime, peer, ids) =>
  measured(
    { job: "batch", runtime, peer, ids, delayMs: DELAY_MS },
    { delayMs: DELAY_MS },
    async (server) => {
      const calls = await run(runtime, peer, server.url, "batch", {
        job: "batch",
        ids,
      });
      return outcome(calls, server);
    },
  );

/** What a server gets that takes so many requests a second and says when to come again. */
const capped = () =>
  measured(
    {
      job: "capped",
      runtime: "Node",
      peer: OURS,
      ids: CAPPED_IDS,
      delayMs: DELAY_MS,
    },
    { delayMs: DELAY_MS, perSecond: CAP },
    async (server) => {
      const load = { job: "capped", ids: CAPPED_IDS };
      const found = outcome(await run("Node", OURS, server.url, "batch", load), server);
      const times = [...server.arrivals().values()];
      const seconds = (Math.max(...times) - Math.min(...times)) / 1_000;
      return { ...found, capUsed: times.length / seconds / CAP };
    },
  );

/** CPU for each request, in turns with bare fetches of the same body. */
const cpu = () =>
  measured(
    { job: "cpu", runtime: "Node", peer: OURS, delayMs: 20 },
    { delayMs: 20 },
    async (server) => {
      const found = await run("Node", OURS, server.url, "turns", { lanes: 64 });
      const per = (/** @type {string} */ of) => {
        const { requests, updates } = server.ofJob(of);
        return requests / updates;
      };
      const ratios = found.ours.map((/** @type {number} */ micros, /** @type {number} */ n) => {
        return micros / per("ours") / (found.bare[n] / per("bare"));
      });
      const keys = server.arrivals().size;
      return {
        said: keys,
        stored: keys,
        cpu: { ...found, ratio: spread(ratios) },
      };
    },
  );

const bare = list.filter((peer) => peer.startsWith("fetch"));
const ours = list.includes(OURS);

const has = (/** @type {string} */ job) => wanted.jobs.includes(job);

/** Rates at which others are looked at. */
const few = wanted.rates.filter((rate) => [25, 100, 400].includes(rate));

if (wanted.runtimes.includes("Node")) {
  // What they are held to first, then the package, then the others: a run that is broken off has said the most.
  if (has("batch")) {
    for (const peer of bare) await batch("Node", peer, peer.startsWith("fetch, 6 ") ? 600 : 10_000);
    if (ours) await batch("Node", OURS, 10_000);
  }
  if (has("cpu") && ours) await cpu();
  if (has("capped") && ours) await capped();
  if (has("sessions")) {
    for (const delayMs of ours ? wanted.delays : []) {
      for (const rate of wanted.rates) await sessions("Node", OURS, rate, delayMs);
    }
    for (const peer of list.filter((each) => each !== OURS)) {
      for (const rate of few) await sessions("Node", peer, rate, DELAY_MS);
    }
  }
  if (has("batch")) {
    const others = list.filter((peer) => peer !== OURS && !bare.includes(peer));
    for (const peer of others) await batch("Node", peer, 10_000);
  }
  if (has("large")) {
    const most = list.filter((peer) => !bare.includes(peer) || peer.includes("256"));
    for (const peer of most) await batch("Node", peer, 100_000);
  }
}
for (const runtime of ["Deno", "Bun"].filter((name) => ours && wanted.runtimes.includes(name))) {
  if (has("sessions")) for (const rate of few) await sessions(runtime, OURS, rate, DELAY_MS);
  if (has("batch")) await batch(runtime, OURS, 10_000);
}
if (ours && has("sessions") && wanted.runtimes.includes("workerd")) {
  for (const rate of few) {
    const row = {
      job: "sessions",
      runtime: "workerd",
      peer: OURS,
      rate,
      delayMs: DELAY_MS,
    };
    await measured(row, { delayMs: DELAY_MS }, async (server) => {
      const workers = await startWorkers(server.url);
      try {
        return outcome(await workers.sessions({ rate, seconds: SECONDS }), server);
      } finally {
        await workers.stop();
      }
    });
  }
}

console.log(await write());
console.error(`written to ${fileURLToPath(folder)}`);
process.exit(0);
