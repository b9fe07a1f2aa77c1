// The exporter of spans beside OpenTelemetry's own, with both of its processors, at the latency of a real backend:
// `make bench-spans`. Each is a process of its own, in turns, against a server that counts the spans that it got. The CPU
// time is the median of RUNS. LOADS (kilobytes:spans a second, by commas), DELAYS, PROCESSORS, SECONDS and RUNS name a
// part; the whole is written to results/spans.md.

import { createServer } from "node:http";
import { symlink, writeFile } from "node:fs/promises";
import { availableParallelism, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { runToEnd } from "../tests/support/child.mjs";
import { spread } from "./peers/measure.mjs";
import { peers, versions } from "./peers/peers.mjs";

/** @typedef {{ delivered: number, ended: number, cpuMs: number, requests: number }} Result */

const EXPORTERS = /** @type {const} */ (["OpenTelemetry", "honeyhive-edge"]);

const listed = (/** @type {string} */ name, /** @type {string} */ all) =>
  (process.env[name] ?? all).split(",");
const loads = listed("LOADS", "0.2:4000,5:2000,12:400,45:100").map((each) => {
  const [kilobytes = 1, rate = 1] = each.split(":").map(Number);
  return { kilobytes, rate };
});
const delays = listed("DELAYS", "10,100,300").map(Number);
const processors = listed("PROCESSORS", "batch,simple");
const seconds = Number(process.env.SECONDS ?? 20);
const runs = Number(process.env.RUNS ?? 1);
const isWhole = !["LOADS", "DELAYS", "PROCESSORS", "SECONDS", "RUNS"].some(
  (name) => process.env[name],
);

/** A server that answers after a while, once the program has begun to measure, and knows each span by its id. */
async function startServer() {
  const state = {
    delayMs: 0,
    isWarm: false,
    requests: 0,
    spans: /** @type {Set<string>} */ (new Set()),
  };
  const server = createServer((request, response) => {
    if (request.url === "/begin") {
      Object.assign(state, { isWarm: true, requests: 0, spans: new Set() });
      response.end();
      return;
    }
    /** @type {Buffer[]} */
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      state.requests++;
      const body = Buffer.concat(chunks).toString("latin1");
      for (const [, id] of body.matchAll(/"spanId":"([0-9a-f]{16})"/g)) {
        state.spans.add(String(id));
      }
      setTimeout(
        () => {
          response.writeHead(200, { "content-type": "application/json" });
          response.end("{}");
        },
        state.isWarm ? state.delayMs : 0,
      );
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { url: `http://127.0.0.1:${port}`, state, server };
}

const { url, state, server } = await startServer();

/**
 * @param {string} exporter
 * @param {object} load
 * @param {number} delayMs
 * @returns {Promise<Result>}
 */
async function measure(exporter, load, delayMs) {
  Object.assign(state, { delayMs, isWarm: false });
  const program = fileURLToPath(new URL("peers/spans-sender.mjs", import.meta.url));
  const given = JSON.stringify({ ...load, exporter, seconds, url });
  const { code, stdout, stderr } = await runToEnd(process.execPath, [program, given], {
    timeoutMs: 120_000,
  });
  if (code !== 0) throw new Error(`${exporter} ${given}: ${stderr}`);
  const { ended, cpuMs } = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
  return { delivered: state.spans.size, ended, cpuMs, requests: state.requests };
}

/**
 * What several runs came to: their spans altogether, and the medians of the rest.
 * @param {Result[]} results
 * @returns {Result}
 */
function together(results) {
  const total = (/** @type {"delivered" | "ended"} */ what) =>
    results.reduce((sum, result) => sum + result[what], 0);
  return {
    delivered: total("delivered"),
    ended: total("ended"),
    cpuMs: spread(results.map(({ cpuMs }) => cpuMs)).median,
    requests: spread(results.map(({ requests }) => requests)).median,
  };
}

// Before the versions are asked for, the package's own among them.
await symlink("../../../pkg", new URL("peers/node_modules/honeyhive-edge", import.meta.url)).catch(
  (error) => {
    if (error.code !== "EEXIST") throw error;
  },
);
const compared = peers.filter(({ name }) => EXPORTERS.some((exporter) => exporter === name));
const lines = [
  `${availableParallelism()} cores, ${process.platform} ${process.arch}, Node ${process.version}; ${(await Promise.all(compared.map(versions))).flat().join(", ")}; load before: ${loadavg()[0]?.toFixed(1)}.`,
  "",
  "| processor | KB a span | spans/s | ms | spans | OpenTelemetry: delivered | requests | CPU | honeyhive-edge: delivered | requests | CPU | of OpenTelemetry's |",
  "|---|---|---|---|---|---|---|---|---|---|---|---|",
];
console.log(lines.join("\n"));
/** What is lost where OpenTelemetry loses nothing, and by how much this costs more. */
let lost = 0;
/** @type {number[]} */
const ratios = [];
for (const processor of processors) {
  for (const load of loads) {
    for (const delayMs of delays) {
      const results = EXPORTERS.map(() => /** @type {Result[]} */ ([]));
      for (let run = 0; run < runs; run++) {
        for (const [place, exporter] of EXPORTERS.entries()) {
          results[place]?.push(await measure(exporter, { ...load, processor }, delayMs));
        }
      }
      const [other, own] = /** @type {[Result, Result]} */ (results.map(together));
      const told = (/** @type {Result} */ { delivered, ended, requests, cpuMs }) =>
        `${((100 * delivered) / ended).toFixed(1)} % | ${requests} | ${Math.round(cpuMs)} ms`;
      const ratio = own.cpuMs / other.cpuMs;
      // Where a processor's queue is full, neither exporter gets to see what it drops.
      if (other.delivered === other.ended) lost += own.ended - own.delivered;
      ratios.push(ratio);
      const { kilobytes, rate } = load;
      const line = `| ${processor} | ${kilobytes} | ${rate} | ${delayMs} | ${own.ended / runs} | ${told(other)} | ${told(own)} | ${ratio.toFixed(2)} × |`;
      lines.push(line);
      console.log(line);
    }
  }
}
if (isWhole) {
  const title = "# The exporter of spans beside OpenTelemetry's\n\n`make bench-spans`. ";
  await writeFile(new URL("results/spans.md", import.meta.url), `${title}${lines.join("\n")}\n`);
}
server.closeAllConnections();
server.close();
console.log(
  `${lost} spans lost where OpenTelemetry loses none; CPU ${spread(ratios).median.toFixed(2)} times in the median, at most ${Math.max(...ratios).toFixed(2)} times`,
);
process.exitCode = lost > 0 ? 1 : 0;
