// Where the programs under test are: each comes inside a package for this kind of machine, whose
// install scripts are not needed.

import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { testsDir } from "./package.mjs";

const { platform, arch } = process;

/** @param {...string} paths inside node_modules, of which one is there */
function binary(...paths) {
  const full = paths.map((path) => join(testsDir, "node_modules", path));
  const found = full.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (found) return found;
  throw new Error(`${full[0]} is missing: run \`npm ci\` in tests/, on Linux x64 or arm64.`);
}

export const NODE_VERSIONS = ["20", "22", "24", "26"];

export const node = (/** @type {string} */ major) =>
  binary(`node${major}-${platform}-${arch}/bin/node`);
export const deno = () => binary(`@deno/${platform}-${arch}-glibc/deno`);

/**
 * For Deno, in front of permissions and the program: nothing is looked up, installed or asked, and no code is
 * kept, since Deno takes another build of the same length for the one whose code it has kept.
 */
export const DENO_RUN = [
  "run",
  "--no-code-cache",
  "--node-modules-dir=manual",
  "--no-lock",
  "--cached-only",
  "--quiet",
  "--no-prompt",
];

// Where npm runs install scripts, bun's moves its binary.
export const bun = () =>
  binary(`@oven/bun-${platform}-${arch === "arm64" ? "aarch64" : arch}/bin/bun`, "bun/bin/bun.exe");
export const workerd = () => binary(`workerd-${platform}-${arch}/bin/workerd`);
