// The relay with a queue in front of the backend, on miniflare's queues: answered when it is stored
// there, delivered by the consumer in batches, retried by the queue, and what cannot be delivered found
// among the dead letters.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { Miniflare } from "miniflare";
import { documents } from "../docs/documents.mjs";
import { startBackends } from "../support/backends.mjs";
import { until } from "../support/child.mjs";
import { consumer } from "../support/package.mjs";
import { bundleWorker } from "../support/workerd.mjs";
import { ask } from "./ask.mjs";
import { ATTACKS, good } from "./attacks.mjs";
import { API_KEY, SECRETS, forge } from "./forge.mjs";

const worker = `
  import { env } from "cloudflare:workers";
  import { createConsumer, createRelay } from "honeyhive-edge/relay";

  const relay = createRelay({ queue: env.QUEUE, logLevel: "debug" });
  const deliver = createConsumer({ retryDelay: env.RETRY_DELAY });
  const dead = [];

  // Time that passes faster: who is told to wait for twenty seconds waits for one.
  const scaled = ({ messages }) => ({
    messages: messages.map((message) => ({
      body: message.body,
      attempts: message.attempts,
      ack: () => message.ack(),
      retry(options) {
        const seconds = options && Math.max(1, Math.round(options.delaySeconds / env.SCALE));
        message.retry(options && { delaySeconds: seconds });
      },
    })),
  });

  // One batch at a time, as the documents' max_concurrency has it, which miniflare does not know: where this machine is
  // slow, it brings a batch while another is on its way.
  let last = Promise.resolve();
  const inTurn = (deliverBatch) => {
    const turn = last.then(deliverBatch);
    last = turn.catch(() => {});
    return turn;
  };

  export default {
    fetch(request) {
      if (new URL(request.url).pathname === "/dead") return Response.json(dead);
      return relay(request);
    },
    async queue(batch) {
      if (batch.queue === "dead") return void dead.push(...batch.messages.map(({ body }) => body));
      await inTurn(() => deliver(env.SCALE === 1 ? batch : scaled(batch)));
    },
  };
`;

/** By how much time passes faster in an outage, which is then of half a minute. */
const SCALE = 20;
const OUTAGE_SECONDS = 600 / SCALE;

/** @type {string} */
let bundle;
before(async () => {
  bundle = await bundleWorker(await consumer("relay-queue", { "worker.mjs": worker }));
});

