// What a page that is left has not stored yet. Browsers differ in what becomes of IndexedDB then: Firefox begins nothing
// any more, and WebKit undoes what it has not confirmed. `localStorage` is written at once, so the last entries of a page
// are noted there, until the next page moves them to the database, or this one comes back.

import { wallNow } from "../globals.js";
import { attempt } from "../guard.js";
import { parseJson, plainJson } from "../json.js";
import { filtered } from "../lists.js";

/** @import { Record } from "./store.js" */

/** The beginning of the names under which pages note their entries. */
const PREFIX = "honeyhive-edge ";

/** How many characters a page notes, because the browser gives a whole site some millions of them. */
const MAX_CHARS = 100_000;

/** How many pages note something, as none is ever removed where the database does not open. */
const MAX_JOURNALS = 5;

/** An entry, and its number. @typedef {[number, Record]} NotedEntry */

/**
 * Notes the entries of a page in place of what it noted before.
 * @param {string} owner
 * @param {NotedEntry[]} entries
 */
export function note(owner, entries) {
  if (filtered(authors(), (other) => other !== owner).length >= MAX_JOURNALS) return;
  let chars = 0;
  const noted = filtered(entries, ([, { json }]) => (chars += json.length) < MAX_CHARS);
  const json = plainJson({ at: wallNow(), entries: noted });
  attempt(() => localStorage.setItem(PREFIX + owner, json));
}

/** Removes what a page has noted. @param {string} owner */
export function tearOut(owner) {
  attempt(() => localStorage.removeItem(PREFIX + owner));
}

/**
 * What a page has noted. Any script of the site may have written it.
 * @param {string} owner
 * @param {unknown} [takenAt] when another page has moved what was noted until then to the database, by the wall clock
 * @returns {NotedEntry[]}
 */
export function journalOf(owner, takenAt) {
  return attempt(() => {
    const { at, entries } = parseJson(localStorage.getItem(PREFIX + owner) ?? "");
    const isMoved = Number(takenAt) >= at;
    return filtered(isMoved ? [] : entries, ({ 0: id, 1: record }) => {
      return typeof id === "number" && typeof record.json === "string";
    });
  }, []);
}

/** The names of the pages that have noted something. @returns {string[]} */
export function authors() {
  /** @type {string[]} */
  const owners = [];
  attempt(() => {
    for (let place = 0; place < localStorage.length; place++) {
      const name = localStorage.key(place) ?? "";
      if (name.startsWith(PREFIX)) owners[owners.length] = name.slice(PREFIX.length);
    }
  });
  return owners;
}
