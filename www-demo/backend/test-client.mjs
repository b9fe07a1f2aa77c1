// What the backend's tests share: a backend for one test, and a plain way to call it. Not a client
// of HoneyHive: it sends just what it is told. With BACKEND=workerd the backend is the Worker with SQLite,
// else the server that keeps all in memory: the same tests hold for both.

import { after } from "node:test";
import { startBackend } from "./server.mjs";
import { startBackendInWorkerd } from "./workerd.mjs";

const IN_WORKERD = process.env.BACKEND === "workerd";

/** @typedef {{[key: string]: any}} Json */

/**
 * @typedef {object} Answer
 * @property {number} status
 * @property {Headers} headers
 * @property {string} text
 * @property {any} json undefined where the text is none
 */

/** @typedef {{ maxBodyBytes?: number, logRecords?: number, logBytes?: number }} Limits */

/** @type {ReturnType<typeof startBackendInWorkerd> | undefined} for all tests of a file that set no limits */
let shared;
if (IN_WORKERD) after(async () => (await shared)?.close());

/**
 * @param {import("node:test").TestContext} t closes the backend at its end
 * @param {Limits} [limits]
 * @returns {Promise<string>} its address
 */
async function start(t, limits) {
  if (IN_WORKERD && !limits) {
    const { url } = await (shared ??= startBackendInWorkerd());
    await fetch(`${url}/_local`, { method: "DELETE" });
    return url;
  }
  const { url, close } = IN_WORKERD
    ? await startBackendInWorkerd({ limits: limits ?? {} })
    : await startBackend(limits);
  t.after(close);
  return url;
}

/**
 * @param {import("node:test").TestContext} t
 * @param {Limits} [limits]
 */
export async function backendFor(t, limits) {
  const url = await start(t, limits);

  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body] a string is sent as it is, anything else as JSON
   * @param {RequestInit & {headers?: Record<string, string>}} [init]
   * @returns {Promise<Answer>}
   */
  async function call(method, path, body, init = {}) {
    const response = await fetch(url + path, {
      method,
      ...(body === undefined
        ? {}
        : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      redirect: "manual",
      ...init,
      headers: {
        authorization: "Bearer key-1",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...init.headers,
      },
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: parsed(text) };
  }

  /**
   * A call that has to work.
   * @type {(...args: Parameters<typeof call>) => Promise<any>}
   */
  async function ok(...args) {
    const answer = await call(...args);
    if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.text}`);
    return answer.json;
  }

  return {
    url,
    call,
    ok,
    /** @param {Json} [body] */
    start: (body = {}) => ok("POST", "/v1/sessions", { session_id: crypto.randomUUID(), ...body }),
    /**
     * @param {string} id
     * @param {Json} body
     */
    update: (id, body) => ok("PUT", `/v1/events/${id}`, body),
    /** @param {string} id */
    stored: (id) => ok("GET", `/v1/sessions/${id}`),
    /** @param {unknown} rules */
    faults: (rules) => ok("PUT", "/_local/faults", rules),
    /** @param {Json} mode */
    mode: (mode) => ok("PUT", "/_local/mode", mode),
    stats: () => ok("GET", "/_local/stats"),
    requests: (query = "") => ok("GET", `/_local/requests${query}`),
    reset: () => ok("DELETE", "/_local"),
  };
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Asks again until the answer will do; for what happens a moment later, such as a connection that
 * is noticed to be closed.
 * @template T
 * @param {() => Promise<T>} ask
 * @param {(answer: T) => boolean} willDo
 * @returns {Promise<T>}
 */
export async function eventually(ask, willDo) {
  const end = Date.now() + 5000;
  for (;;) {
    const answer = await ask();
    if (willDo(answer)) return answer;
    if (Date.now() > end) throw new Error(`not within 5 s: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
