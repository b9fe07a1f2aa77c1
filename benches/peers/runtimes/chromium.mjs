// Chromium: a page with each peer's bundle, as esbuild makes it for production, from the same origin as
// the API. CPU time is the page's process's.

import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { launchChromium } from "../../../tests/support/chromium.mjs";

const here = fileURLToPath(new URL("..", import.meta.url));

/** How long a page may take, for all its jobs. */
const LIMIT_MS = 90_000;

/** How much slower the page's processor is made where long tasks are looked for. */
export const THROTTLE = 6;

const PAGE = `<!doctype html><meta charset="utf-8"><title>bench</title><script type="module">
  window.tasks = [];
  new PerformanceObserver((list) => {
    for (const { duration, startTime } of list.getEntries()) window.tasks.push({ duration, startTime });
  }).observe({ type: "longtask" });
</script>`;

/**
 * The page's files, for the server.
 * @param {string} adapter
 */
export async function pageOf(adapter) {
  const modules = {
    peer: `export { setup } from "./adapters/${adapter}.mjs";`,
    measure: `export { wasmMemory } from "../support/wasm-memory.mjs";
              export { jobs } from "./measure.mjs";
              export { payloads } from "./payloads.mjs";`,
  };
  /** @type {Record<string, {type: string, content: string | Buffer}>} */
  const files = { "/": { type: "text/html", content: PAGE } };
  for (const [name, contents] of Object.entries(modules)) {
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: here },
      bundle: true,
      minify: true,
      write: false,
      format: "esm",
      platform: "browser",
      logLevel: "error",
    });
    const content = Buffer.from(/** @type {any} */ (outputFiles)[0].contents);
    files[`/${name}.js`] = { type: "text/javascript", content };
  }
  return files;
}

/** @param {string} url of the server */
async function open(url) {
  const browser = await launchChromium(["--enable-precise-memory-info"]);
  const page = await browser.newPage();
  const session = await page.context().newCDPSession(page);
  const whole = await browser.newBrowserCDPSession();
  await page.goto(url);
  return { browser, page, session, whole };
}

/**
 * @param {string} url of the server
 * @param {string[]} jobs
 * @param {number} seconds
 * @returns {Promise<any>} what they reported
 */
export async function report(url, jobs, seconds) {
  const { browser, page, session, whole } = await open(url);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    void browser.close();
  }, LIMIT_MS);
  try {
    await page.exposeFunction("cpu", async () => {
      const { processInfo } = await whole.send("SystemInfo.getProcessInfo");
      const pages = processInfo.filter(({ type }) => type === "renderer");
      return pages.reduce((sum, { cpuTime }) => sum + cpuTime * 1e6, 0);
    });
    await page.exposeFunction("heap", async () => {
      await session.send("HeapProfiler.collectGarbage");
      return (await session.send("Runtime.getHeapUsage")).usedSize;
    });
    return await page.evaluate(
      async (given) => {
        const { cpu, heap } = /** @type {any} */ (globalThis);
        const load = (/** @type {string} */ path) => import(path);
        const all = await load("/measure.js");
        const { setup } = await load("/peer.js");
        const peer = await setup(given);
        const probe = { cpu, memory: async () => ({ heap: await heap(), wasm: all.wasmMemory() }) };
        /** @type {Record<string, unknown>} */
        const found = {};
        for (const name of given.jobs)
          found[name] = await all.jobs[name]({ ...given, peer, probe });
        return found;
      },
      { jobs, seconds, url },
    );
  } catch (error) {
    throw late ? new Error(`not done within ${LIMIT_MS / 1_000} s`) : error;
  } finally {
    clearTimeout(timer);
    await browser.close();
  }
}

/**
 * The tasks of more than 50 ms while a page that is {@link THROTTLE} times slower loads the bundle and
 * uses it with each payload.
 * @param {string} url of the server
 * @returns {Promise<{ms: number[], delivered: number}>}
 */
export async function longTasks(url) {
  const { browser, page, session } = await open(url);
  try {
    await session.send("Emulation.setCPUThrottlingRate", { rate: THROTTLE });
    return await page.evaluate(async () => {
      const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));
      const load = (/** @type {string} */ path) => import(path);
      // What the payloads and the page itself take is not the peer's.
      const { payloads } = await load("/measure.js");
      await pause(500);
      const from = performance.now();
      const { setup } = await load("/peer.js");
      const peer = await setup({ url: location.origin });
      const sessionId = crypto.randomUUID();
      let n = 0;
      for (let round = 0; round < 3; round++) {
        for (const payload of Object.values(payloads)) {
          peer.update(sessionId, `mlong_${String(n++).padStart(6, "0")}z`, payload);
          await pause(100);
        }
      }
      await peer.flush();
      await pause(500);
      const tasks = /** @type {any} */ (globalThis).tasks.filter(
        (/** @type {{startTime: number}} */ { startTime }) => startTime >= from,
      );
      const { keys } = await (await fetch("/_taken?job=long")).json();
      const ms = tasks.map((/** @type {{duration: number}} */ { duration }) => duration);
      return { ms, delivered: keys };
    });
  } finally {
    await browser.close();
  }
}
