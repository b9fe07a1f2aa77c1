// A chat whose turns are requests, each in an isolate of its own: its tokens and its cost are the sums.

import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { KEYS, startBackends } from "../support/backends.mjs";
import { until } from "../support/child.mjs";
import { consumer } from "../support/package.mjs";
import { assertQuiet, bundleWorker, startWorker } from "../support/workerd.mjs";
import { blocksRunBy } from "../docs/documents.mjs";

const COMPATIBILITY_DATE = "2026-10-01";

const chat = `
  import { enrichSession, initTracer } from "honeyhive-edge";

  export default {
    async fetch(request) {
      const { conversationId, tokens, cost } = await request.json();
      const tracer = await initTracer({ sessionId: conversationId, sessionName: "chat" });
      tracer.addMetrics({ tokens });
      enrichSession({ metadata: { last: tokens } });
      tracer.addMetrics({ cost, turns: 1 });
      return new Response("ok");
    },
  };
`;

/** @type {Awaited<ReturnType<typeof startBackends>>} */
let backends;
before(async () => {
  backends = await startBackends();
});
after(() => backends.close());

/**
 * @param {string} url
 * @param {object} turn
 */
async function answered(url, turn) {
  const body = JSON.stringify(turn);
  const answer = await fetch(url, { method: "POST", body });
  assert.equal(answer.status, 200);
  return answer.text();
}

/**
 * The session, once it has these metrics.
 * @param {string} conversationId
 * @param {object} metrics
 */
async function assertTotals(conversationId, metrics) {
  /** @type {any} */
  let last;
  await until(
    async () => {
      last = await backends.v1.session(conversationId, KEYS.main).catch(() => undefined);
      return isDeepStrictEqual(last?.metrics, metrics);
    },
    { what: `the metrics ${JSON.stringify(metrics)}`, timeoutMs: 15_000 },
  ).catch((error) => assert.fail(`${error.message}, and not ${JSON.stringify(last?.metrics)}`));
}

const bindings = () => ({ HH_API_KEY: KEYS.main, HH_API_URL: backends.v1.url });

it("three turns in three isolates, and two more in warm ones, add up", async (t) => {
  const bundle = await bundleWorker(await consumer("turns", { "worker.mjs": chat }));
  const isolates = [];
  for (let n = 0; n < 3; n++) {
    const options = { compatibilityDate: COMPATIBILITY_DATE, bindings: bindings() };
    const isolate = await startWorker(bundle, options);
    t.after(isolate.stop);
    isolates.push(isolate);
  }
  const conversationId = "5c0a7f0e-1d7b-4a52-9f11-2f6b1f1a7c01";
  let [tokens, cost, turns] = [0, 0, 0];
  for (const n of [0, 1, 2, 0, 2]) {
    const turn = { tokens: 100 + n, cost: 0.25 * (n + 1) };
    assert.equal(await answered(isolates[n].url, { conversationId, ...turn }), "ok");
    tokens += turn.tokens;
    cost += turn.cost;
    turns++;
    await assertTotals(conversationId, { tokens, cost, turns });
  }
  for (const { output } of isolates) assertQuiet(output);
});

it("a Durable Object keeps the total of turns that overlap", async (t) => {
  const [{ text }] = await blocksRunBy("tests/isolation/turns.test.mjs");
  const bundle = await bundleWorker(
    await consumer("turns-kept", { "worker.ts": text }),
    [],
    "worker.ts",
  );
  const { url, stop, output } = await startWorker(bundle, {
    compatibilityDate: COMPATIBILITY_DATE,
    bindings: bindings(),
    durableObjects: ["Totals"],
  });
  t.after(stop);
  const conversationId = "5c0a7f0e-1d7b-4a52-9f11-2f6b1f1a7c02";
  const questions = ["Hello!", "Tell me more", "Thanks"];
  await Promise.all(questions.map((question) => answered(url, { conversationId, question })));
  const tokens = questions.join("").length;
  await assertTotals(conversationId, { tokens, cost: tokens * 0.25 });
  assertQuiet(output);
});
