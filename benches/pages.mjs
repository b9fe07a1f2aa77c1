// What a relay that never answers costs the site around it, over HTTP/1.1 on the page's own origin: how long its pages
// take to load and its own requests to be answered, beside the same pages without the package, in turns in one run.
// At the end the relay answers, and all that was said has to arrive.
//
//   node benches/pages.mjs                                Chromium and Firefox, thirty pages, one and eight sessions
//   VISITS=10 SESSIONS=1 BROWSERS=firefox node benches/pages.mjs

import { setTimeout as pause } from "node:timers/promises";
import { VISITS_JS, serveHanging } from "../tests/pages/hanging.mjs";
import { until } from "../tests/support/child.mjs";
import * as browsers from "../tests/support/driven.mjs";
import { consumer } from "../tests/support/package.mjs";

const VISITS = Number(process.env["VISITS"] ?? 30);
const SESSIONS = (process.env["SESSIONS"] ?? "1,8").split(",").map(Number);
const BROWSERS = (process.env["BROWSERS"] ?? "chromium,firefox").split(",");

/** A page that asks for the same things of the site, and has no package. */
const PLAIN_JS = `
  globalThis.visit = location.hash;
  globalThis.begin = async (_, visit, ms) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    const own = async (n) => (await fetch("/own?" + visit + "-" + n, { cache: "no-store" })).text();
    await Promise.all([own(1), own(2), own(3)]);
    await new Promise((resolve) => setTimeout(resolve, 100));
  };
`;

/** Milliseconds: of the page's load, and of each of the site's own requests. */
const TIMES = `({
  load: performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd,
  own: performance.getEntriesByType("resource").filter((it) => it.name.includes("/own")).map((it) => it.duration),
})`;

const html = (/** @type {string} */ file) =>
  `<!doctype html><title>page</title><script type="module" src="./${file}"></script>`;
const folder = await consumer("manners-bench", {
  "index.html": html("page.mjs"),
  "plain.html": html("plain.mjs"),
  "page.mjs": VISITS_JS,
  "plain.mjs": PLAIN_JS,
});

/** @param {number[]} ms */
const summary = (ms) => {
  const sorted = ms.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return `${median.toFixed(0).padStart(6)} ${(sorted.at(-1) ?? 0).toFixed(0).padStart(8)}`;
};

console.log("milliseconds, median and slowest      page's load     own requests");
for (const name of BROWSERS) {
  for (const sessions of SESSIONS) {
    const start = /** @type {Record<string, browsers.Start>} */ (browsers)[name];
    if (!start) throw new Error(`no browser ${name}`);
    const browser = await start();
    // A site each: what one's pages hold is not to count for the other.
    const sides = await Promise.all(
      ["/", "/plain.html"].map(async (path) => {
        const site = await serveHanging(folder);
        const tab = await browser.open(`${site.url}${path}#0`);
        return { path, site, tab, visitor: site.visitor(sessions), load: [0], own: [0] };
      }),
    );
    for (const side of sides) side.load.length = side.own.length = 0;
    /** @param {(typeof sides)[0]} side @param {number} visit */
    const isAt = ({ tab }, visit) =>
      until(() => tab.run(`globalThis.visit === "#${visit}"`).catch(() => false), {
        what: `page ${visit}`,
        timeoutMs: 200_000,
      });
    for (let visit = 0; visit < VISITS; visit++) {
      const ms = [0, 300, 1500][visit % 3];
      for (const side of sides) {
        const { tab, path, visitor } = side;
        await isAt(side, visit);
        await tab.run(`begin(${JSON.stringify(visitor.tickets)}, ${visit}, ${ms})`);
        const { load, own } = await tab.run(TIMES);
        side.load.push(load);
        side.own.push(...own);
        await tab.run(`void location.replace("${path}?${visit + 1}#${visit + 1}")`);
      }
    }
    for (const { path, load, own } of sides) {
      const what = `${name}, ${sessions} sessions, ${path === "/" ? "with" : "without"} the package`;
      console.log(`${what.padEnd(38)} ${summary(load)} ${summary(own)}`);
    }
    const [side] = sides;
    if (side) {
      await isAt(side, VISITS);
      side.site.answerAll();
      await side.tab.run(`begin(${JSON.stringify(side.visitor.tickets)}, ${VISITS}, 0)`);
      const isStored = () =>
        side.visitor.sessions.every((session) => side.site.keys(session).length === VISITS + 1);
      const arrived = await until(isStored, { what: "all", timeoutMs: 60_000 }).catch(() => false);
      console.log(arrived ? "all that was said arrived" : "SOMETHING WAS LOST");
      if (!arrived) process.exitCode = 1;
    }
    await pause(0);
    await browser.quit();
    for (const { site } of sides) await site.close();
  }
}
