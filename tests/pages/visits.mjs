// Visits of a site: in which browsers, and from what kind of origin, for over plain http a browser has no Web Locks.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach } from "node:test";
import { until } from "../support/child.mjs";
import * as browsers from "../support/driven.mjs";
import { INSECURE_HOST } from "../support/programs.mjs";

/** @import { Driven, Start, Tab } from "../support/driven.mjs" */
/** @typedef {Awaited<ReturnType<typeof import("./served.mjs").serve>>} Site */

export const visits = Object.entries(browsers).flatMap(([name, start]) =>
  [true, false].map((isSecure) => ({
    title: isSecure ? name : `${name}, on an insecure origin`,
    name,
    start,
    isSecure,
  })),
);

/** How many pages were opened: the query of a page's address is its number, and tells its requests from other pages'. */
let pages = 0;

/**
 * Waits until a tab shows a page and has loaded it.
 * @param {Tab} tab
 * @param {string} page the query of its address, which the page has as `seen.visit`
 */
export const shows = (tab, page) =>
  until(
    () =>
      tab
        .run(`globalThis.seen?.visit === "${page}" && document.readyState === "complete"`)
        .catch(() => false),
    { what: `the page ${page}` },
  );

/**
 * A browser for the tests of one `describe`. Each test begins while the network is there, and its tabs end with it:
 * another test's page might send what this one's has kept.
 * @param {{ start: Start, isSecure: boolean }} place
 * @param {() => Site} site is there when tests run
 */
export function visiting({ start, isSecure }, site) {
  /** @type {Driven} */
  let browser;
  let url = "";
  /** The open tabs, with the pages that were opened in them. @type {Map<Tab, string>} */
  const tabs = new Map();

  before(async () => {
    const { port } = site();
    url = isSecure ? site().url : `http://${INSECURE_HOST}:${port}`;
    browser = await start(isSecure ? undefined : port);
  });
  after(() => browser?.quit());
  beforeEach(() => {
    browser.said.length = 0;
    site().down(false);
  });
  afterEach(async () => {
    for (const tab of tabs.keys()) await tab.close();
  });

  /** If the network is away, the last requests of a page find none, even if they arrive when it is back. @param {Tab} tab */
  function leaves(tab) {
    if (site().isDown()) site().cutOff(tabs.get(tab) ?? "", true);
    tabs.delete(tab);
  }

  /**
   * A tab with a page.
   * @param {string} [file] of the page
   * @param {Driven} [by] another browser than that of all tests
   */
  async function open(file = "", by = browser) {
    const page = `?${++pages}`;
    const opened = await by.open(`${url}/${file}${page}`);
    /** @type {Tab} */
    const tab = {
      ...opened,
      async close() {
        if (!tabs.has(tab)) return;
        leaves(tab);
        await opened.close();
      },
    };
    tabs.set(tab, page);
    await shows(tab, page);
    assert.equal(await tab.run("isSecureContext && !!navigator.locks"), isSecure);
    return { page, tab };
  }

  return {
    /** The browser, and the lines that its pages printed during this test. */
    browser: () => browser,
    url: () => url,
    open,
    /**
     * A page, and a session with what the page has to be given for it.
     * @param {object} [options] of the tracer
     * @param {string} [file] of the page
     * @param {Driven} [by] another browser than that of all tests
     */
    async visit(options, file, by) {
      const visitor = site().visitor();
      const { page, tab } = await open(file, by);
      const given = JSON.stringify({ ...visitor.options, ...options });
      return { ...visitor, page, tab, given, begin: () => tab.run(`seen.start(${given})`) };
    },
    /** Kills the browser, and starts it again on the same profile. */
    async restart() {
      for (const tab of tabs.keys()) leaves(tab);
      browser = await /** @type {() => Promise<Driven>} */ (browser.restart)();
    },
  };
}
