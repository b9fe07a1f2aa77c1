// The face's record of one session. It is made synchronously, so that calls can name it before the core has started, and
// registered with the core afterwards. It outlives the instance of the core. Users hold the Tracer around it.

import { attempt, messageOf, weakly } from "./guard.js";
import { newSessionId, sessionIdOf } from "./ids.js";
import { printAt } from "./log.js";
import { redactJson } from "./redact.js";

/** @import { Core } from "./core.d.ts" */

/**
 * The number of each function that an application passed. Tracers with the same `fetch` share what is known of its server,
 * and those with the same `ticket` share its tickets.
 * @type {WeakMap<Function, number>}
 */
const numbers = new WeakMap();
let lastNumber = 0;

/**
 * @param {Function} fn
 * @returns {number} above 0
 */
export function numberOf(fn) {
  const number = numbers.get(fn) ?? ++lastNumber;
  numbers.set(fn, number);
  return number;
}

/** The instance of the core in which a session is registered, and the tracer there. */
export class Home {
  /**
   * @param {Core | undefined} core
   * @param {number} tracer
   * @param {number} [delivered] how many outcomes the instance does not know
   * @param {number} [dropped]
   */
  constructor(core, tracer, delivered = 0, dropped = 0) {
    this.core = core;
    this.tracer = tracer;
    this.delivered = delivered;
    this.dropped = dropped;
  }

  /** Releases the tracer. */
  release() {
    this.core?.release(this.tracer);
    this.core = undefined;
  }

  /** @param {"delivered" | "dropped"} end of an enrichment that the instance does not know */
  count(end) {
    this[end]++;
  }
}

export class Session {
  /**
   * The core's description of it, without the id. Sessions with the same options share one description.
   * @type {Readonly<Omit<import("./core.d.ts").TracerInfo, "tracer" | "sessionId">> | undefined}
   */
  description;
  /** Where it is registered. @type {Home | undefined} */
  home;
  delivered = 0;
  dropped = 0;
  closed = false;
  /** @type {import("../index.d.ts").Tracer | undefined} */
  #tracer;
  /** @type {{ deref(): Session | undefined } | undefined} */
  #weak;
  /** @type {import("./context/scopes.js").WaitUntilScope | undefined} */
  #scope;

  /**
   * @param {import("./settings.js").Settings} settings
   * @param {boolean} ambient whether a call without a tracer may reach it from outside any context
   * @param {Session} [parent]
   */
  constructor(settings, ambient, parent) {
    this.settings = settings;
    this.ambient = ambient;
    this.parent = parent;
    /** The id that it gets if the options name none. Once it is registered, the session's actual id. */
    this.id = attempt(newSessionId);
  }

  /** @returns {string | undefined} its id, which is made now if there were no random numbers before */
  ensureId() {
    return (this.id ??= attempt(newSessionId));
  }

  /** The number of its `fetch`; 0 for the runtime's. */
  get transport() {
    const { fetch } = this.settings;
    return fetch ? numberOf(fetch) : 0;
  }

  get logLevel() {
    return this.settings.scalars.logLevel;
  }

  /** Identifies it without holding it, if the runtime has weak references. */
  get weak() {
    return (this.#weak ??= weakly(this));
  }

  /**
   * The tracer that the application holds, and that its `redact` or `onDrop` may hold.
   * @param {() => import("../index.d.ts").Tracer} make
   */
  getOrMakeTracer(make) {
    return (this.#tracer ??= make());
  }

  /**
   * The scope of its own `waitUntil`. Few sessions have one.
   * @param {() => import("./context/scopes.js").WaitUntilScope | undefined} make
   */
  getOrMakeScope(make) {
    return (this.#scope ??= make());
  }

  /** @param {Core} core @returns {boolean} whether it is registered there */
  isAt(core) {
    return this.home?.core === core;
  }

  /**
   * Notes that it is registered in an instance.
   * @param {Core} core
   * @param {number} tracer
   * @returns {Home}
   */
  moveTo(core, tracer) {
    return (this.home = new Home(core, tracer, this.delivered, this.dropped));
  }

  /**
   * @param {NonNullable<Session["description"]>} description
   * @param {string} id
   */
  describe(description, id) {
    this.description = description;
    this.rename(id);
  }

  /** @param {string} id */
  rename(id) {
    // The application was given the string of an id that stays, and a second copy would take memory.
    if (id !== this.id) this.id = id;
  }

  /**
   * Notes a ticket that is in use, so that the next instance of the core begins with it.
   * @param {unknown} ticket
   */
  useTicket(ticket) {
    const { settings } = this;
    this.settings = { ...settings, scalars: { ...settings.scalars, ticket } };
  }

  /** @returns {boolean} whether it was open until now */
  close() {
    const wasOpen = !this.closed;
    this.closed = true;
    return wasOpen;
  }

  /**
   * @param {"delivered" | "dropped"} end how an enrichment ended
   * @param {boolean} isOfCore whether the instance counts it as well
   */
  count(end, isOfCore) {
    this[end]++;
    if (!isOfCore) this.home?.count(end);
  }

  /**
   * @param {string} json
   * @param {string[]} [path]
   */
  redact(json, path) {
    const { redactor, rename } = this.settings.redaction;
    return redactor ? redactJson(redactor, json, path, rename) : json;
  }

  /**
   * Calls the application's `onDrop` in a later microtask, so that its code never runs inside the core's.
   * @param {() => object} dropped
   */
  async tellDropped(dropped) {
    const { onDrop } = this.settings;
    if (!onDrop) return;
    try {
      await undefined;
      await onDrop(dropped());
    } catch (error) {
      printAt(this.logLevel, "debug", `onDrop threw: ${messageOf(error)}`);
    }
  }
}

/**
 * The description of a tracer as far as it is known without the core.
 * @param {import("./core.d.ts").CoreOptions} options
 * @param {import("./core.d.ts").TracerInfo} [parent]
 */
export function plainInfo(options, parent) {
  const { sessionId, sessionName, project, source, env } = options;
  return {
    sessionId: sessionIdOf(text(sessionId) ?? "") ?? options.newSessionId,
    sessionName: text(sessionName) ?? parent?.sessionName ?? text(env.HH_SESSION_NAME) ?? "session",
    project: text(project) ?? parent?.project ?? text(env.HH_PROJECT),
    source: text(source) ?? parent?.source ?? text(env.HH_SOURCE) ?? "dev",
  };
}

/** @param {unknown} value */
function text(value) {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/**
 * A key that is the same for tracers that enrich the same session on the same server with the same API key.
 * @param {Session} session
 * @returns {string}
 */
export function sessionKey({ settings, id }) {
  const { sessionId, ticket, apiKey, serverUrl } = settings.scalars;
  // Without an id or ticket, no other tracer can enrich the same session.
  const own = text(sessionId) ?? text(ticket);
  if (own === undefined) return id ?? "";
  return `${own}\n${String(apiKey)}\n${String(serverUrl)}`;
}
