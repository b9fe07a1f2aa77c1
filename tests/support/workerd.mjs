// Workers in the real workerd: bundled by wrangler as for a deployment, served on loopback.

import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startBackends } from "./backends.mjs";
import { workerd } from "./binaries.mjs";
import { runToEnd, start, until } from "./child.mjs";
import { testsDir } from "./package.mjs";

/**
 * What `wrangler deploy` would upload.
 * @param {string} project a consumer project with the Worker in it
 * @param {string[]} [compatibility_flags]
 * @param {string} [main] the Worker's file
 */
export async function bundleWorker(project, compatibility_flags = [], main = "worker.mjs") {
  const compatibility_date = "2025-01-01";
  await writeFile(
    join(project, "wrangler.json"),
    JSON.stringify({ name: "worker", main, compatibility_date, compatibility_flags }),
  );
  const wrangler = join(testsDir, "node_modules", "wrangler", "bin", "wrangler.js");
  const { code, stdout, stderr } = await runToEnd(
    process.execPath,
    [wrangler, "deploy", "--dry-run", "--outdir", "dist"],
    { cwd: project, env: { WRANGLER_SEND_METRICS: "false", CI: "1", NO_COLOR: "1" } },
  );
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  return join(project, "dist");
}

/**
 * @typedef {object} WorkerOptions
 * @property {string} compatibilityDate
 * @property {string[]} [flags]
 * @property {Record<string, string>} [bindings]
 * @property {string[]} [durableObjects] their classes; each is bound under its name
 * @property {string[]} [v8Flags]
 * @property {string} [main] the Worker's file; wrangler's by default
 * @property {boolean} [inspected] with V8's inspector, at the `inspector` that is returned
 */

/**
 * Beside the Worker's own paths there are /cdn-cgi/scheduled and, with messages as its body,
 * /cdn-cgi/queue, which call the Worker's other handlers.
 * @param {string} bundle
 * @param {WorkerOptions} options
 */
export async function startWorker(bundle, options) {
  const { compatibilityDate, flags = [], v8Flags = [], durableObjects = [], main } = options;
  const isMain = (/** @type {string} */ name) => (main ? name === main : isWorker(name));
  const modules = (await readdir(bundle, { recursive: true }))
    .filter((name) => /\.(m?js|wasm)$/.test(name))
    // The first one is the Worker.
    .sort((a, b) => Number(isMain(b)) - Number(isMain(a)))
    .map((name) => {
      const kind = name.endsWith(".wasm") ? "wasm" : "esModule";
      return `(name = ${quoted(name)}, ${kind} = embed ${quoted(name)})`;
    });
  const bindings = [
    ...Object.entries(options.bindings ?? {}).map(
      ([name, value]) => `(name = ${quoted(name)}, text = ${quoted(value)})`,
    ),
    ...durableObjects.map(
      (name) => `(name = ${quoted(name)}, durableObjectNamespace = ${quoted(name)})`,
    ),
  ];
  const namespaces = durableObjects.map(
    (name) => `(className = ${quoted(name)}, uniqueKey = ${quoted(name)})`,
  );
  const config = `using Workerd = import "/workerd/workerd.capnp";
    const config :Workerd.Config = (
      v8Flags = [${v8Flags.map(quoted).join(", ")}],
      services = [
        (name = "worker", worker = .worker),
        (name = "events", worker = .events),
        (name = "loopback", network = (allow = ["private"])),
      ],
      sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "events")],
    );
    const worker :Workerd.Worker = (
      modules = [${modules.join(", ")}],
      bindings = [${bindings.join(", ")}],
      durableObjectNamespaces = [${namespaces.join(", ")}],
      durableObjectStorage = (inMemory = void),
      compatibilityDate = ${quoted(compatibilityDate)},
      compatibilityFlags = [${flags.map(quoted).join(", ")}],
      globalOutbound = "loopback",
    );
    const events :Workerd.Worker = (
      modules = [(name = "events.js", esModule = ${quoted(EVENTS)})],
      bindings = [(name = "WORKER", service = "worker")],
      compatibilityDate = "2025-01-01",
      compatibilityFlags = ["service_binding_extra_handlers"],
    );`;
  const file = `config-${Math.random().toString(36).slice(2)}.capnp`;
  await writeFile(join(bundle, file), config);

  // Verbose: only so does it tell of exceptions that nobody caught.
  // Experimental: only so may one Worker call another's handler for a schedule or a queue.
  const args = ["serve", file, "--control-fd=3", "--verbose", "--experimental"];
  if (options.inspected) args.push("--inspector-addr=127.0.0.1:0");
  const child = start(workerd(), args, {
    cwd: bundle,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  let control = "";
  /** @type {any} */ (child.child.stdio[3]).on("data", (/** @type {Buffer} */ data) => {
    control += data;
  });
  const address = async (/** @type {RegExp} */ event) => {
    const port = await until(
      () => {
        assert.equal(child.child.exitCode, null, child.output.stderr);
        return event.exec(control)?.[1];
      },
      // The benchmark of cold starts waits for it, too.
      { what: "workerd to listen", everyMs: 2 },
    );
    return `127.0.0.1:${port}`;
  };
  return {
    url: `http://${await address(/"socket":"http","port":(\d+)/)}`,
    inspector: options.inspected
      ? await address(/"event":"listen-inspector","port":(\d+)/)
      : undefined,
    pid: /** @type {number} */ (child.child.pid),
    output: child.output,
    stop: () => child.stop(),
  };
}

/**
 * A Worker that takes JSON and answers with it, and backends for it.
 * @param {import("node:test").TestContext} t
 * @param {string} bundle
 * @param {WorkerOptions} options
 */
export async function served(t, bundle, options) {
  const backends = await startBackends();
  t.after(() => backends.close());
  const { url, output, stop } = await startWorker(bundle, options);
  t.after(stop);
  return {
    url,
    backends,
    output,
    /**
     * @param {string} path
     * @param {unknown} body
     */
    async post(path, body) {
      const response = await fetch(url + path, {
        method: "POST",
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(60_000),
      });
      const text = await response.text();
      assert.equal(response.status, 200, `${text}\n${output.stdout}\n${output.stderr}`);
      return JSON.parse(text);
    },
  };
}

/** In front of the Worker: what Cloudflare itself does where a schedule or a queue has something. */
const EVENTS = `
  export default {
    async fetch(request, { WORKER }) {
      const { pathname } = new URL(request.url);
      if (pathname === "/cdn-cgi/scheduled") {
        return Response.json(await WORKER.scheduled({ cron: "* * * * *", scheduledTime: new Date() }));
      }
      if (pathname === "/cdn-cgi/queue") {
        const messages = (await request.json()).map((body, n) => {
          return { id: String(n), timestamp: new Date(), body, attempts: 1 };
        });
        return Response.json(await WORKER.queue("queue", messages));
      }
      return WORKER.fetch(request);
    },
  };
`;

/**
 * What workerd says of exceptions that went uncaught and of requests that meddle with another's.
 * @param {{stderr: string, stdout: string}} output
 */
export function assertQuiet({ stderr, stdout }) {
  assert.doesNotMatch(
    stdout + stderr,
    /uncaught exception|different request|will never generate|hung/i,
  );
}

/** wrangler names it as its source. @param {string} name */
const isWorker = (name) => ["worker.js", "index.js"].includes(name);
const quoted = (/** @type {string} */ text) => JSON.stringify(text);
