// The sessions that are registered with the core, each under the number of its tracer. They are held strongly only while
// the core has something of theirs: an application's onDrop may refer to its tracer, which otherwise could never be
// collected.

import { environment, pageOrigins } from "./env.js";
import { newRegistry, weakReference } from "./guard.js";
import { parseJson, plainJson } from "./json.js";
import { Home, numberOf, plainInfo } from "./session.js";

/** @import { Core, CoreOptions, TracerInfo } from "./core.d.ts" */
/** @import { EnginePlatform } from "./engine.js" */
/** @import { IdleSessions } from "./idle.js" */
/** @import { Instance } from "./instance.js" */
/** @import { Session } from "./session.js" */

/** How many descriptions are remembered for later sessions to share. */
const MAX_DESCRIPTIONS = 64;

export class RegisteredSessions {
  #instance;
  #variable;
  /** The sessions with something unsent, by tracer, from `hold` until `letGo`. @type {Map<number, Session>} */
  #busy = new Map();
  /**
   * All sessions that were not collected, by tracer. The core may give work to any of them.
   * @type {Map<number, { deref(): Session | undefined }>}
   */
  #known = new Map();
  /** Whether sessions can be known without being held. */
  #hasWeakReferences = weakReference(this) !== undefined;
  /**
   * The descriptions of sessions, by their JSON. Sessions with the same options share one description.
   * @type {Map<string, NonNullable<Session["description"]>>}
   */
  #descriptions = new Map();
  /**
   * The session of the call that is being made. Without weak references, nothing else refers to it once it was idle.
   * @type {Session | undefined}
   */
  #calling;
  /** The fetches of busy sessions, and how many of these have each. @type {Map<number, { fetch: Function, users: number }>} */
  #transports = new Map();
  /** Releases sessions that were collected. @type {FinalizationRegistry<Home> | undefined} */
  #collected;
  /** Releases the oldest idle sessions, where the runtime has no FinalizationRegistry. @type {IdleSessions | undefined} */
  #idle;

