// The functions that an instance of the core calls. Calls of an instance that has died are ignored.

import { NO_ANSWER } from "./boundary.js";
import { isConnectionShared } from "./connections.js";
import { forwardNow, hadTimers, parseDate, putForward, wallNow } from "./globals.js";
import { sessionIdOf } from "./ids.js";
import { parseJson } from "./json.js";
import { print } from "./log.js";
import { newLoops } from "./loops.js";
import { newAbort, runtimeFetch, send } from "./send.js";
import { untraced } from "./untraced.js";
import { each } from "./lists.js";

/** @import { Core, Host } from "./core.d.ts" */
/** @import { Outcomes } from "./outcomes.js" */
/** @import { RegisteredSessions } from "./sessions.js" */
/** @import { Tickets } from "./tickets.js" */

const { apply } = Reflect;

/**
 * The parts of the face that the instance uses.
 * @typedef {object} Surroundings
 * @property {() => boolean} isRunning whether it is still the running one
 * @property {"page" | "edge" | "server"} place
 * @property {(() => Function) | undefined} serverFetch finds the runtime's fetch, where that is not called as it is
 * @property {import("./page/page.js").Page | undefined} page
 * @property {RegisteredSessions} sessions
 * @property {Outcomes} outcomes
 * @property {Tickets} tickets
 * @property {import("./context/context.d.ts").Context["waitUntil"]} waitUntil
 */

/**
 * @param {Core} core
 * @param {Surroundings} surroundings
 * @returns {Host}
 */
export function newHost(core, surroundings) {
  const {
    isRunning,
    place,
    serverFetch = runtimeFetch,
    page,
    sessions,
    outcomes,
    tickets,
    waitUntil,
  } = surroundings;
  /** The last outcome, because thousands of calls may end alike. @type {object} */
  let outcome;
  /** The controllers of requests in flight. @type {Map<number, AbortController>} */
  const aborts = new Map();
  /** How many requests are on their way, by scope. @type {Map<number, number>} */
  const inFlight = new Map();

  const loops = newLoops(
    (scope) => core.run(scope),
    (/** @type {number} */ scope, promise) => void waitUntil(scope, promise),
    (scope, ms) => {
      // A Worker has timers in its requests, but none outside of them.
      if (place === "edge") return "call";
      // A page that is gone has no timers any more and runs on for a moment. The clock must not be put forward then, because
      // that would end deadlines.
      if ((page && hadTimers()) || inFlight.has(scope)) return "answer";
      putForward(ms);
      return "skipped";
    },
  );

  /**
   * @param {number} transport
   * @returns {Function} throws if a tracer's own fetch is gone, and if the runtime has none
   */
  const fetchOf = (transport) => {
    const own = sessions.fetchOf(transport);
    if (transport && !own) throw new Error("the tracer's fetch is gone");
    return own ?? serverFetch();
  };

  /** The functions that run only the package's own code and never call the core. */
  const host = {
    isInside: false,
    now: forwardNow,
    sessionIdOf: (/** @type {string} */ text) => sessionIdOf(text) ?? "",
    wake: loops.wake,
    forgetScope: loops.leave,
    abandonCall(/** @type {number} */ id) {
      if (isRunning()) outcomes.abandon(id);
    },
    keep(/** @type {number} */ id, /** @type {string} */ json) {
      if (isRunning()) page?.keep(id, json);
    },
    forget(/** @type {number} */ id) {
      if (isRunning()) page?.forget(id);
    },
    busy(/** @type {number} */ tracer) {
      if (isRunning()) sessions.hold(tracer);
    },
  };

  return steppingOut(host, {
    log: print,
    wallNow,
    parseDate,
    settle(/** @type {number} */ id, /** @type {string} */ json) {
      if (json) outcome = parseJson(json);
      if (isRunning()) outcomes.settle(id, { ...outcome });
    },
    dropped(/** @type {number} */ tracer, /** @type {string} */ json) {
      if (isRunning()) void sessions.reach(tracer)?.tellDropped(() => parseJson(json));
    },
    idle(/** @type {number} */ tracer) {
      if (isRunning()) sessions.letGo(tracer);
    },
    askTicket(/** @type {number} */ scope, /** @type {number} */ tracer, /** @type {number} */ ms) {
      if (isRunning()) void tickets.ask(core, tracer, scope, ms);
    },
    abort: (/** @type {number} */ flight) => aborts.get(flight)?.abort(),
    /** @type {Host["send"]} */
    send(scope, flight, transport, timeoutMs, keepalive, isApart, method, url, headers, body) {
      /** @type {RequestInit} */
      const init = { method, headers: parseJson(headers) };
      if (body) init.body = body;
      if (keepalive) init.keepalive = true;
      if (isApart && !isConnectionShared()) init.credentials = "omit";
      // The site's own requests take precedence.
      if (page) init.priority = "low";
      const fetch = () => untraced(() => fetchOf(transport)(url, init));
      const abort = newAbort();
      if (abort) aborts.set(flight, abort);
      inFlight.set(scope, (inFlight.get(scope) ?? 0) + 1);
      void (async () => {
        const answer = await send(fetch, init, timeoutMs, abort);
        aborts.delete(flight);
        const others = (inFlight.get(scope) ?? 1) - 1;
        if (others) inFlight.set(scope, others);
        else inFlight.delete(scope);
        const refusal = answer.status === NO_ANSWER ? page?.refusal(url) : undefined;
        core.requestAnswered(flight, answer.status, answer.retryAfter, refusal ?? answer.body);
        loops.look(scope);
      })();
    },
  });
}

/**
 * Adds functions that may call the core: they run code of the application's, or release an idle tracer. Meanwhile the
 * host clears `isInside`, because such a call does not mean that the browser ended the script in the middle of a call.
 * @template {{ isInside: boolean }} H
 * @template {Record<string, (...given: any[]) => unknown>} F
 * @param {H} host
 * @param {F} functions
 * @returns {H & F}
 */
function steppingOut(host, functions) {
  /** @type {Record<string, Function>} */
  const outside = {};
  each(Object.keys(functions), (name) => {
    const call = /** @type {Function} */ (functions[name]);
    outside[name] = (/** @type {any[]} */ ...given) => {
      const before = host.isInside;
      host.isInside = false;
      const result = apply(call, undefined, given);
      host.isInside = before;
      return result;
    };
  });
  return Object.assign(host, /** @type {any} */ (outside));
}
