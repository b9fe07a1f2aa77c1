// Brings calls to the core and their outcomes back. It puts the parts of that together: the running instance of the core,
// the calls that wait for it, the sessions that it knows, the outcomes that it owes, and the page around it. The rules of
// sessions are the core's.

import { Promise, randomSeed } from "./globals.js";
import { Calls } from "./calls.js";
import { attempt, messageOf } from "./guard.js";
import { newHost } from "./host.js";
import { Instance } from "./instance.js";
import { LoggedLines, print } from "./log.js";
import { Outcomes, TRAPPED } from "./outcomes.js";
import { RegisteredSessions } from "./sessions.js";
import { Tickets } from "./tickets.js";

/** @import { Core, OnTrap, TracerInfo } from "./core.d.ts" */
/** @import { Delivery, DropReason, FlushReport } from "../index.d.ts" */
/** @import { OwedOutcome, Where } from "./outcomes.js" */
/** @import { Session } from "./session.js" */

/**
 * The differences between runtimes.
 * @typedef {object} EnginePlatform
 * @property {(onTrap: OnTrap) => Core | Promise<Core>} open starts an instance of the core
 * @property {(onTrap: OnTrap) => Core} [openNow] starts an instance synchronously, for a page that is left while one
 *   opens; throws if the browser does not allow that
 * @property {(name: string) => unknown} variable reads an environment variable
 * @property {(leaving: () => void) => import("./page/page.js").Page | undefined} [newPage] the page, in a browser
 * @property {() => import("./idle.js").IdleSessions} [newIdleSessions] for a runtime without a FinalizationRegistry
 * @property {typeof import("./server-fetch.js").serverFetch} [serverFetch] finds the runtime's `fetch`; a bundled page calls it as it is
 * @property {"edge"} [place] set if each request that is served has connections of its own; otherwise a page or a server
 * @property {string} hint advice for a runtime in which WebAssembly does not start
 */

/**
 * Where a call goes, or why it cannot be made.
 * @typedef {{ core: Core, tracer: number } | { reason: "disabled" | "closed" | "internal", message: string }} Registered
 */

/** Makes a call for a tracer and returns its number; 0 or undefined if the core did not take it. @typedef {(core: Core, tracer: number, owed: OwedOutcome) => number | undefined} TracerCall */

const CUT_OFF = "the browser ended the page's script; what is kept is sent later";
const NO_RANDOMNESS =
  "there are no random numbers here, so no session can start: in a Worker, call initTracer() in a request";
const CLOSED = "the tracer was closed";
const NOT_STARTED =
  "the queue is full (maxQueueBytes) while WebAssembly starts: send less at once, or later";

export class Engine {
  #platform;
  #context;
  /** @type {import("./page/page.js").Page | undefined} */
  #page;
  #hasLooked = false;
  #instance;
  #calls;
  #sessions;
  #outcomes;
  #tickets;

