/**
 * Session enrichment for HoneyHive, from browsers, Cloudflare Workers, Node, Deno and Bun.
 *
 * ```ts
 * import { initTracer, enrichSession } from "honeyhive-edge";
 *
 * await initTracer({ apiKey: "hh_…", sessionName: "chat" });
 * await enrichSession({ metadata: { plan: "pro" }, userProperties: { userId: "u1" } });
 * ```
 *
 * No function here throws, and no promise rejects, whatever it is given: what could not be stored is
 * reported in the promise's value, to `onDrop`, and in the counts of `flush()`. The one exception is your
 * own function in `run` and `withSession`, whose error reaches you as it was thrown.
 *
 * @packageDocumentation
 */

/**
 * An object of fields. Any value is accepted inside. What JSON cannot say is stored as the nearest thing
 * it can: a `Map`, `Headers`, `URLSearchParams` or `FormData` as an object, a `Set` as a list, an `Error` as
 * `{ name, message, stack }`, a `RegExp` as its text, a `BigInt` as a number or decimal string, a cycle as
 * `"[Circular]"`, more than 100 levels as `"[Too deep]"`, a getter that throws as `"[Threw: …]"`. It is copied at the moment of the call; later changes to it are not seen.
 */
export type Fields = Record<string, unknown>;

/** What can be said about a session. Every field is optional. Keep one enrichment under 100 KB. */
export interface Enrichment {
  /** Business context: ids, features, anything to filter by. Merged into what is there, by top-level key. */
  metadata?: Fields;
  /** What the session was given. Before the session has started it becomes part of its start, later of `metadata.inputs`. */
  inputs?: Fields;
  /**
   * What the session produced. Replaces the previous `outputs` as a whole. A text, a number or a list is stored as
   * `{ value: … }`.
   */
  outputs?: Fields | readonly unknown[] | string | number | boolean;
  /** Model settings and other configuration. Merged by top-level key. */
  config?: Fields;
  /** Ratings, comments, scores, from users or from checks. Merged by top-level key. */
  feedback?: Fields;
  /** Measurements: latency, cost, token counts. Merged by top-level key; to add up, see {@link Tracer.addMetrics}. */
  metrics?: Fields;
  /** Who the user is: a field of its own in HoneyHive, apart from `metadata`. Merged by top-level key. */
  userProperties?: Fields;
  /** How long the session took, in milliseconds. */
  duration?: number;
  /** When the session ended, in milliseconds since 1970 (`Date.now()`). */
  endTime?: number;
  /** What went wrong. Stored as `metadata.error`; an `Error` as `{ name, message, stack, cause }`. */
  error?: unknown;
}

/** Which session an enrichment is for, if not the active one. */
export interface EnrichmentTarget {
  /** The session's id. Also `session_id`. One that is no UUID stands for one, see {@link sessionIdFrom}. */
  sessionId?: string;
  /** The tracer whose key and server are used, and whose session if no id is given. Also `tracerInstance`, `tracer_instance`. */
  tracer?: Tracer;
}

/** What became of an enrichment. Check `status`; the promise that carries it never rejects. */
export type Delivery =
  | {
      readonly status: "delivered";
      /** The UUID of the session it was stored in. */
      readonly sessionId: string;
    }
  | {
      readonly status: "dropped";
      /** The session it was meant for, if that was known. */
      readonly sessionId?: string;
      readonly reason: DropReason;
      /** A sentence for people: what happened and what to do. */
      readonly message: string;
    };

/** What became of an enrichment of an event, see {@link Tracer.enrichEvent}. */
export type EventDelivery =
  | {
      readonly status: "delivered";
      /** The UUID of the event. */
      readonly eventId: string;
    }
  | {
      readonly status: "dropped";
      /** The event it was meant for, if an id was given. */
      readonly eventId?: string;
      readonly reason: DropReason;
      /** A sentence for people: what happened and what to do. */
      readonly message: string;
    };

