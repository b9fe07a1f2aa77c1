// Leaving `run` and `withSession` leaves the session, whichever way: several requests at a time in workerd
// and in the servers of Node, Deno, Bun and Vercel's edge.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, describe, it } from "node:test";
import { KEYS, startBackends } from "../support/backends.mjs";
import { consumer } from "../support/package.mjs";
import { SERVER_RUNTIMES, serverProject } from "../support/servers.mjs";
import { assertQuiet, bundleWorker, startWorker } from "../support/workerd.mjs";
import { stored } from "./stored.mjs";
import { CONFIGURATIONS } from "./workers.mjs";

const REQUESTS = 5;
const PLACES = 31;

const worker = `
  import * as api from "honeyhive-edge";
  import { answer } from "./answer.mjs";

  export default {
    fetch: async (request) => Response.json(await answer(api, await request.json())),
  };
`;

/**
 * @param {import("node:test").TestContext} t
 * @param {(what: unknown) => Promise<any>} ask
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
  /** @type {string} */
  let bundle;
  /** @type {Awaited<ReturnType<typeof serverProject>>} */
  let project;
  before(async () => {
    const own = (/** @type {string} */ file) => readFile(new URL(file, import.meta.url), "utf8");
    const files = {
      "answer.mjs": await own("leaves.mjs"),
      "requests.mjs": await own("requests.mjs"),
    };
    bundle = await bundleWorker(
      await consumer("isolation-leaving-worker", { ...files, "worker.mjs": worker }),
    );
    project = await serverProject("isolation-leaving", files);
  });

  for (const [name, options] of Object.entries(CONFIGURATIONS)) {
    it(`in workerd ${name}`, async (t) => {
      const { url, output, stop } = await startWorker(bundle, options);
      t.after(stop);
      await entersAndLeaves(t, async (what) => {
        const response = await fetch(url, { method: "POST", body: JSON.stringify(what) });
        const text = await response.text();
        assert.equal(response.status, 200, `${text}\n${output.stderr}`);
        return JSON.parse(text);
      });
      assertQuiet(output);
    });
  }
  for (const runtime of SERVER_RUNTIMES) {
    it(`in ${runtime}`, async (t) => {
      const { ask, output } = await project.serve(t, runtime);
      await entersAndLeaves(t, ask);
      assert.equal(output.stderr, "");
    });
  }
});
