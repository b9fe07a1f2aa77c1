// "The only open tracer": the last thing a bare call can mean. Counts what was opened and never closed,
// collected or not, so that the garbage collector can not change what a call means.

/** @import { Session } from "../session.js" */

export class Ambient {
  #open = 0;
  /** @type {Session | undefined} held as long as it is the only one */
  #only;
  /** The open ones that still exist, to find the one that is left when others are closed. @type {Set<WeakRef<Session>>} */
  #others = new Set();

  #collected =
    typeof FinalizationRegistry === "function"
      ? new FinalizationRegistry((/** @type {WeakRef<Session>} */ ref) => this.#others.delete(ref))
      : undefined;

  /** @param {Session} session */
  opened(session) {
    if (!session.ambient) return;
    this.#open++;
    this.#only = this.#open === 1 ? session : undefined;
    if (typeof WeakRef !== "function") return;
    const ref = new WeakRef(session);
    this.#others.add(ref);
    this.#collected?.register(session, ref, session);
  }

  /** @param {Session} session closed for the first time */
  closed(session) {
    if (!session.ambient) return;
    this.#open--;
    this.#collected?.unregister(session);
    const left = [];
    for (const ref of this.#others) {
      const other = ref.deref();
      if (other === session) this.#others.delete(ref);
      else if (other) left.push(other);
    }
    this.#only = this.#open === 1 ? left[0] : undefined;
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
