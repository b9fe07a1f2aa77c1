// Real faults over real HTTP, against the package in Node and in workerd: what is sent meanwhile is
// delivered, and the sessions are what a perfect network would have made of them.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startBackend } from "../../www-demo/backend/server.mjs";
import { runToEnd } from "../support/child.mjs";
import { consumer } from "../support/package.mjs";
import { bundleWorker, startWorker } from "../support/workerd.mjs";

const KEY = "hh_faults_2c9e41f07ab35d68";

/** As many requests as go wrong, in six ways: 30 %. */
const OF_EACH = 1 - 0.7 ** (1 / 6);

const SESSIONS = 50;

const entry = `
  import * as api from "honeyhive-edge";
  import * as lives from "./life.mjs";
  const { name, list } = JSON.parse(process.argv[2]);
  const told = await Promise.all(list.map((given) => lives[name]({ api, ...given })));
  process.stdout.write(JSON.stringify(told));
`;

const worker = `
  import * as api from "honeyhive-edge";
  import * as lives from "./life.mjs";
  export default {
    async fetch(request) {
      const { name, given } = await request.json();
      return Response.json(await lives[name]({ api, ...given }));
    },
  };
`;

/** @typedef {(name: "life" | "calls", list: object[]) => Promise<any[]>} Run each of the list at the same time */

/** @type {Record<string, {run: Run, stop: () => Promise<void>}>} */
const runtimes = {};

before(async () => {
  const life = await readFile(new URL("life.mjs", import.meta.url), "utf8");
  const cwd = await consumer("faults-node", { "life.mjs": life, "entry.mjs": entry });
  runtimes["Node"] = {
    async run(name, list) {
      const what = JSON.stringify({ name, list });
      const { code, stdout, stderr } = await runToEnd(process.execPath, ["entry.mjs", what], {
        cwd,
        timeoutMs: 120_000,
      });
      assert.equal(code, 0, `${stdout}\n${stderr}`);
      return JSON.parse(stdout);
    },
    stop: async () => {},
  };
  const project = await consumer("faults-workerd", { "life.mjs": life, "worker.mjs": worker });
  const bundle = await bundleWorker(project);
  const { url, output, stop } = await startWorker(bundle, { compatibilityDate: "2026-10-01" });
  runtimes["workerd"] = {
    // One request for each, as there: nothing of one may be continued in another.
    run: (name, list) =>
      Promise.all(
        list.map(async (given) => {
          const body = JSON.stringify({ name, given });
          const signal = AbortSignal.timeout(120_000);
          const response = await fetch(url, { method: "POST", body, signal });
          const text = await response.text();
          assert.equal(response.status, 200, `${text}\n${output.stderr}`);
          return JSON.parse(text);
        }),
      ),
    stop,
  };
});
after(() => Promise.all(Object.values(runtimes).map(({ stop }) => stop())));

