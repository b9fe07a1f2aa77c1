// The state that the copies of this package in a realm share: an application may load it as ES module and as CommonJS, or
// in several bundles, and each copy knows only its own sessions. Of two active sessions, the one that was entered last is
// the inner one. Copies share nothing if the global object cannot be extended, or in a page, where they may belong to
// widgets of different sites.

import { attempt, read, weakly } from "../guard.js";

/**
 * The session that a copy takes for the active one.
 * @typedef {object} Active
 * @property {import("../../index.d.ts").Tracer} tracer
 * @property {Entered} entered
 */

/**
 * How an active session came to be that.
 * @typedef {object} Entered
 * @property {0 | 1 | 2} by 0 by being the only open one, 1 by `initTracer`, 2 by a run, which counts most
 * @property {number} number the later, the higher; 0 where the copies share no order
 */

/** @typedef {{ active(): Active | undefined }} Copy */

/**
 * @typedef {object} Common
 * @property {number} last the number of the session that was entered last
 * @property {Set<{ deref(): Copy | undefined }>} copies weakly: a module that was loaded anew, as development servers and
 *   test runners do, leaves a copy that nobody can use any more
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
  }, undefined);
}

/**
 * A copy of the package is used from now on.
 * @param {Copy} copy
 */
export function joinCopies(copy) {
  attempt(() => {
    const copies = common()?.copies;
    copies?.forEach((other) => other.deref() || copies.delete(other));
    copies?.add(weakly(copy));
  }, undefined);
}

/** @returns {number} for a session that is entered now */
export function numberEntered() {
  return attempt(() => {
    const order = /** @type {Common} */ (common());
    const number = order.last + 1;
    order.last = number;
    // Somebody may have put something else there.
    return order.last === number ? number : 0;
  }, 0);
}

/**
 * The tracer of the innermost session, of those that the copies take for active.
 * @param {() => import("../../index.d.ts").Tracer | undefined} own of this copy, asked where the copies have nothing in common
 * @returns {import("../../index.d.ts").Tracer | undefined} none where it is not known which one that is
 */
export function innermostTracer(own) {
  const copies = read(common(), "copies");
  /** @type {Active | undefined} */
  let inner;
  let isClear = true;
  const look = (/** @type {{ deref(): Copy | undefined }} */ copy) => {
    const active = attempt(() => copy.deref()?.active(), undefined);
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
  attempt(() => copies.forEach(look), undefined);
  return isClear ? (inner?.tracer ?? attempt(own, undefined)) : undefined;
}

/**
 * @param {Entered} one
 * @param {Entered} other
 * @returns {number} more than 0 where the one is the inner one, 0 where that is not known
 */
function compare(one, other) {
  if (one.by !== other.by || one.by === 0) return one.by - other.by;
  return one.number && other.number ? one.number - other.number : 0;
}
