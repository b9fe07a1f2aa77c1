// Serves the page's few files to the Worker's ASSETS binding, as Cloudflare's static assets do once
// deployed. Known names only; everything else is 404.

import { createServer } from "node:http";
import { once } from "node:events";
import { readFile } from "node:fs/promises";

const FILES = new Map([
  ["/", { file: "index.html", type: "text/html; charset=utf-8" }],
  ["/page.js", { file: "page.js", type: "text/javascript; charset=utf-8" }],
  ["/page.css", { file: "page.css", type: "text/css; charset=utf-8" }],
  ["/icon.svg", { file: "icon.svg", type: "image/svg+xml" }],
]);

/** @param {string} folder @returns {Promise<{ address: string, close(): Promise<void> }>} */
export async function startAssets(folder) {
  const loaded = new Map();
  for (const [path, { file, type }] of FILES) {
    loaded.set(path, { type, content: await readFile(`${folder}/${file}`) });
  }
  const server = createServer((request, response) => {
    const found = loaded.get(new URL(request.url ?? "/", "http://assets").pathname);
    if (!found) return response.writeHead(404, { "content-type": "text/plain" }).end("Not found\n");
    response.writeHead(200, { "content-type": found.type, "cache-control": "no-cache" });
    response.end(request.method === "HEAD" ? undefined : found.content);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    address: `127.0.0.1:${port}`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
