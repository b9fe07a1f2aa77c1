// What touch.mjs has to have left in the backend, and by which requests.

import assert from "node:assert/strict";
import { assertSession } from "../guide/check.mjs";

/**
 * @param {import("./runner.mjs").Result} result
 * @param {import("../support/backends.mjs").Backends} backends
 */
export async function check({ value: facts }, backends) {
  for (const name of /** @type {const} */ (["v1", "legacy"])) {
    const { sessionId, unknown, other, deliveries } = facts[name];
    const backend = backends[name];
    assert.deepEqual(deliveries, {
      started: { status: "delivered", sessionId },
      touched: { status: "delivered", sessionId },
      emptied: { status: "delivered", sessionId },
      made: { status: "delivered", sessionId: unknown },
      madeByKey: { status: "delivered", sessionId: other },
    });
    assertSession(await backend.session(sessionId), { name: "touching", metadata: { a: 1 } });

    for (const id of [unknown, other]) {
      const event = await backend.session(id);
      assert.deepEqual([event.metadata, event.inputs, event.outputs], [{}, {}, {}]);
      const requests = await backend.requests(id);
      assert.equal(requests.length, 1, JSON.stringify(requests));
      const [{ method, path, body }] = requests;
      const route = name === "v1" ? "/v1/sessions" : "/session/start";
      assert.equal(`${method} ${path}`, `POST ${route}`);
      const { source: _source, start_time: _began, ...rest } = name === "v1" ? body : body.session;
      // Should it make the session, that is called as the tracer calls its own.
      assert.deepEqual(rest, { session_id: id, session_name: "touching" });
    }
  }
  const v1Tries = (await backends.legacy.requests()).filter((/** @type {any} */ { path }) =>
    path.startsWith("/v1/"),
  );
  assert.equal(
    v1Tries.length,
    1,
    "once the server is known to be an older one, it is asked no more",
  );
}
