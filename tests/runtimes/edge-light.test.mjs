// The package in Vercel's edge runtime. Vercel's build compiles what is imported as `*.wasm?module`
// outside of the runtime and hands the module in; so does this.

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { checkReport, EVERYTHING } from "../scenarios/check.mjs";
import { startBackends } from "../support/backends.mjs";
import { bundleEdge, runEdge } from "../support/edge.mjs";
import { consumer } from "../support/package.mjs";

const edgeFunction = `
  import * as api from "honeyhive-edge";
  import { runScenarios } from "./scenarios/runner.mjs";

  addEventListener("fetch", (event) =>
    event.respondWith(
      event.request.json().then(async (what) => Response.json(await runScenarios({ api, ...what }))),
    ),
  );
`;

/** @type {string} */
let folder;
before(async () => {
  const edge = await bundleEdge(await consumer("edge-light", { "edge.mjs": edgeFunction }));
  assert.equal(edge.modules, 1, "the package brings one module of WebAssembly");
  folder = edge.folder;
});

describe("edge-light", { concurrency: 2 }, () => {
  it("scenarios", async (t) => {
    const names = EVERYTHING.filter((name) => name !== "witness");
    const { backends, report, uncaught } = await dispatched(t, names);
    assert.deepEqual(uncaught, []);
    await checkReport(t, report, { names, backends });
  });

  it("uncaught exceptions are seen", async (t) => {
    const { report, uncaught } = await dispatched(t, ["witness"]);
    const seen = [...report.witness.uncaught, ...uncaught].join("\n");
    assert.match(seen, /witness rejection/);
    assert.match(seen, /witness exception/);
  });

  it("what Vercel forbids is forbidden here", async (t) => {
    const { forbidden, ofItsOwn } = await dispatched(t, []);
    assert.equal(Object.keys(forbidden).length, 2);
    for (const refusal of Object.values(forbidden)) assert.match(refusal, /code generation/i);
    assert.equal(ofItsOwn, false, "the module comes from another realm");
  });
});

/**
 * @param {import("node:test").TestContext} t
 * @param {string[]} names
 */
async function dispatched(t, names) {
  const backends = await startBackends();
  t.after(() => backends.close());
  const { answer, ...rest } = await runEdge(t, folder, { names, params: backends.params });
  assert.equal(answer.status, 200, answer.text);
  return { ...rest, backends, report: JSON.parse(answer.text) };
}
