// Passes new tickets to the core while tracers are open: those given to `setTicket`, and those of a function that the core
// asks. The core decides which ticket is used.

import { Promise, clearTimer, firstOf, tryTimer } from "./globals.js";
import { whyOf } from "./send.js";
import { each, filtered } from "./lists.js";

/** @import { Core } from "./core.d.ts" */
/** @import { Instance } from "./instance.js" */
/** @import { Session } from "./session.js" */
/** @import { RegisteredSessions } from "./sessions.js" */

export class Tickets {
  #instance;
  #sessions;
  /** The sessions that wait for the first ticket of a function. @type {{ source: Function | undefined, resolve: () => void }[]} */
  #waiting = [];

  /**
   * @param {Instance<Core>} instance
   * @param {RegisteredSessions} sessions
   */
  constructor(instance, sessions) {
    this.#instance = instance;
    this.#sessions = sessions;
  }

  /**
   * Waits until the session's function, which is being asked, has given a ticket or failed.
   * @param {Session} session
   * @param {() => void} resolve
   */
  await(session, resolve) {
    this.#waiting[this.#waiting.length] = { source: session.settings.ticket, resolve };
  }

  /**
   * @param {Core} core
   * @param {number} tracer
   * @param {Session} session
   * @param {number} scope
   * @param {unknown} ticket
   */
  set(core, tracer, session, scope, ticket) {
    if (!this.#give(core, tracer, session, scope, ticket)) return;
    if (!session.settings.ticket) session.useTicket(ticket);
  }

  /**
   * Asks the application's function for a ticket, whatever it does, and reports in time what it gave.
   * @param {Core} core
   * @param {number} tracer
   * @param {number} scope
   * @param {number} timeoutMs
   */
  async ask(core, tracer, scope, timeoutMs) {
    const session = this.#sessions.reach(tracer);
    const source = session?.settings.ticket;
    if (!source) return;
    let ticket, why, timer;
    try {
      /** @type {Promise<never>} */
      const late = new Promise((_, reject) => {
        timer = tryTimer(() => reject(`no ticket within ${timeoutMs} ms`), timeoutMs);
      });
      ticket = await firstOf((async () => source())(), late);
    } catch (error) {
      why = whyOf(error, "it threw");
    }
    clearTimer(timer);
    if (core !== this.#instance.core) return;
    this.#give(core, tracer, session, scope, ticket, why ?? "");
    this.#go(source);
  }

  /** Ends all waiting, because the instance has died. */
  clear() {
    this.#go();
  }

  /**
   * @param {Core} core
   * @param {number} tracer
   * @param {Session} session
   * @param {number} scope
   * @param {unknown} given
   * @param {string} [why] the reason if there is no ticket; undefined if no function was asked
   * @returns {boolean} whether the ticket is in use
   */
  #give(core, tracer, session, scope, given, why) {
    // The core reports a value that is not a string.
    const ticket = typeof given === "string" ? given : typeof given;
    const id = core.setTicket(tracer, ticket, why ?? "", why !== undefined, scope);
    if (id && id !== session.id) this.#sessions.rename(session.id, id);
    return !!id;
  }

  /** @param {Function} [source] only what waits for this one */
  #go(source) {
    const all = this.#waiting;
    const isDue = (/** @type {{ source?: Function | undefined }} */ it) =>
      !source || it.source === source;
    this.#waiting = filtered(all, (it) => !isDue(it));
    each(filtered(all, isDue), (it) => it.resolve());
  }
}