/**
 * Why an enrichment was given up.
 *
 * - `no_session`: none is active here and no id was given, or several could be meant
 * - `disabled`: no API key, `disabled: true`, test mode, or WebAssembly that would not start
 * - `invalid`: nothing usable in the arguments
 * - `too_large`: over the size that one request may have
 * - `queue_full`: `maxQueueBytes` are waiting already
 * - `rejected`: the backend refused it (400, 401, 403, 404, 413, 422 …); it is not tried again
 * - `retries_exhausted`: network errors, 408, 425, 429 or 5xx until `deadlineMs` was over, for itself or, while it
 *   waited for its turn, for all
 * - `closed`: the tracer was closed before
 * - `internal`: an error in this package; later calls work again
 */
export type DropReason =
  | "no_session"
  | "disabled"
  | "invalid"
  | "too_large"
  | "queue_full"
  | "rejected"
  | "retries_exhausted"
  | "closed"
  | "internal";

/** An enrichment that was given up, as `onDrop` gets it. */
export interface Dropped {
  readonly sessionId?: string;
  /** Instead of `sessionId`, where it was for an event. */
  readonly eventId?: string;
  readonly reason: DropReason;
  readonly message: string;
  /** What was lost, masked as it would have been sent: to be logged, or enriched again. Empty where it cannot be known any more. */
  readonly enrichment: Enrichment;
}

/** Lines on the console, each level with those before it. */
export type LogLevel = "silent" | "error" | "warn" | "info" | "debug";

/** What a session is started with. */
export interface SessionOptions {
  /** Its name in HoneyHive. Default: `HH_SESSION_NAME`, else `"session"`. */
  sessionName?: string;
  /**
   * Continues this session; default is a new one, with a random UUID. An id of your own that is no UUID
   * stands for one, see {@link sessionIdFrom}.
   */
  sessionId?: string;
  inputs?: Fields;
  metadata?: Fields;
  config?: Fields;
  userProperties?: Fields;
  /**
   * Links the session to an experiment: stored as `metadata.run_id`, `.dataset_id` and `.datapoint_id`, by which
   * HoneyHive finds it. A session made by `startSession` is linked by its own `experiment` alone.
   */
  experiment?: Experiment;
}

/** Which run of an experiment a session belongs to, as HoneyHive numbers them. */
export interface Experiment {
  runId?: string;
  datasetId?: string;
  datapointId?: string;
}

