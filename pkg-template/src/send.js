// Sends a request to the backend with the runtime's `fetch` or the application's. Whatever that function does (throw,
// reject with anything, never settle, return something other than a Response, answer without end), `send` resolves in
// time.

import { LATE, NO_ANSWER, UNUSABLE } from "./boundary.js";
import { Promise, clearTimer, tryTimer } from "./globals.js";
import { attempt, beginningOf, messageOf, read } from "./guard.js";
import { bytesOf, cancel, sourceOf, textOf } from "./stream.js";
import { disregard } from "./thenables.js";

/**
 * How many bytes of an answer's body are read. The status already tells the outcome; of the body only the first sentences
 * and a start's `inputs` are used, and HoneyHive accepts no larger session.
 */
const LONGEST_BODY = 1024 * 1024;

/** The least number of bytes that a chunk counts for, because a stream may have any number of empty chunks. */
const SHORTEST_CHUNK = 64;

/** How many characters of a header or of an error's reason are used. */
const LONGEST_TEXT = 1024;

/** How far the causes of an error are followed. */
const MAX_CAUSES = 4;

export const NO_FETCH = "this runtime has no fetch: pass one as the option `fetch`";
const NO_STATUS =
  "`fetch` returned something without a `status`: let a test double return new Response('{}')";

const { AbortController } = globalThis;

/** False once `fetch` has refused a signal. For example, Node's fetch does not accept signals of jsdom's AbortController. */
let takesSignals = true;

/**
 * @typedef {object} Answer
 * @property {number} status of the answer; without one `NO_ANSWER`, `LATE` or `UNUSABLE`, which are negative
 * @property {string} retryAfter the header, or empty
 * @property {string} body the part that arrived, up to the first MiB; if there was no answer, the reason
 */

/**
 * What is known of a request so far.
 * @typedef {object} Reply
 * @property {number} status as in an {@link Answer}; `LATE` until there is one
 * @property {string} retryAfter
 * @property {Uint8Array<ArrayBuffer>[]} chunks the chunks of the body that have arrived
 * @property {string | undefined} text the body, if it was read as text; until there is an answer, the reason
 * @property {boolean} isLate whether nothing waits for the answer any more
 */

/**
 * @param {() => unknown} fetch calls `fetch` with `init`
 * @param {RequestInit} init is modified
 * @param {number} timeoutMs how long the answer and its body may take
 * @param {AbortController | undefined} [abort] aborts the request earlier
 * @returns {Promise<Answer>}
 */
export function send(fetch, init, timeoutMs, abort = newAbort()) {
  const text = `no answer within ${timeoutMs} ms`;
  /** @type {Reply} */
  const reply = { status: LATE, retryAfter: "", chunks: [], text, isLate: false };
  // One promise that the answer or the timer resolves: each further one costs a busy server some of its time.
  return new Promise((resolve) => {
    const over = () => {
      reply.isLate = true;
      resolve(answerOf(reply));
      attempt(() => abort?.abort());
    };
    // If the runtime allows no timer (in a Worker's global scope), there is no time limit.
    const timer = tryTimer(over, timeoutMs);
    const ended = () => {
      clearTimer(timer);
      resolve(answerOf(reply));
    };
    void exchange(fetch, init, abort, reply, ended);
  });
}

/** Makes an AbortController; undefined if the runtime has none. */
export function newAbort() {
  return attempt(() => new AbortController());
}

/**
 * Sends the request and reads the answer into `reply`. It may continue after nothing waits for it any more.
 * @param {() => unknown} fetch calls `fetch` with `init`
 * @param {RequestInit} init is modified
 * @param {AbortController | undefined} abort
 * @param {Reply} reply is modified
 * @param {() => void} ended is called in the end, whatever `fetch` does, if that ends
 */
