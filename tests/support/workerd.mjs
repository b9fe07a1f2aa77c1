// Workers in the real workerd: bundled by wrangler as for a deployment, served on loopback.

import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { workerd } from "./binaries.mjs";
import { runToEnd, start, until } from "./child.mjs";
import { testsDir } from "./package.mjs";

/**
 * What `wrangler deploy` would upload.
 * @param {string} project a consumer project with worker.mjs in it
 * @param {string[]} [compatibility_flags]
 */
export async function bundleWorker(project, compatibility_flags = []) {
  const compatibility_date = "2025-01-01";
  await writeFile(
    join(project, "wrangler.json"),
    JSON.stringify({ name: "worker", main: "worker.mjs", compatibility_date, compatibility_flags }),
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
 * @param {string} bundle
 * @param {{compatibilityDate: string, flags?: string[], bindings?: Record<string, string>}} options
 */
export async function startWorker(bundle, { compatibilityDate, flags = [], bindings = {} }) {
  const names = await readdir(bundle);
  const modules = ["worker.js", ...names.filter((name) => name.endsWith(".wasm"))].map((name) => {
    const kind = name.endsWith(".wasm") ? "wasm" : "esModule";
    return `(name = ${quoted(name)}, ${kind} = embed ${quoted(name)})`;
  });
  const texts = Object.entries(bindings).map(
    ([name, value]) => `(name = ${quoted(name)}, text = ${quoted(value)})`,
  );
  const config = `using Workerd = import "/workerd/workerd.capnp";
    const config :Workerd.Config = (
      services = [
        (name = "worker", worker = .worker),
        (name = "loopback", network = (allow = ["private"])),
      ],
      sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "worker")],
    );
    const worker :Workerd.Worker = (
      modules = [${modules.join(", ")}],
      bindings = [${texts.join(", ")}],
      compatibilityDate = ${quoted(compatibilityDate)},
      compatibilityFlags = [${flags.map(quoted).join(", ")}],
      globalOutbound = "loopback",
    );`;
  const file = `config-${Math.random().toString(36).slice(2)}.capnp`;
  await writeFile(join(bundle, file), config);

  // Verbose: only so does it tell of exceptions that nobody caught.
  const child = start(workerd(), ["serve", file, "--control-fd=3", "--verbose"], {
    cwd: bundle,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  let control = "";
  /** @type {any} */ (child.child.stdio[3]).on("data", (/** @type {Buffer} */ data) => {
    control += data;
  });
  const port = await until(
    () => {
      assert.equal(child.child.exitCode, null, child.output.stderr);
      return /"port":(\d+)/.exec(control)?.[1];
    },
    { what: "workerd to listen" },
  );
  return { url: `http://127.0.0.1:${port}`, output: child.output, stop: () => child.stop() };
}

const quoted = (/** @type {string} */ text) => JSON.stringify(text);
