// A name of a type stands for one type, in the core and in the face, so that a reader who finds one has found it.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const root = new URL("../../", import.meta.url);

/**
 * The files in which each name is declared that is declared more than once.
 * @param {string} folder
 * @param {string[]} suffixes
 * @param {RegExp} declaration has a group for each form
 */
function namedTwice(folder, suffixes, declaration) {
  /** @type {Map<string, string[]>} */
  const places = new Map();
  for (const path of readdirSync(new URL(folder, root), { encoding: "utf8", recursive: true })) {
    if (!suffixes.some((suffix) => path.endsWith(suffix))) continue;
    const text = readFileSync(new URL(folder + path, root), "utf8");
    for (const [, ...forms] of text.matchAll(declaration)) {
      const name = forms.find((form) => form !== undefined) ?? "";
      places.set(name, [...(places.get(name) ?? []), path]);
    }
  }
  assert.ok(places.size > 40, "the declarations are found");
  return Object.fromEntries([...places].filter(([, paths]) => paths.length > 1));
}

test("no two types of the core and its shell share a name", () => {
  // `type Output = …;` in an implementation names what a trait asks for, and is no type of its own.
  const declaration =
    /^\s*(?:pub(?:\([^)]*\))? )?(?:struct|enum|trait|union) (\w+)|^(?:pub(?:\([^)]*\))? )?type (\w+)|^\s+(?:pub )?type (\w+);/gm;
  assert.deepEqual(namedTwice("src/", [".rs"], declaration), {});
});

test("no two types of the face share a name", () => {
  const declaration =
    /^(?:export )?(?:abstract )?(?:class|interface|enum) (\w+)|^(?:export )?(?:declare )?type (\w+)|@callback (\w+)|@typedef \{[^@]*?\} ([A-Z]\w*)/gm;
  assert.deepEqual(namedTwice("pkg-template/src/", [".js", ".d.ts"], declaration), {});
});
