// Twenty requests to a Worker, each with a session of its own or all with one, that wait for their
// delivery or do not: all twenty arrive, once, each where it belongs, and no request meddles with
// another's.

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { assertQuiet } from "../support/workerd.mjs";
import { sent, stored } from "./stored.mjs";
import { bundled, CONFIGURATIONS, LEFT, reduced, served } from "./workers.mjs";

const REQUESTS = 20;
const SHARED = "0b1c9a52-5d0e-4c7e-9a61-3b0d6f6f0c11";

/** @type {Record<string, object>} */
const SHARING = {
  "its own session": { sharing: "own" },
  "a session that all name": { sharing: "own", options: { sessionId: SHARED } },
  "the module's tracer": { sharing: "module" },
};

/** @type {string} */
let bundle;
before(async () => {
  bundle = await bundled("isolation-sharing");
});

for (const [name, options] of Object.entries(CONFIGURATIONS)) {
  describe(`workerd ${name}: ${REQUESTS} requests`, () => matrix(() => bundle, options));
}
for (const [name, left] of Object.entries(LEFT)) {
  describe(`workerd ${name}: ${REQUESTS} requests`, () => {
    /** @type {string} */
    let folder;
    before(async () => {
      folder = await reduced(bundle, `isolation-sharing ${name}`, left);
    });
    matrix(() => folder, { compatibilityDate: "2025-01-01" });
  });
}

/**
 * @param {() => string} folder
 * @param {import("../support/workerd.mjs").WorkerOptions} options
 */
function matrix(folder, options) {
  for (const [sharing, what] of Object.entries(SHARING)) {
    for (const way of ["fire-and-forget", "sequential", "concurrent"]) {
      it(`${way}, with ${sharing}`, async (t) => {
        const { answer, backend, output } = await served(t, folder(), options);
        const markers = Array.from({ length: REQUESTS }, (_, n) => `${way} ${n}`);
        /** @type {{ sessionId: string, delivery?: object }[]} */
        const answers = [];
        const ask = async (/** @type {string} */ marker) => {
          answers.push(await answer(way, { ...what, marker }));
        };
        if (way === "concurrent") await Promise.all(markers.map(ask));
        else for (const marker of markers) await ask(marker);

        const found = await stored(backend, markers);
        const owners = new Set(answers.map(({ sessionId }) => sessionId));
        const sessions = new Set([...found.values()].map(({ session }) => session));
        assert.deepEqual(sessions, owners);
        assert.equal(owners.size, sharing === "its own session" ? REQUESTS : 1);
        for (const { delivery, sessionId } of answers) {
          if (way === "concurrent") assert.deepEqual(delivery, { status: "delivered", sessionId });
        }

        const { requests, most } = await sent(backend);
        assert.equal(most, 1, "something was sent twice");
        if (owners.size > 1) assert.equal(requests, REQUESTS);
        else assert.ok(requests < REQUESTS, `${requests} requests: calls that overlap are merged`);
        const { overlaps, duplicates } = await backend.stats();
        assert.deepEqual([overlaps.count, duplicates.count], [0, 0]);
        assertQuiet(output);
      });
    }
  }
}
