// The public functions, the same on every runtime: each finds the tracer for the call, takes a snapshot of the arguments,
// and passes it to the engine. None of them throws or rejects, except with what the application's own function in `run`
// or `withSession` throws.

import { joinCopies } from "./context/entered.js";
import { Engine } from "./engine.js";
import { attempt, messageOf, read, readGiven, tagOf } from "./guard.js";
import { sessionIdOf } from "./ids.js";
import { each, filtered } from "./lists.js";
import { enrichmentFields } from "./names.js";
import { Session } from "./session.js";
import { sessionSettings, tracerSettings } from "./settings.js";
import { snapshot } from "./snapshot.js";
import { adopted } from "./thenables.js";
import { tracerClass } from "./tracer.js";

/** @import { Delivery, EventDelivery, FlushReport, ReadResult, Tracer as PublicTracer } from "../index.d.ts" */

/**
 * The differences between runtimes.
 * @typedef {import("./engine.js").EnginePlatform & ApiPlatform} TracerPlatform
 *
 * @typedef {object} ApiPlatform
 * @property {() => import("./context/context.d.ts").Context} newContext
 * @property {typeof import("./reading.js").readBack} [readBack] reads events back; a bundled page does not
 * @property {(variable: (name: string) => unknown) => boolean} [freezesAfterAnswer] whether the platform freezes the process
 *   after a response
 */

const FLUSH_TIMEOUT_MS = 10_000;

const NO_SESSION =
  "no session is active here, or several could be meant: call initTracer() first, call tracer.enrichSession() or pass { tracer }, or run this inside tracer.run()";
const NO_ID = "the session id is not a string, so nothing was sent: pass the id as a string";
const NO_EVENT_ID =
  "enrichEvent takes the event's id first, as in enrichEvent(eventId, { feedback: { rating: 5 } })";
const NO_TRACER =
  "`tracer` is not a tracer, so nothing was sent: pass the object that initTracer() resolves to";
/** Bytes that the backend takes in one request: in a text of more characters there are more. */
const MAX_REQUEST_CHARS = 5_000_000;

const TOO_LARGE =
  "an enrichment of over 5000000 bytes is more than the backend takes in one request (5 MB): send less, or store it elsewhere and enrich with its address";
const BROKEN = "honeyhive-edge failed in this call; later calls work again";
const NO_FIELDS = "the first argument is neither a session id nor an object of fields";
const NOTHING_STORABLE =
  'the enrichment has nothing that can be stored (functions, symbols, NaN and promises cannot): pass values, as in enrichSession({ metadata: { plan: "pro" } })';

/** Matches the JSON of fields without any value, which is at most `LONGEST_BLANK` characters long. */
const BLANK = /^\{(?:"[^"\\]*":(?:null|\{\})(?:,(?=")|(?=\})))*\}$/;
const LONGEST_BLANK = 512;

export class Api {
  #engine;
  #platform;
  #Tracer = tracerClass(this);
  /** @type {import("./context/context.d.ts").Context | undefined} */
  #madeContext;

  /** @param {TracerPlatform} platform */
  constructor(platform) {
    this.#platform = platform;
    this.#engine = new Engine(platform, () => this.#context);
  }

  /** Made at the first call: nothing happens at import. */
  get #context() {
    if (this.#madeContext) return this.#madeContext;
    const context = (this.#madeContext = this.#platform.newContext());
    joinCopies(this);
    return context;
  }

  /** @param {unknown} options */
  initTracer(options) {
    const session = this.#newSession(tracerSettings(options), true);
    // Before anything is awaited: only now is this still the caller's async context.
    this.#context.enter(session);
    return this.#opened(session);
  }

  /** @param {Session} session */
  async #opened(session) {
    await this.#open(session);
    return this.#tracer(session);
  }

  /**
   * @template T
   * @param {unknown} options
   * @param {(tracer: PublicTracer) => T | Promise<T>} fn
   * @returns {Promise<T>}
   */
  async withSession(options, fn) {
    // Not ambient: once left, the session is reached by its tracer only.
    const session = this.#newSession(tracerSettings(options), false);
    await this.#open(session);
    try {
      if (typeof fn !== "function") return fn;
      return await this.#context.run(session, () => adopted(fn(this.#tracer(session))));
    } finally {
      const flushed = this.flush(session, undefined);
      const isKept = this.#context.waitUntil(this.#context.scope(session), flushed);
      // Elsewhere the delivery goes on by itself: no answer is held back by a backend that is slow or down.
      const { freezesAfterAnswer, variable } = this.#platform;
      if (!isKept && freezesAfterAnswer?.(variable)) await flushed;
    }
  }

