// What a browser keeps of unsent enrichments, so that they outlive the page: texts of the core's in
// IndexedDB, each of which belongs to one living page. What is kept, and what becomes of what dead pages
// left, is for the core to say.
//
// A page lives as long as it holds a Web Lock by its name. Where there are none, it lets go of what it
// has when it is left; and what was not touched for long enough belongs to nobody.

import { Promise, microtask } from "../globals.js";
import { attempt } from "../guard.js";
import { newSessionId } from "../ids.js";
import { newAbort } from "../send.js";

const NAME = "honeyhive-edge";
const STORE = "unsent";

/** Without Web Locks: milliseconds after which the page that kept something is taken for dead. */
const STALE_MS = 600_000;

/** Milliseconds in which what is kept is sent, where the server answers. */
const SLOW_MS = 1000;

/**
 * @typedef {object} Record
 * @property {string} owner
 * @property {number} at when the owner had it last
 * @property {number} since when it was kept first
 * @property {string} json
 */

export class Store {
  #owner = newSessionId();
  /** @type {Promise<IDBDatabase> | undefined} */
  #db;
  /** Lets go of this page's name. */
  #release = () => {};
  /** @type {Promise<void> | undefined} */
  #named;
  #isAway = false;
  /** Whether any other page had something for longer than sending it takes, when this one looked. */
  isSlow = false;
  /** Names of living pages that have something, whose ends are waited for. @type {Set<string>} */
  #awaited = new Set();
  /** Ends that waiting. */
  #stopWaiting = newAbort();
  /** Keys of what the core was told of, in that order. @type {IDBValidKey[]} */
  #left = [];
  /** Changes to come, made together. @type {((store: IDBObjectStore) => void)[]} */
  #changes = [];
  #failed;
  #leftBehind;

  /**
   * @param {(error: unknown) => void} failed told of what could not be kept
   * @param {() => void} leftBehind told when a page that had something has died, to be claimed
   */
  constructor(failed, leftBehind) {
    this.#failed = failed;
    this.#leftBehind = leftBehind;
  }

  /** @param {number} id @param {string} json */
  keep(id, json) {
    this.#change((store) => store.put(this.#record(json), [this.#owner, id]));
  }

  /** @param {number} id below zero: what dead pages left */
  forget(id) {
    const key = id < 0 ? this.#left[-id - 1] : [this.#owner, id];
    if (key !== undefined) this.#change((store) => store.delete(key));
  }

  forgetAll() {
    this.#left = [];
    this.#change((store) => store.delete(ownRange(this.#owner)));
  }

