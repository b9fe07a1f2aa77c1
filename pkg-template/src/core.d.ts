// What the JavaScript face and the WebAssembly core say to each other. Types only: the core is Rust
// (src/js/exports.rs), the tests' double is tests/face/fake-core.mjs, and both are held to this.

/** One instance of the core. Every method is synchronous and none throws. */
export interface Core {
  /** `place` says how many connections the runtime has: a page few, each request at an edge some of its own. */
  connect(host: Host, seed: number, place: "page" | "edge" | "server"): void;
  /** `options` is the JSON of `CoreOptions`; returns that of `TracerInfo`, and nothing where there
   * is no id for the session, or the instance died in the call. */
  initTracer(options: string, scope: number): string | undefined;
  /** An id above 0, settled later through `Host.settle`; 0 when the instance died in the call. */
  enrichSession(
    tracer: number,
    /** Empty for the tracer's own. */
    sessionId: string,
    json: string,
    scope: number,
    /** Whether the caller named the tracer; else it was found in the context. */
    namesTracer: boolean,
  ): number;
  /** As `enrichSession`, of another event: which is never started, and never the tracer's own. */
  enrichEvent(
    tracer: number,
    eventId: string,
    json: string,
    scope: number,
    namesTracer: boolean,
  ): number;
  /** The tracer that a call is given to which names the session alone; 0 where there is none. */
  resolveTracer(active: number, sessionId: string, scope: number): number;
  addMetrics(tracer: number, json: string, scope: number): number;
  flush(tracer: number, timeoutMs: number, scope: number): number;
  close(tracer: number, timeoutMs: number, scope: number): number;
  /** What the metrics of the tracer's session add up to, as JSON for `CoreOptions.totals`; empty where there are none. */
  totalsOf(tracer: number): string;
  /** Nobody refers to the tracer any more. */
  release(tracer: number): void;
  /** There is a store that outlives the page; a JSON list of what earlier pages left there. */
  restore(entries: string): void;
  /** The page was away; only these (a JSON list) of what it kept are still its own to send. */
  onlyKept(ids: string): void;
  /** What happens to the page, see boundary.js. */
  turn(what: 0 | 1 | 2 | 3 | 4 | 5 | 6): void;
  /** JSON: the request that reads an event (see src/js/exports.rs), or a `ReadResult` without one. A page's module has neither this nor the next. */
  readRequest?(
    tracer: number,
    named: string,
    isSession: boolean,
    searches: boolean,
  ): string | undefined;
  /** JSON of the `ReadResult`; nothing where the event is to be searched for, or the instance died. */
  readAnswered?(
    tracer: number,
    named: string,
    isSession: boolean,
    searches: boolean,
    status: number,
    body: string,
  ): string | undefined;
  /** Runs a scope's loop. Returns the milliseconds after which to run it again, less than none if it is over. */
  run(scope: number): number | undefined;
  /** What came of a request that was sent, see `Answer` in send.js and boundary.js; the scope's loop is to be run next. */
  requestAnswered(flight: number, status: number, retryAfter: string, body: string): void;
}

/** The clocks of the runtime, in whole or broken milliseconds. None of the functions throws. */
export interface Clocks {
  /** The forward clock. */
  now(): number;
  /** The wall clock since the Unix epoch; 0 if it gives no time. */
  wallNow(): number;
  /** The time that a date's text says, since the Unix epoch; NaN if it is no date. */
  parseDate(text: string): number;
}

