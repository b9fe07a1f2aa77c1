// The package in every Node that is supported, by import and by require.

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { EVERYTHING } from "../scenarios/check.mjs";
import { node, NODE_VERSIONS } from "../support/binaries.mjs";
import { runToEnd } from "../support/child.mjs";
import {
  entries,
  importsQuietly,
  obeysEnvironment,
  runsScenarios,
} from "../support/command-line.mjs";
import { consumer } from "../support/package.mjs";

/** @type {string} */
let cwd;
before(async () => {
  cwd = await consumer("node", entries);
});

describe("Node", { concurrency: 2 }, () => {
  for (const version of NODE_VERSIONS) {
    const program = () => ({ command: node(version), args: [], cwd });

    it(`${version} is what it says`, async () => {
      const { stdout } = await runToEnd(node(version), ["--version"]);
      assert.match(stdout, new RegExp(`^v${version}\\.`));
    });
    it(`${version}, import`, (t) =>
      runsScenarios(t, program(), { entry: "import.mjs", names: EVERYTHING }));
    it(`${version}, require`, (t) =>
      runsScenarios(t, program(), {
        entry: "require.cjs",
        names: ["guide", "fields", "values", "witness"],
      }));
    it(`${version} imports quietly`, () => importsQuietly(program(), "probe-import.mjs"));
    it(`${version} requires quietly`, () => importsQuietly(program(), "probe-require.cjs"));
  }

  for (const version of ["20", "26"]) {
    it(`${version}, environment`, (t) =>
      obeysEnvironment(t, { command: node(version), args: [], cwd }));
  }
});
