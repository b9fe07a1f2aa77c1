// A site with a page for each of the documents' programs for browsers, and what such pages need of their site: a relay,
// and a ticket. Once a page's program has run, its buttons are pressed.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { serve } from "@hono/node-server";
import { build } from "esbuild";
import { chromium } from "../support/browsers.mjs";
import { packageDir } from "../support/package.mjs";

/** @import { Block } from "./documents.mjs" */

const html = (/** @type {Block} */ { name, comment }) => `<!doctype html>
<html lang="en">
  <link rel="icon" href="data:," />
  <script>
    const said = [];
    for (const level of ["warn", "error"]) console[level] = (...parts) => said.push(parts.join(" "));
    addEventListener("error", ({ message }) => said.push(message));
    addEventListener("unhandledrejection", ({ reason }) => said.push(String(reason)));
  </script>
  <body>${comment["html"] ?? ""}</body>
  <script type="module">
    await import("./${name}.js").catch((error) => said.push(String(error.stack)));
    for (const button of document.querySelectorAll("button")) button.click();
    await fetch("/said", { method: "POST", body: JSON.stringify(said) });
  </script>
</html>
`;

/**
 * @param {string} project with the programs in page/
 * @param {Block[]} blocks
 * @param {Record<string, string>} env of the site's server
 */
export async function openPages(project, blocks, env) {
  const folder = join(project, "site");
  await mkdir(folder);
  await build({
    entryPoints: blocks.map(({ name }) => join(project, "page", `${name}.ts`)),
    bundle: true,
    format: "esm",
    outdir: folder,
    logLevel: "error",
  });
  for (const block of blocks) await writeFile(join(folder, `${block.name}.html`), html(block));

  const { createRelay, issueTicket } = await import(
    pathToFileURL(join(packageDir, "relay.js")).href
  );
  const relay = createRelay({
    apiKey: env["HH_API_KEY"],
    secret: env["HH_RELAY_SECRET"],
    serverUrl: env["HH_API_URL"],
    sessionName: "page",
  });
  const fields = [
    "metadata",
    "inputs",
    "outputs",
    "config",
    "feedback",
    "metrics",
    "userProperties",
  ];
  /** @type {(said: string[]) => void} */
  let reported = () => {};
  const server = serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname.startsWith("/honeyhive/")) return relay(request);
      if (pathname === "/ticket") {
        // A site's server starts the session, as the documents' servers do.
        const sessionId = crypto.randomUUID();
        await fetch(`${env["HH_API_URL"]}/v1/sessions`, {
          method: "POST",
          headers: {
            authorization: `Bearer ${env["HH_API_KEY"]}`,
            "content-type": "application/json",
          },
          body: JSON.stringify({ session_id: sessionId, session_name: "page" }),
        });
        return new Response(
          await issueTicket({ sessionId, fields, secret: env["HH_RELAY_SECRET"] }),
        );
      }
      if (pathname === "/said") {
        reported(await request.json());
        return new Response(null, { status: 204 });
      }
      const file = await readFile(join(folder, pathname)).catch(() => undefined);
      const type = pathname.endsWith(".js") ? "text/javascript" : "text/html; charset=utf-8";
      return file
        ? new Response(file, { headers: { "content-type": type } })
        : new Response("not here", { status: 404 });
    },
  });
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const browser = await chromium();
  return {
    said: browser.console,
    /**
     * @param {Block} block
     * @returns {Promise<string[]>} warnings and errors
     */
    async visit(block) {
      /** @type {Promise<string[]>} */
      const report = new Promise((resolve, reject) => {
        reported = resolve;
        setTimeout(
          () => reject(new Error(`${block.name} said nothing\n${browser.console()}`)),
          30_000,
        ).unref();
      });
      await browser.visit(`http://127.0.0.1:${port}/${block.name}.html`);
      return report;
    },
    async close() {
      await browser.quit();
      server.close();
    },
  };
}
