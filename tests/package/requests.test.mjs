// Few requests: what benches/requests.mjs measures stays below what is promised.

import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";
import { pathToFileURL } from "node:url";
import { measure } from "../../benches/requests.mjs";
import { packageDir } from "../support/package.mjs";

const api = await import(pathToFileURL(join(packageDir, "index.js")).href);

for (const [how, most] of /** @type {const} */ ([
  ["in one burst", 2],
  ["one a millisecond", 10],
])) {
  it(`a thousand updates of one session, ${how}, are at most ${most} requests`, async () => {
    const { requests, delivered, ms, session } = await measure(api, how);
    assert.equal(delivered, 1_000);
    assert.deepEqual([session.metadata.n, session.metadata["key 7"], session.metrics.n], [999, 987, 999]); // prettier-ignore
    // Where the machine was away for a while, the merge window of 200 ms is what counts.
    assert.ok(requests <= Math.max(most, ms / 200 + 2), `${requests} requests in ${ms} ms`);
  });
}
