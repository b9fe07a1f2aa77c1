// The package in Deno, from a project's node_modules, with no permission but the network's and the
// environment's.

import { before, describe, it } from "node:test";
import { EVERYTHING } from "../scenarios/check.mjs";
import { DENO_RUN, deno } from "../support/binaries.mjs";
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
  cwd = await consumer("deno", entries);
});

describe("Deno", { concurrency: 2 }, () => {
  const program = (/** @type {string[]} */ ...permissions) => ({
    command: deno(),
    args: [...DENO_RUN, ...permissions],
    cwd,
  });
  const allowed = ["--allow-net=127.0.0.1", "--allow-env"];

  it("import", (t) =>
    runsScenarios(t, program(...allowed), { entry: "import.mjs", names: EVERYTHING }));
  it("import, no permission to read the environment", (t) =>
    runsScenarios(t, program("--allow-net=127.0.0.1"), {
      entry: "import.mjs",
      names: ["guide", "misconfigured", "witness"],
    }));
  it("require", (t) =>
    runsScenarios(t, program(...allowed, "--allow-read"), {
      entry: "require.cjs",
      names: ["guide", "fields", "witness"],
    }));
  it("imports quietly", () => importsQuietly(program(), "probe-import.mjs"));
  it("environment", (t) => obeysEnvironment(t, program(...allowed)));
});
