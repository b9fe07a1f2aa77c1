// A request to the backend, through the runtime's `fetch` or the caller's. Whatever that does (throw,
// reject with anything, never settle, give something that is no Response), there is an answer in time.

import { attempt, read } from "./guard.js";

const LATE = Symbol("late");

/**
 * @typedef {object} Answer
 * @property {number} status -1 where there was none, -2 where none came in time
 * @property {string} retryAfter the header, or empty
 * @property {string} body as much of it as came; where there was no answer, why
 */

/**
 * @param {() => unknown} fetch with `init`
 * @param {RequestInit} init is added to
 * @param {number} timeoutMs
 * @returns {Promise<Answer>}
 */
export async function send(fetch, init, timeoutMs) {
  const abort = attempt(() => new AbortController(), undefined);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {Promise<typeof LATE>} */
  const late = new Promise((resolve) => {
    // Where the runtime allows no timer (a Worker's global scope), it is waited for without end.
    timer = attempt(() => setTimeout(resolve, timeoutMs, LATE), undefined);
  });
  const inTime = async (/** @type {unknown} */ work) => {
    const result = await Promise.race([work, late]);
    if (result === LATE) abort?.abort();
    return result;
  };
  let status = -1;
  try {
    // The key is for one server alone, and a redirected POST can come out as a GET.
    init.redirect = "manual";
    if (abort) init.signal = abort.signal;
    const answer = /** @type {any} */ (await inTime(fetch()));
    if (answer === LATE) {
      status = -2;
      throw `no answer within ${timeoutMs} ms`;
    }
    const given = read(answer, "status");
    if (typeof given !== "number") throw "what fetch gave is no Response";
    const retryAfter = attempt(() => answer.headers.get("retry-after"), "");
    // The status has said what became of the request: a body that breaks off changes nothing.
    const body = await inTime(attempt(() => answer.text(), "")).catch(() => "");
    status = given;
    return { status, retryAfter: text(retryAfter), body: text(body) };
  } catch (error) {
    const message = typeof error === "string" ? error : read(error, "message");
    return { status, retryAfter: "", body: text(message) || "fetch failed" };
  } finally {
    attempt(() => clearTimeout(timer), undefined);
  }
}

/** @param {unknown} value */
function text(value) {
  return typeof value === "string" ? value : "";
}