/** Settings of a tracer. The Python SDK's spellings (`api_key`, `server_url`, …) work as well. */
export interface TracerOptions extends SessionOptions {
  /** Default: `HH_INGESTION_API_KEY`, then `HH_PROJECT_API_KEY`, then `HH_API_KEY`. Do not ship one to a browser; see `ticket`. */
  apiKey?: string;
  /** In a page, instead of a key: what your server's relay issued. */
  ticket?: string;
  /** Default: `HH_PROJECT`. Only older servers want it; a key belongs to one project. */
  project?: string;
  /** Where the session comes from, such as `"prod"`. Default: `HH_SOURCE`, else `"dev"`. */
  source?: string;
  /** Default: `HH_API_URL`, else HoneyHive's multi-tenant server. In a page it may be a path on its own origin. */
  serverUrl?: string;
  /** Sends nothing; enrichments are dropped as `"disabled"`. Default: `HH_TEST_MODE`. */
  disabled?: boolean;
  /** Limit for one request, in milliseconds. Default 5000. */
  timeoutMs?: number;
  /**
   * How long an enrichment is tried before it is dropped, in milliseconds, the last try included. Waiting for its
   * turn behind a server that answers does not count. Default 30000.
   */
  deadlineMs?: number;
  /** Shortest time between two requests for one session, in milliseconds; what comes between is merged. Default 200. */
  mergeWindowMs?: number;
  /**
   * Bytes of unsent enrichments held for all sessions together, with what each takes beside its text. Default
   * 64 MiB in Node, Deno and Bun, 16 MiB on Cloudflare Workers and Vercel's edge, 4 MiB in a page.
   */
  maxQueueBytes?: number;
  /**
   * Requests on their way to the server at most, for all of its tracers together. By default as many as it
   * answers well, up to 256, in Node, Deno and Bun; 6 in each request on Cloudflare Workers and Vercel's edge; 2
   * in a page. A number holds it lower.
   */
  maxConcurrency?: number;
  /**
   * What is masked before anything is queued. By default texts under names such as `password`, `apiKey` or
   * `authorization`, and API keys, tokens, private keys, passwords in addresses and card numbers inside strings
   * and keys.
   *
   * A function gets every value (the parts of an object before the object) with its path, such as
   * `["metadata", "user", "email"]`, and returns what is stored instead; `undefined` leaves it out. If it
   * throws, or returns a promise, the whole field is masked. `false` masks nothing.
   */
  redact?: RedactOptions | ((value: unknown, path: readonly string[]) => unknown) | false;
  /**
   * In a browser: whether what is unsent is kept in IndexedDB until it is delivered, so that it goes out with
   * the next page load where this page could not send it. Default true where there is IndexedDB. Elsewhere it
   * changes nothing.
   */
  persist?: boolean;
  /** Further request headers. */
  headers?: Record<string, string>;
  /**
   * Used instead of the global `fetch`: a service binding, a proxy agent, a test double. A method needs its
   * object: `(...given) => env.BACKEND.fetch(...given)`.
   */
  fetch?: Fetch;
  /**
   * Keeps the runtime alive until all is delivered: `(promise) => ctx.waitUntil(promise)`. Found by itself
   * on Cloudflare Workers and Vercel.
   */
  waitUntil?: (promise: Promise<unknown>) => void;
  /** Called once for each enrichment that is given up. What it throws is ignored. */
  onDrop?: (dropped: Dropped) => void;
  /** Default `"warn"`; `HH_VERBOSE` makes it `"debug"`. */
  logLevel?: LogLevel;
}

/** The runtime's own type of `fetch`, where its types are loaded. */
export type Fetch = typeof globalThis extends { fetch: infer F }
  ? F
  : (input: any, init?: any) => Promise<any>;

export interface RedactOptions {
  /** Keys whose values are masked, whatever these are, at any depth, in upper or lower case. Replaces the default names. */
  keys?: Iterable<string>;
  /** What is masked inside strings, keys, and the names of sessions and metrics. Replaces the default patterns. */
  patterns?: Iterable<RegExp>;
}

/** An event as HoneyHive has it, under the backend's names (`user_properties`, `event_type`). */
export interface StoredEvent {
  readonly event_id: string;
  readonly session_id?: string;
  readonly event_type?: string | null;
  readonly event_name?: string | null;
  readonly metadata?: Fields;
  readonly inputs?: Fields;
  readonly outputs?: unknown;
  readonly config?: Fields;
  readonly feedback?: Fields;
  readonly metrics?: Fields;
  readonly user_properties?: Fields;
  readonly [field: string]: unknown;
}

/**
 * What came of {@link Tracer.readSession} and {@link Tracer.readEvent}. Check `status`; the promise that carries it
 * never rejects.
 */
export type ReadResult =
  | { readonly status: "found"; readonly event: StoredEvent }
  | {
      readonly status: "failed";
      readonly reason: ReadFailure;
      /** A sentence for people: what happened and what to do. */
      readonly message: string;
    };

/**
 * Why nothing was read.
 *
 * - `not_found`: the server has no such event, or not yet
 * - `not_available`: there is no way to read. The server has no route for it (older deployments), or the tracer has a
 *   ticket: a relay only writes
 * - `rejected`: the server refused, as it does a key that only ingests
 * - `unreachable`: a network error, no answer within `timeoutMs`, 408, 425, 429 or 5xx; it is not tried again
 * - `disabled`, `invalid`, `closed`, `internal`: as in {@link DropReason}
 */
