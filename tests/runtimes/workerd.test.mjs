// The package in real workerd, as wrangler bundles it, without any compatibility flag: at an old
// date, where Node's modules are not to be had, and at a recent one.

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { EVERYTHING, checkReport } from "../scenarios/check.mjs";
import { environments } from "../scenarios/environment.check.mjs";
import { assertSession } from "../guide/check.mjs";
import { KEYS, startBackends } from "../support/backends.mjs";
import { until } from "../support/child.mjs";
import { startGate } from "../support/gate.mjs";
import { consumer } from "../support/package.mjs";
import { assertQuiet, bundleWorker, served } from "../support/workerd.mjs";

const worker = `
  import * as api from "honeyhive-edge";
  import { runScenarios } from "./scenarios/runner.mjs";

  export default {
    async fetch(request, env, ctx) {
      const { pathname } = new URL(request.url);
      const what = await request.json();
      if (pathname === "/scenarios") return Response.json(await runScenarios({ api, ...what }));
      return this[pathname.slice(1)](what, ctx);
    },

    // Nothing is awaited but the start, and nothing wraps the handler.
    async forget({ options, number }) {
      const tracer = await api.initTracer(options);
      api.enrichSession({ metadata: { number } });
      tracer.enrichSession({ metrics: { number } });
      return Response.json({ sessionId: tracer.sessionId });
    },

    async passedIn({ options, number }, ctx) {
      const waitUntil = (promise) => ctx.waitUntil(promise);
      const tracer = await api.initTracer({ ...options, waitUntil });
      api.enrichSession({ metadata: { number } });
      tracer.enrichSession({ metrics: { number } });
      return Response.json({ sessionId: tracer.sessionId });
    },

    within({ options, number }) {
      return api.withSession(options, async (tracer) => {
        api.enrichSession({ metadata: { number } });
        tracer.enrichSession({ metrics: { number } });
        return Response.json({ sessionId: tracer.sessionId });
      });
    },
  };
`;

/** @type {string} */
let bundle;
before(async () => {
  bundle = await bundleWorker(await consumer("workerd", { "worker.mjs": worker }));
});

describe("workerd", { concurrency: 2 }, () => {
  for (const compatibilityDate of ["2025-01-01", "2026-11-01"]) {
    it(`${compatibilityDate}, scenarios`, async (t) => {
      const { backends, post, output } = await served(t, bundle, { compatibilityDate });
      const names = EVERYTHING.filter((name) => name !== "trap" && name !== "witness");
      const report = await post("/scenarios", { names, params: backends.params });
      assertQuiet(output);
      await checkReport(t, report, { names, backends });
    });

    it(`${compatibilityDate}, a trap inside`, async (t) => {
      const { backends, post } = await served(t, bundle, { compatibilityDate });
      const names = ["trap"];
      const report = await post("/scenarios", { names, params: backends.params });
      await checkReport(t, report, { names, backends });
    });

    it(`${compatibilityDate}, uncaught exceptions are seen`, async (t) => {
      const { backends, post, output } = await served(t, bundle, { compatibilityDate });
      const names = ["witness"];
      const { witness } = await post("/scenarios", { names, params: backends.params });
      assert.match(witness.uncaught.join("\n"), /witness rejection/);
      assert.match(output.stderr, /uncaught exception.*witness exception/);
      assert.throws(() => assertQuiet(output));
    });

    for (const handler of ["forget", "passedIn", "within"]) {
      it(`${compatibilityDate}, what a request leaves behind is delivered: ${handler}`, async (t) => {
        const { backends, post, output } = await served(t, bundle, { compatibilityDate });
        const gate = await startGate(backends.v1.url);
        t.after(() => gate.close());
        const patience = { timeoutMs: 100_000, deadlineMs: 200_000 };
        const server = { apiKey: KEYS.main, serverUrl: gate.url, ...patience };
        const options = { ...server, sessionName: handler };
        // Compiled by now: what follows is about waiting for the backend.
        await post(`/${handler}`, { options, number: 0 });
        gate.shut();
        const answers = await Promise.all(
          [1, 2, 3].map(async (number) => {
            const { sessionId } = await post(`/${handler}`, { options, number });
            return { sessionId, number };
          }),
        );
        // All have answered, and the backend none of them.
        await until(gate.open, { what: "requests to the backend" });
        for (const { sessionId, number } of answers) {
          const event = await until(
            async () => {
              const [found] = (await backends.v1.sessions()).filter(
                (/** @type {any} */ each) => each.event.session_id === sessionId,
              );
              return found?.event.metrics.number === undefined ? undefined : found.event;
            },
            { what: `session ${sessionId}`, timeoutMs: 60_000 },
          );
          assertSession(event, { name: handler, metadata: { number }, metrics: { number } });
        }
        assertQuiet(output);
      });
    }

    it(`${compatibilityDate}, environment`, async (t) => {
      const backends = await startBackends();
      t.after(() => backends.close());
      for (const [name, { env, check }] of Object.entries(environments(backends))) {
        await t.test(name, async (part) => {
          const { post } = await served(part, bundle, { compatibilityDate, bindings: env });
          const what = { names: ["environment"], params: backends.params };
          const { environment } = await post("/scenarios", what);
          assert.equal(environment.error, undefined, environment.error);
          assert.deepEqual(environment.uncaught, []);
          await check(environment);
        });
      }
    });
  }
});
