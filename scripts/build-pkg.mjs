// Makes pkg/, exactly what is published, out of wasm-bindgen's output and the JavaScript face in
// pkg-template/. Usage: node scripts/build-pkg.mjs [wasm folder] [pkg folder]

import { execFile } from "node:child_process";
import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import path from "node:path";
import { promisify } from "node:util";
import zopfli from "@gfx/zopfli";
import { build } from "esbuild";
import { coreFactory } from "./core-factory.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const template = path.join(root, "pkg-template");
const wasmFolder = path.resolve(process.argv[2] ?? path.join(root, "build/wasm"));
const pkg = path.resolve(process.argv[3] ?? path.join(root, "pkg"));

/** What each tracer's module exports. */
const TRACER = [
  "connect",
  "initTracer",
  "resolveTracer",
  "enrichSession",
  "enrichEvent",
  "addMetrics",
  "flush",
  "close",
  "setTicket",
  "release",
  "restore",
  "onlyKept",
  "turn",
  "run",
  "requestAnswered",
];

/**
 * The package's entry points, and the module of WebAssembly behind each: an artifact of build-wasm.sh.
 * In the sources `#name` is the module's factory, `./name.wasm` the module, and `#name.wasm.base64` its
 * text; `#build` says which file is made. For pages, `#name.deflated.base64` is the text of the module deflated (RFC 1951), by Zopfli, whose
 * result is 4 % smaller than zlib's, and the length of the module.
 * @type {{ artifact: string, name: string, exports: string[], entries: Entry[], types?: string }[]} `types`: its
 *   declarations, where the module is also published as a file
 */
const MODULES = [
  {
    artifact: "tracer",
    name: "core",
    exports: [...TRACER, "readRequest", "readAnswered", "totalsOf"],
    entries: runtimes("", "index"),
    types: "index",
  },
  {
    artifact: "page",
    name: "core",
    exports: TRACER,
    entries: [browser("browser.js", "browser.js")],
  },
  {
    artifact: "otel",
    name: "otel",
    exports: [
      "spanAttributes",
      "openExporter",
      "giveSpans",
      "exportSpans",
      "closeExporter",
      "hurryExporter",
      "runScope",
    ],
    entries: [...runtimes("otel/", "otel"), browser("otel/browser.js", "otel.browser.js")],
    types: "otel",
  },
  {
    artifact: "relay",
    name: "relay",
    exports: ["check", "secrets", "claims", "seal", "admit", "pass", "runScope", "deliver"],
    entries: runtimes("relay/", "relay"),
    types: "relay",
  },
];

/**
 * What is replaced in uuid's files.
 * @type {Record<string, [what: RegExp, instead: string][]>}
 */
const UUID_CHANGES = {
  // Its calls of methods that other scripts replace: by a broken one, all names would have one id.
  "v35.js": [
    [
      /bytes\.set\(namespaceBytes\);\n.*bytes\.set\(valueBytes, namespaceBytes\.length\);/,
      `for (let i = 0; i < 16; ++i) bytes[i] = namespaceBytes[i];
      for (let i = 0; i < valueBytes.length; ++i) bytes[16 + i] = valueBytes[i];`,
    ],
  ],
  "sha1.js": [
    [/newBytes\.set\(bytes\);/, "for (let i = 0; i < bytes.length; ++i) newBytes[i] = bytes[i];"],
  ],
  // Its table of bytes is in lower case.
  "stringify.js": [[/(byteToHex\[arr\[offset \+ 15\]\])\)\.toLowerCase\(\)/, "$1)"]],
  // The namespaces that it sets on itself when it is loaded: for those a page would have it, and its SHA-1, even where
  // nobody asks for the id of a name.
  "v5.js": [[/^v5\.DNS = DNS;\nv5\.URL = URL;\n/m, ""]],
};

/** @type {(bytes: Uint8Array, options: object) => Promise<Uint8Array>} */
const deflate = promisify(zopfli.deflate);

const { version } = JSON.parse(await readFile(path.join(template, "package.json"), "utf8"));

