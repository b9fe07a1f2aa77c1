// The Workers context around doubles of what workerd has: which request is being served, and what of
// another one can not be touched. The real runtime has its tests in tests/runtimes.

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, test } from "node:test";
import { workerdContext } from "../../pkg-template/src/context/workerd.js";
import { face, logged } from "./face.mjs";

/** What workerd knows of running code: its I/O context, its span, its environment. */
const running = new AsyncLocalStorage();

/**
 * @param {object} [options]
 * @param {boolean} [options.spans] whether the runtime has the tracing API
 * @param {boolean} [options.withEnv]
 */
function runtime({ spans = true, withEnv = true } = {}) {
  const bindings = { KEY: "k" };
  /** @type {{ request: object, promise: unknown }[]} */
  const kept = [];
  const state = () => /** @type {any} */ (running.getStore());
  return {
    kept,
    workers: {
      get env() {
        return state()?.env ?? bindings;
      },
      ...(spans && { tracing: { getActiveSpan: () => state()?.span } }),
      ...(withEnv && {
        withEnv: (/** @type {object} */ env, /** @type {() => unknown} */ fn) =>
          running.run({ ...state(), env }, fn),
      }),
      waitUntil: (/** @type {unknown} */ promise) =>
        void kept.push({ request: state().io, promise }),
    },
  };
}

/**
 * An event of its own, or of the given I/O context, as a Durable Object's are.
 * @template T
 * @param {() => T} fn
 * @param {object} [io]
 */
const request = (fn, io = {}) => running.run({ io, span: {}, env: undefined }, fn);

/**
 * @template T
 * @param {() => T} fn
 */
const inSpan = (fn) => running.run({ .../** @type {any} */ (running.getStore()), span: {} }, fn);

/** Gives a socket that only the request which made it may ask anything. */
function WebSocketPair() {
  const made = /** @type {any} */ (running.getStore())?.io;
  if (!made) throw new Error("Disallowed operation called within global scope");
  const socket = {
    get readyState() {
      if (/** @type {any} */ (running.getStore())?.io === made) return 0;
      throw new Error("Cannot perform I/O on behalf of a different request");
    },
  };
  return [socket];
}

before(() => Object.assign(globalThis, { WebSocketPair }));
after(() => Reflect.deleteProperty(globalThis, "WebSocketPair"));

/** @param {Parameters<typeof runtime>[0]} [options] */
function make(options) {
  const { workers, kept } = runtime(options);
  const it = face({ loading: "sync", newContext: () => workerdContext(workers) });
  return { ...it, it, kept, workers, active: () => it.activeTracer()?.sessionId };
}

for (const [name, options] of /** @type {const} */ ([
  ["with spans", {}],
  ["without", { spans: false }],
  ["without withEnv", { withEnv: false }],
])) {
  test(`concurrent requests each find their own session (${name})`, async () => {
    const { initTracer, enrichSession, active, it } = make(options);
    await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        request(async () => {
          await sleep(Math.random() * 5);
          const tracer = await initTracer({ sessionId: `s${i}` });
          for (let n = 0; n < 3; n++) {
            await sleep(Math.random() * 5);
            assert.equal(active(), `s${i}`);
            assert.equal((await enrichSession({})).sessionId, `s${i}`);
          }
          assert.equal(await inSpan(async () => (await sleep(1), active())), `s${i}`);
          assert.equal(
            tracer.run(() => active()),
            `s${i}`,
          );
        }),
      ),
    );
    assert.equal(await request(async () => active()), undefined);
    assert.equal(it.core.of("enrichSession").length, 150);
  });
}

test("each request has a scope of its own, the same in all its spans' calls", async () => {
  const { initTracer, it } = make();
  const shared = await request(() => initTracer());
  const scopes = () => it.core.of("enrichSession").map(({ scope }) => scope);
  for (let i = 0; i < 3; i++) {
    await request(async () => {
      await shared.enrichSession({});
      await sleep(1);
      await shared.enrichSession({});
    });
  }
  const [a, a2, b, b2, c, c2] = scopes();
  assert.deepEqual([a, b, c], [a2, b2, c2]);
  assert.equal(new Set([a, b, c, 0]).size, 4);
});

