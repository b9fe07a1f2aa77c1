// What the build makes of wasm-bindgen's glue, with glue of that shape around a few bytes of real
// WebAssembly: fresh instances, no exception out of any, and an error for glue that is not as expected.

import assert from "node:assert/strict";
import { test } from "node:test";
import { runInThisContext } from "node:vm";
import fc from "fast-check";
import { coreFactory } from "../../scripts/core-factory.mjs";

/**
 * (module (memory (export "memory") 1)
 *   (global $calls (mut i32) (i32.const 0))
 *   (func (export "__wbindgen_start"))
 *   (func (export "count") (result i32) calls += 1, calls)
 *   (func (export "boom") unreachable))
 */
const WASM = Uint8Array.of(
  ...Buffer.from("\0asm\x01\0\0\0", "latin1"),
  ...section(1, "02 60 00 00 60 00 01 7f"),
  ...section(3, "03 00 01 00"),
  ...section(5, "01 00 01"),
  ...section(6, "01 7f 01 41 00 0b"),
  ...section(
    7,
    `04 ${entry("memory", "02 00")} ${entry("__wbindgen_start", "00 00")}
                 ${entry("count", "00 01")} ${entry("boom", "00 02")}`,
  ),
  ...section(10, "03 02 00 0b 0b 00 23 00 41 01 6a 24 00 23 00 0b 03 00 00 0b"),
);

/**
 * @param {number} id
 * @param {string} hex
 */
function section(id, hex) {
  const bytes = Buffer.from(hex.replace(/\s/g, ""), "hex");
  return [id, bytes.length, ...bytes];
}

/**
 * @param {string} name
 * @param {string} what kind and index, in hex
 */
function entry(name, what) {
  return Buffer.from([name.length, ...Buffer.from(name)]).toString("hex") + what;
}

const GLUE = `/* @ts-self-types="./core.d.ts" */
export function connect() { host.closure = makeMutClosure(1, 2, (a, b, x) => wasm.boom(a, b, x)); }
export function initTracer() { return wasm.count(); }
export function enrichSession() { const ret = wasm.boom(); return ret[0]; }
export function addMetrics() { throw new Error("of the glue's own"); }
export function flush() { return wasm.count(); }
export function close() { return wasm.count(); }
export function release() {}
export function move(from, to, length) { getUint8ArrayMemory0().copyWithin(to, from, from + length); }
export function hang() { for (;;); }
export function call(name) { return host.calls(name); }
export function tracers() { return wasm.count(); }
function __wbg_get_imports() {
  return { __proto__: null };
}
function makeMutClosure(arg0, arg1, f) {
    const state = { a: arg0, b: arg1, cnt: 1 };
    const real = (...args) => {
        const a = state.a;
        try {
            return f(a, state.b, ...args);
        } finally {
            state.a = a;
        }
    };
    return real;
}
export function restore(text, malloc, realloc) {
    const at = passStringToWasm0(text, malloc, realloc);
    return getUint8ArrayMemory0().slice(at, at + WASM_VECTOR_LEN);
}
function passStringToWasm0(arg, malloc, realloc) {
    throw new Error("as it comes");
}
const cachedTextEncoder = new TextEncoder();
let WASM_VECTOR_LEN = 0;
function getUint8ArrayMemory0() {
    return new Uint8Array(wasm.memory.buffer);
}
let wasmModule, wasm;
function __wbg_finalize_init(instance, module) {
    wasm = instance.exports;
    wasmModule = module;
    wasm.__wbindgen_start();
    return wasm;
}

async function __wbg_load(module, imports) {
    return fetch(new URL("core_bg.wasm", import.meta.url));
}

export { initSync, __wbg_init as default };
`;

const EXPORTS = [...GLUE.matchAll(/^export function (\w+)/gm)].map(([, name]) => name);

/** @returns {Promise<{ createCore: (onTrap: (error: unknown, isCutOff?: boolean) => void) => any }>} */
function load() {
  return import(`data:text/javascript,${encodeURIComponent(coreFactory(GLUE, EXPORTS))}`);
}

async function running() {
  const { createCore } = await load();
  /** @type {unknown[]} */
  const traps = [];
  /** @type {unknown[]} */
  const areCutOff = [];
  const { imports, start } = createCore((error, isCutOff) => {
    traps.push(error);
    areCutOff.push(isCutOff);
  });
  const { instance } = await WebAssembly.instantiate(WASM, imports);
  return { core: start(instance), traps, areCutOff };
}

test("each instance has a state of its own", async () => {
  const [a, b] = [await running(), await running()];
  assert.deepEqual([a.core.initTracer(), a.core.flush(), b.core.initTracer()], [1, 2, 1]);
});

