// Where the programs under test are: each comes inside a package for this kind of machine, whose
// install scripts are not needed.

import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { testsDir } from "./package.mjs";

const { platform, arch } = process;

/** @param {string} path inside node_modules */
function binary(path) {
  const full = join(testsDir, "node_modules", path);
  try {
    accessSync(full, constants.X_OK);
  } catch {
    throw new Error(`${full} is missing: run \`npm ci\` in tests/, on Linux x64 or arm64.`);
  }
  return full;
}

export const NODE_VERSIONS = ["20", "22", "24", "26"];

export const node = (/** @type {string} */ major) =>
  binary(`node${major}-${platform}-${arch}/bin/node`);
export const deno = () => binary(`@deno/${platform}-${arch}-glibc/deno`);
export const bun = () =>
  binary(`@oven/bun-${platform}-${arch === "arm64" ? "aarch64" : arch}/bin/bun`);
export const workerd = () =>
  binary(`@cloudflare/workerd-${platform}-${arch === "x64" ? "64" : arch}/bin/workerd`);
