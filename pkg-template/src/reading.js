// Reads events back, on servers, in tests and in jobs. A bundled page has none of this, because its ticket may only write.

import { messageOf } from "./guard.js";
import { parseJson } from "./json.js";
import { send } from "./send.js";
import { serverFetch } from "./server-fetch.js";

/** @import { Core } from "./core.d.ts" */
/** @import { ReadResult } from "../index.d.ts" */
/** @import { Registered } from "./engine.js" */

const FAILED = "honeyhive-edge failed to read; later calls work again";

/** An event, or the tracer's own session. @typedef {{ tracer: number, named: string, isSession: boolean }} Asked */

/**
 * Reads an event with the key of a tracer.
 * @param {Promise<Registered>} registering where the tracer is
 * @param {unknown} id of the event
 * @param {boolean} isSession whether the tracer's own session is read if nothing is named
 * @param {Function | undefined} fetch the tracer's own
 * @returns {Promise<ReadResult>} never rejects
 */
export async function readBack(registering, id, isSession, fetch) {
  try {
    const at = await registering;
    if ("reason" in at) return { status: "failed", reason: at.reason, message: at.message };
    const named = id ?? "";
    // What is no text is no event's id, and never the tracer's own session.
    const isText = typeof named === "string";
    const asked = {
      tracer: at.tracer,
      named: isText ? named : "",
      isSession: isSession && isText,
    };
    const result = await request(at.core, asked, fetch ?? serverFetch());
    return result ?? { status: "failed", reason: "internal", message: FAILED };
  } catch (error) {
    return { status: "failed", reason: "internal", message: `${FAILED} (${messageOf(error)})` };
  }
}

/**
 * Asks for the event by its id, or by a search if the server has no route for ids.
 * @param {Core} core
 * @param {Asked} asked
 * @param {Function} fetch
 * @returns {Promise<ReadResult | undefined>} undefined if the core has failed
 */
async function request(core, { tracer, named, isSession }, fetch) {
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
