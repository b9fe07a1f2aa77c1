// Notes in `localStorage` what a page that is left has not stored yet. Browsers differ in what becomes of IndexedDB then:
// Firefox begins no transaction any more, and WebKit undoes those that it has not confirmed. `localStorage` is written at
// once. The next page moves the entries to the database. If this page comes back, it removes its journal.

import { wallNow } from "../globals.js";
import { attempt, read } from "../guard.js";
import { parseJson, plainJson } from "../json.js";
import { filtered } from "../lists.js";

/** @import { Record } from "./store.js" */

/** The beginning of the names under which pages note their entries. */
const PREFIX = "honeyhive-edge ";

/** How many characters of entries a journal contains: the browser gives the whole site some millions. */
const MAX_CHARS = 100_000;

/** How many pages may have a journal, because no page removes one while the database does not open. */
const MAX_JOURNALS = 5;

/** An entry, and its number. @typedef {[number, Record]} NotedEntry */

/**
 * Writes the journal of a page in place of the one that it had before.
 * @param {string} owner
 * @param {NotedEntry[]} entries
 */
export function writeJournal(owner, entries) {
  if (filtered(journalOwners(), (other) => other !== owner).length >= MAX_JOURNALS) return;
  let chars = 0;
  const noted = filtered(entries, ([, { json }]) => {
    const fits = chars + json.length <= MAX_CHARS;
    if (fits) chars += json.length;
    return fits;
  });
  const json = plainJson({ at: wallNow(), entries: noted });
  attempt(() => localStorage.setItem(PREFIX + owner, json));
}

/** Removes the journal of a page. @param {string} owner */
export function removeJournal(owner) {
  attempt(() => localStorage.removeItem(PREFIX + owner));
}

/**
 * The entries in the journal of a page. Any script of the site may have written it.
 * @param {string} owner
 * @param {unknown} [takenAt] when another page moved to the database what the journal contained, by the wall clock
 * @returns {NotedEntry[]}
 */
export function readJournal(owner, takenAt) {
  return attempt(() => {
    const { at, entries } = parseJson(localStorage.getItem(PREFIX + owner) ?? "");
    const isMoved = Number(takenAt) >= at;
    return filtered(isMoved ? [] : entries, (entry) => {
      return typeof read(entry, 0) === "number" && typeof read(read(entry, 1), "json") === "string";
    });
  }, []);
}

/** The names of the pages that have a journal. @returns {string[]} */
export function journalOwners() {
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
