// The package in Vercel's edge runtime. Vercel's build compiles what is imported as `*.wasm?module`
// outside of the runtime and hands the module in; so does this.

import assert from "node:assert/strict";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { build } from "esbuild";
import { checkReport, EVERYTHING } from "../scenarios/check.mjs";
import { startBackends } from "../support/backends.mjs";
import { start } from "../support/child.mjs";
import { consumer, testsDir } from "../support/package.mjs";

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
  const project = await consumer("edge-light", { "edge.mjs": edgeFunction });
  folder = join(project, "out");
  /** @type {string[]} */
  const modules = [];
  const { warnings } = await build({
    entryPoints: [join(project, "edge.mjs")],
    bundle: true,
    outfile: join(folder, "edge.js"),
    format: "iife",
    conditions: ["edge-light"],
    logLevel: "silent",
    plugins: [
      {
        name: "wasm-modules",
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /\.wasm\?module$/ }, ({ path, resolveDir }) => ({
            path: join(resolveDir, path.replace(/\?module$/, "")),
            namespace: "wasm",
          }));
          onLoad({ filter: /.*/, namespace: "wasm" }, ({ path }) => {
            const name = `wasm_${modules.push(path) - 1}`;
            return { contents: `export default globalThis.${name};` };
          });
        },
      },
    ],
  });
  assert.deepEqual(warnings, []);
  assert.equal(modules.length, 1, "the package brings one module of WebAssembly");
  await copyFile(modules[0], join(folder, "wasm_0.wasm"));
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
  const host = start(process.execPath, [join(testsDir, "support", "edge-host.mjs"), folder], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  t.after(() => host.stop());
  host.child.stdin?.end(JSON.stringify({ names, params: backends.params }));
  const { code, stdout, stderr } = await host.ended;
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  const { answer, ...rest } = JSON.parse(stdout);
  assert.equal(answer.status, 200, answer.text);
  return { ...rest, backends, report: JSON.parse(answer.text) };
}
