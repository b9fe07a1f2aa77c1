// What any store has to agree with: a list that is searched from end to end. Runs in Node and in a Worker.

import assert from "node:assert/strict";
import fc from "fast-check";
import { startSession } from "./session.js";

export const IDS = Array.from({ length: 6 }, (_, i) => `11111111-2222-4333-8444-55555555555${i}`);

/** @param {number} seq */
export const change = (seq) => ({
  seq,
  at: seq,
  method: "PUT",
  path: "/",
  timestamp: null,
  body: { seq },
});

export const writes = fc.array(fc.tuple(fc.constantFrom("k1", "k2"), fc.constantFrom(...IDS)), {
  maxLength: 60,
});

/**
 * @param {[key: string, id: string][]} made
 * @param {number} sessions kept
 */
function modelOf(made, sessions) {
  /** @type {{key: string, id: string, number: number, seqs: number[]}[]} */
  let rows = [];
  let number = 0;
  made.forEach(([key, id], seq) => {
    const row = rows.find((each) => each.key === key && each.id === id);
    if (row) row.seqs.push(seq);
    else rows.push({ key, id, number: (number += 1), seqs: [seq] });
    rows = rows.slice(-sessions);
  });
  return rows;
}

/**
 * @param {import("./store.js").Store} store
 * @param {string | undefined} key
 * @param {number} limit
 */
function pagesOf(store, key, limit) {
  const pages = [];
  /** @type {number | undefined} */
  let before;
  do {
    const page = store.list({ key, limit, before });
    pages.push(page.sessions);
    before = page.before ?? undefined;
  } while (before !== undefined);
  return pages;
}

/**
 * @param {import("./store.js").Store} store an empty one
 * @param {[key: string, id: string][]} made
 * @param {number} limit
 * @param {number} [sessions] that the store keeps
 */
export function agreesWithModel(store, made, limit, sessions = Infinity) {
  made.forEach(([key, id], seq) => {
    store.write(key, startSession(id, { metadata: { seq } }, seq), change(seq));
  });
  const rows = modelOf(made, sessions);

  assert.equal(store.count(), rows.length);
  for (const key of ["k1", "k2"]) {
    for (const id of IDS) {
      const row = rows.find((each) => each.key === key && each.id === id);
      assert.equal(store.read(key, id)?.changes, row?.seqs.length);
      assert.deepEqual(store.read(key, id)?.event.metadata, row && { seq: row.seqs.at(-1) });
      assert.deepEqual(
        store.timeline(key, id).map((each) => each.seq),
        row?.seqs ?? [],
      );
    }
  }
  for (const id of IDS) {
    assert.deepEqual(
      store.find(id).map((row) => row.key),
      rows.filter((row) => row.id === id).map((row) => row.key),
    );
  }
  for (const key of [undefined, "k1", "k2", "k3"]) {
    const wanted = rows.filter((row) => key === undefined || row.key === key).toReversed();
    const pages = pagesOf(store, key, limit);
    assert.deepEqual(
      pages.flat().map((row) => row.number),
      wanted.map((row) => row.number),
    );
    for (const page of pages.slice(0, -1)) assert.equal(page.length, limit);
    assert.ok(pages.length === 1 || (pages.at(-1)?.length ?? 0) > 0, "no empty last page");
  }
}
