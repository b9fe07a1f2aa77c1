// The relay in real workerd, as wrangler bundles it, in front of the local backend.

import { readFile } from "node:fs/promises";
import { before, describe } from "node:test";
import { consumer } from "../support/package.mjs";
import { bundleWorker, startWorker } from "../support/workerd.mjs";
import { environment, holds, serving } from "./holds.mjs";
import { worker } from "./worker.mjs";

/** @type {string} */
let bundle;
before(async () => {
  const files = {
    "worker.mjs": worker,
    "app.mjs": await readFile(new URL("app.mjs", import.meta.url), "utf8"),
  };
  bundle = await bundleWorker(await consumer("relay-workerd", files));
});

for (const compatibilityDate of ["2025-01-01", "2026-10-01"]) {
  describe(`the relay in workerd, ${compatibilityDate}`, () => {
    const at = serving((backend) =>
      startWorker(bundle, { compatibilityDate, bindings: environment(backend) }),
    );
    holds(at);
  });
}
