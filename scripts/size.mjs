// What each part of the package's WebAssembly takes: `make size`. Adds up the code of its functions, by the
// names that the build keeps aside, and the data; then lists the largest functions.

import { readFile } from "node:fs/promises";
import { brotliCompressSync, gzipSync } from "node:zlib";

const LARGEST = 15;

/** Sections of the format that are looked into: https://webassembly.github.io/spec/core/binary/modules.html */
const CUSTOM = 0;
const IMPORT = 2;
const CODE = 10;

/** A place in a module's bytes. */
class Reader {
  at = 0;

  constructor(/** @type {Uint8Array} */ bytes) {
    this.bytes = bytes;
  }

  get done() {
    return this.at >= this.bytes.length;
  }

  byte() {
    return this.bytes[this.at++] ?? 0;
  }

  /** An unsigned number in LEB128. */
  number() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  take(length = this.number()) {
    this.at += length;
    return new Reader(this.bytes.subarray(this.at - length, this.at));
  }

  text() {
    return new TextDecoder().decode(this.take().bytes);
  }
}

/** @param {Reader} section @returns {number} of imported functions */
function importedFunctions(section) {
  let functions = 0;
  for (let left = section.number(); left > 0; left--) {
    section.text();
    section.text();
    const kind = section.byte();
    if (kind === 0) functions++;
    if (kind === 1 || kind === 3) section.byte(); // the type of a table's elements, of a global
    if (kind === 3)
      section.byte(); // whether it may change
    else if (kind === 0 || kind === 4)
      section.number(); // a function's type, a tag's
    else {
      const hasMaximum = section.byte() & 1;
      section.number();
      if (hasMaximum) section.number();
    }
  }
  return functions;
}

/** @param {Reader} section @returns {Map<number, string>} names of functions */
function functionNames(section) {
  /** @type {Map<number, string>} */
  const names = new Map();
  while (!section.done) {
    const kind = section.byte();
    const part = section.take();
    if (kind !== 1) continue;
    for (let left = part.number(); left > 0; left--) names.set(part.number(), part.text());
  }
  return names;
}

/**
 * @param {Uint8Array} bytes of a module with its names
 * @returns {{functions: {name: string, bytes: number}[], rest: number}}
 */
function taken(bytes) {
  const module = new Reader(bytes);
  module.take(8);
  let imported = 0;
  let rest = 8;
  /** @type {number[]} */
  const code = [];
  /** @type {Map<number, string>} */
  let names = new Map();
  while (!module.done) {
    const id = module.byte();
    const section = module.take();
    const { length } = section.bytes;
    if (id === IMPORT) imported = importedFunctions(section);
    if (id === CODE) {
      for (let left = section.number(); left > 0; left--) code.push(section.take().bytes.length);
    } else if (id === CUSTOM) {
      if (section.text() === "name") names = functionNames(section);
    }
    if (id !== CODE && id !== CUSTOM) rest += length;
  }
  const functions = code.map((size, n) => ({
    name: names.get(imported + n) ?? `function ${imported + n}`,
    bytes: size,
  }));
  return { functions, rest };
}

/** Names without the hashes that tell one compilation from another. */
const plain = (/** @type {string} */ name) =>
  name.replace(/\[[0-9a-f]{16}\]/g, "").replace(/::h[0-9a-f]{16}$/, "");

/** The module of the crate, or the other crate, that a function is of. */
function partOf(/** @type {string} */ name) {
  const path = /[\w:]+/.exec(plain(name).replace(/&|\*|\b(mut|dyn|const|as) /g, ""))?.[0] ?? name;
  const [crate = name, ...rest] = path.split("::").filter((part) => part !== "");
  if (rest.length === 0) return "the surface for JavaScript, memcpy and its like";
  if (crate !== "honeyhive_edge") return `crate ${crate}`;
  return rest[0] === "core" || rest[0] === "js" ? rest.slice(0, 2).join("::") : crate;
}

const kilobytes = (/** @type {number} */ bytes) => `${(bytes / 1e3).toFixed(1)} KB`.padStart(9);

for (const artifact of ["page", "tracer", "otel", "relay"]) {
  const folder = new URL(`../build/wasm/${artifact}/`, import.meta.url);
  const shipped = await readFile(new URL("core_bg.wasm", folder));
  const { functions, rest } = taken(await readFile(new URL("named.wasm", folder)));
  const whole = [
    shipped.length,
    gzipSync(shipped, { level: 9 }).length,
    brotliCompressSync(shipped).length,
  ];
  const [raw = 0, gzip = 0, brotli = 0] = whole;
  console.log(`\n${artifact}: ${raw} bytes, ${gzip} gzip, ${brotli} brotli`);
  /** @type {Map<string, number>} */
  const parts = new Map([["data, types, tables", rest]]);
  for (const { name, bytes } of functions) {
    const part = partOf(name);
    parts.set(part, (parts.get(part) ?? 0) + bytes);
  }
  for (const [part, bytes] of [...parts].sort(([, a], [, b]) => b - a)) {
    console.log(`${kilobytes(bytes)}  ${part}`);
  }
  console.log(`the ${LARGEST} largest of ${functions.length} functions:`);
  for (const { name, bytes } of functions.sort((a, b) => b.bytes - a.bytes).slice(0, LARGEST)) {
    console.log(`${kilobytes(bytes)}  ${plain(name)}`);
  }
}