await rm(pkg, { recursive: true, force: true });
await mkdir(pkg, { recursive: true });
for (const { artifact, name, exports, entries, types } of MODULES) {
  const folder = path.join(wasmFolder, artifact);
  const wasm = await readFile(path.join(folder, "core_bg.wasm"));
  const glue = await readFile(path.join(folder, "core.js"), "utf8");
  const names = await readFile(path.join(folder, "names.json"), "utf8");
  const virtual = {
    [`#${name}`]: coreFactory(glue, exports, names ? JSON.parse(names) : undefined),
    [`#${name}.wasm.base64`]: textModule(wasm),
  };
  if (entries.some(({ source }) => path.basename(source) === "browser.js")) {
    const length = `export const length = ${wasm.length};`;
    virtual[`#${name}.deflated.base64`] =
      textModule(await deflate(wasm, { blocksplittingmax: 0 })) + length;
  }
  for (const entry of entries) await bundle(entry, virtual);
  if (types) await writeFile(path.join(pkg, `${name}.wasm`), wasm);
}
await copyText();

/** @typedef {{ source: string, output: string, format: "esm" | "cjs", main: string }} Entry */

/**
 * An entry for each way in which a runtime loads WebAssembly; package.json says which is whose.
 * @param {string} folder of the sources
 * @param {string} name of the outputs; the package's main entry has it out of their names
 * @returns {Entry[]}
 */
function runtimes(folder, name) {
  const of = (/** @type {string} */ runtime) =>
    folder ? `${name}.${runtime}.js` : `${runtime}.js`;
  return [
    { source: `${folder}index.js`, output: `${name}.js`, format: "esm", main: "./index.js" },
    { source: `${folder}index.js`, output: `${name}.cjs`, format: "cjs", main: "./index.cjs" },
    { source: `${folder}workerd.js`, output: of("workerd"), format: "esm", main: "./workerd.js" },
    {
      source: `${folder}edge-light.js`,
      output: of("edge-light"),
      format: "esm",
      main: "./edge-light.js",
    },
    { source: `${folder}unwasm.js`, output: of("unwasm"), format: "esm", main: "./unwasm.js" },
  ];
}

/**
 * What bundlers for browsers choose.
 * @param {string} source
 * @param {string} output
 * @returns {Entry}
 */
function browser(source, output) {
  return { source, output, format: "esm", main: "./browser.js" };
}

/**
 * @param {string} name of one of uuid's files
 * @param {string} source
 */
function changeUuid(name, source) {
  for (const [what, instead] of UUID_CHANGES[name] ?? []) {
    must(what.test(source), `uuid's ${name} is not as expected`);
    source = source.replace(what, instead);
  }
  return source;
}

/**
 * tiny-inflate as an ES module: around CommonJS a bundle has more code than it saves.
 * @param {string} source
 */
function asModule(source) {
  const module = source.replace("module.exports =", "export default");
  must(module !== source && !/\b(?:require|module)\b/.test(module), "tiny-inflate is another");
  return module;
}

/** @param {Uint8Array} bytes */
function textModule(bytes) {
  return `export default ${JSON.stringify(Buffer.from(bytes).toString("base64"))};`;
}

/**
 * @param {Entry} entry
 * @param {Record<string, string>} virtual sources by the name they are imported under
 */
