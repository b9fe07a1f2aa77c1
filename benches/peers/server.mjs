// One server for all peers, on loopback: it answers each one's API so that its SDK is content, and
// keeps count of requests and of which updates arrived. Updates are told by their keys, which are looked
// for in the body as it is, whatever the format around them.

import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import { leak } from "./measure.mjs";

const unpack = { gzip: gunzipSync, deflate: inflateSync, br: brotliDecompressSync };

/** As measure.mjs makes them. */
const KEY = /m[a-z]+\d*_\d{6}z/g;

/** A key's job, without its number. */
const jobOf = (/** @type {string} */ key) => (/^m([a-z]+)/.exec(key) ?? [])[1] ?? "";

/**
 * What an API answers, by the start of the path; a function gets the server's address.
 * @type {[RegExp, number, (url: string, body: string) => unknown][]}
 */
const ANSWERS = [
  // HoneyHive
  [/^\/v1\/sessions$/, 200, (_, body) => ({ ...JSON.parse(body), event_type: "session" })],
  [/^\/v1\/events\//, 200, () => ({ success: true })],
  // Langfuse v3; the current one speaks OTLP
  [
    /^\/api\/public\/ingestion/,
    207,
    (_, body) => {
      /** @type {{batch: {id: string}[]}} */
      const { batch } = JSON.parse(body);
      return { successes: batch.map(({ id }) => ({ id, status: 201 })), errors: [] };
    },
  ],
  [/^\/api\/public\/otel\/v1\/traces/, 200, () => ({})],
  // LangSmith: what its server says of itself, and both ways of posting runs
  [
    /^\/info/,
    200,
    () => ({
      version: "0.12.0",
      batch_ingest_config: {
        use_multipart_endpoint: true,
        size_limit: 100,
        size_limit_bytes: 20_971_520,
        scale_up_nthreads_limit: 16,
        scale_up_qsize_trigger: 1000,
        scale_down_nempty_trigger: 4,
      },
    }),
  ],
  [/^\/runs/, 202, () => ({ message: "Runs batch ingested" })],
  // Braintrust
  [
    /^\/api\/apikey\/login/,
    200,
    (url) => ({
      org_info: [{ id: ID, name: "bench", api_url: url, proxy_url: url, realtime_url: url }],
    }),
  ],
  [
    /^\/api\/project\/register/,
    200,
    () => ({ project: { id: ID, org_id: ID, name: "bench" }, org_id: ID }),
  ],
  [/^\/version/, 200, () => ({ version: "1.1.0", logs3_payload_max_bytes: null })],
  [/^\/logs3/, 200, () => ({ ids: [] })],
  // PostHog, Sentry, OpenTelemetry
  [/^\/batch/, 200, () => ({ status: 1 })],
  [/^\/(flags|decide)/, 200, () => ({ featureFlags: {} })],
  [/^\/api\/1\/envelope/, 200, () => ({})],
  [/^\/v1\/traces/, 200, () => ({})],
];

const ID = "7d3c1f0e-5a52-4c55-9a0a-111111111111";

/**
 * @typedef {object} Counted
 * @property {number} requests
 * @property {number} bytes as they were sent
 * @property {Map<string, number>} keys of updates that arrived, and when they had, in milliseconds since 1970
 *
 * @typedef {object} Behaviour
 * @property {number} [delayMs] after which it answers; each answer by itself
 * @property {number} [perSecond] requests that it takes in each second: more are answered 429 at once, with
 *   `Retry-After: 1`
 *
 * @typedef {Awaited<ReturnType<typeof startServer>>} Server
 */

/** @returns {Counted} */
const nothing = () => ({ requests: 0, bytes: 0, keys: new Map() });

const now = () => performance.timeOrigin + performance.now();

/**
 * @param {Record<string, {type: string, content: string | Buffer}>} [files] that a page may ask for
 * @param {Behaviour} [behaviour]
 */
export async function startServer(files = {}, { delayMs = 0, perSecond = Infinity } = {}) {
  let counted = nothing();
  let refused = 0;
  /** Requests by the job of their updates, and updates. @type {Map<string, { requests: number, updates: number }>} */
  const jobs = new Map();
  /** The second that is counted, and what was taken in it. */
  const taken = { second: 0, requests: 0 };
  /** @type {Set<string>} */
  const unknown = new Set();
  /** @type {number | undefined} */
  let first;
  let url = "";

  const server = createServer(async (request, response) => {
    const at = now();
    /** @type {Buffer[]} */
    const chunks = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return; // Whoever sent it is gone.
    }
    const path = request.url ?? "/";
    if (path.startsWith("/_taken")) {
      const job = new URL(path, url).searchParams.get("job") ?? "";
      const keys = [...counted.keys.keys()].filter((key) => key.startsWith(`m${job}_`));
      const { requests, bytes } = counted;
      counted = nothing();
      response.end(
        JSON.stringify({ requests, bytes, keys: keys.length, leaked: keys.includes(leak(job)) }),
      );
      return;
    }
    const file = files[path];
    if (file) {
      // Isolated from other origins, a page gets a finer clock.
      response.writeHead(200, {
        "content-type": file.type,
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-embedder-policy": "require-corp",
      });
      response.end(file.content);
      return;
    }
    first ??= at;
    const second = Math.floor(at / 1_000);
    if (taken.second !== second) Object.assign(taken, { second, requests: 0 });
    if (++taken.requests > perSecond) {
      refused++;
      response.writeHead(429, { "content-type": "application/json", "retry-after": "1" });
      response.end('{"message":"too many requests"}');
      return;
    }
    const sent = Buffer.concat(chunks);
    const encoding = request.headers["content-encoding"] ?? "";
    const body = encoding in unpack ? unpack[/** @type {"gzip"} */ (encoding)](sent) : sent;
    const answer = ANSWERS.find(([pattern]) => pattern.test(path));
    if (!answer) unknown.add(`${request.method} ${path}`);
    counted.requests++;
    counted.bytes += sent.length;
    const text = body.toString("latin1");
    const keys = new Set(Array.from(text.matchAll(KEY), ([key]) => key));
    const [, status, say] = answer ?? [/$/, 404, () => ({ message: "not here" })];
    const content = JSON.stringify(say(url, text));
    if (delayMs > 0) await sleep(delayMs);
    const said = now();
    for (const key of keys) {
      const of = jobOf(key);
      const job = jobs.get(of) ?? { requests: 0, updates: 0 };
      jobs.set(of, job);
      if (!counted.keys.has(key)) job.updates++;
      counted.keys.set(key, counted.keys.get(key) ?? said);
    }
    for (const of of new Set([...keys].map(jobOf))) {
      /** @type {{ requests: number }} */ (jobs.get(of)).requests++;
    }
    response.writeHead(status, { "content-type": "application/json" });
    response.end(content);
  });
  server.keepAliveTimeout = 60_000;
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  url = `http://127.0.0.1:${port}`;

  return {
    url,
    /** Requests for which there was no answer. */
    unknown,
    /** When the first request came, in milliseconds since 1970. */
    first: () => first,
    /** When each update had arrived. */
    arrivals: () => counted.keys,
    counts: () => ({ requests: counted.requests, refused }),
    /** Requests and updates of all jobs whose name is this but for its number. */
    ofJob: (/** @type {string} */ name) => jobs.get(name) ?? { requests: 0, updates: 0 },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