  /**
   * @param {Instance<Core>} instance
   * @param {Pick<EnginePlatform, "variable" | "newIdleSessions">} platform
   */
  constructor(instance, { variable, newIdleSessions }) {
    this.#instance = instance;
    this.#variable = variable;
    if (this.#hasWeakReferences) this.#collected = newRegistry((home) => this.#release(home));
    if (!this.#collected) this.#idle = newIdleSessions?.();
  }

  /**
   * The session's description by the core; until the core has described it, the best guess.
   * @param {Session} session
   * @returns {Omit<TracerInfo, "tracer">}
   */
  info(session) {
    const { id, description } = session;
    if (id !== undefined && description) return { sessionId: id, ...description };
    const parent = session.parent && this.info(session.parent);
    const options = this.#options(session);
    return {
      ...plainInfo(options, parent && { tracer: 0, ...parent }),
      enabled: parent?.enabled ?? false,
    };
  }

  /**
   * @param {Core} core
   * @param {Session} session
   * @param {number} scope
   * @returns {number | undefined} the tracer; undefined if there is no id for the session, or the instance died
   */
  register(core, session, scope) {
    if (session.home && session.isAt(core)) return session.home.tracer;
    const parent = session.parent && this.register(core, session.parent, scope);
    const options = this.#options(session);
    if (!options.newSessionId) return undefined;
    if (parent !== undefined) options.parent = parent;
    // The session was registered in an instance that has died, and keeps its id; a function's ticket names it again.
    if (session.description && !session.settings.ticket) options.sessionId = options.newSessionId;
    const totals = this.#idle?.totalsOf(session);
    if (totals?.json) options.totals = totals.json;
    const json = core.initTracer(plainJson(options), scope);
    if (!json) return undefined;
    /** @type {TracerInfo} */
    const info = parseJson(json);
    const { tracer, sessionId } = info;
    const description = this.#describe(info);
    session.describe(description, sessionId);
    const home = session.moveTo(core, tracer);
    if (totals) this.#idle?.register(home, totals);
    // In an instance that has died, nothing has to be released, and the call does nothing.
    this.#collected?.register(session, home);
    if (this.#hasWeakReferences) this.#known.set(tracer, session.weak);
    // The session's start is in flight.
    if (description.enabled) this.#hold(tracer, session);
    return tracer;
  }

  /**
   * Makes a call of the session's, which is reachable meanwhile.
   * @template T
   * @param {Session | undefined} session
   * @param {number} tracer
   * @param {() => T} call
   * @returns {T}
   */
  calling(session, tracer, call) {
    // Without weak references, the session could not be found when the core reports that it is busy.
    if (this.#idle && session?.description?.enabled) this.#hold(tracer, session);
    this.#calling = session;
    const id = call();
    this.#calling = undefined;
    return id;
  }

  /**
   * The tracer for a call that names only a session, and that tracer's session, if it was not collected.
   * @param {Core} core
   * @param {number} active
   * @param {string} sessionId
   * @param {number} scope
   * @returns {{ tracer: number, session: Session | undefined }}
   */
  resolve(core, active, sessionId, scope) {
    for (;;) {
      const tracer = core.resolveTracer(active, sessionId, scope) ?? 0;
      const session = this.reach(tracer);
      if (tracer === 0 || session || !this.#releaseLost(core, tracer)) return { tracer, session };
    }
  }

  /**
   * @param {number} tracer
   * @returns {Session | undefined} not collected before the end of this turn
   */
  reach(tracer) {
    const known = this.#busy.get(tracer) ?? this.#known.get(tracer)?.deref();
    if (known) return known;
    return this.#calling?.home?.tracer === tracer ? this.#calling : undefined;
  }

  /**
   * Releases the tracers whose session was collected.
   * @param {Core} core
   */
  releaseCollected(core) {
    const release = (/** @type {unknown} */ _, /** @type {number} */ tracer) => {
      if (!this.reach(tracer)) this.#releaseLost(core, tracer);
    };
    this.#known.forEach(release);
    this.#idle?.forEach(release);
  }

  /**
   * Holds a session and its fetch until the core reports that it is idle.
   * @param {number} tracer
   */
  hold(tracer) {
    const session = this.reach(tracer);
    if (session) this.#hold(tracer, session);
  }

  /** @param {number} tracer */
  letGo(tracer) {
    const session = this.#busy.get(tracer);
    this.#busy.delete(tracer);
    if (!session) return;
    const oldest = this.#idle?.add(session);
    if (oldest) {
      this.#idle?.keepTotals(oldest);
      this.#release(oldest);
    }
    const lent = this.#transports.get(session.transport);
    if (lent && --lent.users === 0) this.#transports.delete(session.transport);
  }

  /**
   * @param {number} transport
   * @returns {Function | undefined} the fetch of that number, if a session with it is busy
   */
  fetchOf(transport) {
    return this.#transports.get(transport)?.fetch;
  }

  /**
   * The first ticket has named the session of all tracers that waited for it.
   * @param {string | undefined} before
   * @param {string} id
   */
  rename(before, id) {
    this.#known.forEach((weak) => {
      const session = weak.deref();
      if (session?.id === before) session?.rename(id);
    });
  }

  /** The instance has died, and all registrations with it. */
  clear() {
    this.#busy.clear();
    this.#known.clear();
    this.#idle?.clear();
    this.#transports.clear();
  }

  /**
   * @param {number} tracer
   * @param {Session} session
   */
  #hold(tracer, session) {
    if (this.#busy.has(tracer)) return;
    this.#busy.set(tracer, session);
    this.#idle?.delete(tracer);
    const { transport, settings } = session;
    if (!settings.fetch) return;
    const lent = this.#transports.get(transport) ?? { fetch: settings.fetch, users: 0 };
    lent.users++;
    this.#transports.set(transport, lent);
  }

  /**
   * @param {TracerInfo} info
   * @returns {NonNullable<Session["description"]>} the description without the id
   */
  #describe(info) {
    const { sessionName, source, enabled, awaitsTicket } = info;
    const project = Object.hasOwn(info, "project") ? info.project : undefined;
    const description = { sessionName, project, source, enabled, awaitsTicket };
    const key = plainJson(description);
    const known = this.#descriptions.get(key);
    if (known) return known;
    if (this.#descriptions.size === MAX_DESCRIPTIONS) this.#descriptions.clear();
    this.#descriptions.set(key, description);
    return description;
  }

  /**
   * Releases a tracer whose session cannot be reached, so that it is given nothing that it could not send or mask. The
   * session was collected a moment ago; without a FinalizationRegistry it is idle, and is registered again when used.
   * @param {Core} core
   * @param {number} tracer
   * @returns {boolean} whether it was released
   */
  #releaseLost(core, tracer) {
    const idle = this.#idle?.get(tracer);
    if (idle ? !idle.isNeeded : !this.#known.has(tracer)) return false;
    this.#release(idle?.home ?? new Home(core, tracer));
    return true;
  }

  /** @param {Home} home */
  #release(home) {
    const { core, tracer } = home;
    home.release();
    if (core !== this.#instance.core) return;
    this.#known.delete(tracer);
    this.#idle?.delete(tracer);
  }

  /**
   * @param {Session} session
   * @returns {CoreOptions}
   */
  #options(session) {
    const { settings } = session;
    const { redact, redactKeys, redactPatterns, redactor } = settings.redaction;
    return {
      ...settings.scalars,
      headers: settings.headers,
      redact,
      redactKeys,
      redactPatterns,
      redactor: redactor !== undefined,
      start: settings.start,
      newSessionId: session.ensureId() ?? "",
      transport: session.transport,
      ticketSource: settings.ticket && numberOf(settings.ticket),
      onDrop: settings.onDrop !== undefined,
      env: environment(this.#variable, undefined, settings.scalars.logLevel),
      ambient: session.ambient,
      ...pageOrigins(),
    };
  }
}
