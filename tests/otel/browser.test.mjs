// Spans in Chromium, with OpenTelemetry's SDK for pages and through every bundler: that the spans know
// their sessions shows that both entry points of the package share one module's state there.

import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import { build } from "esbuild";
import { checkReport } from "../scenarios/check.mjs";
import { startBackends } from "../support/backends.mjs";
import { chromium } from "../support/browsers.mjs";
import { bundlers, viteDev } from "../support/bundlers.mjs";
import { pageHtml, pageScript, serveSite } from "../support/site.mjs";
import { EVERY, EXPLICIT, spanProject } from "./project.mjs";
import { spanChecks as own } from "./spans.check.mjs";

const page = pageScript(
  "honeyhive-edge",
  `
  import { WebTracerProvider } from "@opentelemetry/sdk-trace-web";
  import { spanScenarios } from "./spans.mjs";
  const own = spanScenarios(WebTracerProvider);
`,
);

/** Zone.js follows promises but not `await`: that is compiled away, as Angular does it. */
const zonePage = `
  import "zone.js";
  import { context } from "@opentelemetry/api";
  import { ZoneContextManager } from "@opentelemetry/context-zone-peer-dep";
  ${page}
  context.setGlobalContextManager(new ZoneContextManager().enable());
`;

/** @type {import("../support/browsers.mjs").Browser} */
let browser;
before(async () => {
  browser = await chromium();
});
after(() => browser?.quit());

describe("spans in a page", { concurrency: 1 }, () => {
  for (const [bundler, bundle] of Object.entries(bundlers)) {
    it(bundler, async (t) => {
      const isVite = bundler.startsWith("Vite");
      const project = await spanProject(`page-${bundler.replace(/\W/g, "")}`, {
        "page.mjs": page,
        [isVite ? "index.html" : "dist/index.html"]: pageHtml(isVite ? "./page.mjs" : "./page.js"),
      });
      await bundle(project);
      await runsInPage(t, join(project, "dist"), EXPLICIT);
    });
  }

  it("Vite dev", async (t) => {
    const project = await spanProject("page-ViteDev", {
      "page.mjs": page,
      "index.html": pageHtml("./page.mjs"),
    });
    const { url, close } = await viteDev(project);
    t.after(close);
    await runsInPage(t, project, EXPLICIT, url);
  });

  it("zone.js as the context manager", async (t) => {
    const project = await spanProject("page-zone", {
      "page.mjs": zonePage,
      "dist/index.html": pageHtml("./page.js"),
    });
    const { warnings } = await build({
      entryPoints: [join(project, "page.mjs")],
      bundle: true,
      format: "esm",
      supported: { "async-await": false },
      outfile: join(project, "dist", "page.js"),
      logLevel: "silent",
    });
    assert.deepEqual(warnings, []);
    await runsInPage(t, join(project, "dist"), EVERY);
  });
});

/**
 * @param {import("node:test").TestContext} t
 * @param {string} folder
 * @param {string[]} names
 * @param {string} [server] that serves the page, if not the site
 */
async function runsInPage(t, folder, names, server) {
  const backends = await startBackends();
  t.after(() => backends.close());
  const site = await serveSite(folder);
  t.after(() => site.close());
  const visit = server ? () => browser.visit(`${server}?site=${site.url}`) : browser.visit;
  const report = await site
    .report(visit, { names, params: backends.params })
    .catch((error) => assert.fail(`${error}\n${browser.console()}`));
  await checkReport(t, report, { names, backends, own });
}
