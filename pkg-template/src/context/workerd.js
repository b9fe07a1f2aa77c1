// Cloudflare Workers: requests share one isolate and must not touch one another's I/O, and without flags
// nothing says outright which request is being served. Three things together do:
//  - the active span, an object of the runtime's that each request has one of (a Durable Object's events
//    too), found in no time;
//  - a marker that only its own request may read. It confirms what the span says, and finds the request
//    from inside a span of the application's own;
//  - `withEnv`, an environment that follows a function across its awaits, carries `run`.
// https://developers.cloudflare.com/workers/runtime-apis/context/

import { attempt, weakly } from "../guard.js";
import { sessionKey } from "../session.js";
import { enterLazily } from "../thenables.js";
import { numberEntered } from "./entered.js";
import { Runs } from "./page.js";
import { callWaitUntil } from "./scopes.js";

/** @import { Session } from "../session.js" */

/**
 * A request, or whatever else has the runtime's attention (a queue's batch, an alarm), as seen from one span.
 * @typedef {object} Scope
 * @property {number} id
 * @property {{ readyState: unknown }} marker
 * @property {Session | undefined} session last initialised in it
 * @property {number} number of that session, see `numberEntered`
 * @property {Set<Session>} found by their markers, where none was
 * @property {number} searched how many of the sessions ever entered have been looked through for that
 */

/**
 * Sessions looked through, by their markers, for a span that has none of its own. Each look that fails
 * costs the runtime an exception, some 30 µs.
 */
const MAX_SEARCHED = 512;

/** Functions of the callers' own to keep a request alive that are held at a time. */
const MAX_WAIT_UNTIL = 1000;

const ENV_KEY = Symbol.for("honeyhive-edge.session");
const ENV_NUMBER = Symbol.for("honeyhive-edge.sessionNumber");

/**
 * @param {any} workers the module "cloudflare:workers"
 * @returns {import("./context.d.ts").Context}
 */
export function workerdContext(workers) {
  let lastId = 0;
  /** @type {WeakMap<object, Scope>} */
  const bySpan = new WeakMap();
  /** Where sessions were initialised, newest last; weakly where their span holds them. @type {{ deref(): Scope | undefined }[]} */
  const entered = [];
  /** How many were taken from the front of the list. */
  let forgotten = 0;
  /** Whether any of those may still be served. */
  let forgot = false;
  /** @type {Map<number, (promise: Promise<unknown>) => void>} */
  const waitUntils = new Map();
  const runs = new Runs();
  /** Initialised at the Worker's top level, where there is no request: any request may mean them. @type {Set<Session>} */
  const topLevel = new Set();

  /** @returns {object | undefined} */
  const activeSpan = () => attempt(() => workers.tracing.getActiveSpan(), undefined);

  /** @param {{ readyState: unknown }} marker */
  const isReadable = (marker) => attempt(() => marker.readyState !== undefined, false);

  /** @returns {Scope | undefined} undefined at the top level */
  const current = () => {
    const span = activeSpan();
    const known = span && bySpan.get(span);
    if (known && isReadable(known.marker)) return known;
    const { WebSocketPair } = /** @type {any} */ (globalThis);
    const marker = attempt(() => new WebSocketPair()[0], undefined);
    if (!marker || !isReadable(marker)) return undefined;
    const scope = {
      id: ++lastId,
      marker,
      session: undefined,
      number: 0,
      found: new Set(),
      searched: 0,
    };
    // In a runtime without spans each call has a scope of its own: its requests are merged less.
    if (span) bySpan.set(span, scope);
    return scope;
  };

  /**
   * The session of the request whose markers can be read here. A Durable Object's events can all read one
   * another's: where that makes more than one session, it is not known which is meant.
   * @param {Scope} scope without a session of its own
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
    // If the request may have had a session that can not be found any more, no other is meant.
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
      // A copy, so that code which lists or spreads the environment sees what it would see without us.
      const number = numberEntered();
      const enter = (/** @type {() => any} */ part) =>
        workers.withEnv({ ...workers.env, [ENV_KEY]: session, [ENV_NUMBER]: number }, part);
      return enterLazily(enter(fn), enter);
    },
    here() {
      const run = attempt(() => workers.env[ENV_KEY], undefined) ?? runs.inner;
      if (run) return run;
      const scope = current();
      return scope && (scope.session ?? search(scope));
    },
    entered() {
      const number = attempt(() => workers.env[ENV_NUMBER], undefined);
      if (number !== undefined || runs.inner) return { by: 2, number: number ?? runs.innerNumber };
      const scope = current();
      return scope?.session ? { by: 1, number: scope.number } : { by: 0, number: 0 };
    },
    scope(session) {
      const scope = current();
      if (!scope) return 0;
      const own = session?.settings.waitUntil;
      // A session kept from an earlier request brings that request's function, which is of no use here.
      if (own && (session.scope ??= { id: scope.id, waitUntil: own }).id === scope.id) {
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
 * @returns {Session | undefined} the last of them, if all are of one session
 */
function onlyOf(tracers) {
  const keys = new Set(tracers.map(sessionKey));
  return keys.size === 1 ? tracers.at(-1) : undefined;
}
