// What an open session costs: a shorter run of benches/memory.mjs.

import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { it } from "node:test";
import { pathToFileURL } from "node:url";
import { runToEnd } from "../support/child.mjs";
import { packageDir } from "../support/package.mjs";

const SESSIONS = 10_000;

/** Processes that measure it: what a machine does besides makes a heap larger, and none smaller. */
const TRIES = 3;

const program = `
  const { allAtOnce } = await import(${JSON.stringify(new URL("../../benches/memory.mjs", import.meta.url).href)});
  const api = await import(${JSON.stringify(pathToFileURL(join(packageDir, "index.js")).href)});
  console.log(JSON.stringify(await allAtOnce(api, ${SESSIONS}, "initTracer")));
  process.exit();
`;

it(`each of ${SESSIONS} open sessions with a tracer of its own costs less than a kilobyte`, async (t) => {
  const found = [];
  for (let tries = 0; tries < TRIES; tries++) {
    const args = ["--input-type=module", "--eval", program];
    const { stdout, stderr } = await runToEnd(process.execPath, args, { timeoutMs: 120_000 });
    const line = stdout.trim().split("\n").at(-1);
    assert.ok(line, stderr);
    const { wasm, heap } = JSON.parse(line);
    assert.ok(wasm > 0 && heap > 0, "both are seen");
    found.push({ wasm, heap, bytes: wasm + heap });
    if (wasm + heap < 1_000) break;
  }
  t.diagnostic(JSON.stringify(found));
  const least = Math.min(...found.map(({ bytes }) => bytes));
  assert.ok(least < 1_000, JSON.stringify(found));
});
