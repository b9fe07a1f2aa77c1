// Whose session a span is told, with OpenTelemetry's SDK for Node in this process.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  ROOT_CONTEXT,
  TraceFlags,
  baggageEntryMetadataFromString,
  context,
  propagation,
  trace,
} from "@opentelemetry/api";
import { W3CBaggagePropagator } from "@opentelemetry/core";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { sessionIdFrom } from "../../pkg-template/src/ids.js";
import { main, otel, registered } from "./in-process.mjs";

const { tracer, exporter, lines } = registered(new otel.SessionSpanProcessor());

// Nothing is sent: what is looked at here are spans.
const options = { disabled: true };

/** @param {import("@opentelemetry/api").Span} span */
const attributesOf = (span) => ({ .../** @type {any} */ (span).attributes });
/** @param {import("@opentelemetry/api").Span} span */
const sessionOf = (span) => attributesOf(span)["honeyhive.session_id"];
const below = (/** @type {import("@opentelemetry/api").Span} */ span) =>
  trace.setSpan(context.active(), span);

/**
 * @template T
 * @param {(session: import("honeyhive-edge").Tracer) => T | Promise<T>} fn
 * @param {object} [more]
 */
const inSession = (fn, more) => main.withSession({ ...options, ...more }, fn);

describe("SessionSpanProcessor", () => {
  it("tells all that is known of the session, under both families of names", () =>
    inSession(
      (session) => {
        assert.deepEqual(attributesOf(tracer.startSpan("span")), {
          "honeyhive.session_auto_create": true,
          "honeyhive.session_id": session.sessionId,
          "honeyhive.session_name": "chat",
          "honeyhive.source": "test",
          "honeyhive.project": "shop",
          "traceloop.association.properties.session_id": session.sessionId,
          "traceloop.association.properties.session_name": "chat",
          "traceloop.association.properties.source": "test",
          "traceloop.association.properties.project": "shop",
        });
      },
      { sessionName: "chat", source: "test", project: "shop" },
    ));

  it("touches no span outside a session, and none of a session that is closed", async () => {
    assert.deepEqual(attributesOf(tracer.startSpan("outside")), {});
    await inSession(async (session) => {
      await session.close();
      assert.deepEqual(attributesOf(tracer.startSpan("closed")), {});
    });
    assert.deepEqual(attributesOf(tracer.startSpan("left")), {});
  });

  it("leaves a session.id of the application's own as it is", () =>
    inSession((session) => {
      const span = tracer.startSpan("span", { attributes: { "session.id": "browser-7" } });
      assert.equal(attributesOf(span)["session.id"], "browser-7");
      assert.equal(sessionOf(span), session.sessionId);
    }));

  it("a honeyhive.session_id of the application's own counts, for the spans below too", () =>
    inSession((session) => {
      const own = sessionIdFrom("own");
      const attributes = { "honeyhive.session_id": own };
      const span = tracer.startSpan("span", { attributes });
      assert.deepEqual(attributesOf(span), attributes);
      assert.equal(sessionOf(tracer.startSpan("child", {}, below(span))), own);
      const named = tracer.startSpan("named", { attributes: { "honeyhive.session_id": "own" } });
      assert.equal(sessionOf(named), own, "a name stands for its UUID here as well");
      assert.equal(sessionOf(tracer.startSpan("child", {}, below(named))), own);
      assert.equal(sessionOf(tracer.startSpan("sibling")), session.sessionId);
    }));

  it("follows run, however sessions and spans are nested", () =>
    inSession((outer) => {
      const span = tracer.startSpan("outer");
      context.with(below(span), () => {
        const inner = outer.startSession();
        inner.run(() => {
          const child = tracer.startSpan("inner");
          assert.equal(sessionOf(child), inner.sessionId);
          assert.equal(sessionOf(tracer.startSpan("below", {}, below(child))), inner.sessionId);
        });
        assert.equal(sessionOf(tracer.startSpan("again")), outer.sessionId);
      });
    }));

  it("where no session is known, the parent's counts", async () => {
    const { parent, sessionId } = await inSession((session) => ({
      parent: tracer.startSpan("parent"),
      sessionId: session.sessionId,
    }));
    const child = tracer.startSpan("child", {}, below(parent));
    assert.equal(sessionOf(child), sessionId);
    assert.equal(sessionOf(tracer.startSpan("grandchild", {}, below(child))), sessionId);
    assert.equal(sessionOf(tracer.startSpan("root", { root: true }, below(parent))), undefined);
    await inSession((session) => {
      const span = tracer.startSpan("child", {}, below(parent));
      assert.equal(sessionOf(span), session.sessionId, "what was entered since counts");
    });
  });

  it("each of many sessions at a time gets its own spans, across awaits, timers and promises", async () => {
    const number = 50;
    const pause = () => new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
    const ids = await Promise.all(
      Array.from({ length: number }, (_, index) =>
        inSession(async (session) => {
          await tracer.startActiveSpan(`${index}`, async (turn) => {
            await pause();
            await Promise.all(
              ["a", "b"].map((name) =>
                tracer.startActiveSpan(`${index} ${name}`, async (span) => {
                  await pause();
                  tracer.startSpan(`${index} ${name} leaf`).end();
                  span.end();
                }),
              ),
            );
            turn.end();
          });
          return session.sessionId;
        }),
      ),
    );
    assert.equal(new Set(ids).size, number);
    const spans = exporter.getFinishedSpans();
    assert.equal(spans.length, number * 5);
    for (const { name, attributes } of spans) {
      assert.equal(attributes["honeyhive.session_id"], ids[Number.parseInt(name)], name);
    }
  });

  it("masks what enrichSpan is given as it is told to", async () => {
    const own = new NodeTracerProvider({
      spanProcessors: [
        new otel.SessionSpanProcessor({ redact: { keys: ["pin"], patterns: [/\d{4}/] } }),
      ],
    }).getTracer("own");
    const off = new NodeTracerProvider({
      spanProcessors: [new otel.SessionSpanProcessor({ redact: false })],
    }).getTracer("off");
    const byFunction = new NodeTracerProvider({
      spanProcessors: [
        new otel.SessionSpanProcessor({
          redact(value, path) {
            if (path.at(-1) === "boom") throw new Error("hunter2");
            return path.at(-1) === "secret" ? undefined : value;
          },
        }),
      ],
    }).getTracer("function");
    const enrichment = {
      metadata: { pin: 1, password: "p", text: "no 1234" },
      config: { secret: 1, boom: 2 },
    };
    const enriched = (/** @type {import("@opentelemetry/api").Tracer} */ by) => {
      const span = by.startSpan("span");
      otel.enrichSpan(span, enrichment);
      return attributesOf(span);
    };
    assert.deepEqual(enriched(own), {
      "honeyhive_metadata.pin": "[Redacted]",
      "honeyhive_metadata.password": "p",
      "honeyhive_metadata.text": "no [Redacted]",
      "honeyhive_config.secret": 1,
      "honeyhive_config.boom": 2,
    });
    assert.deepEqual(enriched(off), {
      "honeyhive_metadata.pin": 1,
      "honeyhive_metadata.password": "p",
      "honeyhive_metadata.text": "no 1234",
      "honeyhive_config.secret": 1,
      "honeyhive_config.boom": 2,
    });
    assert.deepEqual(enriched(byFunction), {
      "honeyhive_metadata.pin": 1,
      "honeyhive_metadata.password": "p",
      "honeyhive_metadata.text": "no 1234",
      "honeyhive_config.redacted": "[Redacted]",
    });
  });

  it("never throws, whatever the span and its context are", () =>
    inSession(() => {
      /** @type {any} */
      const hostile = new Proxy(() => {}, {
        get() {
          throw new Error("hostile");
        },
      });
      const processor = new otel.SessionSpanProcessor(hostile);
      for (const span of [
        hostile,
        {},
        undefined,
        { attributes: 3, setAttributes: () => hostile.x },
      ]) {
        for (const parent of [ROOT_CONTEXT, hostile, undefined]) {
          processor.onStart(/** @type {any} */ (span), /** @type {any} */ (parent));
        }
      }
      processor.onEnd();
      assert.ok(lines.length > 0);
    }));
});

