// Clicks through the chat page in Chromium, as a visitor, and reads back what was stored.

import assert from "node:assert/strict";
import { until } from "../support/child.mjs";
import { launchChromium } from "../support/chromium.mjs";

/**
 * @param {string} url of the page
 * @param {(session: string) => Promise<any>} feedback what the backend has of a session's
 */
export async function clickThrough(url, feedback) {
  const browser = await launchChromium();
  try {
    /** @type {string[]} */
    const said = [];
    const context = await browser.newContext();
    const page = await context.newPage();
    page.on("console", (line) => void said.push(`${line.type()}: ${line.text()}`));
    page.on("pageerror", (error) => void said.push(`uncaught: ${error}`));
    await page.goto(url);
    for (const [place, thumb] of ["up", "down"].entries()) {
      await page.getByLabel("Question").fill(`question ${place + 1}`);
      await page.getByRole("button", { name: "Ask" }).click();
      await page.getByRole("button", { name: `Thumb ${thumb} for ${place + 1}` }).click();
      await page.getByText("delivered").nth(place).waitFor();
    }
    const session = await page.locator("body").getAttribute("data-session");
    assert.ok(session);
    assert.deepEqual(await feedback(session), { answer_1: "up", answer_2: "down" });
    // The last click, and the tab is closed: sent on leaving, or kept for the next visit.
    await page.getByRole("button", { name: "Thumb up for 2" }).click();
    await page.close();
    await (await context.newPage()).goto(url);
    await until(async () => (await feedback(session)).answer_2 === "up", {
      what: "the last click",
    });
    assert.deepEqual(said, []);
  } finally {
    await browser.close();
  }
}