  /** @returns {PublicTracer | undefined} */
  activeTracer() {
    const session = this.#context.here();
    return session && !session.closed ? this.#tracer(session) : undefined;
  }

  /** @returns {import("./context/entered.js").Active | undefined} what other copies of the package ask for */
  active() {
    const tracer = this.activeTracer();
    return tracer && { tracer, entered: this.#context.entered() };
  }

  /**
   * @param {Session | undefined} session whose tracer was called; undefined for the bare function
   * @param {any} [first] an id, or the parameters
   * @param {any} [second] the parameters, after an id
   * @returns {Promise<Delivery>}
   */
  enrichSession(session, first, second) {
    try {
      return this.#enrichSession(session, first, second);
    } catch (error) {
      return this.#broken(session, error);
    }
  }

  /**
   * @param {Session | undefined} session
   * @param {any} first
   * @param {any} second
   * @returns {Promise<Delivery>}
   */
  #enrichSession(session, first, second) {
    const positional = typeof first === "string" || first === undefined || first === null;
    const params = positional ? second : first;
    if (!positional && typeof first !== "object")
      return this.#refuse(session, "invalid", NO_FIELDS);
    const sessionId = first && positional ? first : firstGiven(params, "sessionId", "session_id");
    const { target, isNamed, tracer } = this.#targetOf(session, params);
    if (tracer !== undefined && !target) {
      return this.#elsewhere(tracer, "enrichSession", sessionId, params);
    }
    if (sessionId !== undefined && typeof sessionId !== "string") {
      return this.#refuse(target, "invalid", NO_ID);
    }
    // With an id, the core can tell whether the open tracers leave any doubt about whose key to use.
    if (!target && sessionId === undefined) return this.#refuse(target, "no_session", NO_SESSION);
    const fields = attempt(() => enrichmentFields(params), params);
    const json = fieldsOf(fields);
    const named = sessionId && { sessionId };
    if (json === undefined) return this.#refuse(target, "too_large", TOO_LARGE, named);
    const lost = attempt(() => lostNames(fields), "");
    if (json.length <= LONGEST_BLANK && BLANK.test(json) && isMoreThanNothing(fields)) {
      return this.#refuse(target, "invalid", NOTHING_STORABLE, named);
    }
    if (lost) {
      const what = `${lost}: a function, a symbol or NaN cannot be stored`;
      this.#engine.warn(target, `${what}, and was left out; the rest of the call is sent`);
    }
    return this.#enrich(target, isNamed, { sessionId }, json);
  }

  /**
   * @param {Session | undefined} session whose tracer was called; undefined for the bare function
   * @param {unknown} named the event's id
   * @param {any} params
   * @returns {Promise<EventDelivery>}
   */
  enrichEvent(session, named, params) {
    try {
      return this.#enrichEvent(session, named, params);
    } catch (error) {
      return this.#broken(session, error, {});
    }
  }

