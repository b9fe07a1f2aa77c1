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

/**
 * @param {string} outdir
 * @returns {Promise<{ workerModules: string[], pageDir: string }>} the Worker's files in `outdir`,
 *   the first one being its main module; and the folder to serve the page from.
 */
export async function bundle(outdir) {
  await linkPackage();
  const shared = /** @type {const} */ ({
    absWorkingDir: here,
    bundle: true,
    format: "esm",
    target: "es2022",
    logLevel: "warning",
    metafile: true,
  });
  const pageDir = `${outdir}/page`;
  const [worker] = await Promise.all([
    build({
      ...shared,
      entryPoints: { worker: "worker/index.js" },
      outdir,
      conditions: ["workerd", "worker", "browser"],
      external: ["cloudflare:*"],
      loader: { ".wasm": "copy" },
      assetNames: "[name]",
      // A failed turn is stored under the name of its error's class.
      keepNames: true,
    }),
    build({
      ...shared,
      entryPoints: { page: "page/page.js" },
      outdir: pageDir,
      platform: "browser",
      minify: true,
    }),
    ...["index.html", "page.css", "icon.svg"].map((name) =>
      cp(`${here}page/${name}`, `${pageDir}/${name}`),
    ),
  ]);
  const written = Object.keys(worker.metafile.outputs).map(
    (path) => path.split("/").at(-1) ?? path,
  );
  written.sort((a, b) => Number(b === "worker.js") - Number(a === "worker.js"));
  return { workerModules: written, pageDir };
}
