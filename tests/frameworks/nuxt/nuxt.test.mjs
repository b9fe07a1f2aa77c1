// Nuxt: a server route, in Node and in workerd, and a page in Chromium. Nitro's own tests are beside the folder.

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkReport } from "../../scenarios/check.mjs";
import { startBackends } from "../../support/backends.mjs";
import { node } from "../../support/binaries.mjs";
import { start, until } from "../../support/child.mjs";
import { pageScript, reportOfChromium } from "../../support/site.mjs";
import {
  application,
  askAt,
  assertStores,
  assertWorkerStores,
  command,
  freePort,
  runBuild,
} from "../framework.mjs";

const names = ["guide", "fields"];

const files = {
  "package.json": JSON.stringify({ name: "app", private: true, type: "module" }),
  // docs/deployment.md has the same settings, for Nitro by itself.
  "nuxt.config.ts": `
    export default defineNuxtConfig({
      compatibilityDate: "2025-07-15",
      nitro: { experimental: { wasm: true } },
    });
  `,
  "tsconfig.json": JSON.stringify({ extends: "./.nuxt/tsconfig.json" }),
  "server/api/ask.post.mjs": `
    import { defineEventHandler, readBody } from "h3";
    import { answer } from "../../answer.mjs";
    export default defineEventHandler(async (event) => answer(await readBody(event)));
  `,
  "app/app.vue": "<template><p>A page</p></template>",
  "page.mjs": pageScript("honeyhive-edge").replace("void main();", ""),
  "app/plugins/record.client.mjs": `
    import { main } from "../../page.mjs";
    export default defineNuxtPlugin(() => void main());
  `,
};

/** @param {string} preset */
async function built(preset) {
  const cwd = await application("nuxt", preset, files);
  const nuxt = command("nuxt", "nuxt/bin/nuxt.mjs");
  const said = await runBuild(cwd, [nuxt, "build", "--preset", preset], {
    NUXT_TELEMETRY_DISABLED: "1",
  });
  assert.doesNotMatch(said, /honeyhive-edge/, "the build is quiet about it");
  return cwd;
}

describe("Nuxt", { concurrency: 1 }, () => {
  it("node_server, in Node", async (t) => {
    const cwd = await built("node_server");
    const env = { NITRO_PORT: String(await freePort()), NITRO_HOST: "127.0.0.1" };
    const server = start(node("24"), [".output/server/index.mjs"], { cwd, env });
    t.after(() => server.stop());
    const url = await until(() => /http:\/\/[\d.]+:\d+/.exec(server.output.stdout)?.[0], {
      what: "the server to listen",
    });
    const backends = await startBackends();
    t.after(() => backends.close());
    await assertStores(askAt(`${url}/api/ask`), backends);
    assert.match(await (await fetch(url)).text(), /A page/);
  });

  it("cloudflare_module, in workerd", async (t) => {
    const cwd = await built("cloudflare_module");
    await assertWorkerStores(t, join(cwd, ".output/server"), "/api/ask", { main: "index.mjs" });
  });

  it("static, in Chromium", async (t) => {
    const cwd = await built("static");
    const backends = await startBackends();
    t.after(() => backends.close());
    const wanted = { names, params: backends.params };
    const report = await reportOfChromium(t, join(cwd, ".output/public"), wanted);
    await checkReport(t, report, { names, backends });
  });
});
