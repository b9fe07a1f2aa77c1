// What a browser keeps of unsent enrichments, so that they outlive the page: texts of the core's in
// IndexedDB, each of which belongs to one living page. What is kept, and what becomes of what dead pages
// left, is for the core to say.
//
// A record's key is the name of the page that it belongs to and a number, so keys alone tell what others have. The
// database may be cleared, closed or broken at any time, by the visitor, the site or the browser: what this page
// has is in memory as well, and is written again where it is gone.

import { Promise, forwardNow, microtask, tryTimer, wallNow } from "../globals.js";
import { newSessionId } from "../ids.js";
import { Name } from "./name.js";

const NAME = "honeyhive-edge";
const STORE = "unsent";

/**
 * Holds a number that the database gets when it is made, by which one that was cleared meanwhile is known, and
 * when something of which pages was taken over.
 */
const ABOUT = "about";
const LIFE = "life";
const TAKEN = "taken";

/** Milliseconds after which no page comes back that rested: what it said is of no use any more. */
const LONGEST_REST_MS = 7 * 24 * 3_600_000;

/** Milliseconds in which what is kept is sent, where the server answers. */
const SLOW_MS = 1000;

/** Records that are taken over in one task. */
const SLICE = 50;

/** Milliseconds after which keeping is tried again where it failed: at first, and at most. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;

/** In keys, what was taken over comes before what the page said itself. */
const TAKEN_OVER = -1e12;

/**
 * @typedef {object} Record
 * @property {number} since when it was said, by the wall clock
 * @property {string} json
 */

export class Store {
  #owner = newSessionId();
  #name;
  /** @type {Promise<IDBDatabase> | undefined} */
  #db;
  /** By which this page knows the database that it writes to. @type {unknown} */
  #life;
  /** What is kept, by number. Below zero is what dead pages left, which has no text here. @type {Map<number, Record | undefined>} */
  #kept = new Map();
  /** Numbers of which the database is still to be told. @type {Set<number>} */
  #unwritten = new Set();
  #isWriting = false;
  #lastTakenOver = 0;
  /** The page may be gone before it has its name. */
  #isLeaving = false;
  #isAway = false;
  #failures = 0;
  #mayTryAt = 0;
  #failed;
  /** Whether any other page had something for longer than sending it takes, when this one looked. */
  isSlow = false;
  /** Whether any other page that lives had something, when this one looked. */
  isShared = false;

  /**
   * @param {(error: unknown) => void} failed told of what could not be kept
   * @param {() => void} leftBehind told when a page that had something has died, to be claimed
   * @param {() => void} locksFail told when the browser has locks, and does not grant one
   */
  constructor(failed, leftBehind, locksFail) {
    this.#failed = failed;
    this.#name = new Name(this.#owner, leftBehind, locksFail);
  }

  /** @param {number} id @param {string} json */
  keep(id, json) {
    this.#kept.set(id, { since: saidAt(json), json });
    this.#write([id]);
  }

  /** @param {number} id below zero: what dead pages left */
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
   * Makes what dead pages left this page's own.
   * @returns {Promise<string[]>} in the order of the numbers that it has from now on: -1, -2 …
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

