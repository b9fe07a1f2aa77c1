// How quick the viewer is with many sessions: its first content, and an update from its delivery until it can be
// seen. `node measure.mjs` fills a backend by the sample data's command and prints the figures; SESSIONS=5000.

import { pathToFileURL } from "node:url";
import { launchBrowser } from "./browser.mjs";
import { startDemo } from "./serve.mjs";

const KEY = "hh_local_demo";
const LOADS = 5;
const UPDATES = 20;

/** @typedef {import("playwright-core").Browser} Browser */

/**
 * @param {Browser} browser
 * @param {string} viewerUrl
 * @returns {Promise<number>} milliseconds from navigation until the first sessions are drawn, the median of some loads
 */
export async function firstContent(browser, viewerUrl) {
  const times = [];
  for (let load = 0; load < LOADS; load += 1) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    await page.addInitScript(() => {
      new MutationObserver((_, observer) => {
        if (!document.querySelector(".row")) return;
        observer.disconnect();
        requestAnimationFrame(() => performance.mark("sessions-drawn"));
      }).observe(document, { childList: true, subtree: true });
    });
    await page.goto(viewerUrl);
    const drawn = await page.waitForFunction(
      () => performance.getEntriesByName("sessions-drawn")[0]?.startTime,
    );
    times.push(Number(await drawn.jsonValue()));
    await context.close();
  }
  return median(times);
}

/**
 * @param {Browser} browser
 * @param {string} backendUrl
 * @param {string} viewerUrl
 * @returns {Promise<number[]>} milliseconds from the backend's answer to a write until the list shows it, one by one
 */
export async function updateTimes(browser, backendUrl, viewerUrl) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  await page.goto(viewerUrl);
  await page.locator('.live[data-live="true"]').waitFor();
  await page.locator(".row").first().waitFor();
  const times = await page.evaluate(
    async ({ url, key, updates }) => {
      const taken = [];
      for (let index = 0; index < updates; index += 1) {
        const title = `Measured ${index} ${crypto.randomUUID()}`;
        const shown = new Promise((resolve) => {
          const observer = new MutationObserver(() => {
            if (document.querySelector(".row .title")?.textContent !== title) return;
            observer.disconnect();
            requestAnimationFrame(() => resolve(performance.now()));
          });
          observer.observe(document.body, { childList: true, subtree: true, characterData: true });
        });
        await fetch(`${url}/v1/sessions`, {
          method: "POST",
          headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
          body: JSON.stringify({ inputs: { question: title }, metadata: { variant: "A" } }),
        });
        const delivered = performance.now();
        taken.push(Math.max(0, (await shown) - delivered));
        await new Promise((resolve) => setTimeout(resolve, 150));
      }
      return taken;
    },
    { url: backendUrl, key: KEY, updates: UPDATES },
  );
  await context.close();
  return times;
}

/** @param {number[]} values */
export const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const demo = await startDemo();
  const browser = await launchBrowser();
  try {
    const { backendUrl = "", viewerUrl = "" } = demo;
    const { fill } = await import("./samples/fill.mjs");
    const sessions = Number(process.env.SESSIONS || 5000);
    await fill(backendUrl, sessions);
    const first = await firstContent(browser, viewerUrl);
    const updates = await updateTimes(browser, backendUrl, viewerUrl);
    console.log(`${sessions} sessions`);
    console.log(`first content          ${first.toFixed(0)} ms (median of ${LOADS})`);
    console.log(`update, from delivery  ${median(updates).toFixed(0)} ms (median of ${UPDATES})`);
    console.log(`update, the slowest    ${Math.max(...updates).toFixed(0)} ms`);
  } finally {
    await browser.close();
    await demo.close();
  }
  process.exit();
}
