// "The only open tracer": the last thing a bare call can mean. Counts what was opened and never closed,
// collected or not, so that the garbage collector can not change what a call means.

/** @import { Session } from "../session.js" */

export class Ambient {
  #open = 0;
  /** @type {Session | undefined} held as long as it is the only one */
  #only;
  /** The open ones, to find the one that is left when others are closed. @type {Set<WeakRef<Session>>} */
  #others = new Set();
  /** How many there may be before those that were collected are taken out. */
  #limit = 64;

  /** @param {Session} session */
  opened(session) {
    if (!session.ambient) return;
    this.#open++;
    this.#only = this.#open === 1 ? session : undefined;
    if (typeof WeakRef !== "function") return;
    session.weak ??= new WeakRef(session);
    this.#others.add(session.weak);
    if (this.#others.size <= this.#limit) return;
    for (const ref of this.#others) if (!ref.deref()) this.#others.delete(ref);
    this.#limit = 2 * this.#others.size + 64;
  }

  /** @param {Session} session closed for the first time */
  closed(session) {
    if (!session.ambient) return;
    this.#open--;
    if (session.weak) this.#others.delete(session.weak);
    this.#only = undefined;
    if (this.#open !== 1) return;
    for (const ref of this.#others) this.#only ??= ref.deref();
  }

  /** @returns {Session | undefined} */
  only() {
    return this.#only;
  }

  /** @returns {number} */
  get size() {
    return this.#open;
  }
}
