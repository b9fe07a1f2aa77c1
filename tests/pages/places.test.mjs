// The package in places where a page's storage, origin or time is not what it is elsewhere: private windows, frames of
// other sites, sandboxes, tabs that are copied, pages that are loaded before anyone sees them or frozen for an hour,
// and a disk without room. Each in the browsers that have it, by their own means.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { build } from "esbuild";
import { until } from "../support/child.mjs";
import * as browsers from "../support/driven.mjs";
import { consumer } from "../support/package.mjs";
import { SEEN_JS, keeps } from "./seen.mjs";
import { SPECULATING, serve } from "./served.mjs";
import { shows } from "./visits.mjs";

/** @import { Driven, Tab } from "../support/driven.mjs" */

/** A page in a frame does what the page around asks for, which may be of another site. */
const frame = `
  import "./page.mjs";

  addEventListener("message", async ({ data: { name, given }, ports: [port] }) => {
    try {
      const value = name === "read" ? seen[given[0]] : await seen[name](...given);
      port.postMessage({ value });
    } catch (error) {
      port.postMessage({ error: String(error) });
    }
  });
`;

/** A page that has another one loaded, which the visitor goes to when a test says so. */
const speculating = `
  const script = Object.assign(document.createElement("script"), { type: "speculationrules" });
  const next = "/early.html" + location.hash;
  script.text = JSON.stringify({ prerender: [{ urls: [next], eagerness: "immediate" }] });
  document.head.append(script);
  new BroadcastChannel("speculating").addEventListener("message", () => (location.href = next));
`;

/** A page that says at once what it knows of being seen. */
const early = `
  import { initTracer } from "./node_modules/honeyhive-edge/browser.js";

  const wasPrerendering = document.prerendering;
  void fetch("/early-runs");
  const tracer = await initTracer(JSON.parse(decodeURIComponent(location.hash.slice(1))));
  tracer.enrichSession({ feedback: { wasPrerendering, isSeen: !document.prerendering } });
`;

/** @type {Awaited<ReturnType<typeof serve>>} */
let site;
/** Another site's page, with a frame of the address that its own names. */
let embedding = "";
const server = createServer((asked, answer) => {
  answer.writeHead(200, { "content-type": "text/html" });
  const src = asked.url?.slice(2);
  answer.end(`<!doctype html><title>another site</title><body><iframe src="${src}"></iframe>`);
});
before(async () => {
  const html = (/** @type {string} */ script) =>
    `<!doctype html><title>page</title><body>${script}`;
  const folder = await consumer("places", {
    "index.html": html(`<script type="module" src="./page.mjs"></script>`),
    "frame.html": html(`<script src="/frame.js"></script>`),
    "page.mjs": SEEN_JS,
    "frame.mjs": frame,
    "speculating.html": html(`<script type="module" src="./speculating.mjs"></script>`),
    "speculating.mjs": speculating,
    "early.html": html(`<script type="module" src="./early.mjs"></script>`),
    "early.mjs": early,
  });
  // A sandboxed document may load no module.
  const entryPoints = [join(folder, "frame.mjs")];
  await build({ entryPoints, outdir: folder, bundle: true, format: "iife" });
  site = await serve(folder);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  embedding = `http://localhost:${port}/?`;
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await site?.close();
});

/** Fills the room that the page's origin has, to the last kilobyte. */
const fill = `new Promise((resolve, reject) => {
  const put = (length) => {
    // Firefox lets a connection write nothing any more that has met the limit.
    const opening = indexedDB.open("filler");
    opening.onupgradeneeded = () => opening.result.createObjectStore("all", { autoIncrement: true });
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const transaction = opening.result.transaction("all", "readwrite");
      transaction.objectStore("all").put(crypto.getRandomValues(new Uint8Array(length)));
      const then = (length) => (opening.result.close(), length < 100 ? resolve() : put(length));
      transaction.oncomplete = () => then(length);
      transaction.onabort = () => then(length / 2);
    };
  };
  put(2 ** 16);
})`;

/**
 * What the frame's `seen` answers.
 * @param {Tab} tab
 * @param {string} name
 * @param {...unknown} given
 */
const ask = (tab, name, ...given) =>
  tab.run(`new Promise((resolve, reject) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data.value));
    frames[0].postMessage(${JSON.stringify({ name, given })}, "*", [port2]);
    setTimeout(() => reject(new Error("the frame does not answer")), 3000);
  })`);

