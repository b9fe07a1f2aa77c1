// Each global that the package calls, replaced by something broken: nothing throws, each promise settles, nothing is lost.

import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, it } from "node:test";
import { runToEnd } from "../support/child.mjs";
import { packageDir, testsDir } from "../support/package.mjs";

const entry = pathToFileURL(join(packageDir, "index.js")).href;

const GLOBALS = [
  "AbortController",
  "AbortSignal",
  "BroadcastChannel",
  "Buffer",
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
  "location",
  "navigator",
  "performance",
  "performance.now",
  "performance.timeOrigin",
  "process",
  "queueMicrotask",
  "setImmediate",
  "setInterval",
  "setTimeout",
  "structuredClone",
];

describe("a global that is broken", { concurrency: 2 }, () => {
  for (const path of GLOBALS) {
    it(path, async () => {
      const program = join(testsDir, "guest", "globals.mjs");
      const { code, stdout, stderr } = await runToEnd(process.execPath, [program, entry, path], {
        cwd: testsDir,
        timeoutMs: 120_000,
      });
      assert.equal(code, 0, stderr);
      assert.deepEqual(JSON.parse(stdout).slice(0, 4), []);
    });
  }
});
