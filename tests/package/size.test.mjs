// What the package costs a page: JavaScript and the wasm in it, as bundlers make it for production.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build as esbuild } from "esbuild";
import { build as vite } from "vite";
import { consumer } from "../support/package.mjs";

/** Bytes that a page's bundle may have after gzip. Size is bounded and not hunted: `make size` says what takes them. */
const BUDGET = 100_000;

const PAGE = `
  import { enrichSession, initTracer } from "honeyhive-edge";
  await initTracer({ apiKey: "key", project: "project" });
  await enrichSession({ metadata: { plan: "pro" } });
`;

/** @type {Record<string, (project: string) => Promise<string>>} */
const bundles = {
  async esbuild(project) {
    const outfile = join(project, "out/page.js");
    const entryPoints = [join(project, "page.mjs")];
    await esbuild({ entryPoints, outfile, bundle: true, minify: true, format: "esm" });
    return outfile;
  },
  async Vite(project) {
    await vite({
      root: project,
      configFile: false,
      logLevel: "error",
      build: {
        outDir: "out",
        target: "es2022",
        rolldownOptions: {
          input: join(project, "page.mjs"),
          output: { entryFileNames: "page.js" },
        },
      },
    });
    return join(project, "out/page.js");
  },
};

/** @param {Buffer} content */
const sizes = (content) => ({
  raw: content.length,
  gzip: gzipSync(content, { level: 9 }).length,
  brotli: brotliCompressSync(content).length,
});

for (const [bundler, bundle] of Object.entries(bundles)) {
  test(`a page's bundle stays within its budget (${bundler})`, async (t) => {
    const project = await consumer(`size-${bundler}`, { "page.mjs": PAGE });
    const code = await readFile(await bundle(project));
    const wasm = await readFile(join(project, "node_modules/honeyhive-edge/core.wasm"));
    const is = sizes(code);
    const alone = sizes(wasm);
    t.diagnostic(`a page: ${JSON.stringify(is)}; the wasm alone: ${JSON.stringify(alone)}`);
    assert.ok(alone.raw > 50_000 && is.gzip > 20_000, "it is not in the bundle");
    assert.ok(is.gzip <= BUDGET, `${is.gzip} bytes are over the budget of ${BUDGET}`);
  });
}

/** README's page, whose first view records nothing. */
const PAGE_THAT_LOADS_LATER = `
  document.querySelector("button")?.addEventListener("click", async () => {
    const { initTracer } = await import("honeyhive-edge");
    const tracer = await initTracer({ serverUrl: "/honeyhive", ticket: "ticket" });
    tracer.enrichSession({ feedback: { rating: 5 } });
  });
`;

test("a page that imports the package when it needs it has nothing of the core on its critical path", async (t) => {
  const project = await consumer("size-later", { "page.mjs": PAGE_THAT_LOADS_LATER });
  const { metafile } = await esbuild({
    entryPoints: [join(project, "page.mjs")],
    outdir: join(project, "out"),
    bundle: true,
    minify: true,
    format: "esm",
    splitting: true,
    metafile: true,
  });
  const outputs = Object.entries(metafile.outputs);
  const critical = new Set(
    outputs.filter(([, { entryPoint }]) => entryPoint?.endsWith("page.mjs")),
  );
  for (const [, { imports }] of critical) {
    for (const { path, kind } of imports) {
      if (kind === "import-statement") {
        for (const output of outputs) if (output[0] === path) critical.add(output);
      }
    }
  }
  const bytes = [...critical].reduce((sum, [, output]) => sum + output.bytes, 0);
  t.diagnostic(`on the critical path: ${bytes} bytes`);
  assert.ok(
    outputs.some(([, output]) => output.bytes > 50_000),
    "the core is nowhere",
  );
  assert.ok(bytes < 2_000, `${bytes} bytes are on the critical path`);
});
