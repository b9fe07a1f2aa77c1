// Owns the running instance of the core. It starts the instance at the first call, holds calls back until then, settles
// the promises of calls, and replaces an instance that has trapped. The rules of sessions are the core's.

import { Promise, forwardNow, microtask, startTimer } from "./globals.js";
import { parseJson, plainJson } from "./json.js";
import { attempt, messageOf, newRegistry } from "./guard.js";
import { environment, pageOrigins } from "./env.js";
import { newSessionId, sessionIdOf } from "./ids.js";
import { print, printAt } from "./log.js";
import { newLoops } from "./loops.js";
import { newAbort, runtimeFetch, send } from "./send.js";
import { plainInfo, sessionKey } from "./session.js";
import { isThenable } from "./thenables.js";
import { untraced } from "./untraced.js";

/** @import { Core, CoreOptions, Host, OnTrap, TracerInfo } from "./core.d.ts" */
/** @import { Delivery, DropReason, FlushReport, ReadFailure, ReadResult } from "../index.d.ts" */
/** @import { Session } from "./session.js" */

/**
 * The differences between runtimes.
 * @typedef {object} Platform
 * @property {(onTrap: OnTrap) => Core | Promise<Core>} open starts an instance of the core
 * @property {(onTrap: OnTrap) => Core} [openNow] starts an instance synchronously, for a page that is left while one
 *   opens; throws if the browser does not allow that
 * @property {(name: string) => unknown} variable reads an environment variable
 * @property {(leaving: () => void) => import("./page/page.js").Page | undefined} [newPage] the page, in a browser
 * @property {typeof import("./reading.js").readBack} [readBack] reads events back; a bundled page does not
 * @property {"edge"} [place] set if each request that is served has connections of its own; otherwise a page or a server
 * @property {string} hint advice for a runtime in which WebAssembly does not start
 */

/**
 * The target of an enrichment, as its outcome names it.
 * @typedef {{ sessionId?: string, eventId?: string }} Where
 */

/**
 * The promise of a call. `report` is true for flush and close, false for an enrichment. `session` belongs to the tracer
 * that the call was made on, `caller` to the active tracer, whose `waitUntil` may be needed.
 * @typedef {object} Owed
 * @property {(outcome: any) => void} resolve
 * @property {Session | undefined} session
 * @property {Session} [caller]
 * @property {boolean} report
 * @property {Where} [where] the target, if it is not a session
 */

const { apply } = Reflect;

/** A call that waits for the core. It is made without one if no core starts. @typedef {(core: Core | undefined) => void} Task */

const TRAPPED = "honeyhive-edge failed: its queue is lost, later calls work again";
const CUT_OFF = "the browser ended the page's script; what is kept is sent later";
const NO_RANDOMNESS =
  "there are no random numbers here, so no session can start: in a Worker, call initTracer() in a request";

/** How long calls are made to the core without a pause, in milliseconds: less than a page's frame. */
const SLICE_MS = 10;

/** Calls made between two looks at the clock. */
const CALLS_BETWEEN_LOOKS = 32;

/** Milliseconds after which a timer that was to make the next calls counts as lost. */
const LATE_SLICE_MS = 1000;

const READING_FAILED = "honeyhive-edge failed to read; later calls work again";
const NO_READING = "a page reads nothing back: read on your server";
const CLOSED = "the tracer was closed";

const NOT_STARTED =
  "the queue is full (maxQueueBytes) while WebAssembly starts: send less at once, or later";

/**
 * The most bytes of calls that may wait for the end of the caller's turn. Further calls are masked and queued
 * synchronously. On a server, a burst of a few thousand calls stays below this limit.
 */
const MAX_WAITING = { page: 1024 * 1024, edge: 1024 * 1024, server: 8 * 1024 * 1024 };

/** The most bytes that may wait for the core to start, unless `maxQueueBytes` is set: as much as a page may hold. */
const MAX_WITHOUT_CORE = 4 * 1024 * 1024;

/** The bytes that a call takes besides its text: its promise and closures. */
const CALL_BYTES = 512;

/** How many descriptions are remembered for later sessions to share. */
const MAX_DESCRIPTIONS = 64;

/** How many idle sessions stay registered without a FinalizationRegistry: more than one isolate serves at a time. */
const MAX_IDLE = 256;

