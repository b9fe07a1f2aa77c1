// The module of spans reads text with vector instructions, which the tracer's does not have: both mask the same.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, test } from "node:test";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import fc from "fast-check";
import { packageDir } from "../support/package.mjs";

const random = "aB3dE5gH7jK9mN1pQ4sT6vW8yZ2cF0xL";
/** Secrets, put together so that no scanner takes them for real. */
const SECRETS = [
  ["sk-proj", "sk", "xoxb", "github_pat", "pk", "SK", "AKIA"].map((it) => `${it}-${random}`),
  ["ghp", "hh_ingst", "hf", "sbp", "re", "secret"].map((it) => `${it}_${random}`),
  `eyJhbGciOiJI.eyJzdWIi.${random}`,
  `Bearer ${random}`,
  "authorization: Basic dXNlcjpwYXNzd29yZDE=",
  "Cookie: sid=abc123",
  "postgres://user:hunter2@host",
  "password=hunter2",
  '{"api_key":"hunter2","n":[1]}',
  "-----BEGIN PRIVATE KEY-----abc-----END PRIVATE KEY-----",
  ["4111 1111", "1111 1111"].join(" "),
  ["411111111", "1111111"].join(""),
];
/** What is around them: beginnings of secrets, words, marks that are looked at, and characters next to those. */
const TEXTS = [
  ["s", "sk", "sk-", "ey", "Be", "gh", "the", "answer", "Summary", "12", "4", "a1"],
  [" ", "  ", ".", ",", "\n", "\t", "\\", '"', "%", "%3D", "[", "-", ":", "=", "~", "_", "/"],
  ["é", "ß", "日本語", "😀", "\u007f", "\u0080", "\u0001", "@", "`", "{", "O", "P", "o", "p", "z"],
];
const PIECES = [SECRETS, TEXTS].flat(2);

const finished = new InMemorySpanExporter();
const provider = new BasicTracerProvider({
  spanLimits: { attributeCountLimit: 1_000 },
  spanProcessors: [new SimpleSpanProcessor(finished)],
});
/** What was sent last. @type {any} */
let body;
const options = {
  apiKey: "key",
  mergeWindowMs: 0,
  fetch: /** @type {any} */ (
    async (/** @type {unknown} */ _url, /** @type {RequestInit} */ init) => {
      body = JSON.parse(String(init.body));
      return new Response("{}");
    }
  ),
};
/** @type {import("honeyhive-edge/otel").HoneyHiveSpanExporter} */
let exporter;
/** @type {import("honeyhive-edge").Tracer} */
let tracer;
before(async () => {
  /** @type {typeof import("honeyhive-edge")} */
  const tracing = await import(pathToFileURL(join(packageDir, "index.js")).href);
  /** @type {typeof import("honeyhive-edge/otel")} */
  const otel = await import(pathToFileURL(join(packageDir, "otel.js")).href);
  exporter = new otel.HoneyHiveSpanExporter(options);
  tracer = await tracing.initTracer(options);
});

async function inSpan(/** @type {Record<string, string>} */ texts) {
  finished.reset();
  provider.getTracer("masking").startSpan("span", { attributes: texts }).end();
  await new Promise((resolve) => exporter.export([...finished.getFinishedSpans()], resolve));
  const [span] = body.resourceSpans[0].scopeSpans[0].spans;
  /** @type {{ key: string, value: { stringValue: string } }[]} */
  const attributes = span.attributes;
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue]));
}

async function inSession(/** @type {Record<string, string>} */ texts) {
  await tracer.enrichSession({ metadata: texts });
  await tracer.flush();
  const { metadata } = body;
  return Object.fromEntries(Object.keys(texts).map((name) => [name, metadata[name]]));
}

test("masks in spans what it masks in sessions", async () => {
  const text = fc.array(fc.constantFrom(...PIECES), { maxLength: 30 }).map((it) => it.join(""));
  let masked = 0;
  const same = fc.asyncProperty(fc.array(text, { minLength: 40, maxLength: 40 }), async (all) => {
    const texts = Object.fromEntries(all.map((it, place) => [`text ${place}`, it]));
    const spans = await inSpan(texts);
    assert.deepEqual(spans, await inSession(texts));
    masked += Object.values(spans).filter((it) => it.includes("[Redacted]")).length;
  });
  await fc.assert(same, { numRuns: 100 });
  assert.ok(masked > 1_000, `only ${masked} texts had a secret`);
});

test("masks in spans a secret of every prefix, wherever the vectors begin", async () => {
  const rules = await readFile(new URL("../../src/core/redact/rules.rs", import.meta.url), "utf8");
  const rows = rules.matchAll(
    /^ {4}(?:rule|exact|with_digit|random|address)\(\s*"([^"]+)",\s*(\w+),\s*(\d+)/gm,
  );
  const alphabets = { Hex: "0f1e2d3c4b5a6978", Upper: "A2B3C4D5E6F7G2H3" };
  let prefixes = 0;
  for (const [, prefix = "", alphabet = "", length] of rows) {
    prefixes++;
    const letters = Object.entries(alphabets).find(([name]) => name === alphabet)?.[1] ?? random;
    const texts = Object.fromEntries(
      Array.from({ length: 16 }, (_, place) => {
        const secret = prefix + letters.repeat(10).slice(place, place + Number(length));
        const words = "a ".repeat(16).slice(-16 - place);
        return [`text ${place}`, `${words} ${secret} is what was said in the end`];
      }),
    );
    const spans = await inSpan(texts);
    assert.deepEqual(spans, await inSession(texts), prefix);
    for (const text of Object.values(spans)) assert.match(text, /\[Redacted\]/, prefix);
  }
  assert.ok(prefixes > 150, `only ${prefixes} prefixes were found in the table`);
});
