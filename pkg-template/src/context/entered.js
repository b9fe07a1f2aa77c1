// The state that the copies of this package in a realm share: an application may load it as ES module and as CommonJS, or
// in several bundles, and each copy knows only its own sessions. Of two active sessions, the one that was entered last is
// the inner one. Copies share nothing if the global object cannot be extended, or in a page, where they may belong to
// widgets of different sites.

import { attempt, read, weakly } from "../guard.js";

/**
 * The session that one copy considers active.
 * @typedef {object} Active
 * @property {import("../../index.d.ts").Tracer} tracer
 * @property {Entered} entered
 */

/**
 * How a session became the active one.
 * @typedef {object} Entered
 * @property {0 | 1 | 2} by 0 if it is the only open session, 1 after `initTracer`, 2 inside `run`, which takes precedence
 * @property {number} number grows with each session that is entered; 0 if the copies share no order
 */

/** @typedef {{ active(): Active | undefined }} Copy */

/**
 * @typedef {object} Common
 * @property {number} last the number of the session that was entered last
 * @property {Set<{ deref(): Copy | undefined }>} copies held weakly, because development servers and test runners load a
 *   module again and leave a copy that nothing can use
 */

const COMMON = Symbol.for("honeyhive-edge.entered");

/** @returns {Common | undefined} */
function common() {
  return attempt(() => {
    const holder = /** @type {any} */ (globalThis);
    if ("document" in holder) return undefined;
    if (!holder[COMMON]) {
      Object.defineProperty(holder, COMMON, { value: { last: 0, copies: new Set() } });
    }
    return holder[COMMON];
  });
}

/**
 * Registers a copy of the package when it is first used.
 * @param {Copy} copy
 */
export function joinCopies(copy) {
  attempt(() => {
    const copies = common()?.copies;
    copies?.forEach((other) => other.deref() || copies.delete(other));
    copies?.add(weakly(copy));
  });
}

/** @returns {number} the number of a session that is entered now */
export function numberEntered() {
  return attempt(() => {
    const order = /** @type {Common} */ (common());
    const number = order.last + 1;
    order.last = number;
    // Other code may have replaced the shared object by one that does not count.
    return order.last === number ? number : 0;
  }, 0);
}

/**
 * The tracer of the innermost session among those that the copies consider active.
 * @param {() => import("../../index.d.ts").Tracer | undefined} own returns this copy's active tracer, for realms in which
 *   the copies share nothing
 * @returns {import("../../index.d.ts").Tracer | undefined} undefined if it is unknown which one is the innermost
 */
export function innermostTracer(own) {
  const copies = read(common(), "copies");
  /** @type {Active | undefined} */
  let inner;
  let isClear = true;
  const look = (/** @type {{ deref(): Copy | undefined }} */ copy) => {
    const active = attempt(() => copy.deref()?.active());
    if (typeof read(read(active, "tracer"), "sessionId") !== "string") return;
    const one = /** @type {Active} */ (active);
    const order = inner ? compare(one.entered, inner.entered) : 1;
    if (order > 0) {
      inner = one;
      isClear = true;
    } else if (order === 0 && one.tracer.sessionId !== inner?.tracer.sessionId) {
      isClear = false;
    }
  };
  attempt(() => copies.forEach(look));
  return isClear ? (inner?.tracer ?? attempt(own)) : undefined;
}

/**
 * @param {Entered} one
 * @param {Entered} other
 * @returns {number} positive if `one` is the inner session, negative if `other` is, 0 if that is unknown
 */
function compare(one, other) {
  if (one.by !== other.by || one.by === 0) return one.by - other.by;
  return one.number && other.number ? one.number - other.number : 0;
}
