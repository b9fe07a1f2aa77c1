// Hono in a Worker, bundled by wrangler.

import { it } from "node:test";
import { consumer } from "../support/package.mjs";
import { bundleWorker } from "../support/workerd.mjs";
import { ANSWER, assertWorkerStores } from "./framework.mjs";

it("Hono, in workerd", async (t) => {
  const project = await consumer("hono", {
    "answer.mjs": ANSWER,
    "worker.mjs": `
      import { Hono } from "hono";
      import { answer } from "./answer.mjs";

      const app = new Hono();
      app.post("/api", async (c) => c.json(await answer(await c.req.json())));
      export default app;
    `,
  });
  await assertWorkerStores(t, await bundleWorker(project), "/api");
});
