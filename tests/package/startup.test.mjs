// Importing the package and starting a session stay cheap, beside other work that was done in the same process a
// moment before. The limits are several times what they need (benches/README.md): they are to find what is done at
// import or for each session by mistake.

import assert from "node:assert/strict";
import { it } from "node:test";
import { inNode, inWorkerd } from "../../benches/startup.mjs";

const PROCESSES = 5;

/** Parts of the yardstick, which is some 30 ms where the import is 3 and a start 0.04. */
const IMPORT_PART = 1;
const START_PART = 1 / 30;

/** @type {Record<string, () => Promise<import("../../benches/startup.mjs").Startup[]>>} */
const RUNS = {
  "Node 20": () => inNode("20", PROCESSES),
  "workerd 2025-01-01": () => inWorkerd("2025-01-01", PROCESSES),
};

for (const [name, run] of Object.entries(RUNS)) {
  it(`${name}: the import and a warm initTracer`, async () => {
    const all = await run();
    const loaded = Math.min(...all.map((each) => each.loaded / each.yard));
    const started = Math.min(...all.map((each) => each.started / each.yard));
    assert.ok(loaded < IMPORT_PART, JSON.stringify(all));
    assert.ok(started < START_PART, JSON.stringify(all));
  });
}
