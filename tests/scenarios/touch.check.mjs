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
      if (name === "v1") {
        assert.equal(`${method} ${path}`, "POST /v1/sessions");
        const { source: _source, ...rest } = body;
        assert.deepEqual(rest, { session_id: id });
      } else {
        assert.equal(`${method} ${path}`, "POST /session/start");
        assert.deepEqual(body, { session: { session_id: id } });
      }
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
