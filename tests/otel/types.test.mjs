// The types of honeyhive-edge/otel, for a TypeScript application with OpenTelemetry's SDK: what is exported
// goes where the SDK wants it.

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runToEnd } from "../support/child.mjs";
import { consumer, testsDir } from "../support/package.mjs";

const statements = `
  import { context, propagation, trace } from "@opentelemetry/api";
  import { BatchSpanProcessor, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
  import type { SpanExporter, SpanProcessor } from "@opentelemetry/sdk-trace-base";
  import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
  import { HoneyHiveSpanExporter, SessionPropagator, SessionSpanProcessor, enrichSpan } from "honeyhive-edge/otel";
  import type { SpanEnrichment } from "honeyhive-edge/otel";

  const exporter: SpanExporter = new HoneyHiveSpanExporter({ apiKey: "k", deadlineMs: 1 });
  const processor: SpanProcessor = new SessionSpanProcessor({ redact: { keys: ["pin"] } });
  const provider = new NodeTracerProvider({
    spanProcessors: [processor, new SessionSpanProcessor(), new BatchSpanProcessor(exporter), new SimpleSpanProcessor(new HoneyHiveSpanExporter())],
  });
  provider.register({ propagator: new SessionPropagator() });
  propagation.setGlobalPropagator(new SessionPropagator());
  const enrichment: SpanEnrichment = { metadata: { a: 1 }, eventType: "tool", error: new Error("x") };
  enrichSpan(enrichment);
  enrichSpan(provider.getTracer("t").startSpan("s"), enrichment);
  const active = trace.getSpan(context.active());
  if (active) enrichSpan(active, {});

  // @ts-expect-error a misspelt field
  enrichSpan({ metdata: {} });
  // @ts-expect-error a span has times of its own
  enrichSpan({ duration: 3 });
  // @ts-expect-error no such option
  new HoneyHiveSpanExporter({ key: "k" });
`;

/** @type {[string, string, object][]} */
const cases = [
  ["Node, ESM", "a.mts", { module: "nodenext" }],
  ["Node, CommonJS", "a.cts", { module: "nodenext" }],
  ["bundler", "a.ts", { module: "esnext", moduleResolution: "bundler" }],
  [
    "bundler, for Workers",
    "a.ts",
    {
      module: "esnext",
      moduleResolution: "bundler",
      customConditions: ["workerd", "worker", "browser"],
    },
  ],
];

describe("types of honeyhive-edge/otel", { concurrency: 2 }, () => {
  for (const [name, file, options] of cases) {
    for (const compiler of ["typescript5", "typescript"]) {
      it(`${name}, ${compiler}`, async () => {
        const compilerOptions = {
          target: "es2022",
          lib: ["es2022", "dom", "dom.iterable"],
          // The SDK's own types want Node's.
          types: ["node"],
          typeRoots: [join(testsDir, "node_modules", "@types")],
          strict: true,
          exactOptionalPropertyTypes: true,
          noEmit: true,
          skipLibCheck: false,
          ...options,
        };
        const project = await consumer(`otel-types-${name}-${compiler}`.replace(/\W+/g, "-"), {
          [file]: statements,
          "tsconfig.json": JSON.stringify({ compilerOptions, files: [file] }),
        });
        const tsc = join(testsDir, "node_modules", compiler, "bin", "tsc");
        const { code, stdout, stderr } = await runToEnd(process.execPath, [tsc, "-p", "."], {
          cwd: project,
        });
        assert.equal(`${stdout}${stderr}`, "");
        assert.equal(code, 0);
      });
    }
  }
});