export type ReadFailure =
  | "not_found"
  | "not_available"
  | "rejected"
  | "unreachable"
  | "disabled"
  | "invalid"
  | "closed"
  | "internal";

/** Counts of enrichments since the tracer, or the module, started. */
export interface FlushReport {
  /** Stored by the backend. */
  readonly delivered: number;
  /** Given up; each had its {@link DropReason}. */
  readonly dropped: number;
  /** Not sent yet when the time was over. */
  readonly pending: number;
}

/** A session that can be enriched, made by {@link initTracer}, {@link withSession} or {@link Tracer.startSession}. */
export interface Tracer extends AsyncDisposeMethod {
  /** The session's UUID, also where the session was named by an id of your own. */
  readonly sessionId: string;
  readonly sessionName: string;
  readonly project: string | undefined;
  readonly source: string;
  /** False where no key was found, `disabled` was set, or WebAssembly would not start. */
  readonly enabled: boolean;

  /** Enriches this tracer's session, or the one named. Without data it makes sure that the session exists. */
  enrichSession(enrichment?: Enrichment & Pick<EnrichmentTarget, "sessionId">): Promise<Delivery>;
  enrichSession(sessionId: string | null | undefined, enrichment?: Enrichment): Promise<Delivery>;

  /**
   * Enriches one event, such as a model call, by its id: with this tracer's key, whichever session the event is
   * of. Batched, merged, retried and ordered as a session's enrichments are.
   *
   * The event has to be there: HoneyHive refuses an update of one that it does not know (`rejected`), so export its
   * span before. Give the span its id with `enrichSpan({ eventId })` and {@link newEventId}. An id that is no UUID
   * stands for one, as a session's does.
   *
   * ```ts
   * await tracer.enrichEvent(eventId, { feedback: { thumb: "up" } });
   * ```
   */
  enrichEvent(eventId: string, enrichment: Enrichment): Promise<EventDelivery>;

  /**
   * Adds to numeric metrics of the session. Tracers of one session in one process share one total, which begins with 0
   * in each process: what another process has added is not read, and the last total sent replaces it.
   *
   * What was accepted counts in every later total. So an increment that was dropped on its way (`rejected`,
   * `retries_exhausted`) is made good by the next one that is delivered, and need not be added again; one
   * that was refused at once (`queue_full`, `invalid`) counts in none.
   *
   * ```ts
   * await tracer.addMetrics({ tokens: 512, cost: 0.0031 });
   * ```
   */
  addMetrics(increments: Record<string, number>): Promise<Delivery>;

  /**
   * Reads this tracer's session as the server has it, or the one named: for tests and jobs. What is still queued is
   * not in it, so `await flush()` before. Needs a key that may read.
   *
   * ```ts
   * const read = await tracer.readSession();
   * if (read.status === "found") console.log(read.event.metadata);
   * ```
   */
  readSession(sessionId?: string): Promise<ReadResult>;

  /** Reads one event by its id, see {@link Tracer.readSession}. */
  readEvent(eventId: string): Promise<ReadResult>;

  /**
   * Runs `fn` with this session active in it and in everything it awaits, and returns what it returns. In a
   * browser, code after an `await` is told apart only while no other session is open; use the tracer there.
   */
  run<T>(fn: () => T): T;

  /** Starts a further session with the same key, server and options. Does not make it the active one; see `run`. */
  startSession(options?: SessionOptions): Tracer;

  /**
   * Headers that carry the session to another service (W3C baggage), to be read by {@link sessionIdFromHeaders}.
   * Members that `headers` have already, such as an incoming request's, are kept: 8,192 bytes in all.
   */
  propagationHeaders(headers?: RequestHeaders): Record<string, string>;

  /** Sends what is queued now and waits for it, at most `timeoutMs` milliseconds (default 10000). */
  flush(options?: { timeoutMs?: number }): Promise<FlushReport>;

