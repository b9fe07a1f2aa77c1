// Tickets that end in an open page: renewed by a function and by `setTicket`, in Node and in browsers, through the
// relay in workerd. Nothing that was said meanwhile is lost, and nothing reaches another session.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { node } from "../support/binaries.mjs";
import * as browsers from "../support/browsers.mjs";
import { runToEnd } from "../support/child.mjs";
import { consumer } from "../support/package.mjs";
import { pageHtml, serveSite } from "../support/site.mjs";
import { bundleWorker, startWorker } from "../support/workerd.mjs";
import { API_KEY } from "./forge.mjs";
import { environment, serving } from "./holds.mjs";
import { worker } from "./worker.mjs";

const page = `
  import * as api from "./node_modules/honeyhive-edge/index.js";
  import { staysOpen } from "./renewing.mjs";

  const site = new URLSearchParams(location.search).get("site");
  const tell = (report) => fetch(site + "/__report", { method: "POST", body: JSON.stringify(report) });
  try {
    const { sessionId } = await (await fetch(site + "/__what")).json();
    await tell(await staysOpen(api, location.origin, sessionId));
  } catch (error) {
    await tell({ failed: String(error.stack) });
  }
`;

const program = `
  import * as api from "honeyhive-edge";
  import { staysOpen } from "./renewing.mjs";
  const [relay, sessionId] = process.argv.slice(2);
  console.log(JSON.stringify(await staysOpen(api, relay, sessionId)));
`;

/** @type {string} */
let project;
/** @type {Awaited<ReturnType<typeof serveSite>>} */
let site;
before(async () => {
  const text = (/** @type {string} */ name) => readFile(new URL(name, import.meta.url), "utf8");
  project = await consumer("relay-renewing", {
    "worker.mjs": worker,
    "app.mjs": await text("app.mjs"),
    "renewing.mjs": await text("renewing.mjs"),
    "index.html": pageHtml("./page.mjs"),
    "page.mjs": page,
    "program.mjs": program,
  });
  site = await serveSite(project);
});
after(() => site?.close());

describe("tickets of two seconds", () => {
  const at = serving(async (backend) => {
    const bindings = { ...environment(backend), SITE: site.url, ORIGINS: site.url };
    return startWorker(await bundleWorker(project), {
      compatibilityDate: "2026-10-01",
      bindings,
    });
  });

  /**
   * @param {string} sessionId
   * @param {Awaited<ReturnType<typeof import("./renewing.mjs").staysOpen>>} report
   */
  async function assertWhole(sessionId, { ids, deliveries, askedWhileOpen, lost }) {
    assert.deepEqual(ids, [sessionId, sessionId]);
    for (const delivery of deliveries) {
      assert.deepEqual(delivery, { status: "delivered", sessionId });
    }
    // Two tracers ask as one; each ticket lasts for two to three of six things that are said.
    assert.ok(askedWhileOpen >= 2 && askedWhileOpen <= 6, String(askedWhileOpen));
    assert.equal(/** @type {any} */ (lost).reason, "retries_exhausted");
    assert.match(/** @type {any} */ (lost).message, /no ticket within 300 ms/);
    const event = await at.backend.session(sessionId, API_KEY);
    const said = { asked0: true, asked1: true, asked2: true, asked3: true, asked4: true };
    const late = { asked5: true, late1: true, late2: true, end: true, last: 2 };
    assert.deepEqual(event.feedback, { ...said, ...late });
  }

  it("are renewed in Node", async () => {
    const sessionId = randomUUID();
    const args = ["program.mjs", at.served.url, sessionId];
    const { stdout, stderr } = await runToEnd(node("22"), args, { cwd: project });
    assert.equal(stderr, "");
    await assertWhole(sessionId, JSON.parse(stdout));
  });

  for (const [name, open] of Object.entries(browsers)) {
    it(`are renewed in a tab of ${name}`, async () => {
      const browser = await open();
      try {
        const sessionId = randomUUID();
        const address = `${at.served.url}/?site=${encodeURIComponent(site.url)}`;
        const what = /** @type {any} */ ({ sessionId });
        const report = await site
          .report(() => browser.visit(address), what)
          .catch((error) => assert.fail(`${error}\n${browser.console()}`));
        await assertWhole(sessionId, report);
      } finally {
        await browser.quit();
      }
    });
  }
});
