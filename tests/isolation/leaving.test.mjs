// Leaving `run` and `withSession` leaves the session, whichever way: several requests at a time in workerd
// and in the servers of Node, Deno, Bun and Vercel's edge.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe } from "node:test";
import { KEYS, startBackends } from "../support/backends.mjs";
import { onEveryServer } from "./everywhere.mjs";
import { stored } from "./stored.mjs";

const REQUESTS = 5;
const PLACES = 31;

/**
 * @param {import("node:test").TestContext} t
 * @param {import("./everywhere.mjs").Ask} ask
 */
async function entersAndLeaves(t, ask) {
  const backends = await startBackends();
  t.after(() => backends.close());
  const options = { apiKey: KEYS.main, serverUrl: backends.v1.url };
  const names = Array.from({ length: REQUESTS }, (_, n) => `request ${n}`);
  const answers = await Promise.all(names.map((name) => ask({ name, options })));
  /** @type {string[]} */
  const keys = [];
  for (const [n, { places, thrown }] of answers.entries()) {
    assert.deepEqual(thrown, ["sync", "async", "nested", "within"]);
    assert.equal(Object.keys(places).length, PLACES);
    for (const [place, { expected, active, delivery }] of Object.entries(places)) {
      assert.equal(active, expected, place);
      assert.deepEqual(delivery, { status: "delivered", sessionId: expected }, place);
      keys.push(`${names[n]} ${place}`);
    }
  }
  for (const [key, { session, value }] of await stored(backends.v1, keys)) {
    assert.equal(session, value, key);
  }
}

describe("a session is entered and left", { concurrency: 2 }, () => {
  const own = (/** @type {string} */ file) => readFile(new URL(file, import.meta.url), "utf8");
  const read = async () => ({
    "answer.mjs": await own("leaves.mjs"),
    "requests.mjs": await own("requests.mjs"),
  });
  onEveryServer("isolation-leaving", read, entersAndLeaves);
});
