// Reads the sessions of the guide's examples back from the backend and compares each, whole, with
// what the guide says it should be. Runs in the test's own process, never in the runtime under test.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { nestedEnrichment } from "./examples.mjs";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/**
 * @typedef {import("../support/backends.mjs").Reader} Reader
 * @param {Record<string, any>} facts what run() of examples.mjs returned
 * @param {{backend: Reader, key: string, other: Reader, otherKey: string}} where
 */
export async function checkGuide(facts, { backend, key, other, otherKey }) {
  /**
   * @param {string} id
   * @param {{name: string} & Record<string, unknown>} expected the fields that are not empty
   */
  const stored = async (id, expected) => assertSession(await backend.session(id, key), expected);

  /** @type {Record<string, (fact: any) => Promise<void>>} */
  const checks = {
    async activeSession({ sessionId, delivery }) {
      assert.match(sessionId, UUID);
      assert.deepEqual(delivery, { status: "delivered", sessionId });
      await stored(sessionId, {
        name: "user-123-chat",
        metadata: { user_id: "user_123", subscription_tier: "premium", feature: "chat_assistant" },
      });
    },

    async specificSession({ name, sessionId, active, delivery }) {
      assert.equal(sessionId, uuidOfUrlName(name));
      assert.deepEqual(delivery, { status: "delivered", sessionId });
      await stored(sessionId, {
        name: "experiment",
        metadata: { experiment: "variant_b", seed: 7, completed: true },
        metrics: { total_tokens: 1500, total_cost: 0.045, duration_seconds: 12.5 },
      });
      await stored(active, { name: "somebody-else", metadata: { mine: true } });
    },

    async legacyPositionalId({ sessionId, named, byId }) {
      assert.equal(sessionId, uuidOfUrlName("sess_abc123"));
      assert.deepEqual(named, { status: "delivered", sessionId });
      assert.deepEqual(byId, { status: "delivered", sessionId });
      await stored(sessionId, {
        name: "positional",
        metadata: { user_id: "user_456", again: true },
      });
    },

    async userProperties({ sessionId, delivery }) {
      assert.equal(delivery.status, "delivered");
      await stored(sessionId, {
        name: "properties",
        user_properties: { tier: "premium", region: "us-east" },
      });
    },

    async modernForm({ sessionId, delivery }) {
      assert.equal(delivery.status, "delivered");
      await stored(sessionId, {
        name: "modern",
        metadata: { user_id: "user_456", tier: "premium", region: "us-east" },
        metrics: { total_cost: 0.045 },
      });
    },

    async userWorkflow({ sessionId, startedAt, completedAt, answer, report }) {
      assert.equal(answer, "You said: I didn't receive the email");
      assert.deepEqual(report, { delivered: 3, dropped: 0, pending: 0 });
      await stored(sessionId, {
        name: "password-reset-user_42",
        metadata: {
          user_id: "user_42",
          workflow: "password-reset",
          started_at: startedAt,
          step: "workflow_complete",
          completed_at: completedAt,
        },
        metrics: { total_interactions: 2, resolution: "success" },
      });
      assert.match(startedAt, ISO);
      await assertOrder(backend, sessionId, "metadata", "step", [
        "initial_query_complete",
        "workflow_complete",
      ]);
    },

    async abExperiment(outcomes) {
      assert.deepEqual(
        outcomes.map((/** @type {any} */ each) => each.variant),
        ["variant_a", "variant_b"],
      );
      assert.notDeepEqual(outcomes[0].config, outcomes[1].config);
      for (const { sessionId, variant, config, metrics, response } of outcomes) {
        assert.ok(metrics.cost > 0 && metrics.token_count > 0);
        await stored(sessionId, {
          name: `experiment-${variant}`,
          metadata: { experiment: "prompt_optimization_v2", variant, user_id: "user_7" },
          config,
          metrics,
          outputs: { response },
        });
      }
    },

    async feedbackAfterTheEnd({ sessionId, feedbackTimestamp, delivery }) {
      assert.deepEqual(delivery, { status: "delivered", sessionId });
      await stored(sessionId, {
        name: "rated",
        outputs: { reply: "Try turning it off and on." },
        metadata: { feedback_collected: true },
        feedback: {
          user_rating: 5,
          user_comments: "Solved it at once",
          feedback_timestamp: feedbackTimestamp,
          helpful: true,
        },
      });
    },

    async costTracking({ sessionId, usages, totalTokens, totalCost }) {
      assert.equal(usages.length, 3);
      const summed = usages.reduce(
        (/** @type {number} */ sum, /** @type {any} */ usage) => sum + usage.total_tokens,
        0,
      );
      assert.equal(totalTokens, summed);
      await stored(sessionId, {
        name: "cost-tracking-session",
        metrics: {
          total_tokens: totalTokens,
          total_cost: totalCost,
          call_count: 3,
          avg_tokens_per_call: totalTokens / 3,
          tokens_without_bookkeeping: summed,
        },
      });
      await assertOrder(backend, sessionId, "metrics", "call_count", [1, 2, 3]);
    },

    async twoTracers({ production, testing, deliveries }) {
      assert.deepEqual(deliveries, [
        { status: "delivered", sessionId: production },
        { status: "delivered", sessionId: testing },
      ]);
      assertSession(await backend.session(production, key), {
        name: "prod-session-1",
        source: "production",
        metadata: { environment: "production", user_id: "user_123" },
      });
      assertSession(await other.session(testing, otherKey), {
        name: "test-session-1",
        source: "testing",
        metadata: { environment: "testing", test_case: "scenario_1" },
      });
      for (const [reader, id, itsKey] of [
        [backend, production, key],
        [other, testing, otherKey],
      ]) {
        const requests = await reader.requests(id);
        assert.ok(requests.length > 0);
        for (const request of requests) assert.equal(request.key, itsKey);
      }
    },

    async lifecycleCompleted({ sessionId, startedAt, completedAt, result }) {
      assert.equal(result, "You said: Help me with: write-a-poem");
      await stored(sessionId, {
        name: "write-a-poem-user_1",
        metadata: {
          user_id: "user_1",
          task: "write-a-poem",
          status: "completed",
          started_at: startedAt,
          completed_at: completedAt,
        },
        outputs: { result },
        metrics: { success: true },
      });
      await assertOrder(backend, sessionId, "metadata", "status", [
        "started",
        "in_progress",
        "completed",
      ]);
    },

    async lifecycleFailed({ sessionId, startedAt, failedAt, completedAt }) {
      assert.equal(completedAt, undefined);
      await stored(sessionId, {
        name: "write-a-poem-user_1",
        metadata: {
          user_id: "user_1",
          task: "write-a-poem",
          status: "failed",
          started_at: startedAt,
          failed_at: failedAt,
          error_type: "RangeError",
          error_message: "context of 9,000 tokens is too long",
        },
        metrics: { success: false },
      });
      await assertOrder(backend, sessionId, "metadata", "status", [
        "started",
        "in_progress",
        "failed",
      ]);
    },

    async nested({ sessionId, delivery }) {
      assert.equal(delivery.status, "delivered");
      await stored(sessionId, { name: "nested", ...nestedEnrichment() });
    },

    async touch({ sessionId, delivery, again }) {
      assert.deepEqual(delivery, { status: "delivered", sessionId });
      assert.deepEqual(again, { status: "delivered", sessionId });
      await stored(sessionId, { name: "touched" });
    },
  };

  assert.deepEqual(Object.keys(facts).sort(), Object.keys(checks).sort());
  const wrong = [];
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check(facts[name]);
    } catch (error) {
      wrong.push(new Error(`guide: ${name}: ${messageOf(error)}`, { cause: error }));
    }
  }
  if (wrong.length === 1) throw wrong[0];
  if (wrong.length > 1) {
    throw new AggregateError(wrong, wrong.map((error) => error.message).join("\n\n"));
  }
}