test("a session of the top level is made in the first request that uses it, and any may mean it", async () => {
  const { initTracer, enrichSession, active, it } = make();
  const { randomUUID, getRandomValues } = crypto;
  // No random numbers outside a request.
  const inRequest = () => {
    if (!running.getStore()) throw new Error("Disallowed operation called within global scope");
  };
  crypto.randomUUID = () => (inRequest(), randomUUID.call(crypto));
  crypto.getRandomValues = /** @type {any} */ (
    (/** @type {Uint8Array<ArrayBuffer>} */ bytes) => (
      inRequest(),
      getRandomValues.call(crypto, bytes)
    )
  );
  try {
    const tracer = await initTracer({ sessionName: "top" });
    assert.equal(it.core.options.size, 0);
    await logged(async () => {
      const outcome = await tracer.enrichSession({});
      assert.equal(outcome.status === "dropped" && outcome.reason, "disabled");
    });
    const id = await request(async () => tracer.sessionId);
    assert.match(id, /^[0-9a-f-]{36}$/);
    await request(async () => {
      assert.equal((await enrichSession({})).sessionId, id);
      assert.equal(active(), id);
    });
    await request(async () => {
      await initTracer({ sessionId: "own" });
      assert.equal(active(), "own");
    });
    assert.equal(it.core.options.get(1)?.sessionName, "top");
    await request(() => tracer.close());
    assert.equal(await request(async () => active()), undefined);
  } finally {
    Object.assign(crypto, { randomUUID, getRandomValues });
  }
});

test("a Durable Object's events are told apart, or nothing is meant", async () => {
  const { initTracer, active } = make();
  const io = {};
  await request(async () => {
    await initTracer({ sessionId: "a" });
    await request(async () => {
      await initTracer({ sessionId: "b" });
      assert.equal(active(), "b");
      // In a span of the application's own, either event's session could be meant.
      assert.equal(inSpan(active), undefined);
      assert.equal(inSpan(active), undefined);
    }, io);
    assert.equal(active(), "a");
  }, io);
});

test("run is left again, and what code sees of its environment stays the same", async () => {
  const { initTracer, active, workers } = make();
  await request(async () => {
    const a = await initTracer({ sessionId: "a" });
    const b = a.startSession({ sessionId: "b" });
    await b.run(async () => {
      await sleep(1);
      assert.equal(active(), "b");
      assert.deepEqual({ ...workers.env }.KEY, "k");
      assert.deepEqual(Object.keys(workers.env), ["KEY"]);
      assert.equal(JSON.stringify(workers.env), '{"KEY":"k"}');
      // An environment built on this one keeps the session.
      workers.withEnv?.({ ...workers.env, MORE: 1 }, () => assert.equal(active(), "b"));
    });
    assert.equal(active(), "a");
    await assert.rejects(
      b.run(async () => {
        throw new Error("mine");
      }),
      /mine/,
    );
    assert.equal(active(), "a");
  });
});

test("requests are kept alive by their own waitUntil, or the one passed", async () => {
  const { initTracer, withSession, it, kept } = make();
  const io = {};
  await request(async () => {
    await initTracer();
    await it.core.work(Number(it.core.options.get(1)?.scope));
    assert.deepEqual(
      kept.map((one) => one.request),
      [io],
    );
  }, io);
  kept.length = 0;
  /** @type {unknown[]} */
  const own = [];
  const shared = await request(async () => {
    const tracer = await initTracer({ waitUntil: (given) => void own.push(given) });
    await it.core.work(Number(it.core.options.get(2)?.scope));
    return tracer;
  });
  assert.deepEqual([own.length, kept.length], [1, 0]);
  await request(async () => {
    await shared.enrichSession({});
    await it.core.work(Number(it.core.calls.at(-1)?.scope));
  });
  assert.deepEqual([own.length, kept.length], [1, 1]);
  // As ctx.waitUntil does when it is taken off ctx.
  await logged(() =>
    request(async () => {
      const waitUntil = () => {
        throw new TypeError("Illegal invocation");
      };
      await withSession({ waitUntil }, () => 5);
    }),
  );
  assert.equal(kept.length, 2);
});