describe("SessionPropagator", () => {
  const getter = {
    get: (/** @type {any} */ carrier, /** @type {string} */ key) => carrier[key],
    keys: (/** @type {any} */ carrier) => Object.keys(carrier),
  };
  const setter = {
    set: (/** @type {any} */ carrier, /** @type {string} */ key, /** @type {string} */ value) =>
      void (carrier[key] = value),
  };
  const ID = "2b0a2b2e-0000-4000-8000-000000000001";

  it("the caller's session counts until another is entered", async () => {
    const propagator = new otel.SessionPropagator();
    const carrier = { baggage: `session_id=${ID},source=web%20shop,project=p` };
    // A service's own session is active everywhere, as one made at its start is.
    await inSession(async (own) => {
      const arrived = propagator.extract(context.active(), carrier, getter);
      const server = tracer.startSpan("server", {}, arrived);
      const { "honeyhive.session_id": id, "honeyhive.source": source } = attributesOf(server);
      assert.deepEqual([id, source], [ID, "web shop"]);
      assert.equal(attributesOf(server)["honeyhive.project"], "p");
      await context.with(trace.setSpan(arrived, server), async () => {
        await Promise.resolve();
        assert.equal(sessionOf(tracer.startSpan("child")), ID);
        await inSession((entered) => {
          assert.equal(sessionOf(tracer.startSpan("entered")), entered.sessionId);
        });
      });
      assert.equal(sessionOf(tracer.startSpan("own")), own.sessionId);
    });
  });

  it("a message's session counts inside the span that fetched it", () => {
    const propagator = new otel.SessionPropagator();
    const poll = below(tracer.startSpan("poll", { root: true }));
    const message = propagator.extract(poll, { baggage: `session_id=${ID}` }, getter);
    assert.equal(sessionOf(tracer.startSpan("message", {}, message)), ID);
    assert.equal(sessionOf(tracer.startSpan("next", {}, poll)), undefined);
  });

  it("works behind a remote parent", () => {
    const propagator = new otel.SessionPropagator();
    const arrived = propagator.extract(ROOT_CONTEXT, { baggage: `session_id=${ID}` }, getter);
    const remote = trace.setSpanContext(arrived, {
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331",
      traceFlags: TraceFlags.SAMPLED,
      isRemote: true,
    });
    assert.equal(sessionOf(tracer.startSpan("server", {}, remote)), ID);
  });

  it("writes the session beside OpenTelemetry's own baggage and what is there already", () =>
    inSession((session) => {
      const propagator = new otel.SessionPropagator();
      const baggage = propagation.createBaggage({
        user: { value: "a b" },
        session_id: { value: "stale" },
      });
      const carrier = { baggage: "first=1" };
      propagator.inject(propagation.setBaggage(context.active(), baggage), carrier, setter);
      assert.equal(
        carrier.baggage,
        `session_id=${session.sessionId},source=dev,first=1,user=a%20b`,
      );
      const headers = new Headers({ baggage: "first=1" });
      const headersSetter = {
        set: (/** @type {any} */ to, /** @type {string} */ key, /** @type {string} */ value) =>
          to.set(key, value),
      };
      propagator.inject(context.active(), headers, headersSetter);
      assert.equal(headers.get("baggage"), `session_id=${session.sessionId},source=dev,first=1`);
      assert.deepEqual(propagator.fields(), ["baggage"]);
    }));

  it("carries on whatever others put into their baggage, and leaves out only what cannot be", () =>
    inSession((session) => {
      const entries = {
        "Benutzer→id": { value: "a" },
        "a,tenant": { value: "forged" },
        é: { value: "ü=,;" },
        "with (brackets)": { value: "b" },
        lone: { value: "\ud800" },
        "\udc00": { value: "lone key" },
        property: { value: "c", metadata: baggageEntryMetadataFromString("ttl=1;p") },
        bad: { value: "d", metadata: baggageEntryMetadataFromString("a→b,c=d") },
        plain: { value: "e" },
      };
      const inside = propagation.setBaggage(context.active(), propagation.createBaggage(entries));
      const own = `session_id=${session.sessionId},source=dev`;
      const carried =
        "Benutzer%E2%86%92id=a,a%2Ctenant=forged,%C3%A9=%C3%BC%3D%2C%3B,with%20%28brackets%29=b,property=c;ttl=1;p,bad=d,plain=e";
      /** @type {any} */
      const carrier = {};
      const propagator = new otel.SessionPropagator();
      propagator.inject(inside, carrier, setter);
      assert.equal(carrier.baggage, `${own},${carried}`);
      assert.equal(new Headers(carrier).get("baggage"), carrier.baggage);
      // As OpenTelemetry's own propagator writes and reads them; a key goes out once.
      const official = new W3CBaggagePropagator();
      const beside = {};
      const fit = propagation.createBaggage({ ...entries, bad: { value: "d" } });
      official.inject(
        propagation.setBaggage(inside, fit.removeEntries("lone", "\udc00")),
        beside,
        setter,
      );
      propagator.inject(inside, beside, setter);
      assert.deepEqual(
        /** @type {any} */ (beside).baggage
          .split(",")
          .map((/** @type {string} */ each) => each.split("=")[0])
          .sort(),
        carrier.baggage
          .split(",")
          .map((/** @type {string} */ each) => each.split("=")[0])
          .sort(),
      );
      const arrived = propagation.getBaggage(official.extract(ROOT_CONTEXT, carrier, getter));
      for (const name of ["Benutzer→id", "a,tenant", "é", "with (brackets)", "plain"]) {
        assert.equal(arrived?.getEntry(name)?.value, /** @type {any} */ (entries)[name].value);
      }
      // What stands in the headers already may be anything as well.
      const raw = { baggage: "Benutzer→id=1,ok=2,é=3,two words=4" };
      propagator.inject(context.active(), raw, setter);
      assert.equal(raw.baggage, `${own},ok=2`);
    }));

  it("never throws, and leaves the context as it was", () => {
    const propagator = new otel.SessionPropagator();
    const boom = () => {
      throw new Error("hostile");
    };
    for (const carrier of [undefined, null, 3, {}]) {
      propagator.inject(ROOT_CONTEXT, carrier, { set: boom });
      assert.equal(
        propagator.extract(ROOT_CONTEXT, carrier, { get: boom, keys: boom }),
        ROOT_CONTEXT,
      );
    }
    return inSession(() => {
      propagator.inject(context.active(), {}, { set: boom });
      assert.match(lines.join("\n"), /not put into headers \(hostile\)/);
    });
  });
});
