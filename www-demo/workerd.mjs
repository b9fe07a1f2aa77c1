// Runs the bundled Worker in workerd, the runtime of Cloudflare Workers, on a port of 127.0.0.1.
// Knows how to start and stop the process; what the Worker does is its own affair.

import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
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
 * @property {number} port 0 takes a free one.
 * @property {string} assets host:port of the page's files.
 * @property {boolean} internet Whether the Worker may leave this machine.
 * @property {Record<string, string>} env Handed over in the process's environment, so that no key is written to disk.
 * @property {(reason: string) => void} onDeath Called if the process ends by itself.
 */

/** @param {WorkerdOptions} options */
function configuration({ modules, port, assets, internet, env }) {
  const embedded = modules.map((name) => {
    const kind = name.endsWith(".wasm") ? "wasm" : "esModule";
    return `(name = "${name}", ${kind} = embed "${name}")`;
  });
  const bindings = Object.keys(env).map(
    (name) => `(name = "${name}", fromEnvironment = "${name}")`,
  );
  const reach = internet ? `["public", "private", "local"]` : `["local"]`;
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "chat", worker = .chat),
    (name = "assets", external = (address = "${assets}", http = ())),
    (name = "internet", network = (allow = ${reach}, tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "chat")],
);

const chat :Workerd.Worker = (
  modules = [${embedded.join(", ")}],
  compatibilityDate = "${COMPATIBILITY_DATE}",
  bindings = [
    ${bindings.join(",\n    ")},
    (name = "ASSETS", service = "assets"),
    (name = "CONVERSATIONS", durableObjectNamespace = "Conversation"),
  ],
  durableObjectNamespaces = [(className = "Conversation", uniqueKey = "honeyhive-edge-demo-conversation")],
  durableObjectStorage = (inMemory = void),
);
`;
}

/**
 * @param {WorkerdOptions} options
 * @returns {Promise<{ url: string, close(): Promise<void> }>}
 */
export async function startWorkerd(options) {
  await writeFile(`${options.folder}/config.capnp`, configuration(options));
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
    void ended.then((reason) => closing || options.onDeath(reason));
    return { url: `http://127.0.0.1:${port}`, close };
  } catch (error) {
    await close();
    throw error;
  } finally {
    clearTimeout(limit);
  }
}
