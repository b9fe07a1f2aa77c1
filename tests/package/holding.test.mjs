// The face holds what a tracer came with (its `fetch`, its `onDrop`, its masking) exactly while the core has work
// for that tracer, whoever gave it; and it masks with the code of the tracer that a call is given to.

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import v8 from "node:v8";
import vm from "node:vm";
import { packageDir } from "../support/package.mjs";

v8.setFlagsFromString("--expose-gc");
const gc = vm.runInNewContext("gc");

const { initTracer, enrichSession } = await import(
  pathToFileURL(join(packageDir, "index.js")).href
);

/** A backend in this process, and what it was sent. */
class Backend {
  /** @type {{ url: string, body: any }[]} */
  requests = [];
  status = 200;
  delayMs = 0;

  /** Another function each time, as an application writes it. */
  get fetch() {
    return async (/** @type {string} */ url, /** @type {RequestInit} */ { body }) => {
      this.requests.push({ url, body: JSON.parse(String(body)) });
      if (this.delayMs) await sleep(this.delayMs);
      return new Response("{}", { status: this.status });
    };
  }

  get text() {
    return JSON.stringify(this.requests);
  }
}

const SECRETS = { metadata: { ssn: "078-05-1120", password: "hunter2" } };
const isSecret = (/** @type {unknown} */ value) =>
  typeof value === "string" && (value.includes("078-05-1120") || value.includes("hunter2"));
const mask = (/** @type {unknown} */ value) => (isSecret(value) ? "masked" : value);

/**
 * In an async context of its own.
 * @template T
 * @param {() => Promise<T>} fn
 * @returns {Promise<T>}
 */
const apart = (fn) => new Promise((resolve) => setTimeout(() => resolve(fn()), 0));

/**
 * @param {Backend} backend
 * @param {object} [more]
 */
const open = (backend, more) =>
  apart(() =>
    initTracer({ apiKey: "key", serverUrl: "https://hive.example", fetch: backend.fetch, ...more }),
  );

describe("a call that names a session is masked by the tracer that it is given to", () => {
  for (const [how, active] of /** @type {const} */ ([
    ["where another tracer is active", { redact: true }],
    ["where another tracer is active that masks nothing", { redact: false }],
    [
      "where another tracer is active with a function of its own",
      { redact: (/** @type {unknown} */ value) => value },
    ],
    ["where another tracer is active with another key", { apiKey: "another" }],
    ["where none is active", undefined],
  ])) {
    for (const redact of [mask, { patterns: [/078-05-1120|hunter2/] }]) {
      it(`${how}, to a tracer with ${typeof redact === "function" ? "a function" : "patterns"}`, async () => {
        const backend = new Backend();
        const owner = await open(backend, { redact });
        const enrich = () => enrichSession(owner.sessionId, SECRETS);
        await apart(async () => {
          if (!active) return enrich();
          const tracer = await initTracer({
            apiKey: "key",
            serverUrl: "https://hive.example",
            fetch: backend.fetch,
            ...active,
          });
          const ended = await enrich();
          await tracer.close();
          return ended;
        });
        await owner.close();
        assert.doesNotMatch(backend.text, /078-05-1120|hunter2/);
        assert.match(backend.text, /ssn/);
      });
    }
  }

  it("and by no other: what the active one would hide is the owner's to say", async () => {
    const backend = new Backend();
    const owner = await open(backend, { redact: false });
    const tracer = await open(backend, { redact: () => "hidden" });
    await tracer.run(() => enrichSession(owner.sessionId, { metadata: { a: "plain" } }));
    assert.match(backend.text, /plain/);
    await Promise.all([owner.close(), tracer.close()]);
  });

  it("also where the id is of no tracer here, and one of several is taken", async () => {
    const backend = new Backend();
    const options = { apiKey: "one-of-several", redact: mask, fetch: backend.fetch };
    const tracers = [await open(backend, options), await open(backend, options)];
    const id = "33333333-3333-4333-8333-333333333333";
    assert.equal((await apart(() => enrichSession(id, SECRETS))).status, "delivered");
    assert.doesNotMatch(backend.text, /078-05-1120|hunter2/);
    await Promise.all(tracers.map((tracer) => tracer.close()));
  });
});

