// What a runtime lacks, or has of another make: what is optional is done without, and what is needed is named.

import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, it } from "node:test";
import { runToEnd } from "../support/child.mjs";
import { packageDir, testsDir } from "../support/package.mjs";

const entry = JSON.stringify(pathToFileURL(join(packageDir, "index.js")).href);

/**
 * @param {string} before what is done to the globals before the package is loaded
 * @param {string} options of the tracer, as source
 * @returns {Promise<{ outcome: any, dropped: any[], report: any, requests: any[], log: string }>}
 */
async function enrichedAfter(before, options = "fetch: double") {
  const program = `
    const requests = [];
    // Not a Response: Node's own is made of what is taken away here.
    const answer = { status: 200, headers: { get: () => null }, text: async () => "{}" };
    const double = async (_, init) => {
      requests.push({ keys: Object.keys(init), body: init.body });
      return answer;
    };
    ${before}
    const { initTracer, enrichSession, flush } = await import(${entry});
    const dropped = [];
    const tracer = await initTracer({
      apiKey: "hh_guest", serverUrl: "http://127.0.0.1:2", mergeWindowMs: 1, deadlineMs: 4000,
      onDrop: (lost) => void dropped.push(lost), ${options},
    });
    const outcome = await tracer.enrichSession({ metadata: { a: 1 } });
    await tracer.enrichSession({ metadata: { b: 2 } });
    const report = await flush();
    console.log(JSON.stringify({ outcome, dropped, report, requests }));
    process.exit();
  `;
  const { code, stdout, stderr } = await runToEnd(
    process.execPath,
    ["--input-type=module", "--eval", program],
    { cwd: testsDir },
  );
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  return { ...JSON.parse(stdout), log: stderr };
}

describe("what is optional may be missing", { concurrency: 2 }, () => {
  const without = (/** @type {string} */ names) =>
    names
      .split(" ")
      .map((name) => `delete globalThis.${name};`)
      .join("\n");
  const noContext = "process.getBuiltinModule = undefined; delete globalThis.AsyncLocalStorage;";
  const throwing = (/** @type {string} */ name) =>
    `globalThis.${name} = class { constructor() { throw new Error("none here"); } };`;
  const cases = /** @type {Record<string, string>} */ ({
    "FinalizationRegistry, in a page": `${without("FinalizationRegistry")} ${noContext}`,
    "FinalizationRegistry and WeakRef, in a page": `${without("FinalizationRegistry WeakRef")} ${noContext}`,
    "FinalizationRegistry that throws": `${throwing("FinalizationRegistry")} ${noContext}`,
    AbortController: without("AbortController AbortSignal"),
    "AbortController that throws": throwing("AbortController"),
    performance: "Object.defineProperty(globalThis, 'performance', { value: undefined });",
    queueMicrotask: without("queueMicrotask"),
    structuredClone: without("structuredClone MessageChannel BroadcastChannel"),
    "timers, which throw": `
      globalThis.setTimeout = () => { throw new Error("no timers here"); };
      globalThis.clearTimeout = globalThis.setTimeout;
    `,
    timers: "globalThis.setTimeout = undefined; globalThis.clearTimeout = undefined;",
    "console methods": "globalThis.console = { log: console.log };",
  });
  for (const [name, before] of Object.entries(cases)) {
    it(name, async () => {
      const { outcome, report } = await enrichedAfter(before);
      assert.equal(outcome.status, "delivered", JSON.stringify(outcome));
      assert.deepEqual(report, { delivered: 2, dropped: 0, pending: 0 });
    });
  }

  it("TextEncoder and TextDecoder, as in Jest's page: Node's own are used", async () => {
    const { outcome } = await enrichedAfter(without("TextEncoder TextDecoder"));
    assert.equal(outcome.status, "delivered", JSON.stringify(outcome));
  });

  it("an AbortController of another make: the request is sent without its signal, at once", async () => {
    const before = `
      globalThis.AbortController = class { signal = { aborted: false }; abort() {} };
      const own = globalThis.fetch;
      globalThis.fetch = async (url, init) => {
        requests.push({ keys: Object.keys(init) });
        // What Node's fetch throws for such a signal, and an answer for the others.
        if (init.signal) return own(url, init);
        return answer;
      };
    `;
    const { outcome, requests } = await enrichedAfter(before, "logLevel: 'silent'");
    assert.equal(outcome.status, "delivered", JSON.stringify(outcome));
    const signals = requests.map(({ keys }) => keys.includes("signal"));
    assert.deepEqual(signals.slice(0, 2), [true, false]);
    assert.equal(signals.slice(1).includes(true), false, "signals are not used again");
  });
});

