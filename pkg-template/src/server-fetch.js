// The runtime's `fetch` as everything but a bundled page calls it.

import { attempt, read } from "./guard.js";
import { runtimeFetch, whyOf } from "./send.js";

/** Whether the runtime's `fetch` is Node's own, undici, which Electron's pages do not use. */
const isUndici =
  read(read(read(globalThis, "process"), "versions"), "undici") !== undefined &&
  !("document" in globalThis);

const { toString } = Function.prototype;

/**
 * Whether `fetch` is the one that Node defines, which copies a body as it is called. What a test or an instrumentation has
 * put in its place may look at the body later.
 * @param {unknown} fetch
 */
export function copiesBody(fetch) {
  return isUndici && attempt(() => /undici/.test(Reflect.apply(toString, fetch, [])), false);
}

/**
 * The runtime's fetch, without the copy of each request in Node.
 * @returns {(url: string, init: RequestInit) => unknown}
 */
export function serverFetch() {
  const fetch = runtimeFetch();
  return isUndici ? (url, init) => fetchUncopied(fetch, url, init) : fetch;
}

/**
 * Calls Node's `fetch` so that it does not copy the request, which with the two streams that it makes of the body takes a
 * quarter of a request's CPU. By the Fetch standard, a request without a window that must not be redirected needs no copy:
 * https://fetch.spec.whatwg.org/#http-network-or-cache-fetch. If the server does redirect, the request is repeated as it
 * was given, because the rejection does not tell the status.
 * @param {typeof globalThis.fetch} fetch
 * @param {string} url
 * @param {RequestInit} init with `redirect: "manual"`
 */
async function fetchUncopied(fetch, url, init) {
  try {
    return await fetch(url, { ...init, redirect: "error", window: null });
  } catch (error) {
    if (!/redirect/i.test(whyOf(error, ""))) throw error;
    return fetch(url, init);
  }
}
