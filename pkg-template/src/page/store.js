// Keeps unsent enrichments in IndexedDB, so that they outlive the page. Each entry is a text of the core's and belongs to
// one page. The core decides what is kept, and what happens to the entries of pages that are gone.
//
// The key of an entry is the name of its page and a number, so that keys alone tell which pages have entries. The
// visitor, the site or the browser may clear, close or break the database at any time. So this page's entries are in
// memory as well, and are written again if they are gone.

import { Promise, forwardNow, microtask, tryTimer, wallNow } from "../globals.js";
import { newSessionId } from "../ids.js";
import { journalOwners, readJournal, removeJournal, writeJournal } from "./journal.js";
import { Name } from "./name.js";
import { each } from "../lists.js";

const NAME = "honeyhive-edge";
const STORE = "unsent";

/**
 * Contains an id that the database gets when it is made, which tells if it was cleared since, and the times at which
 * the entries of pages were taken over.
 */
const ABOUT = "about";
const LIFE = "life";
const TAKEN = "taken";

/** Milliseconds after which a page in the back/forward cache does not come back. */
const LONGEST_REST_MS = 7 * 24 * 3_600_000;

/** Milliseconds within which an entry is sent if the server answers. */
const SLOW_MS = 1000;

/** How many entries are taken over in one task. */
const SLICE = 50;

/** Milliseconds until a failed write is tried again: the first time, and at most. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;

/** The latest format of entries that the core reads: `EVENT_VERSION` in `src/core/kept.rs`. */
const LAST_FORMAT = 2;

/** Added to the numbers of entries that were taken over, so that their keys come before the page's own. */
const TAKEN_OVER = -1e12;

/**
 * @typedef {object} Record
 * @property {number} since when the enrichment was made, by the wall clock
 * @property {string} json
 */

export class Store {
  #owner = newSessionId();
  #name;
  /** @type {Promise<IDBDatabase> | undefined} */
  #db;
  /** The id of the database that this page wrote to. @type {unknown} */
  #life;
  /** The entries by number. Entries of earlier pages have negative numbers, and no text here. @type {Map<number, Record | undefined>} */
  #kept = new Map();
  /** The numbers of entries that differ from the database. @type {Set<number>} */
  #unwritten = new Set();
  /** The numbers of entries that the database has not confirmed as they are now. @type {Set<number>} */
  #unconfirmed = new Set();
  /** Whether this page may have a journal. */
  #hasJournal = false;
  #isWriting = false;
  #lastTakenOver = 0;
  /** Whether the page may be gone before it gets its name. */
  #isLeaving = false;
  #isAway = false;
  #failures = 0;
  #mayTryAt = 0;
  #failed;
  /** Whether, at the last search, another page had an entry that should have been sent by then. */
  isSlow = false;
  /** Whether, at the last search, another open page had entries. */
  isShared = false;
  /** Whether the last attempt to write failed, or the database could not be opened since the last one that succeeded. */
  isFailing = false;

  /**
   * @param {(error: unknown) => void} failed is called if entries cannot be written
   * @param {() => void} leftBehind is called when a page with entries is gone, so that they can be claimed
   * @param {() => void} locksFail is called if the browser has Web Locks and does not grant one
   */
  constructor(failed, leftBehind, locksFail) {
    this.#failed = failed;
    this.#name = new Name(this.#owner, leftBehind, locksFail);
  }

