// Pictures of chat and viewer, on a phone and on a desktop, light and dark:
// node screenshots.mjs [folder], default build/screenshots/. The conversation and the sessions are sample ones.

import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { launchBrowser } from "./browser.mjs";
import { startDemo } from "./serve.mjs";

const SESSIONS = Number(process.env.SESSIONS || 600);
const SIZES = {
  phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
  desktop: { viewport: { width: 1440, height: 900 } },
};

const folder = process.argv[2] ?? fileURLToPath(new URL("../build/screenshots", import.meta.url));
await mkdir(folder, { recursive: true });
const demo = await startDemo();
const browser = await launchBrowser();
try {
  const { fill } = await import("./samples/fill.mjs");
  if (demo.backendUrl) await fill(demo.backendUrl, SESSIONS);
  for (const [size, options] of Object.entries(SIZES)) {
    for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
      const context = await browser.newContext({
        ...options,
        colorScheme,
        locale: "en-GB",
        reducedMotion: "reduce",
        deviceScaleFactor: 2,
      });
      const page = await context.newPage();
      /** @param {string} name */
      const shoot = (name) =>
        page.screenshot({ path: `${folder}/${name}-${size}-${colorScheme}.png` });
      await chat(page, shoot);
      await view(page, shoot);
      await context.close();
    }
  }
  console.log(`Screenshots are in ${folder}`);
} finally {
  await browser.close();
  await demo.close();
}
process.exit();

/** @param {import("playwright-core").Page} page @param {(name: string) => Promise<unknown>} shoot */
async function chat(page, shoot) {
  await page.goto(demo.url);
  await page.getByRole("button", { name: "Which honey is mild?" }).waitFor();
  await shoot("chat-welcome");
  await ask(page, "My honey has crystallised. Is it spoiled?", 1);
  const rating = page.getByRole("group", { name: "Rate answer 1" });
  await rating.getByRole("button", { name: "Helpful", exact: true }).click();
  await page.getByText("Thank you, stored.").waitFor();
  await ask(page, "Which honey is mild?", 2);
  await page
    .getByRole("group", { name: "Rate answer 2" })
    .getByRole("button", { name: "Comment" })
    .click();
  await page.getByLabel("Comment on answer 2").fill("I meant for tea.");
  await page.waitForFunction(
    () => document.querySelectorAll("#enrichments li:not(.stored, .lost)").length === 0,
  );
  await shoot("chat");
}

/** @param {import("playwright-core").Page} page @param {string} question @param {number} number */
async function ask(page, question, number) {
  await page.getByLabel("Your message").fill(question);
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("group", { name: `Rate answer ${number}` }).waitFor();
}

/** @param {import("playwright-core").Page} page @param {(name: string) => Promise<unknown>} shoot */
async function view(page, shoot) {
  await page.goto(`${demo.viewerUrl}`);
  await page.locator(".row").first().waitFor();
  await page.waitForTimeout(500);
  await shoot("viewer");
  await page.goto(`${demo.viewerUrl}#figures`);
  await page.locator("figure svg").first().waitFor();
  await shoot("viewer-figures");
  await page.goto(`${demo.viewerUrl}#wire`);
  await page.getByRole("switch", { name: "Faults" }).click();
  await page.locator(".switch[aria-checked=true]").waitFor();
  const other = await page.context().newPage();
  await other.goto(demo.url);
  for (const number of [1, 2]) await ask(other, "Which honey is mild?", number);
  await other.close();
  await page.locator(".verdict", { hasText: "Nothing is lost" }).waitFor();
  await shoot("viewer-wire");
  await page.getByRole("switch", { name: "Faults" }).click();
  await page.goto(`${demo.viewerUrl}#list`);
  const id = await page.locator(".row").first().getAttribute("href");
  await page.goto(`${demo.viewerUrl}${id}`);
  await page.locator(".timeline .change").first().waitFor();
  await shoot("viewer-session");
}
