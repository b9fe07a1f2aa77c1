// The context in Cloudflare Workers. Requests share one isolate and must not use each other's I/O, and without
// compatibility flags no API names the request that is being served. Three APIs together identify it:
//  - The active span is an object of which each request, and each event of a Durable Object, has one. Reading it is
//    cheap.
//  - A marker can only be read by the request that made it. It confirms the span, and it identifies the request inside
//    a span that the application started.
//  - `withEnv` sets an environment that follows a function across its awaits. It carries the session of `run`.
// https://developers.cloudflare.com/workers/runtime-apis/context/

import { attempt, weakly } from "../guard.js";
import { sessionKey } from "../session.js";
import { enterLazily } from "../thenables.js";
import { numberEntered } from "./entered.js";
import { Runs } from "./page.js";
import { callWaitUntil } from "./scopes.js";

/** @import { Session } from "../session.js" */

/**
 * A request, or another event that a Worker handles (a queue's batch, an alarm), as seen from one span.
 * @typedef {object} RequestScope
 * @property {number} id
 * @property {{ readyState: unknown }} marker
 * @property {Session | undefined} session the session that was last initialised in it
 * @property {number} number the number of that session, as `numberEntered` gave it
 * @property {Set<Session>} found the sessions that its markers identify, if none was initialised in this span
 * @property {number} searched how many entries of all sessions that were entered have been searched for `found`
 */

/**
 * How many sessions are searched, by their markers, for a span without a session of its own. Reading another request's
 * marker throws, which takes some 30 µs.
 */
const MAX_SEARCHED = 512;

/** How many of the application's own `waitUntil` functions are held at a time. */
const MAX_WAIT_UNTIL = 1000;

const ENV_KEY = Symbol.for("honeyhive-edge.session");
const ENV_NUMBER = Symbol.for("honeyhive-edge.sessionNumber");

/**
 * @param {any} workers the module "cloudflare:workers"
 * @returns {import("./context.d.ts").Context}
 */
export function workerdContext(workers) {
  let lastId = 0;
  /** @type {WeakMap<object, RequestScope>} */
  const bySpan = new WeakMap();
  /** The scopes in which sessions were initialised, newest last; held weakly if a span holds them. @type {{ deref(): RequestScope | undefined }[]} */
  const entered = [];
  /** How many scopes were removed from the front of that list. */
  let forgotten = 0;
  /** Whether a request of a removed scope may still be running. */
  let forgot = false;
  /** @type {Map<number, (promise: Promise<unknown>) => void>} */
  const waitUntils = new Map();
  const runs = new Runs();
  /** The sessions that were initialised at the Worker's top level, outside of any request: every request may use them. @type {Set<Session>} */
  const topLevel = new Set();

  /** @returns {object | undefined} */
  const activeSpan = () => attempt(() => workers.tracing.getActiveSpan());

  /** @param {{ readyState: unknown }} marker */
  const isReadable = (marker) => attempt(() => marker.readyState !== undefined, false);

  /** @returns {RequestScope | undefined} undefined at the top level */
  const current = () => {
    const span = activeSpan();
    const known = span && bySpan.get(span);
    if (known && isReadable(known.marker)) return known;
    const { WebSocketPair } = /** @type {any} */ (globalThis);
    const marker = attempt(() => new WebSocketPair()[0]);
    if (!marker || !isReadable(marker)) return undefined;
    const scope = {
      id: ++lastId,
      marker,
      session: undefined,
      number: 0,
      found: new Set(),
      searched: 0,
    };
    // In a runtime without spans, each call has a scope of its own, and fewer enrichments share a request.
    if (span) bySpan.set(span, scope);
    return scope;
  };

  /**
   * The session of the request whose marker can be read here. All events of a Durable Object can read each other's
   * markers. If that finds more than one session, it is unknown which one the caller means.
   * @param {RequestScope} scope has no session of its own
   * @returns {Session | undefined}
   */
  const search = (scope) => {
    for (const ref of entered.slice(Math.max(scope.searched - forgotten, 0))) {
      const other = ref.deref();
      if (other?.session && isReadable(other.marker)) scope.found.add(other.session);
    }
    scope.searched = forgotten + entered.length;
    const open = [...scope.found].filter((session) => !session.closed);
    if (open.length > 0) return onlyOf(open);
    // The request may have had a session that was removed from the list. Then no other session may take its place.
    return forgot ? undefined : onlyOf([...topLevel]);
  };

  return {
    enter(session) {
      const scope = current();
      if (!scope) {
        topLevel.add(session);
        return;
      }
      scope.session = session;
      scope.number = numberEntered();
      entered.push(activeSpan() ? weakly(scope) : { deref: () => scope });
      if (entered.length <= MAX_SEARCHED) return;
      if (entered.shift()?.deref()) forgot = true;
      forgotten++;
    },
    run(session, fn) {
      if (typeof workers.withEnv !== "function") return runs.run(session, fn);
      // A copy with symbols as keys, so that code which lists the environment sees no difference.
      const number = numberEntered();
      const enter = (/** @type {() => any} */ part) =>
        workers.withEnv({ ...workers.env, [ENV_KEY]: session, [ENV_NUMBER]: number }, part);
      return enterLazily(enter(fn), enter);
    },
    here() {
      const run = attempt(() => workers.env[ENV_KEY]) ?? runs.inner;
      if (run) return run;
      const scope = current();
      return scope && (scope.session ?? search(scope));
    },
    entered() {
      const number = attempt(() => workers.env[ENV_NUMBER]);
      if (number !== undefined || runs.inner) return { by: 2, number: number ?? runs.innerNumber };
      const scope = current();
      return scope?.session ? { by: 1, number: scope.number } : { by: 0, number: 0 };
    },
    scope(session) {
      const scope = current();
      if (!scope) return 0;
      const own = session?.settings.waitUntil;
      // A session that was kept from an earlier request has that request's function, which does nothing here.
      if (
        own &&
        session.getOrMakeScope(() => ({ id: scope.id, waitUntil: own }))?.id === scope.id
      ) {
        waitUntils.set(scope.id, own);
        if (waitUntils.size > MAX_WAIT_UNTIL)
          waitUntils.delete(waitUntils.keys().next().value ?? 0);
      }
      return scope.id;
    },
    waitUntil(id, promise) {
      const own = waitUntils.get(id);
      if (own && callWaitUntil(own, promise)) return true;
      return typeof workers.waitUntil === "function" && callWaitUntil(workers.waitUntil, promise);
    },
    opened() {},
    closed: (session) => void topLevel.delete(session),
  };
}

/**
 * @param {Session[]} tracers
 * @returns {Session | undefined} the last one, if all of them belong to one session
 */
function onlyOf(tracers) {
  const keys = new Set(tracers.map(sessionKey));
  return keys.size === 1 ? tracers.at(-1) : undefined;
}
