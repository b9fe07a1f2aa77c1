// A request to the backend, through the runtime's `fetch` or the caller's. Whatever that does (throw,
// reject with anything, never settle, give something that is no Response, answer without end), there is
// an answer in time.

import { Promise, clearTimer, firstOf, tryTimer } from "./globals.js";
import { attempt, beginningOf, messageOf, read } from "./guard.js";
import { bytesOf, cancel, sourceOf, textOf } from "./stream.js";
import { disregard } from "./thenables.js";

/**
 * Bytes of an answer that are read. The status has said what became of the request; of a body only the first
 * sentences and a start's `inputs` are of use, and HoneyHive takes no session that is larger.
 */
const LONGEST_BODY = 1024 * 1024;

/** What a chunk counts as at least: of empty ones there may be any number. */
const SHORTEST_CHUNK = 64;

/** Characters of a header, or of what an error says. */
const LONGEST_TEXT = 1024;

/** How far the causes of an error are followed. */
const MAX_CAUSES = 4;

export const NO_FETCH = "this runtime has no fetch: pass one as the option `fetch`";
const NO_STATUS =
  "`fetch` returned something without a `status`: let a test double return new Response('{}')";

const { AbortController } = globalThis;

/** False once `fetch` refused a signal: jsdom, for one, brings an AbortController that Node's fetch does not know. */
let takesSignals = true;

/**
 * @typedef {object} Answer
 * @property {number} status -1 where there was none, -2 where none came in time, -3 where no other try comes to more
 * @property {string} retryAfter the header, or empty
 * @property {string} body as much of it as came, its first MiB at most; where there was no answer, why
 */

/**
 * What came of a request so far.
 * @typedef {object} Reply
 * @property {number | undefined} status nothing until there is an answer
 * @property {string} retryAfter
 * @property {Uint8Array<ArrayBuffer>[]} chunks of the body
 * @property {string | undefined} text the body, where it came as that
 * @property {boolean} isLate it is not waited for any more
 */

/**
 * @param {() => unknown} fetch with `init`
 * @param {RequestInit} init is added to
 * @param {number} timeoutMs for the answer and for reading it
 * @param {AbortController | undefined} [abort] ends the request before
 * @returns {Promise<Answer>}
 */
export async function send(fetch, init, timeoutMs, abort = newAbort()) {
  /** @type {Reply} */
  const reply = { status: undefined, retryAfter: "", chunks: [], text: undefined, isLate: false };
  /** @type {unknown} */
  let timer;
  /** @type {Promise<void>} */
  const late = new Promise((resolve) => {
    const over = () => {
      reply.isLate = true;
      resolve();
    };
    // Where the runtime allows no timer (a Worker's global scope), it is waited for without end.
    timer = tryTimer(over, timeoutMs);
  });
  try {
    // The key is for one server alone, and a redirected POST can come out as a GET.
    init.redirect = "manual";
    await firstOf(exchange(fetch, init, abort, reply), late);
  } catch (error) {
    const isFinal = error === NO_FETCH || error === NO_STATUS;
    const why = sentences(reasonOf(error)) || "fetch failed";
    return { status: isFinal ? -3 : -1, retryAfter: "", body: why };
  } finally {
    clearTimer(timer);
  }
  if (reply.isLate) attempt(() => abort?.abort(), undefined);
  const { status, retryAfter } = reply;
  if (status === undefined) {
    return { status: -2, retryAfter, body: `no answer within ${timeoutMs} ms` };
  }
  return { status, retryAfter, body: bodyOf(reply) };
}

/** Nothing where the runtime has none. */
export function newAbort() {
  return attempt(() => new AbortController(), undefined);
}

/**
 * Asks, and reads the answer. It may go on when nobody waits for it any more.
 * @param {() => unknown} fetch with `init`
 * @param {RequestInit} init
 * @param {AbortController | undefined} abort
 * @param {Reply} reply becomes what comes
 */
async function exchange(fetch, init, abort, reply) {
  const answer = /** @type {any} */ (await ask(fetch, init, abort));
  const status = disregard(read(answer, "status"));
  if (typeof status !== "number") throw NO_STATUS;
  const retryAfter = attempt(() => disregard(answer.headers.get("retry-after")), "");
  reply.retryAfter = cut(retryAfter, LONGEST_TEXT);
  reply.status = status;
  await readBody(answer, reply);
}

/**
 * @param {() => unknown} fetch with `init`
 * @param {RequestInit} init
 * @param {AbortController | undefined} abort
 */
async function ask(fetch, init, abort) {
  if (!abort || !takesSignals) return fetch();
  init.signal = abort.signal;
  try {
    return await fetch();
  } catch (error) {
    const isRefused = read(error, "name") === "TypeError" && /signal/i.test(messageOf(error));
    if (!isRefused) throw error;
    takesSignals = false;
    delete init.signal;
    return fetch();
  }
}

/**
 * What an error says, and what its causes say: Node's fetch has "fetch failed" for everything.
 * @param {unknown} error
 * @returns {string}
 */
export function reasonOf(error) {
  let reason = "";
  let at = error;
  for (let i = 0; i < MAX_CAUSES && at !== undefined && at !== null; i++) {
    const code = read(at, "code");
    const given = typeof at === "string" ? at : read(at, "message");
    let said = typeof given === "string" ? given : "";
    if (typeof code === "string" && !said.includes(code)) said += said ? ` (${code})` : code;
    if (said && !reason.includes(said)) reason += reason ? `: ${said}` : said;
    // Of several addresses that were tried, one is enough.
    at = read(at, "cause") ?? read(read(at, "errors"), 0);
  }
  return reason;
}

/**
 * The runtime's fetch, looked up now: tests and instrumentation replace it.
 * @returns {Function}
 */
export function runtimeFetch() {
  const { fetch } = globalThis;
  if (typeof fetch !== "function") throw NO_FETCH;
  return fetch;
}

/**
 * Reads what an answer says, as far as it comes: that a body breaks off or is too long changes nothing.
 * @param {any} answer
 * @param {Reply} reply
 */
async function readBody(answer, reply) {
  try {
    const source = sourceOf(read(answer, "body"));
    if (source) return await readStream(source, reply);
    // A double, or a runtime without streams: there is nothing to stop in the middle.
    const whole = typeof read(answer, "text") === "function" ? answer.text() : asJson(answer);
    reply.text = cut(await whole, LONGEST_BODY);
  } catch {
    // The status has said it.
  }
}

/**
 * @param {import("./stream.js").Source} source
 * @param {Reply} reply
 */
async function readStream(source, reply) {
  let left = LONGEST_BODY;
  try {
    while (left > 0) {
      const result = await source.next();
      if (reply.isLate || result.done) return;
      const chunk = bytesOf(result.value);
      reply.chunks.push(chunk.subarray(0, left));
      left -= Math.max(chunk.byteLength, SHORTEST_CHUNK);
    }
  } catch {
    // It broke off, or was no stream after all.
  }
  // In workerd, cancelling in the middle of a read leaves a rejection that nobody can catch: what is late is aborted.
  if (!reply.isLate) cancel(source);
}

/** @param {Reply} reply */
function bodyOf({ text, chunks }) {
  return text ?? attempt(() => textOf(chunks), "");
}

/** @param {any} answer */
async function asJson(answer) {
  return JSON.stringify(await answer.json());
}

/** @param {unknown} message */
function sentences(message) {
  return typeof message === "string" ? beginningOf(message, LONGEST_TEXT) : "";
}

/**
 * @param {unknown} value
 * @param {number} length characters
 */
function cut(value, length) {
  return typeof value === "string" ? value.slice(0, length) : "";
}
