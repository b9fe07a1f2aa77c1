// What the relay adds to a request's latency, in real workerd: an update sent straight to the backend,
// through a Worker that only forwards it with the key, and through the relay; in turns, over real HTTP
// and kept-alive connections. Then how long the queue's consumer takes for a batch of a hundred sessions that are new to it,
// at a backend that answers after 100 ms. The backend is the local one.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { startBackend } from "../www-demo/backend/server.mjs";

/** The built package, which is not there yet when types are checked. @type {typeof import("honeyhive-edge/relay")} */
const { issueTicket } = await import(new URL("../pkg/relay.js", import.meta.url).href);

/** @type {string} */
const workerd = createRequire(new URL("../www-demo/", import.meta.url))("workerd").default;
const pkg = fileURLToPath(new URL("../pkg/", import.meta.url));

const KEY = "bench";
const SECRET = "a-secret-of-the-benchmark-0123456789";
const ROUNDS = 1_500;
const WARM_UP = 300;

const BATCHES = 5;
const SESSIONS = 100;
const LATENCY_MS = 100;

const WORKER = `
  import { createConsumer, createRelay } from "./relay.workerd.js";

  const rate = { requests: 1e9, seconds: 1 };
  let relay;
  export default {
    async fetch(request, env) {
      const { pathname } = new URL(request.url);
      if (pathname.startsWith("/honeyhive")) {
        relay ??= createRelay({ apiKey: env.KEY, secret: env.SECRET, serverUrl: env.BACKEND, rate });
        return relay(request);
      }
      if (pathname === "/batch") {
        const told = [];
        const messages = (await request.json()).map((body) => ({
          body,
          attempts: 1,
          ack: () => told.push("ack"),
          retry: () => told.push("retry"),
        }));
        await createConsumer({ apiKey: env.KEY, serverUrl: env.BACKEND })({ messages });
        return Response.json(told);
      }
      const headers = { authorization: "Bearer " + env.KEY, "content-type": "application/json" };
      const { method } = request;
      const body = await request.text();
      const answer = await fetch(env.BACKEND + pathname, { method, headers, body });
      return new Response(await answer.text(), answer);
    },
  };
`;

const agent = new Agent({ keepAlive: true });

/**
 * @param {string} method
 * @param {string} url
 * @param {string} bearer
 * @param {string} body
 * @returns {Promise<number>} milliseconds until all of the answer was there
 */
function timed(method, url, bearer, body) {
  const from = performance.now();
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${bearer}`, "content-type": "application/json" };
    const sent = request(url, { method, headers, agent }, (response) => {
      response.resume().on("end", () => {
        if (response.statusCode !== 200) reject(new Error(`${url}: ${response.statusCode}`));
        else resolve(performance.now() - from);
      });
    });
    sent.on("error", reject).end(body);
  });
}

/** @param {string} backend its address */
async function startWorker(backend) {
  const folder = await mkdtemp(join(tmpdir(), "relay-bench-"));
  for (const name of ["relay.workerd.js", "relay.wasm"])
    await cp(join(pkg, name), join(folder, name));
  await writeFile(join(folder, "entry.js"), WORKER);
  await build({
    entryPoints: [join(folder, "entry.js")],
    outfile: join(folder, "worker.js"),
    bundle: true,
    format: "esm",
    external: ["cloudflare:workers", "*.wasm"],
    logLevel: "warning",
  });
  const texts = Object.entries({ KEY, SECRET, BACKEND: backend }).map(
    ([name, value]) => `(name = "${name}", text = "${value}")`,
  );
  await writeFile(
    join(folder, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
     const config :Workerd.Config = (
       services = [
         (name = "worker", worker = .worker),
         (name = "loopback", network = (allow = ["local"])),
       ],
       sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "worker")],
     );
     const worker :Workerd.Worker = (
       modules = [
         (name = "worker.js", esModule = embed "worker.js"),
         (name = "./relay.wasm", wasm = embed "relay.wasm"),
       ],
       bindings = [${texts.join(", ")}],
       compatibilityDate = "2026-10-01",
       globalOutbound = "loopback",
     );`,
  );
  const child = spawn(workerd, ["serve", "config.capnp", "--control-fd=3"], {
    cwd: folder,
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
  const ended = once(child, "exit");
  const control = /** @type {import("node:stream").Readable} */ (child.stdio[3]);
  const port = await new Promise((resolve, reject) => {
    createInterface({ input: control }).on("line", (line) => resolve(JSON.parse(line).port));
    void ended.then(() => reject(new Error("workerd ended by itself")));
  });
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      child.kill("SIGTERM");
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}

/**
 * @param {number[]} values
 * @param {number} part of them that is smaller
 */
const quantile = (values, part) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * part)] ?? 0;

