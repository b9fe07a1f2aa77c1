// The context in browsers. Nothing follows the code across an await, so only the unfinished runs and the open tracers are
// known. If they leave more than one session, a call has none.

import { newRegistry } from "../guard.js";
import { enterLazily, isLazy, isThenable, whenSettled } from "../thenables.js";
import { sessionKey } from "../session.js";
import { Ambient } from "./ambient.js";
import { numberEntered } from "./entered.js";
import { Scopes } from "./scopes.js";

/** @import { Session } from "../session.js" */

/** @returns {import("./context.d.ts").Context} */
export function pageContext() {
  const ambient = new Ambient();
  const scopes = new Scopes();
  const runs = new Runs();

  return {
    // A page has no async context to enter: an open session is found in `ambient`.
    enter() {},
    run: (session, fn) => runs.run(session, fn),
    here() {
      const inner = runs.inner;
      if (inner) return inner;
      const pending = runs.pending;
      if (pending.size === 0) return ambient.only();
      // The caller may be inside a run that waits, or outside of it.
      const [only] = pending;
      const open = ambient.only();
      const outside = ambient.size === 0 || (open && only && sessionKey(open) === sessionKey(only));
      return pending.size === 1 && outside ? only : undefined;
    },
    // It is unknown whether a run that waits for a promise contains the caller.
    entered: () => (runs.inner ? { by: 2, number: runs.innerNumber } : { by: 0, number: 0 }),
    scope: (session) => (session && scopes.of(session)?.id) ?? 0,
    waitUntil: (scope, promise) => scopes.waitUntil(scope, promise),
    opened: (session) => ambient.opened(session),
    closed: (session) => ambient.closed(session),
  };
}

/** The runs that have not ended. */
export class Runs {
  /** The runs whose synchronous part is on the stack, innermost last. @type {{ session: Session, number: number }[]} */
  #stack = [];
  /** The runs that wait for a promise. @type {Set<{ session: Session }>} */
  #waiting = new Set();
  /** Forgets runs whose lazy thenable was collected before anything called its `then`. @type {FinalizationRegistry<{ session: Session }> | undefined} */
  #abandoned = newRegistry((waiting) => void this.#waiting.delete(waiting));

  /**
   * @template T
   * @param {Session} session
   * @param {() => T} fn
   * @returns {T}
   */
  run(session, fn) {
    const waiting = { session };
    const number = numberEntered();
    const ended = () => void this.#waiting.delete(waiting);
    const enter = (/** @type {() => unknown} */ then) => {
      this.#abandoned?.unregister(waiting);
      return this.#during(session, number, then);
    };
    return this.#during(session, number, () => {
      const result = fn();
      if (!isThenable(result)) return result;
      this.#waiting.add(waiting);
      if (!isLazy(result)) {
        whenSettled(result, ended);
        return result;
      }
      const entered = enterLazily(result, enter, ended);
      this.#abandoned?.register(entered, waiting, waiting);
      return entered;
    });
  }

  /**
   * @template T
   * @param {Session} session
   * @param {number} number
   * @param {() => T} fn
   * @returns {T}
   */
  #during(session, number, fn) {
    this.#stack[this.#stack.length] = { session, number };
    try {
      return fn();
    } finally {
      this.#stack.length--;
    }
  }

  /** @returns {Session | undefined} */
  get inner() {
    return this.#innermost?.session;
  }

  /** @returns {number} the number of the innermost run, as `numberEntered` gave it */
  get innerNumber() {
    return this.#innermost?.number ?? 0;
  }

  get #innermost() {
    // Not `at`, which the Hermes of older phones lacks.
    return this.#stack[this.#stack.length - 1];
  }

  /** @returns {Set<Session>} the sessions of the runs that wait, each once */
  get pending() {
    /** @type {Map<string, Session>} */
    const sessions = new Map();
    this.#waiting.forEach(({ session }) => sessions.set(sessionKey(session), session));
    const each = new Set();
    sessions.forEach((session) => each.add(session));
    return each;
  }
}
