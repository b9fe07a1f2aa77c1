// The package in each browser as a plain <script type="module">, without a bundler: both the file for that, and
// the one that bundlers choose.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { checkReport, EVERYTHING } from "../scenarios/check.mjs";
import { startBackends } from "../support/backends.mjs";
import * as browsers from "../support/browsers.mjs";
import { API_NAMES } from "../support/command-line.mjs";
import { consumer } from "../support/package.mjs";
import { pageHtml, pageScript, serveSite } from "../support/site.mjs";

const files = ["index", "browser"];
const entry = (/** @type {string} */ file) => `./node_modules/honeyhive-edge/${file}.js`;
const probe = (/** @type {string} */ file) => `
  import { probeImport } from "./scenarios/import-probe.mjs";
  const report = await probeImport(() => import(${JSON.stringify(entry(file))}));
  await fetch("/__report", { method: "POST", body: JSON.stringify(report) });
`;

/** @type {Awaited<ReturnType<typeof serveSite>>} */
let site;
before(async () => {
  const pages = files.map((file) => ({
    [`${file}.html`]: pageHtml(`./${file}.mjs`),
    [`${file}.mjs`]: pageScript(entry(file)),
    [`${file}-probe.html`]: pageHtml(`./${file}-probe.mjs`),
    [`${file}-probe.mjs`]: probe(file),
  }));
  site = await serveSite(await consumer("plain-page", Object.assign({}, ...pages)));
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

    for (const file of files) {
      it(`imports quietly (${file}.js)`, async () => {
        const nothing = { names: [], params: {} };
        const path = `/${file}-probe.html`;
        const report = await site.report(browser.visit, nothing, { path });
        assert.deepEqual([report.calls, report.globals], [[], []]);
        for (const each of API_NAMES) assert.ok(report.names.includes(each), each);
      });

      it(`scenarios (${file}.js)`, async (t) => {
        const backends = await startBackends();
        t.after(() => backends.close());
        const names = EVERYTHING;
        const what = { names, params: backends.params };
        const report = await site
          .report(browser.visit, what, { path: `/${file}.html` })
          .catch((error) => assert.fail(`${error}\n${browser.console()}`));
        await checkReport(t, report, { names, backends });
      });
    }
  });
}
