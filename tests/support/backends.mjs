// The servers that the scenarios talk to, all on loopback in this process: the local backend in
// each of its modes, and ways to read back what was stored and what was sent. What a session ought
// to look like is the checkers' business.

import assert from "node:assert/strict";
import { startBackend } from "../../www-demo/backend/server.mjs";
import { readStrictly } from "../otel/strict-otlp.mjs";

/** Keys in the shape of real ones, so that a leak is found by searching for the random part. */
export const KEYS = {
  main: "hh_main_5f0c2d7b9a1e4c63",
  other: "hh_other_81b6f4e2d3a07c59",
};

/** Nobody listens there. A port that was closed before might be another test's by now; one this low is given to none. */
const DOWN = "http://127.0.0.1:2";

/**
 * @typedef {Awaited<ReturnType<typeof startBackends>>} Backends
 * @typedef {ReturnType<typeof reader>} Reader
 */

export async function startBackends() {
  const started = await Promise.all([
    backend({ routes: "v1", keys: [KEYS.main] }),
    backend({ routes: "v1", keys: [KEYS.other] }),
    backend({ routes: "legacy", keys: [KEYS.main] }),
    backend({ routes: "none" }),
    backend({ routes: "none", missing: 405 }),
    backend({ routes: "v1" }, [{ html: true, status: 200 }]),
  ]);
  const [v1, second, legacy, none, none405, page] = started;
  const readers = {
    v1: reader(v1.url),
    second: reader(second.url),
    legacy: reader(legacy.url),
    none: reader(none.url),
    none405: reader(none405.url),
    page: reader(page.url),
  };
  return {
    ...readers,
    /** What a scenario gets to know; JSON. */
    params: {
      keys: KEYS,
      servers: {
        v1: v1.url,
        second: second.url,
        legacy: legacy.url,
        none: none.url,
        none405: none405.url,
        page: page.url,
        down: DOWN,
      },
    },
    async close() {
      const judged = await Promise.allSettled(
        Object.values(readers).map(({ requests }) => requests()),
      );
      await Promise.all(started.map((each) => each.close()));
      for (const each of judged) if (each.status === "rejected") throw each.reason;
    },
  };
}

/**
 * @param {object} mode
 * @param {object[]} [faults]
 */
async function backend(mode, faults) {
  const running = await startBackend();
  await put(`${running.url}/_local/mode`, mode);
  if (faults) await put(`${running.url}/_local/faults`, faults);
  return running;
}

/**
 * @param {string} url
 * @param {unknown} body
 */
async function put(url, body) {
  const response = await fetch(url, { method: "PUT", body: JSON.stringify(body) });
  assert.equal(response.status, 200, await response.text());
}

/** @param {string} url */
function reader(url) {
  return {
    url,
    /**
     * The session as its key's owner reads it.
     * @param {string} id
     * @param {string} [key]
     */
    async session(id, key = KEYS.main) {
      const response = await fetch(`${url}/v1/sessions/${id}`, {
        headers: { authorization: `Bearer ${key}` },
      });
      assert.equal(response.status, 200, `session ${id} is not stored on ${url}`);
      return response.json();
    },
    /** The session with its timeline, events and spans, under each key. @param {string} id */
    async whole(id) {
      return (await fetch(`${url}/_local/sessions/${id}`)).json();
    },
    /** @param {string} [id] only requests about this session */
    async requests(id) {
      const all = await (await fetch(`${url}/_local/requests${id ? `?session=${id}` : ""}`)).json();
      for (const { path, raw, body, status } of all) {
        // Where the request was taken by a receiver that lets pass what it does not know.
        const isTaken = path === "/opentelemetry/v1/traces" && status === 200;
        if (isTaken && body) readStrictly(raw || JSON.stringify(body));
      }
      // Preflights, and what reads, are not what a client sent to be stored.
      return all.filter(
        (/** @type {any} */ { method, path }) =>
          ["POST", "PUT"].includes(method) && path !== "/v1/events/search",
      );
    },
    async sessions() {
      return (await (await fetch(`${url}/_local/sessions?limit=1000`)).json()).sessions;
    },
    /** @param {object[]} rules */
    faults: (rules) => put(`${url}/_local/faults`, rules),
    /** How many requests came, and what was noticed of who sent them. */
    stats: async () => (await fetch(`${url}/_local/stats`)).json(),
    reset: () => fetch(`${url}/_local`, { method: "DELETE" }),
  };
}
