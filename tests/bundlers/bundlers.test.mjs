// The package through the bundlers, none of them told anything about it: what they make runs in
// Chromium, and esbuild's output for a server in Node.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { checkReport } from "../scenarios/check.mjs";
import { startBackends } from "../support/backends.mjs";
import { node } from "../support/binaries.mjs";
import { chromium } from "../support/browsers.mjs";
import { entries, runsScenarios } from "../support/command-line.mjs";
import { consumer } from "../support/package.mjs";
import { pageHtml, pageScript, serveSite } from "../support/site.mjs";

const names = ["guide", "fields"];

/** @type {import("../support/browsers.mjs").Browser} */
let browser;
before(async () => {
  browser = await chromium();
});
after(() => browser?.quit());

/** Each builds page.mjs of a project into dist/, where index.html wants page.js. */
const bundlers = {
  async esbuild(/** @type {string} */ project) {
    const { build } = await import("esbuild");
    const { warnings } = await build({
      entryPoints: [join(project, "page.mjs")],
      bundle: true,
      format: "esm",
      outfile: join(project, "dist", "page.js"),
      logLevel: "silent",
    });
    assert.deepEqual(warnings, []);
  },

  async Rollup(/** @type {string} */ project) {
    const { rollup } = await import("rollup");
    const { nodeResolve } = await import("@rollup/plugin-node-resolve");
    /** @type {string[]} */
    const warnings = [];
    const bundle = await rollup({
      input: join(project, "page.mjs"),
      plugins: [nodeResolve({ browser: true })],
      onwarn: (warning) => void warnings.push(warning.message),
    });
    await bundle.write({ file: join(project, "dist", "page.js"), format: "es" });
    await bundle.close();
    assert.deepEqual(warnings, []);
  },

  async "webpack 5"(/** @type {string} */ project) {
    const { default: webpack } = await import("webpack");
    const compiler = webpack({
      mode: "production",
      context: project,
      entry: "./page.mjs",
      output: { path: join(project, "dist"), filename: "page.js" },
      performance: false, // the scenarios' own weight is not the package's
    });
    const stats = await new Promise((resolve, reject) => {
      compiler.run((error, result) => (error ? reject(error) : resolve(result)));
    });
    await new Promise((resolve) => compiler.close(resolve));
    const { errors, warnings } = stats.toJson({ errors: true, warnings: true });
    assert.deepEqual([errors, warnings], [[], []]);
  },

  async "Vite build"(/** @type {string} */ project) {
    const { build, createLogger } = await import("vite");
    const logger = createLogger("warn");
    /** @type {string[]} */
    const warnings = [];
    logger.warn = (message) => void warnings.push(message);
    await build({
      root: project,
      configFile: false,
      logLevel: "warn",
      customLogger: logger,
      build: { outDir: "dist", emptyOutDir: false },
    });
    assert.deepEqual(warnings, []);
  },
};

describe("bundled for a page", { concurrency: 1 }, () => {
  for (const [bundler, build] of Object.entries(bundlers)) {
    it(bundler, async (t) => {
      const isVite = bundler.startsWith("Vite");
      const project = await consumer(`bundled-${bundler.replace(/\W/g, "")}`, {
        "page.mjs": pageScript("honeyhive-edge"),
        // Vite makes dist/index.html out of the one in the root.
        [isVite ? "index.html" : "dist/index.html"]: pageHtml(isVite ? "./page.mjs" : "./page.js"),
      });
      await build(project);
      const site = await serveSite(join(project, "dist"));
      t.after(() => site.close());
      await runsInPage(t, site);
    });
  }

  it("Vite dev", async (t) => {
    const project = await consumer("bundled-ViteDev", {
      "page.mjs": pageScript("honeyhive-edge"),
      "index.html": pageHtml("./page.mjs"),
    });
    const site = await serveSite(project);
    t.after(() => site.close());
    const { createServer } = await import("vite");
    const server = await createServer({
      root: project,
      configFile: false,
      logLevel: "error",
      server: {
        host: "127.0.0.1",
        port: 0,
        hmr: false,
      },
    });
    await server.listen();
    t.after(() => server.close());
    const url = server.resolvedUrls?.local[0];
    assert.ok(url);
    await runsInPage(t, site, () => browser.visit(`${url}?site=${site.url}`));
  });
});

describe("bundled by esbuild for a server", () => {
  for (const [entry, format] of /** @type {const} */ ([
    ["import.mjs", "esm"],
    ["require.cjs", "cjs"],
  ])) {
    it(format, async (t) => {
      const { build } = await import("esbuild");
      const project = await consumer(`bundled-server-${format}`, entries);
      const { warnings } = await build({
        entryPoints: [join(project, entry)],
        bundle: true,
        platform: "node",
        target: "node20",
        format,
        outfile: join(project, "out", entry),
        logLevel: "silent",
      });
      assert.deepEqual(warnings, []);
      await writeFile(join(project, "out", "package.json"), "{}");
      const cwd = join(project, "out");
      await runsScenarios(t, { command: node("20"), args: [], cwd }, { entry, names });
    });
  }
});

/**
 * @param {import("node:test").TestContext} t
 * @param {Awaited<ReturnType<typeof serveSite>>} site
 * @param {(url: string) => Promise<unknown>} [visit]
 */
async function runsInPage(t, site, visit = browser.visit) {
  const backends = await startBackends();
  t.after(() => backends.close());
  const report = await site
    .report(visit, { names, params: backends.params })
    .catch((error) => assert.fail(`${error}\n${browser.console()}`));
  await checkReport(t, report, { names, backends });
}
