// A program that ends spans at an even pace and exports them, as its only argument says (JSON). Prints what that cost.

import { get } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

/**
 * @typedef {object} Load
 * @property {"honeyhive-edge" | "OpenTelemetry"} exporter
 * @property {"batch" | "simple"} processor
 * @property {number} kilobytes of text in a span
 * @property {number} rate spans in a second
 * @property {number} seconds
 * @property {string} url of the server
 */

const WARM_UP_SECONDS = 1.5;

/**
 * Exports before anything is measured. A server makes as many in its first quarter of an hour. V8 has compiled what makes
 * them at its best by then, most of it the streams and the parser of Node's `fetch`, for a fifth of a second of a processor.
 */
const WARM_UP_EXPORTS = 1500;

/** How many of them have a twentieth of a second's spans; the others have one span. */
const FULL_EXPORTS = 40;

/** What is still being compiled by then, beside the program, has this long. */
const COMPILE_MS = 500;

/** How often spans are ended, in milliseconds. */
const EVERY_MS = 10;

const WORDS =
  "the model was asked for a summary of a conversation and answered in some sentences about it".split(
    " ",
  );

/** A text as people and models write them. */
function textOf(/** @type {number} */ bytes) {
  const words = [];
  for (let at = 0, length = 0; length < bytes; at++) {
    const word = String(WORDS[(at * at) % WORDS.length]);
    words.push(word);
    length += word.length + 1;
  }
  return words.join(" ").slice(0, bytes);
}

/** @param {Load} load */
async function exporterOf({ exporter, url }) {
  if (exporter === "OpenTelemetry") {
    const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-http");
    return new OTLPTraceExporter({ url: `${url}/v1/traces` });
  }
  const { HoneyHiveSpanExporter } = await import("honeyhive-edge/otel");
  return new HoneyHiveSpanExporter({ apiKey: "bench", serverUrl: url });
}

const load = /** @type {Load} */ (JSON.parse(process.argv[2] ?? "{}"));
const Processor = load.processor === "batch" ? BatchSpanProcessor : SimpleSpanProcessor;
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": "bench", "host.name": "a", "process.pid": 1 }),
  spanProcessors: [new Processor(/** @type {any} */ (await exporterOf(load)))],
});
const tracer = provider.getTracer("bench", "1.0.0");
const text = textOf(load.kilobytes * 1024);
let ended = 0;

function endOne() {
  const span = tracer.startSpan("chat");
  span.setAttributes({
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.request.temperature": 0.7,
    "gen_ai.usage.input_tokens": 512,
    "gen_ai.usage.output_tokens": ended,
    "gen_ai.completion": text,
  });
  span.end();
  ended++;
}

// OpenTelemetry's simple processor lets what its exporter refuses end the process.
process.on("uncaughtException", () => {});
const flush = () => provider.forceFlush().catch(() => {});

/** Ends spans at the load's pace for so long. */
async function endAll(/** @type {number} */ seconds) {
  const from = performance.now();
  const already = ended;
  const all = Math.round(load.rate * seconds);
  await new Promise((resolve) => {
    const tick = () => {
      const due = Math.min(all, Math.floor(((performance.now() - from) / 1000) * load.rate));
      while (ended - already < due) endOne();
      if (due >= all) resolve(undefined);
      else setTimeout(tick, EVERY_MS);
    };
    tick();
  });
  await flush();
}

// Until what is loaded and compiled once is, as a server that has run for a while has it.
await endAll(WARM_UP_SECONDS);
for (let i = 0; i < WARM_UP_EXPORTS; i++) {
  const spans = i < FULL_EXPORTS ? Math.ceil(load.rate / 20) : 1;
  for (let j = 0; j < spans; j++) endOne();
  await flush();
}
await delay(COMPILE_MS);
await new Promise((resolve) =>
  get(`${load.url}/begin`, (answer) => answer.resume().on("end", () => resolve(undefined))),
);
const warm = ended;
const before = process.cpuUsage();
await endAll(load.seconds);
const { user, system } = process.cpuUsage(before);
await provider.shutdown().catch(() => {});
console.log(JSON.stringify({ ended: ended - warm, cpuMs: (user + system) / 1000 }));