  /** @param {number} id @param {string} json */
  keep(id, json) {
    this.#kept.set(id, { since: saidAt(json), json });
    this.#write([id]);
    if (this.#isAway) this.#writeJournal();
  }

  /** @param {number} id negative for an entry of an earlier page */
  forget(id) {
    this.#kept.delete(id);
    this.#write([id]);
  }

  forgetAll() {
    const ids = [...this.#kept.keys()];
    this.#kept.clear();
    this.#lastTakenOver = 0;
    this.#write(ids);
  }

  /**
   * Takes over the entries of pages that are gone.
   * @returns {Promise<string[]>} the entries, in the order of their new numbers -1, -2 …
   */
  async claim() {
    const owners = await this.#owners();
    this.isShared = false;
    if (owners.size === 0) return [];
    const living = await this.#name.living(owners);
    this.isShared = living.size > 0;
    for (const owner of living) owners.delete(owner);
    if (owners.size === 0 || this.#isAway) return [];
    await this.#name.take();
    const texts = await this.#takeOver([...owners]);
    this.#rest();
    return texts;
  }

  /** Writes now what is not written yet, because the page may be gone in a moment. */
  leaving() {
    this.#isLeaving = true;
    if (this.#unwritten.size > 0) void this.#flush();
  }

  /** Notes that the page goes on. */
  goesOn() {
    this.#isLeaving = false;
    if (this.#unwritten.size > 0) this.#write([]);
  }

  /** Lets other pages take the entries over, because the page may be away for long. */
  leave() {
    this.#isAway = true;
    this.#writeJournal();
    this.#name.leave();
    this.#name.stopWaiting();
  }

  /**
   * Takes the name again, because the page is back.
   * @returns {Promise<number[] | undefined>} the numbers of the entries that no other page took over; undefined if that is
   *   unknown
   */
  async back() {
    this.#isAway = false;
    this.#isLeaving = false;
    // Its entries are sent again, even if another page has taken them over: the site may have removed the journal instead.
    this.#removeJournal();
    if (this.#kept.size === 0) return [];
    await this.#name.take();
    const life = this.#life;
    let isTaken = false;
    /** @type {IDBValidKey[]} */
    let keys = [];
    await this.#transaction("readwrite", (store, about) => {
      onResult(about.get([TAKEN, this.#owner]), (mark) => (isTaken = mark !== undefined));
      about.delete([TAKEN, this.#owner]);
      onResult(store.getAllKeys(ownRange(this.#owner)), (found) => (keys = found));
    });
    // Entries are missing because the database was cleared or a write failed, and not because another page took them.
    if (!isTaken || life !== this.#life || this.#failures > 0) {
      this.#write([...this.#kept.keys()]);
      return;
    }
    const still = new Set(this.#unwritten);
    each(keys, (key) => still.add(idOf(key)));
    for (const id of this.#kept.keys()) if (!still.has(id)) this.#kept.delete(id);
    return [...still];
  }

  /** The names of other pages with entries. Removes entries whose key names no page. */
  async #owners() {
    /** @type {Set<string>} */
    const owners = new Set();
    /** @type {IDBValidKey[]} */
    const nobodys = [];
    const now = wallNow();
    await this.#transaction("readonly", (store) => {
      onResult(store.openKeyCursor(), (cursor) => {
        if (!cursor) return;
        const owner = ownerOf(cursor.key);
        if (owner === undefined) {
          nobodys.push(cursor.key);
          return cursor.continue();
        }
        if (owner !== this.#owner) {
          owners.add(owner);
          onResult(store.get(cursor.key), (oldest) => {
            if (isForLaterVersion(oldest?.json)) return;
            this.isSlow ||= Number(oldest?.since) + SLOW_MS < now;
          });
        }
        // Skip to the next page.
        cursor.continue([owner, []]);
      });
    });
    each(journalOwners(), (owner) => {
      if (owner !== this.#owner) owners.add(owner);
    });
    if (nobodys.length > 0) {
      await this.#transaction("readwrite", (store) => {
        each(nobodys, (key) => store.delete(key));
      });
    }
    return owners;
  }

  /**
   * @param {string[]} owners
   * @returns {Promise<string[]>}
   */
  async #takeOver(owners) {
    /** @type {string[]} */
    const texts = [];
    let last = this.#lastTakenOver;
    await this.#transaction("readwrite", (store, about) => {
      const now = wallNow();
      onResult(about.openCursor(ownRange(TAKEN)), (cursor) => {
        if (!cursor) return;
        if (!(Math.abs(now - cursor.value) < LONGEST_REST_MS)) cursor.delete();
        cursor.continue();
      });
      const takeNext = (
        /** @type {number} */ place,
        /** @type {IDBValidKey | undefined} */ after = undefined,
      ) => {
        const range = ownRange(/** @type {string} */ (owners[place]), after);
        const keys = store.getAllKeys(range, SLICE);
        onResult(store.getAll(range, SLICE), (records) => {
          each(records, (record, n) => {
            if (isForLaterVersion(record?.json)) return;
            store.delete(/** @type {IDBValidKey} */ (keys.result[n]));
            if (typeof record?.json !== "string") return;
            texts.push(record.json);
            store.put(record, keyOf(this.#owner, --last));
          });
          const lastKey = keys.result[SLICE - 1];
          if (lastKey) takeNext(place, lastKey);
          else takeFrom(place + 1);
        });
      };
      const takeFrom = (/** @type {number} */ place) => {
        const owner = owners[place];
        if (owner === undefined) return;
        onResult(about.get([TAKEN, owner]), (takenAt) => {
          each(readJournal(owner, takenAt), ([id, record]) => store.put(record, keyOf(owner, id)));
          about.put(now, [TAKEN, owner]);
          takeNext(place);
        });
      };
      takeFrom(0);
    });
    each(owners, removeJournal);
    while (this.#lastTakenOver > last) this.#kept.set(--this.#lastTakenOver, undefined);
    return texts;
  }

  /** Writes these entries to the database soon. @param {number[]} ids */
  #write(ids) {
    each(ids, (id) => {
      this.#unwritten.add(id);
      this.#unconfirmed.add(id);
    });
    if (this.#isWriting) return;
    this.#isWriting = true;
    // In a microtask, so that all changes that the core makes now are written in one transaction.
    void microtask(() => void this.#flush());
  }

  async #flush() {
    /** @type {number[]} */
    let ids = [];
    try {
      if (this.#unwritten.size === 0 || forwardNow() < this.#mayTryAt) return;
      const isNamed = this.#kept.size > 0 && !this.#isAway && this.#name.take();
      if (!this.#isLeaving) await isNamed;
      await this.#transaction("readwrite", (store) => {
        ids = [...this.#unwritten];
        this.#unwritten.clear();
        this.#isWriting = false;
        each(ids, (id) => {
          const record = this.#kept.get(id);
          const key = keyOf(this.#owner, id);
          if (record) store.put(record, key);
          else if (!this.#kept.has(id)) store.delete(key);
        });
        // Without this, the transaction waits until the page has handled its events, and the page may be gone by then.
        store.transaction.commit?.();
      });
      this.#failures = 0;
      this.#confirm(ids);
      this.#rest();
    } catch (error) {
      each(ids, (id) => this.#unwritten.add(id));
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.#failures++, LONGEST_PAUSE_MS);
      this.#mayTryAt = forwardNow() + pause;
      // A little later, because clocks are coarse.
      tryTimer(() => this.#write([]), pause + 100);
      this.#failed(error);
    } finally {
      this.#isWriting = false;
    }
  }

  /** @param {number[]} ids of entries that the database has */
  #confirm(ids) {
    each(ids, (id) => {
      if (!this.#unwritten.has(id)) this.#unconfirmed.delete(id);
    });
    if (this.#unconfirmed.size === 0) this.#removeJournal();
  }

  /** Writes what the database has not confirmed to the journal. */
  #writeJournal() {
    /** @type {import("./journal.js").NotedEntry[]} */
    const entries = [];
    this.#unconfirmed.forEach((id) => {
      const record = this.#kept.get(id);
      if (record) entries[entries.length] = [id, record];
    });
    // While the database does not work, no page can move them there.
    if (entries.length === 0 || this.isFailing) return this.#removeJournal();
    this.#hasJournal = true;
    writeJournal(this.#owner, entries);
  }

  #removeJournal() {
    if (this.#hasJournal) removeJournal(this.#owner);
    this.#hasJournal = false;
  }

  /** Releases the name if there are no entries. */
  #rest() {
    if (this.#kept.size === 0 && this.#unwritten.size === 0) this.#name.leave();
    else if (!this.#isAway) void this.#name.take();
  }

  /**
   * @param {IDBTransactionMode} mode
   * @param {(store: IDBObjectStore, about: IDBObjectStore) => void} work
   */
  async #transaction(mode, work) {
    const opening = (this.#db ??= this.#open());
    try {
      const db = await opening;
      await transact(db, mode, work);
      if (mode === "readwrite") this.isFailing = false;
    } catch (error) {
      this.isFailing = true;
      // The fault may be temporary, so the database is opened again next time.
      if (this.#db === opening) this.#db = undefined;
      opening.then((db) => db.close()).catch(() => {});
      throw error;
    }
  }

  /** @returns {Promise<IDBDatabase>} */
  async #open() {
    // With any version, because a later version of the package may have added stores.
    let db = await opened(undefined);
    if (lacking(db).length > 0) {
      db.close();
      db = await opened(db.version + 1);
    }
    // The visitor or the site may clear the database. Then it is made anew.
    const opening = this.#db;
    const close = () => {
      db.close();
      if (this.#db !== opening) return;
      this.#db = undefined;
      if (!this.#isAway) this.#write([...this.#kept.keys()]);
    };
    db.addEventListener("close", close);
    db.addEventListener("versionchange", close);
    const life = await lifeOf(db);
    if (this.#life !== undefined && this.#life !== life) this.#write([...this.#kept.keys()]);
    this.#life = life;
    return db;
  }
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @param {(result: T) => void} use is called with each result, within the transaction of the request
 */
function onResult(request, use) {
  request.addEventListener("success", () => use(request.result));
}

/**
 * @param {number | undefined} version
 * @returns {Promise<IDBDatabase>}
 */
function opened(version) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, version);
    request.addEventListener("upgradeneeded", () => {
      for (const store of lacking(request.result)) request.result.createObjectStore(store);
    });
    request.addEventListener("error", () => reject(request.error));
    onResult(request, resolve);
  });
}

/** The names of the stores that are missing. @param {IDBDatabase} db */
function lacking(db) {
  return [STORE, ABOUT].filter((store) => !db.objectStoreNames.contains(store));
}

/**
 * @param {IDBDatabase} db
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore, about: IDBObjectStore) => void} work
 * @returns {Promise<void>} resolves when the transaction is complete; rejects if it is aborted
 */
function transact(db, mode, work) {
  return new Promise((resolve, reject) => {
    const transaction = db.transaction([STORE, ABOUT], mode);
    transaction.addEventListener("complete", /** @type {() => void} */ (resolve));
    transaction.addEventListener("abort", () => reject(transaction.error));
    work(transaction.objectStore(STORE), transaction.objectStore(ABOUT));
  });
}

/**
 * @param {IDBDatabase} db
 * @returns {Promise<unknown>}
 */
async function lifeOf(db) {
  let life = newSessionId();
  await transact(db, "readwrite", (_, about) => {
    onResult(about.get(LIFE), (known) => {
      if (known === undefined) about.put(life, LIFE);
      else life = known;
    });
  });
  return life;
}

/**
 * When the enrichment of an entry was made, on whichever page: an entry that is taken over is written anew.
 * @param {string} json
 */
function saidAt(json) {
  return Number(/"at":(\d+)/.exec(json)?.[1] ?? wallNow());
}

/**
 * Whether a later version of the package wrote the entry and can still send it. Only pages of that version take it over:
 * in a page of this one, it would belong to a page that lives and cannot send it.
 * @param {any} json of a record, which may be anybody's
 */
function isForLaterVersion(json) {
  const isLater = Number(/"v":(\d+)/.exec(json)?.[1]) > LAST_FORMAT;
  return isLater && Math.abs(wallNow() - saidAt(json)) < LONGEST_REST_MS;
}

/** @param {string} owner @param {number} id */
function keyOf(owner, id) {
  return [owner, id < 0 ? TAKEN_OVER - id : id];
}

/** @param {IDBValidKey} key the key of an entry */
function idOf(key) {
  const number = /** @type {[string, number]} */ (key)[1];
  return number < 0 ? TAKEN_OVER - number : number;
}

/** @param {IDBValidKey} key @returns {string | undefined} the name of the page; undefined if the key names none */
function ownerOf(key) {
  if (!Array.isArray(key) || key.length !== 2) return;
  const { 0: owner, 1: number } = key;
  return typeof owner === "string" && typeof number === "number" ? owner : undefined;
}

/** @param {string} owner @param {IDBValidKey} [after] the key after which the range begins */
function ownRange(owner, after = [owner]) {
  return IDBKeyRange.bound(after, [owner, []], true);
}
