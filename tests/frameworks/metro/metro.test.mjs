// React Native, and Expo on a phone: their bundler, Metro, takes the package, and where the engine has no WebAssembly, as
// Hermes has none, each call says so and nothing throws. On the web Expo's bundle is a page's.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createContext, runInContext } from "node:vm";
import { application, folderOf, runBuild } from "../framework.mjs";

const APPLICATION = `
  import { enrichSession, initTracer } from "honeyhive-edge";

  globalThis.outcome = (async () => {
    const tracer = await initTracer({ apiKey: "hh_x", serverUrl: "https://backend.example" });
    const bare = await enrichSession({ metadata: { from: "a phone" } });
    const own = await tracer.enrichSession({ metadata: { from: "a phone" } });
    return JSON.stringify([bare, own]);
  })();
`;

const BUILD = `
  const Metro = require("metro");
  (async () => {
    const config = await Metro.loadConfig({ cwd: __dirname });
    await Metro.runBuild(config, { entry: "app.js", platform: "ios", out: "bundle", minify: false, dev: false });
  })().catch((error) => { console.error(error); process.exitCode = 1; });
`;

/** As @react-native/metro-config has it. */
const CONFIG = `
  module.exports = {
    projectRoot: __dirname,
    watchFolders: [${JSON.stringify(folderOf("metro"))}],
    resolver: { unstable_conditionNames: ["react-native"], useWatchman: false },
    transformer: {
      babelTransformerPath: require.resolve("@react-native/metro-babel-transformer"),
      enableBabelRCLookup: false,
    },
    reporter: { update(event) { if (/failed|error/.test(event.type)) console.error(event); } },
  };
`;

describe("Metro", () => {
  it("bundles the package, which says that Hermes has no WebAssembly", async () => {
    const cwd = await application("metro", "app", {
      "app.js": APPLICATION,
      "build.js": BUILD,
      "metro.config.js": CONFIG,
      "package.json": JSON.stringify({ name: "app", private: true }),
    });
    await runBuild(cwd, ["build.js"]);
    const bundle = await readFile(join(cwd, "bundle.js"), "utf8");
    /** @type {string[]} */
    const lines = [];
    const log = (/** @type {string} */ line) => void lines.push(line);
    const { setTimeout, clearTimeout, queueMicrotask } = globalThis;
    const context = createContext({
      console: { log, warn: log, error: log, debug: log, info: log },
      setTimeout,
      clearTimeout,
      queueMicrotask,
      performance: { now: () => 0 },
      navigator: { product: "ReactNative" },
      fetch: () => assert.fail("nothing is sent"),
      outcome: undefined,
    });
    runInContext(
      "for (const name of ['WebAssembly', 'FinalizationRegistry', 'WeakRef']) delete globalThis[name]; globalThis.window = globalThis.global = globalThis;",
      context,
    );
    runInContext(bundle, context);
    const outcomes = JSON.parse(await context["outcome"]);
    for (const { status, reason, message } of outcomes) {
      assert.deepEqual([status, reason], ["dropped", "disabled"]);
      assert.match(
        message,
        /no WebAssembly, as React Native's Hermes has none: enrich from your server/,
      );
    }
    assert.equal(lines.length, 1, lines.join("\n"));
    assert.match(lines[0] ?? "", /no WebAssembly/);
  });
});