async function bundle({ source, output, format, main }, virtual) {
  const result = await build({
    entryPoints: [path.join(template, "src", source)],
    outfile: path.join(pkg, output),
    bundle: true,
    format,
    platform: "neutral",
    target: "es2022",
    // A source with nothing else in it is compiled a quarter faster.
    charset: "ascii",
    legalComments: "none",
    inject: [path.join(template, "src/builtins.js")],
    external: ["cloudflare:workers", "@opentelemetry/api", "*.wasm", "*.wasm?module"],
    plugins: [
      {
        name: "package",
        setup(esbuild) {
          // The file that the same runtime loads as the main entry: both share one module's state.
          esbuild.onResolve({ filter: /^honeyhive-edge$/ }, () => ({ path: main, external: true }));
          esbuild.onLoad({ filter: /uuid\/dist\/\w+\.js$/ }, async (found) => ({
            contents: changeUuid(path.basename(found.path), await readFile(found.path, "utf8")),
          }));
          esbuild.onLoad({ filter: /tiny-inflate\/index\.js$/ }, async (found) => ({
            contents: asModule(await readFile(found.path, "utf8")),
          }));
          esbuild.onResolve({ filter: /^#/ }, (found) => ({ path: found.path, namespace: "core" }));
          esbuild.onLoad({ filter: /.*/, namespace: "core" }, (found) => ({
            contents:
              found.path === "#build"
                ? `export const format = "${format}", version = "${version}";`
                : virtual[found.path],
          }));
        },
      },
    ],
    logLevel: "warning",
  });
  must(result.warnings.length === 0, `${source} bundles with warnings`);
}

async function copyText() {
  const cargo = await readFile(path.join(root, "Cargo.toml"), "utf8");
  const inCargo = /^version = "(.+)"$/m.exec(cargo)?.[1];
  must(version === inCargo, `pkg-template/package.json says ${version}, Cargo.toml ${inCargo}`);

  for (const name of ["package.json", "README.md"]) {
    await cp(path.join(template, name), path.join(pkg, name));
  }
  for (const { types } of MODULES) {
    if (!types) continue;
    const text = await readFile(path.join(template, `${types}.d.ts`), "utf8");
    await writeFile(path.join(pkg, `${types}.d.ts`), text);
    const cjs = text.replaceAll('from "./index.js"', 'from "./index.cjs"');
    await writeFile(path.join(pkg, `${types}.d.cts`), cjs);
  }
  await cp(path.join(root, "LICENSE"), path.join(pkg, "LICENSE"));
  let notices = "# Licences of what is bundled in this package\n";
  for (const [name, file] of [
    ["uuid", "LICENSE.md"],
    ["tiny-inflate", "LICENSE"],
  ]) {
    const folder = path.join(root, "node_modules", name);
    const notice = await readFile(path.join(folder, file), "utf8");
    notices += `\n## ${name} (npm)\n\n${notice.trim()}\n`;
  }
  for (const { name, license, repository, manifest_path } of await linkedCrates()) {
    const folder = path.dirname(manifest_path);
    const files = await readdir(folder);
    const file = ["LICENSE-MIT", "LICENSE"].find((it) => files.includes(it));
    const notice = file
      ? await readFile(path.join(folder, file), "utf8")
      : `${license}, ${repository}`;
    notices += `\n## ${name} (crate)\n\n${notice.trim()}\n`;
  }
  await writeFile(path.join(pkg, "THIRD-PARTY-LICENSES.md"), notices);
}

/**
 * @typedef {{ id: string, name: string, license: string, repository: string, manifest_path: string,
 *   targets: { kind: string[] }[] }} Crate as `cargo metadata` describes it
 * @typedef {{ id: string, deps: { pkg: string, dep_kinds: { kind: string | null }[] }[] }} Node
 */

/**
 * The crates that become part of the WebAssembly: what the crate depends on, by way of others as well, but for
 * what only runs in the compiler.
 * @returns {Promise<Crate[]>} sorted by name
 */
async function linkedCrates() {
  const { stdout } = await promisify(execFile)(
    "cargo",
    ["metadata", "--format-version=1", "--locked", "--filter-platform=wasm32-unknown-unknown"],
    { cwd: root, maxBuffer: 1 << 28 },
  );
  /** @type {{ packages: Crate[], resolve: { nodes: Node[] } }} */
  const { packages, resolve } = JSON.parse(stdout);
  const crates = new Map(packages.map((it) => [it.id, it]));
  const nodes = new Map(resolve.nodes.map((it) => [it.id, it]));
  /** @type {Set<Crate>} */
  const linked = new Set();
  const add = (/** @type {string} */ id) => {
    for (const { pkg: linkedId, dep_kinds } of nodes.get(id)?.deps ?? []) {
      const crate = crates.get(linkedId);
      const isMacro = crate?.targets.some(({ kind }) => kind.includes("proc-macro"));
      if (!crate || isMacro || linked.has(crate) || dep_kinds.every(({ kind }) => kind !== null)) {
        continue;
      }
      linked.add(crate);
      add(linkedId);
    }
  };
  const own = packages.find(({ manifest_path }) => manifest_path === path.join(root, "Cargo.toml"));
  must(own !== undefined, "cargo does not know the crate");
  if (own) add(own.id);
  return [...linked].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * @param {boolean} condition
 * @param {string} message
 */
function must(condition, message) {
  if (!condition) throw new Error(message);
}
