// Every request the product routes got and how each ended, for tests and the viewer. Bounded in
// number and in size: the oldest go first. No judgement here; traffic.js has that.

import { Fifo } from "./fifo.js";

/**
 * How a request ended. "client-left": the client closed the connection before it was answered.
 * "reset": DELETE /_local came while it was held.
 * @typedef {"pending" | "answered" | "cut-before" | "cut-after" | "cut-mid-body" | "client-left" | "reset"} Fate
 */

/**
 * @typedef {object} Exchange
 * @property {number} seq counts requests from 1, in the order their headers arrived
 * @property {number} at when they arrived, Unix milliseconds
 * @property {string} method
 * @property {string} path without the query
 * @property {string} query "" or "?…"
 * @property {{[name: string]: string}} headers names in lower case
 * @property {string | null} key from Authorization: Bearer
 * @property {string | null} session the session id that path or body name, or that the server gave
 * @property {string | null} timestamp hh-client-timestamp, decimal nanoseconds
 * @property {string} raw the body as text; empty where it was too large to keep
 * @property {boolean} isJson whether raw is JSON
 * @property {number} bytes the body's length
 * @property {boolean} stored whether the request changed what is stored
 * @property {number | null} status of the answer, null where none was given
 * @property {Fate} fate
 * @property {number | null} fault index of the fault rule that fired
 * @property {number | null} ms from arrival until the answer was handed over, or until the connection ended
 */

/**
 * @param {{records: number, bytes: number, forget: (exchange: Exchange) => void}} options
 *   most records kept; most characters of bodies kept; told of each record that is let go
 */
export function requestLog({ records, bytes, forget }) {
  /** @type {Fifo<Exchange>} */
  const kept = new Fifo();
  let total = 0;
  let held = 0;

  const oldestSeq = () => total - kept.length + 1;

  // The newest stays, however large.
  const isFull = () => kept.length > records || (held > bytes && kept.length > 1);

  const shrink = () => {
    while (isFull()) {
      const oldest = /** @type {Exchange} */ (kept.shift());
      held -= oldest.raw.length;
      forget(oldest);
    }
  };

  return {
    /**
     * @param {Pick<Exchange, "method" | "path" | "query" | "headers" | "key" | "timestamp">} head
     * @returns {Exchange}
     */
    open(head) {
      total += 1;
      /** @type {Exchange} */
      const exchange = {
        seq: total,
        at: Date.now(),
        ...head,
        session: null,
        raw: "",
        isJson: false,
        bytes: 0,
        stored: false,
        status: null,
        fate: "pending",
        fault: null,
        ms: null,
      };
      kept.push(exchange);
      shrink();
      return exchange;
    },

    /**
     * Adds the body, which comes after the head.
     * @param {Exchange} exchange
     * @param {string} raw
     */
    body(exchange, raw) {
      // The record may have been let go while its body was still coming.
      if (exchange.seq < oldestSeq()) return;
      exchange.raw = raw;
      held += raw.length;
      shrink();
    },

    /**
     * @param {{since?: number, session?: string | undefined, limit?: number}} query since: only what came after that seq
     * @returns {Exchange[]} oldest first
     */
    read({ since = 0, session, limit = Infinity }) {
      const found = [];
      const first = Math.max(0, since + 1 - oldestSeq());
      for (let i = first; i < kept.length && found.length < limit; i += 1) {
        const exchange = /** @type {Exchange} */ (kept.at(i));
        if (session === undefined || exchange.session === session) found.push(exchange);
      }
      return found;
    },

    /** `characters`: of the bodies kept. */
    size: () => ({ total, kept: kept.length, characters: held }),
  };
}

/**
 * One record as JSON, with its body parsed (null where it is none). The text of the body is put in
 * as it came: parsing and printing it again would cost more and could lose what it really said.
 * @param {Exchange} exchange
 * @returns {string}
 */
export function exchangeJson({ isJson, ...exchange }) {
  return `${JSON.stringify(exchange).slice(0, -1)},"body":${isJson ? exchange.raw : "null"}}`;
}
