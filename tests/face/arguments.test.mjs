// What callers may pass to the public functions, right and wrong, and who is meant by it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { face, logged } from "./face.mjs";
import { anyValue } from "../support/values.mjs";

/** @param {any} outcome */
const reason = (outcome) => outcome.reason ?? outcome.status;

test("the session is named by position, by parameter, by tracer, or by where one is", async () => {
  const it = face();
  const a = await it.initTracer({ sessionId: "a" });
  const b = await it.initTracer({ sessionId: "b" });
  const { enrichSession } = it;
  const fields = { metadata: { x: 1 } };
  /** @type {[() => Promise<any>, number, string | undefined][]} */
  const cases = [
    [() => enrichSession(fields), 2, undefined],
    [() => enrichSession(), 2, undefined],
    [() => enrichSession(null, fields), 2, undefined],
    [() => enrichSession(undefined, fields), 2, undefined],
    [() => enrichSession("id", fields), 2, "id"],
    [() => enrichSession("id"), 2, "id"],
    [() => enrichSession("", { sessionId: "id" }), 2, "id"],
    [() => enrichSession("one", { ...fields, sessionId: "two" }), 2, "one"],
    [() => enrichSession({ ...fields, sessionId: "id" }), 2, "id"],
    [() => enrichSession(/** @type {any} */ ({ ...fields, session_id: "id" })), 2, "id"],
    [() => enrichSession({ ...fields, tracer: a }), 1, undefined],
    [() => enrichSession(/** @type {any} */ ({ ...fields, tracerInstance: a })), 1, undefined],
    [() => enrichSession(/** @type {any} */ ({ ...fields, tracer_instance: a })), 1, undefined],
    [() => enrichSession("id", { ...fields, tracer: a }), 1, "id"],
    [() => enrichSession({ ...fields, tracer: a, sessionId: "id" }), 1, "id"],
    [() => a.enrichSession(fields), 1, undefined],
    [() => a.enrichSession("id", fields), 1, "id"],
    [() => a.enrichSession({ ...fields, sessionId: "id" }), 1, "id"],
    [() => a.enrichSession(/** @type {any} */ ({ ...fields, tracer: b })), 1, undefined],
  ];
  for (const [call, tracer, sessionId] of cases) {
    assert.equal((await call()).status, "delivered", String(call));
    const { id: _, json, ...sent } = /** @type {any} */ (it.core.calls.at(-1));
    assert.deepEqual(sent, { method: "enrichSession", tracer, sessionId, scope: 0 }, String(call));
    assert.ok(json === JSON.stringify(fields) || json === "{}", json);
  }
});

test("what can not name a session is refused, and reaches none", async () => {
  const it = face();
  await it.initTracer();
  const any = /** @type {any} */ (it.enrichSession);
  for (const given of [
    [42],
    [42, { metadata: {} }],
    [true],
    [Symbol("s")],
    [() => "id"],
    [{ sessionId: 42 }],
    [{ sessionId: {} }],
    [{ session_id: ["id"] }],
    [{ tracer: {} }],
    [{ tracer: "t" }],
    [{ tracer: { enrichSession: 5 } }],
    [{ tracer: { enrichSession() { throw new Error("no"); } } }], // prettier-ignore
    [{ tracer: { enrichSession: () => Promise.reject(new Error("no")) } }],
  ]) {
    assert.equal(reason(await any(...given)), "invalid", String(given[0]));
  }
  assert.equal(it.core.calls.length, 0);
  assert.deepEqual(await it.flush(), { delivered: 0, dropped: 13, pending: 0 });
});

test("a tracer of another copy of the package is asked itself", async () => {
  const [here, there] = [face(), face()];
  await here.initTracer();
  const tracer = await there.initTracer({ sessionId: "other" });
  const outcome = await here.enrichSession({ tracer, metadata: { a: 1 } });
  assert.deepEqual(outcome, { status: "delivered", sessionId: "other" });
  assert.deepEqual(
    [here.core.calls.length, there.core.of("enrichSession")[0]?.json],
    [0, '{"metadata":{"a":1}}'],
  );
});

