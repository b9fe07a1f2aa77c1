// The local backend by a client that is typed by the description of its routes (openapi-fetch), as HoneyHive's own
// TypeScript client is: what that one makes, updates, reads and searches for, this package enriches and reads.

import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";
import { pathToFileURL } from "node:url";
import createClient from "openapi-fetch";
import { KEYS, startBackends } from "../support/backends.mjs";
import { packageDir } from "../support/package.mjs";

/** @typedef {import("./honeyhive.d.ts").paths} Paths */

it("a typed client and this package write to the same events", async (t) => {
  const backends = await startBackends();
  t.after(() => backends.close());
  const client = createClient(
    /** @type {import("openapi-fetch").ClientOptions} */ ({
      baseUrl: backends.v1.url,
      headers: { authorization: `Bearer ${KEYS.main}` },
    }),
  );
  const typed = /** @type {import("openapi-fetch").Client<Paths>} */ (client);
  const { initTracer } = /** @type {typeof import("honeyhive-edge")} */ (
    await import(pathToFileURL(join(packageDir, "index.js")).href)
  );

  const started = await typed.POST("/v1/sessions", { body: { session_name: "typed" } });
  const session_id = started.data?.session_id ?? "";
  const made = await typed.POST("/v1/events", {
    body: { event_type: "model", event_name: "answer", session_id, inputs: { q: "hi" } },
  });
  const event_id = made.data?.event_id ?? "";
  await typed.PUT("/v1/events/{event_id}", {
    params: { path: { event_id } },
    body: { metrics: { tokens: 12 } },
  });
  const batch = await typed.POST("/v1/events/batch", {
    body: { events: [{ event_type: "tool", inputs: {}, session_id }] },
  });
  assert.equal(batch.data?.event_ids.length, 1);

  const tracer = await initTracer({ apiKey: KEYS.main, serverUrl: backends.v1.url });
  await tracer.enrichEvent(event_id, { feedback: { thumb: "up" } });
  await tracer.enrichSession({ sessionId: session_id, metadata: { plan: "pro" } });

  const read = await typed.GET("/v1/events/{event_id}", { params: { path: { event_id } } });
  assert.deepEqual(
    [read.data?.metrics, read.data?.feedback, read.data?.inputs],
    [{ tokens: 12 }, { thumb: "up" }, { q: "hi" }],
  );
  assert.deepEqual(await tracer.readEvent(event_id), { status: "found", event: read.data });
  const session = await tracer.readSession(session_id);
  assert.deepEqual(session.status === "found" && session.event.metadata, { plan: "pro" });
  const found = await typed.POST("/v1/events/search", {
    body: { filters: [{ field: "session_id", operator: "is", value: session_id }], limit: 10 },
  });
  assert.equal(found.data?.count, 3);
  const unknown = await typed.GET("/v1/events/{event_id}", {
    params: { path: { event_id: session_id.replace(/^./, "0") } },
  });
  assert.ok(unknown.response.status === 404 || unknown.data);
  await tracer.close();
});
