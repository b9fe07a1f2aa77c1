// Many requests to a server of which none closes its tracer, some at a time, and what they leave in its
// memory: in workerd and in Node, both over real HTTP, with the local backend.

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { Agent, get } from "node:http";
import { text } from "node:stream/consumers";
import { WebSocket } from "ws";
import { KEYS, startBackends } from "../support/backends.mjs";
import { node } from "../support/binaries.mjs";
import { start, until } from "../support/child.mjs";
import { consumer } from "../support/package.mjs";
import { bundleWorker, startWorker } from "../support/workerd.mjs";
import { CONFIGURATIONS } from "./workers.mjs";

/** Connections to the server. */
const AT_A_TIME = 50;

/** Requests until what they queued is waited for: a backlog is no leak, but memory of wasm never shrinks again. */
const ROUND = 500;

const worker = `
  import { held, serve } from "./unclosed.mjs";
  import * as api from "honeyhive-edge";

  export default {
    async fetch({ url }) {
      if (url.endsWith("/held")) return Response.json(await held());
      await serve(api);
      return new Response("ok");
    },
  };
`;
const server = `
  import { held, serve } from "./unclosed.mjs";
  import { createServer } from "node:http";
  import * as api from "honeyhive-edge";

  const server = createServer(async ({ url }, response) => {
    if (url === "/held") return response.end(JSON.stringify(await held()));
    await serve(api);
    response.end("ok");
  });
  server.listen(0, "127.0.0.1", () => console.log("port", server.address().port));
`;

/**
 * @typedef {object} Reading
 * @property {number} requests so far
 * @property {number} wasm bytes
 * @property {number} heap bytes of JavaScript, after a collection
 * @property {number} rss bytes of the whole process
 * @property {number} tracers that the module holds
 *
 * @typedef {object} Served
 * @property {string} url
 * @property {number} pid
 * @property {string | undefined} [inspector] where it has to be asked for the heap
 * @property {{ stdout: string, stderr: string }} output
 * @property {() => Promise<void>} stop
 */

/** Starts a server, which is given these variables. @typedef {(env: Record<string, string>) => Promise<Served>} Serve */

/** What runs inside. */
const unclosed = () => readFile(new URL("unclosed.mjs", import.meta.url), "utf8");

/**
 * @param {import("../support/workerd.mjs").WorkerOptions} options
 * @returns {Serve}
 */
const inWorkerd = (options) => async (bindings) => {
  const own = await unclosed();
  const name = `unclosed-${options.compatibilityDate}-${options.flags?.length ?? 0}`;
  const project = await consumer(name, { "worker.mjs": worker, "unclosed.mjs": own });
  const measured = { bindings, v8Flags: ["--expose-gc"], inspected: true };
  return startWorker(await bundleWorker(project), { ...options, ...measured });
};

/**
 * @param {string} version
 * @returns {Serve}
 */
const inNode = (version) => async (env) => {
  const own = await unclosed();
  const cwd = await consumer(`unclosed-node-${version}`, {
    "server.mjs": server,
    "unclosed.mjs": own,
  });
  const program = start(node(version), ["--expose-gc", "server.mjs"], { cwd, env });
  const port = await until(() => /port (\d+)/.exec(program.output.stdout)?.[1], {
    what: `Node ${version} to listen`,
  });
  const { output, stop } = program;
  const pid = /** @type {number} */ (program.child.pid);
  return { url: `http://127.0.0.1:${port}`, pid, output, stop };
};

/** @type {Record<string, Serve>} */
export const SERVERS = {
  ...Object.fromEntries(
    Object.entries(CONFIGURATIONS).map(([name, options]) => [
      `workerd ${name}`,
      inWorkerd(options),
    ]),
  ),
  "Node 20": inNode("20"),
  "Node 26": inNode("26"),
};

/**
 * @param {Serve} serve
 * @param {number[]} steps after so many requests each it is read what is held
 * @returns {Promise<{ readings: Reading[], stats: any, output: Served["output"] }>} and what the backend saw
 */
export async function run(serve, steps) {
  const backends = await startBackends();
  const { v1 } = backends;
  const agent = new Agent({ keepAlive: true, maxSockets: AT_A_TIME });
  const { url, pid, inspector, output, stop } = await serve({
    HH_API_KEY: KEYS.main,
    HH_API_URL: v1.url,
  });
  const ask = async (/** @type {string} */ path) => text(await got(url + path, agent));
  try {
    /** @type {Reading[]} */
    const readings = [];
    let requests = 0;
    for (const step of steps) {
      for (const end = requests + step; requests < end;) {
        const round = Math.min(ROUND, end - requests);
        let begun = 0;
        const one = async () => {
          while (begun++ < round) await ask("/");
        };
        await Promise.all(Array.from({ length: AT_A_TIME }, one));
        requests += round;
        const sessions = async () => (await v1.stats()).sessions === requests;
        await until(sessions, { what: `${requests} sessions to be stored` });
      }
      const own = JSON.parse(await ask("/held"));
      const heap = inspector ? await heapIn(inspector) : own.heap;
      readings.push({ requests, rss: await residentBytes(pid), ...own, heap });
    }
    return { readings, stats: await v1.stats(), output };
  } finally {
    agent.destroy();
    await stop();
    await backends.close();
  }
}

/**
 * @param {string} url
 * @param {Agent} agent
 * @returns {Promise<import("node:http").IncomingMessage>}
 */
const got = (url, agent) =>
  new Promise((resolve, reject) => {
    get(url, { agent }, resolve).on("error", reject);
  });

/**
 * @param {string} inspector of workerd
 * @returns {Promise<number>} bytes of JavaScript
 */
async function heapIn(inspector) {
  const socket = new WebSocket(`ws://${inspector}/worker`);
  try {
    await once(socket, "open");
    socket.send(JSON.stringify({ id: 1, method: "Runtime.getHeapUsage" }));
    const [answer] = await once(socket, "message");
    return JSON.parse(String(answer)).result.usedSize;
  } finally {
    socket.close();
  }
}

/** @param {number} pid */
async function residentBytes(pid) {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
}
