// The promises of calls, and how the calls ended. The core settles each call that it was given by the call's number. A call
// that never reaches the core, or that is lost with an instance, is settled here.

import { attempt } from "./guard.js";
import { printAt } from "./log.js";

/** @import { DropReason } from "../index.d.ts" */
/** @import { LoggedLines } from "./log.js" */
/** @import { Session } from "./session.js" */

/**
 * The target of an enrichment, as its outcome names it.
 * @typedef {{ sessionId?: string, eventId?: string }} Where
 */

/**
 * The promise of a call. `isReport` is true for flush and close, false for an enrichment. `session` belongs to the tracer
 * that the call was made on, `caller` to the active tracer, whose `waitUntil` may be needed.
 * @typedef {object} OwedOutcome
 * @property {(outcome: any) => void} resolve
 * @property {Session | undefined} session
 * @property {Session} [caller]
 * @property {boolean} isReport
 * @property {Where} [where] the target, if it is not a session
 */

export const TRAPPED = "honeyhive-edge failed: its queue is lost, later calls work again";

export class Outcomes {
  #idOf;
  #logged;
  /** By the number of the call. @type {Map<number, OwedOutcome>} */
  #owed = new Map();
  /** The counts of all outcomes, and of those that the running instance does not know. */
  #counts = { delivered: 0, dropped: 0 };
  #before = { delivered: 0, dropped: 0 };

  /**
   * @param {(session: Session) => string | undefined} idOf the id that a session has by now
   * @param {LoggedLines} logged
   */
  constructor(idOf, logged) {
    this.#idOf = idOf;
    this.#logged = logged;
  }

  /** The report of a flush before anything was started. */
  get atRest() {
    return { ...this.#before, pending: 0 };
  }

  /**
   * @param {number} id of a call that the core settles
   * @param {OwedOutcome} owed
   */
  owe(id, owed) {
    this.#owed.set(id, owed);
  }

  /**
   * @param {number} id
   * @param {any} outcome a copy of its own
   */
  settle(id, outcome) {
    const owed = this.#owed.get(id);
    if (!owed) return;
    this.#owed.delete(id);
    const { session, isReport, resolve, where } = owed;
    if (isReport) {
      const { delivered, dropped } = session?.home ?? this.#before;
      outcome.delivered += delivered;
      outcome.dropped += dropped;
    } else {
      this.#count(session, outcome.status === "delivered" ? "delivered" : "dropped", true);
    }
    if (where) {
      // The event may be a session, which the core then reports.
      delete outcome.sessionId;
      outcome.eventId = where.eventId;
    }
    resolve(outcome);
  }

  /**
   * Forgets who waits for a call, because the runtime tore its request down. The promise must not be touched any more.
   * @param {number} id
   */
  abandon(id) {
    const owed = this.#owed.get(id);
    if (owed) owed.resolve = () => {};
  }

  /**
   * Drops an enrichment without the core.
   * @param {Session | undefined} session
   * @param {DropReason} reason
   * @param {string} message
   * @param {Where} [named] the target, if it is not that session
   * @returns {any} its outcome
   */
  drop(session, reason, message, named) {
    const sessionId = named ? undefined : session && attempt(() => this.#idOf(session));
    const where = named ?? (sessionId ? { sessionId } : {});
    this.#count(session, "dropped", false);
    if (reason !== "internal") {
      this.warn(session, message, `an enrichment was dropped (${reason}): `);
    }
    void session?.tellDropped(() => ({ ...where, reason, message, enrichment: {} }));
    return { status: "dropped", ...where, reason, message };
  }

  /**
   * Settles a call that the core was not given, or has lost with its instance.
   * @param {OwedOutcome} owed
   * @param {DropReason} [reason]
   * @param {string} [message]
   */
  end({ resolve, session, isReport, where }, reason = "internal", message = TRAPPED) {
    const { delivered, dropped } = session ?? this.#counts;
    if (isReport) resolve({ delivered, dropped, pending: 0 });
    else resolve(this.drop(session, reason, message, where));
  }

  /**
   * Settles the calls of an instance that has died. The next one knows nothing of what ended so far.
   * @param {string} message
   */
  endAll(message) {
    const owed = this.#owed;
    this.#owed = new Map();
    this.#before = { ...this.#counts };
    owed.forEach((one) => this.end(one, "internal", message));
  }

  /**
   * Logs a line that is not the core's, once.
   * @param {Session | undefined} session
   * @param {string} message
   * @param {string} [what] the consequence
   */
  warn(session, message, what = "") {
    if (this.#logged.add(message)) printAt(session?.logLevel, "warn", what + message);
  }

  /**
   * @param {Session | undefined} session
   * @param {"delivered" | "dropped"} end
   * @param {boolean} isOfCore whether the running instance counts it as well
   */
  #count(session, end, isOfCore) {
    this.#counts[end]++;
    if (!isOfCore) this.#before[end]++;
    session?.count(end, isOfCore);
  }
}