describe("faults", { concurrency: 2 }, () => {
  for (const name of ["Node", "workerd"]) {
    const run = (/** @type {Parameters<Run>} */ ...given) =>
      /** @type {{run: Run}} */ (runtimes[name]).run(...given);

    it(`${name}: a third of all requests fails, and every session is as it should be`, async (t) => {
      const { url, put, session, get } = await backend(t);
      await put("faults", {
        seed: 3,
        rules: [
          { probability: OF_EACH, status: 500 },
          { probability: OF_EACH, retryAfter: 1 },
          { probability: OF_EACH, status: 429 },
          { probability: OF_EACH, cut: "before" },
          { probability: OF_EACH, cut: "after" },
          { probability: OF_EACH, hang: true, stored: true },
        ],
      });
      const options = { apiKey: KEY, serverUrl: url, timeoutMs: 1_000, deadlineMs: 100_000 };
      const list = Array.from({ length: SESSIONS }, (_, number) => ({ options, number }));
      const lives = await run("life", list);
      for (const life of lives) await assertWhole(life, session);
      const fired = (await get("faults")).map((/** @type {any} */ rule) => rule.fired);
      assert.ok(Math.min(...fired) > 0, `each fault happened: ${fired}`);
      const { timestamps } = await get("stats");
      assert.equal(timestamps.outOfOrder.count, 0, JSON.stringify(timestamps));
    });

    it(`${name}: a server that is down for ten seconds gets everything when it is back`, async (t) => {
      const first = await startBackend();
      await first.close();
      const options = { apiKey: KEY, serverUrl: first.url, deadlineMs: 60_000 };
      const list = Array.from({ length: 10 }, (_, number) => ({ options, number }));
      const running = run("life", list);
      await sleep(10_000);
      const { session } = await backend(t, first.port);
      for (const life of await running) await assertWhole(life, session);
    });

    it(`${name}: a refused key is one request and one clear line`, async (t) => {
      const { url, put, requests } = await backend(t);
      await put("mode", { keys: ["another"] });
      // Who tried again, or waited for a deadline, would not be back before the runtime's own limit.
      const patience = { timeoutMs: 600_000, deadlineMs: 600_000 };
      const options = { apiKey: KEY, serverUrl: url, ...patience };
      const [{ deliveries, lines }] = await run("calls", [{ options }]);
      assert.deepEqual(reasons(deliveries), ["rejected", "rejected", "rejected"]);
      assert.equal((await requests()).length, 1);
      assert.equal(lines.length, 1, JSON.stringify(lines));
      assert.match(lines[0].text, /401.*HH_API_KEY/);
      assert.doesNotMatch(JSON.stringify({ deliveries, lines }), new RegExp(KEY));
    });

    it(`${name}: an answer that is no JSON does no harm, nor does one that takes its time`, async (t) => {
      const { url, put, session, requests } = await backend(t);
      const options = { apiKey: KEY, serverUrl: url, timeoutMs: 700 };
      const slow = { trickle: { bytes: 1, everyMs: 100 } };
      // What is not HoneyHive's answer is no receipt, whatever became of the request.
      const foreign = { status: 200, stored: true, body: "fine, {thank you" };
      for (const [rule, reason] of [
        [foreign, "rejected"],
        [slow, undefined],
      ]) {
        await put("faults", [rule]);
        const [{ sessionId, deliveries }] = await run("calls", [{ options }]);
        assert.deepEqual(reasons(deliveries), [reason, reason, reason]);
        assert.equal((await session(sessionId)).metadata.n, 3);
        assert.equal((await requests(sessionId)).length, 1, "what is stored is not sent again");
      }
    });

    it(`${name}: Retry-After is waited for in both of its forms, and a retry is the same request`, async (t) => {
      const { url, put, session, requests } = await backend(t);
      const options = { apiKey: KEY, serverUrl: url };
      for (const later of [{ retryAfter: 2 }, { status: 429, retryAfterDate: 2 }]) {
        await put("faults", [{ ...later, times: 1 }]);
        const [{ sessionId, deliveries }] = await run("calls", [{ options }]);
        assert.deepEqual(reasons(deliveries), [undefined, undefined, undefined]);
        assert.equal((await session(sessionId)).metadata.n, 3);
        const [first, second, ...more] = await requests(sessionId);
        assert.deepEqual(more, []);
        // Without the header it would be 250 ms at most.
        assert.ok(second.at - first.at > 1_500, `${second.at - first.at} ms`);
        assert.ok(first.timestamp, "it is stamped");
        assert.equal(second.timestamp, first.timestamp);
        assert.equal(second.raw, first.raw);
      }
    });

    it(`${name}: a redirect is not followed, least of all with the key`, async (t) => {
      const { url, put } = await backend(t);
      const elsewhere = await backend(t);
      await put("faults", [{ redirect: `${elsewhere.url}/v1/sessions` }]);
      const options = { apiKey: KEY, serverUrl: url };
      const [{ deliveries, lines }] = await run("calls", [{ options }]);
      assert.deepEqual(reasons(deliveries), ["rejected", "rejected", "rejected"]);
      assert.match(deliveries[0].message, /redirect.*HH_API_URL/);
      assert.equal(lines.length, 1, JSON.stringify(lines));
      assert.deepEqual(await elsewhere.requests(), []);
    });
  }
});

const reasons = (/** @type {any[]} */ deliveries) => deliveries.map(({ reason }) => reason);

/**
 * @param {any} life
 * @param {(id: string) => Promise<any>} session
 */
async function assertWhole({ sessionId, expected, deliveries, ...counts }, session) {
  const lost = deliveries.filter((/** @type {any} */ each) => each.status !== "delivered");
  assert.deepEqual(lost, []);
  assert.deepEqual(counts, { delivered: deliveries.length, dropped: 0, pending: 0 });
  const stored = await session(sessionId);
  for (const [field, value] of Object.entries(expected)) {
    assert.deepEqual(stored[field], value, `${field} of ${sessionId}`);
  }
}

/**
 * @param {{after: (fn: () => unknown) => void}} t
 * @param {number} [port]
 */
async function backend(t, port) {
  const { url, close } = await startBackend(port === undefined ? {} : { port });
  t.after(close);
  const get = async (/** @type {string} */ path) => (await fetch(`${url}/_local/${path}`)).json();
  return {
    url,
    get,
    /**
     * @param {string} what
     * @param {unknown} body
     */
    async put(what, body) {
      const init = { method: "PUT", body: JSON.stringify(body) };
      const response = await fetch(`${url}/_local/${what}`, init);
      assert.equal(response.status, 200, await response.text());
    },
    async requests(id = "") {
      const all = await get(`requests${id && `?session=${id}`}`);
      // Reading back is no client's.
      return all.filter((/** @type {any} */ each) => each.method !== "GET");
    },
    async session(/** @type {string} */ id) {
      const headers = { authorization: `Bearer ${KEY}` };
      return (await fetch(`${url}/v1/sessions/${id}`, { headers })).json();
    },
  };
}
