// Test doubles attach to a tracer's methods, and come off again: sinon's, node:test's, and by hand.

import assert from "node:assert/strict";
import { it, mock } from "node:test";
import { face } from "../face/face.mjs";

// It has no types of its own.
const { default: sinon } = await import(String("sinon"));

const METHODS = /** @type {const} */ ([
  "enrichSession",
  "addMetrics",
  "run",
  "startSession",
  "propagationHeaders",
  "flush",
  "close",
]);

/** @param {any} tracer */
async function assertWorks(tracer) {
  for (const name of METHODS) assert.equal(typeof tracer[name], "function", name);
  const { enrichSession, run } = tracer;
  assert.equal((await enrichSession({})).status, "delivered");
  assert.equal(
    run(() => 5),
    5,
  );
}

it("sinon spies on each method, and restores it", async () => {
  const tracer = await face().initTracer();
  for (const name of METHODS) {
    const spy = sinon.spy(tracer, name);
    await /** @type {any} */ (tracer)[name](() => 1);
    assert.equal(spy.callCount, 1, name);
    spy.restore();
    if (name === "close") break;
    await assertWorks(tracer);
  }
});

it("sinon stubs a method", async () => {
  const tracer = await face().initTracer();
  const stub = sinon
    .stub(tracer, "enrichSession")
    .resolves({ status: "delivered", sessionId: "x" });
  assert.equal((await tracer.enrichSession({ metadata: {} })).sessionId, "x");
  stub.restore();
  await assertWorks(tracer);
});

it("node:test mocks each method, and restores it", async () => {
  const tracer = await face().initTracer();
  for (const name of METHODS) {
    const spy = mock.method(/** @type {any} */ (tracer), name);
    await /** @type {any} */ (tracer)[name](() => 1);
    assert.equal(spy.mock.callCount(), 1, name);
    spy.mock.restore();
    if (name === "close") break;
    await assertWorks(tracer);
  }
});

it("a method has a value, as vi.spyOn and jest.spyOn want it, and one can be assigned", async () => {
  const api = face();
  const tracer = await api.initTracer();
  for (const name of METHODS) {
    const { value, get, configurable, writable } = /** @type {PropertyDescriptor} */ (
      Object.getOwnPropertyDescriptor(tracer, name)
    );
    assert.equal(typeof value, "function");
    assert.deepEqual([get, configurable, writable], [undefined, true, true]);
  }
  const own = () => "mine";
  /** @type {any} */ (tracer).flush = own;
  assert.equal(tracer.flush, own);
  assert.deepEqual(Object.keys(tracer), ["flush"]);
  Reflect.deleteProperty(tracer, "flush");
  assert.equal((await tracer.flush()).pending, 0);
  assert.equal(Object.getOwnPropertyDescriptor(Object.freeze(tracer), "flush"), undefined);
  await assertWorks(tracer);
  assert.equal((await api.enrichSession({ tracer })).sessionId, tracer.sessionId);
});
