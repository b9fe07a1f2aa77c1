// Every example of the guide, in two requests of which each goes on while the other waits: what comes of
// either is what comes of it alone. In workerd and in the servers of Node, Deno, Bun and Vercel's edge.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe } from "node:test";
import { onEveryServer } from "../isolation/everywhere.mjs";
import { KEYS, startBackends } from "../support/backends.mjs";
import { checkGuide } from "./check.mjs";

/** Each example awaits at least three times. */
const LEAST_STEPS = 40;

/**
 * @param {import("node:test").TestContext} t
 * @param {import("../isolation/everywhere.mjs").Ask} ask
 */
async function twoRequests(t, ask) {
  const backends = await startBackends();
  t.after(() => backends.close());
  // Each writes where the other's second tracer does: what goes astray is at a wrong server or under a wrong key.
  const one = { backend: backends.v1, key: KEYS.main };
  const other = { backend: backends.second, key: KEYS.other };
  const scene = (/** @type {typeof one} */ first, /** @type {typeof one} */ second) => ({
    backendUrl: first.backend.url,
    apiKey: first.key,
    otherBackendUrl: second.backend.url,
    otherApiKey: second.key,
  });
  const answers = await Promise.all([
    ask({ who: 0, scene: scene(one, other) }),
    ask({ who: 1, scene: scene(other, one) }),
  ]);
  assert.equal(answers[0].steps, answers[1].steps);
  assert.ok(answers[0].steps > LEAST_STEPS, `they took turns ${answers[0].steps} times`);
  for (const { strays } of answers) assert.deepEqual(strays, []);
  const where = (/** @type {typeof one} */ first, /** @type {typeof one} */ second) => ({
    backend: first.backend,
    key: first.key,
    other: second.backend,
    otherKey: second.key,
  });
  await checkGuide(answers[0].facts, where(one, other));
  await checkGuide(answers[1].facts, where(other, one));
}

describe("the guide in two interleaved requests", { concurrency: 2 }, () => {
  const read = async () => ({
    "guide/interleaved.mjs": await readFile(new URL("interleaved.mjs", import.meta.url), "utf8"),
    "answer.mjs": `export { answer } from "./guide/interleaved.mjs";`,
  });
  onEveryServer("guide-interleaved", read, twoRequests);
});
