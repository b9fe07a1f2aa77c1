// React Router 7 in a Worker, by Cloudflare's plugin for Vite.

import { join } from "node:path";
import { it } from "node:test";
import {
  COMPATIBILITY_DATE,
  application,
  assertWorkerStores,
  command,
  runBuild,
} from "../framework.mjs";

it("React Router 7, in workerd", async (t) => {
  const cwd = await application("react-router", "app", {
    "package.json": JSON.stringify({ name: "app", private: true, type: "module" }),
    "vite.config.js": `
      import { cloudflare } from "@cloudflare/vite-plugin";
      import { reactRouter } from "@react-router/dev/vite";
      import { defineConfig } from "vite";
      export default defineConfig({
        plugins: [cloudflare({ viteEnvironment: { name: "ssr" } }), reactRouter()],
      });
    `,
    "react-router.config.js": `
      export default { ssr: true, future: { v8_viteEnvironmentApi: true } };
    `,
    "wrangler.json": JSON.stringify({
      name: "app",
      main: "./workers/app.js",
      compatibility_date: COMPATIBILITY_DATE,
      compatibility_flags: ["nodejs_compat"],
    }),
    "workers/app.js": `
      import { createRequestHandler } from "react-router";
      const handle = createRequestHandler(() => import("virtual:react-router/server-build"), "production");
      export default { fetch: (request) => handle(request) };
    `,
    "app/routes.js": `
      import { index, route } from "@react-router/dev/routes";
      export default [index("routes/home.jsx"), route("api", "routes/api.js")];
    `,
    "app/root.jsx": `
      import { Outlet, Scripts } from "react-router";
      export default function Root() {
        return <html lang="en"><body><Outlet /><Scripts /></body></html>;
      }
    `,
    "app/entry.server.jsx": `
      import { renderToReadableStream } from "react-dom/server";
      import { ServerRouter } from "react-router";
      export default async function handle(request, status, headers, context) {
        const body = await renderToReadableStream(<ServerRouter context={context} url={request.url} />);
        headers.set("content-type", "text/html");
        return new Response(body, { status, headers });
      }
    `,
    "app/routes/home.jsx": `
      export default function Home() {
        return <p>A page</p>;
      }
    `,
    "app/routes/api.js": `
      import { answer } from "../../answer.mjs";
      export const action = async ({ request }) => Response.json(await answer(await request.json()));
    `,
  });
  await runBuild(cwd, [command("react-router", "@react-router/dev/bin.js"), "build"]);
  await assertWorkerStores(t, join(cwd, "build/server"), "/api", {
    main: "index.js",
    flags: ["nodejs_compat"],
  });
});
