// Holds docs/reference/ to the types: compares its pages with those that typedoc has just made of them, and puts the new
// ones in place. Ends with status 1 where that changed anything, so that nobody forgets to commit them.

import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const made = join(root, "build/reference-pages");
const kept = join(root, "docs/reference");

let changed = 0;
for (const name of await readdir(made)) {
  const page = await readFile(join(made, name), "utf8");
  const before = await readFile(join(kept, name), "utf8").catch(() => "");
  if (page === before) continue;
  await writeFile(join(kept, name), page);
  changed++;
  console.error(`docs/reference/${name} is made anew from the types: commit it`);
}
process.exitCode = changed > 0 ? 1 : 0;