describe("what a tracer came with is there when its work is done", () => {
  /** @type {Record<string, (tracer: any, other: any) => unknown>} */
  const calls = {
    "a field that is no object": (tracer) => tracer.enrichSession({ metadata: 3 }),
    "addMetrics of nothing": (tracer) => tracer.addMetrics({}),
    "too large a call": (tracer) =>
      tracer.enrichSession({ metadata: { a: "x".repeat(5_000_000) } }),
    "a flush": (tracer) => tracer.flush(),
    "another's call and a flush": (tracer, other) => [
      other.enrichSession({ metadata: { b: 1 } }),
      tracer.flush(),
    ],
  };
  for (const [what, call] of Object.entries(calls)) {
    it(`where ${what} comes before it in the same turn`, async () => {
      const backend = new Backend();
      /** @type {any[]} */
      const drops = [];
      const options = { deadlineMs: 500, onDrop: (/** @type {any} */ drop) => drops.push(drop) };
      const [tracer, other] = [await open(backend, options), await open(backend, options)];
      await Promise.all([tracer.flush(), other.flush()]);
      call(tracer, other);
      assert.equal((await tracer.enrichSession({ metadata: { good: 1 } })).status, "delivered");
      assert.match(backend.text, /good/);
      backend.status = 422;
      call(tracer, other);
      await tracer.enrichSession({ metadata: { bad: 1 } });
      await sleep(1);
      assert.ok(drops.some(({ enrichment }) => enrichment.metadata?.bad === 1));
      await Promise.all([tracer.close(), other.close()]);
    });
  }

  for (const nobodys of [false, true]) {
    it(`where a bare call gives it ${nobodys ? "by an id of nobody's" : "by its session's id"}`, async () => {
      const backend = new Backend();
      const options = {
        apiKey: nobodys ? "nobodys" : "its-own",
        deadlineMs: 500,
        fetch: backend.fetch,
      };
      const tracers = [await open(backend, options), await open(backend, options)];
      await Promise.all(tracers.map((tracer) => tracer.flush()));
      const id = nobodys ? "44444444-4444-4444-8444-444444444444" : tracers[1].sessionId;
      const before = backend.requests.length;
      const ended = await apart(() => enrichSession(id, { metadata: { a: 1 } }));
      assert.equal(ended.status, "delivered");
      assert.ok(backend.requests.length > before, "by its own fetch");
      await Promise.all(tracers.map((tracer) => tracer.close()));
    });
  }

  it("where what is left of a closed tracer, its start, is tried again", async () => {
    const backend = new Backend();
    Object.assign(backend, { status: 503, delayMs: 100 });
    const tracer = await open(backend);
    while (backend.requests.length === 0) await sleep(5);
    await tracer.close({ timeoutMs: 0 });
    while (backend.requests.length === 1) await sleep(5);
    backend.status = 200;
  });
});

it("a tracer that was collected takes no call of its session's any more", async () => {
  const backend = new Backend();
  const options = { apiKey: "collected", deadlineMs: 500 };
  const id = await apart(async () => {
    const gone = await initTracer({
      serverUrl: "https://hive.example",
      fetch: backend.fetch,
      ...options,
    });
    await gone.flush();
    return gone.sessionId;
  });
  await sleep(1);
  const tracer = await open(backend, options);
  gc();
  // Collected, and nobody was told of that yet.
  const ended = await tracer.run(() => enrichSession(id, { metadata: { a: 1 } }));
  assert.equal(ended.status, "delivered");
  await tracer.close();
});

it("reports of one tracer are the same however often and at whatever time it is closed", async () => {
  const backend = new Backend();
  const tracer = await open(backend);
  void tracer.enrichSession({ metadata: { a: 1 } });
  void tracer.enrichSession({ metadata: 3 });
  const report = { delivered: 1, dropped: 1, pending: 0 };
  assert.deepEqual(await Promise.all([tracer.close(), tracer.close()]), [report, report]);
  assert.deepEqual([await tracer.close(), await tracer.flush()], [report, report]);
  backend.status = 503;
  const failing = await open(backend);
  void failing.enrichSession({ metadata: { a: 1 } });
  const none = { delivered: 0, dropped: 1, pending: 0 };
  const closes = [failing.close({ timeoutMs: 10 }), failing.close({ timeoutMs: 5_000 })];
  assert.deepEqual(await Promise.all(closes), [none, none]);
});