async function exchange(fetch, init, abort, reply, ended) {
  try {
    // A redirect could send the key to another server, and can turn a POST into a GET.
    init.redirect = "manual";
    if (abort && takesSignals) init.signal = abort.signal;
    /** @type {any} */
    let answer;
    try {
      answer = await fetch();
    } catch (error) {
      const isTypeError = init.signal && read(error, "name") === "TypeError";
      if (!isTypeError || !/signal/i.test(messageOf(error))) throw error;
      takesSignals = false;
      delete init.signal;
      answer = await fetch();
    }
    const status = disregard(read(answer, "status"));
    if (typeof status !== "number") throw NO_STATUS;
    const retryAfter = attempt(() => disregard(answer.headers.get("retry-after")), "");
    reply.retryAfter = cut(retryAfter, LONGEST_TEXT);
    reply.status = status;
    reply.text = undefined;
    const source = sourceOf(read(answer, "body"));
    await (source ? readStream(source, reply) : readText(answer, reply));
  } catch (error) {
    const isFinal = error === NO_FETCH || error === NO_STATUS;
    reply.status = isFinal ? UNUSABLE : NO_ANSWER;
    reply.text = whyOf(error, "fetch failed");
  }
  ended();
}

/**
 * @param {unknown} error
 * @param {string} otherwise if the error says nothing
 * @returns {string} the beginning of the messages of an error and its causes: Node's fetch reports every failure as "fetch
 *   failed"
 */
export function whyOf(error, otherwise) {
  return attempt(() => beginningOf(reasonOf(error), LONGEST_TEXT)) || otherwise;
}

/**
 * @param {unknown} error
 * @returns {string}
 */
function reasonOf(error) {
  let reason = "";
  let at = error;
  for (let i = 0; i < MAX_CAUSES && at !== undefined && at !== null; i++) {
    const code = read(at, "code");
    const given = typeof at === "string" ? at : read(at, "message");
    let said = typeof given === "string" ? given : "";
    if (typeof code === "string" && !said.includes(code)) said += said ? ` (${code})` : code;
    if (said && !reason.includes(said)) reason += reason ? `: ${said}` : said;
    // An AggregateError has one error per address that was tried; the first is enough.
    at = read(at, "cause") ?? read(read(at, "errors"), 0);
  }
  return reason;
}

/**
 * The runtime's fetch, looked up at each call because tests and instrumentation replace it.
 * @returns {typeof globalThis.fetch}
 */
export function runtimeFetch() {
  const { fetch } = globalThis;
  if (typeof fetch !== "function") throw NO_FETCH;
  return fetch;
}

/**
 * Reads the part of an answer's body that arrives. A body that breaks off or is too long is not an error: the status alone
 * tells the outcome.
 * @param {import("./stream.js").Source} source
 * @param {Reply} reply is modified
 */
async function readStream(source, reply) {
  let left = LONGEST_BODY;
  try {
    while (left > 0) {
      const result = await source.next();
      if (reply.isLate || result.done) return;
      const chunk = bytesOf(result.value);
      reply.chunks.push(chunk.byteLength > left ? chunk.subarray(0, left) : chunk);
      left -= Math.max(chunk.byteLength, SHORTEST_CHUNK);
    }
  } catch {
    // The stream broke off, or was not a stream.
  }
  // In workerd, cancelling during a read causes a rejection that cannot be caught, so a late request is only aborted.
  if (!reply.isLate) cancel(source);
}

/**
 * Reads the body of a test double, or in a runtime without streams, where it can only be read as a whole.
 * @param {any} answer
 * @param {Reply} reply is modified
 */
async function readText(answer, reply) {
  try {
    const whole = typeof read(answer, "text") === "function" ? answer.text() : asJson(answer);
    reply.text = cut(await whole, LONGEST_BODY);
  } catch {
    // It has no body.
  }
}

/**
 * @param {Reply} reply
 * @returns {Answer}
 */
function answerOf({ status, retryAfter, text, chunks }) {
  return { status, retryAfter, body: text ?? attempt(() => textOf(chunks), "") };
}

/** @param {any} answer */
async function asJson(answer) {
  return JSON.stringify(await answer.json());
}

/**
 * @param {unknown} value
 * @param {number} length characters
 */
function cut(value, length) {
  return typeof value === "string" ? value.slice(0, length) : "";
}
