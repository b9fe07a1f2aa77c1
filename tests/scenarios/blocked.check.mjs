// What a page without permission for WebAssembly is told.

import assert from "node:assert/strict";

/**
 * @param {import("./runner.mjs").Result} result
 * @param {import("../support/backends.mjs").Backends} backends
 */
export async function check({ value, lines }, { v1 }) {
  const { deliveries, reports } = value;
  assert.equal(deliveries.length, 6);
  for (const delivery of deliveries) {
    assert.equal(delivery.status, "dropped");
    assert.match(delivery.message, /WebAssembly/);
  }
  assert.deepEqual([value.value, value.within], ["value", "within"]);
  assert.deepEqual(value.names, ["blocked", "dev", "string"]);
  for (const report of reports) assert.equal(report.pending, 0);
  assert.ok(value.dropped >= 4, "onDrop was not told");
  const errors = lines.filter(({ level }) => level === "error");
  assert.equal(errors.length, 1, JSON.stringify(lines));
  assert.match(errors[0].text, /^\[honeyhive-edge\] .*wasm-unsafe-eval/s);
  assert.deepEqual(await v1.requests(), []);
}
