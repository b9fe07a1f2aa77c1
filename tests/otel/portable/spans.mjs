// Applications with OpenTelemetry's own SDK, as scenarios that run in every runtime: two sessions at a
// time, spans nested across awaits, by each way of keeping a context and by each of the SDK's processors.
// What has to have come of it is in ../spans.check.mjs.

import { ROOT_CONTEXT, SpanKind, context, trace } from "@opentelemetry/api";
import { BatchSpanProcessor, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import {
  HoneyHiveSpanExporter,
  SessionPropagator,
  SessionSpanProcessor,
  enrichSpan,
} from "honeyhive-edge/otel";

/** @typedef {import("../../scenarios/runner.mjs").Context & { Provider: Provider }} Context */
/** @typedef {typeof import("@opentelemetry/sdk-trace-base").BasicTracerProvider} Provider */
/** @typedef {{ name: string, sessionId: string }} Session */

const NAMES = ["first", "second"];

/**
 * The scenarios with the SDK of the runtime: of the base, for servers or for pages.
 * @param {Provider} Provider
 * @returns {Record<string, (given: import("../../scenarios/runner.mjs").Context) => Promise<any>>}
 */
export function spanScenarios(Provider) {
  return Object.fromEntries(
    Object.entries({ explicit, implicit, propagated }).map(([name, run]) => [
      name,
      (given) => run({ ...given, Provider }),
    ]),
  );
}

/**
 * @param {Context} given
 * @param {(exporter: HoneyHiveSpanExporter) => any} processor
 */
function providerOf({ servers, keys, Provider }, processor) {
  const exporter = new HoneyHiveSpanExporter({ apiKey: keys.main, serverUrl: servers.v1 });
  return new Provider({
    spanProcessors: [new SessionSpanProcessor(), processor(exporter)],
  });
}

/** @type {Record<string, (exporter: HoneyHiveSpanExporter) => any>} */
const PROCESSORS = {
  batch: (exporter) => new BatchSpanProcessor(exporter, { scheduledDelayMillis: 50 }),
  simple: (exporter) => new SimpleSpanProcessor(exporter),
};

/**
 * Parents are handed on by hand, as it has to be where no context follows the code.
 * @param {Context} given
 */
async function explicit(given) {
  const { api, servers, keys } = given;
  const options = { apiKey: keys.main, serverUrl: servers.v1 };
  /** @type {Record<string, { sessions: Session[] }>} */
  const results = {};
  for (const [kind, processor] of Object.entries(PROCESSORS)) {
    const provider = providerOf(given, processor);
    const tracer = provider.getTracer("shop", "1.0.0");
    const below = (/** @type {import("@opentelemetry/api").Span} */ parent) =>
      trace.setSpan(ROOT_CONTEXT, parent);
    const conversation = (/** @type {string} */ name) =>
      api.withSession({ ...options, sessionName: `${kind} ${name}` }, async (session) => {
        const turn = tracer.startSpan(`${name} turn`, { root: true });
        session.enrichSession({ metadata: { said: name } });
        await pause();
        const model = tracer.startSpan(`${name} model`, {}, below(turn));
        enrichSpan(model, {
          metadata: { a: { b: [1, { c: null }, "s"] } },
          inputs: { authorization: "Bearer abcdefghijk", from: name },
        });
        await pause();
        const tool = tracer.startSpan(`${name} tool`, { kind: SpanKind.CLIENT }, below(model));
        await pause();
        for (const span of [tool, model, turn]) span.end();
        return { name, sessionId: session.sessionId };
      });
    const sessions = await Promise.all(NAMES.map(conversation));
    tracer.startSpan(`${kind} outside`, { root: true }).end();
    await provider.forceFlush();
    results[kind] = { sessions };
  }
  return results;
}

/**
 * Where OpenTelemetry's context manager follows the code, nothing is handed on.
 * @param {Context} given
 */
async function implicit(given) {
  const { api, servers, keys } = given;
  const options = { apiKey: keys.main, serverUrl: servers.v1 };
  const provider = providerOf(given, (exporter) => new BatchSpanProcessor(exporter));
  const tracer = provider.getTracer("shop");
  /**
   * @template T
   * @param {string} name
   * @param {() => Promise<T>} fn
   */
  const step = (name, fn) =>
    tracer.startActiveSpan(name, async (span) => {
      await pause();
      enrichSpan({ metadata: { step: name } });
      const result = await fn();
      span.end();
      return result;
    });
  const conversation = (/** @type {string} */ name) =>
    api.withSession({ ...options, sessionName: name }, (session) =>
      step(`${name} turn`, async () => {
        await Promise.all([
          step(`${name} model`, () => step(`${name} token`, pause)),
          step(`${name} tool`, pause),
        ]);
        return { name, sessionId: session.sessionId };
      }),
    );
  const sessions = await Promise.all([...NAMES, "third"].map(conversation));
  await context.with(ROOT_CONTEXT, () => step("implicit outside", pause));
  await provider.forceFlush();
  return { sessions };
}

/**
 * A caller's session arrives in headers and goes on in others, by OpenTelemetry's propagation alone.
 * @param {Context} given
 */
async function propagated(given) {
  const { api, servers, keys } = given;
  const provider = providerOf(given, PROCESSORS.simple);
  const tracer = provider.getTracer("service");
  const propagator = new SessionPropagator();
  const options = { apiKey: keys.main, serverUrl: servers.v1 };
  const caller = await api.withSession({ ...options, sessionName: "caller" }, async (session) => {
    await session.enrichSession();
    const headers = session.propagationHeaders({ baggage: "vendor=1;p=2, session_id=stale" });
    return { name: "caller", sessionId: session.sessionId, headers };
  });

  const getter = {
    get: (/** @type {any} */ carrier, /** @type {string} */ key) => carrier[key],
    keys: (/** @type {any} */ carrier) => Object.keys(carrier),
  };
  const setter = {
    set: (/** @type {any} */ carrier, /** @type {string} */ key, /** @type {string} */ value) =>
      void (carrier[key] = value),
  };
  const arrived = propagator.extract(ROOT_CONTEXT, caller.headers, getter);
  const server = tracer.startSpan("server", { kind: SpanKind.SERVER }, arrived);
  const within = trace.setSpan(arrived, server);
  const client = tracer.startSpan("client", { kind: SpanKind.CLIENT }, within);
  /** @type {Record<string, string>} */
  const onward = { baggage: "other=kept" };
  propagator.inject(trace.setSpan(within, client), onward, setter);
  client.end();
  server.end();

  /** @type {Record<string, string>} */
  const nothing = {};
  propagator.inject(ROOT_CONTEXT, nothing, setter);
  const untouched = propagator.extract(ROOT_CONTEXT, { baggage: "a=b" }, getter);
  await provider.forceFlush();
  return {
    caller,
    onward,
    nothing,
    untouched: untouched === ROOT_CONTEXT,
    read: api.sessionIdFromHeaders(onward),
  };
}

/** @returns {Promise<void>} */
function pause() {
  return new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 20));
}
