// Loading, failing to load, and an instance that dies: no promise is left, nothing throws, life goes on.

import assert from "node:assert/strict";
import { test } from "node:test";
import { sessionIdFrom } from "../../pkg-template/src/ids.js";
import { face, logged } from "./face.mjs";
import { NO_ANSWER } from "../../pkg-template/src/boundary.js";

test("nothing is loaded before the first call", async () => {
  const { attempts, flush } = face();
  assert.equal(attempts, 0);
  assert.deepEqual(await flush(), { delivered: 0, dropped: 0, pending: 0 });
  assert.equal(attempts, 0);
});

test("calls made before the core is there keep their order and the values they had", async () => {
  const it = face();
  const started = it.initTracer({ sessionName: "s" });
  const metadata = { n: 1 };
  const outcomes = [1, 2, 3].map((n) => {
    metadata.n = n;
    return it.enrichSession({ metadata });
  });
  metadata.n = 99;
  assert.equal(it.attempts, 1);
  const tracer = await started;
  for (const outcome of await Promise.all(outcomes)) {
    assert.deepEqual(outcome, { status: "delivered", sessionId: tracer.sessionId });
  }
  assert.deepEqual(
    it.core.of("enrichSession").map(({ json }) => json),
    [1, 2, 3].map((n) => JSON.stringify({ metadata: { n } })),
  );
  assert.equal(it.attempts, 1);
});

for (const loading of /** @type {const} */ (["sync", "async"])) {
  test(`a call reaches the core soon, in order, and not on its caller's time (${loading})`, async () => {
    const it = face({ loading });
    const tracer = await it.initTracer();
    void tracer.enrichSession({ metadata: { a: 1 } });
    void tracer.addMetrics({ b: 1 });
    void tracer.flush();
    assert.deepEqual(it.core.calls, []);
    await Promise.resolve();
    assert.deepEqual(
      it.core.calls.map(({ method }) => method),
      ["enrichSession", "addMetrics", "flush"],
    );
  });
}

test("a page that is left while the core opens gets one at once, and no second one", async () => {
  let leave = () => {};
  let begun = 0;
  /** @type {(() => void)[]} */
  const later = [];
  const page = /** @type {any} */ ({
    persist() {},
    soon: (/** @type {() => void} */ task) => later.push(task),
    run: () => begun++,
  });
  const it = face({ newPage: (told) => ((leave = told), page) });
  void it.initTracer();
  const said = it.enrichSession({ metadata: { last: 1 } });
  assert.equal(it.cores.length, 0);
  leave();
  assert.equal(it.core.of("enrichSession").length, 1);
  leave();
  assert.equal((await said).status, "delivered");
  while (later.length > 0) {
    for (const task of later.splice(0)) task();
    await new Promise((resolve) => setImmediate(resolve));
  }
  void it.enrichSession({});
  leave();
  assert.equal(begun, 1);
  assert.equal(it.cores[0]?.of("enrichSession").length, 2);
});

test("what ends alike is told in objects of its own", async () => {
  const it = face();
  const tracer = await it.initTracer();
  const [one, other] = await Promise.all([tracer.enrichSession({}), tracer.enrichSession({})]);
  assert.deepEqual(one, { status: "delivered", sessionId: tracer.sessionId });
  assert.deepEqual(one, other);
  assert.notEqual(one, other);
});

test("a flush waits for what was said before anything was started", async () => {
  const it = face();
  const said = it.enrichSession("id", { metadata: { a: 1 } });
  assert.deepEqual(await it.flush(), { delivered: 1, dropped: 0, pending: 0 });
  assert.deepEqual(
    it.core.calls.map(({ method }) => method),
    ["enrichSession", "flush"],
  );
  assert.equal((await said).status, "delivered");
});

test("where loading is synchronous a session is open at once", () => {
  const it = face({ loading: "sync" });
  void it.initTracer();
  assert.equal(it.core.options.size, 1);
});

test("a call that has not reached the core yet is not lost with it", async () => {
  const it = face();
  await logged(async () => {
    const tracer = await it.initTracer();
    const unsent = tracer.enrichSession({});
    it.core.trap(new Error("in a timer"));
    assert.equal((await unsent).status, "delivered");
  });
});

