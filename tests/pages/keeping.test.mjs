// What is kept is kept, whatever the visitor, the site, other scripts and other versions do to the browser's store;
// and what keeping and leaving cost the page around.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { until } from "../support/child.mjs";
import { consumer } from "../support/package.mjs";
import { SEEN_JS, keeps } from "./seen.mjs";
import { serve } from "./served.mjs";
import { visiting, visits } from "./visits.mjs";

/** A page that opens its tracer while it loads: in which order that happens. Its timers are late. */
const opening = `
  import "./late-timers.mjs";
  import { initTracer } from "./node_modules/honeyhive-edge/browser.js";

  const seen = { order: [] };
  globalThis.seen = seen;
  addEventListener("load", () => seen.order.push("loaded"));
  for (const [object, name] of [[WebAssembly, "compile"], [IDBFactory.prototype, "open"]]) {
    const before = object[name];
    object[name] = function (...given) {
      seen.order.push(name);
      return before.apply(this, given);
    };
  }
  const { hash, search } = location;
  if (search) document.body.append(Object.assign(new Image(), { src: "/hang" }));
  initTracer(JSON.parse(decodeURIComponent(hash.slice(1)))).then(() => (seen.isOpen = true));
`;
const lateTimers = `
  const { setTimeout } = globalThis;
  const times = location.search ? 1 : 100;
  globalThis.setTimeout = (task, ms, ...given) => setTimeout(task, times * ms, ...given);
`;

/** @type {Awaited<ReturnType<typeof serve>>} */
let site;
before(async () => {
  const html = (/** @type {string} */ file) =>
    `<!doctype html><title>page</title><body><script type="module" src="./${file}"></script>`;
  const files = {
    "index.html": html("page.mjs"),
    "page.mjs": SEEN_JS,
    "opening.html": html("opening.mjs"),
    "opening.mjs": opening,
    "late-timers.mjs": lateTimers,
  };
  site = await serve(await consumer("keeping", files));
});
after(() => site?.close());