  /**
   * @param {Session | undefined} session
   * @param {unknown} named
   * @param {any} params
   * @returns {Promise<EventDelivery>}
   */
  #enrichEvent(session, named, params) {
    const { target, isNamed, tracer } = this.#targetOf(session, params);
    if (tracer !== undefined && !target) {
      return /** @type {any} */ (this.#elsewhere(tracer, "enrichEvent", named, params));
    }
    const eventId = typeof named === "string" ? sessionIdOf(named) : undefined;
    if (eventId === undefined) return this.#refuse(target, "invalid", NO_EVENT_ID, {});
    const json = fieldsOf(params);
    if (json === undefined) return this.#refuse(target, "too_large", TOO_LARGE, { eventId });
    return /** @type {any} */ (this.#enrich(target, isNamed, { eventId }, json));
  }

  /**
   * @param {Session | undefined} session whose tracer was called
   * @param {unknown} params that may name a tracer
   * @returns {{ target: Session | undefined, isNamed: boolean, tracer?: unknown }} the session to enrich, whether the caller
   *   named its tracer, and the tracer that was named in the parameters
   */
  #targetOf(session, params) {
    if (session) return { target: session, isNamed: true };
    const tracer = firstGiven(params, "tracer", "tracerInstance", "tracer_instance");
    if (tracer === undefined) return { target: this.#context.here(), isNamed: false };
    return { target: this.#Tracer.session(tracer), isNamed: true, tracer };
  }

  /**
   * @param {Session | undefined} target
   * @param {boolean} isNamed
   * @param {import("./outcomes.js").Where} where
   * @param {string} json
   */
  #enrich(target, isNamed, where, json) {
    return this.#engine.enrich(target, isNamed, where, json, this.#context.scope(target));
  }

  /**
   * @param {Session} session
   * @param {unknown} increments
   * @returns {Promise<Delivery>}
   */
  addMetrics(session, increments) {
    try {
      const json = session.redact(snapshot(increments), ["metrics"]);
      const scope = this.#context.scope(session);
      /** @type {import("./engine.js").TracerCall} */
      const call = (core, id) => core.addMetrics(id, json, scope);
      return this.#engine.deliver(session, scope, call, json.length);
    } catch (error) {
      return this.#broken(session, error);
    }
  }

  /**
   * Reads an event with the tracer's key, within the call's own request. Nothing is queued.
   * @param {Session} session
   * @param {unknown} named
   * @param {boolean} isSession where nothing is named, the tracer's own
   * @returns {Promise<ReadResult>}
   */
  async read(session, named, isSession) {
    const { readBack } = this.#platform;
    if (!readBack) {
      const message = "a page reads nothing back: read on your server";
      return { status: "failed", reason: "not_available", message };
    }
    const registering = this.#engine.register(session, this.#context.scope(session));
    return readBack(registering, named, isSession, session.settings.fetch);
  }

  /**
   * @template T
   * @param {Session} session
   * @param {() => T} fn
   * @returns {T}
   */
  run(session, fn) {
    if (typeof fn !== "function") return fn;
    return this.#context.run(session, fn);
  }

  /**
   * @param {Session} parent
   * @param {unknown} options
   */
  startSession(parent, options) {
    const settings = sessionSettings(options, parent.settings);
    const session = this.#newSession(settings, parent.ambient, parent);
    void this.#open(session);
    return this.#tracer(session);
  }

  /**
   * @param {Session} session
   * @param {unknown} ticket
   */
  setTicket(session, ticket) {
    this.#engine.setTicket(session, this.#context.scope(session), ticket);
  }

  /**
   * @param {Session | undefined} session undefined for all
   * @param {unknown} options
   * @returns {Promise<FlushReport>}
   */
  flush(session, options) {
    const timeout = timeoutOf(options);
    const scope = this.#context.scope(session);
    return this.#engine.report(session, scope, (core, id) => core.flush(id, timeout, scope));
  }

  /**
   * @param {Session} session
   * @param {unknown} options
   * @returns {Promise<FlushReport>}
   */
  close(session, options) {
    const timeout = timeoutOf(options);
    const scope = this.#context.scope(session);
    const report = this.#engine.report(session, scope, (core, id) =>
      core.close(id, timeout, scope),
    );
    if (session.close()) attempt(() => this.#context.closed(session));
    return report;
  }

  /** @param {Session} session */
  info(session) {
    const unknown = {
      sessionId: "",
      sessionName: "",
      project: undefined,
      source: "",
      enabled: false,
    };
    return attempt(() => this.#engine.info(session), unknown);
  }

  /**
   * @param {import("./settings.js").Settings} settings
   * @param {boolean} ambient
   * @param {Session} [parent]
   */
  #newSession(settings, ambient, parent) {
    const session = new Session(settings, ambient, parent);
    attempt(() => this.#context.opened(session));
    return session;
  }

  /** @param {Session} session */
  #open(session) {
    return this.#engine.open(session, this.#context.scope(session));
  }

  /** @param {Session} session */
  #tracer(session) {
    return session.getOrMakeTracer(() => /** @type {any} */ (this.#Tracer.of(session)));
  }

  /**
   * @param {Session | undefined} session
   * @param {"internal" | "invalid" | "no_session" | "too_large"} reason
   * @param {string} message
   * @param {import("./outcomes.js").Where} [where] what was named, if that is not the tracer's own session
   * @returns {Promise<any>}
   */
  async #refuse(session, reason, message, where) {
    return this.#engine.drop(session, reason, message, where);
  }

  /**
   * Drops a call in which something that the language has was replaced by something that throws.
   * @param {Session | undefined} session
   * @param {unknown} error
   * @param {import("./outcomes.js").Where} [where]
   */
  #broken(session, error, where) {
    const message = `${BROKEN} (${messageOf(error)})`;
    this.#engine.warn(session, message);
    return this.#refuse(session, "internal", message, where);
  }