test("the Python SDK's names are taken at the top, and left alone below", async () => {
  const it = face();
  const tracer = await it.initTracer(
    /** @type {any} */ ({
      api_key: "k",
      server_url: "http://127.0.0.1:1",
      session_name: "s",
      user_properties: { user_id: 1 },
      timeout_ms: 5,
      apiKey: undefined,
    }),
  );
  const options = it.core.options.get(1);
  assert.equal(options?.apiKey, "k");
  assert.equal(options?.serverUrl, "http://127.0.0.1:1");
  assert.equal(options?.sessionName, "s");
  assert.equal(options?.timeoutMs, 5);
  assert.deepEqual(JSON.parse(String(options?.start)), { userProperties: { user_id: 1 } });

  await tracer.enrichSession(
    /** @type {any} */ ({
      user_properties: { user_id: 1 },
      end_time: 5,
      metadata: { user_properties: 1, session_id: 2, tracer: 3 },
      my_own: 4,
    }),
  );
  assert.deepEqual(JSON.parse(String(it.core.calls.at(-1)?.json)), {
    userProperties: { user_id: 1 },
    endTime: 5,
    metadata: { user_properties: 1, session_id: 2, tracer: 3 },
    my_own: 4,
  });
  await tracer.enrichSession(/** @type {any} */ ({ end_time: 1, endTime: 2 }));
  assert.equal(it.core.calls.at(-1)?.json, '{"endTime":2}');
});

test("the caller's objects are not changed, frozen or not", async () => {
  const it = face();
  const params = Object.freeze({
    session_id: "id",
    metadata: Object.freeze({ a: Object.freeze([1]) }),
    user_properties: Object.freeze({ b: 2 }),
  });
  const before = structuredClone(params);
  await it.initTracer(
    Object.freeze({
      metadata: Object.freeze({ a: 1 }),
      redact: (/** @type {unknown} */ value) => value,
    }),
  );
  await it.enrichSession(params);
  assert.deepEqual(params, before);
});

test("a tracer inside what is stored shows no secrets", async () => {
  const it = face();
  const tracer = await it.initTracer({ apiKey: "hh_secret", sessionId: "id", project: "p" });
  await tracer.enrichSession({ metadata: { tracer } });
  assert.deepEqual(JSON.parse(String(it.core.calls.at(-1)?.json)), {
    metadata: {
      tracer: {
        sessionId: "id",
        sessionName: "session",
        project: "p",
        source: "dev",
        enabled: true,
      },
    },
  });
});

test("methods work when taken off the tracer", async () => {
  const it = face();
  const { enrichSession, addMetrics, flush, close, run, startSession, propagationHeaders } =
    await it.initTracer({ sessionId: "id" });
  assert.equal((await enrichSession({})).status, "delivered");
  assert.equal((await addMetrics({ n: 1 })).status, "delivered");
  assert.equal(run(() => 5), 5); // prettier-ignore
  assert.equal(startSession({ sessionId: "child" }).sessionId, "child");
  assert.equal(propagationHeaders().baggage, "session_id=id,source=dev");
  assert.equal((await flush()).pending, 0);
  assert.equal((await close()).pending, 0);
});

test("each method taken off is the tracer's own, and a tracer is no plain object to make a proxy of", async () => {
  const it = face();
  const [a, b] = [await it.initTracer({ sessionId: "a" }), await it.initTracer({ sessionId: "b" })];
  const taken = [a.enrichSession, b.enrichSession];
  const deliveries = await Promise.all(taken.map((enrichSession) => enrichSession({})));
  assert.deepEqual(
    deliveries.map(({ sessionId }) => sessionId),
    ["a", "b"],
  );
  // By this Vue tells what it makes reactive.
  assert.equal(Object.prototype.toString.call(a), "[object Tracer]");
});

test("a method can be replaced, by a test's double say, on one tracer alone", async () => {
  const it = face();
  const [a, b] = [await it.initTracer({ sessionId: "a" }), await it.initTracer({ sessionId: "b" })];
  const closed = { delivered: 0, dropped: 0, pending: 7 };
  Object.assign(a, { close: async () => closed });
  assert.equal(await a.close(), closed);
  assert.equal((await a.flush()).pending, 0);
  assert.equal((await b.close()).pending, 0);
});

