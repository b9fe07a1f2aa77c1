// Makes pkg/, exactly what is published, out of wasm-bindgen's output and the JavaScript face in
// pkg-template/. Usage: node scripts/build-pkg.mjs [wasm folder] [pkg folder]

import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import path from "node:path";
import { deflateSync } from "node:zlib";
import { build } from "esbuild";
import { coreFactory } from "./core-factory.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const template = path.join(root, "pkg-template");
const wasmFolder = path.resolve(process.argv[2] ?? path.join(root, "build/wasm"));
const pkg = path.resolve(process.argv[3] ?? path.join(root, "pkg"));

/** @type {{ source: string, output: string, format: "esm" | "cjs" }[]} */
const ENTRIES = [
  { source: "index.js", output: "index.js", format: "esm" },
  { source: "index.js", output: "index.cjs", format: "cjs" },
  { source: "workerd.js", output: "workerd.js", format: "esm" },
  { source: "edge-light.js", output: "edge-light.js", format: "esm" },
];

const wasm = await readFile(path.join(wasmFolder, "core_bg.wasm"));
const glue = await readFile(path.join(wasmFolder, "core.js"), "utf8");
const factory = coreFactory(glue);

await rm(pkg, { recursive: true, force: true });
await mkdir(pkg, { recursive: true });
for (const { source, output, format } of ENTRIES) await bundle(source, output, format);
await writeFile(path.join(pkg, "core.wasm"), wasm);
await copyText();

/**
 * @param {string} source
 * @param {string} output
 * @param {"esm" | "cjs"} format
 */
async function bundle(source, output, format) {
  const result = await build({
    entryPoints: [path.join(template, "src", source)],
    outfile: path.join(pkg, output),
    bundle: true,
    format,
    platform: "neutral",
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    external: ["cloudflare:workers", "*.wasm", "*.wasm?module"],
    plugins: [
      {
        name: "core",
        setup(esbuild) {
          esbuild.onResolve({ filter: /^#core/ }, (found) => ({
            path: found.path,
            namespace: "core",
          }));
          esbuild.onLoad({ filter: /^#core$/, namespace: "core" }, () => ({ contents: factory }));
          esbuild.onLoad({ filter: /base64$/, namespace: "core" }, () => ({
            contents: deflateSync(wasm, { level: 9 }).toString("base64"),
            loader: "text",
          }));
        },
      },
    ],
    logLevel: "warning",
  });
  must(result.warnings.length === 0, `${source} bundles with warnings`);
}

async function copyText() {
  const manifest = JSON.parse(await readFile(path.join(template, "package.json"), "utf8"));
  const cargo = await readFile(path.join(root, "Cargo.toml"), "utf8");
  const version = /^version = "(.+)"$/m.exec(cargo)?.[1];
  must(
    manifest.version === version,
    `pkg-template/package.json says ${manifest.version}, Cargo.toml ${version}`,
  );

  for (const name of ["package.json", "README.md", "index.d.ts"]) {
    await cp(path.join(template, name), path.join(pkg, name));
  }
  await cp(path.join(template, "index.d.ts"), path.join(pkg, "index.d.cts"));
  await cp(path.join(root, "LICENSE"), path.join(pkg, "LICENSE"));
  const uuid = path.dirname(fileURLToPath(import.meta.resolve("uuid/package.json")));
  const notice = await readFile(path.join(uuid, "LICENSE.md"), "utf8");
  await writeFile(
    path.join(pkg, "THIRD-PARTY-LICENSES.md"),
    `# Licences of what is bundled in this package\n\n## uuid (npm)\n\n${notice.trim()}\n`,
  );
}

/**
 * @param {boolean} condition
 * @param {string} message
 */
function must(condition, message) {
  if (!condition) throw new Error(message);
}
