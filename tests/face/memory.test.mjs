// Rule 10 of the design: what nobody holds is let go. Tracers that are never closed must not pile up.

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import v8 from "node:v8";
import vm from "node:vm";
import { alsContext } from "../../pkg-template/src/context/als.js";
import { face } from "./face.mjs";
import { NO_ANSWER } from "../../pkg-template/src/boundary.js";

v8.setFlagsFromString("--expose-gc");
const gc = vm.runInNewContext("gc");

async function collect() {
  for (let i = 0; i < 5; i++) {
    gc();
    await sleep(1);
  }
}

/**
 * As a request handler does it: a callback that closes over the tracer, an answer awaited, nothing closed.
 * @param {ReturnType<typeof face>} it
 * @param {boolean} [wait]
 */
async function serve(it, wait = true) {
  const fetch = async () => new Response("ok");
  const tracer = await it.initTracer({
    fetch,
    waitUntil: () => void tracer.sessionId,
    onDrop: () => void tracer.sessionId,
  });
  const child = tracer.startSession();
  void child.run(() => it.enrichSession({}));
  const delivered = it.enrichSession({ metadata: { a: 1 } });
  if (wait) await delivered;
}

/**
 * In an async context of its own.
 * @param {() => Promise<void>} fn
 * @returns {Promise<void>}
 */
const detached = (fn) => new Promise((resolve) => setTimeout(() => void fn().then(resolve), 0));

test("tracers that nobody holds are released, whatever their callbacks hold", async () => {
  const it = face();
  for (let i = 0; i < 200; i++) await detached(() => serve(it));
  await collect();
  // Each had a child. The last few may still be on some stack.
  assert.ok(it.core.released.length >= 390, `${it.core.released.length} of 400 released`);
  assert.equal(new Set(it.core.released).size, it.core.released.length);
});

test("what is unsent is held, with the fetch it needs", async () => {
  const it = face({ behaviour: () => ({ hold: true }) });
  for (let i = 0; i < 20; i++) await detached(() => serve(it, false));
  await collect();
  assert.deepEqual(it.core.released, []);
  for (const { transport } of it.core.options.values()) {
    assert.equal((await it.core.request(transport, "u")).body, "ok");
  }
  const transports = [...it.core.options.values()].map(({ transport }) => transport);
  for (const { id } of it.core.calls) it.core.settle(id);
  await collect();
  assert.ok(it.core.released.length >= 38, `${it.core.released.length} of 40 released`);
  // What belonged to a tracer is gone with it, and is never replaced by the global fetch.
  const { status, body } = await it.core.request(Number(transports[0]), "u");
  assert.equal(status, NO_ANSWER);
  assert.match(body, /gone/);
});

test("the only open tracer is held, as a bare call means it", async () => {
  const it = face();
  await detached(async () => void (await it.initTracer({ sessionId: "only" })));
  await collect();
  assert.equal((await it.enrichSession({})).sessionId, "only");
  assert.equal(it.activeTracer()?.sessionId, "only");
});

test("a copy of the package that was loaded anew, as for hot reloads, is let go", async () => {
  /** @type {WeakRef<object>[]} */
  const tracers = [];
  for (let i = 0; i < 50; i++) {
    await detached(async () => {
      const tracer = await face().initTracer({ sessionId: "the only open one of its copy" });
      tracers.push(new WeakRef(tracer));
    });
  }
  await collect();
  const held = tracers.filter((tracer) => tracer.deref()).length;
  // The last few may still be on some stack.
  assert.ok(held <= 5, `${held} of 50 are held`);
});

test("collecting one of two does not change what a bare call means", async () => {
  const it = face();
  await detached(async () => void (await it.initTracer({ sessionId: "a" })));
  const b = await it.withSession({}, async () => {
    /** @type {Awaited<ReturnType<typeof it.initTracer>> | undefined} */
    let made;
    await detached(async () => void (made = await it.initTracer({ sessionId: "b" })));
    return /** @type {NonNullable<typeof made>} */ (made);
  });
  assert.equal(it.activeTracer(), undefined);
  await collect();
  assert.equal(it.activeTracer(), undefined);
  await b.close();
  // The other was never closed, but nothing is left of it to be meant.
  assert.equal(it.activeTracer(), undefined);
});

