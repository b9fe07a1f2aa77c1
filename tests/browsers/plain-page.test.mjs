// The package in each browser as a plain <script type="module">, without a bundler.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { checkReport, EVERYTHING } from "../scenarios/check.mjs";
import { startBackends } from "../support/backends.mjs";
import * as browsers from "../support/browsers.mjs";
import { API_NAMES } from "../support/command-line.mjs";
import { consumer } from "../support/package.mjs";
import { pageHtml, pageScript, serveSite } from "../support/site.mjs";

const entry = "./node_modules/honeyhive-edge/index.js";
const probe = `
  import { probeImport } from "./scenarios/import-probe.mjs";
  const report = await probeImport(() => import(${JSON.stringify(entry)}));
  await fetch("/__report", { method: "POST", body: JSON.stringify(report) });
`;

/** @type {Awaited<ReturnType<typeof serveSite>>} */
let site;
before(async () => {
  site = await serveSite(
    await consumer("plain-page", {
      "index.html": pageHtml("./page.mjs"),
      "page.mjs": pageScript(entry),
      "probe.html": pageHtml("./probe.mjs"),
      "probe.mjs": probe,
    }),
  );
});
after(() => site?.close());

for (const [name, open] of Object.entries(browsers)) {
  describe(name, () => {
    /** @type {browsers.Browser} */
    let browser;
    before(async () => {
      browser = await open();
    });
    after(() => browser?.quit());

    it("imports quietly", async () => {
      const nothing = { names: [], params: {} };
      const report = await site.report(browser.visit, nothing, { path: "/probe.html" });
      assert.deepEqual([report.calls, report.globals], [[], []]);
      for (const each of API_NAMES) assert.ok(report.names.includes(each), each);
    });

    it("scenarios", async (t) => {
      const backends = await startBackends();
      t.after(() => backends.close());
      const names = EVERYTHING;
      const report = await site
        .report(browser.visit, { names, params: backends.params })
        .catch((error) => assert.fail(`${error}\n${browser.console()}`));
      await checkReport(t, report, { names, backends });
    });
  });
}
