// enrichSpan with OpenTelemetry's own SDK in this process: which attributes a span gets, and what happens
// where it cannot get them.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { INVALID_SPAN_CONTEXT, ROOT_CONTEXT, context, trace } from "@opentelemetry/api";
import { AlwaysOffSampler } from "@opentelemetry/sdk-trace-base";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { otel, registered } from "./in-process.mjs";

const { tracer, exporter, lines } = registered();

/**
 * @param {(span: import("@opentelemetry/api").Span) => void} fn
 * @returns {Record<string, unknown>} the attributes of the span in which it ran
 */
function attributesAfter(fn) {
  tracer.startActiveSpan("step", (span) => {
    fn(span);
    span.end();
  });
  return { ...exporter.getFinishedSpans().at(-1)?.attributes };
}

describe("enrichSpan", () => {
  it("has the span count what it does not take", () => {
    const metadata = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`key ${at}`, at]));
    const attributes = attributesAfter(() => otel.enrichSpan({ metadata }));
    assert.equal(Object.keys(attributes).length, 128);
    assert.equal(exporter.getFinishedSpans().at(-1)?.droppedAttributesCount, 72);
  });

  it("flattens as documented, on the active span or the one given", () => {
    const metadata = { a: { b: [1, { c: null }, "s"] } };
    const expected = { "honeyhive_metadata.a.b.0": 1, "honeyhive_metadata.a.b.2": "s" };
    assert.deepEqual(
      attributesAfter(() => otel.enrichSpan({ metadata })),
      expected,
    );
    const given = attributesAfter((span) =>
      context.with(ROOT_CONTEXT, () => otel.enrichSpan(span, { metadata })),
    );
    assert.deepEqual(given, expected);
    assert.deepEqual(lines, []);
  });

  it("takes every field, in both spellings, and any value in them", () => {
    const attributes = attributesAfter(() =>
      otel.enrichSpan(
        /** @type {any} */ ({
          inputs: { when: new Date(0), big: 12n },
          outputs: [{ text: "hi" }],
          config: new Map([["temperature", 0.5]]),
          feedback: { rating: 5 },
          metrics: { cost: 0.001, broken: NaN },
          user_properties: { plan: "pro" },
          error: new TypeError("no such tool"),
          event_type: "tool",
          eventName: "search",
          stray: true,
          session_id: "not an attribute",
        }),
      ),
    );
    assert.deepEqual(attributes, {
      "honeyhive_inputs.when": "1970-01-01T00:00:00.000Z",
      "honeyhive_inputs.big": 12,
      "honeyhive_outputs.0.text": "hi",
      "honeyhive_config.temperature": 0.5,
      "honeyhive_feedback.rating": 5,
      "honeyhive_metrics.cost": 0.001,
      "honeyhive_user_properties.plan": "pro",
      honeyhive_error: "TypeError: no such tool",
      honeyhive_event_type: "tool",
      honeyhive_event_name: "search",
      "honeyhive_metadata.stray": true,
    });
  });

  it("masks what a session masks", () => {
    const attributes = attributesAfter(() =>
      otel.enrichSpan({
        metadata: { password: "hunter2", note: "Bearer abcdefghijkl" },
        inputs: { cards: ["4111 1111 1111 1111"] },
      }),
    );
    assert.deepEqual(attributes, {
      "honeyhive_metadata.password": "[Redacted]",
      "honeyhive_metadata.note": "Bearer [Redacted]",
      "honeyhive_inputs.cards.0": "[Redacted]",
    });
  });

  it("keeps to 128 attributes, overwrites freely, and says what did not fit", () => {
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`k${i}`, i]));
    const attributes = attributesAfter((span) => {
      span.setAttribute("http.method", "GET");
      otel.enrichSpan({ metadata: many });
      otel.enrichSpan({ metadata: { k0: "again", late: "no room" } });
    });
    assert.equal(Object.keys(attributes).length, 128);
    assert.equal(attributes["honeyhive_metadata.k0"], "again");
    assert.equal(attributes["honeyhive_metadata.k126"], 126);
    const text = lines.join("\n");
    assert.match(text, /73 attributes were left out, the first of them honeyhive_metadata\.k127/);
    assert.match(text, /honeyhive_metadata\.late/);
    assert.doesNotMatch(text, /no room/, "a warning holds no value");
  });

  it("never throws, whatever it is given, and says what was wrong", () => {
    const hostile = new Proxy(
      {},
      {
        get() {
          throw new Error("hostile");
        },
      },
    );
    const throwing = /** @type {any} */ ({
      spanContext: () => ({ traceFlags: 1 }),
      isRecording: () => true,
      setAttributes() {
        throw new Error("broken span");
      },
    });
    const enrichSpan = /** @type {any} */ (otel.enrichSpan);
    for (const given of [
      [],
      [undefined],
      [3],
      [hostile],
      [hostile, {}],
      [undefined, { metadata: {} }],
      [throwing, { metadata: { a: 1 } }],
    ]) {
      assert.equal(enrichSpan(...given), undefined);
    }
    const attributes = attributesAfter(() => {
      enrichSpan(hostile);
      enrichSpan(3);
      enrichSpan({ metadata: 3, config: { a: 1 } });
    });
    assert.deepEqual(attributes, { "honeyhive_config.a": 1 });
    for (const said of [
      /no span is active/,
      /given as span is none/,
      /broken span/,
      /`metadata` must be an object/,
    ]) {
      assert.match(lines.join("\n"), said);
    }
  });

  it("says it when the span has ended, and nothing when it is not sampled", () => {
    const span = tracer.startSpan("ended");
    span.end();
    otel.enrichSpan(span, { metadata: { late: true } });
    assert.match(lines.join("\n"), /has ended/);
    assert.deepEqual(exporter.getFinishedSpans().at(-1)?.attributes, {});

    lines.length = 0;
    const off = new NodeTracerProvider({ sampler: new AlwaysOffSampler() });
    otel.enrichSpan(off.getTracer("off").startSpan("unsampled"), { metadata: { a: 1 } });
    otel.enrichSpan(trace.wrapSpanContext(INVALID_SPAN_CONTEXT), { metadata: { a: 1 } });
    assert.deepEqual(lines, []);
  });
});
