// What is closed is let go: a shorter run of benches/memory.mjs.

import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";
import { pathToFileURL } from "node:url";
import { oneAfterTheOther } from "../../benches/memory.mjs";
import { packageDir } from "../support/package.mjs";

const SESSIONS = 10_000;

/** Bytes that a session may leave until its deadline is over: its timers. */
const LEFT = 600;

it(`${SESSIONS} sessions opened, enriched and closed leave nothing but timers`, async () => {
  const api = await import(pathToFileURL(join(packageDir, "index.js")).href);
  const { early, late, delivered } = await oneAfterTheOther(api, SESSIONS);
  assert.equal(delivered, SESSIONS);
  const grown = { heap: late.heap - early.heap, wasm: late.wasm - early.wasm };
  assert.ok(early.wasm > 0, "the module's memory is seen");
  assert.ok(grown.heap < (SESSIONS * LEFT) / 2, JSON.stringify(grown));
  assert.ok(grown.wasm < SESSIONS * LEFT, JSON.stringify(grown));
});
