// The package through the bundlers, none of them told anything about it: what they make runs in
// Chromium, and esbuild's output for a server in Node.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { checkReport } from "../scenarios/check.mjs";
import { startBackends } from "../support/backends.mjs";
import { node } from "../support/binaries.mjs";
import { bundlers, viteDev } from "../support/bundlers.mjs";
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
    const { url, close } = await viteDev(project);
    t.after(close);
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