  /** `flush`, then lets go of everything the tracer holds. Also called by `await using`. */
  close(options?: { timeoutMs?: number }): Promise<FlushReport>;
}

type AsyncDisposeSymbol = SymbolConstructor extends {
  readonly asyncDispose: infer S extends symbol;
}
  ? S
  : never;

/** `[Symbol.asyncDispose]`, in whichever projects that symbol is known to TypeScript. */
export type AsyncDisposeMethod = { [K in AsyncDisposeSymbol]: () => Promise<void> };

/**
 * Starts a session and makes it the active one. Resolves as soon as it can be enriched: the network is
 * not waited for, and calls made before that are kept in order.
 *
 * Active means: a bare {@link enrichSession} in the same async context (Node, Deno, Bun, Vercel) or the same
 * request (Cloudflare Workers) reaches it; in a browser, as long as it is the only open one.
 */
export function initTracer(options?: TracerOptions): Promise<Tracer>;

/**
 * Runs `fn` with a session of its own. Resolves to what `fn` returned, or rejects with what it threw, as soon as
 * `fn` has ended; delivery goes on, under `waitUntil` where there is one. Only where the platform freezes a
 * function once it has answered (AWS Lambda, Google Cloud Run and Cloud Functions) does it flush first.
 *
 * ```ts
 * await withSession({ sessionName: "checkout" }, async () => {
 *   await enrichSession({ metadata: { step: "payment" } });
 * });
 * ```
 */
export function withSession<T>(
  options: TracerOptions,
  fn: (tracer: Tracer) => T | Promise<T>,
): Promise<T>;

/**
 * Enriches the active session, or the one named by `sessionId` or `tracer`. Without data it makes sure that
 * the session exists. Where several sessions could be meant nothing is sent, and the outcome is
 * `no_session`.
 *
 * ```ts
 * const outcome = await enrichSession({ feedback: { rating: 5 } });
 * if (outcome.status === "dropped") console.warn(outcome.reason, outcome.message);
 * ```
 */
export function enrichSession(params?: Enrichment & EnrichmentTarget): Promise<Delivery>;
export function enrichSession(
  sessionId: string | null | undefined,
  params?: Enrichment & EnrichmentTarget,
): Promise<Delivery>;

/**
 * Enriches one event by its id, see {@link Tracer.enrichEvent}: with the key of the active tracer, of the one named
 * by `tracer`, or of those that are open where all send to the same place with the same key.
 */
export function enrichEvent(
  eventId: string,
  params: Enrichment & Pick<EnrichmentTarget, "tracer">,
): Promise<EventDelivery>;

/**
 * A new id for an event: a random UUID, to give to its span with `enrichSpan({ eventId })` and to whoever is to
 * enrich it. Empty where the runtime has no random numbers: at a Worker's top level.
 */
export function newEventId(): string;

/** The tracer whose session a bare {@link enrichSession} would reach here, if there is one. */
export function activeTracer(): Tracer | undefined;

/** Sends what is queued for all open tracers and waits for it, at most `timeoutMs` milliseconds (default 10000). */
export function flush(options?: { timeoutMs?: number }): Promise<FlushReport>;

/**
 * The session id that a name of your own stands for, such as a conversation's id: the same UUID (version 5,
 * URL namespace) in every service and language. Wherever a session id is taken, a name means this UUID. A
 * UUID comes back in lower case. Where there is no name (`undefined`, `null`, an empty text or list), an
 * error is logged and the id is a fresh one: else everybody without a name would share one session.
 */
export function sessionIdFrom(name: string): string;

/**
 * The session id that incoming request headers carry (W3C baggage), if any, as a UUID.
 *
 * ```ts
 * await initTracer({ sessionId: sessionIdFromHeaders(request.headers) });
 * ```
 */
export function sessionIdFromHeaders(headers: RequestHeaders): string | undefined;

/** `Headers`, or a record such as Node's `request.headers`. */
export type RequestHeaders =
  { get(name: string): string | null } | Record<string, string | string[] | undefined>;
