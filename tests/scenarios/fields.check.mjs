// What fields.mjs has to have left in the backend.

import assert from "node:assert/strict";
import { assertSession } from "../guide/check.mjs";

/**
 * @param {import("./runner.mjs").Result} result
 * @param {import("../support/backends.mjs").Backends} backends
 */
export async function check({ value: facts, lines }, { v1 }) {
  {
    const { sessionId, delivery, report } = facts.early;
    assert.deepEqual(delivery, { status: "delivered", sessionId });
    assert.deepEqual(report, { delivered: 1, dropped: 0, pending: 0 });
    assertSession(await v1.session(sessionId), {
      name: "early",
      inputs: { question: "why?", language: "en" },
      metadata: { at: "start", a: 1 },
      config: { model: "m" },
      user_properties: { plan: "pro" },
    });
    const requests = await v1.requests(sessionId);
    assert.deepEqual(
      requests.map((/** @type {any} */ request) => `${request.method} ${request.path}`),
      ["POST /v1/sessions"],
      "the start and the first enrichment are one request",
    );
  }
  {
    const { sessionId, delivery } = facts.late;
    assert.equal(delivery.status, "delivered");
    assertSession(await v1.session(sessionId), {
      name: "late",
      inputs: { question: "why?" },
      metadata: { first: true, inputs: { question: "and how?" } },
    });
  }
  {
    const { sessionId, delivery, stack } = facts.error;
    assert.equal(delivery.status, "delivered");
    assertSession(await v1.session(sessionId), {
      name: "error",
      metadata: {
        kept: true,
        error: { name: "TypeError", message: "model is not a function", stack },
      },
    });
    assert.equal(typeof stack, "string");
  }
  {
    const { sessionId, delivery } = facts.errorText;
    assert.equal(delivery.status, "delivered");
    assertSession(await v1.session(sessionId), {
      name: "error text",
      metadata: { error: "out of tokens" },
    });
  }
  {
    const { sessionId, delivery } = facts.unknown;
    assert.equal(delivery.status, "delivered");
    assertSession(await v1.session(sessionId), {
      name: "unknown",
      metadata: { a: 1, team: "search", nested: { deep: [1] } },
    });
  }
  {
    const { replaced, listed, merged, report } = facts.outputs;
    assertSession(await v1.session(replaced), { name: "outputs", outputs: { third: 3 } });
    assertSession(await v1.session(listed), {
      name: "list",
      outputs: { value: ["a", { b: 1 }] },
    });
    assertSession(await v1.session(merged), {
      name: "merged",
      outputs: { second: 2 },
      metadata: { a: 1, b: { c: 2 } },
      feedback: { x: 1, y: 2 },
    });
    assert.deepEqual(report, { delivered: 2, dropped: 0, pending: 0 });
  }
  {
    const { sessionId, delivery } = facts.times;
    assert.equal(delivery.status, "delivered");
    const event = await v1.session(sessionId);
    assertSession(event, { name: "times" });
    assert.equal(event.duration, 1234.5);
    assert.equal(event.end_time, 1_700_000_000_000);
  }
  {
    const { sessionId, delivery } = facts.added;
    assert.equal(delivery.status, "delivered");
    assertSession(await v1.session(sessionId), {
      name: "added",
      metrics: { tokens: 15, cost: 0.75, calls: 1 },
    });
  }
  {
    const { sessionId, delivery } = facts.noObject;
    assert.equal(delivery.status, "delivered");
    const event = await v1.session(sessionId);
    assertSession(event, { name: "no object", feedback: { rating: 4 } });
    assert.equal(event.duration, null);
    const warnings = lines.filter(({ level }) => level === "warn").map(({ text }) => text);
    for (const field of ["metadata", "config"]) {
      assert.ok(
        warnings.some((text) => text.includes(field)),
        `no warning names ${field}: ${JSON.stringify(lines)}`,
      );
    }
  }
  {
    const { sessionId, metadata } = facts.snapshot;
    assertSession(await v1.session(sessionId), {
      name: "snapshot",
      metadata: { list: [1], name: "as it was" },
    });
    assert.deepEqual(metadata, { list: [1, 2], name: "changed later" });
  }
  assert.deepEqual(
    lines.filter(({ level }) => level === "error"),
    [],
  );
}
