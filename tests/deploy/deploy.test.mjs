// The demo as it is deployed: wrangler takes its configuration as it is, and what wrangler makes of it, run
// locally with Cloudflare's queue between, stores a whole conversation in a HoneyHive named by the environment.

import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startBackend } from "../../www-demo/backend/server.mjs";
import { runToEnd, start, until } from "../support/child.mjs";

const DEMO = fileURLToPath(new URL("../../www-demo", import.meta.url));
const WRANGLER = join(
  createRequire(import.meta.url).resolve("wrangler/package.json"),
  "../bin/wrangler.js",
);
const KEY = "hh_key_of_the_deployed";
const SECRET = "a-secret-of-this-test-with-32-characters-or-more";

/** @type {string} */
let folder;
/** @type {Record<string, string>} */
let env;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "deploy-"));
  env = {
    HOME: folder,
    XDG_CONFIG_HOME: folder,
    CI: "1",
    WRANGLER_SEND_METRICS: "false",
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
  };
});
after(() => rm(folder, { recursive: true, force: true }));

test("wrangler deploy takes it as it is", async () => {
  const outdir = join(folder, "deployed");
  const { code, stdout, stderr } = await runToEnd(
    process.execPath,
    [WRANGLER, "deploy", "--dry-run", "--outdir", outdir],
    { cwd: DEMO, env, timeoutMs: 120_000 },
  );
  assert.equal(code, 0, stdout + stderr);
  assert.doesNotMatch(stdout + stderr, /WARNING|ERROR/);
  for (const binding of [
    /CONVERSATIONS .*Durable Object/,
    /ENRICHMENTS .*Queue/,
    /ASSETS .*Assets/,
  ]) {
    assert.match(stdout, binding);
  }
  const files = (await readdir(outdir)).join(" ");
  for (const module of ["index.js", "-core.wasm", "-relay.wasm", "-otel.wasm"]) {
    assert.ok(files.includes(module), `${module} among ${files}`);
  }
});

test("what is deployed stores a conversation in HoneyHive, by way of its queue", async (t) => {
  const honeyhive = await startBackend();
  t.after(() => honeyhive.close());
  await fetch(`${honeyhive.url}/_local/mode`, {
    method: "PUT",
    body: JSON.stringify({ keys: [KEY], routes: "v1" }),
  });
  const vars = { HH_API_KEY: KEY, HH_API_URL: honeyhive.url, HH_RELAY_SECRET: SECRET };
  const wrangler = start(
    process.execPath,
    [
      WRANGLER,
      "dev",
      "--ip=127.0.0.1",
      "--port=0",
      "--inspector-port=0",
      `--persist-to=${join(folder, "state")}`,
      "--show-interactive-dev-session=false",
      ...Object.entries(vars).flatMap(([name, value]) => ["--var", `${name}:${value}`]),
    ],
    { cwd: DEMO, env },
  );
  t.after(() => wrangler.stop());
  const said = () => wrangler.output.stdout + wrangler.output.stderr;
  const url = await until(() => /Ready on (http:\S+)/.exec(said())?.[1], {
    timeoutMs: 90_000,
    what: "wrangler dev",
  });
  const page = await fetch(url);
  assert.match(await page.text(), /<title>Honey shop chat/);
  assert.match(page.headers.get("content-security-policy") ?? "", /default-src 'none'/);

  // Only now: it imports honeyhive-edge, which the build made resolvable.
  const { playConversation } = await import("../../www-demo/script.mjs");
  const { missingFrom } = await import("../../www-demo/check-session.mjs");
  const played = await playConversation(url, () => {});
  let missing = [""];
  await until(
    async () => {
      const answer = await fetch(`${honeyhive.url}/v1/sessions/${played.sessionId}`, {
        headers: { authorization: `Bearer ${KEY}` },
      });
      missing = missingFrom(await answer.json(), played);
      return missing.length === 0;
    },
    { timeoutMs: 40_000, what: "the queue" },
  ).catch(() => assert.deepEqual(missing, [], said()));
});
