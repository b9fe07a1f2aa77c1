// What is closed is let go: a shorter run of benches/memory.mjs.

import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";
import { pathToFileURL } from "node:url";
import { oneAfterTheOther } from "../../benches/memory.mjs";
import { packageDir } from "../support/package.mjs";

const SESSIONS = 20_000;

/** Bytes for each session by which memory may vary: 1 MB in all, a tenth of what the sessions' timers alone would be. */
const NOISE = 50;

it(`${SESSIONS} sessions opened, enriched and closed leave nothing`, async () => {
  const api = await import(pathToFileURL(join(packageDir, "index.js")).href);
  const grown = [];
  // A module's memory never shrinks, and how many closed sessions there are at once depends on when V8 collects them: on a
  // busy machine that is late once in a while. What leaks, leaks each time.
  for (let round = 0; round < 3; round++) {
    const { tenths, delivered } = await oneAfterTheOther(api, SESSIONS);
    assert.equal(delivered, SESSIONS);
    assert.equal(tenths.length, 10);
    const [first, last] = [tenths[0], tenths[9]];
    assert.ok(first && last && first.wasm > 0, "the module's memory is seen");
    const { wasm, heap } = { wasm: last.wasm - first.wasm, heap: last.heap - first.heap };
    if (wasm < SESSIONS * NOISE && heap < SESSIONS * NOISE) return;
    grown.push({ wasm, heap, tenths });
  }
  assert.fail(JSON.stringify(grown));
});