for (const place of visits) {
  const { name, isSecure } = place;
  describe(place.title, () => {
    const { browser, url, open, visit } = visiting(place, () => site);
    beforeEach(async () => {
      // The pages of the test before may have been closed before they forgot what they had delivered.
      const { tab } = await open();
      await tab.run("seen.empty()");
      await tab.close();
    });

    for (const [what, code] of [
      ["is cleared", "seen.clear()"],
      ["loses its records", "seen.work('readwrite', (store) => store.clear()).then(() => {})"],
      [
        "is cleared, and made by another page",
        "seen.clear().then(() => seen.make(3, ['unsent', 'about']))",
      ],
    ]) {
      it(`the store ${what} while the page rests: all is sent once it is back`, async () => {
        const { session, tab, begin } = await visit();
        await begin();
        site.down(true);
        await tab.run("seen.say({ rating: 5 })");
        await keeps(tab, 1);
        const passes = (/** @type {string} */ type) =>
          tab.run(`void dispatchEvent(new PageTransitionEvent("${type}", { persisted: true }))`);
        await passes("pagehide");
        await tab.run(`void document.dispatchEvent(new Event("freeze"))`);
        await tab.run(/** @type {string} */ (code));
        await passes("pageshow");
        await keeps(tab, 1);
        assert.equal(await tab.run("!!seen.deliveries.rating"), false, "nobody has stored it");
        site.down(false);
        await site.stored(session, { rating: 5 });
        await until(() => tab.run("seen.deliveries.rating?.status === 'delivered'"), {
          what: "its promise",
        });
        await keeps(tab, 0);
        await tab.close();
      });
    }

    const rates = "seen.say({ rating: 5 })";
    const clears = `fetch("/clear", { method: "POST" }).then(() => {})`;
    /** @type {[string, (opens: string) => string[]][]} */
    const points = [
      ["before the tracer opens", (opens) => [clears, opens, rates]],
      ["while the tracer opens", (opens) => [`Promise.all([${opens}, ${clears}])`, rates]],
      ["when the tracer is open", (opens) => [opens, clears, rates]],
      ["as something is enriched", (opens) => [opens, `(${rates}, ${clears})`]],
      ["when that is kept", (opens) => [opens, rates, "kept", clears]],
    ];
    for (const [point, steps] of points) {
      // Browsers take the header from no insecure origin.
      if (!isSecure) continue;
      it(`the site clears its storage by Clear-Site-Data ${point}: all is kept, and the next page sends it`, async () => {
        const { session, tab, given } = await visit();
        site.down(true);
        for (const step of steps(`seen.start(${given})`)) {
          if (step === "kept") await keeps(tab, 1);
          else await tab.run(step);
        }
        await keeps(tab, 1);
        await tab.close();
        const next = await visit();
        await keeps(next.tab, 1);
        site.down(false);
        await next.begin();
        await site.stored(session, { rating: 5 });
        await keeps(next.tab, 0);
        await next.tab.close();
      });
    }

    it("the store is cleared while the page is seen: all is kept anew, and the next page sends it", async () => {
      const { session, tab, begin } = await visit();
      const other = await visit();
      // A page that has been there for a while looks into the store no more by itself.
      await tab.run(`void (() => {
        const { setTimeout } = globalThis;
        globalThis.setTimeout = (task, ms, ...given) => setTimeout(task, ms < 1000 ? ms : 1e6, ...given);
      })()`);
      await begin();
      site.down(true);
      await tab.run("seen.say({ rating: 5 })");
      await keeps(tab, 1);
      await other.tab.run("seen.clear()");
      await keeps(tab, 1);
      await tab.close();
      site.down(false);
      await other.begin();
      await site.stored(session, { rating: 5 });
      await keeps(other.tab, 0);
      await other.tab.close();
    });

    for (const [what, arrange] of [
      ["has no stores", "seen.make(1, [])"],
      ["has one of its stores", "seen.make(1, ['unsent'])"],
      ["is of a later version", "seen.make(7, ['unsent', 'about', 'of a later version'])"],
    ]) {
      it(`the database ${what}`, async () => {
        const first = await visit();
        await first.tab.run("seen.clear()");
        await first.tab.run(/** @type {string} */ (arrange));
        await first.begin();
        site.down(true);
        await first.tab.run("seen.say({ rating: 5 })");
        await keeps(first.tab, 1);
        await first.tab.close();
        site.down(false);
        const next = await visit();
        await next.begin();
        await site.stored(first.session, { rating: 5 });
        await keeps(next.tab, 0);
        await next.tab.run("seen.clear()");
        await next.tab.close();
      });
    }

    it("the database cannot be opened once: what was said until then is kept when it can", async () => {
      const { tab, begin } = await visit();
      await tab.run(`void (() => {
        const { open } = IDBFactory.prototype;
        IDBFactory.prototype.open = function () {
          IDBFactory.prototype.open = open;
          throw new DOMException("not now", "UnknownError");
        };
      })()`);
      await begin();
      site.down(true);
      await tab.run("seen.say({ first: 1 })");
      await keeps(tab, 1);
      const lines = await tab.run(`seen.lines.filter((line) => line.includes("IndexedDB"))`);
      assert.equal(lines.length, 1, lines.join("\n"));
      await tab.close();
    });

    // Firefox closes a tab so: the page runs on for a moment, and can wait for nothing any more.
    it("a page that is gone has no timers: it gives nothing up, and leaves it to the next", async () => {
      const { session, tab, begin } = await visit();
      await tab.run(`void (() => {
        const { setTimeout } = globalThis;
        globalThis.setTimeout = (...given) => {
          // Not for WebDriver, which waits in the page as well.
          const isPackages = seen.isGone && new Error().stack.includes("browser.js");
          if (isPackages) throw new DOMException("this window is gone", "InvalidAccessError");
          return setTimeout(...given);
        };
      })()`);
      await begin();
      site.down(true);
      await tab.run("seen.say({ rating: 5 })");
      await keeps(tab, 1);
      await tab.run(
        `void (seen.isGone = true, dispatchEvent(new PageTransitionEvent("pagehide")),
        document.dispatchEvent(new Event("visibilitychange")))`,
      );
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.equal((await tab.run("seen.kept()")).length, 1, "it is still kept");
      assert.deepEqual(await tab.run("seen.lines"), []);
      await tab.close();
      site.down(false);
      const next = await visit();
      await next.begin();
      await site.stored(session, { rating: 5 });
      await keeps(next.tab, 0);
      await next.tab.close();
    });

    // Firefox ends the script of a tab that is closed at any instruction. Chromium does it when it is told to.
    for (const [what, next] of [
      ["and it goes on", "void dispatchEvent(new Event('online'))"],
      [
        "and it is left",
        "void (dispatchEvent(new PageTransitionEvent('pagehide')), document.dispatchEvent(new Event('visibilitychange')))",
      ],
    ]) {
      if (name !== "chromium") continue;
      it(`the browser ends a page's script amid the core's work, ${what}`, async () => {
        const { session, tab, begin } = await visit();
        // The core asks for the time while it works.
        await tab.run(`void (() => {
          const { now } = performance;
          performance.now = () => {
            if (!seen.isToHang) return now.call(performance);
            seen.isToHang = false;
            for (seen.hangs = true; ; );
          };
        })()`);
        await begin();
        site.down(true);
        await tab.run("seen.say({ rating: 5 })");
        await keeps(tab, 1);
        await tab.run(
          "void ((seen.isToHang = true), setTimeout(() => dispatchEvent(new Event('online'))))",
        );
        await new Promise((resolve) => setTimeout(resolve, 200));
        await tab.cutOff?.();
        assert.equal(await tab.run("seen.hangs"), true);
        await tab.run(/** @type {string} */ (next));
        await new Promise((resolve) => setTimeout(resolve, 200));
        assert.equal((await tab.run("seen.kept()")).length, 1, "it is still kept");
        site.down(false);
        if (what === "and it goes on") {
          await tab.run("seen.say({ more: 1 })");
          await site.stored(session, { rating: 5, more: 1 });
          await keeps(tab, 0);
        } else {
          const other = await visit();
          await other.begin();
          await site.stored(session, { rating: 5 });
          await keeps(other.tab, 0);
          await other.tab.close();
        }
        await tab.close();
      });
    }

    const withoutGrants = async () => {
      const first = await visit();
      await first.tab.run(`void Object.assign(LockManager.prototype, {
        request: () => new Promise(() => {}), query: () => new Promise(() => {}) })`);
      await first.begin();
      site.down(true);
      await first.tab.run("seen.say({ rating: 5 })");
      await keeps(first.tab, 1);
      const lines = await first.tab.run(`seen.lines.filter((line) => line.includes("Web Lock"))`);
      assert.equal(lines.length, 1, lines.join("\n"));
      await first.tab.close();
      site.down(false);
      const next = await visit();
      await next.begin();
      await site.stored(first.session, { rating: 5 });
      await next.tab.close();
    };
    if (isSecure)
      it("a lock that is never granted, and locks that are never listed", withoutGrants);

    for (const [what, arrange] of [
      ["by its lock, whose end nobody tells of", ""],
      ["by messages, and says nothing when it goes", "delete Navigator.prototype.locks"],
    ]) {
      if (!isSecure && arrange === "") continue;
      it(`a page sees another one that lives ${what}: it looks again`, async () => {
        const first = await visit();
        const next = await visit();
        for (const { tab } of [first, next]) {
          await tab.run(`void (${arrange || "0"})`);
          await tab.run(`void (() => {
            const { postMessage } = BroadcastChannel.prototype;
            BroadcastChannel.prototype.postMessage = function (what) {
              if (!what.left) postMessage.call(this, what);
            };
            if (!navigator.locks) return;
            const { request } = LockManager.prototype;
            LockManager.prototype.request = function (name, ...given) {
              const isShared = given[0]?.mode === "shared";
              return isShared ? Promise.reject(new Error("not here")) : request.call(this, name, ...given);
            };
          })()`);
        }
        await first.begin();
        site.down(true);
        await first.tab.run("seen.say({ rating: 5 })");
        await keeps(first.tab, 1);
        await next.begin();
        await first.tab.close();
        site.down(false);
        await site.stored(first.session, { rating: 5 });
        await keeps(next.tab, 0);
        await next.tab.close();
      });
    }

    it("two tabs die at once, and a third one takes over what each of them had", async () => {
      const dying = [await visit(), await visit()];
      const last = await visit();
      for (const { begin } of dying) await begin();
      site.down(true);
      for (const { tab } of dying) {
        await tab.run("seen.say({ a: 1 })");
        await tab.run("seen.say({ b: 2 })");
      }
      await keeps(last.tab, 4);
      await last.begin();
      // What is claimed is claimed again before the first is done.
      await last.tab.run(`void (() => {
        for (let n = 0; n < 5; n++) document.dispatchEvent(new Event("visibilitychange"));
      })()`);
      for (const { tab } of dying) await tab.close();
      await until(async () => (await last.tab.run("seen.owners()")).length === 1, {
        what: "one owner",
      });
      assert.equal((await last.tab.run("seen.kept()")).length, 4, "each has a place of its own");
      site.down(false);
      for (const { session } of dying) await site.stored(session, { a: 1, b: 2 });
      await keeps(last.tab, 0);
      await last.tab.close();
    });

    it("two tabs die, and only the first one can say so: a third one soon has what both had", async () => {
      const [says, diesSilently, last] = [await visit(), await visit(), await visit()];
      for (const { tab, begin } of [says, diesSilently, last]) {
        await tab.run("void delete Navigator.prototype.locks");
        await begin();
      }
      // Firefox ends the script of a page that is closed at any instruction.
      await diesSilently.tab.run(`void (() => {
        const { postMessage } = BroadcastChannel.prototype;
        BroadcastChannel.prototype.postMessage = function (what) {
          if (!what.left) postMessage.call(this, what);
        };
      })()`);
      site.down(true);
      for (const { tab } of [says, diesSilently]) await tab.run("seen.say({ rating: 5 })");
      await keeps(last.tab, 2);
      // It is asked to look into the store again and again, and has found two pages that live by the end of the delay.
      await last.tab.run(`void (() => {
        for (let n = 0; n < 5; n++) document.dispatchEvent(new Event("visibilitychange"));
      })()`);
      await delay(2500);
      for (const { tab } of [says, diesSilently]) await tab.close();
      await until(async () => (await last.tab.run("seen.owners()")).length === 1, {
        what: "one owner",
        timeoutMs: 10_000,
      });
      assert.equal((await last.tab.run("seen.kept()")).length, 2, "nothing is lost");
      site.down(false);
      for (const { session } of [says, diesSilently]) await site.stored(session, { rating: 5 });
      await keeps(last.tab, 0);
      await last.tab.close();
    });

    it("a srcdoc frame: a path as serverUrl begins with the page's origin", async () => {
      const { session, tab, given } = await visit();
      await tab.run(`new Promise((resolve) => {
        const frame = document.createElement("iframe");
        frame.srcdoc = '<!doctype html><script type="module" src="/page.mjs"></script>';
        frame.addEventListener("load", () => resolve());
        document.body.append(frame);
      })`);
      assert.equal(await tab.run("frames[0].location.href"), "about:srcdoc");
      await until(() => tab.run("!!frames[0].seen"), { what: "the frame" });
      await tab.run(`frames[0].seen.start(${given})`);
      await tab.run("frames[0].seen.say({ rating: 5 })");
      await site.stored(session, { rating: 5 });
      await tab.close();
    });

    const HOUR_MS = 3_600_000;
    for (const [what, aheadMs] of /** @type {[string, [number, number]][]} */ ([
      ["is put ahead by more than a ticket's life between two pages", [0, 2 * HOUR_MS]],
      ["is three years ahead", [26_280 * HOUR_MS, 26_280 * HOUR_MS]],
      ["is three years behind", [-26_280 * HOUR_MS, -26_280 * HOUR_MS]],
    ])) {
      it(`the visitor's clock ${what}: the next page sends what was left`, async () => {
        const [first, next] = [await visit(), await visit()];
        const visitors = [first, next];
        for (const [n, { tab }] of visitors.entries()) {
          const ms = aheadMs[n];
          await tab.run(`void (() => { const { now } = Date; Date.now = () => now() + ${ms}; })()`);
        }
        await first.begin();
        site.down(true);
        await first.tab.run("seen.say({ rating: 5 })");
        await keeps(first.tab, 1);
        await first.tab.close();
        site.down(false);
        await next.begin();
        await site.stored(first.session, { rating: 5 });
        await keeps(next.tab, 0);
        await next.tab.close();
      });
    }

    it("two copies of the package are on one page, and the next has one", async () => {
      const { session, tab, begin } = await visit();
      const other = site.visitor();
      await begin();
      await tab.run(`import("./node_modules/honeyhive-edge/browser.js?copy").then(async (copy) => {
        seen.other = await copy.initTracer(${JSON.stringify(other.options)});
      })`);
      site.down(true);
      await tab.run("seen.say({ a: 1 })");
      await tab.run("void seen.other.enrichSession({ feedback: { b: 2 } })");
      await keeps(tab, 2);
      await tab.close();
      site.down(false);
      const next = await visit();
      await next.begin();
      await site.stored(session, { a: 1 });
      await site.stored(other.session, { b: 2 });
      await keeps(next.tab, 0);
      await next.tab.close();
    });

    it("the disk is full for a while: what is said is sent, and kept once there is room", async () => {
      const { session, tab, begin } = await visit();
      await tab.run(`void (() => {
        const { put } = IDBObjectStore.prototype;
        IDBObjectStore.prototype.put = function (value, ...key) {
          if (seen.isFull) throw new DOMException("no room", "QuotaExceededError");
          return put.call(this, value, ...key);
        };
      })()`);
      await begin();
      await tab.run("void (seen.isFull = true)");
      await tab.run("seen.say({ rating: 5 })");
      await site.stored(session, { rating: 5 });
      await until(() => tab.run("seen.deliveries.rating?.status === 'delivered'"), {
        what: "its promise",
      });
      site.down(true);
      await tab.run("seen.say({ unkept: 1 })");
      await new Promise((resolve) => setTimeout(resolve, 300));
      await tab.run("void (seen.isFull = false)");
      await keeps(tab, 1);
      await tab.close();
    });

    it("records that are nobody's are thrown out, and a later version's are left to it", async () => {
      const { tab, begin } = await visit();
      await tab.run("seen.clear()");
      await tab.run("seen.make(1, ['unsent', 'about'])");
      await tab.run(`seen.work("readwrite", (store) => {
        const nobodys = [1, "text", ["alone"], [1, 2], ["a", "b"], ["a", []], ["a", 1, 2], new Date(0)];
        for (const key of nobodys) store.put({ json: "{}" }, key);
        for (const value of [{}, "text", { json: 1 }, { json: "{}" }]) store.put(value, ["dead", Math.random()]);
        store.put({ json: JSON.stringify({ v: 9, at: Date.now(), what: "later" }) }, ["dead", 5]);
        const weekAgo = Date.now() - 8 * 24 * 3_600_000;
        store.put({ json: JSON.stringify({ v: 9, at: weekAgo, what: "too late" }) }, ["dead", 6]);
      })`);
      await begin();
      await keeps(tab, 1);
      assert.equal(JSON.parse((await tab.run("seen.kept()"))[0]).what, "later");
      await tab.close();
    });

    it("what two thousand records cost: keys alone in a tab that is back, slices in the next page", async () => {
      const spy = `void (() => {
        const { getAll, get, openCursor } = IDBObjectStore.prototype;
        seen.read = 0;
        seen.most = 0;
        IDBObjectStore.prototype.getAll = function (range, count) {
          const request = getAll.call(this, range, count);
          request.addEventListener("success", () => {
            seen.read += request.result.length;
            seen.most = Math.max(seen.most, request.result.length);
          });
          return request;
        };
        IDBObjectStore.prototype.get = function (key) { seen.read++; return get.call(this, key); };
        IDBObjectStore.prototype.openCursor = function () { seen.read = Infinity; return openCursor.apply(this, arguments); };
      })()`;
      const first = await visit({ deadlineMs: 600_000 });
      await first.begin();
      site.down(true);
      await first.tab.run(
        `void (() => { for (let n = 0; n < 2000; n++) seen.say({ ["n" + n]: n }); })()`,
      );
      await keeps(first.tab, 2000);
      const other = await visit();
      await other.tab.run(spy);
      await other.begin();
      for (let n = 0; n < 5; n++) {
        await other.tab.run(`void document.dispatchEvent(new Event("visibilitychange"))`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const read = await other.tab.run("seen.read");
      assert.ok(read < 50, `${read} records were read`);
      await other.tab.close();
      await first.tab.close();
      site.down(false);
      const next = await visit();
      await next.tab.run(spy);
      await next.begin();
      const isStored = async () =>
        Object.keys((await site.feedback(first.session)) ?? {}).length === 2000;
      await until(isStored, { what: "two thousand", timeoutMs: 60_000 });
      assert.ok((await next.tab.run("seen.most")) <= 50, "in slices");
      await next.tab.close();
    });

    it("a prerendered page begins when somebody sees it", async () => {
      const { session, tab, given } = await visit();
      await tab.run(
        `void Object.defineProperty(document, "prerendering", { value: true, configurable: true })`,
      );
      await tab.run(`void seen.start(${given}).then(() => seen.say({ rating: 1 }))`);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      assert.equal((await site.backend.requests(session)).length, 0);
      await tab.run(
        `void (delete document.prerendering, document.dispatchEvent(new Event("prerenderingchange")))`,
      );
      await site.stored(session, { rating: 1 });
      await tab.close();
    });

    it("a tracer that is opened while the page loads waits for the page, but not for long", async () => {
      const { options } = site.visitor();
      const hash = `#${encodeURIComponent(JSON.stringify(options))}`;
      const tab = await browser().open(`${url()}/opening.html${hash}`);
      await until(() => tab.run("seen.isOpen"), { what: "the tracer" });
      assert.equal((await tab.run("seen.order"))[0], "loaded");
      // The load of a page with an image that never comes does not end.
      await tab.run(`void document.body.append(Object.assign(document.createElement("iframe"),
        { src: "/opening.html?endless" + ${JSON.stringify(hash)} }))`);
      await until(() => tab.run("frames[0]?.seen?.isOpen"), { what: "the frame's tracer" });
      assert.equal((await tab.run("frames[0].seen.order")).includes("loaded"), false);
      await tab.close();
    });

    it("document.open() ends nothing that is done on leaving", async () => {
      const { session, tab, begin } = await visit({ mergeWindowMs: 60_000 });
      await begin();
      await tab.run("seen.say({ first: 1 })");
      await until(() => tab.run("seen.deliveries.first"), { what: "the first" });
      await tab.run(`void (document.open(), document.write("<p>another page"), document.close())`);
      await tab.run("seen.say({ second: 2 })");
      await tab.close();
      // Firefox may have ended the script that sends it: then the next page does.
      if (name === "firefox") await (await visit()).begin();
      await site.stored(session, { first: 1, second: 2 });
    });

    it("other scripts use up what the browser allows for keepalive", async () => {
      const { session, tab, begin } = await visit({ mergeWindowMs: 60_000 });
      await begin();
      await tab.run("seen.say({ first: 1 })");
      await until(() => tab.run("seen.deliveries.first"), { what: "the first" });
      await tab.run(
        `void fetch("/hang", { method: "POST", keepalive: true, body: "x".repeat(65_500) }).catch(() => {})`,
      );
      await tab.run("seen.say({ rating: 1 })");
      await tab.run(`void (() => {
        Object.defineProperty(document, "hidden", { value: true, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      })()`);
      await site.stored(session, { first: 1, rating: 1 });
      await until(() => tab.run("seen.deliveries.rating?.status === 'delivered'"), {
        what: "its promise",
      });
      await tab.close();
    });

    it("a request that the content security policy refuses is told so", async () => {
      const { tab, begin } = await visit({
        serverUrl: "https://hive.example/relay",
        deadlineMs: 500,
      });
      await begin();
      await tab.run("seen.say({ rating: 1 })");
      const { message } = await until(() => tab.run("seen.deliveries.rating"), { what: "its end" });
      assert.match(message, /content security policy .*connect-src.* https:\/\/hive\.example/);
      await tab.close();
    });
  });
}
