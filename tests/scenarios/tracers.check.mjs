// What tracers.mjs has to have left in the two backends, and what its calls have to have answered.

import assert from "node:assert/strict";
import { assertSession, uuidOfUrlName } from "../guide/check.mjs";
import { KEYS } from "../support/backends.mjs";

/**
 * @param {import("./runner.mjs").Result} result
 * @param {import("../support/backends.mjs").Backends} backends
 */
export async function check({ value: facts, lines }, { v1, second }) {
  {
    const { left, right, deliveries, unchanged, reports } = facts.pair;
    assert.deepEqual(
      deliveries,
      [left, right, left, right, left, right, left, right].map(({ id }) => ({
        status: "delivered",
        sessionId: id,
      })),
    );
    assert.equal(unchanged, true);
    const all = { delivered: 4, dropped: 0, pending: 0 };
    assert.deepEqual(reports, [all, all]);
    assert.deepEqual(
      [left.name, left.project, left.enabled, right.source, right.project],
      ["left", "left-project", true, "staging", undefined],
    );
    const shared = { config: { model: "m" }, outputs: { answer: [1, { two: 2 }] } };
    const metadata = { user: { id: 1, tags: ["a", "b"] } };
    assertSession(await v1.session(left.id), {
      name: "left",
      ...shared,
      metadata: { ...metadata, start: { of: "left" }, only: "left" },
      feedback: { from: "left" },
      metrics: { by: 1 },
    });
    assertSession(await second.session(right.id, KEYS.other), {
      name: "right",
      source: "staging",
      ...shared,
      metadata: { ...metadata, only: "right" },
      feedback: { from: "right" },
      metrics: { by: 2 },
    });
    for (const [id, its, key, elsewhere] of /** @type {const} */ ([
      [left.id, v1, KEYS.main, second],
      [right.id, second, KEYS.other, v1],
    ])) {
      const requests = await its.requests(id);
      assert.ok(requests.length > 0);
      for (const request of requests) assert.equal(request.key, key);
      assert.deepEqual(await elsewhere.requests(id), []);
    }
  }
  {
    const { sessionId, thrown, value, active, sameError } = facts.within;
    assert.deepEqual([value, active, sameError], [42, true, true]);
    assertSession(await v1.session(sessionId), { name: "within", metadata: { bare: true } });
    assertSession(await v1.session(thrown), {
      name: "thrown",
      metadata: { before: "the throw" },
    });
  }
  {
    const { sessionId, child, fromRecord, fromHeaders, fromNothing, named, same } = facts.carried;
    assert.deepEqual([fromRecord, fromHeaders, fromNothing], [sessionId, sessionId, null]);
    assert.deepEqual([named, same], [uuidOfUrlName("conversation 1"), true]);
    assert.notEqual(child, sessionId);
    assertSession(await v1.session(child), {
      name: "child",
      metadata: { of: "parent", own: true },
    });

    const { flushed, closed, late, again } = facts.ended;
    const report = { delivered: 1, dropped: 0, pending: 0 };
    assert.deepEqual(flushed, report);
    assert.deepEqual(closed, report);
    assert.equal(late.status, "dropped");
    assert.equal(late.reason, "closed");
    assert.equal(again.pending, 0);
    assertSession(await v1.session(sessionId), {
      name: "parent",
      metadata: { sent: "by flush" },
    });
  }
  {
    const { sessionId, delivery, dropped, report } = facts.lost;
    assert.equal(delivery.status, "dropped");
    assert.equal(delivery.reason, "retries_exhausted");
    assert.ok(delivery.message.length > 10);
    assert.deepEqual(report, { delivered: 0, dropped: 1, pending: 0 });
    assert.equal(dropped.length, 1);
    assert.equal(dropped[0].reason, "retries_exhausted");
    assert.equal(dropped[0].sessionId, sessionId);
    assert.deepEqual(dropped[0].enrichment, { metadata: { lost: { on: "the way" } } });
  }
  {
    const { sessionId, deliveries, atOnce, active } = facts.shared;
    for (const { status } of deliveries) assert.equal(status, "delivered");
    assert.equal(atOnce, 1, "requests of one session");
    assert.equal(active, null, "a session that the scenario left open");
    const stored = await v1.session(sessionId);
    assert.equal(stored.metrics.tokens, 128);
  }
  assert.ok(!JSON.stringify({ facts, lines }).includes(KEYS.main), "a key shows");
}
