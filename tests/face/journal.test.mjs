// What a page that is left notes in localStorage: within bounds, and read as something that any script may have written.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import {
  journalOwners,
  readJournal,
  removeJournal,
  writeJournal,
} from "../../pkg-template/src/page/journal.js";

/** @type {Map<string, string>} */
const stored = new Map();

beforeEach(() => {
  stored.clear();
  Object.defineProperty(globalThis, "localStorage", {
    configurable: true,
    value: {
      get length() {
        return stored.size;
      },
      key: (/** @type {number} */ place) => [...stored.keys()][place] ?? null,
      getItem: (/** @type {string} */ name) => stored.get(name) ?? null,
      setItem: (/** @type {string} */ name, /** @type {string} */ value) => stored.set(name, value),
      removeItem: (/** @type {string} */ name) => stored.delete(name),
    },
  });
});

const record = (/** @type {number} */ length) => ({ since: 1, json: "x".repeat(length) });

test("an entry that does not fit costs no other its place", () => {
  writeJournal("page", [
    [1, record(60_000)],
    [2, record(60_000)],
    [3, record(200_000)],
    [4, record(30_000)],
  ]);
  assert.deepEqual(
    readJournal("page").map(([id]) => id),
    [1, 4],
  );
});

test("five pages have a journal, and write it anew", () => {
  for (let page = 1; page <= 7; page++) writeJournal(`page ${page}`, [[1, record(1)]]);
  assert.equal(journalOwners().length, 5);
  writeJournal("page 5", [[2, record(1)]]);
  assert.deepEqual(readJournal("page 5"), [[2, record(1)]]);
  removeJournal("page 5");
  writeJournal("page 6", [[1, record(1)]]);
  assert.deepEqual(journalOwners(), ["page 1", "page 2", "page 3", "page 4", "page 6"]);
});

test("what another page has moved to the database is not read again", () => {
  writeJournal("page", [[1, record(1)]]);
  assert.equal(readJournal("page", Date.now() - 60_000).length, 1);
  assert.equal(readJournal("page", Date.now() + 60_000).length, 0);
});

test("what another script has written costs nothing but itself", () => {
  const entries = [[1, record(1)], [2], ["3", record(1)], [4, { json: 4 }], null, [5, record(1)]];
  for (const json of ["", "{", "7", "null", '{"at":1}', '{"at":1,"entries":{"length":2}}']) {
    stored.set("honeyhive-edge page", json);
    assert.deepEqual(readJournal("page"), [], json);
  }
  stored.set("honeyhive-edge page", JSON.stringify({ at: 1, entries }));
  assert.deepEqual(
    readJournal("page").map(([id]) => id),
    [1, 5],
  );
  stored.set("another script's", "{}");
  assert.deepEqual(journalOwners(), ["page"]);
});

test("a browser that refuses localStorage has no journals", () => {
  Object.defineProperty(globalThis, "localStorage", {
    configurable: true,
    get() {
      throw new DOMException("The operation is insecure.", "SecurityError");
    },
  });
  writeJournal("page", [[1, record(1)]]);
  removeJournal("page");
  assert.deepEqual([journalOwners(), readJournal("page")], [[], []]);
});
