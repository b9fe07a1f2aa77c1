// Pages that rest in the browser's own back/forward cache, as its own buttons put them there: what one had not
// sent is sent by the tab's next page, and what is said while one comes back is its own to send.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { until } from "../support/child.mjs";
import { consumer } from "../support/package.mjs";
import { serve } from "./served.mjs";
import { shows, visiting, visits } from "./visits.mjs";

/** How often each is done; `RESTS=50` for certainty. */
const RESTS = Number(process.env["RESTS"] ?? 3);

const pageScript = `
  import { initTracer } from "./node_modules/honeyhive-edge/browser.js";

  const seen = { visit: location.search, deliveries: {}, backAfterMs: 0 };
  globalThis.seen = seen;
  seen.start = async (options) => void (seen.tracer = await initTracer(options));
  seen.say = (feedback) => {
    const [name] = Object.keys(feedback);
    seen.tracer.enrichSession({ feedback }).then(({ status }) => (seen.deliveries[name] = status));
  };
  seen.kept = () => new Promise((resolve) => {
    indexedDB.open("honeyhive-edge").onsuccess = ({ target: { result: db } }) => {
      const count = db.transaction("unsent").objectStore("unsent").count();
      count.onsuccess = () => (db.close(), resolve(count.result));
    };
  });
  addEventListener("pageshow", ({ persisted }) => {
    if (!persisted) return;
    seen.hasRested = true;
    seen.say({ at_once: 1 });
    Promise.resolve().then(() => seen.say({ in_microtask: 1 }));
    for (const ms of [0, 1, 2, 4]) setTimeout(() => seen.say({ ["after" + ms]: 1 }), ms);
  });
`;

/** @type {Awaited<ReturnType<typeof serve>>} */
let site;
before(async () => {
  const html = (/** @type {string} */ name) =>
    `<!doctype html><title>${name}</title><script type="module" src="./page.mjs"></script>`;
  const files = { "index.html": html("first"), "next.html": html("next"), "page.mjs": pageScript };
  site = await serve(await consumer("resting", files));
});
after(() => site?.close());

for (const place of visits) {
  describe(place.title, () => {
    const { visit } = visiting(place, () => site);

    // Firefox takes no page into its cache that holds a lock, and not each that has a channel, as one has that
    // has something unsent.
    const restsWithUnsent = place.name !== "firefox";

    /**
     * A page that has said something, left by a link; where `isUnsent`, it could not send all of it.
     * @param {boolean} isUnsent
     */
    async function left(isUnsent) {
      const { session, given, page, tab, begin } = await visit();
      await begin();
      await tab.run("seen.say({ before: 1 })");
      await until(() => tab.run("seen.deliveries.before"), { what: "what was said before" });
      if (isUnsent) {
        site.down(true);
        await tab.run("seen.say({ kept: 1 })");
        await until(() => tab.run("seen.kept()"), { what: "it to be kept" });
      }
      await new Promise((resolve) => setTimeout(resolve, 300));
      await tab.run(`void (location.href = "/next.html?next")`);
      await shows(tab, "?next");
      site.down(false);
      const back = async () => {
        await tab.back();
        await shows(tab, page);
      };
      return { session, given, tab, back };
    }

    /** @param {string} session @param {string[]} keys */
    async function stored(session, keys) {
      const found = async () => Object.keys((await site.feedback(session)) ?? {}).sort();
      const isStored = async () => String(await found()) === String(keys.toSorted());
      await until(isStored, { what: `${keys}`, timeoutMs: 20_000 }).catch(() => {});
      assert.deepEqual(await found(), keys.toSorted());
    }

    it(`the tab's next page sends what one that rests had not sent, ${RESTS} times`, async () => {
      for (let run = 0; run < RESTS; run++) {
        const { session, given, tab, back } = await left(true);
        await tab.run(`seen.start(${given})`);
        await stored(session, ["before", "kept"]);
        await back();
        if (restsWithUnsent) {
          assert.equal(await tab.run("!!seen.hasRested"), true, "it did not rest");
          await until(() => tab.run("seen.deliveries.kept"), { what: "its promise" });
        }
        await tab.close();
      }
    });

    it(`what is said while a page comes back is sent, ${RESTS} times`, async () => {
      const said = ["at_once", "in_microtask", "after0", "after1", "after2", "after4"];
      for (let run = 0; run < RESTS; run++) {
        const { session, tab, back } = await left(restsWithUnsent);
        await back();
        assert.equal(await tab.run("!!seen.hasRested"), true, "it did not rest");
        const all = restsWithUnsent ? ["kept", ...said] : said;
        const areTold = () => tab.run(`${JSON.stringify(all)}.every((it) => seen.deliveries[it])`);
        await until(areTold, { what: "all promises" });
        await stored(session, ["before", ...all]);
        await tab.close();
      }
    });
  });
}
