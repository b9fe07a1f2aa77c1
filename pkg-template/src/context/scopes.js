// Scopes that a caller's own `waitUntil` makes: what is queued in one is kept alive by that function and
// no other. Runtimes that have requests of their own (workerd) do it in their own way.

import { attempt } from "../guard.js";
import { disregard } from "../thenables.js";
import { printAt } from "../log.js";

/**
 * @typedef {object} Scope
 * @property {number} id
 * @property {(promise: Promise<unknown>) => void} waitUntil
 * @property {unknown} [logLevel]
 */

const THREW =
  "waitUntil threw, so the runtime may end before all is sent: pass (promise) => ctx.waitUntil(promise)";

export class Scopes {
  #warned = false;
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
    session.scope ??= session.parent
      ? this.of(session.parent)
      : this.add(waitUntil, session.logLevel);
    return session.scope;
  }

  /**
   * @param {(promise: Promise<unknown>) => void} waitUntil
   * @param {unknown} [logLevel]
   * @returns {Scope}
   */
  add(waitUntil, logLevel) {
    const id = ++this.#last;
    const scope = { id, waitUntil, logLevel };
    this.#scopes.set(id, new WeakRef(scope));
    this.#gone.register(scope, id);
    return scope;
  }

  /**
   * @param {number} id
   * @param {Promise<unknown>} promise
   * @returns {boolean}
   */
  waitUntil(id, promise) {
    const scope = this.#scopes.get(id)?.deref();
    if (!scope) return false;
    if (callWaitUntil(scope.waitUntil, promise)) return true;
    if (!this.#warned) printAt(scope.logLevel, "warn", THREW);
    this.#warned = true;
    return false;
  }
}

/**
 * @param {(promise: Promise<unknown>) => void} waitUntil
 * @param {Promise<unknown>} promise
 * @returns {boolean} whether it took the promise
 */
export function callWaitUntil(waitUntil, promise) {
  return attempt(() => (disregard(waitUntil(promise)), true), false);
}
