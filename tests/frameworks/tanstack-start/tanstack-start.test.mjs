// TanStack Start in a Worker, by Cloudflare's plugin for Vite.

import { join } from "node:path";
import { it } from "node:test";
import {
  COMPATIBILITY_DATE,
  application,
  assertWorkerStores,
  command,
  runBuild,
} from "../framework.mjs";

it("TanStack Start, in workerd", async (t) => {
  const cwd = await application("tanstack-start", "app", {
    "package.json": JSON.stringify({ name: "app", private: true, type: "module" }),
    "vite.config.js": `
      import { cloudflare } from "@cloudflare/vite-plugin";
      import { tanstackStart } from "@tanstack/react-start/plugin/vite";
      import react from "@vitejs/plugin-react";
      import { defineConfig } from "vite";
      export default defineConfig({
        plugins: [cloudflare({ viteEnvironment: { name: "ssr" } }), tanstackStart(), react()],
      });
    `,
    "wrangler.json": JSON.stringify({
      name: "app",
      main: "@tanstack/react-start/server-entry",
      compatibility_date: COMPATIBILITY_DATE,
      compatibility_flags: ["nodejs_compat"],
    }),
    "src/router.jsx": `
      import { createRouter } from "@tanstack/react-router";
      import { routeTree } from "./routeTree.gen";
      export const getRouter = () => createRouter({ routeTree });
    `,
    "src/routes/__root.jsx": `
      import { createRootRoute, HeadContent, Outlet, Scripts } from "@tanstack/react-router";
      export const Route = createRootRoute({
        component: () => (
          <html lang="en"><head><HeadContent /></head><body><Outlet /><Scripts /></body></html>
        ),
      });
    `,
    "src/routes/index.jsx": `
      import { createFileRoute } from "@tanstack/react-router";
      export const Route = createFileRoute("/")({ component: () => <p>A page</p> });
    `,
    "src/routes/api.js": `
      import { createFileRoute } from "@tanstack/react-router";
      import { answer } from "../../answer.mjs";
      const POST = async ({ request }) => Response.json(await answer(await request.json()));
      export const Route = createFileRoute("/api")({ server: { handlers: { POST } } });
    `,
  });
  await runBuild(cwd, [command("tanstack-start", "vite/bin/vite.js"), "build"]);
  await assertWorkerStores(t, join(cwd, "dist/server"), "/api", {
    main: "index.js",
    flags: ["nodejs_compat"],
  });
});
