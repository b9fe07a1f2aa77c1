// What the JavaScript face and the WebAssembly core say to each other. Types only: the core is Rust
// (src/js/exports.rs), the tests' double is tests/face/fake-core.mjs, and both are held to this.

/** One instance of the core. Every method is synchronous and none throws. */
export interface Core {
  connect(host: Host, seed: number): void;
  /** `options` is the JSON of `CoreOptions`; returns that of `TracerInfo`, and nothing only when
   * the instance died in the call. */
  initTracer(options: string, scope: number): string | undefined;
  /** An id above 0, settled later through `Host.settle`; 0 when the instance died in the call. */
  enrichSession(
    tracer: number,
    sessionId: string | undefined,
    json: string,
    scope: number,
    /** Whether the caller named the tracer; else it was found in the context. */
    namesTracer: boolean,
  ): number;
  addMetrics(tracer: number, json: string, scope: number): number;
  flush(tracer: number, timeoutMs: number, scope: number): number;
  close(tracer: number, timeoutMs: number, scope: number): number;
  /** Nobody refers to the tracer any more. */
  release(tracer: number): void;
  /** There is a store that outlives the page; a JSON list of what earlier pages left there. */
  restore(entries: string): void;
  /** The page was away; only these of what it kept are still its own to send. */
  onlyKept(ids: Float64Array): void;
  /** What happens to the page, see src/js/exports.rs. */
  turn(what: 0 | 1 | 2 | 3 | 4): void;
  tracers(): number;
}

/** What the core asks of the runtime. */
export interface Host {
  /** `json` is a `Delivery` or a `FlushReport`. */
  settle(ids: Float64Array | number[], json: string): void;
  /** The request that gave these was torn down: nobody in it can be told any more. They still end. */
  gone(ids: Float64Array | number[]): void;
  dropped(tracer: number, json: string): void;
  log(level: "error" | "warn" | "info" | "debug", message: string): void;
  adopted(tracer: number, sessionId: string): void;
  fetch(transport: number, url: string, init: RequestInit): Promise<Response>;
  waitUntil(scope: number, promise: Promise<void>): void;
  /** Keeps `json` until it is forgotten, in a store that outlives the page. */
  keep(id: number, json: string): void;
  /** Below zero they count what `restore` was given: -1 is the first. */
  forget(ids: Float64Array | number[]): void;
  /** Nothing of the tracer's is unsent or in flight any more, its session start included. */
  idle(tracer: number): void;
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
  headers?: Record<string, string>;
  redactKeys?: string[];
  redactPatterns: boolean;
  redact: boolean;
  /** The fields the session starts with, as JSON. */
  start: string;
  newSessionId: string;
  transport: number;
  onDrop: boolean;
  env: Record<string, string>;
  page?: string;
  parent?: number;
  /** May a bare call from outside any context reach this tracer? */
  ambient: boolean;
}

/** What wasm-bindgen's glue is turned into by scripts/build-pkg.mjs. */
export type CreateCore<C = Core> = (onTrap: (error: unknown) => void) => {
  imports: WebAssembly.Imports;
  start(instance: WebAssembly.Instance): C;
};