/** What the core asks of the runtime. */
export interface Host extends Clocks {
  /**
   * Whether the instance is at work. The instance sets it; the host clears it while one of its functions runs that may call
   * the core. If it is set when the core is called, the browser has ended the script in the middle of the call before.
   */
  isInside?: boolean;
  /** `json` is a `Delivery` or a `FlushReport`, and empty where it is the same as the last one's. */
  settle(id: number, json: string): void;
  /** The request of `scope` was torn down, and its loop is over. */
  forgetScope(scope: number): void;
  /** This was given in a request that was torn down: nobody in it can be told any more. It still ends. */
  abandonCall(id: number): void;
  dropped(tracer: number, json: string): void;
  log(level: "error" | "warn" | "info" | "debug", message: string): void;
  /** Keeps `json` until it is forgotten, in a store that outlives the page. */
  keep(id: number, json: string): void;
  /** Below zero it counts what `restore` was given: -1 is the first. */
  forget(id: number): void;
  /**
   * The tracer has something unsent: what it came with is needed until `idle`. Said before the call returns that
   * gives it, whichever tracer was called. One that is enabled is busy as it is made, without being told.
   */
  busy(tracer: number): void;
  /** Nothing of the tracer's is unsent or in flight any more, its session start included. */
  idle(tracer: number): void;
  /** The scope's loop is to be run, in a microtask of its own. */
  wake(scope: number): void;
  /** Sends a request with `fetch` number `transport`, 0 is the runtime's own; the core is told what comes of it. `headers` is JSON. */
  send(
    scope: number,
    flight: number,
    transport: number,
    timeoutMs: number,
    keepalive: boolean,
    method: string,
    url: string,
    headers: string,
    body: string,
  ): void;
  /** Aborts a request that was sent; nobody is told what comes of it. */
  abort(flight: number): void;
  /** The id that `text` is or stands for; empty where it is blank. */
  sessionIdOf(text: string): string;
}

export interface TracerInfo {
  tracer: number;
  sessionId: string;
  sessionName: string;
  project?: string | undefined;
  source: string;
  enabled: boolean;
}

/** The options a tracer has in the core: plain values only, none of them the caller's own object. */
export interface CoreOptions {
  [scalar: string]: unknown;
  sessionId?: unknown;
  sessionName?: unknown;
  headers?: Record<string, string> | undefined;
  redactKeys?: string[] | undefined;
  redactPatterns: boolean;
  redact: boolean;
  /** Does a function of the user's mask as well, which only this side can call? */
  redactor: boolean;
  /** The fields the session starts with, as JSON. */
  start: string;
  newSessionId: string;
  /** What it added up to when it was released, where it comes back. */
  totals?: string;
  transport: number;
  onDrop: boolean;
  env: Record<string, string>;
  /** In a page: where paths begin, and the origin of its requests where that is another. */
  page?: string;
  origin?: string;
  parent?: number;
  /** May a bare call from outside any context reach this tracer? */
  ambient: boolean;
}

/**
 * Told once of an instance that died. `isCutOff` where the browser ended a script of the page in the middle of the
 * instance's work, which is no fault of what it had.
 */
export type OnTrap = (error: unknown, isCutOff?: boolean) => void;

/** What wasm-bindgen's glue is turned into by scripts/build-pkg.mjs. */
export type CreateCore<C = Core> = (
  onTrap: OnTrap,
  classes?: Pick<typeof globalThis, "TextDecoder" | "TextEncoder">,
) => {
  imports: WebAssembly.Imports;
  start(instance: WebAssembly.Instance): C;
};

/** What a core's futures need of the JavaScript around it. But for `startTimer`, none of it throws. */
export interface Runtime {
  /** The futures of `scope` are to be polled, in a microtask of the current turn. */
  wakeScope(scope: number): void;
  /** Throws where the runtime allows no timer, as in a Worker's global scope. */
  startTimer(handler: () => void, ms: number): unknown;
  clearTimer(timer: unknown): void;
  /** Waits for `value` as `await` does. */
  listen(value: unknown): Listened;
  /** Sees to it that nobody hears of it where `value` is a promise that rejects. */
  disregard(value: unknown): void;
}

/** Something that may be a promise, and that somebody listens to. */
export interface Listened {
  /** To be called once. */
  then(fulfilled: (value: unknown) => void, rejected: (error: unknown) => void): void;
  /** Nobody listens any more: where neither function was called yet, `rejected` is called now, and then none. */
  forget(): void;
}
