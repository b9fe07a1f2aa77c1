// What an open session costs: a shorter run of benches/memory.mjs.

import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";
import { pathToFileURL } from "node:url";
import { allAtOnce } from "../../benches/memory.mjs";
import { packageDir } from "../support/package.mjs";

const SESSIONS = 10_000;

it(`each of ${SESSIONS} open sessions with a tracer of its own costs less than a kilobyte`, async () => {
  const api = await import(pathToFileURL(join(packageDir, "index.js")).href);
  const { wasm, heap } = await allAtOnce(api, SESSIONS, "initTracer");
  assert.ok(wasm > 0 && heap > 0, "both are seen");
  assert.ok(wasm + heap < 1_000, `${wasm} of wasm and ${heap} of the JavaScript heap`);
});
