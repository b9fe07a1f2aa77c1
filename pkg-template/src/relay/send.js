// A request to the backend, through the runtime's `fetch` or the caller's. Whatever that does, there is
// an answer in time.

/** @import { Outgoing } from "./core.d.ts" */

const LATE = Symbol("late");

/**
 * @typedef {object} Answer
 * @property {number} status -1 where there was none, -2 where none came in time
 * @property {string} [retryAfter] the header
 * @property {string} body as much of it as came
 */

/**
 * @param {unknown} fetch the caller's, if it gave one
 * @param {Outgoing} request
 * @param {number} timeoutMs
 * @returns {Promise<Answer>}
 */
export async function send(fetch, { method, url, headers, body }, timeoutMs) {
  const abort = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {Promise<typeof LATE>} */
  const late = new Promise((resolve) => {
    timer = setTimeout(() => {
      resolve(LATE);
      abort.abort();
    }, timeoutMs);
  });
  try {
    // Redirects are not followed: the key is for one server alone.
    const init = { method, headers, body, redirect: "manual", signal: abort.signal };
    const answering =
      typeof fetch === "function"
        ? fetch(url, init)
        : globalThis.fetch(url, /** @type {RequestInit} */ (init));
    const answer = await Promise.race([answering, late]);
    if (answer === LATE) return { status: -2, body: "" };
    const retryAfter = answer.headers.get("retry-after") ?? undefined;
    // The status has said what became of the request: a body that breaks off changes nothing.
    const text = await Promise.race([answer.text(), late]).catch(() => LATE);
    return { status: answer.status, retryAfter, body: text === LATE ? "" : text };
  } catch {
    return { status: -1, body: "" };
  } finally {
    clearTimeout(timer);
  }
}
