// Spans in real workerd, as wrangler bundles it: with and without Node.js compatibility and its AsyncLocalStorage, two requests at a
// time, and nothing awaited before the answer.

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { checkReport } from "../scenarios/check.mjs";
import { KEYS } from "../support/backends.mjs";
import { until } from "../support/child.mjs";
import { startGate } from "../support/gate.mjs";
import { assertQuiet, bundleWorker, served } from "../support/workerd.mjs";
import { EVERY, EXPLICIT, spanProject } from "./project.mjs";
import { sessionWithSpans, spanChecks as own } from "./spans.check.mjs";

const worker = (/** @type {string} */ manager) => `
  import { ROOT_CONTEXT, context, trace } from "@opentelemetry/api";
  import { BasicTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
  import * as api from "honeyhive-edge";
  import { HoneyHiveSpanExporter, SessionSpanProcessor, enrichSpan } from "honeyhive-edge/otel";
  import { spanScenarios } from "./spans.mjs";
  import { runScenarios } from "./scenarios/runner.mjs";
  ${manager}

  let tracer;

  export default {
    async fetch(request) {
      const { pathname } = new URL(request.url);
      const what = await request.json();
      if (pathname === "/scenarios") {
        return Response.json(await runScenarios({ api, own: spanScenarios(BasicTracerProvider), ...what }));
      }
      // One provider for all requests of the isolate, as it is usually done.
      tracer ??= new BasicTracerProvider({
        spanProcessors: [
          new SessionSpanProcessor(),
          new SimpleSpanProcessor(new HoneyHiveSpanExporter(what.options)),
        ],
      }).getTracer("worker");
      const session = await api.initTracer(what.options);
      const turn = tracer.startSpan("turn", { root: true });
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 30));
      const model = tracer.startSpan("model", {}, trace.setSpan(ROOT_CONTEXT, turn));
      enrichSpan(model, { metadata: { number: what.number } });
      session.enrichSession({ metadata: { number: what.number } });
      model.end();
      // Without a parent either: the request alone says whose it is.
      tracer.startSpan("tool", { root: true }).end();
      turn.end();
      return Response.json({ sessionId: session.sessionId });
    },
  };
`;

const als = `
  import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
`;

const REQUESTS = 20;

/** @type {Record<"plain" | "als", string>} */
const bundles = { plain: "", als: "" };
before(async () => {
  for (const kind of /** @type {const} */ (["plain", "als"])) {
    const project = await spanProject(`workerd-${kind}`, {
      "worker.mjs": worker(kind === "als" ? als : ""),
    });
    bundles[kind] = await bundleWorker(project, kind === "als" ? ["nodejs_compat"] : []);
  }
});

describe("spans in workerd", { concurrency: 2 }, () => {
  for (const [
    bundle,
    compatibilityDate,
    flags,
  ] of /** @type {[keyof typeof bundles, string, string[]][]} */ ([
    ["plain", "2025-01-01", []],
    ["plain", "2026-10-01", []],
    ["als", "2025-01-01", ["nodejs_compat"]],
    ["als", "2026-10-01", ["nodejs_compat"]],
  ])) {
    const title = [compatibilityDate, ...flags].join(", ");

    it(`${title}, scenarios`, async (t) => {
      const { backends, post, output } = await served(t, bundles[bundle], {
        compatibilityDate,
        flags,
      });
      const names = bundle === "als" ? EVERY : EXPLICIT;
      const report = await post("/scenarios", { names, params: backends.params });
      assertQuiet(output);
      await checkReport(t, report, { names, backends, own });
    });

    it(`${title}, what requests leave behind is exported, each span in its request's session`, async (t) => {
      const { backends, post, output } = await served(t, bundles[bundle], {
        compatibilityDate,
        flags,
      });
      const gate = await startGate(backends.v1.url);
      t.after(() => gate.close());
      const patience = { timeoutMs: 100_000, deadlineMs: 200_000 };
      const server = { apiKey: KEYS.main, serverUrl: gate.url, ...patience };
      const options = { ...server, sessionName: "request" };
      await post("/", { options, number: -1 });
      gate.shut();
      const answers = await Promise.all(
        Array.from({ length: REQUESTS }, async (_, number) => {
          const { sessionId } = await post("/", { options, number });
          return { sessionId, number };
        }),
      );
      assert.equal(new Set(answers.map(({ sessionId }) => sessionId)).size, REQUESTS);
      // All have answered, and the backend none of them.
      await until(gate.open, { what: "requests to the backend" });
      for (const { sessionId, number } of answers) {
        const { spans } = await until(
          async () => {
            const found = await sessionWithSpans(backends, sessionId).catch(() => undefined);
            return found && found.spans.length >= 3 ? found : undefined;
          },
          { what: `the spans of session ${sessionId}`, timeoutMs: 60_000 },
        );
        assert.deepEqual(spans.map(({ name }) => name).sort(), ["model", "tool", "turn"]);
        for (const { name, attributes } of spans) {
          assert.equal(attributes["honeyhive.session_id"], sessionId);
          const expected = name === "model" ? number : undefined;
          assert.equal(attributes["honeyhive_metadata.number"], expected);
        }
      }
      assertQuiet(output);
    });
  }
});