for (const loading of /** @type {const} */ (["sync", "async"])) {
  test(`a core that will not start leaves a disabled tracer (${loading})`, async () => {
    const it = face({ loading, failLoading: () => new Error("forbidden") });
    /** @type {any[]} */
    const dropped = [];
    const lines = await logged(async () => {
      const tracer = await it.initTracer({ sessionName: "s", onDrop: (d) => dropped.push(d) });
      assert.equal(tracer.enabled, false);
      assert.equal(tracer.sessionName, "s");
      assert.match(tracer.sessionId, /^[0-9a-f-]{36}$/);
      const outcome = await tracer.enrichSession({ metadata: { a: 1 } });
      assert.equal(outcome.status, "dropped");
      assert.equal(outcome.status === "dropped" && outcome.reason, "disabled");
      assert.equal(outcome.sessionId, tracer.sessionId);
      assert.match(outcome.status === "dropped" ? outcome.message : "", /forbidden.*Hint\./);
      assert.deepEqual(await tracer.flush(), { delivered: 0, dropped: 1, pending: 0 });
      assert.deepEqual(await tracer.close(), { delivered: 0, dropped: 1, pending: 0 });
      await it.initTracer();
    });
    assert.equal(dropped.length, 1);
    assert.deepEqual(
      lines.map(({ level }) => level),
      ["error"],
    );
  });
}

test("what kept the core from starting may pass", async () => {
  const it = face({ failLoading: (attempt) => (attempt === 0 ? new Error("not yet") : undefined) });
  await logged(async () => {
    const first = await it.initTracer();
    assert.equal((await first.enrichSession({})).status, "dropped");
    const second = await it.initTracer();
    assert.equal(second.enabled, true);
    assert.deepEqual(await first.enrichSession({}), {
      status: "delivered",
      sessionId: first.sessionId,
    });
    assert.deepEqual(await first.flush(), { delivered: 1, dropped: 1, pending: 0 });
  });
});

test("a trap settles what was unsent, says so once, and the next call runs on a fresh instance", async () => {
  const it = face({
    behaviour: (instance) => ({ hold: instance === 0, trapOn: (_, json) => json.includes("boom") }),
  });
  /** @type {any[]} */
  const dropped = [];
  const lines = await logged(async () => {
    const tracer = await it.initTracer({ sessionName: "s", onDrop: (d) => dropped.push(d) });
    const { sessionId } = tracer;
    const unsent = tracer.enrichSession({ metadata: { a: 1 } });
    const metrics = tracer.addMetrics({ n: 1 });
    const flushed = tracer.flush();
    const fatal = await tracer.enrichSession({ metadata: { boom: true } });
    for (const outcome of [fatal, await unsent, await metrics]) {
      assert.equal(outcome.status === "dropped" && outcome.reason, "internal");
      assert.equal(outcome.sessionId, sessionId);
    }
    // It was asked for before the fatal call.
    assert.deepEqual(await flushed, { delivered: 0, dropped: 2, pending: 0 });

    const next = await tracer.enrichSession({ metadata: { b: 1 } });
    assert.deepEqual(next, { status: "delivered", sessionId });
    assert.equal(it.cores.length, 2);
    assert.equal(it.core.options.get(1)?.sessionId, sessionId);
    assert.equal(it.core.options.get(1)?.sessionName, "s");
    assert.equal(tracer.sessionId, sessionId);
    assert.deepEqual(await tracer.flush(), { delivered: 1, dropped: 3, pending: 0 });
    assert.deepEqual(await it.flush(), { delivered: 1, dropped: 3, pending: 0 });
  });
  assert.equal(dropped.length, 3);
  assert.deepEqual(
    lines.map(({ level, line }) => [level, /honeyhive-edge failed/.test(line)]),
    [["error", true]],
  );
});

test("a trap between calls is noticed as well", async () => {
  const it = face({ behaviour: () => ({ hold: true }) });
  await logged(async () => {
    const tracer = await it.initTracer();
    const unsent = tracer.enrichSession({});
    await Promise.resolve();
    it.core.trap(new Error("in a timer"));
    const outcome = await unsent;
    assert.equal(outcome.status === "dropped" && outcome.reason, "internal");
    // What the dead one still says is not heard.
    it.cores[0]?.settle(1);
  });
});

test("a trap while a session is being opened still gives a tracer, which works later", async () => {
  const it = face({
    behaviour: (instance) => ({ trapOn: (method) => instance === 0 && method === "initTracer" }),
  });
  await logged(async () => {
    const tracer = await it.initTracer({ sessionName: "s" });
    assert.equal(tracer.sessionName, "s");
    const { sessionId } = tracer;
    assert.deepEqual(await tracer.enrichSession({}), { status: "delivered", sessionId });
    assert.equal(it.cores.length, 2);
  });
});

