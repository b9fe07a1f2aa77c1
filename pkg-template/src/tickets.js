// Brings the tickets that an application gives while its tracers are open to the core: by `setTicket`, or from a function
// that the core asks. Which ticket counts, and what for, is the core's to say.

import { Promise, clearTimer, firstOf, tryTimer } from "./globals.js";
import { whyOf } from "./send.js";

/** @import { Core } from "./core.d.ts" */
/** @import { Instance } from "./instance.js" */
/** @import { Session } from "./session.js" */
/** @import { RegisteredSessions } from "./sessions.js" */

export class Tickets {
  #instance;
  #sessions;
  /** What waits for the first ticket of each function. @type {{ source: Function | undefined, resolve: () => void }[]} */
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
    this.#waiting.push({ source: session.settings.ticket, resolve });
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
    const { settings } = session;
    // Should the instance die, the next one begins with this ticket.
    if (!settings.ticket)
      session.settings = { ...settings, scalars: { ...settings.scalars, ticket } };
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

  /** The instance has died. */
  clear() {
    this.#go();
  }

  /**
   * @param {Core} core
   * @param {number} tracer
   * @param {Session} session
   * @param {number} scope
   * @param {unknown} given
   * @param {string} [why] there is no ticket; undefined if nobody was asked for one
   * @returns {boolean} whether it is in use
   */
  #give(core, tracer, session, scope, given, why) {
    // What is no text is no ticket, which the core reports.
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
    this.#waiting = all.filter((it) => !isDue(it));
    for (const it of all) if (isDue(it)) it.resolve();
  }
}
