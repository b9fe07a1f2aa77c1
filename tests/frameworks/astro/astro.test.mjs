// Astro on Cloudflare, by its own adapter.

import { join } from "node:path";
import { it } from "node:test";
import {
  COMPATIBILITY_DATE,
  application,
  assertWorkerStores,
  command,
  runBuild,
} from "../framework.mjs";

it("Astro, in workerd", async (t) => {
  const cwd = await application("astro", "app", {
    "package.json": JSON.stringify({ name: "app", private: true, type: "module" }),
    "astro.config.mjs": `
      import cloudflare from "@astrojs/cloudflare";
      import { defineConfig } from "astro/config";
      export default defineConfig({ output: "server", adapter: cloudflare() });
    `,
    "wrangler.json": JSON.stringify({
      name: "app",
      main: "@astrojs/cloudflare/entrypoints/server",
      compatibility_date: COMPATIBILITY_DATE,
      compatibility_flags: ["nodejs_compat"],
      assets: { binding: "ASSETS", directory: "./dist" },
    }),
    "src/pages/index.astro": `<html lang="en"><body>A page</body></html>`,
    "src/pages/api.js": `
      import { answer } from "../../answer.mjs";
      export const prerender = false;
      export const POST = async ({ request }) => Response.json(await answer(await request.json()));
    `,
  });
  await runBuild(cwd, [command("astro", "astro/bin/astro.mjs"), "build"]);
  await assertWorkerStores(t, join(cwd, "dist/server"), "/api", {
    main: "entry.mjs",
    flags: ["nodejs_compat"],
  });
});
