// Browsers that a test drives as a visitor does: tabs that are opened, reloaded and closed, a network
// that goes away, a profile that outlives the browser, and a browser that is killed.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { within } from "./child.mjs";
import { FLAGS, INSECURE_HOST, LIMIT_MS, executables, webkitSession } from "./programs.mjs";

/**
 * @typedef {object} Tab
 * @property {(code: string) => Promise<any>} run the value of an expression in the page, awaited
 * @property {() => Promise<unknown>} reload
 * @property {() => Promise<unknown>} close
 * @property {() => Promise<unknown>} back as the browser's own button does
 * @property {(isOffline: boolean) => Promise<unknown>} [offline] not to be had everywhere
 * @property {(state: "frozen" | "active") => Promise<unknown>} [lifecycle]
 * @property {(bytes?: number) => Promise<unknown>} [quota] what the page's origin may store, before it stores anything;
 *   once without a number, as much as before
 * @property {() => Promise<unknown>} [cutOff] ends the script that runs, where it is: no `catch` or `finally` runs
 *
 * @typedef {object} Driven
 * @property {(url: string) => Promise<Tab>} open a tab
 * @property {string[]} said lines of pages' consoles with their levels, and errors that went uncaught
 * @property {() => Promise<Driven>} [privately] opens private windows, until it quits
 * @property {() => Promise<Driven>} [cramped] windows in which no origin has stored anything yet; in Firefox, each may
 *   store a megabyte
 * @property {() => Promise<Driven>} [restart] kills it, and starts it again with the same profile
 * @property {() => Promise<void>} quit
 */

const RESOLVED = `--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1`;

/** @typedef {(port?: number) => Promise<Driven>} Start with the port of a server that {@link INSECURE_HOST} is, if any */

/**
 * @param {"chrome" | "firefox"} name
 * @param {Record<string, unknown>} [prefs] of Firefox
 * @returns {Promise<Driven>}
 */
