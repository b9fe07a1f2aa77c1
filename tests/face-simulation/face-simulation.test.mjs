// Random programs of the package's public surface, with a clock, chance and a network of the simulation's: whatever
// is called in whichever order, sessions are as one by one, what is told is true, and nothing is held at the end.
//
// A seed that fails is printed, and replayed with
// `FACE_SEED=17 node --test face-simulation/face-simulation.test.mjs`; `FACE_SEEDS=100000` runs more.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import v8 from "node:v8";
import vm from "node:vm";
import { MISTAKES, planting } from "./mistakes.mjs";
import { faces } from "./node.mjs";
import { live } from "./programs.mjs";

v8.setFlagsFromString("--expose-gc");
const gc = vm.runInNewContext("gc");

const SEEDS = Number(process.env["FACE_SEEDS"] ?? 1_000);
const ONE = process.env["FACE_SEED"];

/** Objects of users after which it is looked at which of them are still held. */
const BATCH = 5_000;

/** Programs in which each planted mistake has to show. */
const ENOUGH = 150;

const KINDS = { "with async contexts": true, "in a page": false };

/**
 * Lives so many lives, and looks now and then whether what they leave is let go.
 * @param {number[]} seeds
 * @param {boolean} hasContexts
 * @param {import("./realm.mjs").NewFace} newFace
 */
async function liveAll(seeds, hasContexts, newFace) {
  /** @type {WeakRef<object>[]} */
  let held = [];
  for (const seed of seeds) {
    held.push(...(await live(seed, hasContexts, newFace)));
    if (held.length < BATCH) continue;
    await assertLetGo(held);
    held = [];
  }
  await assertLetGo(held);
}

/** Of the first and the last programs the engine may hold something itself. @param {WeakRef<object>[]} held */
async function assertLetGo(held) {
  for (let round = 0; round < 5; round++) {
    await new Promise((resolve) => setImmediate(resolve));
    gc();
  }
  const left = held.slice(100, -100).filter((ref) => ref.deref());
  assert.equal(left.length, 0, `${left.length} of ${held.length} objects are still held`);
}

const seeds = (/** @type {number} */ count) => Array.from({ length: count }, (_, seed) => seed);

for (const [kind, hasContexts] of Object.entries(KINDS)) {
  it(`random programs keep their promises ${kind}`, async () => {
    await liveAll(ONE ? [Number(ONE)] : seeds(SEEDS), hasContexts, faces());
  });
}

describe("a planted mistake is found:", () => {
  for (const mistake of MISTAKES) {
    it(mistake.name, async () => {
      const newFace = faces(planting(mistake));
      await assert.rejects(liveAll(seeds(ENOUGH), true, newFace));
    });
  }
});
