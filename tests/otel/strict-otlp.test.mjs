// The strict reader by itself: it takes what OpenTelemetry's own exporter sends, and nothing that is almost that.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readStrictly } from "./strict-otlp.mjs";

const SPAN = {
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId: "b7ad6b7169203331",
  name: "chat",
  kind: 1,
  startTimeUnixNano: "1700000000000000000",
  endTimeUnixNano: "1700000000000000001",
  attributes: [{ key: "a", value: { intValue: 1 } }],
  events: [{ timeUnixNano: "1", name: "e", attributes: [] }],
  links: [{ traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" }],
  status: { code: 2, message: "bad" },
  flags: 257,
};

const request = (/** @type {object} */ span) =>
  JSON.stringify({
    resourceSpans: [{ resource: { attributes: [] }, scopeSpans: [{ scope: {}, spans: [span] }] }],
  });
const valued = (/** @type {unknown} */ value) => ({ ...SPAN, attributes: [{ key: "a", value }] });

test("takes what the protocol has", () => {
  assert.equal(readStrictly(request(SPAN)), 1);
  const { flags: _, ...plain } = SPAN;
  for (const span of [
    plain,
    { ...SPAN, parentSpanId: "" },
    valued({ intValue: "12" }),
    valued({}),
  ]) {
    assert.equal(readStrictly(request(span)), 1);
  }
});

for (const [what, span] of Object.entries({
  "a field that it does not have": { ...SPAN, spanID: "b7ad6b7169203331" },
  "a field by its name in the definitions": { ...SPAN, trace_state: "a=b" },
  "an id that is too short": { ...SPAN, spanId: "b7ad6b71692033" },
  "an id of zeros": { ...SPAN, traceId: "0".repeat(32) },
  "an id in Base64": { ...SPAN, spanId: "t61rcWkgMzE=" },
  "no id": { ...SPAN, spanId: undefined },
  "an enumeration by name": { ...SPAN, kind: "SPAN_KIND_CLIENT" },
  "a kind that there is not": { ...SPAN, kind: 6 },
  "a time that is no whole number": { ...SPAN, startTimeUnixNano: "1.5" },
  "a time that a number does not hold": { ...SPAN, startTimeUnixNano: 2 ** 60 },
  "a negative time": { ...SPAN, endTimeUnixNano: "-1" },
  "a count as text": { ...SPAN, droppedAttributesCount: "1" },
  "flags beyond 32 bits": { ...SPAN, flags: 2 ** 32 },
  null: { ...SPAN, name: null },
  "a value of two kinds": valued({ intValue: 1, stringValue: "1" }),
  "a whole number beyond 64 bits": valued({ intValue: "9223372036854775808" }),
  "half a surrogate pair": valued({ stringValue: "\ud800" }),
})) {
  test(`refuses ${what}`, () => {
    assert.throws(() => readStrictly(request(span)), /request\.resourceSpans/);
  });
}