test("a string comes as its UTF-8, in just the room it takes", async () => {
  const { core, traps } = await running();
  const texts = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.array(fc.constantFrom("a", "é", "€", "😀", "\ud800", "\udc00")).map((it) => it.join("")),
  );
  fc.assert(
    fc.property(texts, (text) => {
      // Each block begins where none did before, so what is not copied is missing.
      let begun = 0;
      const blocks = new Map();
      const malloc = (/** @type {number} */ size) => {
        begun += 1000;
        blocks.set(begun, size);
        return begun;
      };
      const realloc = (
        /** @type {number} */ at,
        /** @type {number} */ old,
        /** @type {number} */ size,
      ) => {
        assert.equal(blocks.get(at), old);
        blocks.delete(at);
        assert.ok(size > 0);
        const moved = malloc(size);
        core.move(at, moved, Math.min(old, size));
        return moved;
      };
      assert.deepEqual(Buffer.from(core.restore(text, malloc, realloc)), Buffer.from(text));
      assert.deepEqual([...blocks.values()], [Buffer.byteLength(text)]);
    }),
  );
  assert.deepEqual(traps, []);
});

test("a trap in a call is told once, and ends the instance", async () => {
  const { core, traps } = await running();
  assert.equal(core.enrichSession(), undefined);
  assert.ok(traps[0] instanceof WebAssembly.RuntimeError);
  assert.equal(core.enrichSession(), undefined);
  assert.equal(core.initTracer(), undefined);
  assert.equal(traps.length, 1);
});

test("a trap in a closure that the runtime calls is no exception there either", async () => {
  const { core, traps } = await running();
  const host = /** @type {any} */ ({});
  core.connect(host);
  assert.equal(host.closure(3), undefined);
  assert.equal(host.closure(3), undefined);
  assert.equal(traps.length, 1);
  assert.equal(core.tracers(), undefined);
});

test("an exception of the glue's own counts as a trap", async () => {
  const { core, traps } = await running();
  assert.equal(core.addMetrics(), undefined);
  assert.match(String(traps[0]), /of the glue's own/);
});

test("a browser ends a script in the middle of a call: the next one says so, and goes nowhere", async () => {
  const { core, areCutOff } = await running();
  core.connect({ isInside: false, calls: () => core.flush() });
  assert.equal(
    core.call(),
    undefined,
    "it may be called from where it calls, unless it is said to be at work",
  );
  assert.deepEqual(areCutOff, [true]);
  const open = (/** @type {any} */ fn) => (/** @type {any} */ name) => {
    host.isInside = false;
    const result = fn(name);
    host.isInside = true;
    return result;
  };
  const host = { isInside: false, calls: open((/** @type {string} */ name) => other.core[name]()) };
  const other = await running();
  other.core.connect(host);
  assert.equal(other.core.call("flush"), 1);
  // Neither `catch` nor `finally` runs in what it ends.
  const { cut } = /** @type {any} */ (Object.assign(globalThis, { cut: () => other.core.hang() }));
  assert.ok(cut);
  assert.throws(() => runInThisContext("cut()", { timeout: 50 }), /timed out/);
  assert.deepEqual(other.traps, []);
  assert.equal(other.core.flush(), undefined);
  assert.deepEqual([other.traps, other.areCutOff], [["cut off"], [true]]);
  assert.equal(other.core.flush(), undefined);
  assert.equal(other.traps.length, 1);
});

test("an instance that traps at its start is none", async () => {
  const { createCore } = await load();
  const { start } = createCore(() => {});
  const boom = () => {
    throw new WebAssembly.RuntimeError("unreachable");
  };
  assert.throws(() => start({ exports: { __wbindgen_start: boom } }), /did not start/);
});

test("glue of another shape is an error", () => {
  for (const [pattern, message] of /** @type {[string | RegExp, RegExp][]} */ ([
    ["async function __wbg_load", /__wbg_load/],
    ["export { initSync, __wbg_init as default };", /ending/],
    ["function __wbg_get_imports()", /get_imports/],
    ["function __wbg_finalize_init(instance, module)", /finalize_init/],
    ["export function flush", /exports no flush/],
    ["return f(a, state.b, ...args);", /closures/],
    ["function passStringToWasm0(arg, malloc, realloc)", /strings/],
  ])) {
    assert.throws(() => coreFactory(GLUE.replace(pattern, "// "), EXPORTS), message);
  }
  assert.throws(() => coreFactory(`import x from "y";\n${GLUE}`, EXPORTS), /imports/);
  assert.throws(
    () => coreFactory(GLUE.replace("let wasmModule", "fetch();\nlet wasmModule"), EXPORTS),
    /loads/,
  );
});
