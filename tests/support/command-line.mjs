// Runs scenarios in a runtime with a command line: Node, Deno, Bun. The report is all that such a
// run may print.

import assert from "node:assert/strict";
import { checkReport } from "../scenarios/check.mjs";
import { environments } from "../scenarios/environment.check.mjs";
import { startBackends } from "./backends.mjs";
import { runToEnd } from "./child.mjs";

/** Entry files for a consumer project. */
export const entries = {
  "import.mjs": `
    import * as api from "honeyhive-edge";
    import { runScenarios } from "./scenarios/runner.mjs";
    const report = await runScenarios({ api, ...JSON.parse(process.argv[2]) });
    process.stdout.write(JSON.stringify(report));
  `,
  "require.cjs": `
    const api = require("honeyhive-edge");
    import("./scenarios/runner.mjs").then(async ({ runScenarios }) => {
      const report = await runScenarios({ api, ...JSON.parse(process.argv[2]) });
      process.stdout.write(JSON.stringify(report));
    });
  `,
  "empty.cjs": "",
  "probe-import.mjs": `
    import { probeImport } from "./scenarios/import-probe.mjs";
    await import("./empty.cjs"); // Node's own lexer for CommonJS is WebAssembly, and starts here.
    process.stdout.write(JSON.stringify(await probeImport(() => import("honeyhive-edge"))));
  `,
  "probe-require.cjs": `
    import("./scenarios/import-probe.mjs").then(async ({ probeImport }) => {
      process.stdout.write(JSON.stringify(await probeImport(() => require("honeyhive-edge"))));
    });
  `,
};

/** All that api.d.ts promises to be there at run time. */
export const API_NAMES = [
  "activeTracer",
  "enrichEvent",
  "enrichSession",
  "flush",
  "initTracer",
  "newEventId",
  "sessionIdFrom",
  "sessionIdFromHeaders",
  "withSession",
];

/**
 * @typedef {object} Program
 * @property {string} command
 * @property {string[]} args before the entry's name
 * @property {string} cwd the consumer project
 */

/**
 * @param {Program} program
 * @param {string[]} args
 * @param {Record<string, string>} [env]
 */
async function printed({ command, args: before, cwd }, args, env) {
  const ended = await runToEnd(command, [...before, ...args], { cwd, env });
  const { code, stdout, stderr } = ended;
  assert.ok(code === 0 && stderr === "", `exit code ${code}\n${stdout}\n${stderr}`);
  return JSON.parse(stdout);
}

/**
 * @param {import("node:test").TestContext} t
 * @param {Program} program
 * @param {{entry: string, names: string[], own?: Parameters<typeof checkReport>[2]["own"]}} what
 */
export async function runsScenarios(t, program, { entry, names, own }) {
  const backends = await startBackends();
  t.after(() => backends.close());
  const what = JSON.stringify({ names, params: backends.params });
  await checkReport(t, await printed(program, [entry, what]), { names, backends, own });
}

/**
 * @param {Program} program
 * @param {string} entry
 */
export async function importsQuietly(program, entry) {
  const { calls, globals, names } = await printed(program, [entry]);
  assert.deepEqual({ calls, globals }, { calls: [], globals: [] });
  const missing = API_NAMES.filter((name) => !names.includes(name));
  assert.deepEqual(missing, []);
}

/**
 * @param {import("node:test").TestContext} t
 * @param {Program} program
 */
export async function obeysEnvironment(t, program) {
  const backends = await startBackends();
  t.after(() => backends.close());
  for (const [name, { env, check }] of Object.entries(environments(backends))) {
    await t.test(name, async () => {
      const what = JSON.stringify({ names: ["environment"], params: backends.params });
      const { environment } = await printed(program, ["import.mjs", what], env);
      assert.equal(environment.error, undefined, environment.error);
      assert.deepEqual(environment.uncaught, []);
      await check(environment);
    });
  }
}