/** How many sessions then have their totals remembered for later tracers. */
const MAX_TOTALS = 1024;

export class Engine {
  #platform;
  #context;
  /** @type {import("./page/page.js").Page | undefined} */
  #page;
  #hasLooked = false;
  /** @type {Core | undefined} */
  #core;
  /** The host of the running core. An instance that has died keeps calling its own host. @type {Host | undefined} */
  #host;
  #opening = false;
  /** Why there is no core. @type {string | undefined} */
  #failure;
  /** The lines that were logged already, so that a problem of every call is logged once. @type {Set<string>} */
  #said = new Set();
  /** Calls that wait for the core, in order. Those before `#head` have been made. @type {Task[]} */
  #queue = [];
  #head = 0;
  /** When the rest of the calls was left to a timer. */
  #slicedAt = Infinity;
  /** The approximate bytes of the waiting calls. */
  #waiting = 0;
  /** @type {Map<number, Owed>} */
  #owed = new Map();
  /**
   * The sessions with something unsent, by tracer, from `busy` until `idle`. Only these are held strongly: an
   * application's onDrop may refer to its tracer, which otherwise could never be collected.
   * @type {Map<number, Session>}
   */
  #busy = new Map();
  /**
   * All registered sessions that were not collected, by tracer. The core may give work to any of them.
   * @type {Map<number, WeakRef<Session>>}
   */
  #registered = new Map();
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
  /**
   * The registrations of idle sessions. Used only without a FinalizationRegistry, and bounded. The sessions themselves and
   * their callbacks are not held.
   * @type {Map<number, NonNullable<Session["home"]>>}
   */
  #idle = new Map();
  /**
   * The totals of the metrics of sessions whose tracer was released, shared by all tracers of a session. Used only where
   * idle sessions are bounded.
   * @type {Map<string, { json: string }>}
   */
  #totals = new Map();
  /** @type {Map<number, { fetch: Function, sessions: Set<Session> }>} */
  #transports = new Map();
  /** The counts of all outcomes, and of those that the running instance does not know. */
  #counts = { delivered: 0, dropped: 0 };
  #before = { delivered: 0, dropped: 0 };
  /** @type {FinalizationRegistry<NonNullable<Session["home"]>> | undefined} */
  #forgotten;

  /**
   * @param {Platform} platform
   * @param {() => import("./context/context.d.ts").Context} context
   */
  constructor(platform, context) {
    this.#platform = platform;
    this.#context = context;
    // Older Workers have none. There the oldest idle sessions are released instead, see #bound.
    if (typeof WeakRef === "function") this.#forgotten = newRegistry((home) => this.#release(home));
  }

