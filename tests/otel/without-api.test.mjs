// Without @opentelemetry/api the main entry works as if honeyhive-edge/otel were not there, and whoever
// imports that is told what is missing.

import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { build } from "esbuild";
import { checkReport } from "../scenarios/check.mjs";
import { startBackends } from "../support/backends.mjs";
import { runToEnd } from "../support/child.mjs";
import { entries } from "../support/command-line.mjs";
import { consumer, packedPackage } from "../support/package.mjs";

/** Not below tests/, whose node_modules have OpenTelemetry. @type {string} */
let project;
before(async () => {
  project = await mkdtemp(join(tmpdir(), "honeyhive-edge-"));
  await cp(await consumer("otel-without", entries), project, { recursive: true });
});
after(() => rm(project, { recursive: true, force: true }));

describe("without @opentelemetry/api", () => {
  it("the package is installed without it", async () => {
    const { project: installed } = await packedPackage();
    const lock = await readFile(join(installed, "package-lock.json"), "utf8");
    const packages = Object.keys(JSON.parse(lock).packages).filter((path) => path !== "");
    assert.deepEqual(packages, ["node_modules/honeyhive-edge"]);
  });

  for (const entry of ["import.mjs", "require.cjs"]) {
    it(`the main entry works, ${entry}`, async (t) => {
      const backends = await startBackends();
      t.after(() => backends.close());
      const names = ["guide", "fields"];
      const what = JSON.stringify({ names, params: backends.params });
      const { code, stdout, stderr } = await runToEnd(process.execPath, [entry, what], {
        cwd: project,
      });
      assert.equal(code, 0, stderr);
      await checkReport(t, JSON.parse(stdout), { names, backends });
    });
  }

  it("the main entry has nothing of it, in any of its forms", async () => {
    for (const conditions of [["workerd"], ["edge-light"], ["require"], ["default"]]) {
      await writeFile(join(project, "main.mjs"), 'export * from "honeyhive-edge";');
      const { metafile, outputFiles } = await build({
        entryPoints: [join(project, "main.mjs")],
        bundle: true,
        write: false,
        metafile: true,
        format: "esm",
        conditions,
        external: ["cloudflare:workers", "*.wasm", "*.wasm?module"],
        logLevel: "silent",
      });
      const inputs = Object.keys(metafile.inputs).filter((path) =>
        path.includes("honeyhive-edge/"),
      );
      assert.equal(inputs.length, 1, `${conditions}: ${inputs}`);
      // But for the names under which an application's own OpenTelemetry can be told to leave our requests alone.
      const text = outputFiles[0].text.replace(/symbol\.?for\("OpenTelemetry[^"]+"\)/gi, "");
      const code = text.replace(/^\s*\/\/.*$/gm, "");
      // Nothing shorter: the text of the wasm has any few letters in it.
      assert.doesNotMatch(code, /opentelemetry|traceloop|enrichSpan/i);
    }
  });

  it("the main entry's WebAssembly has nothing of it either", async () => {
    const { project: installed } = await packedPackage();
    const wasm = (/** @type {string} */ name) =>
      readFile(join(installed, "node_modules", "honeyhive-edge", name));
    const [main, otel] = await Promise.all([wasm("core.wasm"), wasm("otel.wasm")]);
    for (const text of ["/opentelemetry/v1/traces", "honeyhive_metadata", "resourceSpans"]) {
      assert.ok(otel.includes(text), `otel.wasm has ${text}, or this test sees nothing`);
      assert.ok(!main.includes(text), `core.wasm has ${text}`);
    }
  });

  it("honeyhive-edge/otel says what is missing", async () => {
    for (const [name, source] of [
      ["missing.mjs", 'import "honeyhive-edge/otel";'],
      ["missing.cjs", 'require("honeyhive-edge/otel");'],
    ]) {
      await writeFile(join(project, name), source);
      const { code, stderr } = await runToEnd(process.execPath, [name], { cwd: project });
      assert.notEqual(code, 0);
      assert.match(stderr, /Cannot find (package|module) '@opentelemetry\/api'/);
    }
  });
});
