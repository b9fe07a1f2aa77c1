// Cloudflare Workers: requests share one isolate and must not touch one another's I/O, and without flags
// nothing says outright which request is being served. Three things together do:
//  - the active span, an object of the runtime's that each request has one of (a Durable Object's events
//    too), found in no time;
//  - a marker that only its own request may read. It confirms what the span says, and finds the request
//    from inside a span of the application's own;
//  - `withEnv`, an environment that follows a function across its awaits, carries `run`.
// https://developers.cloudflare.com/workers/runtime-apis/context/

import { attempt } from "../guard.js";
import { Runs } from "./page.js";
import { callWaitUntil } from "./scopes.js";

/** @import { Session } from "../session.js" */

/**
 * A request, or whatever else has the runtime's attention: a queue's batch, an alarm.
 * @typedef {object} Scope
 * @property {number} id
 * @property {{ readyState: unknown }} marker
 * @property {Session | undefined} session last initialised in it
 * @property {((promise: Promise<unknown>) => void) | undefined} waitUntil the caller's
 */

/**
 * How many requests are looked through for one whose span is not known; each look that fails costs the
 * runtime an exception, some 30 µs.
 */
const MAX_SEARCHED = 128;

const ENV_KEY = Symbol.for("honeyhive-edge.session");

/**
 * @param {any} workers the module "cloudflare:workers"
 * @returns {import("./context.d.ts").Context}
 */
export function workerdContext(workers) {
  let lastId = 0;
  /** @type {WeakMap<object, Scope>} */
  const bySpan = new WeakMap();
  /** The latest, newest last; weakly where the runtime has weak references. @type {{ deref(): Scope | undefined }[]} */
  const recent = [];
  const runs = new Runs();
  /** Initialised at the Worker's top level, where there is no request: any request may mean them. @type {Set<Session>} */
  const global = new Set();

  /** @returns {object | undefined} */
  const activeSpan = () => attempt(() => workers.tracing.getActiveSpan(), undefined);

  /** @param {Scope} scope */
  const isHere = (scope) => attempt(() => scope.marker.readyState !== undefined, false);

  /**
   * @param {object | undefined} span
   * @returns {Scope | undefined}
   */
  const known = (span) => {
    const scope = span && bySpan.get(span);
    return scope && isHere(scope) ? scope : undefined;
  };

  /**
   * @param {object | undefined} span
   * @returns {Scope | undefined} undefined at the top level
   */
  const create = (span) => {
    // Throws at the top level, as all I/O does there.
    const marker = attempt(() => new (/** @type {any} */ (globalThis).WebSocketPair)()[0], undefined);
    if (!marker || !isHere({ id: 0, marker, session: undefined, waitUntil: undefined })) {
      return undefined;
    }
    const scope = { id: ++lastId, marker, session: undefined, waitUntil: undefined };
    if (span) bySpan.set(span, scope);
    recent.push(typeof WeakRef === "function" ? new WeakRef(scope) : { deref: () => scope });
    if (recent.length > MAX_SEARCHED) recent.shift();
    return scope;
  };

  /**
   * By the markers. A Durable Object's events can all read each other's: where two of them have a session
   * of their own it is not known which is meant.
   * @param {object | undefined} span
   * @returns {Scope | undefined}
   */
  const search = (span) => {
    const found = recent.map((ref) => ref.deref()).filter((scope) => scope && isHere(scope));
    const sessions = new Set(found.map((scope) => scope?.session).filter(Boolean));
    if (sessions.size > 1) return undefined;
    const scope = found.findLast((one) => one?.session) ?? found.at(-1);
    if (scope && span) bySpan.set(span, scope);
    return scope;
  };

  /** @returns {Session | undefined} */
  const running = () => attempt(() => workers.env[ENV_KEY], undefined) ?? runs.inner;

  return {
    enter(session) {
      const span = activeSpan();
      const scope = known(span) ?? create(span);
      if (scope) scope.session = session;
      else global.add(session);
    },
    run(session, fn) {
      if (typeof workers.withEnv !== "function") return runs.run(session, fn);
      // A copy, so that code which lists or spreads the environment sees what it would see without us.
      return workers.withEnv({ ...workers.env, [ENV_KEY]: session }, fn);
    },
    here() {
      const run = running();
      if (run) return run;
      const span = activeSpan();
      const session = (known(span) ?? search(span))?.session;
      if (session) return session;
      const [only] = global;
      return global.size === 1 ? only : undefined;
    },
    scope(session) {
      const span = activeSpan();
      // Two scopes for one request do no harm; asking all markers at each call would.
      const scope = known(span) ?? (span ? undefined : search(span)) ?? create(span);
      if (!scope) return 0;
      const own = session?.settings.waitUntil;
      // A session kept from an earlier request brings that request's function, which is of no use here.
      if (own && (session.scope ??= { id: scope.id, waitUntil: own }).id === scope.id) {
        scope.waitUntil = own;
      }
      return scope.id;
    },
    waitUntil(id, promise) {
      const own = recent.map((ref) => ref.deref()).find((scope) => scope?.id === id)?.waitUntil;
      if (own && callWaitUntil(own, promise)) return true;
      return typeof workers.waitUntil === "function" && callWaitUntil(workers.waitUntil, promise);
    },
    opened() {},
    closed: (session) => void global.delete(session),
  };
}