test("calls that wait for the core survive a trap by one of them", async () => {
  const it = face({ behaviour: () => ({ trapOn: (_, json) => json.includes("boom") }) });
  await logged(async () => {
    void it.initTracer();
    const outcomes = await Promise.all([
      it.enrichSession({ metadata: { a: 1 } }),
      it.enrichSession({ metadata: { boom: 1 } }),
      it.enrichSession({ metadata: { b: 1 } }),
    ]);
    assert.deepEqual(
      outcomes.map((outcome) => (outcome.status === "dropped" ? outcome.reason : outcome.status)),
      ["internal", "internal", "delivered"],
    );
  });
});

test("children are registered again under their parent, and closed tracers stay closed", async () => {
  const it = face({ behaviour: () => ({ trapOn: (_, json) => json.includes("boom") }) });
  await logged(async () => {
    const parent = await it.initTracer({ apiKey: "k" });
    const child = parent.startSession({ sessionName: "child" });
    const closed = parent.startSession();
    await closed.close();
    await parent.enrichSession({ metadata: { boom: 1 } });
    assert.equal((await child.enrichSession({})).sessionId, child.sessionId);
    assert.equal(it.core.options.get(1)?.apiKey, "k");
    assert.equal(it.core.options.get(2)?.parent, 1);
    // In case the parent is gone by then.
    assert.equal(it.core.options.get(2)?.apiKey, "k");
    const refused = await closed.enrichSession({});
    assert.equal(refused.status === "dropped" && refused.reason, "closed");
  });
});

test("onDrop is called apart from the core, and what it throws is swallowed", async () => {
  const it = face();
  /** @type {any[]} */
  const dropped = [];
  const lines = await logged(async () => {
    const fails = await it.initTracer({
      logLevel: "debug",
      onDrop: (d) => {
        dropped.push(d);
        throw new Error("no");
      },
    });
    const rejects = await it.initTracer({ onDrop: () => Promise.reject(new Error("no")) });
    void fails.enrichSession({});
    void rejects.enrichSession({});
    await Promise.resolve();
    it.core.host.dropped(1, '{"reason":"rejected","message":"m","enrichment":{}}');
    it.core.host.dropped(2, "no JSON at all");
    assert.equal(dropped.length, 0);
    await new Promise((resolve) => setTimeout(resolve, 5));
  });
  assert.deepEqual(dropped, [{ reason: "rejected", message: "m", enrichment: {} }]);
  assert.deepEqual(
    lines.map(({ level }) => level),
    ["debug"],
  );
});

test("the core's requests go through the tracer's fetch, or the global one of that moment", async (t) => {
  const it = face({ behaviour: () => ({ hold: true }) });
  /** @type {string[]} */
  const seen = [];
  await it.initTracer({ fetch: async (url) => (seen.push(`own ${url}`), new Response("own")) });
  const transport = /** @type {number} */ (it.core.options.get(1)?.transport);
  assert.ok(transport > 0);
  assert.equal((await it.core.request(transport, "u")).body, "own");
  const original = globalThis.fetch;
  t.after(() => (globalThis.fetch = original));
  globalThis.fetch = async (url) => (seen.push(`global ${url}`), new Response("global"));
  assert.equal((await it.core.request(0, "v")).body, "global");
  assert.deepEqual(seen, ["own u", "global v"]);
});

for (const [name, fetch] of /** @type {[string, any][]} */ ([
  ["throws", () => { throw new Error("no"); }], // prettier-ignore
  ["throws nothing", () => { throw undefined; }], // prettier-ignore
  ["rejects with a string", () => Promise.reject("no")], // oxlint-disable-line prefer-promise-reject-errors
])) {
  test(`a fetch that ${name} is no answer`, async () => {
    const it = face({ behaviour: () => ({ hold: true }) });
    await it.initTracer({ fetch });
    const { status } = await it.core.request(Number(it.core.options.get(1)?.transport), "u");
    assert.equal(status, NO_ANSWER);
  });
}

test("what the core calls may call the core, which is no sign of a script that was cut off", async () => {
  const it = face({ behaviour: () => ({ hold: true }) });
  /** @type {unknown[]} */
  const seen = [];
  const tracer = await it.initTracer({
    fetch: async () => {
      seen.push(tracer.startSession({ sessionId: "child" }).sessionId);
      return new Response("own");
    },
  });
  await it.core.request(Number(it.core.options.get(1)?.transport), "u");
  assert.deepEqual(seen, ["child"]);
  assert.equal(it.core.options.size, 2);
  assert.ok(!it.core.dead);
});

