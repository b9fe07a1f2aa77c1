// What the README tells someone who has never seen this package, done to the letter: in a bare folder outside of the
// repository, with the package from its tarball, and the files that the README names. Only wrangler and Vite, which such
// a person installs from npm, are those of the tests.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, it } from "node:test";
import { node } from "../support/binaries.mjs";
import { KEYS, startBackends } from "../support/backends.mjs";
import { chromium } from "../support/browsers.mjs";
import { runToEnd, start, until } from "../support/child.mjs";
import { packedPackage, testsDir } from "../support/package.mjs";
import { assertQuiet, bundleWorker, startWorker } from "../support/workerd.mjs";
import { blocksRunBy, documents } from "./documents.mjs";

const COMPATIBILITY_DATE = "2026-10-01";

/** @type {string} */
let home;
/** @type {Awaited<ReturnType<typeof startBackends>>} */
let backends;
/** @type {Record<string, string>} */
let env;
before(async () => {
  home = await mkdtemp(join(tmpdir(), "new-user-"));
  await writeFile(join(home, "package.json"), "{}");
  const { tarball } = await packedPackage();
  const args = ["install", tarball, "--no-audit", "--no-fund", "--loglevel=error"];
  const { code, stderr } = await runToEnd("npm", args, { cwd: home });
  assert.equal(code, 0, stderr);
  await symlink(join(testsDir, "node_modules", "vite"), join(home, "node_modules", "vite"));

  backends = await startBackends();
  env = {
    HH_API_KEY: KEYS.main,
    HH_API_URL: backends.v1.url,
    HH_RELAY_SECRET: "thirty-two characters, or rather more",
  };
  const readme = (await documents()).find(({ path }) => path === "README.md");
  for (const { comment, text } of readme?.blocks ?? []) {
    if (comment["new-user"]) await write(comment["new-user"], text);
  }
});
after(async () => {
  await backends.close();
  await rm(home, { recursive: true, force: true });
});

/**
 * @param {string} path
 * @param {string} text
 */
async function write(path, text) {
  await mkdir(dirname(join(home, path)), { recursive: true });
  await writeFile(join(home, path), text);
}

/**
 * @param {string} name of the session
 * @param {(event: any) => boolean} isWhole
 * @param {number} [timeoutMs]
 */
const session = (name, isWhole, timeoutMs = 30_000) =>
  until(
    async () => {
      const events = (await backends.v1.sessions()).map((/** @type {any} */ { event }) => event);
      return events.find(
        (/** @type {any} */ event) => event.session_name === name && isWhole(event),
      );
    },
    { what: `the session "${name}"`, timeoutMs },
  );

/**
 * @param {import("node:test").TestContext} t
 * @param {string} folder
 */
async function worker(t, folder) {
  const bundle = await bundleWorker(join(home, folder), [], "src/index.ts");
  const running = await startWorker(bundle, {
    compatibilityDate: COMPATIBILITY_DATE,
    bindings: env,
  });
  t.after(running.stop);
  return running;
}

for (const version of ["20", "26"]) {
  it(`the script, in Node ${version}`, async () => {
    const { code, stdout, stderr } = await runToEnd(node(version), ["chat.mjs"], {
      cwd: home,
      env,
    });
    assert.deepEqual([code, stdout, stderr], [0, "delivered\n", ""]);
    const event = await session("chat", () => true);
    assert.deepEqual(event.metadata, { plan: "pro" });
    assert.deepEqual(event.feedback, { rating: 5 });
    assert.deepEqual(event.metrics, { tokens: 812, cost: 0.004 });
    await backends.v1.reset();
  });
}

it("the Worker", async (t) => {
  const { url, output } = await worker(t, "worker");
  assert.equal(await (await fetch(`${url}/hello`)).text(), "ok");
  const { metadata } = await session("worker", (event) => event.metadata.path !== undefined);
  assert.deepEqual(metadata, { path: "/hello" });
  assertQuiet(output);
});

it("the page, its relay and Vite", async (t) => {
  const { url, output } = await worker(t, "relay");
  const [config] = await blocksRunBy("tests/docs/new-user.test.mjs");
  const here = config.text.replaceAll("http://127.0.0.1:8787", url);
  assert.notEqual(here, config.text, "the Worker is where wrangler would serve it");
  await write("page/vite.config.ts", here);
  const vite = join(home, "node_modules", "vite", "bin", "vite.js");
  const args = [vite, "--host", "127.0.0.1", "--port", "0"];
  const server = start(process.execPath, args, {
    cwd: join(home, "page"),
    env: { NO_COLOR: "1" },
  });
  t.after(() => server.stop());
  const address = await until(() => /http:\/\/127\.0\.0\.1:\d+/.exec(server.output.stdout)?.[0], {
    what: `Vite\n${server.output.stderr}`,
  });
  const browser = await chromium();
  t.after(() => browser.quit());
  await browser.visit(address);
  // A click that comes before the page has its ticket is nobody's.
  const rated = async () => {
    await browser.press("#good");
    return session("page", ({ feedback: { rating } }) => rating !== undefined, 1000).catch(
      () => undefined,
    );
  };
  const { metadata, feedback } = await until(rated, { what: "a rating" }).catch(() =>
    assert.fail(`${browser.console()}\n${server.output.stdout}${server.output.stderr}`),
  );
  assert.deepEqual({ metadata, feedback }, { metadata: { from: "page" }, feedback: { rating: 5 } });
  assertQuiet(output);
  assert.doesNotMatch(browser.console(), /error|honeyhive/i);
});
