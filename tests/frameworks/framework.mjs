// What the tests of frameworks have in common: an application of each answers requests by the same function, and the
// local backend has to have what each request said, in a session of its own.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { KEYS, startBackends } from "../support/backends.mjs";
import { node } from "../support/binaries.mjs";
import { runToEnd, until } from "../support/child.mjs";
import { consumer, testsDir } from "../support/package.mjs";
import { assertQuiet, startWorker } from "../support/workerd.mjs";

/** The module that each application has its route call. */
export const ANSWER = `
  import { enrichSession, initTracer, withSession } from "honeyhive-edge";

  const pause = () => new Promise((resolve) => setTimeout(resolve, 1));

  export async function answer({ options, number, leaves }) {
    if (leaves) {
      const { sessionId } = await initTracer(options);
      await pause();
      // Delivered after the answer.
      enrichSession({ metadata: { number } });
      return { sessionId };
    }
    return withSession(options, async ({ sessionId }) => {
      await pause();
      return { sessionId, delivery: await enrichSession({ metadata: { number } }) };
    });
  }
`;

/** Of a project with JavaScript: without it, its files are taken for the parts of a project above. */
const TSCONFIG = JSON.stringify({ compilerOptions: { allowJs: true }, include: ["**/*"] });

/** Requests at once: each other one leaves its delivery to what comes after the answer. */
const REQUESTS = 6;

/** @param {string} framework a folder beside this file */
export const folderOf = (framework) => fileURLToPath(new URL(framework, import.meta.url));

/**
 * A project with the package, answer.mjs, the files given, and the packages that are installed for the framework.
 * @param {string} framework
 * @param {string} name
 * @param {Record<string, string>} files content by path
 */
export function application(framework, name, files) {
  // Some look for a tsconfig.json in the folders above, and would find this repository's.
  const own = { "answer.mjs": ANSWER, "tsconfig.json": TSCONFIG, ...files };
  return consumer(name, own, folderOf(framework));
}

/**
 * A command of one of the framework's packages.
 * @param {string} framework
 * @param {string} path inside node_modules
 */
export const command = (framework, path) => join(folderOf(framework), "node_modules", path);

/**
 * @param {string} url of the route
 * @returns {(what: unknown) => Promise<any>}
 */
export function askAt(url) {
  return async (what) => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(what),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    return JSON.parse(text);
  };
}

/** @param {import("../support/backends.mjs").Backends} backends */
const optionsFor = ({ v1 }) => ({
  apiKey: KEYS.main,
  serverUrl: v1.url,
  project: "project",
  sessionName: "framework",
});

/**
 * Every request's session has what it said, and nothing of the others'.
 * @param {(what: unknown) => Promise<any>} ask
 * @param {import("../support/backends.mjs").Backends} backends
 */
export async function assertStores(ask, backends) {
  const options = optionsFor(backends);
  const numbers = Array.from({ length: REQUESTS }, (_, number) => number);
  await Promise.all(
    numbers.map(async (number) => {
      const leaves = number % 2 === 1;
      const { sessionId, delivery } = await ask({ options, number, leaves });
      if (!leaves) assert.equal(delivery.status, "delivered", JSON.stringify(delivery));
      const stored = await until(
        async () => {
          const session = await backends.v1.session(sessionId).catch(() => undefined);
          return session?.metadata?.number === undefined ? undefined : session;
        },
        { what: `the metadata of session ${sessionId}` },
      );
      assert.equal(stored.metadata.number, number);
    }),
  );
  assert.equal((await backends.v1.sessions()).length, REQUESTS);
}

/**
 * Nothing is sent, and both the outcome and the answer say why.
 * @param {(what: unknown) => Promise<any>} ask
 * @param {import("../support/backends.mjs").Backends} backends
 * @param {RegExp} why
 */
export async function assertDisabled(ask, backends, why) {
  const { delivery } = await ask({ options: optionsFor(backends), number: 0 });
  assert.deepEqual([delivery.status, delivery.reason], ["dropped", "disabled"]);
  assert.match(delivery.message, why);
  assert.deepEqual(await backends.v1.requests(), []);
}

/** The compatibility date of the frameworks' Workers. */
export const COMPATIBILITY_DATE = "2025-07-15";

/**
 * Builds an application, as its framework's template does, in the newest Node, which some frameworks ask for.
 * @param {string} cwd
 * @param {string[]} args of Node
 * @param {Record<string, string>} [env]
 */
export async function runBuild(cwd, args, env = {}) {
  const { code, stdout, stderr } = await runToEnd(node("24"), args, {
    cwd,
    env: {
      CI: "1",
      NO_COLOR: "1",
      NODE_ENV: "production",
      WRANGLER_SEND_METRICS: "false",
      ASTRO_TELEMETRY_DISABLED: "1",
      NEXT_TELEMETRY_DISABLED: "1",
      NG_CLI_ANALYTICS: "false",
      ...env,
    },
    timeoutMs: 400_000,
  });
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  return stdout + stderr;
}

/**
 * What `wrangler deploy` would upload, by the project's own configuration.
 * @param {string} cwd
 * @param {string} [config] wrangler's, where the build made another
 * @returns {Promise<string>} the folder with the Worker
 */
export async function uploaded(cwd, config = "wrangler.json") {
  const wrangler = join(testsDir, "node_modules/wrangler/bin/wrangler.js");
  await runBuild(cwd, [wrangler, "deploy", "--dry-run", "--outdir", "upload", "--config", config]);
  return join(cwd, "upload");
}

/**
 * The Worker's route stores what it is told, and workerd has nothing to complain of.
 * @param {import("node:test").TestContext} t
 * @param {string} folder
 * @param {string} path of the route
 * @param {Partial<import("../support/workerd.mjs").WorkerOptions>} [options]
 */
export async function assertWorkerStores(t, folder, path, options = {}) {
  const backends = await startBackends();
  t.after(() => backends.close());
  const worker = await startWorker(folder, { compatibilityDate: COMPATIBILITY_DATE, ...options });
  t.after(() => worker.stop());
  await assertStores(askAt(worker.url + path), backends).catch((error) =>
    assert.fail(`${error}\n${worker.output.stdout}\n${worker.output.stderr}`),
  );
  assertQuiet(worker.output);
}

/** A port that nobody listens at, for servers that do not say which one they chose. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  await new Promise((resolve) => server.close(resolve));
  return port;
}
