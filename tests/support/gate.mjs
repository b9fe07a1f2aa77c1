// A gate in front of a backend: while it is closed, requests arrive and wait. What happens meanwhile has not
// waited for the backend, however slow the machine is.

import { createServer, request } from "node:http";

/** @param {string} target the backend's address */
export async function startGate(target) {
  /** @type {(() => void)[]} */
  const waiting = [];
  let isOpen = true;
  const { hostname, port } = new URL(target);

  const server = createServer((incoming, outgoing) => {
    const pass = () => {
      const { method, url: path, headers } = incoming;
      const onward = request({ hostname, port, method, path, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      });
      onward.on("error", () => outgoing.destroy());
      outgoing.on("error", () => onward.destroy());
      incoming.pipe(onward);
    };
    if (isOpen) pass();
    else waiting.push(pass);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${address.port}`,
    shut() {
      isOpen = false;
    },
    /**
     * Lets pass what waits, and what comes later.
     * @returns {boolean} whether anything had come; else it stays shut
     */
    open() {
      isOpen = waiting.length > 0;
      for (const pass of waiting.splice(0)) pass();
      return isOpen;
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
