// React Native, and Expo on a phone: their bundler, Metro, takes the package, and where the engine has no WebAssembly, as
// Hermes has none, each call says so and nothing throws. On the web Expo's bundle is a page's.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { createContext, runInContext } from "node:vm";
import { runToEnd } from "../../support/child.mjs";
import { packageDir } from "../../support/package.mjs";
import { application, command, folderOf, runBuild } from "../framework.mjs";

/** @type {typeof import("honeyhive-edge")} */
const { sessionIdFrom } = await import(pathToFileURL(join(packageDir, "index.js")).href);

const APPLICATION = `
  import * as api from "honeyhive-edge";

  globalThis.outcome = (async () => {
    const options = { apiKey: "hh_x", serverUrl: "https://backend.example", redact: { keys: ["email"] } };
    const tracer = await api.initTracer(options);
    const active = api.activeTracer() === tracer;
    const said = { metadata: { from: "a phone", é: "\\ud800", map: new Map([["a", 1]]), date: new Date(0) } };
    const outcomes = [
      await api.enrichSession(said),
      await tracer.enrichSession(said),
      await api.enrichSession("conversation é", said),
      await api.enrichEvent("c0ffee00-0000-4000-8000-000000000001", said),
      await tracer.addMetrics({ tokens: 1 }),
      await tracer.run(() => api.enrichSession(said)),
      await api.withSession(options, (session) => session.enrichSession(said)),
      await tracer.startSession({ sessionName: "another" }).enrichSession(said),
    ];
    const ids = [api.sessionIdFrom("conversation é"), tracer.sessionId, api.newEventId()];
    const headers = tracer.propagationHeaders();
    const flushed = await api.flush();
    const closed = await tracer.close();
    return JSON.stringify({ outcomes, ids, headers, active, flushed, closed });
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

/** What React Native has around the bundle, in an engine that has no `console`; its lines are printed at the end. */
const AROUND = {
  before: `
    globalThis.window = globalThis.global = globalThis;
    globalThis.navigator = { product: "ReactNative" };
    globalThis.performance = { now: () => Date.now() };
    globalThis.fetch = () => { throw new Error("nothing is sent"); };
    const lines = [];
    const log = (line) => void lines.push(line);
    globalThis.console = { log, warn: log, error: log, debug: log, info: log };
  `,
  after: `
    globalThis.outcome.then(
      (json) => print(JSON.stringify({ json, lines })),
      (error) => print(String(error.stack)),
    );
  `,
};

/**
 * @param {string} json what the application reported
 * @param {string[]} lines of its log
 */
function assertSaysWhy(json, lines) {
  const { outcomes, ids, headers, active, flushed, closed } = JSON.parse(json);
  for (const { status, reason, message } of outcomes) {
    assert.deepEqual([status, reason], ["dropped", "disabled"]);
    assert.match(
      message,
      /no WebAssembly, as React Native's Hermes has none: enrich from your server/,
    );
  }
  assert.equal(outcomes.length, 8);
  assert.equal(ids[0], sessionIdFrom("conversation é"), "the id of a name is the same everywhere");
  for (const id of ids.slice(1)) assert.equal(typeof id, "string");
  assert.equal(typeof headers.baggage, "string");
  assert.equal(active, true);
  assert.deepEqual(flushed, { delivered: 0, dropped: 8, pending: 0 });
  assert.equal(closed.pending, 0);
  assert.equal(lines.length, 1, lines.join("\n"));
  assert.match(lines[0] ?? "", /no WebAssembly/);
}

describe("Metro", () => {
  /** @type {string} */
  let bundle;
  before(async () => {
    const cwd = await application("metro", "app", {
      "app.js": APPLICATION,
      "build.js": BUILD,
      "metro.config.js": CONFIG,
      "package.json": JSON.stringify({ name: "app", private: true }),
    });
    await runBuild(cwd, ["build.js"]);
    bundle = join(cwd, "bundle.js");
  });

  it("bundles the package, which says that there is no WebAssembly", async () => {
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
    runInContext(await readFile(bundle, "utf8"), context);
    assertSaysWhy(await context["outcome"], lines);
  });

  it("has a bundle that runs in Hermes itself", async () => {
    const program = `${bundle}.hermes.js`;
    await writeFile(program, AROUND.before + (await readFile(bundle, "utf8")) + AROUND.after);
    const folder = process.platform === "darwin" ? "osx-bin" : "linux64-bin";
    const hermes = command("metro", `hermes-engine-cli/${folder}/hermes`);
    const { code, stdout, stderr } = await runToEnd(hermes, ["-Xes6-promise", program]);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /^\{/, stdout + stderr);
    const { json, lines } = JSON.parse(stdout);
    assertSaysWhy(json, lines);
  });
});
