// Masking inside the built WebAssembly is straight in time: each of the hostile repetitions of benches/core/hostile.rs,
// at 256 KB, takes less than ten times what it takes at 32 KB. Compared at the best of some tries, side by side: the time
// that the system counts as the process's comes in steps that are longer than the short text takes.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { pathToFileURL } from "node:url";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { packageDir } from "../support/package.mjs";

const SHORT = 32 * 1024;
const LONG = 256 * 1024;
/** Microseconds below which a time says little. */
const LEAST_US = 200;

/** Written in Rust as JSON has it. */
async function hostilePieces() {
  const source = await readFile(new URL("../../benches/core/hostile.rs", import.meta.url), "utf8");
  const list = /const PIECES: \[&str; (\d+)\] = \[([^;]*)\];/.exec(source);
  assert.ok(list);
  const pieces = /** @type {string[]} */ (JSON.parse(`[${list[2]?.trim().replace(/,$/, "")}]`));
  assert.equal(pieces.length, Number(list[1]));
  return pieces;
}

it("hostile texts of 256 KB take less than ten times what those of 32 KB take", async (t) => {
  /** @type {typeof import("honeyhive-edge/otel")} */
  const otel = await import(pathToFileURL(join(packageDir, "otel.js")).href);
  const exporter = new otel.HoneyHiveSpanExporter({
    apiKey: "key",
    mergeWindowMs: 0,
    fetch: /** @type {any} */ (async () => new Response("{}")),
  });
  const finished = new InMemorySpanExporter();
  const spanProcessors = [new SimpleSpanProcessor(finished)];
  const tracer = new BasicTracerProvider({ spanProcessors }).getTracer("hostile");

  /** Microseconds that the call takes in which the text is masked. */
  async function cost(/** @type {string} */ text) {
    finished.reset();
    tracer.startSpan("span", { attributes: { text } }).end();
    const spans = [...finished.getFinishedSpans()];
    const before = performance.now();
    const done = new Promise((resolve) => exporter.export(spans, resolve));
    const us = (performance.now() - before) * 1_000;
    const ended = /** @type {any} */ (await done);
    assert.equal(ended.code, 0, ended.error?.message);
    return us;
  }

  let most = 0;
  for (const piece of await hostilePieces()) {
    const repeated = (/** @type {number} */ bytes) =>
      piece.repeat(Math.floor(bytes / piece.length));
    let [short, long] = [Infinity, Infinity];
    // A machine that is busy makes anything slow now and then, and nothing fast.
    for (let tries = 0; tries < 30 && (tries < 5 || long >= 10 * short); tries++) {
      short = Math.max(LEAST_US, Math.min(short, await cost(repeated(SHORT))));
      long = Math.min(long, await cost(repeated(LONG)));
    }
    most = Math.max(most, long);
    assert.ok(long < 10 * short, `${JSON.stringify(piece)}: ${short} µs, then ${long} µs`);
  }
  t.diagnostic(`at most ${(most / 1000).toFixed(1)} ms for 256 KB`);
});
