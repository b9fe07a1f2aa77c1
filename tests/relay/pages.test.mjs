// Five hundred pages at once on one Worker, each with a session and a ticket of its own: nothing is
// lost, and nothing reaches another's session. Each page is the package's own tracer with a connection
// pool of its own, as each browser has one.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { consumer } from "../support/package.mjs";
import { bundleWorker, startWorker } from "../support/workerd.mjs";
import { forge } from "./forge.mjs";
import { environment, serving } from "./holds.mjs";
import { worker } from "./worker.mjs";

const PAGES = 500;
const ENRICHMENTS = 8;

/** @type {string} */
let project;
/** @type {string} */
let bundle;
/** @type {typeof import("honeyhive-edge")} */
let edge;
before(async () => {
  const app = await readFile(new URL("app.mjs", import.meta.url), "utf8");
  project = await consumer("relay-pages", { "worker.mjs": worker, "app.mjs": app });
  bundle = await bundleWorker(project);
  const main = join(project, "node_modules", "honeyhive-edge", "index.js");
  edge = await import(pathToFileURL(main).href);
});

describe("the relay under load", () => {
  const at = serving((backend) =>
    startWorker(bundle, { compatibilityDate: "2026-10-01", bindings: environment(backend) }),
  );

  it(`${PAGES} pages at once: nothing is lost, nothing is mixed`, async () => {
    // Slow enough for many to be on their way at once.
    const slow = JSON.stringify([{ delayMs: [100, 300] }]);
    await fetch(`${at.backend.url}/_local/faults`, { method: "PUT", body: slow });
    const pages = Array.from({ length: PAGES }, (_, page) => ({
      page,
      session: crypto.randomUUID(),
    }));
    const outcomes = await Promise.all(pages.map(visit));
    const stored = await sessions();
    for (const { page, session, deliveries, report } of outcomes) {
      for (const delivery of deliveries) {
        assert.deepEqual(delivery, { status: "delivered", sessionId: session });
      }
      assert.deepEqual(report, { delivered: ENRICHMENTS, dropped: 0, pending: 0 });
      const { event } = stored.get(session);
      const steps = Array.from({ length: ENRICHMENTS }, (_, step) => [`step_${step}`, page]);
      assert.deepEqual(event.feedback, {
        page,
        last: ENRICHMENTS - 1,
        ...Object.fromEntries(steps),
      });
    }
    assert.equal(stored.size, PAGES, "a session each, and no other");
    const stats = await (await fetch(`${at.backend.url}/_local/stats`)).json();
    assert.deepEqual([stats.overlaps.count, stats.timestamps.outOfOrder.count], [0, 0]);
    assert.ok(stats.inFlight.max > 50, `only ${stats.inFlight.max} were on their way at once`);
  });

  /** @returns {Promise<Map<string, any>>} by their ids */
  async function sessions() {
    const answer = await fetch(`${at.backend.url}/_local/sessions?limit=1000`);
    const { sessions: all } = await answer.json();
    return new Map(all.map((/** @type {any} */ each) => [each.event.session_id, each]));
  }

  /** @param {{ page: number, session: string }} visitor */
  async function visit({ page, session }) {
    const tracer = await edge.initTracer({
      ticket: forge({ session }),
      serverUrl: `${at.served.url}/patient`,
      // On a busy machine it takes longer, and that is all.
      timeoutMs: 100_000,
      deadlineMs: 100_000,
      // A connection pool of its own: else six requests at a time would be all that 500 pages make.
      fetch: (url, init) => fetch(url, init),
    });
    const deliveries = [];
    for (let step = 0; step < ENRICHMENTS; step++) {
      const feedback = { page, last: step, [`step_${step}`]: page };
      deliveries.push(tracer.enrichSession({ feedback }));
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
    }
    const report = await tracer.close({ timeoutMs: 100_000 });
    return { page, session, deliveries: await Promise.all(deliveries), report };
  }
});
