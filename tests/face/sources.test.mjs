// A name of a type stands for one type, in the core and in the face, so that a reader who finds one has found it. And the
// state of a type is changed in its own file alone, by methods that say what happens. And no file needs itself by way of
// others.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const root = new URL("../../", import.meta.url);

/**
 * The files of a folder by their path in it.
 * @param {string} folder
 * @param {string[]} suffixes
 */
function sources(folder, suffixes) {
  const paths = readdirSync(new URL(folder, root), { encoding: "utf8", recursive: true });
  const found = paths.filter((path) => suffixes.some((suffix) => path.endsWith(suffix)));
  return found.map((path) => ({
    path,
    text: readFileSync(new URL(folder + path, root), "utf8"),
  }));
}

/**
 * The files in which each name is declared that is declared more than once.
 * @param {string} folder
 * @param {string[]} suffixes
 * @param {RegExp} declaration has a group for each form
 */
function namedTwice(folder, suffixes, declaration) {
  /** @type {Map<string, string[]>} */
  const places = new Map();
  for (const { path, text } of sources(folder, suffixes)) {
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

test("no field of the core is written to from outside of its file", () => {
  const files = sources("src/core/", [".rs"]).map(({ path, text }) => {
    const [code = ""] = text.split("#[cfg(test)]\nmod tests");
    const own = [...code.matchAll(/^ {4}(pub(?:\([^)]*\))? )?(\w+): /gm)];
    return {
      path,
      code,
      fields: new Set(own.map(([, , name]) => name)),
      // Those of a `mod.rs` are visible in the files beside it.
      visible: own
        .filter(([, visibility]) => visibility || path.endsWith("mod.rs"))
        .map(([, , name = ""]) => name),
    };
  });
  const visible = new Set(files.flatMap((file) => file.visible));
  assert.ok(visible.size > 40, "the fields are found");
  const writes = /\w\.(\w+) (?:[-+*|&^]?=) |mem::(?:take|replace|swap)\(&mut \w+\.(\w+)[,)]/g;
  const found = [];
  for (const { path, code, fields } of files) {
    for (const [write, assigned, taken] of code.matchAll(writes)) {
      const field = assigned ?? taken ?? "";
      // A field of this name in the same file may be meant.
      if (visible.has(field) && !fields.has(field)) found.push(`${path}: ${write}`);
    }
  }
  assert.deepEqual(found, []);
});

test("no field of a class of the face is written to from outside of its file", () => {
  const files = sources("pkg-template/src/", [".js"]);
  /** The file of each class, by what its instances are called. @type {Map<string, string>} */
  const homes = new Map();
  for (const { path, text } of files) {
    for (const [, first = "", rest = ""] of text.matchAll(/^(?:export )?class (\w)(\w*)/gm)) {
      homes.set(first.toLowerCase() + rest, path);
    }
  }
  assert.equal(homes.get("session"), "session.js", "the classes are found");
  const writes =
    /(?<![\w.#])(\w+)\.\w+ (?:[-+*]|\?\?|\|\|)?= |(?:\+\+|--)(\w+)\.\w+|(?<![\w.#])(\w+)\.\w+(?:\+\+|--)/g;
  const found = [];
  for (const { path, text } of files) {
    for (const [write, ...names] of text.matchAll(writes)) {
      const home = homes.get(names.find((name) => name !== undefined) ?? "");
      if (home !== undefined && home !== path) found.push(`${path}: ${write}`);
    }
  }
  assert.deepEqual(found, []);
});

/**
 * The files that need themselves by way of others.
 * @param {Map<string, Set<string>>} needs the files that each file needs
 */
function circles(needs) {
  const left = new Map(needs);
  for (let before = -1; before !== left.size;) {
    before = left.size;
    for (const [path, needed] of left) {
      // Whatever needs nothing that is left is in no circle.
      if (![...needed].some((other) => left.has(other))) left.delete(path);
    }
  }
  return [...left.keys()];
}

test("no files of the core need each other", () => {
  const files = sources("src/core/", [".rs"]);
  const modules = new Map(files.map(({ path }) => [path.replace(/(\/mod)?\.rs$/, ""), path]));
  /** @type {Map<string, Set<string>>} */
  const needs = new Map();
  for (const { path, text } of files) {
    const [code = ""] = text.split("#[cfg(test)]\nmod tests");
    const folder = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
    const above = path.endsWith("/mod.rs") ? folder.split("/").slice(0, -1).join("/") : folder;
    const found = new Set();
    for (const [, from = "", names = ""] of code.matchAll(
      /^(?:pub )?use ((?:crate::core|super|\w+)(?:::\w+)*)(?:::\{([^;]*)\})?;/gm,
    )) {
      const start = from.split("::");
      const base = start[0] === "crate" ? "" : start[0] === "super" ? above : folder;
      const rest = start.slice(start[0] === "crate" ? 2 : start[0] === "super" ? 1 : 0);
      for (const name of names ? names.split(/,\s*/) : [""]) {
        const parts = [base, ...rest, ...name.split("::")].filter((part) => part !== "");
        while (parts.length > 0 && !modules.has(parts.join("/"))) parts.pop();
        const needed = modules.get(parts.join("/"));
        // A file beside a `mod.rs` may add methods to what that declares.
        if (needed && needed !== path && needed !== `${folder}/mod.rs`) found.add(needed);
      }
    }
    needs.set(path, found);
  }
  assert.ok([...needs.values()].filter((needed) => needed.size > 2).length > 20);
  assert.deepEqual(circles(needs), []);
});

test("no files of the face need each other", () => {
  /** @type {Map<string, Set<string>>} */
  const needs = new Map();
  for (const { path, text } of sources("pkg-template/src/", [".js"])) {
    const imports = text.matchAll(/^(?:import|export) [^;]*?from "(\.[^"]+)";/gm);
    const needed = [...imports].map(([, name = ""]) => new URL(name, `file:///${path}`).pathname);
    needs.set(path, new Set(needed.map((name) => name.slice(1))));
  }
  assert.ok([...needs.values()].filter((needed) => needed.size > 2).length > 10);
  assert.deepEqual(circles(needs), []);
});
