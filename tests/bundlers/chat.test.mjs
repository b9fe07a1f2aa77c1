// One chat page by esbuild, Rollup, webpack and Vite, each served beside the relay under a strict policy and
// clicked through in Chromium. Next.js makes it in next.test.mjs.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { serve } from "../pages/served.mjs";
import { bundlers } from "../support/bundlers.mjs";
import { consumer } from "../support/package.mjs";
import { clickThrough } from "./chat-visit.mjs";

const html = (/** @type {string} */ script) => `<!doctype html>
<html lang="en">
  <head>
    <title>chat</title>
    <link rel="icon" href="/icon" />
    <script type="module" src="${script}"></script>
  </head>
  <body></body>
</html>
`;

describe("a chat page", { concurrency: 1 }, () => {
  for (const [bundler, build] of Object.entries(bundlers)) {
    describe(bundler, () => {
      /** @type {Awaited<ReturnType<typeof serve>>} */
      let site;
      before(async () => {
        const isVite = bundler.startsWith("Vite");
        const project = await consumer(`chat-${bundler.replace(/\W/g, "")}`, {
          "chat.mjs": await readFile(new URL("chat.mjs", import.meta.url), "utf8"),
          "page.mjs": `import { chat } from "./chat.mjs"; void chat(document);`,
          [isVite ? "index.html" : "dist/index.html"]: html(isVite ? "./page.mjs" : "./page.js"),
        });
        await build(project);
        site = await serve(join(project, "dist"));
      });
      after(() => site?.close());

      it("is clicked through", () => clickThrough(`${site.url}/`, site.feedback));
    });
  }
});