test("a session is the same one after a trap", async () => {
  const it = face({
    behaviour: (instance) => ({ hold: instance === 0, trapOn: (_, json) => json.includes("boom") }),
  });
  await logged(async () => {
    const tracer = await it.initTracer();
    const { sessionId } = tracer;
    await tracer.enrichSession({ metadata: { boom: 1 } });
    await tracer.enrichSession({});
    assert.equal(it.core.options.get(1)?.sessionId, sessionId);
    assert.equal(tracer.sessionId, sessionId);
  });
});

test("where no core will start a tracer shows the UUID that its session's name stands for", async () => {
  const it = face({ failLoading: () => new Error("no") });
  await logged(async () => {
    const named = await it.initTracer({ sessionId: " mine " });
    assert.equal(named.sessionId, sessionIdFrom("mine"));
    const fresh = await it.initTracer({ sessionId: " " });
    assert.notEqual(fresh.sessionId, named.sessionId);
  });
});

test("nobody is told in a request that was torn down, and what it gave is counted all the same", async () => {
  const it = face({ behaviour: () => ({ hold: true }) });
  const tracer = await it.initTracer();
  let told = false;
  void tracer.enrichSession({}).then(() => (told = true));
  const other = tracer.enrichSession({});
  await Promise.resolve();
  const [gone, alive] = it.core.of("enrichSession").map(({ id }) => id);
  assert.ok(gone && alive);
  it.core.host.abandonCall(gone);
  it.core.settle(gone);
  it.core.settle(alive);
  assert.equal((await other).status, "delivered");
  assert.equal(told, false);
  await logged(() => it.core.trap(new Error("unreachable")));
  assert.equal((await it.flush()).delivered, 2);
});

test("what is too large is refused before it is copied, wherever it is in it", async () => {
  const it = face();
  /** @type {any[]} */
  const drops = [];
  const tracer = await it.initTracer({
    onDrop: (dropped) => drops.push(dropped),
    logLevel: "silent",
  });
  const large = "x".repeat(9_000_000);
  const list = Array.from({ length: 100 }, () => "x".repeat(100_000));
  for (const metadata of [
    { large },
    { deep: [{ large }] },
    { list },
    { map: new Map([[1, large]]) },
  ]) {
    const outcome = await tracer.enrichSession({ metadata });
    assert.equal(outcome.status === "dropped" && outcome.reason, "too_large");
  }
  const named = sessionIdFrom("named");
  const outcome = await tracer.enrichSession(named, { metadata: { large } });
  assert.equal(outcome.sessionId, named);
  assert.equal(it.core.of("enrichSession").length, 0);
  assert.equal(drops.length, 5);
  assert.equal((await tracer.enrichSession({ metadata: { ok: 1 } })).status, "delivered");
});

test("a flood in one tick goes to the core, whose budget it is, before it takes much memory", async () => {
  for (const [options, most] of /** @type {const} */ ([
    [{}, 8 * 1024 * 1024],
    [{ maxQueueBytes: 1_000_000 }, 1_000_000],
  ])) {
    const it = face({ loading: "sync" });
    const tracer = await it.initTracer(options);
    const text = "x".repeat(100_000);
    const outcomes = Array.from({ length: 200 }, () =>
      tracer.enrichSession({ metadata: { text } }),
    );
    const waiting = 200 - it.core.of("enrichSession").length;
    assert.ok(waiting * text.length <= most, `${waiting} wait`);
    for (const { status } of await Promise.all(outcomes)) assert.equal(status, "delivered");
  }
});

test("a server's burst of two thousand calls costs the caller the snapshots alone", async () => {
  const it = face({ loading: "sync" });
  const tracer = await it.initTracer();
  const text = "x".repeat(1_200);
  const outcomes = Array.from({ length: 2_000 }, () =>
    tracer.enrichSession({ metadata: { text } }),
  );
  assert.equal(it.core.of("enrichSession").length, 0);
  for (const { status } of await Promise.all(outcomes)) assert.equal(status, "delivered");
});

test("what waits for a core that is yet to start is bounded as well, and said", async () => {
  const it = face({ loading: "async" });
  const started = it.initTracer({ maxQueueBytes: 1_000_000, logLevel: "silent" });
  const text = "x".repeat(100_000);
  const outcomes = await Promise.all(
    Array.from({ length: 50 }, () => it.enrichSession({ metadata: { text } })),
  );
  await started;
  const full = outcomes.filter((end) => end.status === "dropped" && end.reason === "queue_full");
  assert.equal(full.length, 41);
  assert.equal(outcomes.filter((end) => end.status === "delivered").length, 9);
});
