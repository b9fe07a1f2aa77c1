// Reads events back, on servers, in tests and in jobs. A bundled page has none of this, because its ticket may only write.

import { parseJson } from "./json.js";
import { send } from "./send.js";

/** @import { Core } from "./core.d.ts" */
/** @import { ReadResult } from "../index.d.ts" */

/**
 * Reads an event by its id, or by a search if the server has no route for ids.
 * @param {Core} core
 * @param {{ tracer: number, named: string, isSession: boolean }} event the id, or the tracer's session
 * @param {Function} fetch
 * @returns {Promise<ReadResult | undefined>} undefined if the core has failed; rejects if a function of the face throws
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
