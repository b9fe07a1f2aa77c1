// The built package and OpenTelemetry's SDK for Node in the test's own process, and what is said on the console.

import { after, before, beforeEach } from "node:test";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { packageDir } from "../support/package.mjs";

const load = (/** @type {string} */ name) => import(pathToFileURL(join(packageDir, name)).href);

/** @type {typeof import("honeyhive-edge")} */
export const main = await load("index.js");
/** @type {typeof import("honeyhive-edge/otel")} */
export const otel = await load("otel.js");

/**
 * A provider that keeps its spans, registered for a whole test file, and the lines that were printed. Both are
 * empty before each test.
 * @param {import("@opentelemetry/sdk-trace-base").SpanProcessor[]} processors in front
 */
export function registered(...processors) {
  const exporter = new InMemorySpanExporter();
  const provider = new NodeTracerProvider({
    spanProcessors: [...processors, new SimpleSpanProcessor(exporter)],
  });
  /** @type {string[]} */
  const lines = [];
  const { warn, error } = console;

  before(() => {
    provider.register();
    const note = (/** @type {unknown[]} */ ...parts) => void lines.push(parts.join(" "));
    Object.assign(console, { warn: note, error: note });
  });
  after(async () => {
    Object.assign(console, { warn, error });
    await provider.shutdown();
  });
  beforeEach(() => {
    lines.length = 0;
    exporter.reset();
  });
  return { provider, tracer: provider.getTracer("test"), exporter, lines };
}
