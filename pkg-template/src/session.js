// The face's record of one session. It is made synchronously, so that calls can name it before the core has started, and
// registered with the core afterwards. It outlives the instance of the core. Users hold the Tracer around it.

import { Promise } from "./globals.js";
import { attempt, messageOf } from "./guard.js";
import { newSessionId, sessionIdOf } from "./ids.js";
import { printAt } from "./log.js";
import { redactJson } from "./redact.js";

/** @import { Core } from "./core.d.ts" */

/** The callers' own fetches, by number: tracers that have the same one share what is known of its server. @type {WeakMap<Function, number>} */
const transports = new WeakMap();
let lastTransport = 0;

/** @type {WeakMap<Session, import("./context/scopes.js").Scope>} */
const scopes = new WeakMap();

export class Session {
  /**
   * What the core said of it at the last registration, beside its id. Not its own: others are described alike.
   * @type {Readonly<Omit<import("./core.d.ts").TracerInfo, "tracer" | "sessionId">> | undefined}
   */
  description;
  /**
   * Where it is registered, until that instance lets go of it; the outcomes that instance knows nothing of, whether
   * nothing can be sent without what it came with, and what its session's metrics added up to when a tracer of it
   * was let go of.
   * @type {{ core: Core | undefined, tracer: number, delivered: number, dropped: number, isNeeded: boolean, totals: { json: string } | undefined } | undefined}
   */
  home;
  delivered = 0;
  dropped = 0;
  closed = false;
  /** What its users hold, and what a redaction or onDrop of theirs may hold. @type {import("../index.d.ts").Tracer | undefined} */
  tracer;
  /** To be known by, and not held. @type {WeakRef<Session> | undefined} */
  weak;

  /**
   * @param {import("./settings.js").Settings} settings
   * @param {boolean} ambient may a bare call from outside any context reach it?
   * @param {Session} [parent]
   */
  constructor(settings, ambient, parent) {
    this.settings = settings;
    this.ambient = ambient;
    this.parent = parent;
    /**
     * The id it gets if it has none, made at the first registration if there are no random numbers yet. From then on the
     * id it has.
     */
    this.id = attempt(newSessionId, undefined);
  }

  /** Made of its own `waitUntil`, where it has one; few have. @type {import("./context/scopes.js").Scope | undefined} */
  get scope() {
    return scopes.get(this);
  }

  set scope(scope) {
    if (scope) scopes.set(this, scope);
  }

  /** The number of its fetch: 0 for the global one. */
  get transport() {
    const { fetch } = this.settings;
    if (!fetch) return 0;
    const transport = transports.get(fetch) ?? ++lastTransport;
    transports.set(fetch, transport);
    return transport;
  }

  get logLevel() {
    return this.settings.scalars.logLevel;
  }

  /** @param {Core} core @returns {boolean} whether it is registered there */
  isAt(core) {
    return this.home?.core === core;
  }

  /**
   * It is registered from now on.
   * @param {Core} core
   * @param {number} tracer
   * @param {{ json: string } | undefined} totals
   * @returns {NonNullable<Session["home"]>}
   */
  moveTo(core, tracer, totals) {
    const { delivered, dropped, settings } = this;
    const isNeeded = settings.fetch !== undefined || settings.redaction.redactor !== undefined;
    return (this.home = { core, tracer, delivered, dropped, isNeeded, totals });
  }

  /**
   * @param {"delivered" | "dropped"} end of an enrichment
   * @param {boolean} isOfCore whether the instance counts it as well
   */
  count(end, isOfCore) {
    this[end]++;
    if (!isOfCore && this.home) this.home[end]++;
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
   * Tells the caller's onDrop, later, so that its code never runs inside the core's.
   * @param {() => object} dropped
   */
  tellDropped(dropped) {
    const { onDrop } = this.settings;
    if (!onDrop) return;
    Promise.resolve()
      .then(() => onDrop(dropped()))
      .catch((error) => printAt(this.logLevel, "debug", `onDrop threw: ${messageOf(error)}`));
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
