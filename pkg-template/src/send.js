// A request to the backend, through the runtime's `fetch` or the caller's. Whatever that does (throw,
// reject with anything, never settle, give something that is no Response, answer without end), there is
// an answer in time.

import { Promise, clearTimer, firstOf, startTimer, textClass } from "./globals.js";
import { attempt, beginningOf, messageOf, read } from "./guard.js";
import { LATE, bodyOf, readStream } from "./stream.js";
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

export const NO_FETCH = "this runtime has no fetch: give one as the option `fetch`";
const NO_STATUS =
  "what `fetch` gave has no `status`, so it is no Response: let a double of it return new Response('{}')";

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
 * @param {() => unknown} fetch with `init`
 * @param {RequestInit} init is added to
 * @param {number} timeoutMs for the answer and for reading it
 * @param {AbortController | undefined} [abort] ends the request before
 * @returns {Promise<Answer>}
 */
export async function send(fetch, init, timeoutMs, abort = newAbort()) {
  /** @type {unknown} */
  let timer;
  /** @type {Promise<typeof LATE>} */
  const late = new Promise((resolve) => {
    // Where the runtime allows no timer (a Worker's global scope), it is waited for without end.
    timer = attempt(() => startTimer(resolve, timeoutMs, LATE), undefined);
  });
  late.then(() => attempt(() => abort?.abort(), undefined));
  let status = -1;
  try {
    // The key is for one server alone, and a redirected POST can come out as a GET.
    init.redirect = "manual";
    const answer = /** @type {any} */ (await answerOf(fetch, init, abort, late));
    if (answer === LATE) {
      status = -2;
      throw `no answer within ${timeoutMs} ms`;
    }
    const given = disregard(read(answer, "status"));
    if (typeof given !== "number") throw NO_STATUS;
    const retryAfter = attempt(() => disregard(answer.headers.get("retry-after")), "");
    const body = await readText(answer, late);
    status = given;
    return { status, retryAfter: cut(retryAfter, LONGEST_TEXT), body };
  } catch (error) {
    if (error === NO_FETCH || error === NO_STATUS) status = -3;
    return { status, retryAfter: "", body: sentences(reasonOf(error)) || "fetch failed" };
  } finally {
    clearTimer(timer);
  }
}

/** Nothing where the runtime has none. */
export function newAbort() {
  return attempt(() => new AbortController(), undefined);
}

/**
 * @param {() => unknown} fetch with `init`
 * @param {RequestInit} init
 * @param {AbortController | undefined} abort
 * @param {Promise<typeof LATE>} late
 */
async function answerOf(fetch, init, abort, late) {
  if (!abort || !takesSignals) return firstOf(fetch(), late);
  init.signal = abort.signal;
  try {
    return await firstOf(fetch(), late);
  } catch (error) {
    const isRefused = read(error, "name") === "TypeError" && /signal/i.test(messageOf(error));
    if (!isRefused) throw error;
    takesSignals = false;
    delete init.signal;
    return firstOf(fetch(), late);
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
 * What an answer says, as far as it came: that a body broke off or is too long changes nothing.
 * @param {any} answer
 * @param {Promise<typeof LATE>} late
 * @returns {Promise<string>}
 */
async function readText(answer, late) {
  try {
    const source = bodyOf(answer);
    if (source) {
      const decoder = new (textClass("TextDecoder"))();
      let text = "";
      let left = LONGEST_BODY;
      const take = (/** @type {Uint8Array} */ chunk) => {
        text += decoder.decode(chunk.subarray(0, left), { stream: true });
        left -= Math.max(chunk.byteLength, SHORTEST_CHUNK);
        return left > 0;
      };
      await readStream(source, take, late);
      return text;
    }
    // A double, or a runtime without streams: there is nothing to stop in the middle.
    const whole = typeof read(answer, "text") === "function" ? answer.text() : asJson(answer);
    return cut(await firstOf(whole, late), LONGEST_BODY);
  } catch {
    return "";
  }
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