describe("the relay with a queue", { concurrency: 2 }, () => {
  it("answers what is stored, and delivers it merged and in order", async (t) => {
    const { url, backend } = await served(t);
    await backend.fault([{ status: 503 }]);
    const pages = Array.from({ length: 5 }, () => good(url));
    for (let step = 0; step < 10; step++) {
      for (const page of pages) {
        if (step === 0) await accepted(url, page.start);
        const feedback = { last: step, [`step_${step}`]: true };
        await accepted(url, { ...page.update, body: JSON.stringify({ feedback }) });
      }
    }
    const failed = (await backend.requests()).length;
    await backend.fault([]);
    for (const { session } of pages) {
      // A queue may bring what was said first after what was said last.
      const event = await backend.settled(
        session,
        ({ feedback }) => Object.keys(feedback).length === 11,
      );
      assert.equal(event.feedback.last, 9);
    }
    const requests = (await backend.requests()).slice(failed);
    assert.ok(requests.length < 40, `${requests.length} requests for 55 messages`);
    for (const { headers } of requests) {
      assert.equal(headers.authorization, `Bearer ${API_KEY}`);
    }
  });

  it("what comes again does not undo what came later", async (t) => {
    const { url, backend } = await served(t, { maxBatchSize: 1 });
    const { start, update, session } = good(url);
    await accepted(url, start);
    await backend.settled(session, (event) => event);
    await backend.fault([{ match: { path: "/v1/events" }, times: 1, status: 503 }]);
    const say = (/** @type {object} */ feedback) =>
      accepted(url, { ...update, body: JSON.stringify({ feedback }) });
    await say({ rating: 1, first: true });
    // The first one fails once, and comes again after the second is stored.
    await until(async () => (await backend.requests(session)).length > 1, { what: "its failure" });
    await say({ rating: 2, second: true });
    const event = await backend.settled(session, ({ feedback }) => feedback.first);
    assert.deepEqual(event.feedback, { rating: 2, first: true, second: true });
  });

  it("what the backend refuses for good ends among the dead letters, alone", async (t) => {
    const { url, backend, dead, said } = await served(t, { maxRetries: 2 });
    const [unwanted, sound] = [good(url), good(url)];
    await backend.fault([{ match: { session: unwanted.session }, status: 422 }]);
    await accepted(url, unwanted.update);
    await accepted(url, sound.start);
    await accepted(url, sound.update);
    await backend.settled(sound.session, (event) => event.feedback.rating === 5);
    const letters = await until(
      async () => {
        const found = await dead();
        return found.length > 0 ? found : undefined;
      },
      { what: "a dead letter" },
    );
    assert.equal(letters.length, 1);
    const [line, fields] = letters[0].split("\n");
    assert.match(line, new RegExp(`^hhq1 ${unwanted.session} \\d{19}$`));
    assert.equal(fields, unwanted.update.body);
    assert.match(said(), /the queue's consumer: .* rejected the request with 422/);
    for (const secret of [API_KEY, SECRETS.current, "hht1"]) {
      assert.ok(!said().includes(secret) && !letters[0].includes(secret), secret);
    }
  });

  it("an outage of ten minutes leaves nothing in the dead letters, with the documents' settings", async (t) => {
    const { max_batch_size, max_retries, retry_delay } = await documentedConsumer();
    const { url, backend, dead } = await served(t, {
      maxBatchSize: max_batch_size,
      maxRetries: max_retries,
      retryDelay: retry_delay,
      scale: SCALE,
    });
    // One that says when to come again, in the past: it is not to be taken at its word.
    await backend.fault([{ status: 503, retryAfter: 0 }]);
    const ends = Date.now() + OUTAGE_SECONDS * 1_000;
    const pages = Array.from({ length: 40 }, () => good(url));
    for (let rating = 1; rating <= 5; rating++) {
      for (const page of pages) {
        if (rating === 1) await accepted(url, page.start);
        const body = JSON.stringify({ feedback: { rating, [`rated_${rating}`]: true } });
        await accepted(url, { ...page.update, body });
      }
    }
    await new Promise((resolve) => setTimeout(resolve, ends - Date.now()));
    const failed = (await backend.requests()).length;
    assert.ok(failed > 0 && failed < 600, `${failed} requests to a server that is down`);
    assert.deepEqual(await dead(), []);
    await backend.fault([]);
    for (const { session } of pages) {
      await backend.settled(
        session,
        ({ feedback }) => Object.keys(feedback).length > 5 && feedback.rating === 5,
      );
    }
    // And nothing that came later undid it.
    for (const { event } of await backend.sessions()) assert.equal(event.feedback.rating, 5);
    assert.deepEqual(await dead(), []);
  });

  it("nothing that is refused gets into the queue", async (t) => {
    const { url, backend, dead } = await served(t);
    for (const { name, attack, status, code } of ATTACKS) {
      const answer = await ask(url, attack(good(url)));
      assert.deepEqual([answer.status, answer.json.errorCode], [status, code], name);
    }
    // What was put into the queue before this would be delivered before it.
    const last = good(url);
    await accepted(url, last.start);
    await backend.settled(last.session, (event) => event);
    const requests = /** @type {{ session: string }[]} */ (await backend.requests());
    assert.deepEqual(
      requests.map(({ session }) => session),
      [last.session],
    );
    assert.deepEqual(await dead(), []);
  });

  it("the package's tracer does not notice", async (t) => {
    const { url, backend, edge } = await served(t);
    const session = crypto.randomUUID();
    const ticket = forge({ session, fields: "inputs~metadata~feedback~outputs" });
    const tracer = await edge.initTracer({
      ticket,
      serverUrl: `${url}/honeyhive`,
      inputs: { q: "hi" },
    });
    const delivery = await tracer.enrichSession({ metadata: { a: 1 }, outputs: { o: 1 } });
    assert.deepEqual(delivery, { status: "delivered", sessionId: session });
    await tracer.enrichSession({ feedback: { rating: 5 }, metadata: { a: 2 } });
    const event = await backend.settled(session, ({ feedback }) => feedback.rating);
    assert.deepEqual(
      [event.inputs, event.metadata, event.outputs],
      [{ q: "hi" }, { a: 2 }, { o: 1 }],
    );
  });
});

/**
 * @param {string} url
 * @param {import("./ask.mjs").Asked} asked
 */
async function accepted(url, asked) {
  const answer = await ask(url, asked);
  assert.equal(answer.status, 202, answer.text);
}

/** The settings of the queue's consumer in docs/relay.md. */
async function documentedConsumer() {
  const blocks = (await documents()).flatMap((document) => document.blocks);
  const settings = blocks.find(
    ({ document, text }) => document === "docs/relay.md" && text.includes('"consumers"'),
  );
  const json = settings?.text.replace(/^\/\/.*$/gm, "");
  return JSON.parse(`{${json}}`).queues.consumers[0];
}

/**
 * @param {import("node:test").TestContext} t
 * @param {{ maxBatchSize?: number, maxRetries?: number, retryDelay?: number, scale?: number }} [options]
 */
async function served(t, { maxBatchSize = 100, maxRetries = 50, retryDelay = 1, scale = 1 } = {}) {
  const backends = await startBackends();
  t.after(() => backends.close());
  const { v1 } = backends;
  const mode = JSON.stringify({ routes: "v1", keys: [API_KEY] });
  await fetch(`${v1.url}/_local/mode`, { method: "PUT", body: mode });
  const names = await readdir(bundle);
  const wasm = names.filter((name) => name.endsWith(".wasm"));
  const module = async (/** @type {any} */ type, /** @type {string} */ path) => ({
    type,
    path,
    contents: await readFile(join(bundle, path)),
  });
  let printed = "";
  const miniflare = new Miniflare({
    host: "127.0.0.1",
    compatibilityDate: "2026-04-01",
    rootPath: bundle,
    modulesRoot: bundle,
    modules: [
      await module("ESModule", "worker.js"),
      ...(await Promise.all(wasm.map((path) => module("CompiledWasm", path)))),
    ],
    handleRuntimeStdio(...streams) {
      for (const stream of streams) stream.on("data", (text) => (printed += text));
    },
    bindings: {
      HH_API_KEY: API_KEY,
      HH_API_URL: v1.url,
      HH_RELAY_SECRET: SECRETS.current,
      RETRY_DELAY: retryDelay,
      SCALE: scale,
    },
    queueProducers: { QUEUE: "enrichments" },
    queueConsumers: {
      enrichments: {
        maxBatchSize,
        maxBatchTimeout: 1,
        maxRetries,
        retryDelay: Math.ceil(retryDelay / scale),
        deadLetterQueue: "dead",
      },
      dead: { maxBatchTimeout: 0 },
    },
  });
  t.after(() => miniflare.dispose());
  const url = (await miniflare.ready).href.replace(/\/$/, "");
  const main = join(bundle, "..", "node_modules", "honeyhive-edge", "index.js");
  return {
    url,
    edge: /** @type {typeof import("honeyhive-edge")} */ (await import(main)),
    /** What the Worker printed. */
    said: () => printed,
    dead: async () => /** @type {string[]} */ (await (await fetch(`${url}/dead`)).json()),
    backend: {
      ...v1,
      /** @param {object[]} rules */
      async fault(rules) {
        const body = JSON.stringify(rules);
        const { status } = await fetch(`${v1.url}/_local/faults`, { method: "PUT", body });
        assert.equal(status, 200);
      },
      /**
       * The session once it is as it should be.
       * @param {string} id
       * @param {(event: any) => unknown} isSettled
       */
      settled: (id, isSettled) =>
        until(
          async () => {
            const found = (await v1.sessions()).find(
              (/** @type {any} */ each) => each.event.session_id === id,
            );
            return found && isSettled(found.event) ? found.event : undefined;
          },
          { what: `session ${id}`, timeoutMs: 60_000 },
        ),
    },
  };
}
