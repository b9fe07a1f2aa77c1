// The idle sessions of a runtime that does not say when an object is collected: Workers of an old compatibility date have no
// FinalizationRegistry. A bounded number of them stays registered with the core; the oldest are released, and registered
// again when they are used.

import { sessionKey } from "./session.js";

/** @import { Home, Session } from "./session.js" */

/**
 * What the metrics of a session added up to when a tracer of it was released, as JSON. The tracers of a session share it.
 * @typedef {{ json: string }} Totals
 */

/** How many idle sessions stay registered: more than one isolate serves at a time. */
const MAX_IDLE = 256;

/** How many sessions have their totals remembered for later tracers. */
const MAX_TOTALS = 1024;

export class IdleSessions {
  /**
   * By tracer, the oldest first. Neither the sessions nor their callbacks are held. `isNeeded` says whether nothing can be
   * sent without these callbacks.
   * @type {Map<number, { home: Home, isNeeded: boolean }>}
   */
  #idle = new Map();
  /** By the key of the session, the oldest first. @type {Map<string, Totals>} */
  #totals = new Map();
  /** @type {WeakMap<Home, Totals>} */
  #totalsAt = new WeakMap();

  /**
   * @param {Session} session that becomes idle
   * @returns {Home | undefined} where the oldest is registered, if it is now one too many
   */
  add({ home, settings }) {
    if (!home) return undefined;
    const { fetch, ticket, redaction } = settings;
    const isNeeded = (fetch ?? ticket ?? redaction.redactor) !== undefined;
    this.#idle.set(home.tracer, { home, isNeeded });
    if (this.#idle.size <= MAX_IDLE) return undefined;
    const [oldest] = this.#idle.values();
    return oldest?.home;
  }

  /** @param {number} tracer */
  get(tracer) {
    return this.#idle.get(tracer);
  }

  /** @param {number} tracer that is not idle any more */
  delete(tracer) {
    this.#idle.delete(tracer);
  }

  clear() {
    this.#idle.clear();
  }

  /** @param {(idle: unknown, tracer: number) => void} look may delete the tracer */
  forEach(look) {
    this.#idle.forEach(look);
  }

  /**
   * What the metrics of a session added up to before.
   * @param {Session} session that is being registered
   * @returns {Totals}
   */
  totalsOf(session) {
    const key = sessionKey(session);
    const before = session.home && this.#totalsAt.get(session.home);
    const totals = this.#totals.get(key) ?? before ?? { json: "" };
    this.#totals.delete(key);
    this.#totals.set(key, totals);
    const [oldest] = this.#totals.keys();
    if (this.#totals.size > MAX_TOTALS && oldest !== undefined) this.#totals.delete(oldest);
    return totals;
  }

  /**
   * @param {Home} home where a session is registered now
   * @param {Totals} totals its session's
   */
  register(home, totals) {
    this.#totalsAt.set(home, totals);
  }

  /**
   * Remembers what the core knows and is about to forget.
   * @param {Home} home that is released
   */
  keepTotals(home) {
    const json = home.core?.totalsOf?.(home.tracer);
    const totals = this.#totalsAt.get(home);
    if (json && totals) totals.json = json;
  }
}
