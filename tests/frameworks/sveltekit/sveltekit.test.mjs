// SvelteKit on Cloudflare, by its own adapter.

import { it } from "node:test";
import {
  COMPATIBILITY_DATE,
  application,
  assertWorkerStores,
  command,
  runBuild,
  uploaded,
} from "../framework.mjs";

it("SvelteKit, in workerd", async (t) => {
  const cwd = await application("sveltekit", "app", {
    "package.json": JSON.stringify({ name: "app", private: true, type: "module" }),
    "svelte.config.js": `
      import adapter from "@sveltejs/adapter-cloudflare";
      export default { kit: { adapter: adapter() } };
    `,
    "vite.config.js": `
      import { sveltekit } from "@sveltejs/kit/vite";
      import { defineConfig } from "vite";
      export default defineConfig({ plugins: [sveltekit()] });
    `,
    "wrangler.json": JSON.stringify({
      name: "app",
      main: ".svelte-kit/cloudflare/_worker.js",
      compatibility_date: COMPATIBILITY_DATE,
      compatibility_flags: ["nodejs_als"],
      assets: { binding: "ASSETS", directory: ".svelte-kit/cloudflare" },
    }),
    "src/app.html": `<!doctype html><head>%sveltekit.head%</head><body>%sveltekit.body%</body>`,
    "src/routes/+page.svelte": `<p>A page</p>`,
    "src/routes/api/+server.js": `
      import { json } from "@sveltejs/kit";
      import { answer } from "../../../answer.mjs";
      export const POST = async ({ request }) => json(await answer(await request.json()));
    `,
  });
  await runBuild(cwd, [command("sveltekit", "vite/bin/vite.js"), "build"]);
  await assertWorkerStores(t, await uploaded(cwd), "/api", { flags: ["nodejs_als"] });
});
