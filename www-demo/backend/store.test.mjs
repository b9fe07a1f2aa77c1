// The store in memory, and the store in SQLite inside a Durable Object, against the same model.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import fc from "fast-check";
import { startWorkerd } from "../workerd.mjs";
import { startSession } from "./session.js";
import { agreesWithModel, change, IDS, writes } from "./store-model.js";
import { memoryStore } from "./store.js";

test("in memory: reads, finds and lists what was written, by key, page by page", () => {
  fc.assert(
    fc.property(
      writes,
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 14 }),
      (made, limit, sessions) => agreesWithModel(memoryStore({ sessions }), made, limit, sessions),
    ),
  );
});

test("in SQLite: the same, and texts of any length", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "sqlite-store-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await build({
    entryPoints: [fileURLToPath(new URL("sqlite-check.js", import.meta.url))],
    outfile: join(folder, "check.js"),
    bundle: true,
    format: "esm",
    external: ["cloudflare:*", "node:*"],
  });
  const { url, close } = await startWorkerd({
    folder,
    modules: ["check.js"],
    objects: { CHECK: "Check" },
    flags: ["nodejs_compat"],
  });
  t.after(close);
  for (const what of ["model", "texts"]) {
    assert.equal(await (await fetch(`${url}/${what}`)).text(), "holds");
  }
});

test("clear forgets everything and counts from 1 again", () => {
  const store = memoryStore();
  const id = /** @type {string} */ (IDS[0]);
  store.write("k", startSession(id, {}, 0), change(1));
  store.clear();
  assert.equal(store.count(), 0);
  assert.equal(store.read("k", id), undefined);
  assert.deepEqual(store.list({ limit: 5 }), { sessions: [], before: null });
  store.write("k", startSession(id, {}, 0), change(1));
  assert.equal(store.read("k", id)?.number, 1);
});
