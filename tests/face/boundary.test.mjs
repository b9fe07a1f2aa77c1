// The numbers of the boundary stand in two languages, and have to be the same in both.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import * as face from "../../pkg-template/src/boundary.js";

test("the face and the core give the same numbers the same names", async () => {
  const rust = await readFile(new URL("../../src/js/boundary.rs", import.meta.url), "utf8");
  const constants = rust.matchAll(/pub const (\w+): \w+ = ([-\d]+)/g);
  const core = Object.fromEntries([...constants].map(([, name, value]) => [name, Number(value)]));
  assert.ok(Object.keys(core).length > 0);
  assert.deepEqual(core, { ...face });
});
