// The local backend behind a real HTTP server, on the loopback interface. Run it by itself
// (node server.mjs --port 8787) or start it from a test. Its routes are in app.js.

import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { createAdaptorServer } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { createBackend } from "./app.js";

/**
 * @typedef {object} RunningBackend
 * @property {string} url without a trailing slash
 * @property {number} port
 * @property {() => Promise<void>} close cuts what is open and frees the port
 */

/**
 * @param {{port?: number} & import("./app.js").BackendOptions} [options] port 0: any that is free
 * @returns {Promise<RunningBackend>}
 */
export async function startBackend({ port = 0, ...options } = {}) {
  const backend = createBackend(options);
  const server = /** @type {import("node:http").Server} */ (
    createAdaptorServer({
      // Tests run in this process too, and are to meet Node's own Request and Response.
      overrideGlobalObjects: false,
      fetch: async (request, { incoming }) => {
        let isCut = false;
        const response = await backend.fetch(request, {
          cut(how) {
            isCut = true;
            const { socket } = /** @type {import("node:http").IncomingMessage} */ (incoming);
            if (how === "reset") socket.resetAndDestroy();
            else socket.destroy();
          },
        });
        return isCut ? RESPONSE_ALREADY_SENT : response;
      },
    })
  );
  // Node's 5 s would now and then close a connection just as a client uses it again: a fault that
  // nobody asked for.
  server.keepAliveTimeout = 120_000;

  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(undefined));
  });
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());

  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve(undefined));
        server.closeAllConnections();
      }),
  };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({ options: { port: { type: "string", default: "8787" } } });
  const running = await startBackend({ port: Number(values.port) });
  console.log(`Local backend on ${running.url}`);
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => running.close());
}
