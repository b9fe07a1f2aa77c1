// Next.js in a Worker, by OpenNext: built as for a deployment, with what docs/deployment.md has for it and without.

import assert from "node:assert/strict";
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { blocksRunBy } from "../../docs/documents.mjs";
import { startBackends } from "../../support/backends.mjs";
import { runToEnd } from "../../support/child.mjs";
import { consumer, testsDir } from "../../support/package.mjs";
import { startWorker } from "../../support/workerd.mjs";
import { ANSWER, askAt, assertDisabled, assertStores, command } from "../framework.mjs";

const [documented] = await blocksRunBy("tests/frameworks/opennext/opennext.test.mjs");

const compatibilityDate = "2025-07-15";
const flags = ["nodejs_compat"];
const next = join(testsDir, "node_modules/next/dist/bin/next");

/** @param {string} config next.config's default export */
const files = (config) => ({
  "package.json": JSON.stringify({
    name: "opennext",
    private: true,
    scripts: { build: `node ${next} build` },
    dependencies: { "honeyhive-edge": "*", next: "*", react: "*", "react-dom": "*" },
  }),
  "settings.mjs": config,
  // Next and React are in tests/node_modules, above the project.
  "next.config.mjs": `
    import settings from "./settings.mjs";
    export default {
      ...settings,
      turbopack: { root: ${JSON.stringify(testsDir)} },
      outputFileTracingRoot: ${JSON.stringify(testsDir)},
    };
  `,
  "open-next.config.ts": `
    import { defineCloudflareConfig } from "@opennextjs/cloudflare";
    export default defineCloudflareConfig({});
  `,
  "wrangler.json": JSON.stringify({
    name: "worker",
    main: ".open-next/worker.js",
    compatibility_date: compatibilityDate,
    compatibility_flags: flags,
    assets: { directory: ".open-next/assets", binding: "ASSETS" },
  }),
  "answer.mjs": ANSWER,
  "app/layout.js": `
    export default ({ children }) => <html lang="en"><body>{children}</body></html>;
  `,
  "app/page.js": `export default () => <p>A page</p>;`,
  "app/api/route.js": `
    import { answer } from "../../answer.mjs";
    export const POST = async (request) => Response.json(await answer(await request.json()));
  `,
});

/**
 * @param {string} name
 * @param {string} config
 * @returns {Promise<string>} the folder with the Worker
 */
async function built(name, config) {
  const cwd = await consumer(`opennext-${name}`, files(config));
  await mkdir(join(cwd, "node_modules/@opennextjs"));
  for (const each of ["aws", "cloudflare"]) {
    const path = `@opennextjs/${each}`;
    await symlink(command("opennext", path), join(cwd, "node_modules", path));
  }
  const opennext = command("opennext", "@opennextjs/cloudflare/dist/cli/index.js");
  const wrangler = join(testsDir, "node_modules/wrangler/bin/wrangler.js");
  for (const args of [
    [opennext, "build"],
    [wrangler, "deploy", "--dry-run", "--outdir", "dist"],
  ]) {
    const { code, stdout, stderr } = await runToEnd(process.execPath, args, {
      cwd,
      env: { NEXT_TELEMETRY_DISABLED: "1", WRANGLER_SEND_METRICS: "false", CI: "1", NO_COLOR: "1" },
      timeoutMs: 400_000,
    });
    assert.equal(code, 0, `${stdout}\n${stderr}`);
  }
  return join(cwd, "dist");
}

describe("Next.js by OpenNext, in workerd", { concurrency: 1 }, () => {
  it("stores with the documented setting", async (t) => {
    const worker = await startWorker(await built("with", documented.text), {
      compatibilityDate,
      flags,
    });
    t.after(() => worker.stop());
    const backends = await startBackends();
    t.after(() => backends.close());
    await assertStores(askAt(`${worker.url}/api`), backends);
  });

  it("names that setting without it", async (t) => {
    const worker = await startWorker(await built("without", "export default {};"), {
      compatibilityDate,
      flags,
    });
    t.after(() => worker.stop());
    const backends = await startBackends();
    t.after(() => backends.close());
    await assertDisabled(askAt(`${worker.url}/api`), backends, /serverExternalPackages/);
  });
});