  /**
   * Registers the session; resolves when it can be enriched.
   * @param {Session} session
   * @param {number} scope
   * @returns {Promise<void>}
   */
  open(session, scope) {
    // The reason why the core did not start may be gone.
    this.#failure = undefined;
    if (!this.#hasLooked) this.#page = this.#platform.newPage?.(() => this.#leave());
    this.#hasLooked = true;
    const { persist, logLevel } = session.settings.scalars;
    if (persist !== false) this.#page?.persist(logLevel);
    return new Promise((resolve) => {
      this.#whenRunning((core) => {
        if (core) this.#register(core, session, scope);
        resolve();
      });
    });
  }

  /**
   * The session's description by the core; until the core has described it, the best guess.
   * @param {Session} session
   * @returns {Omit<TracerInfo, "tracer">}
   */
  info(session) {
    if (!session.description && this.#core) {
      this.#register(this.#core, session, this.#context().scope(session));
    }
    const { newSessionId: sessionId, description } = session;
    if (sessionId !== undefined && description) return { sessionId, ...description };
    const parent = session.parent && this.info(session.parent);
    const options = this.#options(session);
    return {
      ...plainInfo(options, parent && { tracer: 0, ...parent }),
      enabled: parent?.enabled ?? false,
    };
  }

  /**
   * @param {Session | undefined} session
   * @param {number} scope
   * @param {(core: Core, tracer: number, owed: Owed) => number} call
   * @param {number} chars the characters of the call's arguments
   * @param {Where} [where] the target, if it is not a session
   * @returns {Promise<Delivery>}
   */
  deliver(session, scope, call, chars, where) {
    this.#waiting += chars + CALL_BYTES;
    // Waiting calls are outside of the core's byte budget, so a large amount is passed to the core at once.
    const most = maxQueueBytes(session);
    const isMuch = this.#waiting > Math.min(MAX_WAITING[this.#place], most ?? Infinity);
    if (isMuch && !this.#opening) this.#drain(true);
    if (!this.#isSettled && this.#waiting > (most ?? MAX_WITHOUT_CORE)) {
      this.#waiting -= chars + CALL_BYTES;
      return Promise.resolve(this.drop(session, "queue_full", NOT_STARTED, where));
    }
    return new Promise((resolve) => {
      /** @type {Owed} */
      const owed = { resolve, session, report: false };
      if (where) owed.where = where;
      this.#enqueue((core) => this.#send(core, owed, scope, call));
    });
  }

  /**
   * Enriches a session or event that only an id names. It is masked only when its tracer is known.
   * @param {Session | undefined} active
   * @param {Where} where
   * @param {number} scope
   * @param {string} json
   * @returns {Promise<Delivery>}
   */
  deliverById(active, where, scope, json) {
    const { sessionId, eventId } = where;
    const id = /** @type {string} */ (eventId ?? sessionId);
    const method = eventId === undefined ? "enrichSession" : "enrichEvent";
    return this.deliver(
      active,
      scope,
      (core, tracer, owed) => {
        const owner = this.#resolve(core, tracer, id, scope);
        owed.session = owner.session;
        if (active) owed.caller = active;
        // If the tracer's own masking cannot be called, the core drops what it would have masked.
        if (!owner.session) return core[method](tracer, id, json, scope, false);
        const redacted = owner.session.redact(json);
        return core[method](owner.tracer, id, redacted, scope, true);
      },
      json.length,
      eventId === undefined ? undefined : where,
    );
  }

  /**
   * @param {Session | undefined} session
   * @param {number} scope
   * @param {(core: Core, tracer: number) => number} call
   * @returns {Promise<FlushReport>}
   */
  report(session, scope, call) {
    // Nothing was ever started, so there is nothing to flush.
    if (!session && !this.#core && !this.#opening && this.#isEmpty()) {
      return Promise.resolve({ ...this.#before, pending: 0 });
    }
    return new Promise((resolve) => {
      this.#enqueue((core) => this.#send(core, { resolve, session, report: true }, scope, call));
    });
  }

  /**
   * Reads an event with the tracer's key, within the call's own request. Nothing is queued.
   * @param {Session} session
   * @param {number} scope
   * @param {string} named empty for the tracer's own session
   * @param {boolean} isSession
   * @returns {Promise<ReadResult>}
   */
  async read(session, scope, named, isSession) {
    const { readBack } = this.#platform;
    if (!readBack) return notRead("not_available", NO_READING);
    try {
      const core = await new Promise((/** @type {Task} */ resolve) => this.#whenRunning(resolve));
      if (!core) return notRead("disabled", this.#failure ?? "");
      const known = session.home && isAt(session, core) ? session.home.tracer : undefined;
      if (known === undefined && session.closed) return notRead("closed", CLOSED);
      const tracer = known ?? this.#register(core, session, scope);
      if (tracer === undefined) return notRead("disabled", NO_RANDOMNESS);
      const fetch = session.settings.fetch ?? runtimeFetch();
      const result = await readBack(core, { tracer, named, isSession }, fetch);
      return result ?? notRead("internal", READING_FAILED);
    } catch (error) {
      return notRead("internal", `${READING_FAILED} (${messageOf(error)})`);
    }
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
    const sessionId = named ? undefined : session && this.info(session).sessionId;
    const where = named ?? (sessionId ? { sessionId } : {});
    this.#counts.dropped++;
    this.#before.dropped++;
    if (reason !== "internal") {
      this.warn(session, message, `an enrichment was dropped (${reason}): `);
    }
    if (session) {
      session.dropped++;
      if (session.home) session.home.dropped++;
      session.tellDropped(() => ({ ...where, reason, message, enrichment: {} }));
    }
    return { status: "dropped", ...where, reason, message };
  }

  /**
   * Logs a line that is not the core's, once.
   * @param {Session | undefined} session
   * @param {string} message
   * @param {string} [what] the consequence
   */
  warn(session, message, what = "") {
    if (this.#said.has(message)) return;
    this.#said.add(message);
    printAt(session?.logLevel, "warn", what + message);
  }

  /**
   * Queues a call for the core in a later microtask: the caller has already waited for the snapshot and should not wait
   * for the rest of the work.
   * @param {Task} task
   */
  #enqueue(task) {
    const wasEmpty = this.#isEmpty();
    this.#queue.push(task);
    // The timer of the next slice may never fire, under a fake clock or in a request that was torn down.
    const isLate = forwardNow() - this.#slicedAt > LATE_SLICE_MS;
    if (wasEmpty || isLate) void microtask(() => this.#soon(() => this.#drain()));
    if (isLate) this.#slicedAt = Infinity;
  }

  /** @param {Task} task */
  #whenRunning(task) {
    if (this.#isSettled && this.#isEmpty()) return task(this.#core);
    this.#queue.push(task);
    if (!this.#isSettled && !this.#opening) this.#open();
  }

  /** Whether it is known if there is a core. */
  get #isSettled() {
    return this.#core !== undefined || this.#failure !== undefined;
  }

  /** @param {() => void} task */
  #soon(task) {
    if (this.#page) this.#page.soon(task);
    else task();
  }

  get #place() {
    return this.#platform.place ?? (this.#page ? "page" : "server");
  }

  #isEmpty() {
    return this.#head === this.#queue.length;
  }

  /**
   * Makes the waiting calls, or starts a core for them. Thousands of calls are made in slices, so that the application can
   * do other work in between.
   * @param {boolean} [atOnce] whether to make all of them now, because there may be no later moment
   */
  #drain(atOnce = false) {
    const end = forwardNow() + SLICE_MS;
    let calls = 0;
    this.#slicedAt = Infinity;
    // A task may call this function again, and may trap the instance.
    while (this.#isSettled && !this.#isEmpty()) {
      const task = /** @type {Task} */ (this.#queue[this.#head++]);
      task(this.#core);
      if (atOnce || ++calls % CALLS_BETWEEN_LOOKS > 0 || forwardNow() < end) continue;
      if (attempt(() => (startTimer(() => this.#drain(), 0, undefined), true), false)) {
        this.#slicedAt = forwardNow();
        return;
      }
    }
    if (this.#isEmpty()) {
      this.#queue = [];
      this.#head = 0;
      this.#waiting = 0;
    } else if (!this.#opening) {
      this.#open();
    }
  }

  #open() {
    this.#opening = true;
    /** @type {Core | undefined} */
    let opened;
    /** @type {OnTrap} */
    const onTrap = (error, isCutOff) => this.#trapped(opened, error, isCutOff);
    const fail = (/** @type {unknown} */ error) => this.#fail(error);
    /** @type {() => Promise<void>} */
    const pause = () => new Promise((go) => this.#soon(go));
    const open = () => this.#platform.open(onTrap);
    try {
      const opening = this.#page ? pause().then(open) : open();
      if (isThenable(opening)) {
        this.#runOnceOpen(opening, (core) => (opened = core)).catch(fail);
      } else {
        this.#run((opened = opening));
      }
    } catch (error) {
      fail(error);
    }
  }

  /**
   * @param {PromiseLike<Core>} opening
   * @param {(core: Core) => void} opened
   */
  async #runOnceOpen(opening, opened) {
    const core = await opening;
    await this.#page?.begins();
    if (!this.#opening) return;
    opened(core);
    this.#run(core);
  }

  /** Makes the waiting calls when the page is hidden or left, because there may be no later moment. */
  #leave() {
    this.#drain(true);
    const { openNow } = this.#platform;
    if (this.#isEmpty() || !openNow) return;
    /** @type {Core | undefined} */
    let opened;
    /** @type {OnTrap} */
    const onTrap = (error, isCutOff) => this.#trapped(opened, error, isCutOff);
    opened = attempt(() => openNow(onTrap), undefined);
    if (!opened) return;
    this.#run(opened, true);
    this.#drain(true);
  }

  /**
   * @param {Core} core
   * @param {boolean} [isLeaving] the page
   */
  #run(core, isLeaving = false) {
    this.#core = core;
    this.#opening = false;
    this.#host = this.#newHost(core);
    core.connect(this.#host, Math.floor(Math.random() * Number.MAX_SAFE_INTEGER), this.#place);
    this.#page?.run(this.#coreOfPage(core), isLeaving);
    this.#soon(() => this.#drain());
  }

  /**
   * Passes the entries of earlier pages to the core. Any registered tracer may send them, so tracers whose session was
   * collected are released first.
   * @param {Core} core
   * @returns {Core}
   */
  #coreOfPage(core) {
    /** @param {string} entries */
    const restore = (entries) => {
      const registered = [...this.#registered.keys(), ...this.#idle.keys()];
      for (const tracer of registered) if (!this.#reach(tracer)) this.#releaseLost(core, tracer);
      core.restore(entries);
    };
    return { ...core, restore };
  }

  /** @param {unknown} error */
  #fail(error) {
    // Meanwhile an instance may have been opened synchronously.
    if (!this.#opening) return;
    const message = `WebAssembly could not be started (${messageOf(error)}), so nothing is sent. ${this.#platform.hint}`;
    if (!this.#said.has(message)) print("error", message);
    this.#said.add(message);
    this.#failure = message;
    this.#opening = false;
    this.#soon(() => this.#drain());
  }

  /** Discards the running instance. The next call starts another. */
  #close() {
    this.#core = undefined;
    this.#host = undefined;
    this.#before = { ...this.#counts };
    this.#busy.clear();
    this.#registered.clear();
    this.#idle.clear();
    this.#transports.clear();
  }

  /**
   * @param {Core | undefined} core
   * @param {unknown} error
   * @param {boolean | undefined} isCutOff
   */
  #trapped(core, error, isCutOff) {
    if (core === undefined || core !== this.#core) return;
    const owed = [...this.#owed.values()];
    this.#owed.clear();
    const message = isCutOff ? CUT_OFF : TRAPPED;
    this.#page?.lose(isCutOff ? message : undefined);
    this.#close();
    if (!isCutOff) print("error", `${message} (${messageOf(error)})`);
    for (const one of owed) this.#lose(one, message);
  }

  /** @param {Owed} owed @param {string} [message] */
  #lose({ resolve, session, report, where }, message = TRAPPED) {
    const { delivered, dropped } = session ?? this.#counts;
    if (report) resolve({ delivered, dropped, pending: 0 });
    else resolve(this.drop(session, "internal", message, where));
  }

  /**
   * @param {Core | undefined} core
   * @param {Owed} owed
   * @param {number} scope
   * @param {(core: Core, tracer: number, owed: Owed) => number} call
   */
  #send(core, owed, scope, call) {
    const { session, resolve, report, where } = owed;
    if (!core) {
      if (report) return this.#lose(owed);
      return resolve(this.drop(session, "disabled", this.#failure ?? "", where));
    }
    let tracer = 0;
    if (session) {
      if (session.closed && !isAt(session, core)) {
        return report ? this.#lose(owed) : resolve(this.drop(session, "closed", CLOSED, where));
      }
      const registered = this.#register(core, session, scope);
      if (registered === undefined) {
        if (this.#core !== core || report) return this.#lose(owed);
        return resolve(this.drop(session, "disabled", NO_RANDOMNESS, where));
      }
      tracer = registered;
      // Without weak references, the session could not be found when the core reports that it is busy.
      if (!this.#forgotten && session.description?.enabled) this.#hold(tracer, session);
    }
    this.#calling = session;
    const id = call(core, tracer, owed);
    this.#calling = undefined;
    // After a trap in the call itself, the id would never be settled.
    if (id > 0 && this.#core === core) this.#owed.set(id, owed);
    else this.#lose(owed);
  }

  /**
   * @param {Core} core
   * @param {Session} session
   * @param {number} scope
   * @returns {number | undefined} the tracer
   */
  #register(core, session, scope) {
    if (session.home && isAt(session, core)) return session.home.tracer;
    const parent = session.parent && this.#register(core, session.parent, scope);
    const options = this.#options(session);
    if (!options.newSessionId) return undefined;
    if (parent !== undefined) options.parent = parent;
    // The session was registered in an instance that has died, and keeps its id.
    if (session.description) options.sessionId = options.newSessionId;
    const totals = this.#totalsOf(session);
    if (totals?.json) options.totals = totals.json;
    const json = core.initTracer(plainJson(options), scope);
    if (!json) return undefined;
    /** @type {import("./core.d.ts").TracerInfo} */
    const given = parseJson(json);
    const { tracer, sessionId } = given;
    const description = this.#describe(given);
    session.description = description;
    // Share the string that the application was given before the core started, instead of holding a second copy.
    if (sessionId !== session.newSessionId) session.newSessionId = sessionId;
    const { delivered, dropped } = session;
    const { fetch, redaction } = session.settings;
    const isNeeded = fetch !== undefined || redaction.redactor !== undefined;
    session.home = {
      core,
      tracer,
      delivered,
      dropped,
      isNeeded,
      totals,
    };
    // In an instance that has died, nothing has to be released, and the call does nothing.
    this.#forgotten?.register(session, session.home);
    if (typeof WeakRef === "function") {
      this.#registered.set(tracer, (session.weak ??= new WeakRef(session)));
    }
    // The session's start is in flight.
    if (description.enabled) this.#hold(tracer, session);
    return tracer;
  }

  /**
   * @param {TracerInfo} info
   * @returns {NonNullable<Session["description"]>} the description without the id
   */
  #describe(info) {
    const { sessionName, source, enabled } = info;
    const project = Object.hasOwn(info, "project") ? info.project : undefined;
    const description = { sessionName, project, source, enabled };
    const key = plainJson(description);
    const known = this.#descriptions.get(key);
    if (known) return known;
    if (this.#descriptions.size === MAX_DESCRIPTIONS) this.#descriptions.clear();
    this.#descriptions.set(key, description);
    return description;
  }

  /**
   * The tracer for a call that names only a session, and that tracer's session, if it was not collected.
   * @param {Core} core
   * @param {number} active
   * @param {string} sessionId
   * @param {number} scope
   * @returns {{ tracer: number, session: Session | undefined }}
   */
  #resolve(core, active, sessionId, scope) {
    for (;;) {
      const tracer = core.resolveTracer(active, sessionId, scope) ?? 0;
      const session = this.#reach(tracer);
      if (tracer === 0 || session || !this.#releaseLost(core, tracer)) return { tracer, session };
    }
  }

  /**
   * @param {number} tracer
   * @returns {Session | undefined} not collected before the end of this turn
   */
  #reach(tracer) {
    const known = this.#busy.get(tracer) ?? this.#registered.get(tracer)?.deref();
    if (known) return known;
    return this.#calling?.home?.tracer === tracer ? this.#calling : undefined;
  }

  /**
   * Releases a tracer whose session cannot be reached, so that it is given nothing that it could not send or mask. The
   * session was collected a moment ago; without a FinalizationRegistry it is idle, and is registered again when used.
   * @param {Core} core
   * @param {number} tracer
   * @returns {boolean} whether it was released
   */
  #releaseLost(core, tracer) {
    const idle = this.#idle.get(tracer);
    if (idle && !idle.isNeeded) return false;
    if (!idle && !this.#registered.has(tracer)) return false;
    this.#release(idle ?? { core, tracer });
    return true;
  }

  /** @param {Pick<NonNullable<Session["home"]>, "core" | "tracer">} home */
  #release(home) {
    const { core } = home;
    core?.release(home.tracer);
    home.core = undefined;
    if (core !== this.#core) return;
    this.#registered.delete(home.tracer);
    this.#idle.delete(home.tracer);
  }

  /**
   * @param {Session} session
   * @returns {CoreOptions}
   */
  #options(session) {
    const { settings } = session;
    session.newSessionId ??= attempt(newSessionId, undefined);
    const { redact, redactKeys, redactPatterns, redactor } = settings.redaction;
    /** @type {CoreOptions} */
    const options = {
      ...settings.scalars,
      redact,
      redactPatterns,
      redactor: redactor !== undefined,
      start: settings.start,
      newSessionId: session.newSessionId ?? "",
      transport: session.transport,
      onDrop: settings.onDrop !== undefined,
      env: environment(this.#platform.variable, undefined, settings.scalars.logLevel),
      ambient: session.ambient,
    };
    if (settings.headers) options.headers = settings.headers;
    if (redactKeys) options.redactKeys = redactKeys;
    return Object.assign(options, pageOrigins());
  }

  /**
   * Holds the session and its fetch until the core reports that it is idle.
   * @param {number} tracer
   * @param {Session} session
   */
  #hold(tracer, session) {
    this.#busy.set(tracer, session);
    this.#idle.delete(tracer);
    const { transport, settings } = session;
    if (!transport || !settings.fetch) return;
    const lent = this.#transports.get(transport);
    if (lent) lent.sessions.add(session);
    else this.#transports.set(transport, { fetch: settings.fetch, sessions: new Set([session]) });
  }

  /** @param {number} tracer */
  #letGo(tracer) {
    const session = this.#busy.get(tracer);
    this.#busy.delete(tracer);
    if (!session) return;
    if (!this.#forgotten) this.#bound(tracer, session);
    if (!session.transport) return;
    const lent = this.#transports.get(session.transport);
    lent?.sessions.delete(session);
    if (lent?.sessions.size === 0) this.#transports.delete(session.transport);
  }

  /**
   * Without a FinalizationRegistry, only a bounded number of idle sessions stays registered. A session that is used again
   * is registered again.
   * @param {number} tracer
   * @param {Session} session
   */
  #bound(tracer, session) {
    if (session.home) this.#idle.set(tracer, session.home);
    if (this.#idle.size <= MAX_IDLE) return;
    const [oldest] = this.#idle.values();
    if (!oldest) return;
    const totals = oldest.core?.totalsOf(oldest.tracer);
    if (totals && oldest.totals) oldest.totals.json = totals;
    this.#release(oldest);
  }

  /**
   * @param {Session} session
   * @returns {{ json: string } | undefined} the totals that its tracers share; undefined if the core keeps them while a
   *   tracer is referenced
   */
  #totalsOf(session) {
    if (this.#forgotten) return undefined;
    const key = sessionKey(session);
    const totals = this.#totals.get(key) ?? session.home?.totals ?? { json: "" };
    this.#totals.delete(key);
    this.#totals.set(key, totals);
    const [oldest] = this.#totals.keys();
    if (this.#totals.size > MAX_TOTALS && oldest !== undefined) this.#totals.delete(oldest);
    return totals;
  }

  /**
   * @param {Core} core
   * @returns {Host}
   */
  #newHost(core) {
    const engine = this;
    /** Whether this host belongs to the running instance. Calls of an instance that has died are ignored. */
    const current = () => engine.#host === host;
    /** The last outcome, because thousands of calls may end alike. @type {object} */
    let outcome;
    /** @type {Host} */
    const host = {
      isInside: false,
      settle(id, json) {
        if (json) outcome = parseJson(json);
        if (current()) engine.#settle(id, { ...outcome });
      },
      abandonCall(id) {
        if (current()) engine.#forgetWho(id);
      },
      dropped(tracer, json) {
        if (current()) engine.#reach(tracer)?.tellDropped(() => parseJson(json));
      },
      log: print,
      fetch(transport, url, init) {
        return engine.#fetch(transport, url, init);
      },
      waitUntil(scope, promise) {
        engine.#context().waitUntil(scope, promise);
      },
      keep(id, json) {
        if (current()) engine.#page?.keep(id, json);
      },
      forget(id) {
        if (current()) engine.#page?.forget(id);
      },
      busy(tracer) {
        const session = current() ? engine.#reach(tracer) : undefined;
        if (session) engine.#hold(tracer, session);
      },
      idle(tracer) {
        if (current()) engine.#letGo(tracer);
      },
      wake: (scope) => loops.wake(scope),
      forgetScope: (scope) => loops.leave(scope),
      send(scope, flight, transport, timeoutMs, keepalive, method, url, headers, body) {
        /** @type {RequestInit} */
        const init = { method, headers: parseJson(headers) };
        if (body) init.body = body;
        if (keepalive) init.keepalive = true;
        // The site's own requests take precedence.
        if (engine.#page) init.priority = "low";
        const fetch = () => host.fetch(transport, url, init);
        const abort = newAbort();
        if (abort) aborts.set(flight, abort);
        inFlight.set(scope, (inFlight.get(scope) ?? 0) + 1);
        void send(fetch, init, timeoutMs, abort).then((answer) => {
          aborts.delete(flight);
          inFlight.set(scope, (inFlight.get(scope) ?? 1) - 1);
          if (inFlight.get(scope) === 0) inFlight.delete(scope);
          const refusal = answer.status === -1 ? engine.#page?.refusal(url) : undefined;
          core.requestAnswered(flight, answer.status, answer.retryAfter, refusal ?? answer.body);
          loops.look(scope);
        });
      },
      abort: (flight) => aborts.get(flight)?.abort(),
      now: () => forwardNow() + skippedMs,
      sessionIdOf: (text) => sessionIdOf(text) ?? "",
    };
    /** The controllers of requests in flight. @type {Map<number, AbortController>} */
    const aborts = new Map();
    /** How many requests are on their way, by scope. @type {Map<number, number>} */
    const inFlight = new Map();
    /** By how much the clock was put forward where there are no timers to wait with. */
    let skippedMs = 0;
    const skip = (/** @type {number} */ scope, /** @type {number} */ ms) => {
      // A Worker has timers in its requests, but none outside of them.
      if (this.#platform.place === "edge") return "call";
      // A page that is gone has no timers and runs on for a moment. The clock must not be put forward then, because that
      // would end deadlines.
      if (this.#page || inFlight.has(scope)) return "answer";
      skippedMs += ms;
      return "skipped";
    };
    for (const name of /** @type {const} */ ([
      "abort",
      "dropped",
      "idle",
      "log",
      "send",
      "settle",
    ])) {
      const call = /** @type {Function} */ (host[name]);
      // These may call the core: they run the application's functions, or release an idle tracer. Such a call is no sign
      // that the browser ended the script in the middle of the one before.
      host[name] = (/** @type {any[]} */ ...given) => {
        const before = host.isInside;
        host.isInside = false;
        apply(call, host, given);
        host.isInside = before;
      };
    }
    const loops = newLoops((scope) => core.run(scope), host.waitUntil, skip);
    return host;
  }

  /**
   * @param {number} id
   * @param {any} outcome
   */
  #settle(id, outcome) {
    const owed = this.#owed.get(id);
    if (!owed) return;
    this.#owed.delete(id);
    const { session, report, resolve, where } = owed;
    if (report) {
      const { delivered, dropped } = session?.home ?? this.#before;
      resolve({
        delivered: outcome.delivered + delivered,
        dropped: outcome.dropped + dropped,
        pending: outcome.pending,
      });
      return;
    }
    const counted = outcome.status === "delivered" ? "delivered" : "dropped";
    this.#counts[counted]++;
    if (session) session[counted]++;
    if (where) {
      // The event may be a session, which the core then reports.
      delete outcome.sessionId;
      outcome.eventId = where.eventId;
    }
    resolve(outcome);
  }

  /**
   * Forgets who waits for a call, because the runtime tore its request down. The promise must not be touched any more.
   * @param {number} id
   */
  #forgetWho(id) {
    const owed = this.#owed.get(id);
    if (owed) owed.resolve = () => {};
  }

  /**
   * Calls fetch and always returns a promise: an application's fetch may throw, or return something else.
   * @param {number} transport
   * @param {string} url
   * @param {RequestInit} init
   * @returns {Promise<Response>}
   */
  #fetch(transport, url, init) {
    try {
      const own = this.#transports.get(transport)?.fetch;
      if (transport && !own) throw new Error("the tracer's fetch is gone");
      const fetch = own ?? runtimeFetch();
      return Promise.resolve(untraced(() => fetch(url, init)));
    } catch (error) {
      return Promise.reject(error);
    }
  }
}

/**
 * @param {ReadFailure} reason
 * @param {string} message
 * @returns {ReadResult}
 */
function notRead(reason, message) {
  return { status: "failed", reason, message };
}

/**
 * @param {Session | undefined} session
 * @returns {number | undefined} the option, if its tracer was given one
 */
function maxQueueBytes(session) {
  const bytes = session?.settings.scalars.maxQueueBytes;
  return typeof bytes === "number" && bytes >= 0 ? bytes : undefined;
}

/**
 * @param {Session} session
 * @param {Core} core
 * @returns {boolean} whether the session is registered there
 */
function isAt({ home }, core) {
  return home?.core === core;
}
