// The repository's documents: their headings, links and code blocks.

import { readFile, readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { marked } from "marked";

export const rootDir = fileURLToPath(new URL("../..", import.meta.url));

/**
 * A fenced block. The first word of its info string is the language, the second, if there is one, what it is:
 * `ts node` is a program for Node, `json stored` the sessions that the program before it leaves. A comment above
 * it may say what the program needs: `<!-- ask POST / {"a":1} -->`.
 * @typedef {object} Block
 * @property {string} document
 * @property {string} name of document and line, good for a file's name
 * @property {string} language
 * @property {string} kind
 * @property {string} text
 * @property {Record<string, string>} comment the first word of each line of the comment above, and the rest of that line
 * @property {Block[]} results the blocks after a program that say what comes of it
 *
 * @typedef {object} Document
 * @property {string} path from the root
 * @property {Set<string>} anchors
 * @property {{ text: string, href: string }[]} links
 * @property {Block[]} blocks
 */

/** What comes of a program, in a block after it. */
const RESULTS = ["stored", "printed"];

/** @returns {Promise<Document[]>} */
export async function documents() {
  const paths = [
    ...(await readdir(rootDir)),
    ...(await below("docs")),
    "pkg-template/README.md",
    "tests/README.md",
    "benches/README.md",
    "www-demo/README.md",
    "www-demo/backend/README.md",
  ];
  const read = paths.filter((path) => path.endsWith(".md")).sort();
  return Promise.all(
    read.map(async (path) => parsed(path, await readFile(join(rootDir, path), "utf8"))),
  );
}

/**
 * The blocks that a test runs in place of docs/programs.test.mjs: their comment says `run by` and its path.
 * @param {string} test from the root
 */
export async function blocksRunBy(test) {
  const blocks = (await documents()).flatMap((document) => document.blocks);
  const own = blocks.filter(({ comment }) => comment["run"] === `by ${test}`);
  if (own.length === 0) throw new Error(`no document has a block that is run by ${test}`);
  return own;
}

/** @param {string} folder */
async function below(folder) {
  const entries = await readdir(join(rootDir, folder), { recursive: true, withFileTypes: true });
  const files = entries.filter(
    (entry) => entry.isFile() && !entry.parentPath.includes("node_modules"),
  );
  return files.map((entry) => relative(rootDir, join(entry.parentPath, entry.name)));
}

/**
 * @param {string} path
 * @param {string} source
 * @returns {Document}
 */
export function parsed(path, source) {
  /** @type {Document} */
  const document = { path, anchors: new Set(), links: [], blocks: [] };
  const tokens = marked.lexer(source);
  let line = 1;
  let comment = {};
  for (const token of tokens) {
    // The reference's blocks are signatures, and the examples of the types' own comments.
    if (token.type === "code" && token.lang && !path.startsWith("docs/reference/")) {
      add(document, line, token.lang, token.text, comment);
    } else if (token.type === "heading") {
      document.anchors.add(unused(anchor(token.text), document.anchors));
    }
    if (token.type === "html") comment = directives(token.raw);
    else if (token.type !== "space") comment = {};
    line += token.raw.split("\n").length - 1;
  }
  marked.walkTokens(tokens, (token) => {
    if (token.type === "link" || token.type === "image") {
      document.links.push({ text: token.text, href: token.href });
    } else if (token.type === "html") {
      for (const [, id = ""] of token.raw.matchAll(/<a id="([^"]+)"/g)) document.anchors.add(id);
      for (const [, href = ""] of token.raw.matchAll(/\b(?:src|href)="([^"]+)"/g)) {
        document.links.push({ text: token.raw, href });
      }
    }
  });
  return document;
}

/**
 * @param {Document} document
 * @param {number} line
 * @param {string} info
 * @param {string} text
 * @param {Record<string, string>} comment
 */
function add(document, line, info, text, comment) {
  const [language = "", kind = ""] = info.split(" ");
  const name = `${document.path.replace(/\.md$/, "").replaceAll("/", "-")}-${line}`;
  const block = { document: document.path, name, language, kind, text, comment, results: [] };
  const program = document.blocks.at(-1);
  if (RESULTS.includes(kind) && program) program.results.push(block);
  else document.blocks.push(block);
}

/**
 * @param {string} html
 * @returns {Record<string, string>}
 */
function directives(html) {
  const said = /^<!--([^]*)-->\s*$/.exec(html)?.[1] ?? "";
  const lines = said.split("\n").map((line) => line.trim());
  return Object.fromEntries(
    lines.filter(Boolean).map((line) => [...line.split(/ (.*)/s), ""].slice(0, 2)),
  );
}

/** As GitHub makes it of a heading's text. @param {string} heading */
function anchor(heading) {
  const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
  return text.replace(/[^\p{L}\p{N}\p{M}_ -]/gu, "").replaceAll(" ", "-");
}

/**
 * @param {string} name
 * @param {Set<string>} taken
 */
function unused(name, taken) {
  let result = name;
  for (let number = 1; taken.has(result); number++) result = `${name}-${number}`;
  return result;
}
