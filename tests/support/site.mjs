// A web site on loopback: serves a folder, tells a page what to run, and takes the page's report.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { chromium } from "./browsers.mjs";

const types = /** @type {Record<string, string>} */ ({
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".cjs": "text/javascript",
  ".wasm": "application/wasm",
  ".json": "application/json",
  ".css": "text/css",
});

/**
 * For a page: runs what the site says, and reports. Where somebody else serves the page, its query
 * names the site.
 */
export const pageScript = (
  /** @type {string} */ specifier,
  /** @type {string} statements that make `own`, scenarios of the page's own */ own = "let own;",
) => `
  import * as api from ${JSON.stringify(specifier)};
  import { runScenarios } from "./scenarios/runner.mjs";
  ${own}

  const site = new URLSearchParams(location.search).get("site") ?? "";
  const tell = (report) => fetch(site + "/__report", { method: "POST", body: JSON.stringify(report) });

  export async function main() {
    try {
      const what = await (await fetch(site + "/__what")).json();
      await tell(await runScenarios({ api, own, ...what }));
    } catch (error) {
      await tell({ failed: String(error.stack) });
    }
  }
  void main();
`;

export const pageHtml = (/** @type {string} */ script) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>consumer</title>
    <link rel="icon" href="data:," />
    <script type="module" src="${script}"></script>
  </head>
  <body></body>
</html>
`;

/**
 * @param {string} folder
 * @param {{headers?: Record<string, string>}} [options]
 */
export async function serveSite(folder, { headers = {} } = {}) {
  /** @type {unknown} */
  let what;
  /** @type {(report: any) => void} */
  let reported = () => {};

  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? "/", "http://site").pathname;
    response.setHeader("access-control-allow-origin", "*");
    if (path === "/__what") {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(what));
      return;
    }
    if (path === "/__report") {
      let text = "";
      for await (const chunk of request.setEncoding("utf8")) text += chunk;
      response.writeHead(204).end();
      reported(JSON.parse(text));
      return;
    }
    const file = normalize(path).replace(/\/$/, "/index.html");
    try {
      const content = await readFile(join(folder, file));
      const type = types[extname(file)] ?? "application/octet-stream";
      response.writeHead(200, { "content-type": type, ...headers }).end(content);
    } catch {
      response.writeHead(404, { "content-type": "text/plain" }).end("not here");
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());

  return {
    url: `http://127.0.0.1:${port}`,
    /**
     * @param {(url: string) => Promise<unknown>} visit opens a page
     * @param {{names: string[], params: unknown}} wanted
     * @param {{path?: string, timeoutMs?: number}} [options]
     * @returns {Promise<any>} the page's report
     */
    async report(visit, wanted, { path = "/", timeoutMs = 90_000 } = {}) {
      what = wanted;
      /** @type {Promise<any>} */
      const report = new Promise((resolve) => (reported = resolve));
      /** @type {ReturnType<typeof setTimeout> | undefined} */
      let timer;
      const limit = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no report from ${path}`)), timeoutMs);
      });
      try {
        await Promise.race([visit(`http://127.0.0.1:${port}${path}`), limit]);
        const result = await Promise.race([report, limit]);
        if (result.failed) throw new Error(`the page failed: ${result.failed}`);
        return result;
      } finally {
        clearTimeout(timer);
      }
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * The report of a page in Chromium, from a site of its own. Fails with what the page's console said.
 * @param {{ after(end: () => unknown): void }} t the test, at whose end both are gone
 * @param {string} folder of the site
 * @param {{ names: string[], params: object }} [wanted] what the page is to run
 * @param {{ timeoutMs?: number }} [options]
 * @returns {Promise<any>}
 */
export async function reportOfChromium(t, folder, wanted = { names: [], params: {} }, options) {
  const site = await serveSite(folder);
  t.after(() => site.close());
  const browser = await chromium();
  t.after(() => browser.quit());
  return site
    .report(browser.visit, wanted, options)
    .catch((error) => assert.fail(`${error}\n${browser.console()}`));
}
