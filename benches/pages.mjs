// What a relay that never answers costs the site around it, over HTTP/1.1 on the page's own origin: how long its pages
// take to load and its own requests to be answered, beside the same pages without the package, in turns in one run.
// At the end the relay answers, and all that was said has to arrive.
//
//   node benches/pages.mjs                                Chromium and Firefox, thirty pages, 1, 2, 4 and 8 sessions
//   VISITS=10 SESSIONS=1 BROWSERS=firefox node benches/pages.mjs
//   PERSIST=false node benches/pages.mjs                  pages that keep nothing, whose enrichments the relay loses

import { join } from "node:path";
import { build } from "esbuild";
import { serveHanging } from "../tests/pages/hanging.mjs";
import { until } from "../tests/support/child.mjs";
import * as browsers from "../tests/support/driven.mjs";
import { consumer } from "../tests/support/package.mjs";

const VISITS = Number(process.env["VISITS"] ?? 30);
const SESSIONS = (process.env["SESSIONS"] ?? "1,2,4,8").split(",").map(Number);
const PERSIST = process.env["PERSIST"] !== "false";
const BROWSERS = (process.env["BROWSERS"] ?? "chromium,firefox").split(",");

/**
 * What the site itself does, with the package and without it. It reads its visitor's tickets in each page: the first look at
 * a page's session storage waits for another process.
 */
const SITE_JS = `
  const visit = location.hash.slice(1);
  const tickets = JSON.parse(sessionStorage.tickets ?? "[]");
  globalThis.visit = visit;
  globalThis.go = async (ms) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    const own = async (n) => (await fetch("/own?" + visit + "-" + n, { cache: "no-store" })).text();
    await Promise.all([own(1), own(2), own(3)]);
    // What was said is kept by now.
    await new Promise((resolve) => setTimeout(resolve, 100));
  };
`;

/** The package is imported, and not called. */
const IMPORT_JS = `
  import { initTracer } from "honeyhive-edge";
  const start = async () => {
    const open = (ticket) => initTracer({ serverUrl: "/honeyhive", ticket, timeoutMs: 1500, deadlineMs: 60000, persist: ${PERSIST} });
    const tracers = await Promise.all(tickets.map(open));
    for (const tracer of tracers) void tracer.enrichSession({ feedback: { ["n" + visit]: visit } });
  };
`;

/** The pages, by what they have of the package. */
const PAGES = {
  "without the package": SITE_JS,
  "imported, not called": `${SITE_JS}${IMPORT_JS} globalThis.start = start;`,
  "with the package": `${SITE_JS}${IMPORT_JS} void start();`,
};

/** Milliseconds: until the page's load has ended, and of each of the site's own requests. */
const TIMES = `({
  load: performance.getEntriesByType("navigation")[0].loadEventEnd,
  own: performance.getEntriesByType("resource").filter((it) => it.name.includes("/own")).map((it) => it.duration),
})`;

const names = Object.keys(PAGES).map((what) => what.replace(/\W+/g, "-"));
const files = Object.values(PAGES).map((code, n) => [`src/${names[n]}.mjs`, code]);
const pages = names.map((name) => [
  `${name}.html`,
  `<!doctype html><title>page</title><script type="module" src="./${name}.js"></script>`,
]);
const folder = await consumer("manners-bench", Object.fromEntries([...files, ...pages]));
await build({
  entryPoints: names.map((name) => join(folder, `src/${name}.mjs`)),
  outdir: folder,
  bundle: true,
  minify: true,
  format: "esm",
});

/** @param {number[]} ms */
const summary = (ms) => {
  const sorted = ms.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return `${median.toFixed(0).padStart(6)} ${(sorted.at(-1) ?? 0).toFixed(0).padStart(8)}`;
};

/**
 * A browser of its own, and a site: what one's pages hold is not to count for the other, and each is seen.
 * @param {string} name of the browser
 * @param {string} page
 * @param {number} sessions
 */
async function begin(name, page, sessions) {
  const start = /** @type {Record<string, browsers.Start>} */ (browsers)[name];
  if (!start) throw new Error(`no browser ${name}`);
  const [site, browser] = await Promise.all([serveHanging(folder, { isCached: true }), start()]);
  const visitor = site.visitor(sessions);
  const tab = await browser.open(`${site.url}/${page}.html`);
  await tab.run(
    `void (sessionStorage.tickets = ${JSON.stringify(JSON.stringify(visitor.tickets))})`,
  );
  const load = /** @type {number[]} */ ([]);
  const own = /** @type {number[]} */ ([]);
  return {
    site,
    visitor,
    load,
    own,
    /** @param {number} visit */
    async visit(visit) {
      await tab.run(`void location.replace("/${page}.html?${visit}#${visit}")`);
      const isThere = `globalThis.visit === "${visit}" && document.readyState === "complete"`;
      await until(() => tab.run(isThere).catch(() => false), {
        what: `page ${visit}`,
        timeoutMs: 200_000,
      });
      await tab.run(`go(${[0, 300, 1500][visit % 3]})`);
      const times = await tab.run(TIMES);
      load.push(times.load);
      own.push(...times.own);
    },
    async end() {
      await browser.quit();
      await site.close();
    },
  };
}

/** The relay answers, and all that was enriched has to arrive. @param {Awaited<ReturnType<typeof begin>>} side */
async function expectAll({ site, visitor, visit }) {
  site.answerAll();
  await visit(VISITS + 1);
  const isStored = () =>
    visitor.sessions.every((session) => site.keys(session).length === VISITS + 2);
  const arrived = await until(isStored, { what: "all", timeoutMs: 60_000 }).catch(() => false);
  console.log(arrived ? "all that was said arrived" : "SOMETHING WAS LOST");
  if (!arrived) process.exitCode = 1;
}

console.log("milliseconds, median and slowest               page's load     own requests");
for (const name of BROWSERS) {
  for (const sessions of SESSIONS) {
    const sides = await Promise.all(names.map((page) => begin(name, page, sessions)));
    for (let visit = 0; visit <= VISITS; visit++) {
      // One after the other, each in its turn the first; the first page of each is to fill the browser's cache.
      for (const n of sides.keys()) await sides[(n + visit) % sides.length]?.visit(visit);
      if (visit === 0) for (const side of sides) side.load.length = side.own.length = 0;
    }
    for (const [n, what] of Object.keys(PAGES).entries()) {
      const side = /** @type {(typeof sides)[0]} */ (sides[n]);
      const of = `${name}, ${sessions} sessions, ${what}`;
      console.log(`${of.padEnd(47)} ${summary(side.load)} ${summary(side.own)}`);
    }
    if (PERSIST) await expectAll(/** @type {(typeof sides)[0]} */ (sides.at(-1)));
    for (const side of sides) await side.end();
  }
}
