// Pages in real browsers, through the relay in real workerd: on the relay's own origin, on another one
// that is allowed, and on one that is not.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import * as browsers from "../support/browsers.mjs";
import { consumer } from "../support/package.mjs";
import { pageHtml, serveSite } from "../support/site.mjs";
import { bundleWorker, startWorker } from "../support/workerd.mjs";
import { API_KEY, forge } from "./forge.mjs";
import { environment, serving } from "./holds.mjs";
import { worker } from "./worker.mjs";

const page = `
  import { initTracer } from "./node_modules/honeyhive-edge/index.js";

  const site = new URLSearchParams(location.search).get("site");
  const tell = (report) => fetch(site + "/__report", { method: "POST", body: JSON.stringify(report) });
  try {
    const options = await (await fetch(site + "/__what")).json();
    const tracer = await initTracer({ ...options, deadlineMs: 500 });
    const deliveries = [
      await tracer.enrichSession({ feedback: { rating: 5 } }),
      await tracer.enrichSession({ metadata: { plan: "pro" } }),
      await tracer.enrichSession({ feedback: { comment: "good" } }),
    ];
    await tell({ sessionId: tracer.sessionId, deliveries });
  } catch (error) {
    await tell({ failed: String(error.stack) });
  }
`;

/** @type {Awaited<ReturnType<typeof serveSite>>} */
let site;
/** @type {string} */
let bundle;
before(async () => {
  const project = await consumer("relay-browsers", {
    "worker.mjs": worker,
    "app.mjs": await readFile(new URL("app.mjs", import.meta.url), "utf8"),
    "index.html": pageHtml("./page.mjs"),
    "page.mjs": page,
  });
  bundle = await bundleWorker(project);
  site = await serveSite(project);
});
after(() => site?.close());

for (const [name, open] of Object.entries(browsers)) {
  describe(`a page in ${name}`, () => {
    const at = serving((backend) => {
      const bindings = { ...environment(backend), SITE: site.url, ORIGINS: site.url };
      return startWorker(bundle, { compatibilityDate: "2026-10-01", bindings });
    });
    /** @type {browsers.Browser} */
    let browser;
    before(async () => {
      browser = await open();
    });
    after(() => browser?.quit());

    /**
     * @param {string} address of the page
     * @param {string} serverUrl
     */
    async function visited(address, serverUrl) {
      const session = crypto.randomUUID();
      const what = /** @type {any} */ ({ ticket: forge({ session }), serverUrl });
      const visit = () => browser.visit(`${address}/?site=${encodeURIComponent(site.url)}`);
      const report = await site
        .report(visit, what)
        .catch((error) => assert.fail(`${error}\n${browser.console()}`));
      assert.equal(report.sessionId, session);
      return { session, deliveries: report.deliveries };
    }

    /** @param {{ session: string, deliveries: any[] }} visit */
    async function assertWritten({ session, deliveries: [rating, plan, comment] }) {
      const delivered = { status: "delivered", sessionId: session };
      assert.deepEqual([rating, comment], [delivered, delivered]);
      assert.equal(plan.reason, "rejected");
      assert.match(plan.message, /403: the ticket does not allow `metadata`/);
      const event = await at.backend.session(session, API_KEY);
      assert.deepEqual([event.feedback, event.metadata], [{ rating: 5, comment: "good" }, {}]);
    }

    it("of the relay's own origin", async () => {
      await assertWritten(await visited(at.served.url, "/honeyhive"));
    });

    it("of an origin that is allowed", async () => {
      await assertWritten(await visited(site.url, `${at.served.url}/honeyhive`));
    });

    it("of an origin that is not", async () => {
      await at.backend.reset();
      const foreign = site.url.replace("127.0.0.1", "localhost");
      const { deliveries } = await visited(foreign, `${at.served.url}/honeyhive`);
      for (const { reason } of deliveries) assert.equal(reason, "retries_exhausted");
      assert.deepEqual(await at.backend.requests(), []);
    });
  });
}
