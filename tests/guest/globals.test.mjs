// Each global and each of the language's own functions that the package calls, replaced by something broken: nothing throws,
// each promise settles, nothing is lost.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, it } from "node:test";
import { chromium } from "../support/browsers.mjs";
import { runToEnd } from "../support/child.mjs";
import { consumer, packageDir, testsDir } from "../support/package.mjs";
import { pageHtml, serveSite } from "../support/site.mjs";

/** What both have. */
const COMMON = [
  "AbortController",
  "AbortSignal",
  "BroadcastChannel",
  "Date",
  "Date.now",
  "Date.parse",
  "FinalizationRegistry",
  "Headers",
  "JSON.parse",
  "JSON.stringify",
  "Math.random",
  "MessageChannel",
  "Promise",
  "ReadableStream",
  "Request",
  "Response",
  "TextDecoder",
  "TextEncoder",
  "URL",
  "URLSearchParams",
  "WeakRef",
  "clearTimeout",
  "console",
  "crypto",
  "crypto.getRandomValues",
  "crypto.randomUUID",
  "fetch",
  "navigator",
  "performance",
  "performance.now",
  "performance.timeOrigin",
  "queueMicrotask",
  "setInterval",
  "setTimeout",
  "structuredClone",
  "unescape",
];

/** Classes and static functions of the language. */
const BUILTINS = [
  "Array",
  "Array.from",
  "Array.isArray",
  "ArrayBuffer",
  "ArrayBuffer.isView",
  "BigInt",
  "BigInt.asUintN",
  "Boolean",
  "DataView",
  "Error",
  "FinalizationRegistry",
  "Function",
  "Map",
  "Math",
  "Math.abs",
  "Math.ceil",
  "Math.floor",
  "Math.max",
  "Math.min",
  "Math.trunc",
  "Number",
  "Number.isFinite",
  "Number.isSafeInteger",
  "Object",
  "Object.assign",
  "Object.create",
  "Object.defineProperties",
  "Object.defineProperty",
  "Object.entries",
  "Object.getOwnPropertyDescriptor",
  "Object.getPrototypeOf",
  "Object.hasOwn",
  "Object.isExtensible",
  "Object.keys",
  "Promise.all",
  "Promise.race",
  "Promise.reject",
  "Promise.resolve",
  "Proxy",
  "Reflect",
  "Reflect.apply",
  "Reflect.defineProperty",
  "Reflect.get",
  "Reflect.getOwnPropertyDescriptor",
  "Reflect.set",
  "RegExp",
  "Set",
  "String",
  "Symbol",
  "Symbol.for",
  "TypeError",
  "URL",
  "Uint8Array",
  "Uint32Array",
  "WeakMap",
  "WeakRef",
  "encodeURIComponent",
  "isFinite",
  "parseInt",
];

/** Methods, of which a broken one may cost enrichments, but none in silence. */
const METHODS = [
  "Array.prototype.@@iterator",
  "Array.prototype.at",
  "Array.prototype.concat",
  "Array.prototype.every",
  "Array.prototype.filter",
  "Array.prototype.forEach",
  "Array.prototype.includes",
  "Array.prototype.indexOf",
  "Array.prototype.join",
  "Array.prototype.map",
  "Array.prototype.push",
  "Array.prototype.shift",
  "Array.prototype.slice",
  "Array.prototype.some",
  "Array.prototype.splice",
  "ArrayIterator.prototype.next",
  "DataView.prototype.setInt32",
  "Function.prototype.apply",
  "Function.prototype.bind",
  "Function.prototype.call",
  "Map.prototype.get",
  "MapIterator.prototype.next",
  "Object.prototype.toString",
  "Promise.prototype.catch",
  "Promise.prototype.finally",
  "Promise.prototype.then",
  "RegExp.prototype.exec",
  "RegExp.prototype.test",
  "Set.prototype.add",
  "SetIterator.prototype.next",
  "String.prototype.charCodeAt",
  "String.prototype.includes",
  "String.prototype.indexOf",
  "String.prototype.replace",
  "String.prototype.slice",
  "String.prototype.split",
  "String.prototype.startsWith",
  "String.prototype.toLowerCase",
  "String.prototype.toWellFormed",
  "String.prototype.trim",
  "TextDecoder.prototype.decode",
  "TextEncoder.prototype.encodeInto",
  "TypedArray.prototype.set",
  "TypedArray.prototype.subarray",
  "WeakMap.prototype.get",
  "WeakRef.prototype.deref",
];

