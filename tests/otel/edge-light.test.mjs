// Spans in Vercel's edge runtime.

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { checkReport } from "../scenarios/check.mjs";
import { startBackends } from "../support/backends.mjs";
import { bundleEdge, runEdge } from "../support/edge.mjs";
import { EXPLICIT, spanProject } from "./project.mjs";
import { spanChecks as own } from "./spans.check.mjs";

const edgeFunction = `
  import * as api from "honeyhive-edge";
  import { BasicTracerProvider } from "@opentelemetry/sdk-trace-base";
  import { runScenarios } from "./scenarios/runner.mjs";
  import { spanScenarios } from "./spans.mjs";

  const own = spanScenarios(BasicTracerProvider);
  addEventListener("fetch", (event) =>
    event.respondWith(
      event.request
        .json()
        .then(async (what) => Response.json(await runScenarios({ api, own, ...what }))),
    ),
  );
`;

/** @type {string} */
let folder;
before(async () => {
  const edge = await bundleEdge(await spanProject("edge-light", { "edge.mjs": edgeFunction }));
  assert.equal(edge.modules, 2, "each entry point brings one module of WebAssembly");
  folder = edge.folder;
});

describe("spans in edge-light", () => {
  it("scenarios", async (t) => {
    const backends = await startBackends();
    t.after(() => backends.close());
    const names = EXPLICIT;
    const { answer, uncaught } = await runEdge(t, folder, { names, params: backends.params });
    assert.deepEqual(uncaught, []);
    assert.equal(answer.status, 200, answer.text);
    await checkReport(t, JSON.parse(answer.text), { names, backends, own });
  });
});
