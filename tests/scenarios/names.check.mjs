// What names.mjs has to have left in the backend.

import assert from "node:assert/strict";
import { assertSession } from "../guide/check.mjs";
import { KEYS } from "../support/backends.mjs";

/**
 * @param {import("./runner.mjs").Result} result
 * @param {import("../support/backends.mjs").Backends} backends
 */
export async function check({ value: facts }, { v1, second }) {
  assert.equal(facts.first, "3f0a6c1e-0b57-4c0b-9a55-5d3f5a1c7e01");
  assert.deepEqual(facts.deliveries, [
    { status: "delivered", sessionId: facts.first },
    { status: "delivered", sessionId: facts.second },
  ]);
  assert.deepEqual(facts.byId, { status: "delivered", sessionId: facts.first });
  const event = await v1.session(facts.first);
  assertSession(event, {
    name: "snake",
    metadata: { by: "tracer_instance" },
    user_properties: { plan: "pro", tier: "gold" },
    feedback: { by: "session_id" },
  });
  assert.equal(event.end_time, 1_700_000_000_000);
  assertSession(await second.session(facts.second, KEYS.other), {
    name: "case",
    metadata: { by: "tracerInstance" },
  });
}
