// Scopes for an application's own `waitUntil`: calls queued in such a scope are kept alive by that function only. Runtimes
// with requests of their own (workerd) have their own scopes.

import { attempt, newRegistry, weakly } from "../guard.js";
import { disregard } from "../thenables.js";
import { printAt } from "../log.js";

/**
 * @typedef {object} WaitUntilScope
 * @property {number} id
 * @property {(promise: Promise<unknown>) => void} waitUntil
 * @property {unknown} [logLevel]
 */

/** How many scopes are kept without a FinalizationRegistry, which tells when a scope is no longer used. */
const MAX_UNTOLD = 1000;

const THREW =
  "waitUntil threw, so the runtime may end before the queue is sent: pass (promise) => ctx.waitUntil(promise)";

export class Scopes {
  #warned = false;
  #last = 0;
  /** The scopes by id, held weakly: a scope lasts as long as its session or request. @type {Map<number, { deref(): WaitUntilScope | undefined }>} */
  #scopes = new Map();
  #gone = newRegistry((/** @type {number} */ id) => void this.#scopes.delete(id));

  /**
   * The scope of a session that brought its own `waitUntil`, shared by the sessions it starts.
   * @param {import("../session.js").Session} session
   * @returns {WaitUntilScope | undefined}
   */
  of(session) {
    const { waitUntil } = session.settings;
    if (!waitUntil) return undefined;
    const { parent, logLevel } = session;
    return session.getOrMakeScope(() => (parent ? this.of(parent) : this.add(waitUntil, logLevel)));
  }

  /**
   * @param {(promise: Promise<unknown>) => void} waitUntil
   * @param {unknown} [logLevel]
   * @returns {WaitUntilScope}
   */
  add(waitUntil, logLevel) {
    const id = ++this.#last;
    const scope = { id, waitUntil, logLevel };
    this.#scopes.set(id, weakly(scope));
    if (this.#gone) this.#gone.register(scope, id);
    else if (this.#scopes.size > MAX_UNTOLD) this.#scopes.delete(id - MAX_UNTOLD);
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