/**
 * Every field that clients write is compared, so that nothing extra goes unnoticed.
 * @param {any} event
 * @param {{name: string, source?: string} & Record<string, unknown>} expected
 */
export function assertSession(event, { name, source = "dev", ...fields }) {
  const { metadata, inputs, outputs, config, feedback, metrics, user_properties } = event;
  assert.deepEqual(
    {
      name: event.session_name,
      source: event.source,
      metadata,
      inputs,
      outputs,
      config,
      feedback,
      metrics,
      user_properties,
    },
    {
      name,
      source,
      metadata: {},
      inputs: {},
      outputs: {},
      config: {},
      feedback: {},
      metrics: {},
      user_properties: {},
      ...fields,
    },
  );
}

/**
 * What the requests said of one key, one after another.
 * @param {Reader} backend
 * @param {string} sessionId
 * @param {string} field
 * @param {string} key
 * @param {unknown[]} expected
 */
async function assertOrder(backend, sessionId, field, key, expected) {
  const said = (await backend.requests(sessionId))
    .filter((/** @type {any} */ request) => request.stored)
    .map((/** @type {any} */ request) => (request.body.session ?? request.body)[field]?.[key])
    .filter((/** @type {unknown} */ value) => value !== undefined);
  assert.deepEqual(said, expected);
}

/** @param {unknown} error */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/**
 * UUIDv5 in the URL namespace (RFC 9562), by another implementation than the package's.
 * @param {string} name
 */
export function uuidOfUrlName(name) {
  const namespace = Buffer.from("6ba7b8119dad11d180b400c04fd430c8", "hex");
  const bytes = createHash("sha1").update(namespace).update(name, "utf8").digest().subarray(0, 16);
  bytes[6] = (bytes[6] & 0x0f) | 0x50;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
