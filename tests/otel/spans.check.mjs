// What has to have come of portable/spans.mjs, as the backend has it.

import assert from "node:assert/strict";
import { KEYS } from "../support/backends.mjs";

/**
 * @typedef {import("../scenarios/runner.mjs").Result} Result
 * @typedef {import("../support/backends.mjs").Backends} Backends
 * @typedef {import("../../www-demo/backend/otlp.js").StoredSpan} StoredSpan
 */

/** @type {Record<string, (result: Result, backends: Backends) => Promise<void>>} */
export const spanChecks = { explicit, implicit, propagated };

/**
 * @param {Backends} backends
 * @param {string} sessionId
 * @returns {Promise<{ event: any, spans: StoredSpan[] }>}
 */
export async function sessionWithSpans({ v1 }, sessionId) {
  const response = await fetch(`${v1.url}/_local/sessions/${sessionId}`);
  assert.equal(response.status, 200, `session ${sessionId} is not stored`);
  const [row] = await response.json();
  return row;
}

/**
 * @param {Backends} backends
 * @returns {Promise<StoredSpan[]>} those that name no session
 */
export async function straySpans({ v1 }) {
  return (await fetch(`${v1.url}/_local/spans?key=${KEYS.main}`)).json();
}

/**
 * What the spans are told of their session.
 * @param {{ sessionId: string, name: string }} session
 */
function told({ sessionId, name }) {
  return {
    "honeyhive.session_auto_create": true,
    "honeyhive.session_id": sessionId,
    "honeyhive.session_name": name,
    "honeyhive.source": "dev",
    "traceloop.association.properties.session_id": sessionId,
    "traceloop.association.properties.session_name": name,
    "traceloop.association.properties.source": "dev",
  };
}

/**
 * @param {StoredSpan[]} spans
 * @returns {Record<string, string | undefined>} the parent's name by the span's
 */
function tree(spans) {
  const nameOf = (/** @type {string | null} */ id) => spans.find((it) => it.span_id === id)?.name;
  return Object.fromEntries(spans.map((span) => [span.name, nameOf(span.parent_id)]));
}

/**
 * @param {Result} result
 * @param {Backends} backends
 */
async function explicit({ value, lines }, backends) {
  assert.deepEqual(lines, []);
  assert.deepEqual(Object.keys(value), ["batch", "simple"]);
  for (const [kind, { sessions }] of Object.entries(value)) {
    for (const { name, sessionId } of sessions) {
      const { event, spans } = await sessionWithSpans(backends, sessionId);
      assert.deepEqual(event.metadata, { said: name });
      assert.deepEqual(tree(spans), {
        [`${name} turn`]: undefined,
        [`${name} model`]: `${name} turn`,
        [`${name} tool`]: `${name} model`,
      });
      const session = told({ sessionId, name: `${kind} ${name}` });
      for (const span of spans) {
        const enriched = span.name.endsWith("model") && {
          "honeyhive_metadata.a.b.0": 1,
          "honeyhive_metadata.a.b.2": "s",
          "honeyhive_inputs.authorization": "[Redacted]",
          "honeyhive_inputs.from": name,
        };
        assert.deepEqual(span.attributes, { ...session, ...enriched });
        assert.equal(span.kind, span.name.endsWith("tool") ? 3 : 1);
        assert.equal(span.scope, "shop");
        assert.ok(BigInt(span.end_time) >= BigInt(span.start_time));
      }
    }
    const outside = (await straySpans(backends)).filter(({ name }) => name === `${kind} outside`);
    assert.deepEqual(
      outside.map(({ attributes }) => attributes),
      [{}],
    );
  }
}

/**
 * @param {Result} result
 * @param {Backends} backends
 */
async function implicit({ value, lines }, backends) {
  assert.deepEqual(lines, []);
  for (const { name, sessionId } of value.sessions) {
    const { spans } = await sessionWithSpans(backends, sessionId);
    assert.deepEqual(tree(spans), {
      [`${name} turn`]: undefined,
      [`${name} model`]: `${name} turn`,
      [`${name} token`]: `${name} model`,
      [`${name} tool`]: `${name} turn`,
    });
    for (const span of spans) {
      assert.deepEqual(span.attributes, {
        ...told({ sessionId, name }),
        "honeyhive_metadata.step": span.name,
      });
    }
  }
  const outside = (await straySpans(backends)).filter(({ name }) => name === "implicit outside");
  assert.deepEqual(
    outside.map(({ attributes }) => attributes),
    [{ "honeyhive_metadata.step": "implicit outside" }],
  );
}

/**
 * @param {Result} result
 * @param {Backends} backends
 */
async function propagated({ value, lines }, backends) {
  assert.deepEqual(lines, []);
  const { caller, onward, nothing, untouched, read } = value;
  const { sessionId } = caller;
  assert.equal(caller.headers.baggage, `session_id=${sessionId},source=dev,vendor=1;p=2`);
  const { spans } = await sessionWithSpans(backends, sessionId);
  assert.deepEqual(tree(spans), { server: undefined, client: "server" });
  for (const { attributes } of spans) {
    assert.equal(attributes["honeyhive.session_id"], sessionId);
    assert.equal(attributes["honeyhive.source"], "dev");
  }
  assert.deepEqual(onward, { baggage: `session_id=${sessionId},source=dev,other=kept` });
  assert.deepEqual(nothing, {});
  assert.equal(untouched, true);
  assert.equal(read, sessionId);
}