for (const [name, start] of Object.entries(browsers)) {
  describe(name, () => {
    /** @type {Driven} */
    let browser;
    before(async () => void (browser = await start()));
    after(() => browser?.quit());
    beforeEach(() => site.down(false));

    let visits = 0;
    /** @param {Driven} [by] */
    async function visit(by = browser) {
      const visitor = site.visitor();
      const page = `?${++visits}`;
      const tab = await by.open(`${site.url}/${page}`);
      await shows(tab, page);
      const given = JSON.stringify(visitor.options);
      return { ...visitor, tab, given, begin: () => tab.run(`seen.start(${given})`) };
    }

    /**
     * @param {string} address of the page around
     * @param {string} [attributes] of a frame that it gets
     * @param {object} [given] options
     */
    async function framed(address, attributes, given) {
      const visitor = site.visitor();
      const options = { ...visitor.options, ...given };
      const tab = await browser.open(address);
      if (attributes !== undefined) {
        await tab.run(`void document.body.insertAdjacentHTML("beforeend",
          ${JSON.stringify(`<iframe ${attributes}></iframe>`)})`);
      }
      await until(
        () =>
          ask(tab, "read", "visit").then(
            () => true,
            () => false,
          ),
        { what: "the frame" },
      );
      return { ...visitor, tab, begin: () => ask(tab, "start", options) };
    }

    it("a frame of another site: the next frame there sends what was left, and no page elsewhere", async () => {
      const address = `${embedding}${site.url}/frame.html`;
      const first = await framed(address);
      await first.begin();
      await ask(first.tab, "say", { before: 1 });
      await site.stored(first.session, { before: 1 });
      // Also what it sends when it is left gets nowhere.
      site.down(true, first.session);
      await ask(first.tab, "say", { left: 1 });
      await until(async () => (await ask(first.tab, "kept")).length === 1, {
        what: "it to be kept",
      });
      await first.tab.close();
      const elsewhere = await visit();
      await elsewhere.begin();
      await elsewhere.tab.run("seen.say({ rating: 1 })");
      await site.stored(elsewhere.session, { rating: 1 });
      assert.deepEqual(await site.feedback(first.session), { before: 1 }, "the browser parts them");
      site.down(false);
      const next = await framed(address);
      await next.begin();
      await site.stored(first.session, { before: 1, left: 1 });
      await next.tab.close();
      await elsewhere.tab.close();
    });

    it("a sandboxed frame that has its origin", async () => {
      const { session, tab, begin } = await framed(
        site.url,
        `sandbox="allow-scripts allow-same-origin" src="/frame.html"`,
      );
      await begin();
      site.down(true);
      await ask(tab, "say", { rating: 5 });
      await until(async () => (await ask(tab, "kept")).length === 1, { what: "it to be kept" });
      site.down(false);
      await site.stored(session, { rating: 5 });
      await tab.close();
    });

    const sandboxed = async () => {
      const { session, tab, begin } = await framed(
        site.url,
        `sandbox="allow-scripts" src="/frame.html"`,
        { deadlineMs: 1000 },
      );
      await begin();
      await ask(tab, "say", { rating: 5 });
      const delivery = await until(async () => (await ask(tab, "read", "deliveries")).rating, {
        what: "its end",
      });
      assert.equal(delivery.status, "dropped");
      assert.match(delivery.message, /no origin.*allow-same-origin/);
      assert.equal(await site.feedback(session), undefined);
      await tab.close();
    };
    // In WebKit such a frame's own content security policy lets it load no script.
    if (name !== "webkit") it("a sandboxed frame without an origin", sandboxed);

    const copied = async () => {
      const first = await visit();
      await first.tab.run(`void (sessionStorage.given = ${JSON.stringify(first.given)})`);
      await first.begin();
      site.down(true);
      await first.tab.run("seen.say({ a: 1 })");
      await keeps(first.tab, 1);
      await first.tab.run(`void (globalThis.copy = open(location.href))`);
      await until(() => first.tab.run("!!copy.seen"), { what: "the copy" });
      assert.equal(await first.tab.run("copy.sessionStorage.given"), first.given);
      await first.tab.run("copy.seen.start(JSON.parse(copy.sessionStorage.given))");
      await first.tab.run("copy.seen.say({ b: 2 })");
      await keeps(first.tab, 2);
      assert.equal((await first.tab.run("seen.owners()")).length, 2, "each has its own");
      await first.tab.run("copy.close()");
      await first.tab.close();
      site.down(false);
      const next = await visit();
      await next.begin();
      await site.stored(first.session, { a: 1, b: 2 });
      await keeps(next.tab, 0);
      await next.tab.close();
    };
    // WebKit opens no window for a script that its driver runs.
    if (name !== "webkit") it("a tab is copied, with what it has in its session storage", copied);

    const inPrivate = async () => {
      const open = /** @type {() => Promise<Driven>} */ (browser.privately);
      const windows = await open();
      try {
        const first = await visit(windows);
        await first.begin();
        site.down(true);
        await first.tab.run("seen.say({ rating: 5 })");
        await keeps(first.tab, 1);
        const next = await visit(windows);
        await first.tab.close();
        const outside = await visit();
        await outside.begin();
        await keeps(outside.tab, 0);
        site.down(false);
        await next.begin();
        await site.stored(first.session, { rating: 5 });
        await keeps(next.tab, 0);
        await outside.tab.close();
      } finally {
        await windows.quit();
      }
    };
    if (name !== "webkit")
      it("a private window: its next page sends what was left, and no other window's", inPrivate);

    const withoutRoom = async () => {
      const open = /** @type {() => Promise<Driven>} */ (browser.cramped);
      const windows = await open();
      try {
        const { session, tab, given, begin } = await visit(windows);
        await (tab.quota?.(1) ?? tab.run(fill));
        await begin();
        await tab.run("seen.say({ rating: 5 })");
        await site.stored(session, { rating: 5 });
        const isTold = () => tab.run("seen.deliveries.rating?.status === 'delivered'");
        await until(isTold, { what: "its promise" });
        const lines = await tab.run(`seen.lines.filter((line) => line.includes("IndexedDB"))`);
        assert.equal(lines.length, 1, lines.join("\n"));
        site.down(true);
        await tab.run("seen.say({ unkept: 1 })");
        await new Promise((resolve) => setTimeout(resolve, 300));
        assert.deepEqual(await tab.run("seen.kept()"), []);
        await (tab.quota?.() ?? tab.run(`seen.clear("filler")`));
        await keeps(tab, 1);
        await tab.close();
        site.down(false);
        const next = await visit(windows);
        await next.tab.run(`seen.start(${given})`);
        await site.stored(session, { rating: 5, unkept: 1 });
        await next.tab.close();
      } finally {
        await windows.quit();
      }
    };
    if (name !== "webkit")
      it("the origin may store no more: all is sent, and kept once there is room", withoutRoom);

    if (name !== "chromium") return;

    /** A clock that the test puts ahead as the page goes on: it stood still meanwhile. */
    const clock = `void (() => {
      globalThis.aheadMs = 0;
      for (const object of [Date, performance]) {
        const { now } = object;
        object.now = () => now.call(object) + aheadMs;
      }
      document.addEventListener("resume", () => (aheadMs = 3_600_000), { capture: true, once: true });
    })()`;

    for (const isTakenOver of [true, false]) {
      const end = isTakenOver ? "another page sends what it had" : "it sends what it has itself";
      it(`a page is frozen for an hour: ${end}`, async () => {
        const { session, tab, given } = await visit();
        await tab.run(clock);
        await tab.run(`seen.start(${given})`);
        await tab.run("seen.say({ first: 1 })");
        await until(() => tab.run("seen.deliveries.first"), { what: "the first" });
        site.down(true);
        await tab.run("seen.say({ unsent: 2 })");
        await keeps(tab, 1);
        const other = await visit();
        await tab.lifecycle?.("frozen");
        if (isTakenOver) {
          site.down(false);
          await other.begin();
          await site.stored(session, { first: 1, unsent: 2 });
          // The page's own last request may have got through as well: the other one's is answered too by then.
          await keeps(other.tab, 0);
        }
        const saidBefore = (await site.told(session)).length;
        await tab.lifecycle?.("active");
        await until(() => tab.run("aheadMs > 0"), { what: "it to go on" });
        site.down(false);
        await tab.run("seen.say({ back: 3 })");
        await site.stored(session, { first: 1, unsent: 2, back: 3 });
        for (const what of ["unsent", "back"]) {
          const delivery = await until(() => tab.run(`seen.deliveries.${what}`), { what });
          assert.equal(delivery.status, "delivered", delivery.message);
        }
        // Frozen with a request under way, it may have sent that as well; back again, it says nothing twice.
        const said = (await site.told(session)).slice(saidBefore);
        if (isTakenOver) assert.deepEqual(said, [{ back: 3 }]);
        await tab.close();
        await other.tab.close();
      });
    }

    it("a page that the browser loads before anyone sees it", async () => {
      const { options, session } = site.visitor();
      const tab = await browser.open(site.url);
      const hash = `#${encodeURIComponent(JSON.stringify(options))}`;
      // A tab that nobody drives: in one that is driven, Chromium loads no page before.
      await tab.run(`void open(${JSON.stringify(SPECULATING + hash)}, "_blank", "noopener")`);
      await until(() => site.wasAsked("/early-runs"), { what: "the page to be loaded" });
      await new Promise((resolve) => setTimeout(resolve, 1000));
      assert.equal((await site.backend.requests(session)).length, 0);
      await tab.run(`void new BroadcastChannel("speculating").postMessage("go")`);
      await site.stored(session, { wasPrerendering: true, isSeen: true });
      await tab.close();
    });
  });
}
