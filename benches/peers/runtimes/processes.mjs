// Node, Bun and Deno: a process for each peer, ended when it has reported.

import { fileURLToPath } from "node:url";
import { bun, deno } from "../../../tests/support/binaries.mjs";
import { runToEnd } from "../../../tests/support/child.mjs";

const here = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));

/** @type {Record<string, () => [string, ...string[]]>} */
const commands = {
  Node: () => [process.execPath, "--expose-gc"],
  Bun: () => [bun(), "run"],
  Deno: () => [
    deno(),
    "run",
    "-A",
    "--quiet",
    "--node-modules-dir=manual",
    "--no-lock",
    "--v8-flags=--expose-gc",
  ],
};

/**
 * @param {"Node" | "Bun" | "Deno"} runtime
 * @param {string} script beside this file
 * @param {string[]} args
 * @param {number} [timeoutMs]
 * @returns {Promise<any>} what it reported
 */
export async function report(runtime, script, args, timeoutMs = 240_000) {
  const [command, ...flags] = /** @type {() => [string]} */ (commands[runtime])();
  const { code, stdout, stderr } = await runToEnd(command, [...flags, here(script), ...args], {
    timeoutMs,
  });
  const found = /^REPORT (.*)$/m.exec(stdout)?.[1];
  if (found === undefined) throw new Error(`ended with ${code}: ${(stderr || stdout).slice(-800)}`);
  return JSON.parse(found);
}