  /**
   * @param {EnginePlatform} platform
   * @param {() => import("./context/context.d.ts").Context} context
   */
  constructor(platform, context) {
    this.#platform = platform;
    this.#context = context;
    const logged = new LoggedLines();
    /** @type {Instance<Core>} */
    this.#instance = new Instance(
      {
        open: (onTrap) =>
          this.#page ? this.#openInPage(onTrap, this.#page) : platform.open(onTrap),
        get hint() {
          return platform.hint;
        },
      },
      {
        effect: "so nothing is sent",
        connect: (core) => this.#connect(core),
        trapped: (error, isCutOff) => this.#trapped(error, isCutOff),
      },
      logged,
    );
    this.#calls = new Calls(this.#instance, (task) => this.#soon(task));
    this.#sessions = new RegisteredSessions(this.#instance, platform);
    this.#tickets = new Tickets(this.#instance, this.#sessions);
    this.#outcomes = new Outcomes((session) => this.info(session).sessionId, logged);
  }

  /**
   * Registers the session; resolves when it can be enriched.
   * @param {Session} session
   * @param {number} scope
   * @returns {Promise<void>}
   */
  open(session, scope) {
    this.#instance.forgetFailure();
    if (!this.#hasLooked) {
      this.#page = attempt(() => this.#platform.newPage?.(() => this.#leave()));
    }
    this.#hasLooked = true;
    const { persist, logLevel } = session.settings.scalars;
    if (persist !== false) this.#page?.persist(logLevel);
    return new Promise((resolve) => {
      this.#calls.addFirst((core) => {
        if (core) attempt(() => this.#sessions.register(core, session, scope));
        if (session.description?.awaitsTicket) this.#tickets.await(session, resolve);
        else resolve();
      });
    });
  }

  /**
   * @param {Session} session
   * @param {number} scope
   * @param {unknown} ticket
   */
  setTicket(session, scope, ticket) {
    this.#calls.add((core) => {
      attempt(() => {
        const at = this.#register(core, session, scope);
        if ("core" in at) this.#tickets.set(at.core, at.tracer, session, scope, ticket);
      });
    });
  }

  /**
   * The session's description by the core; until the core has described it, the best guess.
   * @param {Session} session
   * @returns {Omit<TracerInfo, "tracer">}
   */
  info(session) {
    const { core } = this.#instance;
    if (!session.description && core) {
      this.#sessions.register(core, session, this.#context().scope(session));
    }
    return this.#sessions.info(session);
  }

  /**
   * @param {Session | undefined} session
   * @param {number} scope
   * @param {TracerCall} call
   * @param {number} chars the characters of the call's arguments
   * @param {Where} [where] the target, if it is not a session
   * @returns {Promise<Delivery>}
   */
  deliver(session, scope, call, chars, where) {
    if (!this.#calls.reserve(chars, this.#place, maxQueueBytes(session))) {
      const dropped = this.drop(session, "queue_full", NOT_STARTED, where);
      // Not by `Promise.resolve`, which another script may have replaced.
      return new Promise((resolve) => resolve(dropped));
    }
    return new Promise((resolve) => {
      /** @type {OwedOutcome} */
      const owed = { resolve, session, isReport: false };
      if (where) owed.where = where;
      this.#calls.add((core) => this.#make(core, owed, scope, call));
    });
  }

  /**
   * Enriches a session or an event. If an id alone names it, it is masked as its own tracer requires, once that is known.
   * @param {Session | undefined} session of the tracer that was named or is active
   * @param {boolean} isNamed
   * @param {Where} where empty for the tracer's own session
   * @param {string} json
   * @param {number} scope
   * @returns {Promise<Delivery>}
   */
  enrich(session, isNamed, { sessionId, eventId }, json, scope) {
    const id = eventId ?? sessionId ?? "";
    const method = eventId === undefined ? "enrichSession" : "enrichEvent";
    const where = eventId === undefined ? undefined : { eventId };
    if (session && (isNamed || !id)) {
      const redacted = session.redact(json);
      /** @type {TracerCall} */
      const call = (core, tracer) => core[method](tracer, id, redacted, scope, true);
      return this.deliver(session, scope, call, redacted.length, where);
    }
    /** @type {TracerCall} */
    const call = (core, tracer, owed) => {
      const owner = this.#sessions.resolve(core, tracer, id, scope);
      owed.session = owner.session;
      if (session) owed.caller = session;
      // If the tracer's own masking cannot be called, the core drops what it would have masked.
      if (!owner.session) return core[method](tracer, id, json, scope, false);
      const redacted = owner.session.redact(json);
      return core[method](owner.tracer, id, redacted, scope, true);
    };
    return this.deliver(session, scope, call, json.length, where);
  }

  /**
   * @param {Session | undefined} session
   * @param {number} scope
   * @param {(core: Core, tracer: number) => number | undefined} call
   * @returns {Promise<FlushReport>}
   */
  report(session, scope, call) {
    const isStarted = this.#instance.core || this.#instance.isOpening;
    // Nothing was ever started, so there is nothing to flush.
    if (!session && !isStarted && this.#calls.isEmpty) {
      return new Promise((resolve) => resolve(this.#outcomes.atRest));
    }
    return new Promise((resolve) => {
      const owed = { resolve, session, isReport: true };
      this.#calls.add((core) => this.#make(core, owed, scope, call));
    });
  }

  /**
   * The core and the session's tracer there, for a call that is made at once instead of being queued.
   * @param {Session} session
   * @param {number} scope
   * @returns {Promise<Registered>}
   */
  async register(session, scope) {
    const core = await new Promise((/** @type {(core: Core | undefined) => void} */ resolve) =>
      this.#calls.addFirst(resolve),
    );
    return this.#register(core, session, scope);
  }

  /**
   * Settles a call that is dropped without the core.
   * @param {Session | undefined} session
   * @param {DropReason} reason
   * @param {string} message
   * @param {Where} [named] the target, if it is not that session
   * @returns {any}
   */
  drop(session, reason, message, named) {
    return this.#outcomes.drop(session, reason, message, named);
  }

  /**
   * Logs a warning that is not the core's, once.
   * @param {Session | undefined} session
   * @param {string} message
   */
  warn(session, message) {
    this.#outcomes.warn(session, message);
  }

  /** @param {() => void} task */
  #soon(task) {
    if (this.#page) this.#page.soon(task);
    else task();
  }

  get #place() {
    return this.#platform.place ?? (this.#page ? "page" : "server");
  }

  /**
   * Opens an instance after what the visitor sees is drawn, and waits for what earlier pages left.
   * @param {OnTrap} onTrap
   * @param {import("./page/page.js").Page} page
   */
  async #openInPage(onTrap, page) {
    await new Promise((go) => page.soon(() => go(undefined)));
    const core = await this.#platform.open(onTrap);
    await page.begins();
    return core;
  }

  /** Makes the waiting calls when the page is hidden or left, because there may be no later moment. */
  #leave() {
    this.#calls.drain(true);
    const { openNow } = this.#platform;
    if (this.#calls.isEmpty || !openNow) return;
    this.#instance.openNow(openNow);
    if (this.#instance.core) this.#calls.drain(true);
  }

  /** @param {Core} core */
  #connect(core) {
    const page = this.#page;
    const sessions = this.#sessions;
    const host = newHost(core, {
      isRunning: () => this.#instance.core === core,
      place: this.#place,
      serverFetch: this.#platform.serverFetch,
      page,
      sessions,
      outcomes: this.#outcomes,
      tickets: this.#tickets,
      waitUntil: (scope, promise) => this.#context().waitUntil(scope, promise),
    });
    core.connect(host, randomSeed(), this.#place);
    // Another instance would trap as well.
    if (this.#instance.core !== core) throw new Error("it trapped while it started");
    // Any registered tracer may send the entries of earlier pages, so tracers whose session was collected are released.
    const restore = (/** @type {string} */ entries) => {
      sessions.releaseCollected(core);
      core.restore(entries);
    };
    page?.run({ ...core, restore });
  }

  /**
   * @param {unknown} error
   * @param {boolean | undefined} isCutOff
   */
  #trapped(error, isCutOff) {
    const message = isCutOff ? CUT_OFF : TRAPPED;
    this.#page?.lose(isCutOff ? message : undefined);
    this.#sessions.clear();
    this.#tickets.clear();
    if (!isCutOff) print("error", `${message} (${messageOf(error)})`);
    this.#outcomes.endAll(message);
  }

  /**
   * Makes a call that waited for the core.
   * @param {Core | undefined} core
   * @param {OwedOutcome} owed
   * @param {number} scope
   * @param {TracerCall} call
   */
  #make(core, owed, scope, call) {
    try {
      const { session } = owed;
      const at = this.#register(core, session, scope);
      if ("reason" in at) return this.#outcomes.end(owed, at.reason, at.message);
      const { tracer } = at;
      const id = this.#sessions.calling(session, tracer, () => call(at.core, tracer, owed));
      // After a trap in the call itself, the id would never be settled.
      if (id && this.#instance.core === core) return this.#outcomes.owe(id, owed);
    } catch {
      // Something that the language has was replaced by something that throws.
    }
    this.#outcomes.end(owed);
  }

  /**
   * @param {Core | undefined} core
   * @param {Session | undefined} session
   * @param {number} scope
   * @returns {Registered} the tracer is 0 if there is no session
   */
  #register(core, session, scope) {
    if (!core) return { reason: "disabled", message: this.#instance.failure ?? "" };
    if (!session) return { core, tracer: 0 };
    if (session.closed && !session.isAt(core)) return { reason: "closed", message: CLOSED };
    const tracer = this.#sessions.register(core, session, scope);
    if (tracer !== undefined) return { core, tracer };
    if (this.#instance.core !== core) return { reason: "internal", message: TRAPPED };
    return { reason: "disabled", message: NO_RANDOMNESS };
  }
}

/**
 * @param {Session | undefined} session
 * @returns {number | undefined} the option, if its tracer was given one
 */
function maxQueueBytes(session) {
  const bytes = session?.settings.scalars.maxQueueBytes;
  return typeof bytes === "number" && bytes >= 0 ? bytes : undefined;
}
