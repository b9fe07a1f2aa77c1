// Every enrichment of hostile-fetch.mjs has ended one way or the other, and was counted once.

import assert from "node:assert/strict";
import { assertSession, messageOf } from "../guide/check.mjs";
import { delivering, faults } from "./hostile-fetch.mjs";

/**
 * @param {import("./runner.mjs").Result} result
 * @param {import("../support/backends.mjs").Backends} backends
 */
export async function check({ value, lines }, { v1 }) {
  assert.deepEqual(Object.keys(value.faults).sort(), Object.keys(faults).sort());
  const wrong = [];
  for (const [name, fact] of Object.entries(value.faults)) {
    try {
      await checkFault(name, fact);
    } catch (error) {
      wrong.push(`${name}: ${messageOf(error)}\n${JSON.stringify(fact)}`);
    }
  }
  assert.equal(wrong.length, 0, `\n${wrong.join("\n\n")}`);

  const { afterwards, bystander } = value;
  for (const delivery of bystander.deliveries) {
    assert.deepEqual(delivery, { status: "delivered", isHeld: true }, "it waited for others");
  }
  assert.equal(bystander.held, "delivered");
  assertSession(await v1.session(bystander.sessionId), {
    name: "bystander",
    metadata: { number: 5 },
  });
  assert.deepEqual(afterwards.delivery, { status: "delivered", sessionId: afterwards.sessionId });
  assertSession(await v1.session(afterwards.sessionId), {
    name: "afterwards",
    metadata: { fine: true },
  });

  /**
   * @param {string} name
   * @param {any} fact
   */
  async function checkFault(
    name,
    { sessionId: id, settled, waited, after, report, calls, dropped },
  ) {
    assert.ok(Array.isArray(settled), `not settled: ${settled}`);
    assert.ok(waited <= 30, `ended ${waited} beats of 100 ms after a deadline of 500 ms`);
    const expected = delivering.includes(name) ? ["delivered"] : ["delivered", "dropped"];
    for (const delivery of [...settled, ...after]) {
      assert.ok(delivery.status === "delivered" || delivery.status === "dropped");
      if (delivery.status === "dropped") {
        assert.ok(["retries_exhausted", "rejected", "invalid"].includes(delivery.reason));
        assert.ok(delivery.message.length > 5);
      }
    }
    for (const delivery of settled) assert.ok(expected.includes(delivery.status));
    const [first, second] = settled.map((delivery) => delivery.status);

    const all = [...settled, ...after];
    const lost = all.filter((delivery) => delivery.status === "dropped").length;
    assert.deepEqual(report, { delivered: all.length - lost, dropped: lost, pending: 0 });
    assert.equal(dropped, lost, "onDrop tells of each loss once");

    if (!name.startsWith("header")) {
      assert.ok(calls > 0, "the fault was never met");
      // Where the fault's own answer counted as the start's, there is no session to go on with.
      if (first === "dropped" && second === "dropped") {
        assert.equal(after.at(-1).status, "delivered");
        assertSession(await v1.session(id), { name, metadata: { after: true } });
      }
    }
    if (
      /^(rejects|throws|returnsU|returnsN|resolves|neverS|thenableT|thenG|thenableN)/.test(name)
    ) {
      assert.deepEqual([first, second], ["dropped", "dropped"], "nothing was persisted");
    }
  }

  assert.ok(lines.every(({ text }) => text.startsWith("[honeyhive-edge] ")));
}
