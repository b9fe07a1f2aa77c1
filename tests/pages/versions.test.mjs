// Two versions of the package on one page, as where a site and a widget bring one each: this one, and a later one, which
// has one more store in the database (so the database gets another version), and another format of entries. The later
// version is made of this one's text. Each is loaded first once.

import assert from "node:assert/strict";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { until } from "../support/child.mjs";
import { consumer } from "../support/package.mjs";
import { SEEN_JS, keeps } from "./seen.mjs";
import { serve } from "./served.mjs";
import { visiting, visits } from "./visits.mjs";

/** @import { Tab } from "../support/driven.mjs" */

/** What differs in the later version: a text of this one's, and what stands in its place. */
const CHANGES = /** @type {[string, string][]} */ ([
  ["return [STORE, ABOUT].filter(", 'return [STORE, ABOUT, "later"].filter('],
  [
    "{ since: saidAt(json), json }",
    '{ since: saidAt(json), json: json.replace(/"v":1/, \'"v":3\') }',
  ],
  ["texts.push(record.json)", 'texts.push(record.json.replace(/"v":3/, \'"v":1\'))'],
  ["LAST_FORMAT = 2", "LAST_FORMAT = 3"],
]);

const PAGE_JS = `
  ${SEEN_JS}
  const folders = { now: "node_modules/honeyhive-edge", later: "later" };
  seen.tracers = {};
  seen.begin = async (version, options) => {
    const { initTracer } = await import("./" + folders[version] + "/browser.js");
    seen.tracers[version] = await initTracer({ logLevel: "debug", ...options });
  };
  seen.enrich = (version, feedback) => {
    const [name] = Object.keys(feedback);
    seen.tracers[version]
      .enrichSession({ feedback })
      .then(({ status }) => (seen.deliveries[version + name] = status));
  };
  seen.stores = () =>
    new Promise((resolve) => {
      indexedDB.open("honeyhive-edge").onsuccess = ({ target: { result: db } }) => {
        db.close();
        resolve([...db.objectStoreNames]);
      };
    });
`;

/** @type {Awaited<ReturnType<typeof serve>>} */
let site;
before(async () => {
  const folder = await consumer("versions", {
    "index.html": `<!doctype html><title>page</title><script type="module" src="./page.mjs"></script>`,
    "page.mjs": PAGE_JS,
  });
  await cp(join(folder, "node_modules", "honeyhive-edge"), join(folder, "later"), {
    recursive: true,
  });
  const path = join(folder, "later", "browser.js");
  let code = await readFile(path, "utf8");
  for (const [text, changed] of CHANGES) {
    assert.equal(code.split(text).length, 2, `${text}, once`);
    code = code.replace(text, () => changed);
  }
  await writeFile(path, code);
  site = await serve(folder);
});
after(() => site?.close());

for (const place of visits) {
  describe(place.title, () => {
    const { open } = visiting(place, () => site);
    beforeEach(async () => {
      const { tab } = await open();
      await tab.run("seen.clear()");
      await tab.close();
    });

    /** @typedef {"now" | "later"} Version */

    /** A page with these versions, each with a session of its own. @param {Version[]} versions */
    async function visit(versions) {
      const { tab } = await open();
      /** @type {Record<string, string>} */
      const sessions = {};
      for (const version of versions) {
        const { session, options } = site.visitor();
        sessions[version] = session;
        await tab.run(`seen.begin("${version}", ${JSON.stringify(options)})`);
      }
      return {
        tab,
        sessions,
        /** @param {string} name */
        async enrich(name) {
          for (const version of versions)
            await tab.run(`seen.enrich("${version}", { ${name}: 1 })`);
        },
        /** Each version's session has these, each by one request. @param {string[]} names */
        async stored(names) {
          const feedback = Object.fromEntries(names.map((name) => [name, 1]));
          for (const version of versions) {
            const session = sessions[version] ?? "";
            await site.stored(session, feedback);
            const told = (await site.told(session)).flatMap((said) => Object.keys(said));
            assert.deepEqual(told.toSorted(), names.toSorted(), `${version}, once`);
          }
        },
        /** Each version's calls ended as delivered. @param {string} name */
        async delivered(name) {
          for (const version of versions) {
            const isTold = () => tab.run(`seen.deliveries.${version}${name} === "delivered"`);
            await until(isTold, { what: `${version}'s promise` });
          }
        },
      };
    }

    /** No line at warn or above. @param {Tab} tab */
    async function quiet(tab) {
      const lines = await tab.run("seen.lines");
      const loud = lines.filter((/** @type {string} */ line) =>
        /cannot|refuses|lost|internal|failed/.test(line),
      );
      assert.deepEqual(loud, []);
    }

    for (const order of /** @type {Version[][]} */ ([
      ["now", "later"],
      ["later", "now"],
    ])) {
      const what = `${order[0]} loaded before ${order[1]}`;

      it(`${what}: each delivers what it was given, once`, async () => {
        const { tab, enrich, stored, delivered } = await visit(order);
        await enrich("online");
        await delivered("online");
        site.down(true);
        await enrich("offline");
        await keeps(tab, 2);
        assert.ok((await tab.run("seen.stores()")).includes("later"), "the later version's own");
        assert.equal((await tab.run("seen.owners()")).length, 2, "each keeps its own");
        site.down(false);
        await delivered("offline");
        await stored(["online", "offline"]);
        await keeps(tab, 0);
        await quiet(tab);
        await tab.close();
      });

      it(`${what}: the next page has both, and sends what each left`, async () => {
        const first = await visit(order);
        site.down(true);
        await first.enrich("left");
        await keeps(first.tab, 2);
        await first.tab.close();
        site.down(false);
        const next = await visit(order);
        await next.enrich("new");
        await next.delivered("new");
        await first.stored(["left"]);
        await next.stored(["new"]);
        await keeps(next.tab, 0);
        await quiet(next.tab);
        await next.tab.close();
      });
    }

    it("forth and back: each page has one version, and finds what pages of both have left", async () => {
      const pages = [];
      for (const version of /** @type {Version[]} */ (["later", "now", "later", "now"])) {
        site.down(true);
        const page = await visit([version]);
        await page.enrich("left");
        pages.push(page);
        await keeps(page.tab, pages.length);
        await page.tab.close();
      }
      site.down(false);
      const now = await visit(["now"]);
      await pages[3]?.stored(["left"]);
      // What this version cannot read stays until a page has the later one again, which has taken over and written anew
      // what a page of this one had left before it.
      await keeps(now.tab, 3);
      await quiet(now.tab);
      const later = await visit(["later"]);
      for (const page of pages) await page.stored(["left"]);
      await keeps(later.tab, 0);
      await now.tab.close();
      await quiet(later.tab);
      await later.tab.close();
    });
  });
}
