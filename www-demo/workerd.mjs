// Runs a bundled Worker in workerd, the runtime of Cloudflare Workers, on a port of 127.0.0.1.
// Knows how to start and stop the process; what the Worker does is its own affair.

import { spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

/** @type {string} */
const WORKERD = createRequire(import.meta.url)("workerd").default;

/** The demo shows that the package asks for nothing newer and for no flag. */
const COMPATIBILITY_DATE = "2025-01-01";
const START_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 3_000;

/**
 * @typedef {object} WorkerdOptions
 * @property {string} folder Where the modules are; the configuration is written there.
 * @property {string[]} modules File names, the main module first.
 * @property {number} [port] Of 127.0.0.1; 0, which is what it is unless given, takes a free one.
 * @property {"none" | "local" | "all"} [reach] Whether the Worker may talk to nobody (unless otherwise said), this machine, or all.
 * @property {Record<string, string>} [env] Handed over in the process's environment, so that no key is written to disk.
 * @property {Record<string, string>} [services] host:port by binding.
 * @property {Record<string, string>} [objects] Durable Objects' classes by binding; kept in SQLite, in `folder`.
 * @property {string[]} [flags] Compatibility flags.
 * @property {(reason: string) => void} [onDeath] Called if the process ends by itself.
 */

const REACH = { none: [], local: ["local"], all: ["public", "private", "local"] };

/** @param {string[]} items */
const list = (items) => `[\n    ${items.join(",\n    ")}\n  ]`;

/** @param {WorkerdOptions} options @param {string} storage A folder. */
function configuration(options, storage) {
  const {
    modules,
    port = 0,
    reach = "none",
    env = {},
    services = {},
    objects = {},
    flags = [],
  } = options;
  const embedded = modules.map((name) => {
    const kind = name.endsWith(".wasm") ? "wasm" : "esModule";
    return `(name = "${name}", ${kind} = embed "${name}")`;
  });
  const externals = Object.entries(services).map(
    ([name, address]) => `(name = "${name}", external = (address = "${address}", http = ()))`,
  );
  const bindings = [
    ...Object.keys(env).map((name) => `(name = "${name}", fromEnvironment = "${name}")`),
    ...Object.keys(services).map((name) => `(name = "${name}", service = "${name}")`),
    ...Object.entries(objects).map(
      ([name, kind]) => `(name = "${name}", durableObjectNamespace = "${kind}")`,
    ),
  ];
  // What an object holds in memory is not to go with it when it rests.
  const namespaces = Object.values(objects).map(
    (kind) =>
      `(className = "${kind}", uniqueKey = "honeyhive-edge-demo-${kind}", enableSql = true, preventEviction = true)`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = ${list([
    `(name = "main", worker = .main)`,
    ...externals,
    // SQLite is on disk here, or not at all.
    `(name = "storage", disk = (path = ${JSON.stringify(storage)}, writable = true))`,
    `(name = "internet", network = (allow = ${JSON.stringify(REACH[reach])}, tlsOptions = (trustBrowserCas = true)))`,
  ])},
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);

const main :Workerd.Worker = (
  modules = ${list(embedded)},
  compatibilityDate = "${COMPATIBILITY_DATE}",
  compatibilityFlags = ${JSON.stringify(flags)},
  bindings = ${list(bindings)},
  durableObjectNamespaces = ${list(namespaces)},
  durableObjectStorage = (localDisk = "storage"),
);
`;
}

/**
 * @param {WorkerdOptions} options
 * @returns {Promise<{ url: string, close(): Promise<void> }>}
 */
export async function startWorkerd(options) {
  const storage = `${options.folder}/storage`;
  await mkdir(storage);
  await writeFile(`${options.folder}/config.capnp`, configuration(options, storage));
  const child = spawn(WORKERD, ["serve", "config.capnp", "--control-fd=3"], {
    cwd: options.folder,
    env: { ...options.env, PATH: process.env.PATH },
    stdio: ["ignore", "inherit", "inherit", "pipe"],
    // A group of its own: Ctrl-C reaches only the demo, which stops workerd once nothing needs it.
    detached: true,
  });
  let closing = false;
  const killNow = () => child.kill("SIGKILL");
  process.once("exit", killNow);
  const ended = new Promise((resolve) => {
    child.once("error", (error) => resolve(`workerd could not be started: ${error.message}`));
    child.once("exit", (code, signal) =>
      resolve(`workerd ended by itself (${signal ?? `exit code ${code}`}).`),
    );
  });
  void ended.then(() => process.off("exit", killNow));

  async function close() {
    closing = true;
    child.kill("SIGTERM");
    const limit = setTimeout(killNow, STOP_LIMIT_MS);
    await ended;
    clearTimeout(limit);
  }

  let limit;
  try {
    const port = await new Promise((resolve, reject) => {
      limit = setTimeout(
        () => reject(new Error("workerd did not start listening.")),
        START_LIMIT_MS,
      );
      const control = /** @type {import("node:stream").Readable} */ (child.stdio[3]);
      createInterface({ input: control }).on("line", (line) => {
        const event = JSON.parse(line);
        if (event.event === "listen" && event.socket === "http") resolve(event.port);
      });
      void ended.then((reason) => reject(new Error(reason)));
    });
    void ended.then((reason) => closing || options.onDeath?.(reason));
    return { url: `http://127.0.0.1:${port}`, close };
  } catch (error) {
    await close();
    throw error;
  } finally {
    clearTimeout(limit);
  }
}
