// Nitro 3, which names all edge runtimes at once as Nitro 2 does, with the setting of docs/deployment.md.

import { join } from "node:path";
import { it } from "node:test";
import { blocksRunBy } from "../../docs/documents.mjs";
import { application, assertWorkerStores, command, runBuild } from "../framework.mjs";

const [documented] = await blocksRunBy("tests/frameworks/nitro.test.mjs");

it("Nitro 3, in workerd", async (t) => {
  const cwd = await application("nitro3", "app", {
    "package.json": JSON.stringify({ name: "app", private: true, type: "module" }),
    "settings.mjs": documented.text,
    "nitro.config.mjs": `
      import settings from "./settings.mjs";
      // Its minifier is a package of its own.
      export default { ...settings, serverDir: "./", minify: false };
    `,
    "routes/index.mjs": `
      import { defineHandler } from "nitro/h3";
      import { answer } from "../answer.mjs";
      export default defineHandler(async (event) => answer(await event.req.json()));
    `,
  });
  const nitro = command("nitro3", "nitro/dist/cli/index.mjs");
  await runBuild(cwd, [nitro, "build", "--preset", "cloudflare_module"]);
  await assertWorkerStores(t, join(cwd, ".output/server"), "/", { main: "index.mjs" });
});