test("tracers with the same fetch share it, and only those", async () => {
  const it = face();
  const [one, other] = [async () => new Response("1"), async () => new Response("2")];
  for (const fetch of [one, one, other, undefined]) {
    await it.initTracer(fetch && { fetch, metadata: { fetch: fetch === one } });
  }
  const child = it.activeTracer()?.startSession({ sessionName: "child" });
  assert.equal(child?.sessionName, "child");
  const [first, second, third, none] = [...it.core.options.values()].map((of) => of.transport);
  assert.equal(first, second);
  assert.notEqual(first, third);
  assert.equal(none, 0);
});

test("a tracer can be disposed of", async () => {
  const it = face();
  const tracer = await it.initTracer();
  const symbol = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");
  assert.equal(await /** @type {any} */ (tracer)[symbol](), undefined);
  assert.equal(it.core.of("close").length, 1);
});

test("the time that flush may take is passed on, or its default", async () => {
  const it = face();
  const tracer = await it.initTracer();
  for (const [options, expected] of /** @type {[any, string][]} */ ([
    [undefined, "10000"],
    [{}, "10000"],
    [{ timeoutMs: 5 }, "5"],
    [{ timeoutMs: 0 }, "0"],
    [{ timeout_ms: 6 }, "6"],
    [{ timeoutMs: -1 }, "10000"],
    [{ timeoutMs: NaN }, "10000"],
    [{ timeoutMs: "7" }, "10000"],
    [7, "10000"],
  ])) {
    await tracer.flush(options);
    assert.equal(it.core.calls.at(-1)?.json, expected);
  }
});

