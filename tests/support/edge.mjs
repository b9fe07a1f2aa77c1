// Functions in Vercel's edge runtime. Vercel's build compiles what is imported as `*.wasm?module`
// outside of the runtime and hands the modules in; so does this.

import assert from "node:assert/strict";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { start } from "./child.mjs";
import { testsDir } from "./package.mjs";

/**
 * @param {string} project a consumer project with edge.mjs in it
 * @returns {Promise<{folder: string, modules: number}>} what to run, and how many modules of WebAssembly it has
 */
export async function bundleEdge(project) {
  const folder = join(project, "out");
  /** @type {string[]} */
  const modules = [];
  const { warnings } = await build({
    entryPoints: [join(project, "edge.mjs")],
    bundle: true,
    outfile: join(folder, "edge.js"),
    format: "iife",
    conditions: ["edge-light"],
    logLevel: "silent",
    plugins: [
      {
        name: "wasm-modules",
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /\.wasm\?module$/ }, ({ path, resolveDir }) => ({
            path: join(resolveDir, path.replace(/\?module$/, "")),
            namespace: "wasm",
          }));
          onLoad({ filter: /.*/, namespace: "wasm" }, ({ path }) => {
            const name = `wasm_${modules.push(path) - 1}`;
            return { contents: `export default globalThis.${name};` };
          });
        },
      },
    ],
  });
  assert.deepEqual(warnings, []);
  for (const [place, path] of modules.entries()) {
    await copyFile(path, join(folder, `wasm_${place}.wasm`));
  }
  return { folder, modules: modules.length };
}

/**
 * @param {import("node:test").TestContext} t
 * @param {string} folder
 * @param {unknown} body of the one request; JSON
 * @returns {Promise<any>} what edge-host.mjs prints
 */
export async function runEdge(t, folder, body) {
  const host = start(process.execPath, [join(testsDir, "support", "edge-host.mjs"), folder], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  t.after(() => host.stop());
  host.child.stdin?.end(JSON.stringify(body));
  const { code, stdout, stderr } = await host.ended;
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  return JSON.parse(stdout);
}
