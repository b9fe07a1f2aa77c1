// What a visitor said is not lost, whatever becomes of the page: in real browsers, through the relay in
// real workerd, under a strict content security policy.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { build } from "esbuild";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { until } from "../support/child.mjs";
import { consumer } from "../support/package.mjs";
import { serve } from "./served.mjs";
import { visiting, visits } from "./visits.mjs";

/** How long the network is away; `OFFLINE_SECONDS=30` takes its time. */
const OFFLINE_MS = Number(process.env["OFFLINE_SECONDS"] ?? 3) * 1000;

const pageScript = (/** @type {string} */ file) => `
  import { enrichSession, initTracer } from "./node_modules/honeyhive-edge/${file}";

  const seen = { visit: location.search, deliveries: {}, refused: [], initTracer };
  globalThis.seen = seen;
  addEventListener("securitypolicyviolation", ({ violatedDirective }) => seen.refused.push(violatedDirective));
  seen.start = async (options) => void (seen.tracer = await initTracer(options));
  seen.say = (feedback) => {
    const [name] = Object.keys(feedback);
    seen.tracer.enrichSession({ feedback }).then(({ status }) => (seen.deliveries[name] = status));
  };
  seen.sayFirst = (options, feedback) => {
    seen.hasSaid = true;
    void initTracer(options);
    void enrichSession({ feedback });
  };
  // A visitor with much to say, who goes on after a reload where they were.
  seen.goOn = async (end = Infinity) => {
    for (;;) {
      const n = Number(localStorage.n ?? 0);
      if (n === end) return;
      localStorage.n = n + 1;
      seen.say({ ["n" + n]: n, last: n });
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  // For the workers of a page: what one of them reports.
  seen.answer = (port) => new Promise((resolve) => port.addEventListener("message", ({ data }) => resolve(data)));
`;

const worker = `
  import { initTracer } from "honeyhive-edge";

  self.addEventListener("message", async ({ data }) => {
    const tracer = await initTracer(data);
    self.postMessage(await tracer.enrichSession({ feedback: { from: "worker" } }));
  });
`;

const serviceWorker = `
  import { initTracer } from "honeyhive-edge";

  self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
  self.addEventListener("message", (event) => {
    const waitUntil = (promise) => event.waitUntil(promise);
    waitUntil(work(event.data, waitUntil));
  });

  async function work(options, waitUntil) {
    const tracer = await initTracer({ ...options, waitUntil });
    await tracer.enrichSession({ feedback: { from: "service worker" } });
  }
`;

/** What the browser keeps, as seen from a page. */
const kept = `new Promise((resolve) => {
  indexedDB.open("honeyhive-edge").onsuccess = ({ target: { result: db } }) => {
    const all = db.transaction("unsent").objectStore("unsent").getAll();
    all.onsuccess = () => (db.close(), resolve(all.result.map(({ json }) => json)));
  };
})`;

/** @type {Awaited<ReturnType<typeof serve>>} */
let site;
before(async () => {
  const project = await consumer("pages", {
    "index.html": `<!doctype html><title>page</title><script type="module" src="./page.mjs"></script>`,
    "page.mjs": pageScript("browser.js"),
    "plain.html": `<!doctype html><title>page</title><script type="module" src="./plain.mjs"></script>`,
    "plain.mjs": pageScript("index.js"),
    "src/worker.mjs": worker,
    "src/service-worker.mjs": serviceWorker,
  });
  await build({
    entryPoints: ["worker", "service-worker"].map((name) => join(project, `src/${name}.mjs`)),
    outdir: project,
    bundle: true,
    format: "iife",
  });
  site = await serve(project);
});
after(() => site?.close());

