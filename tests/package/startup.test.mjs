// Importing the package and starting a session stay cheap. The limits are several times what a machine with
// nothing else to do needs (benches/README.md): they are to find what is done at import or for each session by mistake.

import assert from "node:assert/strict";
import { it } from "node:test";
import { inNode, inWorkerd } from "../../benches/startup.mjs";

const PROCESSES = 5;
const IMPORT_MS = 25;
const START_MS = 1;

/** @type {Record<string, () => Promise<import("../../benches/startup.mjs").Startup[]>>} */
const RUNS = {
  "Node 20": () => inNode("20", PROCESSES),
  "workerd 2025-01-01": () => inWorkerd("2025-01-01", PROCESSES),
};

for (const [name, run] of Object.entries(RUNS)) {
  it(`${name}: the import and a warm initTracer`, async () => {
    const all = await run();
    assert.ok(Math.min(...all.map(({ loaded }) => loaded)) < IMPORT_MS, JSON.stringify(all));
    assert.ok(Math.min(...all.map(({ started }) => started)) < START_MS, JSON.stringify(all));
  });
}
