// Pages with a strict content security policy: 'wasm-unsafe-eval' is all the package needs, and
// without it a page comes to no harm.

import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import { checkReport } from "../scenarios/check.mjs";
import { startBackends } from "../support/backends.mjs";
import * as browsers from "../support/browsers.mjs";
import { consumer } from "../support/package.mjs";
import { pageHtml, pageScript, serveSite } from "../support/site.mjs";

const others = "default-src 'none'; connect-src 'self' http://127.0.0.1:*";
const policies = {
  permitted: {
    policy: `${others}; script-src 'self' 'wasm-unsafe-eval'`,
    names: ["guide", "fields"],
  },
  blocked: { policy: `${others}; script-src 'self'`, names: ["blocked"] },
};

/** @type {string} */
let project;
before(async () => {
  project = await consumer("csp", {
    "index.html": pageHtml("./page.mjs"),
    "page.mjs": pageScript("./node_modules/honeyhive-edge/browser.js"),
  });
});

for (const [name, open] of Object.entries(browsers)) {
  describe(name, () => {
    /** @type {browsers.Browser} */
    let browser;
    before(async () => {
      browser = await open();
    });
    after(() => browser?.quit());

    for (const [which, { policy, names }] of Object.entries(policies)) {
      it(which, async (t) => {
        const site = await serveSite(project, { headers: { "content-security-policy": policy } });
        t.after(() => site.close());
        const backends = await startBackends();
        t.after(() => backends.close());
        const report = await site
          .report(browser.visit, { names, params: backends.params })
          .catch((error) => assert.fail(`${error}\n${browser.console()}`));
        await checkReport(t, report, { names, backends });
      });
    }
  });
}
