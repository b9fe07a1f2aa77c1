// Tells the open pages of a site from those that are gone. Entries of an open page are its own, and any page may send
// those of a page that is gone. A page with unsent entries holds a Web Lock with its name. Without Web Locks, as on every
// page over plain http, it answers the messages of other pages.
//
// A page without unsent entries holds no lock, because Firefox puts no page with a lock into its back/forward cache, and
// Chromium freezes none.

import { Promise, clearTimer, delay, firstOf, tryTimer } from "../globals.js";
import { attempt } from "../guard.js";
import { newAbort } from "../send.js";
import { each } from "../lists.js";

const PREFIX = "honeyhive-edge";

/** How long a browser may take to grant a lock that no other page requests, or to list locks, in milliseconds. */
const LOCK_MS = 300;

/** How long an open page may take to answer, in milliseconds. The entries of a page that is too busy are sent twice. */
const ANSWER_MS = 300;

export class Name {
  #owner;
  #died;
  #locksFail;
  /** @type {Promise<void> | undefined} */
  #taken;
  #letGo = () => {};
  /** How often the name was released. */
  #turn = 0;
  /** The names of open pages with entries, whose end this page waits for. @type {Set<string>} */
  #awaited = new Set();
  /** Stops waiting for them. */
  #stopWaiting = newAbort();

  /**
   * @param {string} owner the name
   * @param {() => void} died is called when a page with entries is gone
   * @param {() => void} locksFail is called if the browser has Web Locks and does not grant one
   */
  constructor(owner, died, locksFail) {
    this.#owner = owner;
    this.#died = died;
    this.#locksFail = locksFail;
  }

  /** Takes the name. Resolves when other pages can see that. @returns {Promise<void>} */
  take() {
    return (this.#taken ??= this.#take());
  }

  /** Releases the name, so that other pages may take the entries over. */
  leave() {
    this.#taken = undefined;
    this.#turn++;
    this.#letGo();
    this.#letGo = () => {};
  }

  /** Stops waiting for the end of other pages. */
  stopWaiting() {
    attempt(() => this.#stopWaiting?.abort());
    this.#stopWaiting = newAbort();
  }

  /**
   * Returns which of these pages are open. Call it after their entries were found, because a page takes its name before
   * it keeps an entry.
   * @param {Set<string>} owners
   * @returns {Promise<Set<string>>}
   */
  async living(owners) {
    /** @type {Set<string>} */
    const living = new Set();
    const held = await this.#locks();
    if (!held) {
      await this.#ask(owners, living);
      for (const owner of living) this.#awaited.add(owner);
      if (living.size > 0) this.#listen();
      return living;
    }
    each(held, ({ name }) => {
      const owner = String(name).slice(PREFIX.length + 1);
      if (!owners.has(owner)) return;
      living.add(owner);
      // It may be about to end, as the previous page of this tab is.
      this.#waitFor(owner);
    });
    return living;
  }

  async #take() {
    const turn = this.#turn;
    const isLocked = navigator.locks && (await this.#lock());
    if (!isLocked && turn === this.#turn) this.#listen();
  }

  /** Whether the lock is granted. @returns {Promise<boolean>} */
  #lock() {
    return new Promise((resolve) => {
      let isOver = false;
      let release = () => {};
      this.#letGo = () => {
        isOver = true;
        release();
      };
      const timer = tryTimer(() => {
        this.#locksFail();
        resolve(false);
      }, LOCK_MS);
      navigator.locks
        .request(`${PREFIX} ${this.#owner}`, () => {
          clearTimer(timer);
          resolve(true);
          if (isOver) return;
          return new Promise((end) => (release = /** @type {() => void} */ (end)));
        })
        .catch(() => {
          clearTimer(timer);
          resolve(false);
        });
    });
  }

  /** The locks that are held; undefined if the browser has no Web Locks, or does not list them. */
  async #locks() {
    const { locks } = navigator;
    if (!locks) return;
    try {
      return (await firstOf(locks.query(), delay(LOCK_MS)))?.held;
    } catch {
      // A sandboxed frame.
      return;
    }
  }

  /** Answers the messages of other pages, and learns from them which pages end. */
  #listen() {
    const channel = newChannel();
    if (!channel) return;
    const letGoBefore = this.#letGo;
    this.#letGo = () => {
      letGoBefore();
      attempt(() => channel.postMessage({ left: this.#owner }));
      channel.close();
    };
    channel.addEventListener("message", ({ data }) => {
      if (data?.ask !== undefined) channel.postMessage({ here: this.#owner });
      if (this.#awaited.delete(data?.left)) this.#died();
    });
  }

  /**
   * @param {Set<string>} owners
   * @param {Set<string>} living the names of pages that answer are added to it
   * @returns {Promise<void>}
   */
  #ask(owners, living) {
    const channel = newChannel();
    if (!channel) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimer(timer);
        channel.close();
        resolve();
      };
      const timer = tryTimer(end, ANSWER_MS);
      channel.addEventListener("message", ({ data }) => {
        if (owners.has(data?.here)) living.add(data.here);
        if (living.size === owners.size) end();
      });
      channel.postMessage({ ask: this.#owner });
    });
  }

  /** Waits for the end of the page with that name. @param {string} owner */
  #waitFor(owner) {
    if (this.#awaited.has(owner)) return;
    this.#awaited.add(owner);
    const signal = this.#stopWaiting?.signal;
    navigator.locks
      .request(`${PREFIX} ${owner}`, { mode: "shared", ...(signal ? { signal } : {}) }, () => {})
      .then(this.#died)
      .catch(() => {})
      .finally(() => this.#awaited.delete(owner));
  }
}

/** Undefined if the browser has no such channel. */
function newChannel() {
  return attempt(() => new BroadcastChannel(PREFIX));
}
