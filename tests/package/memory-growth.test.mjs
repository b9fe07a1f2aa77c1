// A queue that grows beyond 64 MB. Each growth of a module's memory is garbage of the whole memory's size to V8, so memory
// must not grow page by page: the collector would then run for every few calls.

import assert from "node:assert/strict";
import { join } from "node:path";
import { PerformanceObserver, constants } from "node:perf_hooks";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { packageDir } from "../support/package.mjs";

const { initTracer } = await import(pathToFileURL(join(packageDir, "index.js")).href);

test("the collector hardly runs more often for a large queue than for a small one", async () => {
  let collections = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { detail } of /** @type {any} */ (list.getEntries())) {
      if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) collections++;
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  const tracer = await initTracer({
    apiKey: "key",
    serverUrl: "https://hive.example",
    fetch: () => new Promise(() => {}),
    maxQueueBytes: 2 ** 30,
    logLevel: "silent",
  });
  const text = "x".repeat(10_000);
  /** Collections while 40 MB are queued. */
  const queue = async () => {
    const before = collections;
    for (let turn = 0; turn < 40; turn++) {
      for (let call = 0; call < 100; call++) void tracer.enrichSession({ metadata: { text } });
      await pause(1);
    }
    await pause(50);
    return collections - before;
  };
  const counts = [await queue(), await queue(), await queue(), await queue()];
  observer.disconnect();
  const [small = 0, ...large] = counts;
  for (const count of large) assert.ok(count <= small + 10, `${counts} collections`);
  await tracer.close({ timeoutMs: 0 });
});
