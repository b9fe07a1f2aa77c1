// The built package as its users get it: packed by npm, and installed from that tarball into
// throwaway projects under .cache/. What is the same as last time is not packed again.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

export const testsDir = fileURLToPath(new URL("..", import.meta.url));
const cacheDir = join(testsDir, ".cache");

/** What `make build` leaves; another build of the package can be named instead. */
export const packageDir = resolve(process.env["HONEYHIVE_EDGE_PKG"] ?? join(testsDir, "..", "pkg"));

/**
 * @typedef {object} Packed
 * @property {string} tarball
 * @property {string[]} files what is in it
 * @property {string} project a project in which it is installed
 */

/** @type {Promise<Packed> | undefined} */
let packed;

/** Packs and installs, once for each state of the package. Test files may ask at the same time. */
export function packedPackage() {
  packed ??= (async () => {
    const target = join(cacheDir, await contentHash(packageDir));
    try {
      return await packedIn(target);
    } catch {
      // Not there yet, or not whole.
    }
    const making = `${target}.${process.pid}`;
    await rm(making, { recursive: true, force: true });
    await mkdir(join(making, "project"), { recursive: true });
    const { stdout } = await npm(["pack", "--json", "--pack-destination", making], packageDir);
    const [{ filename, files }] = JSON.parse(stdout);
    await rename(join(making, filename), join(making, "honeyhive-edge.tgz"));
    await writeFile(
      join(making, "project", "package.json"),
      JSON.stringify({ name: "consumer", private: true }),
    );
    await npm(
      ["install", "--no-audit", "--no-fund", "../honeyhive-edge.tgz"],
      join(making, "project"),
    );
    const paths = files.map((/** @type {{path: string}} */ file) => file.path).sort();
    await writeFile(join(making, "files.json"), JSON.stringify(paths));
    // Where another process was quicker, its result is as good.
    await rename(making, target).catch(() => rm(making, { recursive: true, force: true }));
    return packedIn(target);
  })();
  return packed;
}

/**
 * @param {string} folder
 * @returns {Promise<Packed>}
 */
async function packedIn(folder) {
  const files = JSON.parse(await readFile(join(folder, "files.json"), "utf8"));
  return { tarball: join(folder, "honeyhive-edge.tgz"), files, project: join(folder, "project") };
}

/**
 * A project of its own for one test: the package installed, the scenarios beside it, and the files
 * given.
 * @param {string} name
 * @param {Record<string, string>} [files] content by path
 * @param {string} [root] the folder whose packages the project has as well, beside those of tests/
 */
export async function consumer(name, files = {}, root = testsDir) {
  const { project } = await packedPackage();
  const folder = join(root, ".cache", "consumers", name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await cp(join(project, "node_modules"), join(folder, "node_modules"), { recursive: true });
  for (const shared of ["guide/examples.mjs", "scenarios"]) {
    await cp(join(testsDir, shared), join(folder, shared), {
      recursive: true,
      // Checks are for the test's own process: they may use what a runtime has not.
      filter: (source) => !/[./]check\.mjs$/.test(source),
    });
  }
  const all = {
    "package.json": JSON.stringify({
      name: "consumer",
      private: true,
      dependencies: { "honeyhive-edge": "*" },
    }),
    ...files,
  };
  for (const [path, content] of Object.entries(all)) {
    await mkdir(join(folder, path, ".."), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
}

/**
 * @param {string[]} args
 * @param {string} cwd
 */
function npm(args, cwd) {
  return run("npm", [...args, "--ignore-scripts", "--loglevel=error"], { cwd, timeout: 120_000 });
}

/** @param {string} folder */
async function contentHash(folder) {
  const hash = createHash("sha256");
  const names = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => {
    throw new Error(`There is no package in ${folder}: run \`make build\` first.`);
  });
  const paths = names
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name));
  for (const path of paths.sort()) {
    hash
      .update(path.slice(folder.length))
      .update("\0")
      .update(await readFile(path));
  }
  return hash.digest("hex").slice(0, 16);
}