  /** The page may be gone in a moment. */
  leaving() {
    this.#isLeaving = true;
    if (this.#unwritten.size > 0) void this.#flush();
  }

  /** The page goes on. */
  goesOn() {
    this.#isLeaving = false;
    if (this.#unwritten.size > 0) this.#write([]);
  }

  /** The page may be away for long: others may take over what it has. */
  leave() {
    this.#isAway = true;
    this.#name.leave();
    this.#name.stopWaiting();
  }

  /**
   * The page is back.
   * @returns {Promise<number[] | undefined>} what nobody took over meanwhile of what it had; nothing where nobody can say
   */
  async back() {
    this.#isAway = false;
    this.#isLeaving = false;
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
    // It was cleared, or not all was written: what is not there was taken by nobody.
    if (!isTaken || life !== this.#life || this.#failures > 0) {
      this.#write([...this.#kept.keys()]);
      return;
    }
    const still = new Set(this.#unwritten);
    keys.forEach((key) => still.add(idOf(key)));
    for (const id of this.#kept.keys()) if (!still.has(id)) this.#kept.delete(id);
    return [...still];
  }

  /** Other pages that have something in the store. What is under a key of nobody's is thrown out. */
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
            this.isSlow ||= Number(oldest?.since) + SLOW_MS < now;
          });
        }
        // On to the next page's.
        cursor.continue([owner, []]);
      });
    });
    if (nobodys.length > 0) {
      await this.#transaction("readwrite", (store) => {
        nobodys.forEach((key) => store.delete(key));
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
      const takeNext = (/** @type {number} */ place) => {
        const owner = owners[place];
        if (owner === undefined) return;
        about.put(now, [TAKEN, owner]);
        const range = ownRange(owner);
        const keys = store.getAllKeys(range, SLICE);
        onResult(store.getAll(range, SLICE), (records) => {
          records.forEach((record, n) => {
            store.delete(/** @type {IDBValidKey} */ (keys.result[n]));
            if (typeof record?.json !== "string") return;
            texts.push(record.json);
            store.put(record, keyOf(this.#owner, --last));
          });
          takeNext(keys.result.length < SLICE ? place + 1 : place);
        });
      };
      takeNext(0);
    });
    while (this.#lastTakenOver > last) this.#kept.set(--this.#lastTakenOver, undefined);
    return texts;
  }

  /** The database is to be told of these. @param {number[]} ids */
  #write(ids) {
    ids.forEach((id) => this.#unwritten.add(id));
    if (this.#isWriting) return;
    this.#isWriting = true;
    // All that the core has to say now comes in one go: what replaces something and what it replaces.
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
        ids.forEach((id) => {
          const record = this.#kept.get(id);
          const key = keyOf(this.#owner, id);
          if (record) store.put(record, key);
          else if (!this.#kept.has(id)) store.delete(key);
        });
        // Left to itself it would wait for the page to hear of each change, which may be gone by then.
        store.transaction.commit?.();
      });
      this.#failures = 0;
      this.#rest();
    } catch (error) {
      ids.forEach((id) => this.#unwritten.add(id));
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.#failures++, LONGEST_PAUSE_MS);
      this.#mayTryAt = forwardNow() + pause;
      // Later than that, because clocks are coarse.
      tryTimer(() => this.#write([]), pause + 100);
      this.#failed(error);
    } finally {
      this.#isWriting = false;
    }
  }

  /** A page that keeps nothing needs no name. */
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
    } catch (error) {
      // What is wrong with it may have passed by the next time.
      if (this.#db === opening) this.#db = undefined;
      opening.then((db) => db.close()).catch(() => {});
      throw error;
    }
  }

  /** @returns {Promise<IDBDatabase>} */
  async #open() {
    // Whatever version it has: a later one of the package may have been here, and adds to what there is.
    let db = await opened(undefined);
    if (lacking(db).length > 0) {
      db.close();
      db = await opened(db.version + 1);
    }
    // The visitor, or the site, clears what is stored: it is made anew.
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
 * @param {(result: T) => void} use called with each result, in the request's transaction
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

/** The stores that it ought to have and has not. @param {IDBDatabase} db */
function lacking(db) {
  return [STORE, ABOUT].filter((store) => !db.objectStoreNames.contains(store));
}

/**
 * @param {IDBDatabase} db
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore, about: IDBObjectStore) => void} work
 * @returns {Promise<void>} settles when the transaction has ended
 */
function transact(db, mode, work) {
  return new Promise((resolve, reject) => {
    const transaction = db.transaction([STORE, ABOUT], mode);
    transaction.addEventListener("complete", () => resolve());
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
 * When what is kept was said, on whichever page: what one page took over from another is kept anew.
 * @param {string} json
 */
function saidAt(json) {
  return Number(/"at":(\d+)/.exec(json)?.[1] ?? wallNow());
}

/** @param {string} owner @param {number} id */
function keyOf(owner, id) {
  return [owner, id < 0 ? TAKEN_OVER - id : id];
}

/** @param {IDBValidKey} key of a record */
function idOf(key) {
  const number = /** @type {[string, number]} */ (key)[1];
  return number < 0 ? TAKEN_OVER - number : number;
}

/** @param {IDBValidKey} key @returns {string | undefined} nothing where it is nobody's */
function ownerOf(key) {
  if (!Array.isArray(key) || key.length !== 2) return;
  const { 0: owner, 1: number } = key;
  return typeof owner === "string" && typeof number === "number" ? owner : undefined;
}

/** @param {string} owner */
function ownRange(owner) {
  return IDBKeyRange.bound([owner], [owner, []]);
}