test("where nothing tells what is collected, idle tracers are bounded and come back when used", async () => {
  const original = globalThis.FinalizationRegistry;
  const context = alsContext(AsyncLocalStorage);
  /** @type {ReturnType<typeof face>} */
  let it;
  Reflect.deleteProperty(globalThis, "FinalizationRegistry");
  try {
    it = face({ newContext: () => context });
    const first = await it.initTracer({ sessionId: "first", sessionName: "s" });
    await first.enrichSession({});
    const closed = await it.initTracer();
    await closed.close();
    for (let i = 0; i < 299; i++) {
      const tracer = await it.initTracer();
      await tracer.enrichSession({});
    }
    assert.equal(it.core.released.length, 301 - 256);
    assert.equal(it.core.released[0], 1);
    assert.deepEqual(await first.enrichSession({}), { status: "delivered", sessionId: "first" });
    const again = it.core.options.get(302);
    assert.equal(again?.totals, '{"of":1}', "addMetrics goes on from there");
    assert.deepEqual([again?.sessionId, again?.sessionName], ["first", "s"]);
    assert.equal((await first.flush()).pending, 0);
    const late = await closed.enrichSession({});
    assert.equal(late.status === "dropped" && late.reason, "closed");
  } finally {
    globalThis.FinalizationRegistry = original;
  }
});

test("where idle tracers are bounded, those of one session go on from one total", async () => {
  const original = globalThis.FinalizationRegistry;
  const context = alsContext(AsyncLocalStorage);
  Reflect.deleteProperty(globalThis, "FinalizationRegistry");
  try {
    const it = face({ newContext: () => context });
    const fillUp = async () => {
      for (let i = 0; i < 257; i++) await (await it.initTracer()).enrichSession({});
    };
    const first = await it.initTracer({ sessionId: "shared", fetch: async () => new Response() });
    const second = await it.initTracer({ sessionId: "shared", fetch: async () => new Response() });
    // The first one is let go of; the other one goes on adding, and is let go of later.
    await first.enrichSession({});
    await fillUp();
    await second.enrichSession({});
    await fillUp();
    const before = it.core.options.size;
    await first.addMetrics({ tokens: 1 });
    assert.match(String(it.core.options.get(before + 1)?.totals), /"of":[2-9]/, "the latest");
    await fillUp();
    // One more tracer of that session, and one of another.
    await it.initTracer({ sessionId: "shared" });
    assert.ok(it.core.options.get(it.core.options.size)?.totals);
    await it.initTracer({ sessionId: "other" });
    assert.equal(it.core.options.get(it.core.options.size)?.totals, undefined);
  } finally {
    globalThis.FinalizationRegistry = original;
  }
});

test("where nothing can be referred to weakly, no call reaches an idle tracer whose functions are gone", async () => {
  const originals = [globalThis.FinalizationRegistry, globalThis.WeakRef];
  const context = alsContext(AsyncLocalStorage);
  Reflect.deleteProperty(globalThis, "FinalizationRegistry");
  Reflect.deleteProperty(globalThis, "WeakRef");
  try {
    const it = face({ newContext: () => context });
    /** @type {Record<string, object>} */
    const options = {
      plain: {},
      fetches: { fetch: async () => new Response("{}") },
      masks: { redact: () => "masked" },
    };
    for (const [sessionId, more] of Object.entries(options)) {
      await detached(async () => {
        const tracer = await it.initTracer({ sessionId, ...more });
        await tracer.enrichSession({});
      });
    }
    await detached(async () => void (await it.enrichSession("plain", { metadata: { a: 1 } })));
    await detached(async () => void (await it.enrichSession("fetches", { metadata: { a: 1 } })));
    await detached(async () => void (await it.enrichSession("masks", { metadata: { a: 1 } })));
    assert.deepEqual(it.core.released, [2, 3]);
    const given = it.core.of("enrichSession").slice(3);
    assert.deepEqual(
      given.map(({ sessionId }) => sessionId),
      ["plain", "fetches", "masks"],
    );
  } finally {
    [globalThis.FinalizationRegistry, globalThis.WeakRef] = /** @type {any} */ (originals);
  }
});