async function driven(name, prefs) {
  const profile = await mkdtemp(join(tmpdir(), `${name}-`));
  /** @type {string[]} */
  const said = [];
  const { default: puppeteer } = await import("puppeteer-core");
  const launch = () =>
    puppeteer.launch({
      browser: name,
      executablePath: executables[name](),
      userDataDir: profile,
      headless: true,
      timeout: LIMIT_MS,
      // A page whose answer never comes fails its test, and holds up no others for three minutes.
      protocolTimeout: 2 * LIMIT_MS,
      ...(name === "chrome" ? { args: [...FLAGS, RESOLVED] } : {}),
      extraPrefsFirefox: {
        "network.dns.localDomains": INSECURE_HOST,
        "app.update.enabled": false,
        "datareporting.policy.dataSubmissionEnabled": false,
        ...prefs,
      },
    });

  /**
   * @param {Pick<Awaited<ReturnType<typeof launch>>, "newPage">} browser
   * @param {string} url
   * @returns {Promise<Tab>}
   */
  async function openTab(browser, url) {
    // Puppeteer waits without end for an event that a browser on a busy machine may not send: another tab has it.
    const newPage = () => within(browser.newPage(), LIMIT_MS);
    const page = await newPage().catch(newPage);
    page.on("console", (line) => void said.push(`${line.type()} ${line.text()}`));
    page.on("pageerror", (error) => void said.push(`uncaught ${error}`));
    await page.goto(url, { timeout: LIMIT_MS });
    const lifecycle = async (/** @type {string} */ state) => {
      const session = await page.createCDPSession();
      await session.send("Page.setWebLifecycleState", { state: /** @type {any} */ (state) });
    };
    // Made before: a page that is busy gets none.
    const protocol = name === "chrome" ? await page.createCDPSession() : undefined;
    const cutOff = async () => protocol?.send("Runtime.terminateExecution");
    const quota = async (/** @type {number | undefined} */ quotaSize) => {
      const { origin } = new URL(page.url());
      const size = quotaSize === undefined ? {} : { quotaSize };
      await protocol?.send("Storage.overrideQuotaForOrigin", { origin, ...size });
    };
    return {
      run: name === "chrome" ? await evaluator(page) : (code) => page.evaluate(code),
      reload: () => page.reload({ timeout: LIMIT_MS }),
      // As above: a tab was seen to stay open, and is told once more.
      close: () => {
        const close = () => within(page.close(), LIMIT_MS);
        return close().catch(close);
      },
      // Puppeteer's own waits for a load, which a page that has rested has not.
      back: () => within(page.evaluate("void history.back()"), LIMIT_MS),
      offline: (isOffline) => page.setOfflineMode(isOffline),
      ...(name === "chrome" ? { lifecycle, quota, cutOff } : {}),
    };
  }

  /** @param {Awaited<ReturnType<typeof launch>>} browser @returns {Driven} */
  const around = (browser) => {
    const privately = async () => {
      if (name === "firefox") return driven(name, { "browser.privatebrowsing.autostart": true });
      const context = await browser.createBrowserContext();
      /** @type {Driven} */
      const windows = {
        said,
        open: (url) => openTab(context, url),
        quit: () => within(context.close(), LIMIT_MS).catch(() => {}),
      };
      return windows;
    };
    return {
      said,
      open: (url) => openTab(browser, url),
      cramped: () =>
        name === "firefox"
          ? driven(name, { "dom.quotaManager.temporaryStorage.fixedLimit": 1024 })
          : privately(),
      privately,
      async restart() {
        const child = browser.process();
        const ended = new Promise((resolve) => child?.once("exit", resolve));
        child?.kill("SIGKILL");
        await ended;
        // Its own children end when they find it gone.
        await new Promise((resolve) => setTimeout(resolve, 500));
        return around(await launch());
      },
      async quit() {
        await within(browser.close(), LIMIT_MS).catch(() => browser.process()?.kill("SIGKILL"));
        await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
      },
    };
  };
  return around(await launch());
}

/**
 * The page's values by Chromium's own protocol: Puppeteer's `evaluate` waits without end if a reload takes
 * the page's context away in the wrong moment.
 * @param {import("puppeteer-core").Page} page
 * @returns {Promise<Tab["run"]>}
 */
async function evaluator(page) {
  const session = await page.createCDPSession();
  return async (expression) => {
    const { result, exceptionDetails } = await session.send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
      userGesture: true,
    });
    if (exceptionDetails) {
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    }
    return result.value;
  };
}

/** @type {Start} */
export const chromium = () => driven("chrome");
/** @type {Start} */
export const firefox = () => driven("firefox");

/** By plain WebDriver: no network that goes away, and a new profile each time. @type {Start} */
export async function webkit(port) {
  // It finds no host but by a proxy.
  const proxy = { proxyType: "manual", httpProxy: `127.0.0.1:${port}` };
  const { command, stop } = await webkitSession(port === undefined ? {} : { proxy });
  const said = /** @type {string[]} */ ([]);
  const home = await command("GET", "/window");
  return {
    said,
    async open(url) {
      const { handle } = await command("POST", "/window/new", { type: "tab" });
      const go = () => command("POST", "/window", { handle });
      await go();
      await command("POST", "/url", { url });
      return {
        async run(code) {
          await go();
          const script = `const [done] = arguments;
            Promise.resolve().then(() => (${code})).then(
              (value) => done({ value }),
              (error) => done({ error: String(error) }),
            );`;
          const { value, error } = await command("POST", "/execute/async", { script, args: [] });
          if (error) throw new Error(error);
          return value;
        },
        reload: () => go().then(() => command("POST", "/refresh", {})),
        back: () => go().then(() => command("POST", "/back", {})),
        async close() {
          await go();
          await command("DELETE", "/window");
          await command("POST", "/window", { handle: home });
        },
      };
    },
    quit: stop,
  };
}
