// Spans with OpenTelemetry's own SDK in Node, Deno and Bun: each in its own session, at a real endpoint.

import { before, describe, it } from "node:test";
import { DENO_RUN, bun, deno, node } from "../support/binaries.mjs";
import { runsScenarios } from "../support/command-line.mjs";
import { EVERY, spanProject } from "./project.mjs";
import { spanChecks as own } from "./spans.check.mjs";

/** @type {string} */
let cwd;
before(async () => {
  cwd = await spanProject("command-line");
});

describe("spans", { concurrency: 2 }, () => {
  const allowed = ["--allow-net=127.0.0.1", "--allow-env", "--allow-read", "--allow-sys"];
  for (const [name, command, args] of /** @type {[string, () => string, string[]][]} */ ([
    ["Node 20", () => node("20"), []],
    ["Node 26", () => node("26"), []],
    ["Deno", deno, [...DENO_RUN, ...allowed]],
    ["Bun", bun, ["run", "--no-install"]],
  ])) {
    for (const entry of ["import.mjs", "require.cjs"]) {
      it(`${name}, ${entry}`, (t) =>
        runsScenarios(t, { command: command(), args, cwd }, { entry, names: EVERY, own }));
    }
  }
});
