// What events.mjs has to have left in the backends, what its calls have to have answered, and what was sent.

import assert from "node:assert/strict";

/**
 * @param {import("./runner.mjs").Result} result
 * @param {import("../support/backends.mjs").Backends} backends
 */
export async function check({ value: facts }, backends) {
  // What bundlers for browsers choose reads nothing back. In a browser without a bundler, the entry of all runtimes does.
  const isPagesModule = facts.isBrowser && facts.v1.reads[0].reason === "not_available";
  for (const name of /** @type {const} */ (["v1", "legacy"])) {
    const { sessionId, ids, unknown, deliveries, reads, afterClose, drops } = facts[name];
    const [tracers, bare, named, refused, asSession, ...invalid] = deliveries;
    assert.deepEqual(tracers, { status: "delivered", eventId: ids[1] });
    assert.deepEqual(bare, { status: "delivered", eventId: ids[1] });
    assert.deepEqual(named, { status: "delivered", eventId: ids[2] });
    assert.deepEqual(asSession, { status: "delivered", eventId: sessionId });
    assert.deepEqual(
      [refused.status, refused.reason, refused.eventId],
      ["dropped", "rejected", unknown],
    );
    assert.match(refused.message, /has no event [0-9a-f-]{36}: export the event's span first/);
    for (const [place, delivery] of invalid.entries()) {
      assert.deepEqual([delivery.status, delivery.reason], ["dropped", "invalid"], `${place}`);
      assert.equal(delivery.sessionId, undefined, "never the tracer's session");
    }
    // The last one was given to nobody.
    assert.deepEqual(
      drops.map((/** @type {any} */ dropped) => [
        dropped.reason,
        dropped.eventId,
        dropped.sessionId,
      ]),
      [
        ["invalid", undefined, undefined],
        ["invalid", undefined, undefined],
        ["invalid", unknown, undefined],
        ["rejected", unknown, undefined],
      ],
    );

    const [session] = await backends[name].whole(sessionId);
    assert.deepEqual(session.event.metadata, {
      plan: "pro",
      run_id: "run-1",
      dataset_id: "set-1",
      datapoint_id: "point-1",
      asEvent: true,
    });
    assert.deepEqual(session.event.feedback, { ground_truth: "Ottawa" });
    const stored = session.events.map((/** @type {any} */ each) => each.event);
    const [first, second, third] = ids.map((/** @type {string} */ id) =>
      stored.find((/** @type {any} */ event) => event.event_id === id),
    );
    assert.deepEqual(first.feedback, {}, "another answer of the session is as it was");
    assert.deepEqual(third.feedback, { thumb: "up" });
    const { feedback, metrics, metadata, outputs, config, user_properties } = second;
    assert.deepEqual(
      { feedback, metrics, metadata, outputs, config, user_properties },
      {
        feedback: { thumb: "down", password: "[Redacted]" },
        metrics: { score: 1 },
        metadata: { a: 1 },
        outputs: { text: "Ottawa" },
        config: { model: "m" },
        user_properties: { plan: "pro" },
      },
    );
    // What was said in one turn is one request, and nothing is ever started for an event.
    const requests = (await backends[name].requests()).filter((/** @type {any} */ each) =>
      JSON.stringify(each.body).includes("thumb"),
    );
    assert.equal(
      requests.every((/** @type {any} */ each) => each.method === "PUT"),
      true,
    );
    assert.equal(
      requests.filter((/** @type {any} */ each) => each.raw.includes("score")).length,
      1,
    );
    const started = (await backends[name].requests()).filter(
      (/** @type {any} */ each) =>
        each.path.includes("session") && [...ids, unknown].some((id) => each.raw.includes(id)),
    );
    assert.deepEqual(started, []);

    const [own, again, event, missing, nothing] = reads;
    if (isPagesModule) {
      for (const read of [...reads, afterClose]) {
        assert.deepEqual([read.status, read.reason], ["failed", "not_available"]);
      }
      continue;
    }
    assert.deepEqual([nothing.status, nothing.reason], ["failed", "invalid"]);
    if (name === "v1") {
      assert.deepEqual(own, { status: "found", event: session.event });
      assert.deepEqual([again, afterClose], [own, own]);
      assert.deepEqual(event, { status: "found", event: second });
      assert.deepEqual([missing.status, missing.reason], ["failed", "not_found"]);
    } else {
      for (const read of [own, again, event, missing, afterClose]) {
        assert.deepEqual([read.status, read.reason], ["failed", "not_available"]);
      }
    }
  }
  const reasons = ["rejected", "unreachable", "disabled", "not_available"].map((reason) =>
    isPagesModule ? "not_available" : reason,
  );
  assert.deepEqual(
    facts.failures,
    reasons.map((reason) => ({ status: "failed", reason })),
  );
}
