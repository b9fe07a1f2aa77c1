// What the tests of the pages share: a visit in Chromium that has to leave the console silent, and what axe finds.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const PHONE = { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true };
export const DESKTOP = { viewport: { width: 1280, height: 800 } };

/** @typedef {import("playwright-core").Page} Page */

/**
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 * @param {import("playwright-core").BrowserContextOptions} options
 * @param {(page: Page) => Promise<void>} visit
 */
export async function visitPage(browser, url, options, visit) {
  const context = await browser.newContext(options);
  /** @type {string[]} */
  const complaints = [];
  context.on("page", (page) => {
    page.setDefaultTimeout(15_000);
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
  });
  const page = await context.newPage();
  await page.goto(url);
  try {
    await visit(page);
  } finally {
    await context.close();
  }
  assert.deepEqual(complaints, [], "the console is silent");
}

/** @param {Page} page */
export async function assertAccessible(page) {
  // As text, by the debugger: the page's own policy lets no foreign script in, as it should.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => /** @type {any} */ (window).axe.run());
  const found = violations.map(
    (/** @type {{ id: string, nodes: { html: string }[] }} */ { id, nodes }) =>
      `${id}: ${nodes.map(({ html }) => html).join(" ")}`,
  );
  assert.deepEqual(found, []);
}

/** @param {Page} page */
export async function assertNoOverflow(page) {
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  assert.equal(overflow, 0);
}
