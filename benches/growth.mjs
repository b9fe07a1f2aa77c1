// What a call costs with few others around and with many: the ratio is what counts, and is at most 1.5 where cost is
// straight. In processor time of a process of its own each, so that other work on the machine changes little.
//
//   node benches/growth.mjs                     all kinds, 1,000 and 40,000
//   FEW=500 MANY=5000 node benches/growth.mjs   fewer

import { fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const FEW = Number(process.env["FEW"] ?? 1_000);
const MANY = Number(process.env["MANY"] ?? 40_000);
const CLOSED = Number(process.env["CLOSED"] ?? 16_000);

const pkg = fileURLToPath(new URL("../pkg/index.js", import.meta.url));

/** Processor time of this process so far, milliseconds. */
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const OPTIONS = { apiKey: "key", serverUrl: "https://hive.example", maxQueueBytes: 1e12 };
const answers = async () => new Response("{}");
const hangs = () => new Promise(() => {});

/**
 * @param {any} api
 * @param {number} count
 * @param {(number: number) => object} [options]
 * @returns {Promise<any[]>}
 */
async function open({ initTracer, flush }, count, options = () => ({})) {
  const tracers = [];
  for (let number = 0; number < count; number++) {
    tracers.push(await initTracer({ ...OPTIONS, fetch: answers, ...options(number) }));
  }
  await flush({ timeoutMs: 600_000 });
  return tracers;
}

/**
 * What is done so often, and what it costs each time; what comes before is not counted.
 * @type {Record<string, (api: any, count: number) => Promise<number>>}
 */
const KINDS = {
  "close a tracer at its timeout": async (api, count) => {
    const tracers = await open(api, count, () => ({ fetch: hangs }));
    const before = cpu();
    await Promise.all(tracers.map((tracer) => tracer.close({ timeoutMs: 100 })));
    return cpu() - before;
  },
  "enrich and flush one of N busy sessions": async (api, count) => {
    const tracers = await open(api, count, () => ({ mergeWindowMs: 600_000 }));
    for (const tracer of tracers) void tracer.enrichSession({ metadata: { a: 1 } });
    await Promise.resolve();
    const before = cpu();
    await Promise.all(
      tracers.map((tracer) => {
        void tracer.enrichSession({ metadata: { b: 1 } });
        return tracer.flush({ timeoutMs: 600_000 });
      }),
    );
    return cpu() - before;
  },
  "a bare call by id among N tracers": async (api, count) => {
    const tracers = await open(api, count);
    const before = cpu();
    const calls = tracers.map(({ sessionId }) =>
      api.enrichSession(sessionId, { metadata: { a: 1 } }),
    );
    await Promise.all(calls);
    return cpu() - before;
  },
  "open a tracer with a fetch of its own": async (api, count) => {
    const before = cpu();
    await open(api, count, () => ({ fetch: async () => new Response("{}") }));
    return cpu() - before;
  },
  "the same after N of them were closed": async (api, count) => {
    const own = () => ({ fetch: async () => new Response("{}") });
    const tracers = await open(api, count, own);
    await Promise.all(tracers.map((tracer) => tracer.close()));
    const before = cpu();
    await open(api, count, own);
    return cpu() - before;
  },
  "enrich one of N sessions in one request": async (api, count) => {
    const [tracer] = await open(api, 1, () => ({ waitUntil() {} }));
    const before = cpu();
    const calls = uuids(count).map((id) => tracer.enrichSession(id, { metadata: { a: 1 } }));
    await Promise.all(calls);
    return cpu() - before;
  },
  "the same while the server fails": async (api, count) => {
    let worksFrom = 0;
    const fails = async () => new Response("{}", { status: Date.now() < worksFrom ? 503 : 200 });
    const options = { waitUntil() {}, fetch: fails, deadlineMs: 600_000, logLevel: "silent" };
    const [tracer] = await open(api, 1, () => options);
    worksFrom = Date.now() + 2_000;
    const before = cpu();
    const calls = uuids(count).map((id) => tracer.enrichSession(id, { metadata: { a: 1 } }));
    await Promise.all(calls);
    return cpu() - before;
  },
  "enrich in one of N requests": async (api, count) => {
    const tracers = await open(api, count, () => ({ waitUntil() {} }));
    const before = cpu();
    await Promise.all(tracers.map((tracer) => tracer.enrichSession({ metadata: { a: 1 } })));
    return cpu() - before;
  },
  "addMetrics of one of N continued sessions": async (api, count) => {
    const ids = uuids(count);
    const tracers = await open(api, count, (number) => ({ sessionId: ids[number] }));
    const before = cpu();
    await Promise.all(tracers.map((tracer) => tracer.addMetrics({ cost: 1 })));
    return cpu() - before;
  },
};

/** So many session ids. */
const uuids = (/** @type {number} */ count) => Array.from({ length: count }, () => randomUUID());

/**
 * The longest that closing so many tracers holds up the program, processor time in milliseconds.
 * @param {any} api
 */
async function longestBlock(api) {
  const tracers = await open(api, CLOSED, () => ({ fetch: hangs }));
  const closes = tracers.map((tracer) => tracer.close({ timeoutMs: 100 }));
  let longest = 0;
  let last = cpu();
  const look = setInterval(() => {
    const now = cpu();
    longest = Math.max(longest, now - last);
    last = now;
  }, 1);
  await Promise.all(closes);
  clearInterval(look);
  return longest;
}

if (process.send) {
  const [kind, count] = process.argv.slice(2);
  // The tracers whose fetch never answers are never flushed: nobody waits for that here.
  const api = await import(pathToFileURL(join(pkg)).href);
  const patient = { ...api, flush: (/** @type {object} */ it) => quick(api, it) };
  process.send(
    kind === "block"
      ? await longestBlock(patient)
      : await /** @type {any} */ (KINDS[String(kind)])(patient, Number(count)),
  );
  process.exit();
} else {
  console.log(
    `| processor time of each, µs | N = ${FEW} | N = ${MANY} | ratio |\n|---|---|---|---|`,
  );
  for (const kind of Object.keys(KINDS)) {
    const [few, many] = [await each(kind, FEW), await each(kind, MANY)];
    console.log(
      `| ${kind} | ${few.toFixed(1)} | ${many.toFixed(1)} | ${(many / few).toFixed(2)} |`,
    );
  }
  const block = await measure("block", CLOSED);
  console.log(
    `\nclosing ${CLOSED} tracers holds up the program for ${block.toFixed(0)} ms at most`,
  );
}

/**
 * @param {any} api
 * @param {object} options
 */
async function quick(api, options) {
  const hung = new Promise((resolve) => setTimeout(resolve, 500));
  await Promise.race([api.flush(options), hung]);
}

/**
 * Microseconds, the least of three.
 * @param {string} kind
 * @param {number} count
 */
async function each(kind, count) {
  const times = [];
  for (let i = 0; i < 3; i++) times.push(await measure(kind, count));
  return (Math.min(...times) * 1000) / count;
}

/**
 * @param {string} kind
 * @param {number} count
 * @returns {Promise<number>}
 */
async function measure(kind, count) {
  const child = fork(fileURLToPath(import.meta.url), [kind, String(count)]);
  const [result] = await once(child, "message");
  return result;
}
