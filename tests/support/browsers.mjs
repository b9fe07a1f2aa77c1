// Chromium, Firefox and WebKit as Debian ships them, each behind the same two calls: open a page,
// and quit. What a page says on its console is kept, for when it says nothing else.

import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { start, until } from "./child.mjs";

/**
 * @typedef {object} Browser
 * @property {(url: string) => Promise<void>} visit opens a page beside the others
 * @property {() => string} console what pages said and what failed in them
 * @property {() => Promise<void>} quit
 */

const LIMIT_MS = 30_000;

/** @returns {Promise<Browser>} */
export async function chromium() {
  const playwright = await import("playwright-core");
  const browser = await playwright.chromium.launch({
    executablePath: installed("Chromium", "chromium", [
      "/usr/bin/chromium",
      "/usr/bin/google-chrome",
    ]),
    headless: true,
    timeout: LIMIT_MS,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
    ],
  });
  const said = transcript();
  return {
    async visit(url) {
      const page = await browser.newPage();
      page.on("console", (message) => said.note(message.text()));
      page.on("pageerror", (error) => said.note(`${error}`));
      await page.goto(url, { timeout: LIMIT_MS });
    },
    console: said.text,
    quit: () => browser.close(),
  };
}

/** @returns {Promise<Browser>} */
export async function firefox() {
  const { default: puppeteer } = await import("puppeteer-core");
  const browser = await puppeteer.launch({
    browser: "firefox", // by WebDriver BiDi
    executablePath: installed("Firefox", "firefox-esr", [
      "/usr/bin/firefox-esr",
      "/usr/bin/firefox",
    ]),
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
      const page = await browser.newPage();
      page.on("console", (message) => said.note(message.text()));
      page.on("pageerror", (error) => said.note(`${error}`));
      await page.goto(url, { timeout: LIMIT_MS });
    },
    console: said.text,
    quit: () => browser.close(),
  };
}

/** WebKitGTK's browser on a display of its own, by plain WebDriver. @returns {Promise<Browser>} */
export async function webkit() {
  const driverPath = installed("WebKitWebDriver", "webkit2gtk-driver", [
    "/usr/bin/WebKitWebDriver",
  ]);
  const xvfbPath = installed("Xvfb", "xvfb", ["/usr/bin/Xvfb"]);
  const home = await mkdtemp(join(tmpdir(), "webkit-"));

  const xvfb = start(xvfbPath, [
    "-displayfd",
    "1",
    "-screen",
    "0",
    "800x600x24",
    "-nolisten",
    "tcp",
  ]);
  const display = await until(() => /\d+/.exec(xvfb.output.stdout)?.[0], { what: "Xvfb" });
  const port = await freePort();
  const driver = start(driverPath, [`--port=${port}`, "--host=127.0.0.1"], {
    env: { DISPLAY: `:${display}`, HOME: home, XDG_RUNTIME_DIR: home, GDK_BACKEND: "x11" },
  });
  const stop = async () => {
    await driver.stop();
    await xvfb.stop();
    await rm(home, { recursive: true, force: true });
  };

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   */
  const command = async (method, path, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    const { value } = await response.json();
    if (value?.error) throw new Error(`WebDriver ${path}: ${value.error}: ${value.message}`);
    return value;
  };
  try {
    await until(() => command("GET", "/status").catch(() => undefined), {
      what: "WebKitWebDriver",
    });
    const { sessionId } = await command("POST", "/session", {
      capabilities: { alwaysMatch: { pageLoadStrategy: "normal" } },
    });
    return {
      async visit(url) {
        const { handle } = await command("POST", `/session/${sessionId}/window/new`, {
          type: "tab",
        });
        await command("POST", `/session/${sessionId}/window`, { handle });
        await command("POST", `/session/${sessionId}/url`, { url });
      },
      console: () => `${driver.output.stdout}${driver.output.stderr}`,
      async quit() {
        await command("DELETE", `/session/${sessionId}`).catch(() => {});
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * @param {string} what
 * @param {string} debianPackage
 * @param {string[]} places
 */
function installed(what, debianPackage, places) {
  const found = places.find((place) => existsSync(place));
  if (!found) throw new Error(`${what} is missing: install Debian's ${debianPackage}.`);
  return found;
}

function transcript() {
  /** @type {string[]} */
  const lines = [];
  return {
    note: (/** @type {string} */ line) => void lines.push(line),
    text: () => lines.join("\n"),
  };
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}
