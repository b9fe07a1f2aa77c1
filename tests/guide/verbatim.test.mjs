// HoneyHive's guide names sessions "sess_abc123xyz" and "sess_abc123": with these very ids its examples are stored, on
// a server that has the v1 routes alone and takes nothing but UUIDs, and on one that has the legacy routes alone.

import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";
import { pathToFileURL } from "node:url";
import { KEYS, startBackends } from "../support/backends.mjs";
import { packageDir } from "../support/package.mjs";
import { uuidOfUrlName } from "./check.mjs";

const IDS = ["sess_abc123xyz", "sess_abc123", "SESS_ABC123", "user-123-chat"];

for (const name of /** @type {const} */ (["v1", "legacy"])) {
  it(`the guide's own ids are stored on a strict ${name} server`, async (t) => {
    const backends = await startBackends();
    t.after(() => backends.close());
    const { initTracer, enrichSession, sessionIdFrom, sessionIdFromHeaders, withSession } =
      await import(
        // As in a program of its own: a session that is open elsewhere would be meant.
        `${pathToFileURL(join(packageDir, "index.js"))}?${name}`
      );
    const server = { apiKey: KEYS.main, serverUrl: backends[name].url };
    const tracer = await initTracer({ ...server, sessionName: "guide" });
    for (const id of IDS) {
      const uuid = uuidOfUrlName(id);
      const delivered = { status: "delivered", sessionId: uuid };
      assert.equal(sessionIdFrom(id), uuid);
      // Late feedback on a session that nobody here started; named, and by position.
      assert.deepEqual(
        await tracer.run(() =>
          enrichSession({ sessionId: id, feedback: { rating: 5, helpful: true } }),
        ),
        delivered,
      );
      assert.deepEqual(
        await tracer.run(() => enrichSession(id, { metadata: { user_id: "user_456" } })),
        delivered,
      );
      assert.deepEqual(await tracer.run(() => enrichSession(id)), delivered);
      const own = await initTracer({ ...server, sessionId: id });
      assert.equal(own.sessionId, uuid);
      assert.deepEqual(await own.enrichSession({ metrics: { score: 1 } }), delivered);
      const headers = own.propagationHeaders();
      assert.equal(sessionIdFromHeaders(headers), uuid);
      assert.equal(sessionIdFromHeaders({ baggage: `session_id=${id}` }), uuid);
      await own.close();
      await withSession({ ...server, sessionId: id }, async () => {
        assert.deepEqual(await enrichSession({ config: { model: "m" } }), delivered);
      });
      const { metadata, feedback, metrics, config } = await backends[name].session(uuid);
      assert.deepEqual(
        { metadata, feedback, metrics, config },
        {
          metadata: { user_id: "user_456" },
          feedback: { rating: 5, helpful: true },
          metrics: { score: 1 },
          config: { model: "m" },
        },
      );
    }
    await tracer.close();
    // A session that is not there yet is asked for, and then made; no id is refused.
    for (const { status, path } of await backends[name].requests()) {
      assert.ok(status === 200 || status === 404, `${status} ${path}`);
    }
  });
}
