// Serves a folder of built files to a Worker's ASSETS binding, as Cloudflare's static assets do once
// deployed. Only what is in the folder when it starts; everything else is 404.

import { createServer } from "node:http";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { extname } from "node:path";

const TYPES = new Map([
  [".html", "text/html; charset=utf-8"],
  [".js", "text/javascript; charset=utf-8"],
  [".css", "text/css; charset=utf-8"],
  [".svg", "image/svg+xml"],
]);

/**
 * @param {string} folder
 * @param {string} [below] the path its files are served under
 * @returns {Promise<{ address: string, close(): Promise<void> }>}
 */
export async function startAssets(folder, below = "/") {
  /** @type {Map<string, { type: string, content: Buffer }>} */
  const files = new Map();
  for (const name of await readdir(folder)) {
    const type = TYPES.get(extname(name));
    if (!type) continue;
    const file = { type, content: await readFile(`${folder}/${name}`) };
    files.set(below + (name === "index.html" ? "" : name), file);
  }
  const server = createServer((request, response) => {
    const found = files.get(new URL(request.url ?? "/", "http://assets").pathname);
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