/** A message for the queue, of a session that nobody has heard of. */
function newMessage() {
  const fields = JSON.stringify({ metadata: { plan: "pro" }, feedback: { rating: 5 } });
  return `hhq1 ${crypto.randomUUID()} ${Date.now()}000000\n${fields}`;
}

async function measureBatches() {
  await fetch(`${backend.url}/_local`, { method: "DELETE" });
  const faults = JSON.stringify([{ delayMs: LATENCY_MS }]);
  await fetch(`${backend.url}/_local/faults`, { method: "PUT", body: faults });
  const times = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    const body = JSON.stringify(Array.from({ length: SESSIONS }, newMessage));
    const from = performance.now();
    const told = await (await fetch(`${worker.url}/batch`, { method: "POST", body })).json();
    times.push(performance.now() - from);
    if (told.length !== SESSIONS || told.includes("retry")) throw new Error(`${told}`);
  }
  const { inFlight } = await (await fetch(`${backend.url}/_local/stats`)).json();
  const text = times.map((ms) => `${Math.round(ms)} ms`).join(", ");
  console.log(`batches of ${SESSIONS} new sessions, at ${LATENCY_MS} ms a request: ${text}`);
  console.log(`at most ${inFlight.max} requests at once`);
}

const backend = await startBackend();
const worker = await startWorker(backend.url);
try {
  const sessionId = crypto.randomUUID();
  await timed("POST", `${backend.url}/v1/sessions`, KEY, JSON.stringify({ session_id: sessionId }));
  const ticket = await issueTicket({ sessionId, fields: ["feedback"], secret: SECRET });
  const comment = "It answered what I had asked, and quickly. ".repeat(6);
  const body = JSON.stringify({ feedback: { rating: 5, comment } });
  const path = `/v1/events/${sessionId}`;
  /** @type {[string, string, string, number[]][]} */
  const ways = [
    ["to the backend", `${backend.url}${path}`, KEY, []],
    ["through a forwarding Worker", `${worker.url}${path}`, KEY, []],
    ["through the relay", `${worker.url}/honeyhive${path}`, ticket, []],
  ];
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    for (const [, url, bearer, times] of ways) {
      const ms = await timed("PUT", url, bearer, body);
      if (round >= WARM_UP) times.push(ms);
    }
  }
  console.log(`Node ${process.version}; ${ROUNDS} updates of ${body.length} B each way, in turns`);
  for (const [name, , , times] of ways) {
    const columns = [0.5, 0.95].map((part) => `${quantile(times, part).toFixed(2)} ms`);
    console.log(`${name.padEnd(30)}median ${columns[0].padEnd(12)}95 % ${columns[1]}`);
  }
  const [forwarding, relaying] = ways.slice(1).map(([, , , times]) => times);
  const added = quantile(relaying ?? [], 0.5) - quantile(forwarding ?? [], 0.5);
  console.log(`the relay's checks add ${added.toFixed(2)} ms to a Worker that only forwards`);
  await measureBatches();
} finally {
  agent.destroy();
  await worker.stop();
  await backend.close();
}