for (const place of visits) {
  const { name, isSecure } = place;
  describe(place.title, () => {
    const { browser, visit, restart } = visiting(place, () => site);

    /** @param {string} session @param {object} feedback */
    const stored = (session, feedback) =>
      until(
        async () => {
          try {
            assert.deepEqual(await site.feedback(session), feedback);
            return true;
          } catch {
            return false;
          }
        },
        { what: JSON.stringify(feedback), timeoutMs: 20_000 },
      ).catch(async (error) => {
        const got = JSON.stringify(await site.feedback(session));
        assert.fail(`${error.message}, but ${got}\n${browser().said.join("\n")}`);
      });

    /** No line of the package's at warn or above, and nothing that went uncaught. @param {import("../support/driven.mjs").Tab} [tab] */
    async function quiet(tab) {
      const loud = browser().said.filter((line) =>
        /^(?!debug|log|info).*\[honeyhive|^uncaught/.test(line),
      );
      assert.deepEqual(loud, []);
      if (tab) assert.deepEqual(await tab.run("seen.refused"), []);
    }

    /**
     * Waits until the browser keeps so many values of a session.
     * @param {import("../support/driven.mjs").Tab} tab
     * @param {string} session
     * @param {number} count
     */
    const keeps = (tab, session, count) =>
      until(
        async () => {
          const all = /** @type {string[]} */ (await tab.run(kept));
          return all.filter((json) => JSON.parse(json).session === session).length === count;
        },
        { what: `${count} to be kept` },
      );

    /** Each value reached the backend once. @param {string} session */
    async function once(session) {
      const values = (await site.told(session)).flatMap((feedback) => Object.keys(feedback));
      const again = values.filter(
        (value, nth) => values.indexOf(value) !== nth && value !== "last",
      );
      assert.deepEqual(again, []);
    }

    it("feedback is given, and the tab closed at once", async () => {
      const { session, tab, begin } = await visit();
      await begin();
      await tab.run("seen.say({ rating: 5 })");
      await tab.close();
      // Sent on leaving, kept for the next page, or both: nobody hears the answer any more, so that page
      // says it again.
      await (await visit()).begin();
      await stored(session, { rating: 5 });
      await quiet();
    });

    it("the first feedback opens the tracer, and the tab is closed at once", async () => {
      const { session, tab, given } = await visit();
      await tab.run(`void seen.start(${given}).then(() => seen.say({ rating: 4 }))`);
      await until(() => tab.run("!!seen.tracer"), { what: "the tracer" });
      await tab.close();
      await (await visit()).begin();
      await stored(session, { rating: 4 });
      await quiet();
    });

    for (const [file, how] of [
      ["", ""],
      ["plain.html", ", and loads the package without a bundler"],
    ]) {
      it(`the first words are the last: the page is left in the task that says them${how}`, async () => {
        const { session, tab, given, begin } = await visit({}, file);
        await begin();
        await tab.run("seen.say({ before: 1 })");
        // A page after one that got no answer would send nothing while it is left.
        await until(() => tab.run("seen.deliveries.before"), { what: "what was said before" });
        await tab.reload();
        await until(() => tab.run("!!globalThis.seen"), { what: "the page" });
        await tab.run(`void (seen.sayFirst(${given}, { first: 1 }), location.reload())`);
        await stored(session, { before: 1, first: 1 });
        await quiet();
        await tab.close();
      });
    }

    it("the first words of a session come on a page that is too busy to start before it is left", async () => {
      // After a page that had no answer it would send nothing while it is left.
      const earlier = await visit();
      await earlier.begin();
      await until(async () => (await earlier.tab.run(kept)).length === 0, {
        what: "what was left",
      });
      await earlier.tab.close();
      const { session, tab, given } = await visit();
      await tab.run(`void (globalThis.MessageChannel = class {
        port1 = Object.assign(new EventTarget(), { start() {}, close() {} });
        port2 = { postMessage() {} };
      })`);
      await tab.run(`seen.sayFirst(${given}, { first: 1 })`);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      await tab.run("void location.reload()");
      const isAnew = () => tab.run("!!globalThis.seen && !seen.hasSaid").catch(() => false);
      await until(isAnew, { what: "the page" });
      const isSent = async () => {
        const requests = await site.backend.requests(session);
        return requests.some((/** @type {any} */ { body }) => body.feedback?.first === 1);
      };
      await until(isSent, { what: "what was said, even if not stored" });
      // The backend had no such session, so the next page has to say it again.
      await tab.run(`seen.start(${given})`);
      // Firefox stores nothing any more that a page says while it is left.
      if (name !== "firefox") await stored(session, { first: 1 });
      await tab.close();
    });

    it("the last words come as the page is being left", async () => {
      const { session, tab, begin } = await visit();
      await begin();
      await tab.run("seen.say({ before: 1 })");
      await until(() => tab.run("seen.deliveries.before"), { what: "what was said before" });
      await tab.run(`void addEventListener("pagehide", () => seen.say({ leaving: 2 }))`);
      await tab.run("void (seen.say({ last: 1 }), location.reload())");
      const isThere = () => tab.run("!!globalThis.seen && !seen.tracer").catch(() => false);
      await until(isThere, { what: "the page" });
      await begin();
      await stored(session, { before: 1, last: 1, leaving: 2 });
      await quiet(tab);
      await tab.close();
    });

    it("what a click says is dealt with after the page could draw, if it draws", async () => {
      const { session, tab, given } = await visit({ mergeWindowMs: 0 });
      await tab.run(
        `seen.start({ ...${given}, fetch: (...request) => (seen.sent++, fetch(...request)) })`,
      );
      // Else its start may be on its way when there is more to say.
      await tab.run("seen.say({ before: 0 })");
      await until(() => tab.run("seen.deliveries.before"), { what: "what was said before" });
      const [isHidden, sent] = await tab.run(`(async () => {
        const { hidden } = document;
        seen.sent = 0;
        seen.say({ rating: 1 });
        for (let n = 0; n < 1000; n++) await undefined;
        return [hidden, seen.sent];
      })()`);
      assert.equal(sent, isHidden ? 1 : 0);
      await stored(session, { before: 0, rating: 1 });
      await tab.close();
    });

    it("a page without message channels, where the module's text is taken apart by hand", async () => {
      const { session, tab, begin } = await visit();
      await tab.run("void (delete globalThis.MessageChannel, delete Uint8Array.fromBase64)");
      await begin();
      await tab.run("seen.say({ rating: 2 })");
      await stored(session, { rating: 2 });
      await quiet(tab);
      await tab.close();
    });

    it("feedback waits for the merge window when the tab is closed", async () => {
      const { session, tab, given } = await visit({ mergeWindowMs: 60_000 });
      // Together: the window begins with the session's first request.
      await tab.run(`seen.start(${given}).then(() => seen.say({ first: 1 }))`);
      await until(() => tab.run("seen.deliveries.first"), { what: "the first" });
      await tab.run("seen.say({ second: 2 })");
      await tab.close();
      // Firefox may have ended the script that sends it: then the next page does.
      if (name === "firefox") await (await visit()).begin();
      await stored(session, { first: 1, second: 2 });
      await quiet();
    });

    it("the page is reloaded in the middle of many enrichments", async () => {
      const { session, tab, given, begin } = await visit();
      await tab.run("void (localStorage.n = 0)");
      await begin();
      await tab.run("void seen.goOn()");
      await until(() => tab.run("localStorage.n > 20"), { what: "twenty" });
      await tab.reload();
      await until(() => tab.run("!!globalThis.seen"), { what: "the page" });
      const end = (await tab.run("Number(localStorage.n)")) + 10;
      await tab.run(`seen.start(${given})`);
      await tab.run(`seen.goOn(${end})`);
      const all = Object.fromEntries(Array.from({ length: end }, (_, n) => [`n${n}`, n]));
      await stored(session, { ...all, last: end - 1 });
      const last = (await site.told(session)).map((feedback) => feedback.last);
      assert.deepEqual(
        last,
        last.toSorted((a, b) => a - b),
        "in order",
      );
      await quiet(tab);
      await tab.close();
    });

    for (const [how, delayMs, isBegun] of /** @type {const} */ ([
      ["a request of the session is under way", 1000, true],
      ["the relay does not answer", 60_000, true],
      ["the relay has not answered its start", 60_000, false],
    ])) {
      it(`the last words come as the page is being left, while ${how}`, async () => {
        const { session, tab, given, begin } = await visit();
        const faults = [{ match: { session }, delayMs }];
        if (!isBegun) await site.backend.faults(faults);
        await begin();
        await tab.run("seen.say({ first: 1 })");
        if (isBegun) await until(() => tab.run("seen.deliveries.first"), { what: "the first" });
        await site.backend.faults(faults);
        await tab.run("seen.say({ second: 2, last: 2 })");
        // Nothing is sent on leaving to a relay that has not answered for a second.
        await new Promise((resolve) => setTimeout(resolve, delayMs > 1000 ? 1500 : 300));
        const words = `addEventListener("pagehide", () => seen.say({ third: 3, last: 3 }))`;
        await tab.run(`void (${words}, location.reload())`);
        await new Promise((resolve) => setTimeout(resolve, 300));
        await site.backend.faults([]);
        await until(() => tab.run("!!globalThis.seen"), { what: "the page" });
        await tab.run(`seen.start(${given})`);
        // As the backend orders it: what was under way may arrive last.
        const all = { first: 1, second: 2, last: 3, third: 3 };
        const merged = async () => Object.assign({}, ...(await site.told(session)));
        const isWhole = async () => isDeepStrictEqual(await merged(), all);
        await until(isWhole, { what: "all words", timeoutMs: 20_000 }).catch(() => {});
        assert.deepEqual(await merged(), all);
        await quiet();
      });
    }

    it(`the network is away for ${OFFLINE_MS / 1000} s`, async () => {
      const { session, tab, begin } = await visit();
      await begin();
      await tab.run("seen.say({ before: 0 })");
      await until(() => tab.run("seen.deliveries.before"), { what: "what was said before" });
      await tab.offline?.(true);
      site.down(true);
      for (const n of [1, 2, 3]) await tab.run(`seen.say({ ["away" + ${n}]: ${n}, last: ${n} })`);
      await new Promise((resolve) => setTimeout(resolve, OFFLINE_MS));
      assert.deepEqual(await site.feedback(session), { before: 0 });
      site.down(false);
      await tab.offline?.(false);
      await stored(session, { before: 0, away1: 1, away2: 2, away3: 3, last: 3 });
      await until(() => tab.run("seen.deliveries.away3 === 'delivered'"), { what: "the promise" });
      await once(session);
      await quiet(tab);
      await tab.close();
    });

    it("the tab is closed while the network is away, and another one opened later", async () => {
      const { session, tab, begin } = await visit();
      await begin();
      site.down(true);
      for (const n of [1, 2, 3]) await tab.run(`seen.say({ ["away" + ${n}]: ${n}, last: ${n} })`);
      await keeps(tab, session, 3);
      await tab.close();
      site.down(false);
      assert.equal((await site.told(session)).length, 0);
      const next = await visit();
      await next.begin();
      await stored(session, { away1: 1, away2: 2, away3: 3, last: 3 });
      await once(session);
      await quiet(next.tab);
    });

    it("two tabs have one session, and one of them is closed while the network is away", async () => {
      const { session, tab, given, begin } = await visit();
      await begin();
      const other = (await visit()).tab;
      await other.run(`seen.start(${given})`);
      await tab.run("seen.say({ a1: 1 })");
      await other.run("seen.say({ b1: 1 })");
      await stored(session, { a1: 1, b1: 1 });
      site.down(true);
      await tab.run("seen.say({ a2: 2 })");
      await other.run("seen.say({ b2: 2 })");
      await keeps(other, session, 2);
      await tab.close();
      const third = (await visit()).tab;
      site.down(false);
      await third.run(`seen.start(${given})`);
      await stored(session, { a1: 1, b1: 1, a2: 2, b2: 2 });
      assert.equal(await until(() => other.run("seen.deliveries.b2"), { what: "b2" }), "delivered");
      await once(session);
      await quiet(third);
    });

    it("the page rests in the browser's cache, and another page delivers for it", async () => {
      const { session, page, tab, given, begin } = await visit();
      await begin();
      site.down(true);
      await tab.run("seen.say({ taken: 1 })");
      await keeps(tab, session, 1);
      const passes = (/** @type {string} */ type) =>
        tab.run(`void dispatchEvent(new PageTransitionEvent("${type}", { persisted: true }))`);
      await passes("pagehide");
      await tab.run(`void document.dispatchEvent(new Event("freeze"))`);
      // A try of its own that is under way gets nowhere: nobody would hear the answer.
      site.cutOff(page, true);
      site.down(false);
      const next = (await visit()).tab;
      await next.run(`seen.start(${given})`);
      await stored(session, { taken: 1 });
      site.cutOff(page, false);
      await passes("pageshow");
      assert.equal(
        await until(() => tab.run("seen.deliveries.taken"), { what: "it" }),
        "delivered",
      );
      await tab.run("seen.say({ back: 2 })");
      await stored(session, { taken: 1, back: 2 });
      await once(session);
      await quiet(tab);
    });

    it("the page is frozen", async () => {
      const { session, tab, given } = await visit({ mergeWindowMs: 60_000 });
      // Together: the window begins with the session's first request.
      await tab.run(`seen.start(${given}).then(() => seen.say({ first: 1 }))`);
      await until(() => tab.run("seen.deliveries.first"), { what: "the first" });
      await tab.run("seen.say({ second: 2 })");
      const freeze = "void document.dispatchEvent(new Event('freeze'))";
      await (tab.lifecycle ? tab.lifecycle("frozen") : tab.run(freeze));
      await stored(session, { first: 1, second: 2 });
      await tab.lifecycle?.("active");
      await until(() => tab.run("seen.deliveries.second"), { what: "the second" });
      await once(session);
      await quiet(tab);
    });

    it("the browser refuses IndexedDB, and it goes without", async () => {
      const { session, tab, given } = await visit();
      const refuse = `Object.defineProperty(globalThis, "indexedDB", {
        get() { throw new DOMException("The operation is insecure.", "SecurityError"); } })`;
      await tab.run(`void ${refuse}`);
      await tab.run(`seen.start({ ...${given}, logLevel: "debug" })`);
      await tab.run("seen.say({ rating: 3 })");
      await stored(session, { rating: 3 });
      await until(() => tab.run("seen.deliveries.rating === 'delivered'"), { what: "the promise" });
      await quiet(tab);
      const lines = browser().said.filter((line) =>
        line.includes("refuses IndexedDB (The operation"),
      );
      // WebDriver does not tell what a page says.
      if (name !== "webkit") assert.equal(lines.length, 1, browser().said.join("\n"));
    });

    it("the browser's store never opens, and seven pages are left: five note what they had", async () => {
      const { session, tab, given } = await visit();
      const noted =
        "Object.keys(localStorage).filter((name) => name.startsWith('honeyhive-edge '))";
      await tab.run(`void ${noted}.forEach((name) => localStorage.removeItem(name))`);
      const hang = "IDBFactory.prototype.open = () => new EventTarget()";
      site.down(true);
      for (let page = 1; page <= 7; page++) {
        await tab.run(`void (${hang})`);
        await tab.run(`seen.start(${given})`);
        await tab.run(`void (seen.say({ page${page}: ${page} }), location.reload())`);
        await until(() => tab.run("!!globalThis.seen && !seen.tracer").catch(() => false), {
          what: "the next page",
        });
      }
      const names = /** @type {string[]} */ (await tab.run(noted));
      assert.equal(names.length, 5);
      site.down(false);
      await tab.run(`seen.start(${given})`);
      await stored(session, { page1: 1, page2: 2, page3: 3, page4: 4, page5: 5 });
      assert.deepEqual(await tab.run(noted), []);
    });

    it("what is unsent is kept, but for persist: false, and only until it is delivered", async () => {
      const { session, tab, given, begin } = await visit();
      await begin();
      site.down(true);
      await tab.run("seen.say({ rating: 5 })");
      const found = await until(async () => (await tab.run(kept)).at(0), { what: "what is kept" });
      assert.deepEqual(JSON.parse(found).fields, { feedback: { rating: 5 } });
      await tab.run(`seen.start({ ...${given}, persist: false })`);
      await tab.run("seen.say({ other: 1 })");
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.deepEqual(await tab.run(kept), [found]);
      site.down(false);
      await stored(session, { rating: 5, other: 1 });
      await until(async () => (await tab.run(kept)).length === 0, { what: "it to be forgotten" });
    });

    it("a web worker", async () => {
      const { tab } = await visit();
      const inWorker = site.visitor();
      const said = await tab.run(`(() => {
        const worker = new Worker("/worker.js");
        const answer = seen.answer(worker);
        worker.postMessage(${JSON.stringify(inWorker.options)});
        return answer;
      })()`);
      assert.equal(said.status, "delivered", said.message);
      assert.deepEqual(await site.feedback(inWorker.session), { from: "worker" });
      await quiet(tab);
    });

    it("a web worker is ended before there is an answer: its page sends what it had said", async () => {
      const { tab, begin } = await visit();
      await begin();
      const inWorker = site.visitor();
      site.down(true);
      await tab.run(`(() => {
        seen.worker = new Worker("/worker.js");
        seen.worker.postMessage(${JSON.stringify(inWorker.options)});
      })()`);
      await until(async () => (await tab.run(kept)).length === 1, { what: "what is kept" });
      await tab.run("seen.worker.terminate()");
      site.down(false);
      await stored(inWorker.session, { from: "worker" });
      await quiet(tab);
    });

    // Browsers have none on an insecure origin.
    const withServiceWorker = async () => {
      const { tab } = await visit();
      const inService = site.visitor();
      await tab.run(`navigator.serviceWorker.register("/service-worker.js")
        .then(() => navigator.serviceWorker.ready)
        .then(({ active }) => active.postMessage(${JSON.stringify(inService.options)}))`);
      await stored(inService.session, { from: "service worker" });
      await quiet(tab);
    };
    if (isSecure) it("a service worker", withServiceWorker);

    // WebKitWebDriver gives each browser a profile of its own.
    if (name === "webkit") return;

    it("the browser is killed and started again on the same profile", async () => {
      const { session, tab, begin } = await visit();
      await begin();
      await tab.run("seen.say({ before: 0 })");
      await until(() => tab.run("seen.deliveries.before"), { what: "what was said before" });
      site.down(true);
      for (const n of [1, 2, 3]) await tab.run(`seen.say({ ["killed" + ${n}]: ${n}, last: ${n} })`);
      await keeps(tab, session, 3);
      await restart();
      site.down(false);
      const next = await visit();
      await next.begin();
      await stored(session, { before: 0, killed1: 1, killed2: 2, killed3: 3, last: 3 });
      await once(session);
      await quiet(next.tab);
    });

    it("the browser is killed when all was stored and no answer had come: nothing is undone", async () => {
      const { session, tab, given, begin } = await visit();
      await begin();
      await tab.run("seen.say({ before: 0 })");
      await until(() => tab.run("seen.deliveries.before"), { what: "what was said before" });
      await site.backend.faults([{ match: { session }, stored: true, hang: true }]);
      await tab.run("seen.say({ rating: 1 })");
      await stored(session, { before: 0, rating: 1 });
      await restart();
      await site.backend.faults([]);
      const next = await visit();
      await next.tab.run(`seen.start(${given})`);
      await next.tab.run("seen.say({ rating: 2 })");
      await stored(session, { before: 0, rating: 2 });
      await until(() => next.tab.run("seen.deliveries.rating"), { what: "the promise" });
      await stored(session, { before: 0, rating: 2 });
      const ratings = (await site.told(session)).map(({ rating }) => rating).filter(Boolean);
      assert.deepEqual(ratings, ratings.toSorted(), "in order");
      await quiet(next.tab);
    });
  });
}
