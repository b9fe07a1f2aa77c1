// Every link of the documents leads somewhere: to a file of the repository, and to a heading in it. Links out
// of the repository are only looked at for their form: tests use no network.

import assert from "node:assert/strict";
import { access } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { describe, it } from "node:test";
import { documents, parsed, rootDir } from "./documents.mjs";

const all = await documents();
const byPath = new Map(all.map((document) => [document.path, document]));

/**
 * @param {import("./documents.mjs").Document} document
 * @returns {Promise<string[]>} what is wrong
 */
async function deadLinks({ path, links, anchors }) {
  const dead = [];
  for (const { text, href } of links) {
    if (/^https:\/\/[\w.-]+\.\w+(\/|$|\?|#)/.test(href)) continue;
    const [file = "", hash] = href.split("#");
    const target = file ? normalize(join(dirname(path), file)) : path;
    const isThere = await access(join(rootDir, target)).then(
      () => true,
      () => false,
    );
    const names = file ? byPath.get(target)?.anchors : anchors;
    if (!isThere || /^\w+:/.test(href) || (hash && !names?.has(hash)))
      dead.push(`${text}: ${href}`);
  }
  return dead;
}

describe("links", () => {
  for (const document of all) {
    it(document.path, async () => assert.deepEqual(await deadLinks(document), []));
  }

  it("a dead one is found", async () => {
    const source =
      "# A b\n\n[a](#a-b) [b](#b) [c](README.md#none) [d](nowhere.md) ![e](e.svg) [f](http://x)";
    const dead = await deadLinks(parsed("docs/guide.md", source));
    assert.deepEqual(dead, [
      "b: #b",
      "c: README.md#none",
      "d: nowhere.md",
      "e: e.svg",
      "f: http://x",
    ]);
  });

  it("every document is reached from the README", () => {
    const reached = new Set(["README.md"]);
    for (const path of reached) {
      for (const { href } of byPath.get(path)?.links ?? []) {
        const target = normalize(join(dirname(path), href.split("#")[0] ?? ""));
        if (byPath.has(target)) reached.add(target);
      }
    }
    assert.deepEqual(
      all.map(({ path }) => path).filter((path) => !reached.has(path)),
      [],
    );
  });

  it("the package's own page links to nothing that npm does not have", () => {
    const links = byPath.get("pkg-template/README.md")?.links ?? [];
    assert.deepEqual(
      links.filter(({ href }) => !href.startsWith("https://")),
      [],
    );
  });
});
