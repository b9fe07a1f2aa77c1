// Rule 4 of the design: which session a bare call means, in each way a runtime can tell.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { after, test } from "node:test";
import { alsContext } from "../../pkg-template/src/context/als.js";
import { face, inPage } from "./face.mjs";

/**
 * @param {ReturnType<typeof face>} it
 * @returns {Promise<string>} the session that a bare call reaches, or "none"
 */
async function reached(it) {
  const outcome = await it.enrichSession({});
  if (outcome.status === "delivered") {
    assert.equal(it.activeTracer()?.sessionId, outcome.sessionId);
    return outcome.sessionId;
  }
  assert.equal(outcome.reason, "no_session");
  assert.match(outcome.message, /initTracer|tracer\.run/);
  assert.equal(it.activeTracer(), undefined);
  return "none";
}

for (const [name, newContext] of /** @type {const} */ ([
  ["async context", undefined],
  ["page", inPage],
])) {
  const make = () => face({ newContext });

  test(`${name}: the only open tracer is meant, as long as it is the only one`, async () => {
    const it = make();
    assert.equal(it.activeTracer(), undefined);
    // Apart from this async context, so that being open is all there is.
    const a = await detached(() => it.initTracer({ sessionId: "a" }));
    assert.equal(await reached(it), "a");
    const b = await detached(() => it.initTracer({ sessionId: "b" }));
    assert.equal(await reached(it), "none");
    await b.close();
    assert.equal(await reached(it), "a");
    const child = a.startSession({ sessionId: "child" });
    assert.equal(await reached(it), "none");
    await a.close();
    assert.equal(await reached(it), "child");
    await child.close();
    await child.close();
    assert.equal(it.activeTracer(), undefined);
  });

  test(`${name}: leaving run leaves the session, also after a throw, also nested`, async () => {
    const it = make();
    const a = await it.initTracer({ sessionId: "a" });
    await detached(async () => {
      const b = await it.initTracer({ sessionId: "b" });
      await detached(async () => {
        const outside = await reached(it);
        assert.equal(
          a.run(() => it.activeTracer()?.sessionId),
          "a",
        );
        const inner = () => b.run(() => it.activeTracer()?.sessionId);
        assert.deepEqual(
          a.run(() => [it.activeTracer()?.sessionId, inner(), it.activeTracer()?.sessionId]),
          ["a", "b", "a"],
        );
        assert.throws(
          () =>
            a.run(() => {
              throw new Error("mine");
            }),
          /mine/,
        );
        await assert.rejects(
          a.run(async () => {
            throw new Error("mine");
          }),
          /mine/,
        );
        assert.equal(await reached(it), outside);
      });
    });
  });

  test(`${name}: withSession is left when it is over`, async () => {
    const it = make();
    await it.withSession({ sessionId: "a" }, async () => {
      assert.equal(await reached(it), "a");
      await sleep(1);
      assert.equal(await reached(it), "a");
    });
    assert.equal(await reached(it), "none");
    await it.withSession({ sessionId: "b" }, async () => assert.equal(await reached(it), "b"));
    // Open as they may still be, they do not make another one ambiguous.
    await detached(() => it.initTracer({ sessionId: "c" }));
    assert.equal(await reached(it), "c");
  });

  test(`${name}: a bare call before the tracer is there is for it all the same`, async () => {
    const it = make();
    const starting = it.initTracer({ sessionId: "a" });
    const outcome = it.enrichSession({});
    await starting;
    assert.equal((await outcome).sessionId, "a");
  });

  test(`${name}: what is queued in a tracer's own waitUntil stays in its scope`, async () => {
    const it = make();
    /** @type {Promise<unknown>[]} */
    const kept = [];
    const a = await it.initTracer({ waitUntil: (promise) => void kept.push(promise) });
    const b = await it.initTracer();
    const child = a.startSession();
    for (const tracer of [a, child, b]) await tracer.enrichSession({});
    const [scope, childScope, none] = it.core.of("enrichSession").map((call) => call.scope);
    assert.ok(scope && scope === childScope);
    assert.equal(none, 0);
    await it.core.work(scope);
    assert.equal(kept.length, 1);
    await it.core.work(0);
    assert.equal(kept.length, 1);
  });
}

