// Bundles the Worker and the page with esbuild, each the way a user of honeyhive-edge would: the
// Worker by the `workerd` condition (static .wasm import), the page by the browser's.

import { existsSync } from "node:fs";
import { cp, mkdir, symlink } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const builtPackage = fileURLToPath(new URL("../pkg/", import.meta.url));

/**
 * Makes `honeyhive-edge` resolve to ../pkg below this folder. A link made here and no dependency in
 * package.json, because `npm ci` has to work before the package is built.
 */
export async function linkPackage() {
  if (!existsSync(`${builtPackage}package.json`)) {
    throw new Error("The package is not built yet: run `make build` first.");
  }
  await mkdir(`${here}node_modules`, { recursive: true });
  try {
    await symlink("../../pkg", `${here}node_modules/honeyhive-edge`, "dir");
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error;
  }
}

const SHARED = /** @type {const} */ ({
  absWorkingDir: here,
  bundle: true,
  format: "esm",
  target: "es2022",
  logLevel: "warning",
});

/**
 * @param {string} outdir
 * @returns {Promise<string[]>} the Worker's files in `outdir`, the first one being its main module
 */
export async function bundleWorker(outdir) {
  const { metafile } = await build({
    ...SHARED,
    entryPoints: { worker: "worker/index.js" },
    outdir,
    metafile: true,
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*"],
    loader: { ".wasm": "copy" },
    assetNames: "[name]",
    // A failed turn is stored under the name of its error's class.
    keepNames: true,
  });
  const written = Object.keys(metafile.outputs).map((path) => path.split("/").at(-1) ?? path);
  return written.sort((a, b) => Number(b === "worker.js") - Number(a === "worker.js"));
}

/**
 * A page's script and styles, bundled, and what they show.
 *
 * @param {"page" | "viewer"} name
 * @param {string} outdir
 */
export async function bundlePage(name, outdir) {
  await build({
    ...SHARED,
    entryPoints: [`${name}/${name}.js`, `${name}/${name}.css`],
    outdir,
    platform: "browser",
    splitting: true,
    chunkNames: "[name]-[hash]",
    minify: true,
  });
  await cp(`${here}${name}/index.html`, `${outdir}/index.html`);
  await cp(`${here}page/icon.svg`, `${outdir}/icon.svg`);
}