  /**
   * Makes what dead pages left this page's own.
   * @returns {Promise<string[]>}
   */
  async claim() {
    /** @type {Set<string>} */
    const owners = new Set();
    const now = Date.now();
    await this.#each("readonly", ({ value }) => {
      owners.add(value?.owner);
      this.isSlow ||= value?.owner !== this.#owner && Number(value?.since) + SLOW_MS < now;
    });
    owners.delete(this.#owner);
    if (owners.size === 0) return [];
    // Asked for after they were seen: who keeps something had its name before.
    const names = await navigator.locks?.query();
    for (const { name } of names?.held ?? []) {
      const owner = String(name).slice(NAME.length + 1);
      // It may be just dying: the page before this one in its tab is.
      if (owners.delete(owner)) this.#waitFor(owner);
    }
    /** @type {string[]} */
    const texts = [];
    await this.#each("readwrite", (cursor) => {
      const { owner, at, since, json } = /** @type {Partial<Record>} */ (cursor.value ?? {});
      if (typeof json !== "string") return cursor.delete();
      const isDead = names
        ? owners.has(String(owner))
        : !owner || !(Date.now() - Number(at) < STALE_MS);
      if (owner === this.#owner || !isDead) return;
      cursor.update(this.#record(json, since));
      this.#left.push(cursor.key);
      texts.push(json);
    });
    return texts;
  }

  /** The page may be away for long: others may take over what it has. */
  leave() {
    if (!navigator.locks) {
      const nobodys = (/** @type {IDBCursorWithValue} */ { value }) => ({ ...value, owner: "" });
      void this.#each("readwrite", (it) => it.update(nobodys(it)), ownRange(this.#owner)).catch(
        this.#failed,
      );
    }
    this.#isAway = true;
    this.#release();
    attempt(() => this.#stopWaiting?.abort(), undefined);
    this.#stopWaiting = newAbort();
  }

  /**
   * The page is back. Of what it had, this is what nobody took over meanwhile.
   * @returns {Promise<number[]>}
   */
  async back() {
    this.#isAway = false;
    this.#named = undefined;
    /** @type {number[]} */
    const ids = [];
    await this.#each(
      "readwrite",
      (cursor) => {
        const { owner, since, json } = cursor.value;
        if (owner && owner !== this.#owner) return;
        cursor.update(this.#record(json, since));
        ids.push(/** @type {[string, number]} */ (cursor.key)[1]);
      },
      ownRange(this.#owner),
    );
    return ids;
  }

  /** @param {string} json @param {number} [since] @returns {Record} */
  #record(json, since = Date.now()) {
    return { owner: this.#owner, at: Date.now(), since, json };
  }

  /** @param {(store: IDBObjectStore) => void} change */
  #change(change) {
    if (this.#changes.push(change) > 1) return;
    // All that the core has to say now comes in one go: what replaces something and what it replaces.
    void microtask(() => {
      const changes = this.#changes.splice(0);
      const made = (/** @type {IDBObjectStore} */ store) => {
        for (const one of changes) one(store);
        // Left to itself it would wait for the page to hear of each change, which may be gone by then.
        store.transaction.commit?.();
      };
      void this.#transaction("readwrite", made).catch(this.#failed);
    });
  }

  /**
   * @param {IDBTransactionMode} mode
   * @param {(cursor: IDBCursorWithValue) => unknown} look
   * @param {IDBKeyRange} [range]
   */
  #each(mode, look, range) {
    return this.#transaction(mode, (store) => {
      const request = store.openCursor(range);
      request.addEventListener("success", () => {
        if (!request.result) return;
        look(request.result);
        request.result.continue();
      });
    });
  }

  /**
   * @param {IDBTransactionMode} mode
   * @param {(store: IDBObjectStore) => void} work
   */
  async #transaction(mode, work) {
    const db = await (this.#db ??= this.#open());
    await (this.#named ??= this.#take());
    return new Promise((resolve, reject) => {
      const transaction = db.transaction(STORE, mode);
      transaction.addEventListener("complete", () => resolve(undefined));
      transaction.addEventListener("abort", () => reject(transaction.error));
      work(transaction.objectStore(STORE));
    });
  }

  /** @returns {Promise<IDBDatabase>} */
  #open() {
    return new Promise((resolve, reject) => {
      const request = indexedDB.open(NAME, 1);
      request.addEventListener("upgradeneeded", () => request.result.createObjectStore(STORE));
      request.addEventListener("error", () => reject(request.error));
      request.addEventListener("success", () => {
        const db = request.result;
        // The visitor, or the site, clears what is stored: the next change makes it anew.
        const close = () => {
          db.close();
          this.#db = undefined;
        };
        db.addEventListener("close", close);
        db.addEventListener("versionchange", close);
        resolve(db);
      });
    });
  }

  /** Says so when the page of that name has died. @param {string} owner */
  #waitFor(owner) {
    if (this.#awaited.has(owner)) return;
    this.#awaited.add(owner);
    const signal = this.#stopWaiting?.signal;
    navigator.locks
      .request(`${NAME} ${owner}`, { mode: "shared", ...(signal ? { signal } : {}) }, () => {})
      .then(this.#leftBehind)
      .catch(() => {})
      .finally(() => this.#awaited.delete(owner));
  }

  /** Takes this page's name, which others see while it lives. @returns {Promise<void>} */
  #take() {
    return new Promise((resolve) => {
      if (!navigator.locks) return resolve();
      navigator.locks
        .request(`${NAME} ${this.#owner}`, () => {
          resolve();
          // What is kept by a page that is left is anybody's.
          if (this.#isAway) return;
          return new Promise((release) => (this.#release = () => release(undefined)));
        })
        .catch(() => resolve());
    });
  }
}

/** @param {string} owner */
function ownRange(owner) {
  return IDBKeyRange.bound([owner], [owner, []]);
}
