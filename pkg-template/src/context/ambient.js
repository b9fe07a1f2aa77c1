// The only open session, which a call without a tracer falls back to. Several tracers may be open for one session, as
// under React's StrictMode. A session that was opened and never closed counts even after it was collected, so that the
// garbage collector cannot change the meaning of a call.

import { each, filtered } from "../lists.js";
import { sessionKey } from "../session.js";

/** @import { Session } from "../session.js" */

/** @typedef {{ deref(): Session | undefined }} Weak */

export class Ambient {
  /** The open tracers of each session: one, or a list. @type {Map<string, Weak | Weak[]>} */
  #open = new Map();
  /** The sessions whose tracers were collected without being closed. Two are enough to know that no session is the only one. @type {Set<string>} */
  #lost = new Set();
  /** The only open session, which is held until another one is opened. @type {Session | undefined} */
  #only;
  /** The number of sessions at which those that were collected are removed. */
  #limit = 64;

  /** @param {Session} session */
  opened(session) {
    if (!session.ambient) return;
    const key = sessionKey(session);
    const known = this.#open.get(key);
    const { weak } = session;
    this.#open.set(key, known === undefined ? weak : also(known, weak));
    this.#only = this.#count === 1 ? session : undefined;
    if (this.#open.size <= this.#limit) return;
    this.#forgetCollected();
    this.#limit = 2 * this.#open.size + 64;
  }

  /** @param {Session} session whose tracer is closed for the first time */
  closed(session) {
    if (!session.ambient) return;
    const key = sessionKey(session);
    const left = filtered(listOf(this.#open.get(key) ?? []), (weak) => weak !== session.weak);
    if (left.length > 0) this.#open.set(key, left);
    else this.#open.delete(key);
    this.#only = undefined;
    if (this.#count !== 1) return;
    this.#open.forEach((open) => {
      each(listOf(open), (weak) => (this.#only = weak.deref() ?? this.#only));
    });
  }

  /** @returns {Session | undefined} a tracer of the only open session, the last one that was opened */
  only() {
    return this.#only;
  }

  /** @returns {number} how many sessions are open */
  get size() {
    return this.#count;
  }

  get #count() {
    let count = this.#open.size;
    this.#lost.forEach((key) => {
      if (!this.#open.has(key)) count++;
    });
    return count;
  }

  #forgetCollected() {
    this.#open.forEach((open, key) => {
      const all = listOf(open);
      const alive = filtered(all, (weak) => weak.deref());
      if (alive.length === all.length) return;
      if (this.#lost.size < 2) this.#lost.add(key);
      if (alive.length > 0) this.#open.set(key, alive);
      else this.#open.delete(key);
    });
  }
}

/** @param {Weak | Weak[]} open @returns {Weak[]} */
function listOf(open) {
  return Array.isArray(open) ? open : [open];
}

/** @param {Weak | Weak[]} open @param {Weak} weak @returns {Weak[]} */
function also(open, weak) {
  const all = filtered(listOf(open), () => true);
  all[all.length] = weak;
  return all;
}
