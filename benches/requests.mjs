// How many requests a session's updates come to, against the local backend over real HTTP: a
// thousand in one burst, and a thousand with a millisecond between. `make bench`.

import { pathToFileURL } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { startBackend } from "../www-demo/backend/server.mjs";

/**
 * @typedef {object} Measured
 * @property {number} requests
 * @property {number} delivered
 * @property {number} ms from the first call to the last delivery
 * @property {any} session as it is stored
 */

const UPDATES = 1_000;

/**
 * @param {typeof import("honeyhive-edge")} api
 * @param {"in one burst" | "one a millisecond"} how
 * @returns {Promise<Measured>}
 */
export async function measure({ initTracer }, how) {
  const backend = await startBackend();
  try {
    const tracer = await initTracer({ apiKey: "bench", serverUrl: backend.url });
    const from = performance.now();
    const said = [];
    for (let n = 0; n < UPDATES; n++) {
      // Timers may be late; what is due by now is said now, so that a second has its thousand.
      const due = how === "in one burst" ? from : from + n;
      while (performance.now() < due) await sleep(1);
      said.push(tracer.enrichSession({ metadata: { n, [`key ${n % 20}`]: n }, metrics: { n } }));
    }
    const deliveries = await Promise.all(said);
    const ms = performance.now() - from;
    await tracer.close();
    const { sessionId } = tracer;
    const all = await (await fetch(`${backend.url}/_local/requests?session=${sessionId}`)).json();
    const read = { headers: { authorization: "Bearer bench" } };
    const session = await (await fetch(`${backend.url}/v1/sessions/${sessionId}`, read)).json();
    const delivered = deliveries.filter(({ status }) => status === "delivered").length;
    return { requests: all.length, delivered, ms, session };
  } finally {
    await backend.close();
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const api = await import(new URL("../pkg/index.js", import.meta.url).href);
  for (const how of /** @type {const} */ (["in one burst", "one a millisecond"])) {
    const { requests, delivered, ms } = await measure(api, how);
    console.log(
      `${UPDATES} updates ${how}: ${requests} requests; ${delivered} delivered after ${ms.toFixed(0)} ms`,
    );
  }
}
