// The package in Bun, by import and by require.

import { before, describe, it } from "node:test";
import { EVERYTHING } from "../scenarios/check.mjs";
import { bun } from "../support/binaries.mjs";
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
  cwd = await consumer("bun", entries);
});

describe("Bun", { concurrency: 2 }, () => {
  // Installing is npm's part here; Bun alone would look for what is missing on the network.
  const program = () => ({ command: bun(), args: ["run", "--no-install"], cwd });

  it("import", (t) => runsScenarios(t, program(), { entry: "import.mjs", names: EVERYTHING }));
  it("require", (t) =>
    runsScenarios(t, program(), {
      entry: "require.cjs",
      names: ["guide", "fields", "values", "witness"],
    }));
  it("imports quietly", () => importsQuietly(program(), "probe-import.mjs"));
  it("requires quietly", () => importsQuietly(program(), "probe-require.cjs"));
  it("environment", (t) => obeysEnvironment(t, program()));
});
