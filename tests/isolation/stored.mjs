// What the backend has of what was said, by the keys that each enrichment has for itself.

import assert from "node:assert/strict";
import { until } from "../support/child.mjs";

/** @typedef {import("../support/backends.mjs").Reader} Reader */

/**
 * In which session each key of anyone's metadata is, and with which value. Waits until all are there.
 * @param {Reader} backend
 * @param {string[]} keys
 * @param {{ timeoutMs?: number }} [options]
 * @returns {Promise<Map<string, { session: string, value: unknown }>>}
 */
export async function stored(backend, keys, { timeoutMs = 30_000 } = {}) {
  /** @type {Map<string, { session: string, value: unknown }>} */
  let found = new Map();
  await until(
    async () => {
      found = new Map();
      for (const { event } of await backend.sessions()) {
        for (const [key, value] of Object.entries(event.metadata ?? {})) {
          assert.ok(!found.has(key), `${key} is in two sessions`);
          found.set(key, { session: event.session_id, value });
        }
      }
      return keys.every((key) => found.has(key));
    },
    { what: "all enrichments to be stored", timeoutMs },
  ).catch((error) => {
    const missing = keys.filter((key) => !found.has(key));
    throw new Error(`${missing.length} of ${keys.length} are not stored: ${missing.slice(0, 5)}`, {
      cause: error,
    });
  });
  return found;
}

/**
 * How many requests brought each key.
 * @param {Reader} backend
 * @returns {Promise<{ requests: number, most: number }>}
 */
export async function sent(backend) {
  /** @type {Map<string, number>} */
  const times = new Map();
  const requests = await backend.requests();
  for (const { body } of requests) {
    const metadata = body?.session?.metadata ?? body?.metadata ?? {};
    for (const key of Object.keys(metadata)) times.set(key, (times.get(key) ?? 0) + 1);
  }
  return { requests: requests.length, most: Math.max(...times.values()) };
}
