// Chromium, Firefox and WebKit as Debian ships them, each behind the same two calls: open a page,
// and quit. What a page says on its console is kept, for when it says nothing else.

import { within } from "./child.mjs";
import { launchChromium } from "./chromium.mjs";
import { LIMIT_MS, executables, webkitSession } from "./programs.mjs";

/**
 * @typedef {object} Browser
 * @property {(url: string) => Promise<void>} visit opens a page beside the others
 * @property {() => string} console what pages said and what failed in them
 * @property {() => Promise<void>} quit
 */

/** @returns {Promise<Browser & { press: (selector: string) => Promise<void> }>} `press` clicks in the page visited last */
export async function chromium() {
  const browser = await launchChromium();
  const said = transcript();
  /** @type {import("playwright-core").Page} */
  let page;
  return {
    async visit(url) {
      page = await within(browser.newPage(), LIMIT_MS);
      page.on("console", (message) => said.note(message.text()));
      page.on("pageerror", (error) => said.note(`${error}`));
      await page.goto(url, { timeout: LIMIT_MS });
    },
    press: (selector) => page.click(selector, { timeout: LIMIT_MS }),
    console: said.text,
    quit: () => within(browser.close(), LIMIT_MS),
  };
}

/** @returns {Promise<Browser>} */
export async function firefox() {
  const { default: puppeteer } = await import("puppeteer-core");
  const browser = await puppeteer.launch({
    browser: "firefox", // by WebDriver BiDi
    executablePath: executables.firefox(),
    headless: true,
    timeout: LIMIT_MS,
    extraPrefsFirefox: {
      "app.update.enabled": false,
      "datareporting.policy.dataSubmissionEnabled": false,
    },
  });
  const said = transcript();
  return {
    async visit(url) {
      // Puppeteer waits without end for an event that a browser on a busy machine may not send: another tab has it.
      const newPage = () => within(browser.newPage(), LIMIT_MS);
      const page = await newPage().catch(newPage);
      page.on("console", (message) => said.note(message.text()));
      page.on("pageerror", (error) => said.note(`${error}`));
      await page.goto(url, { timeout: LIMIT_MS });
    },
    console: said.text,
    async quit() {
      await within(browser.close(), LIMIT_MS).catch(() => browser.process()?.kill("SIGKILL"));
    },
  };
}

/** WebKitGTK's browser on a display of its own, by plain WebDriver. @returns {Promise<Browser>} */
export async function webkit() {
  const { command, output, stop } = await webkitSession();
  return {
    async visit(url) {
      const { handle } = await command("POST", "/window/new", { type: "tab" });
      await command("POST", "/window", { handle });
      await command("POST", "/url", { url });
    },
    console: () => `${output.stdout}${output.stderr}`,
    quit: stop,
  };
}

function transcript() {
  /** @type {string[]} */
  const lines = [];
  return {
    note: (/** @type {string} */ line) => void lines.push(line),
    text: () => lines.join("\n"),
  };
}
