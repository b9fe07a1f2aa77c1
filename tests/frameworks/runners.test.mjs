// The programs of docs/testing.md in the test runners that they are for: Vitest 3 and 4 and Jest 30, each with the
// environments in which people run them.

import assert from "node:assert/strict";
import { readdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, it } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { runToEnd } from "../support/child.mjs";
import { consumer } from "../support/package.mjs";
import { blocksRunBy } from "../docs/documents.mjs";

const TEST = "tests/frameworks/runners.test.mjs";
const folder = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));

const blocks = await blocksRunBy(TEST);
/** The files of one runner's programs, by their names. @param {string} kind */
const filesFor = (kind) =>
  Object.fromEntries(
    blocks
      .filter((block) => block.kind === kind)
      .map(({ comment, text }) => [comment["file"], text]),
  );

/** Where each is installed, and the environments it is run in. */
const VITESTS = { "Vitest 4": "runners", "Vitest 3": "vitest3" };
const ENVIRONMENTS = ["node", "jsdom", "edge-runtime"];

/** What a test's own environment must not decide. */
const env = {
  HH_API_KEY: "",
  HH_TEST_MODE: "",
  CI: "1",
  NODE_OPTIONS: "",
};

/**
 * A project with the package, the documents' programs, and the packages of one of the folders beside this file.
 * @param {string} name
 * @param {string} runners the folder
 * @param {string} kind of the programs
 */
async function project(name, runners, kind) {
  const cwd = await consumer(`runners-${name.replace(/\W+/g, "-")}`, filesFor(kind));
  const modules = join(folder(runners), "node_modules");
  for (const module of await readdir(modules)) {
    if (!module.startsWith("."))
      await symlink(join(modules, module), join(cwd, "node_modules", module));
  }
  return { cwd, bin: (/** @type {string} */ path) => join(modules, path) };
}

/**
 * @param {string} cwd
 * @param {string[]} args of Node
 */
async function passes(cwd, args) {
  const { code, stdout, stderr } = await runToEnd(process.execPath, args, {
    cwd,
    env,
    timeoutMs: 120_000,
  });
  assert.equal(code, 0, stdout + stderr);
  // Where the terminal of those who run this has colours, so have these.
  return stripVTControlCharacters(stdout + stderr);
}

for (const [name, runners] of Object.entries(VITESTS)) {
  describe(name, () => {
    for (const environment of ENVIRONMENTS) {
      it(environment, async () => {
        const { cwd, bin } = await project(`${name}-${environment}`, runners, "vitest");
        const args = [
          bin("vitest/vitest.mjs"),
          "run",
          `--environment=${environment}`,
          "--reporter=verbose",
        ];
        const said = await passes(cwd, args);
        assert.match(said, /Tests +4 passed/);
      });
    }
  });
}

describe("Jest 30", () => {
  for (const environment of ["node", "@edge-runtime/jest-environment", "./jsdom.cjs"]) {
    it(environment, async () => {
      const { cwd, bin } = await project(`jest-${environment}`, "runners", "jest");
      const said = await passes(cwd, [bin("jest/bin/jest.js"), "jest/", `--env=${environment}`]);
      assert.match(said, /Tests: +1 passed/);
    });
  }
});
