// Reads events back: on servers, in tests and jobs. A page's module of WebAssembly has none of it, as a ticket reads nothing.

import { parseJson } from "./json.js";
import { send } from "./send.js";

/** @import { Core } from "./core.d.ts" */
/** @import { ReadResult } from "../index.d.ts" */

/**
 * Asks for an event by its id, and, where the server has no route for that, by a search.
 * @param {Core} core
 * @param {{ tracer: number, named: string, isSession: boolean }} event named, or the tracer's session
 * @param {Function} fetch
 * @returns {Promise<ReadResult | undefined>} nothing where the core failed; rejects with what the face failed by
 */
export async function readBack(core, { tracer, named, isSession }, fetch) {
  for (const searches of [false, true]) {
    const asked = parseJson(core.readRequest?.(tracer, named, isSession, searches) ?? "{}");
    if (asked.status) return asked;
    if (!asked.url) break;
    /** @type {RequestInit} */
    const init = { method: asked.method, headers: parseJson(asked.headers) };
    if (asked.body) init.body = asked.body;
    const { status, body } = await send(() => fetch(asked.url, init), init, asked.timeoutMs);
    const result = core.readAnswered?.(tracer, named, isSession, searches, status, body);
    if (result) return parseJson(result);
  }
  return undefined;
}
