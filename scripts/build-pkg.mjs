// Makes pkg/, exactly what is published, out of wasm-bindgen's output and the JavaScript face in
// pkg-template/. Usage: node scripts/build-pkg.mjs [wasm folder] [pkg folder]
//
// wasm-bindgen's glue holds one instance for the life of the module, fetches its wasm itself, and lets a
// trap out as an exception wherever it happens. The face needs fresh instances, its own loading, and no
// exception ever; so the glue's text is turned into a function. Its version is pinned, and every pattern
// that is rewritten must be there: glue of another shape fails this build.

import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import path from "node:path";
import { deflateSync } from "node:zlib";
import { build } from "esbuild";

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

const CORE_EXPORTS = [
  "connect",
  "initTracer",
  "enrichSession",
  "addMetrics",
  "flush",
  "close",
  "release",
  "tracers",
];

const wasm = await readFile(path.join(wasmFolder, "core_bg.wasm"));
const glue = await readFile(path.join(wasmFolder, "core.js"), "utf8");
const factory = factoryOf(glue);

await rm(pkg, { recursive: true, force: true });
await mkdir(pkg, { recursive: true });
for (const { source, output, format } of ENTRIES) await bundle(source, output, format);
await writeFile(path.join(pkg, "core.wasm"), wasm);
await copyText();

/**
 * The glue as a module that exports `createCore`, see CreateCore in pkg-template/src/core.d.ts.
 * @param {string} text
 */
function factoryOf(text) {
  const loading = text.search(/^async function __wbg_load\(/m);
  must(loading > 0, "no __wbg_load to cut at");
  let body = text.slice(0, loading);
  const rest = text.slice(loading);
  must(/export \{ initSync, __wbg_init as default \};\s*$/.test(rest), "another ending");
  must(body.includes("function __wbg_get_imports()"), "no __wbg_get_imports");
  must(/^function __wbg_finalize_init\(instance, module\) \{/m.test(body), "no finalize_init");
  must(!/import\.meta|(?<![.\w])fetch\(/.test(body), "loads something itself");
  must(!/^import\b/m.test(body), "imports something");

  const exported = [...body.matchAll(/^export (?:function|class) (\w+)/gm)].map(
    (match) => match[1],
  );
  for (const name of CORE_EXPORTS) must(exported.includes(name), `the core exports no ${name}`);
  body = body.replace(/^export /gm, "").replace(/^\/\* @ts-self-types=.*\n/, "");

  // A closure of the core's, called by the runtime: from a microtask, a timer, an answer.
  const closures = body.match(/^function make(?:Mut)?Closure\(/gm)?.length ?? 0;
  let guarded = 0;
  body = body.replaceAll("return f(a, state.b, ...args);", () => {
    guarded++;
    return "return guard(f)(a, state.b, ...args);";
  });
  must(closures === guarded, "closures of another shape");

  // TextEncoder beats copying character by character from some dozens of characters on.
  const copying = "if (realloc === undefined) {";
  must(body.includes(copying), "strings are passed in another way");
  body = body.replace(copying, "if (realloc === undefined || arg.length > 64) {");

  return `
export function createCore(onTrap) {
  let dead = false;
  // Any exception out of the instance is its end: its memory is in no state to go on with.
  const guard = (f) => (...args) => {
    if (dead) return undefined;
    try {
      return f(...args);
    } catch (error) {
      if (!dead) {
        dead = true;
        onTrap(error);
      }
      return undefined;
    }
  };

${body}
  return {
    imports: __wbg_get_imports(),
    start(instance) {
      const exports = {};
      for (const [name, value] of Object.entries(instance.exports)) {
        exports[name] = typeof value === "function" ? guard(value) : value;
      }
      __wbg_finalize_init({ exports }, undefined);
      if (dead) throw new Error("the core did not start");
      return { ${CORE_EXPORTS.map((name) => `${name}: guard(${name})`).join(", ")} };
    },
  };
}
`;
}

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
    `package.json says ${manifest.version}, Cargo.toml ${version}`,
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
 * @param {unknown} condition
 * @param {string} message
 */
function must(condition, message) {
  if (condition) return;
  console.error(`build-pkg: ${message}`);
  process.exit(1);
}
