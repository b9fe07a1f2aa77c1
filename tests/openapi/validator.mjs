// A third party's validator (openapi-backend) in front of the local backend: each request is held to the description
// in honeyhive.json before it is passed on, and counted; so is each answer.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { OpenAPIBackend } from "openapi-backend";

export const definition = JSON.parse(
  await readFile(new URL("honeyhive.json", import.meta.url), "utf8"),
);

/**
 * @typedef {object} Seen
 * @property {number} requests
 * @property {Map<string, number>} operations
 * @property {string[]} invalid of each request or answer that is not as described, what it was and why
 */

/**
 * @param {string} backend
 * @returns {Promise<{ url: string, seen: Seen, close: () => Promise<void> }>}
 */
export async function startValidator(backend) {
  const api = new OpenAPIBackend({ definition, quick: true, ajvOpts: { strict: false } });
  await api.init();
  /** @type {Seen} */
  const seen = { requests: 0, operations: new Map(), invalid: [] };

  /**
   * @param {string} method
   * @param {string} path
   * @param {Record<string, any>} headers
   * @param {string} body
   */
  function judge(method, path, headers, body) {
    seen.requests += 1;
    const asked = { method, path, headers, ...(body ? { body } : {}) };
    const operation = api.router.matchOperation(asked);
    const complain = (/** @type {unknown} */ why) =>
      void seen.invalid.push(`${method} ${path} ${body.slice(0, 300)}: ${JSON.stringify(why)}`);
    if (!operation?.operationId) return complain("no such operation");
    const name = operation.operationId;
    seen.operations.set(name, (seen.operations.get(name) ?? 0) + 1);
    const { valid, errors } = api.validator.validateRequest(asked, operation);
    if (!valid) complain(errors);
    if (!/^Bearer \S+$/.test(headers["authorization"] ?? "")) complain("no bearer key");
    // Events are made by others than the package.
    const isOurs = !name.startsWith("create");
    if (isOurs && !/^\d{19}$/.test(headers["hh-client-timestamp"] ?? "")) complain("no timestamp");
    return operation;
  }

  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    const { method = "", url: path = "" } = request;
    const headers = /** @type {Record<string, string>} */ (request.headers);
    const operation = judge(method, path, headers, body);
    const { host: _, connection: __, "content-length": ___, ...passed } = headers;
    const answer = await fetch(backend + path, {
      method,
      headers: passed,
      ...(body ? { body } : {}),
    });
    const text = await answer.text();
    if (operation && answer.headers.get("content-type")?.includes("json")) {
      const told = api.validator.validateResponse(JSON.parse(text), operation, answer.status);
      if (!told.valid)
        seen.invalid.push(`${method} ${path} answered ${text}: ${JSON.stringify(told.errors)}`);
    }
    const type = answer.headers.get("content-type") ?? "text/plain";
    response.writeHead(answer.status, { "content-type": type }).end(text);
  });
  await new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve(undefined));
  });
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
