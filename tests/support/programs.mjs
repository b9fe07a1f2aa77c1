// The browsers' programs as Debian ships them: where they are, how they are started, and a session with
// WebKit's driver.

import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { start, until } from "./child.mjs";

export const LIMIT_MS = 30_000;

/** Of Chromium, where it may run as root. */
export const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

export const executables = {
  chrome: () => installed("Chromium", "chromium", ["/usr/bin/chromium", "/usr/bin/google-chrome"]),
  firefox: () => installed("Firefox", "firefox-esr", ["/usr/bin/firefox-esr", "/usr/bin/firefox"]),
};

/**
 * A host that browsers find on this machine where a test asks for it. Over plain http it is no secure context, as
 * loopback addresses are: there are no Web Locks and no service workers.
 */
export const INSECURE_HOST = "page.test";

/**
 * A session of WebKitWebDriver: its commands, and its end.
 * @param {object} [capabilities]
 */
export async function webkitSession(capabilities) {
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
      capabilities: { alwaysMatch: { pageLoadStrategy: "normal", ...capabilities } },
    });
    return {
      output: driver.output,
      /**
       * @param {string} method
       * @param {string} path
       * @param {object} [body]
       */
      command: (method, path, body) => command(method, `/session/${sessionId}${path}`, body),
      async stop() {
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

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}
