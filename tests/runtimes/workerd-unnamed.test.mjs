// A Worker whose bundler was told of no runtime, and so took the package's entries for servers: they compile while the
// Worker starts. Where that is not allowed, each call says what to change.

import { join } from "node:path";
import { describe, it } from "node:test";
import { build } from "esbuild";
import { ANSWER, askAt, assertDisabled, assertWorkerStores } from "../frameworks/framework.mjs";
import { startBackends } from "../support/backends.mjs";
import { consumer } from "../support/package.mjs";
import { startWorker } from "../support/workerd.mjs";

/** @param {"esm" | "cjs"} format of the package's that is taken */
async function bundled(format) {
  const project = await consumer(`workerd-unnamed-${format}`, {
    "answer.mjs": ANSWER,
    "worker.mjs": `
      import { answer } from "./answer.mjs";
      export default {
        fetch: async (request) => Response.json(await answer(await request.json())),
      };
    `,
  });
  await build({
    entryPoints: [join(project, "worker.mjs")],
    outfile: join(project, "dist/worker.js"),
    bundle: true,
    format: "esm",
    platform: "neutral",
    conditions: format === "cjs" ? ["require"] : [],
    logLevel: "error",
  });
  return join(project, "dist");
}

describe("a Worker that was bundled for no runtime", { concurrency: 1 }, () => {
  for (const format of /** @type {const} */ (["esm", "cjs"])) {
    it(`stores, by the package's ${format}`, async (t) => {
      await assertWorkerStores(t, await bundled(format), "/", { flags: ["nodejs_compat"] });
    });
  }

  /** @type {Record<string, Parameters<typeof startWorker>[1]>} */
  const without = {
    nodejs_compat: { compatibilityDate: "2025-07-15" },
    "a date that lets it compile": { compatibilityDate: "2025-01-01", flags: ["nodejs_compat"] },
  };
  for (const [what, options] of Object.entries(without)) {
    it(`says what is missing, without ${what}`, async (t) => {
      const backends = await startBackends();
      t.after(() => backends.close());
      const worker = await startWorker(await bundled("esm"), options);
      t.after(() => worker.stop());
      await assertDisabled(askAt(worker.url), backends, /as a module of its own/);
    });
  }
});