test("a waitUntil that throws does no harm", async () => {
  const it = face();
  const a = await it.initTracer({
    waitUntil: () => {
      throw new TypeError("Illegal invocation");
    },
  });
  await a.enrichSession({});
  await it.core.work(Number(it.core.calls[0]?.scope));
  assert.equal(await it.withSession({ waitUntil: () => assert.fail() }, () => 5), 5);
});

test("withSession hands its flush to waitUntil and does not wait for it", async () => {
  const it = face({ behaviour: () => ({ hold: true }) });
  /** @type {Promise<unknown>[]} */
  const kept = [];
  const waitUntil = (/** @type {Promise<unknown>} */ promise) => void kept.push(promise);
  assert.equal(await it.withSession({ waitUntil }, () => 5), 5);
  assert.equal(kept.length, 1);
});

test("withSession waits for its flush only where the platform freezes what has answered", async () => {
  const held = () => ({ hold: true });
  for (const name of ["AWS_LAMBDA_FUNCTION_NAME", "K_SERVICE"]) {
    const frozen = face({ behaviour: held, env: { [name]: "chat" } });
    let isOver = false;
    const result = frozen.withSession({}, () => 5).then((value) => ((isOver = true), value));
    await sleep(5);
    const [flush] = frozen.core.of("flush");
    assert.equal(isOver, false, name);
    frozen.core.settle(flush?.id ?? 0);
    assert.equal(await result, 5);
  }
  /** @type {Record<string, string>[]} */
  const servers = [{}, { AWS_LAMBDA_FUNCTION_NAME: "" }];
  for (const env of servers) {
    const server = face({ behaviour: held, env });
    assert.equal(await server.withSession({}, () => 5), 5);
    await assert.rejects(
      server.withSession({}, () => Promise.reject(new Error("mine"))),
      /mine/,
    );
    await sleep(1);
    assert.equal(server.core.of("flush").length, 2, "it is sent without waiting for more");
  }
});

test("a session follows its async context through awaits, timers, callbacks and nested runs", async () => {
  const it = face();
  await Promise.all(
    Array.from({ length: 50 }, async (_, i) => {
      const mine = `s${i}`;
      await sleep(Math.random() * 5);
      const tracer = await it.initTracer({ sessionId: mine });
      const active = () => it.activeTracer()?.sessionId;
      assert.equal(active(), mine);
      await sleep(Math.random() * 5);
      assert.equal(active(), mine);
      await new Promise((resolve, reject) =>
        setTimeout(() => (active() === mine ? resolve(0) : reject(new Error("timer"))), 1),
      );
      const child = tracer.startSession({ sessionId: `${mine}-child` });
      await child.run(async () => {
        await sleep(Math.random() * 5);
        assert.equal(active(), `${mine}-child`);
        // Rule 4: the innermost run counts before what was initialised in it.
        await it.initTracer({ sessionId: `${mine}-later` });
        assert.equal(active(), `${mine}-child`);
      });
      assert.equal(active(), mine);
    }),
  );
});

test("what was initialised in this context is meant even when it is closed", async () => {
  const it = face();
  await detached(() => it.initTracer({ sessionId: "other" }));
  const mine = await it.initTracer({ sessionId: "mine" });
  await mine.close();
  await it.enrichSession({});
  assert.equal(it.core.sessionOf(Number(it.core.calls.at(-1)?.tracer)), "mine");
  assert.equal(it.activeTracer(), undefined);
});