describe("what is needed is named", { concurrency: 2 }, () => {
  it("no WebAssembly, as in Hermes", async () => {
    const { outcome, log } = await enrichedAfter(`
      delete globalThis.WebAssembly;
      delete globalThis.FinalizationRegistry;
      delete globalThis.WeakRef;
      process.getBuiltinModule = undefined;
    `);
    assert.deepEqual([outcome.status, outcome.reason], ["dropped", "disabled"]);
    assert.match(outcome.message, /no WebAssembly, as React Native's Hermes/);
    assert.match(log, /no WebAssembly/);
  });

  it("WebAssembly that a Worker may not compile", async () => {
    const { outcome } = await enrichedAfter(`
      Object.defineProperty(globalThis, "navigator", { value: { userAgent: "Cloudflare-Workers" } });
      WebAssembly.Module = class { constructor() { throw new Error("Wasm code generation disallowed"); } };
    `);
    assert.equal(outcome.reason, "disabled");
    assert.match(outcome.message, /serverExternalPackages/);
    assert.doesNotMatch(outcome.message, /Content-Security-Policy/);
  });

  it("no Response in the relay", async () => {
    const relay = JSON.stringify(pathToFileURL(join(packageDir, "relay.js")).href);
    const program = `
      const request = new Request("https://relay.example/x", { method: "POST", body: "{}" });
      delete globalThis.Response;
      const { createRelay } = await import(${relay});
      const answer = await createRelay({ apiKey: "hh_guest", secret: "s".repeat(40) })(request);
      console.log(JSON.stringify({ status: answer.status, text: JSON.parse(await answer.text()) }));
    `;
    const { code, stdout, stderr } = await runToEnd(
      process.execPath,
      ["--input-type=module", "--eval", program],
      { cwd: testsDir },
    );
    assert.equal(code, 0, stderr);
    const { status, text } = JSON.parse(stdout);
    assert.deepEqual([status, text.errorCode], [500, "INTERNAL"]);
    assert.match(stderr, /no Response, which the relay answers with/);
  });

  it("no fetch at all", async () => {
    const before = "globalThis.fetch = undefined;";
    const { outcome, dropped } = await enrichedAfter(before, "logLevel: 'silent'");
    assert.equal(outcome.status, "dropped");
    assert.match(outcome.message, /this runtime has no fetch: pass one as the option `fetch`/);
    assert.match(dropped[0].message, /no fetch/);
    assert.equal(
      outcome.reason,
      "rejected",
      "at once: what is tried until the deadline ends otherwise",
    );
  });

  for (const double of ["{ ok: true, json: async () => ({}) }", "undefined", "'{}'"]) {
    it(`a double of fetch that gives ${double}`, async () => {
      const { outcome } = await enrichedAfter("", `fetch: async () => (${double})`);
      assert.equal(outcome.status, "dropped");
      assert.match(outcome.message, /`fetch` returned something without a `status`/);
      assert.match(outcome.message, /new Response/);
      assert.equal(
        outcome.reason,
        "rejected",
        "at once: what is tried until the deadline ends otherwise",
      );
    });
  }

  const soon = "deadlineMs: 2000";
  it("a closed port", async () => {
    const { outcome, dropped } = await enrichedAfter("", soon);
    assert.equal(outcome.reason, "retries_exhausted");
    assert.match(outcome.message, /ECONNREFUSED/);
    assert.match(dropped[0].message, /ECONNREFUSED/);
  });

  it("a name that is not known", async () => {
    const before = "const serverUrl = 'http://honeyhive.invalid';";
    const { outcome } = await enrichedAfter(before, `serverUrl, ${soon}`);
    assert.match(outcome.message, /ENOTFOUND|EAI_AGAIN/);
  });

  it("a certificate that is not trusted", async () => {
    const before = `
      const cause = Object.assign(new Error("self-signed certificate"), { code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
      const refusing = async () => { throw new TypeError("fetch failed", { cause }); };
    `;
    const { outcome } = await enrichedAfter(before, `fetch: refusing, ${soon}`);
    assert.match(outcome.message, /fetch failed: self-signed certificate.*DEPTH_ZERO/);
  });
});
