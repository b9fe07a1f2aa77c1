// The versions that the documents name are those that are installed and run.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { it } from "node:test";

/** @type {Record<string, [folder: string, name: string]>} */
const FRAMEWORKS = {
  "Next.js": ["..", "next"],
  OpenNext: ["opennext", "@opennextjs/cloudflare"],
  Nuxt: ["nuxt", "nuxt"],
  Nitro: ["nitro", "nitropack"],
  Hono: ["..", "hono"],
  SvelteKit: ["sveltekit", "@sveltejs/kit"],
  Astro: ["astro", "astro"],
  "React Router": ["react-router", "react-router"],
  "TanStack Start": ["tanstack-start", "@tanstack/react-start"],
  Angular: ["angular", "@angular/core"],
  Metro: ["metro", "metro"],
};

const read = (/** @type {string} */ path) => readFile(new URL(path, import.meta.url), "utf8");

it("the documents name the versions that are run", async () => {
  const readme = await read("../../README.md");
  const table = await read("../README.md");
  for (const [framework, [folder, name]] of Object.entries(FRAMEWORKS)) {
    const { packages } = JSON.parse(await read(`${folder}/package-lock.json`));
    const [major, minor] = packages[`node_modules/${name}`].version.split(".");
    const named = framework.replaceAll(".", "\\.");
    const row = new RegExp(`^\\| [^|]*${named}[^|]*\\| ([\\d.]+) \\|`, "gm");
    const versions = [...table.matchAll(row)].map(([, version]) => version);
    assert.ok(versions.includes(`${major}.${minor}`), `tests/README.md: ${framework} ${versions}`);
    for (const [, version] of readme.matchAll(new RegExp(`${named} (\\d+\\.\\d+)`, "g")))
      assert.equal(version, `${major}.${minor}`, `README.md: ${framework}`);
  }
});