test("a tracer made when the server starts is active in its requests", async () => {
  const it = face();
  await it.initTracer({ sessionId: "server" });
  // Another one, so that being the only one does not help.
  await detached(() => it.initTracer({ sessionId: "other" }));
  const server = createServer(async (request, response) => {
    const before = await reached(it);
    if (request.url === "/own") await it.initTracer({ sessionId: "own" });
    await sleep(1);
    response.end(`${before} ${await reached(it)}`);
  });
  await /** @type {Promise<void>} */ (
    new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
  );
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const get = async (/** @type {string} */ path) =>
    (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  assert.deepEqual(await Promise.all([get("/own"), get("/"), get("/own"), get("/")]), [
    "server own",
    "server server",
    "server own",
    "server server",
  ]);
  server.close();
  server.closeAllConnections();
});

test("storage that can not be entered still runs, and finds the only open tracer", async () => {
  class Limited {
    run(/** @type {unknown} */ _, /** @type {() => unknown} */ fn) {
      return fn();
    }
    getStore() {}
    enterWith() {
      throw new Error("not implemented");
    }
  }
  const it = face({ newContext: () => alsContext(Limited) });
  await it.initTracer({ sessionId: "a" });
  assert.equal(await reached(it), "a");
});

test("Vercel's request is kept alive by its own waitUntil", async (t) => {
  const symbol = Symbol.for("@vercel/request-context");
  /** @type {any} */
  let current;
  const global = /** @type {any} */ (globalThis);
  global[symbol] = { get: () => current };
  t.after(() => Reflect.deleteProperty(global, symbol));
  const request = () => {
    /** @type {unknown[]} */
    const kept = [];
    return { kept, waitUntil: (/** @type {unknown} */ promise) => void kept.push(promise) };
  };
  const it = face();
  const tracer = await it.initTracer();
  const [one, two] = [request(), request()];
  for (current of [one, two, one]) await tracer.enrichSession({});
  current = undefined;
  await tracer.enrichSession({});
  const scopes = it.core.of("enrichSession").map(({ scope }) => scope);
  assert.equal(scopes[0], scopes[2]);
  assert.equal(scopes[3], 0);
  assert.equal(new Set(scopes).size, 3);
  await it.core.work(Number(scopes[1]));
  assert.deepEqual([one.kept.length, two.kept.length], [0, 1]);
});

test("page: after an await inside a run the session is known while no other could be meant", async () => {
  const it = face({ newContext: inPage });
  const a = await it.initTracer({ sessionId: "a" });
  await a.run(async () => {
    await sleep(1);
    assert.equal(await reached(it), "a");
  });
  const b = await it.initTracer({ sessionId: "b" });
  await Promise.all([
    a.run(async () => {
      assert.equal(it.activeTracer()?.sessionId, "a");
      await sleep(2);
      // The run of a, the run of b, or code outside of both.
      assert.equal(await reached(it), "none");
      assert.equal((await a.enrichSession({})).sessionId, "a");
    }),
    b.run(async () => {
      assert.equal(it.activeTracer()?.sessionId, "b");
      await sleep(2);
      assert.equal(await reached(it), "none");
    }),
  ]);
});

/**
 * Runs outside this async context.
 * @template T
 * @param {() => Promise<T>} fn
 * @returns {Promise<T>}
 */
function detached(fn) {
  return new Promise((resolve, reject) => {
    queue.push(() => void fn().then(resolve, reject));
  });
}

/** @type {(() => void)[]} */
const queue = [];
const pump = setInterval(() => queue.shift()?.(), 1);
after(() => clearInterval(pump));

for (const [name, newContext] of /** @type {const} */ ([
  ["async context", undefined],
  ["page", inPage],
])) {
  for (const [what, options] of Object.entries({
    id: { sessionId: "one", apiKey: "hh_guest" },
    ticket: { ticket: "claims.signature" },
  })) {
    test(`${name}: two tracers of one ${what} are one session`, async () => {
      const it = face({ newContext });
      const [first, second] = await detached(() =>
        Promise.all([it.initTracer(options), it.initTracer(options)]),
      );
      assert.equal((await it.enrichSession({})).status, "delivered");
      assert.equal(it.activeTracer(), second);
      await second.close();
      assert.equal(it.activeTracer(), first);
      const other = await detached(() => it.initTracer({ ...options, serverUrl: "http://b" }));
      assert.equal(await reached(it), "none");
      await other.close();
      assert.equal(it.activeTracer(), first);
      await first.close();
      assert.equal(await reached(it), "none");
    });
  }
}

test("page: runs of two tracers of one session are runs of one", async () => {
  const it = face({ newContext: inPage });
  const options = { sessionId: "one" };
  const a = await it.initTracer(options);
  const b = await it.initTracer(options);
  await Promise.all(
    [a, b].map((tracer) =>
      tracer.run(async () => {
        await sleep(1);
        assert.equal((await it.enrichSession({})).sessionId, "one");
      }),
    ),
  );
});