test("options reach the core as plain values only", async () => {
  const it = face({ env: { HH_API_KEY: "from-env", HH_UNKNOWN: "x" } });
  const cycle = /** @type {any} */ ({});
  cycle.self = cycle;
  await it.initTracer(
    /** @type {any} */ ({
      apiKey: cycle,
      serverUrl: () => "u",
      timeoutMs: 5n,
      source: Symbol("s"),
      project: null,
      disabled: "yes",
      logLevel: "silent",
      headers: new Headers({ "x-a": "1" }),
      redact: { keys: ["a", 5], patterns: [/x/g] },
      persist: true,
    }),
  );
  const { newSessionId, ...options } = /** @type {any} */ (it.core.options.get(1));
  assert.match(newSessionId, /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  assert.deepEqual(options, {
    apiKey: {},
    serverUrl: {},
    timeoutMs: {},
    source: {},
    disabled: "yes",
    logLevel: "silent",
    headers: { "x-a": "1" },
    redact: true,
    redactKeys: ["a", "5"],
    redactPatterns: false,
    redactor: true,
    start: "{}",
    transport: 0,
    onDrop: false,
    persist: true,
    env: { HH_API_KEY: "from-env" },
    ambient: true,
    scope: 0,
  });
});

test("options that throw are as if not given", async () => {
  const it = face();
  const hostile = new Proxy(
    {},
    {
      get() {
        throw new Error("no");
      },
      ownKeys() {
        throw new Error("no");
      },
    },
  );
  for (const options of [
    hostile,
    { headers: hostile },
    { redact: hostile },
    { metadata: hostile },
  ]) {
    assert.equal((await it.initTracer(/** @type {any} */ (options))).enabled, true);
  }
  assert.equal(it.core.options.get(3)?.redactPatterns, true);
});

test("withSession passes on what the function returns or throws, and flushes either way", async () => {
  const it = face();
  assert.equal(await it.withSession({ sessionId: "id" }, (tracer) => tracer.sessionId), "id");
  await sleep(1);
  assert.equal(it.core.of("flush").length, 1);
  const error = new Error("mine");
  await assert.rejects(
    it.withSession({}, () => Promise.reject(error)),
    (thrown) => thrown === error,
  );
  await assert.rejects(
    it.withSession({}, () => {
      throw error;
    }),
    (thrown) => thrown === error,
  );
  await sleep(1);
  assert.equal(it.core.of("flush").length, 3);
});

test("what comes to nothing in JSON is invalid, and nothing that was given is not", async () => {
  const it = face();
  const tracer = await it.initTracer();
  const promise = Promise.resolve({ plan: "pro" });
  class Usage {
    get tokens() {
      return 5;
    }
  }
  const lost = [
    { duration: NaN },
    { duration: Infinity },
    { endTime: -Infinity, metadata: {} },
    { end_time: NaN },
    { metadata: () => 1 },
    { metadata: promise },
    { metadata: { now: Date.now } },
    { metadata: { toJSON: () => undefined } },
    { feedback: Symbol() },
    { feedback: { rating: Symbol("5") } },
    { metrics: new Usage() },
    { metrics: new WeakMap(), config: undefined },
    { userProperties: new Map([["a", () => 1]]) },
    { outputs: () => "text" },
    { error: Symbol() },
    { plan: () => 1 },
    { plan: NaN },
    promise,
    new WeakSet(),
  ];
  for (const fields of /** @type {any[]} */ (lost)) {
    const outcomes = await Promise.all([
      it.enrichSession(fields),
      tracer.enrichSession(fields),
      tracer.enrichSession("id", fields),
    ]);
    for (const outcome of outcomes) {
      assert.equal(outcome.status === "dropped" && outcome.reason, "invalid", String(fields));
      assert.match(outcome.status === "dropped" ? outcome.message : "", /can be stored/);
    }
  }
  assert.equal(it.core.of("enrichSession").length, 0);
  const nothing = [
    undefined,
    null,
    {},
    Object.create(null),
    new (class Params {
      metadata = undefined;
    })(),
    { metadata: undefined, feedback: null },
    { metadata: {}, inputs: {}, config: { plan: undefined } },
    { metadata: new Map(), feedback: new Set(), metrics: [] },
    { sessionId: "id", metadata: {} },
    { outputs: {} },
  ];
  for (const fields of /** @type {any[]} */ (nothing)) {
    assert.equal((await it.enrichSession(fields)).status, "delivered", JSON.stringify(fields));
  }
});

test("what of a call comes to nothing is named, and the rest goes on", async () => {
  const it = face();
  await it.initTracer();
  const lines = await logged(async () => {
    for (let i = 0; i < 3; i++) {
      const fields = /** @type {any} */ ({ metadata: { i }, duration: NaN, feedback: Symbol() });
      assert.equal((await it.enrichSession(fields)).status, "delivered");
    }
  });
  assert.equal(lines.length, 1, "once");
  assert.match(String(lines[0]?.line), /`duration`, `feedback`: .* left out; the rest/);
});

test("where a function belongs, anything else is given back", async () => {
  const it = face();
  const tracer = await it.initTracer();
  for (const fn of /** @type {any[]} */ ([undefined, null, 5, {}])) {
    assert.equal(tracer.run(fn), fn);
    assert.equal(await it.withSession({}, fn), fn);
  }
});

test("logLevel silences the face's own lines as well", async () => {
  const wrong = /** @type {any} */ ({ redact: { patterns: 5 }, waitUntil: 5 });
  for (const [logLevel, count] of /** @type {const} */ ([
    ["silent", 0],
    ["error", 0],
    ["warn", 2],
    [undefined, 2],
  ])) {
    const it = face();
    const lines = await logged(async () => {
      const tracer = await it.initTracer({ ...wrong, logLevel });
      await tracer.enrichSession(/** @type {any} */ (42));
      await tracer.enrichSession(/** @type {any} */ (42));
    });
    assert.equal(lines.length, count, logLevel);
  }
});

test("no argument makes anything throw or reject", async () => {
  const it = face();
  const tracer = await it.initTracer();
  const anything = anyValue();
  const key = fc.constantFrom("sessionId", "tracer", "metadata", "headers", "redact", "fetch", "waitUntil", "onDrop", "timeoutMs", "sessionName", "env", "toJSON"); // prettier-ignore
  const argument = fc.oneof(anything, fc.dictionary(key, anything));
  /** @type {((...given: any[]) => any)[]} */
  const calls = [
    it.enrichSession,
    it.initTracer,
    it.flush,
    it.sessionIdFrom,
    it.sessionIdFromHeaders,
    tracer.enrichSession,
    tracer.addMetrics,
    tracer.startSession,
    tracer.flush,
  ];
  await logged(() =>
    fc.assert(
      fc.asyncProperty(
        argument,
        argument,
        fc.nat(calls.length - 1),
        async (first, second, which) => {
          await calls[which]?.(first, second);
        },
      ),
      { numRuns: 3000 },
    ),
  );
});
