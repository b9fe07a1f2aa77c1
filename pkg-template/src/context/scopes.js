// Scopes that a caller's own `waitUntil` makes: what is queued in one is kept alive by that function and
// no other. Runtimes that have requests of their own (workerd) do it in their own way.

import { print } from "../log.js";
import { messageOf } from "../guard.js";

/** @typedef {{ id: number, waitUntil: (promise: Promise<unknown>) => void }} Scope */

export class Scopes {
  #last = 0;
  /** Weakly: a scope lasts as long as its session or request. @type {Map<number, WeakRef<Scope>>} */
  #scopes = new Map();
  #gone = new FinalizationRegistry((/** @type {number} */ id) => this.#scopes.delete(id));

  /**
   * The scope of a session that brought its own `waitUntil`, shared by the sessions it starts.
   * @param {import("../session.js").Session} session
   * @returns {Scope | undefined}
   */
  of(session) {
    const { waitUntil } = session.settings;
    if (!waitUntil) return undefined;
    session.scope ??= session.parent ? this.of(session.parent) : this.add(waitUntil);
    return session.scope;
  }

  /**
   * @param {(promise: Promise<unknown>) => void} waitUntil
   * @returns {Scope}
   */
  add(waitUntil) {
    const scope = { id: ++this.#last, waitUntil };
    this.#scopes.set(scope.id, new WeakRef(scope));
    this.#gone.register(scope, scope.id);
    return scope;
  }

  /**
   * @param {number} id
   * @param {Promise<unknown>} promise
   * @returns {boolean}
   */
  waitUntil(id, promise) {
    const scope = this.#scopes.get(id)?.deref();
    return scope !== undefined && callWaitUntil(scope.waitUntil, promise);
  }
}

/**
 * @param {(promise: Promise<unknown>) => void} waitUntil
 * @param {Promise<unknown>} promise
 * @returns {boolean} whether it took the promise
 */
export function callWaitUntil(waitUntil, promise) {
  try {
    waitUntil(promise);
    return true;
  } catch (error) {
    print("debug", `waitUntil threw: ${messageOf(error)}`);
    return false;
  }
}
