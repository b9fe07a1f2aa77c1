// A relay on the page's own origin that never answers, over HTTP/1.1: how many of the six connections that a
// browser has for the site are taken from it. Judged by counts, at the server.

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { until } from "../support/child.mjs";
import { consumer } from "../support/package.mjs";
import { INSECURE_HOST } from "../support/programs.mjs";
import { VISITS_JS, serveHanging } from "./hanging.mjs";
import { visits } from "./visits.mjs";

/** Pages of one visitor, one after the other. */
const VISITS = Number(process.env["VISITS"] ?? 6);

/** Two of a page that is seen, and two that pages left behind within a second. */
const MOST = 4;

/** How pages begin that keep nothing. */
const UNKEPT = {
  "persist: false": "void (globalThis.options = { persist: false })",
  "IndexedDB refused": `void Object.defineProperty(globalThis, "indexedDB", {
    get() { throw new DOMException("The operation is insecure.", "SecurityError"); } })`,
};

/** @type {string} */
let folder;
before(async () => {
  const files = {
    "index.html": `<!doctype html><title>page</title><script type="module" src="./page.mjs"></script>`,
    "page.mjs": VISITS_JS,
  };
  folder = await consumer("manners", files);
});

/** @param {import("../support/driven.mjs").Tab} tab @param {number} visit */
const isAt = (tab, visit) =>
  until(() => tab.run(`globalThis.visit === "#${visit}"`).catch(() => false), {
    what: `page ${visit}`,
  });

for (const { title, name, start, isSecure } of visits) {
  describe(title, () => {
    /** @param {import("node:test").TestContext} t */
    async function begin(t) {
      // One for each test: a browser sends again what was on a connection that is closed.
      const site = await serveHanging(folder);
      t.after(() => site.close());
      // WebKit finds a host that is none only by the port of a server, which is each test's own.
      const browser = await start(isSecure ? undefined : site.port);
      t.after(() => browser.quit());
      const url = isSecure ? site.url : `http://${INSECURE_HOST}:${site.port}`;
      return { site, browser, url };
    }

    for (const sessions of [1, 8]) {
      it(`${sessions} busy sessions, ${VISITS} pages left and opened, and no answer`, async (t) => {
        const { site, browser, url } = await begin(t);
        const visitor = site.visitor(sessions);
        const tab = await browser.open(`${url}/#0`);
        assert.equal(await tab.run("isSecureContext"), isSecure);
        for (let visit = 0; visit < VISITS; visit++) {
          await isAt(tab, visit);
          // Some are left at once, some while the first request is tried, some after it failed.
          const ms = [0, 300, 1500][visit % 3];
          await tab.run(`begin(${JSON.stringify(visitor.tickets)}, ${visit}, ${ms})`);
          await tab.run(`void location.replace("/?${visit + 1}#${visit + 1}")`);
        }
        const held = site.held().map(({ all }) => all);
        assert.ok(Math.max(...held) <= MOST, `${held} connections were held`);
        site.answerAll();
        await isAt(tab, VISITS);
        await tab.run(`begin(${JSON.stringify(visitor.tickets)}, ${VISITS}, 0)`);
        const said = Array.from({ length: VISITS + 1 }, (_, visit) => `n${visit}`).sort();
        for (const session of visitor.sessions) {
          const isStored = () => site.keys(session).length === said.length;
          await until(isStored, { what: `${said} of ${session}` }).catch(() => {});
          assert.deepEqual(site.keys(session), said);
        }
        await tab.close();
      });

      for (const [how, begins] of Object.entries(UNKEPT)) {
        // WebKitGTK has the same connections for requests without cookies as for those with them.
        if (name === "webkit") continue;
        it(`the same, ${how}, ${sessions} busy sessions`, async (t) => {
          const { site, browser, url } = await begin(t);
          const visitor = site.visitor(sessions);
          const tickets = JSON.stringify(visitor.tickets);
          const tab = await browser.open(`${url}/#0`);
          for (let visit = 0; visit < VISITS; visit++) {
            await isAt(tab, visit);
            await tab.run(begins);
            const ms = [0, 300, 1500][visit % 3];
            await tab.run(`begin(${tickets}, ${visit}, ${ms}, options)`);
            await tab.run(`void location.replace("/?${visit + 1}#${visit + 1}")`);
          }
          await isAt(tab, VISITS);
          const held = site.held().map(({ ofSite }) => ofSite);
          assert.ok(Math.max(...held) <= MOST, `${held} of the site's connections were held`);
          await tab.close();
        });
      }
    }

    for (const [how, begins] of Object.entries(UNKEPT)) {
      it(`${how}, and a relay that takes its time: ${VISITS} pages left before it answers`, async (t) => {
        const { site, browser, url } = await begin(t);
        site.answerAll(2000);
        const visitor = site.visitor(1);
        const given = `${JSON.stringify(visitor.tickets)}, `;
        const tab = await browser.open(`${url}/#0`);
        for (let visit = 0; visit < VISITS; visit++) {
          await isAt(tab, visit);
          await tab.run(begins);
          await tab.run(`say(${given} ${visit}, options)`);
          // Some are left when the relay seems not to answer.
          await new Promise((resolve) => setTimeout(resolve, 1200 * (visit % 2)));
          await tab.run(`void location.replace("/?${visit + 1}#${visit + 1}")`);
        }
        await isAt(tab, VISITS);
        const said = Array.from({ length: VISITS }, (_, visit) => `n${visit}`).sort();
        const session = visitor.sessions[0] ?? "";
        const isStored = () => site.keys(session).length === said.length;
        await until(isStored, { what: `${said}` }).catch(() => {});
        assert.deepEqual(site.keys(session), said);
        await tab.close();
      });
    }
  });
}
