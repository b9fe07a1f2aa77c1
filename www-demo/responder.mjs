// The built-in model (worker/responder.js) behind a real HTTP server, on a free port of 127.0.0.1: a model to
// be named by OPENAI_BASE_URL, for tests.

import { createAdaptorServer } from "@hono/node-server";
import { once } from "node:events";
import { respond } from "./worker/responder.js";

/**
 * @param {{ onAnswer?: (answer: import("./worker/responder.js").Answered) => void }} [options]
 *   `onAnswer` hears of each answer given: what the demo's tests hold the stored numbers against.
 * @returns {Promise<{ baseUrl: string, close(): Promise<void> }>} `baseUrl` as OPENAI_BASE_URL takes it.
 */
export async function startResponder({ onAnswer } = {}) {
  const server = /** @type {import("node:http").Server} */ (
    createAdaptorServer({
      overrideGlobalObjects: false,
      fetch: (request) => respond(request, onAnswer),
    })
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
