// The Worker under test in real workerd: in the configurations that are promised, and without each of
// the things by which the package tells requests apart, to prove that the others are enough.

import assert from "node:assert/strict";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { KEYS, startBackends } from "../support/backends.mjs";
import { consumer } from "../support/package.mjs";
import { bundleWorker, startWorker } from "../support/workerd.mjs";

/** @type {Record<string, import("../support/workerd.mjs").WorkerOptions>} */
export const CONFIGURATIONS = {
  "2025-01-01": { compatibilityDate: "2025-01-01" },
  "2025-01-01 with nodejs_als": { compatibilityDate: "2025-01-01", flags: ["nodejs_als"] },
  "2026-11-01": { compatibilityDate: "2026-11-01" },
};

/**
 * What is left of the module "cloudflare:workers" for the package to find. Which of it there is, and
 * that a request has one span object, was observed and is documented nowhere.
 */
export const LEFT = {
  "without spans": ["waitUntil", "env", "withEnv"],
  "without withEnv": ["waitUntil", "env", "tracing"],
  "by markers alone": ["waitUntil", "env"],
};

/** The files of this folder that a Worker consists of. */
const FILES = ["requests.mjs", "conversation.mjs", "worker.mjs"];

/**
 * @param {string} name of the project, one for each test file
 * @param {Record<string, string>} [more] files beside
 */
export async function bundled(name, more = {}) {
  const read = async (/** @type {string} */ file) => [
    file,
    await readFile(fileURLToPath(new URL(file, import.meta.url)), "utf8"),
  ];
  const files = Object.fromEntries(await Promise.all(FILES.map(read)));
  return bundleWorker(await consumer(name, { ...files, ...more }));
}

/**
 * The same bundle, in which the package finds only so much of the runtime's module.
 * @param {string} bundle
 * @param {string} name
 * @param {string[]} left
 */
export async function reduced(bundle, name, left) {
  const folder = join(bundle, "..", name.replaceAll(" ", "-"));
  await cp(bundle, folder, { recursive: true });
  const file = join(folder, "worker.js");
  const source = await readFile(file, "utf8");
  const given = /^(?!function ).*\bworkersPlatform\((\w+)\)/m.exec(source)?.[1];
  const whole = `import * as ${given} from "cloudflare:workers";`;
  assert.equal(source.split(whole).length, 2, "the package imports it otherwise");
  await writeFile(file, source.replace(whole, whole.replace("cloudflare:workers", "left.js")));
  const exports = `export { ${left.join(", ")} } from "cloudflare:workers";`;
  await writeFile(join(folder, "left.js"), exports);
  return folder;
}

/** Milliseconds that the backend takes to answer. */
const BACKEND_MS = 50;

/**
 * The Worker, and the backend it writes to.
 * @param {import("node:test").TestContext} t
 * @param {string} bundle
 * @param {import("../support/workerd.mjs").WorkerOptions} options
 */
export async function served(t, bundle, options) {
  const backends = await startBackends();
  t.after(() => backends.close());
  const { v1 } = backends;
  const { url, output, stop, pid } = await startWorker(bundle, {
    ...options,
    durableObjects: ["Conversation"],
    bindings: { HH_API_KEY: KEYS.main, HH_API_URL: v1.url },
  });
  t.after(stop);
  await v1.faults([{ delayMs: BACKEND_MS }]);
  /**
   * @param {string} way
   * @param {{ options?: object, [name: string]: unknown }} what
   * @param {RequestInit} [init]
   */
  const request = (way, what, init) =>
    fetch(`${url}/${encodeURIComponent(way)}`, {
      method: "POST",
      body: JSON.stringify({ ...what, options: { sessionName: way, ...what.options } }),
      ...init,
    });
  return {
    url,
    backend: v1,
    backends,
    output,
    pid,
    request,
    /**
     * The Worker's answer to a request of that kind, as JSON.
     * @param {string} way
     * @param {{ options?: object, [name: string]: unknown }} what
     */
    async answer(way, what) {
      const response = await request(way, what, { signal: AbortSignal.timeout(60_000) });
      const text = await response.text();
      assert.equal(response.status, 200, `${text}\n${output.stdout}\n${output.stderr}`);
      return JSON.parse(text);
    },
  };
}
