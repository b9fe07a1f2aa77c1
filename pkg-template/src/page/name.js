// By which pages of a site know of one another: what a living page has not sent is its own, what a dead one left
// is anybody's. A page that has something holds a Web Lock by its name. Where there are none, as on every page
// over plain http, it answers when others ask who is there.
//
// A page that has nothing unsent has no name: Firefox takes no page into its back/forward cache that holds a lock,
// and Chromium freezes none.

import { Promise, clearTimer, delay, firstOf, tryTimer } from "../globals.js";
import { attempt } from "../guard.js";
import { newAbort } from "../send.js";

const PREFIX = "honeyhive-edge";

/** Milliseconds in which a browser grants a lock that nobody else can have, and says which there are. */
const LOCK_MS = 300;

/** Milliseconds in which a living page answers. One that is too busy for that has its records sent twice. */
const ANSWER_MS = 300;

export class Name {
  #owner;
  #died;
  #locksFail;
  /** @type {Promise<void> | undefined} */
  #taken;
  #letGo = () => {};
  /** How often it was let go of. */
  #turn = 0;
  /** Names of living pages that have something, whose ends are waited for. @type {Set<string>} */
  #awaited = new Set();
  /** Ends that waiting. */
  #stopWaiting = newAbort();

  /**
   * @param {string} owner the name
   * @param {() => void} died told when a page that had something has died
   * @param {() => void} locksFail told when the browser has locks, and does not grant one
   */
  constructor(owner, died, locksFail) {
    this.#owner = owner;
    this.#died = died;
    this.#locksFail = locksFail;
  }

  /** Takes the name, if it is not taken; settles when others can see it. @returns {Promise<void>} */
  take() {
    return (this.#taken ??= this.#take());
  }

  /** What the page has from now on is anybody's. */
  leave() {
    this.#taken = undefined;
    this.#turn++;
    this.#letGo();
    this.#letGo = () => {};
  }

  /** Nobody's end is waited for any more. */
  stopWaiting() {
    attempt(() => this.#stopWaiting?.abort());
    this.#stopWaiting = newAbort();
  }

  /**
   * Which of these pages live. Asked for after they were seen: who keeps something had its name before.
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
    held.forEach(({ name }) => {
      const owner = String(name).slice(PREFIX.length + 1);
      if (!owners.has(owner)) return;
      living.add(owner);
      // It may be just dying: the page before this one in its tab is.
      this.#waitFor(owner);
    });
    return living;
  }

  async #take() {
    const turn = this.#turn;
    const isLocked = navigator.locks && (await this.#lock());
    if (!isLocked && turn === this.#turn) this.#listen();
  }

  /** Whether the lock is held, or will be let go of already. @returns {Promise<boolean>} */
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
          return new Promise((end) => (release = () => end(undefined)));
        })
        .catch(() => {
          clearTimer(timer);
          resolve(false);
        });
    });
  }

  /** The locks that are held; nothing where the browser has none, or does not say. */
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

  /** Answers those who ask who is there, and hears who leaves. */
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
   * @param {Set<string>} living gets those who answer
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

  /** Says so when the page of that name has died. @param {string} owner */
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

/** Nothing where the browser has none. */
function newChannel() {
  return attempt(() => new BroadcastChannel(PREFIX));
}