describe("a global that is broken, in Node", { concurrency: 2 }, () => {
  const entry = pathToFileURL(join(packageDir, "index.js")).href;
  const portable = pathToFileURL(join(testsDir, "guest/globals.mjs")).href;
  const globals = [...COMMON, "Buffer", "location", "process", "setImmediate"];
  const lives = [
    ...globals.map((path) => ({ path, live: "liveWithout" })),
    ...[...BUILTINS, ...METHODS].map((path) => ({ path, live: "liveWithBuiltin" })),
  ];
  for (const { path, live } of lives) {
    it(live === "liveWithout" ? path : `${path}, of the language`, async () => {
      const program = `
        import { ${live} } from ${JSON.stringify(portable)};
        const { process, console, JSON } = globalThis;
        let copies = 0;
        const load = () => import(${JSON.stringify(entry)} + "?" + copies++);
        console.log(JSON.stringify(await ${live}(load, ${JSON.stringify(path)})));
        process.exit();
      `;
      const { code, stdout, stderr } = await runToEnd(
        process.execPath,
        ["--input-type=module", "--eval", program],
        { cwd: testsDir, timeoutMs: 120_000 },
      );
      assert.equal(code, 0, stderr);
      assert.deepEqual(JSON.parse(stdout).slice(0, 4), []);
    });
  }
});

const PAGES = [
  "AbortController",
  "Date",
  "Date.now",
  "DecompressionStream",
  "FinalizationRegistry",
  "MessageChannel",
  "TextDecoder",
  "TextEncoder",
  "WeakRef",
  "atob",
  "crypto",
  "crypto.randomUUID",
  "indexedDB",
  "performance.now",
  "setTimeout",
];

const PAGES_BUILTINS = [
  "Array.isArray",
  "Array.prototype.forEach",
  "Array.prototype.push",
  "Map",
  "Math.min",
  "Object.keys",
  "String.prototype.includes",
  "Uint8Array",
  "WeakMap",
];

/** What a page has one of. */
const NEEDED = ["TextDecoder", "TextEncoder", "crypto"];

describe("a global that is broken, in a page", { concurrency: 1 }, () => {
  it("in Chromium", async (t) => {
    const project = await consumer("guest-globals", {
      "globals.mjs": await readFile(join(testsDir, "guest", "globals.mjs"), "utf8"),
      "page.mjs": `
        import { liveWithBuiltin, liveWithout } from "./globals.mjs";
        const { fetch, JSON } = globalThis;
        const path = new URLSearchParams(location.search).get("path");
        let copies = 0;
        const load = () => import("./node_modules/honeyhive-edge/browser.js?" + copies++);
        const isNeeded = ${JSON.stringify(NEEDED)}.includes(path);
        const isBuiltin = ${JSON.stringify(PAGES_BUILTINS)}.includes(path);
        const living = isBuiltin ? liveWithBuiltin(load, path) : liveWithout(load, path, isNeeded);
        const report = (await living).slice(0, 4);
        await fetch("/__report", { method: "POST", body: JSON.stringify(report) });
      `,
      "index.html": pageHtml("./page.mjs"),
    });
    const site = await serveSite(project);
    t.after(() => site.close());
    const browser = await chromium();
    t.after(() => browser.quit());
    // One global after the other, because a browser has room for a few dozen instances.
    for (const path of [...PAGES, ...PAGES_BUILTINS]) {
      const visit = (/** @type {string} */ url) => browser.visit(`${url}?path=${path}`);
      const report = await site
        .report(visit, { names: [], params: {} }, { timeoutMs: 60_000 })
        .catch((error) => assert.fail(`${path}: ${error}\n${browser.console()}`));
      assert.deepEqual(report, [], path);
    }
  });
});
