// A document's program that is a server is asked as its comment says, `<!-- ask POST /path {"json":1} -->`, and answers
// with status 200 unless that says otherwise.

import assert from "node:assert/strict";

/** @import { Block } from "./documents.mjs" */

/**
 * @param {Block} block
 * @param {string} origin
 * @returns {Request}
 */
export function request(block, origin) {
  const [method = "GET", path = "/", ...body] = (block.comment["ask"] ?? "")
    .split(" ")
    .filter(Boolean);
  return new Request(origin + path, {
    method,
    headers: { "content-type": "application/json" },
    ...(body.length > 0 && { body: body.join(" ") }),
  });
}

/**
 * @param {Block} block
 * @param {Response} response
 * @param {() => string} said
 */
export async function assertAnswered(block, response, said) {
  const text = await response.text();
  const status = Number(block.comment["answers"] ?? 200);
  assert.equal(response.status, status, `${block.name}: ${text}\n${said()}`);
}
