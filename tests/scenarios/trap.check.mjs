// After each trap of trap.mjs: nothing is left open, what was lost is told as "internal", and both
// new tracers and those from before go on.

import assert from "node:assert/strict";
import { messageOf } from "../guide/check.mjs";

/**
 * @param {import("./runner.mjs").Result} result
 * @param {import("../support/backends.mjs").Backends} backends
 */
export async function check({ value }, { v1 }) {
  const { used, untouched, rounds, hopeless, made, recovered, bystander, number } = value;
  assert.ok(
    Object.keys(used).length >= 4,
    `the work hardly enters the instance: ${JSON.stringify(used)}`,
  );
  assert.deepEqual(
    untouched.deliveries.map((/** @type {any} */ delivery) => delivery.status),
    Array(4).fill("delivered"),
  );

  const wrong = [];
  let fired = 0;
  let lost = 0;
  for (const round of rounds) {
    fired += Number(round.fired);
    try {
      lost += checkWork(round.during, { mayLose: round.fired });
      await checkNext(round.after);
    } catch (error) {
      wrong.push(
        `${round.name}, call ${round.call}, ${round.when}: ${messageOf(error)}\n${JSON.stringify(round)}`,
      );
    }
  }
  assert.equal(
    wrong.length,
    0,
    `${wrong.length} of ${rounds.length}\n${wrong.slice(0, 5).join("\n\n")}`,
  );
  assert.ok(fired >= rounds.length / 2, `only ${fired} of ${rounds.length} traps were met`);
  assert.ok(lost > 0, "no trap lost anything: too good to be true");

  // An instance that traps at every call does not even start, which is told as well.
  assert.ok(checkWork(hopeless, { mayLose: true, reasons: ["internal", "disabled"] }) > 0);
  assert.ok(made < 50, `${made} instances for one piece of work`);
  await checkNext(recovered);
  assert.equal((await v1.session(bystander)).metadata.after, number);

  /** @param {any} next */
  async function checkNext(next) {
    assert.equal(next.failed, undefined);
    assert.deepEqual(next.delivery, { status: "delivered", sessionId: next.sessionId });
    assert.deepEqual(next.report, { delivered: 1, dropped: 0, pending: 0 });
    assert.deepEqual(next.known, { status: "delivered", sessionId: bystander });
    const { metadata } = await v1.session(next.sessionId);
    assert.deepEqual(metadata, { fresh: next.number });
  }
}

/**
 * @param {any} work
 * @param {{mayLose: boolean, reasons?: string[]}} options
 * @returns {number} how many enrichments were lost
 */
function checkWork(
  { failed, deliveries, flushed, report, dropped },
  { mayLose, reasons = ["internal"] },
) {
  assert.equal(failed, undefined);
  let lost = 0;
  for (const delivery of deliveries) {
    if (delivery.status === "delivered") continue;
    assert.equal(delivery.status, "dropped", JSON.stringify(delivery));
    assert.ok(reasons.includes(delivery.reason), JSON.stringify(delivery));
    assert.ok(delivery.message.length > 10);
    lost += 1;
  }
  if (!mayLose) assert.equal(lost, 0);
  for (const counts of [flushed, report]) {
    assert.equal(typeof counts, "object", counts);
    assert.deepEqual(Object.keys(counts).sort(), ["delivered", "dropped", "pending"]);
  }
  assert.equal(report.pending, 0);
  const [first, second, _bystanders, fourth] = deliveries;
  const own = [first, second, fourth].filter(({ status }) => status === "dropped").length;
  assert.equal(dropped, own, "onDrop tells of each loss once");
  return lost;
}
