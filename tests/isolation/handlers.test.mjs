// What is no plain request: streamed answers, clients that leave, backends that do not answer, torn
// down requests, Durable Objects, schedules and queues. Fire-and-forget everywhere, in real workerd.

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { until } from "../support/child.mjs";
import { assertQuiet } from "../support/workerd.mjs";
import { CALLS } from "./requests.mjs";
import { stored } from "./stored.mjs";
import { bundled, CONFIGURATIONS, served } from "./workers.mjs";

const HANGING = "11111111-2222-4333-8444-555555555555";

/** @type {string} */
let bundle;
before(async () => {
  bundle = await bundled("isolation-handlers");
});

for (const [name, options] of Object.entries(CONFIGURATIONS)) {
  describe(`workerd ${name}`, { concurrency: 2 }, () => {
    /** @param {import("node:test").TestContext} t */
    const worker = (t) => served(t, bundle, options);

    /**
     * Each key is in the session that it says.
     * @param {import("./stored.mjs").Reader} backend
     * @param {string[]} keys
     */
    const eachInItsOwn = async (backend, keys) => {
      const found = await stored(backend, keys);
      for (const key of keys) assert.equal(found.get(key)?.session, found.get(key)?.value, key);
    };

    for (const way of ["streams", "pipes"]) {
      it(`enriches after the answer has begun: ${way}`, async (t) => {
        const { request, backend, output } = await worker(t);
        const markers = ["x", "y", "z"];
        const texts = await Promise.all(
          markers.map(async (marker) => (await request(way, { marker })).text()),
        );
        assert.deepEqual(texts, ["abc", "abc", "abc"]);
        const keys = markers.flatMap((marker) =>
          ["a", "b", "c"].map((each) => `${marker} ${each}`),
        );
        await eachInItsOwn(backend, keys);
        assertQuiet(output);
      });
    }

    it("delivers for a client that has left", async (t) => {
      const { request, backend } = await worker(t);
      const leave = new AbortController();
      const left = request("lingers", { marker: "left" }, { signal: leave.signal });
      setTimeout(() => leave.abort(), 30);
      await assert.rejects(left);
      await eachInItsOwn(backend, ["left"]);
    });

    it("is not disturbed by a request whose backend never answers", async (t) => {
      const { answer, backend, output } = await worker(t);
      await backend.faults([{ match: { session: HANGING }, hang: true }]);
      await answer("fire-and-forget", {
        sharing: "own",
        marker: "hangs",
        options: { sessionId: HANGING },
      });
      for (let n = 0; n < 10; n++) {
        const what = { sharing: "own", marker: `next ${n}` };
        const { delivery, sessionId } = await answer("concurrent", what);
        assert.deepEqual(delivery, { status: "delivered", sessionId });
      }
      assertQuiet(output);
    });

    it("carries on what a torn down request left", async (t) => {
      const { answer, backend, output } = await worker(t);
      const markers = Array.from({ length: 5 }, (_, n) => `torn down ${n}`);
      for (const marker of markers) await answer("is torn down", { marker });
      const others = until(
        async () => {
          await answer("fire-and-forget", { sharing: "module", marker: "other" });
          await new Promise((resolve) => setTimeout(resolve, 500));
          const sessions = await backend.sessions();
          const has = (/** @type {string} */ marker) =>
            sessions.some((/** @type {any} */ { event }) => event.metadata?.[marker]);
          return markers.every(has);
        },
        { what: "what was left to be sent", timeoutMs: 60_000 },
      );
      await others;
      await eachInItsOwn(backend, markers);
      assertQuiet(output);
    });

    it("reaches the module's session where a request has none", async (t) => {
      const { answer, output } = await worker(t);
      const { active, module, delivery } = await answer("has none", {});
      assert.equal(active, module);
      assert.deepEqual(delivery, { status: "delivered", sessionId: module });
      assertQuiet(output);
    });

    it("tells a Durable Object's concurrent events apart", async (t) => {
      const { answer, backend, output } = await worker(t);
      const names = Array.from({ length: 20 }, (_, n) => `event ${n}`);
      const what = { object: "a", event: "wanders" };
      const answers = await Promise.all(
        names.map((each) => answer("object", { ...what, name: each })),
      );
      for (const { sessionId, deliveries } of answers) {
        for (const delivery of deliveries) {
          assert.deepEqual(delivery, { status: "delivered", sessionId });
        }
      }
      const calls = Array.from({ length: CALLS }, (_, n) => n);
      await eachInItsOwn(
        backend,
        names.flatMap((each) => calls.map((n) => `${each} ${n}`)),
      );
      assertQuiet(output);
    });

    it("delivers what a Durable Object says all its life, and its alarm", async (t) => {
      const { answer, backend, output } = await worker(t);
      const markers = Array.from({ length: 5 }, (_, n) => `said ${n}`);
      for (const marker of markers) await answer("object", { object: "b", event: "says", marker });
      await answer("object", { object: "b", event: "rings", marker: "rang" });
      await eachInItsOwn(backend, [...markers, "rang"]);
      assertQuiet(output);
    });

    it("delivers from a schedule and from a queue", async (t) => {
      const { url, backend, output } = await worker(t);
      const bodies = Array.from({ length: 10 }, (_, n) => n);
      const scheduled = await fetch(`${url}/cdn-cgi/scheduled`);
      assert.equal((await scheduled.json()).outcome, "ok");
      const body = JSON.stringify(bodies);
      const queued = await fetch(`${url}/cdn-cgi/queue`, { method: "POST", body });
      assert.equal((await queued.json()).outcome, "ok");
      await eachInItsOwn(backend, ["scheduled", ...bodies.map((each) => `message ${each}`)]);
      assertQuiet(output);
    });
  });
}