  /**
   * A tracer of another copy of the package (ESM and CommonJS side by side) knows its own way.
   * @param {unknown} tracer
   * @param {"enrichSession" | "enrichEvent"} method
   * @param {unknown} id
   * @param {unknown} params
   * @returns {Promise<Delivery>}
   */
  async #elsewhere(tracer, method, id, params) {
    const enrich = read(tracer, method);
    if (typeof enrich !== "function") return this.#refuse(undefined, "invalid", NO_TRACER, {});
    try {
      return await Reflect.apply(enrich, tracer, [id, enrichmentFields(params)]);
    } catch {
      return this.#refuse(undefined, "invalid", NO_TRACER);
    }
  }
}

/**
 * @param {unknown} fields
 * @returns {string | undefined} JSON; undefined where it is too large
 */
function fieldsOf(fields) {
  if (fields === undefined || fields === null) return "{}";
  let isCut = false;
  const json = snapshot(fields, () => (isCut = true));
  return isCut || json.length > MAX_REQUEST_CHARS ? undefined : json;
}

/**
 * The names whose values come to nothing in JSON.
 * @param {any} fields
 * @returns {string} empty if there are none
 */
function lostNames(fields) {
  if (typeof fields !== "object" || fields === null) return "";
  let lost = "";
  each(Object.keys(fields), (name) => {
    if (isLost(fields[name])) lost += `${lost && ", "}\`${name}\``;
  });
  return lost;
}

/** @param {unknown} value */
function isLost(value) {
  const type = typeof value;
  return type === "function" || type === "symbol" || (type === "number" && !Number.isFinite(value));
}

/**
 * Whether something was given, though its JSON says nothing: other than fields without a value, and empty objects.
 * @param {any} fields
 * @returns {boolean}
 */
function isMoreThanNothing(fields) {
  if (fields === undefined || fields === null) return false;
  const isMore = (/** @type {any} */ value) =>
    value !== undefined && value !== null && !isEmpty(value);
  const isObject = () => tagOf(fields) === "[object Object]";
  return attempt(
    () => !isObject() || filtered(Object.keys(fields), (name) => isMore(fields[name])).length > 0,
    true,
  );
}

/**
 * @param {any} value
 * @returns {boolean} whether it is a plain object, or a Map, Set or list, without a value in it
 */
function isEmpty(value) {
  if (typeof value !== "object") return false;
  // A Map, a Set and their like.
  if (!isPlain(value)) return value.size === 0 && typeof value.entries === "function";
  return filtered(Object.keys(value), (name) => value[name] !== undefined).length === 0;
}

/**
 * Whether it is an object without a class, or a list, of whichever realm.
 * @param {object} value
 */
function isPlain(value) {
  const prototype = Object.getPrototypeOf(value);
  if (prototype === null || Array.isArray(value)) return true;
  return Object.getPrototypeOf(prototype) === null;
}

/**
 * The first of these properties that is given.
 * @param {any} params
 * @param {...string} names
 * @returns {any} undefined if none is
 */
function firstGiven(params, ...names) {
  if (typeof params !== "object" || params === null) return undefined;
  for (let i = 0; i < names.length; i++) {
    const value = readGiven(params, /** @type {string} */ (names[i])) ?? undefined;
    if (value !== undefined) return value;
  }
  return undefined;
}

/**
 * @param {unknown} options
 * @returns {number}
 */
function timeoutOf(options) {
  const timeout = firstGiven(options, "timeoutMs", "timeout_ms");
  return typeof timeout === "number" && timeout >= 0 ? timeout : FLUSH_TIMEOUT_MS;
}
