/**
 * Session enrichment for HoneyHive, from browsers, Cloudflare Workers, Node, Deno and Bun.
 *
 * ```ts
 * import { initTracer, enrichSession } from "honeyhive-edge";
 *
 * await initTracer({ apiKey: "hh_…", sessionName: "chat" });
 * await enrichSession({ metadata: { plan: "pro" }, userProperties: { user_id: "u1" } });
 * ```
 *
 * No function of the package throws, and no promise of it rejects, whatever you pass. If an enrichment is not stored,
 * its promise's value, `onDrop` and the counts of `flush()` report that. Only an error of your own function in `run`
 * and `withSession` reaches you as it was thrown.
 *
 * @packageDocumentation
 */

/**
 * An object of keys and values of any kind. The package copies it during the call and sees no later change. It stores
 * values that JSON cannot express as the nearest JSON value: a `Map`, `Headers`, `URLSearchParams` or `FormData` as an
 * object, a `Set` as a list, an `Error` as `{ name, message, stack }`, a `RegExp` as its text, a `BigInt` as a number or
 * a decimal string, a cycle as `"[Circular]"`, more than 100 levels as `"[Too deep]"`, and a getter that throws as
 * `"[Threw: …]"`.
 */
export type Fields = Record<string, unknown>;

/** The data of one call about a session. Every field is optional. Keep one enrichment under 100 KB. */
export interface Enrichment {
  /** Values to filter by: ids, feature, variant, status. Merged by top-level key. */
  metadata?: Fields;
  /** Data that the session received. Stored as `inputs` with the session's start, and as `metadata.inputs` later. */
  inputs?: Fields;
  /**
   * Results that the session produced. Replaces the previous `outputs`. A text, a number or a list is stored as
   * `{ value: … }`.
   */
  outputs?: Fields | readonly unknown[] | string | number | boolean;
  /** Model, temperature, prompt version and other settings. Merged by top-level key. */
  config?: Fields;
  /** Ratings, comments and scores, from people or from checks. Merged by top-level key. */
  feedback?: Fields;
  /** Numbers: tokens, cost, seconds. Merged by top-level key. To add to a number, call {@link Tracer.addMetrics}. */
  metrics?: Fields;
  /** The user's id, plan and the like. HoneyHive stores it apart from `metadata`. Merged by top-level key. */
  userProperties?: Fields;
  /** The session's length, in milliseconds. */
  duration?: number;
  /** The session's end, in milliseconds since 1970 (`Date.now()`). */
  endTime?: number;
  /** A failure. Stored as `metadata.error`; an `Error` as `{ name, message, stack, cause }`. */
  error?: unknown;
}

/** Names the session that a call enriches, if not the active one. */
export interface EnrichmentTarget {
  /** The session's id, or any text that stands for one ({@link sessionIdFrom}). Also accepted as `session_id`. */
  sessionId?: string;
  /** The tracer whose key and server are used, and its session if you name no id. Also accepted as `tracerInstance` and `tracer_instance`. */
  tracer?: Tracer;
}

/** The result of a call. Check `status`; the promise never rejects. */
export type Delivery =
  | {
      readonly status: "delivered";
      /** The UUID of the session that holds the enrichment. */
      readonly sessionId: string;
    }
  | {
      readonly status: "dropped";
      /** The UUID of the session, if it was known. */
      readonly sessionId?: string;
      readonly reason: DropReason;
      /** One sentence: the cause, and what to do about it. */
      readonly message: string;
    };

/** The result of {@link Tracer.enrichEvent}. Check `status`; the promise never rejects. */
export type EventDelivery =
  | {
      readonly status: "delivered";
      /** The UUID of the event. */
      readonly eventId: string;
    }
  | {
      readonly status: "dropped";
      /** The UUID of the event, if the call named one. */
      readonly eventId?: string;
      readonly reason: DropReason;
      /** One sentence: the cause, and what to do about it. */
      readonly message: string;
    };

/**
 * The reason of a drop.
 *
 * - `no_session`: no session is active and the call names none, or more than one session could be meant
 * - `disabled`: there is no API key, `disabled` or test mode is set, or WebAssembly did not start
 * - `invalid`: the arguments hold nothing that can be stored
 * - `too_large`: the enrichment is larger than one request may be (5 MB)
 * - `queue_full`: the queue holds `maxQueueBytes` already
 * - `rejected`: HoneyHive refused the enrichment (400, 401, 403, 404, 413, 422 …); the package does not send it again
 * - `retries_exhausted`: until `deadlineMs` each request failed (network error, 408, 425, 429 or 5xx), or the server
 *   answered nobody while the enrichment waited for its turn
 * - `closed`: the tracer was closed before the call, or before it could send
 * - `internal`: the package itself failed; later calls work again
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

/** A drop, as `onDrop` receives it. */
export interface Dropped {
  /** The UUID of the session, if it was known. */
  readonly sessionId?: string;
  /** The UUID of the event, in place of `sessionId`, if the call enriched an event. */
  readonly eventId?: string;
  readonly reason: DropReason;
  /** One sentence: the cause, and what to do about it. */
  readonly message: string;
  /** The dropped data, masked: log it, or enrich with it again. Empty if the package does not hold it any more. */
  readonly enrichment: Enrichment;
}

/** The lines that the package logs: those of the level and of the levels before it. */
export type LogLevel = "silent" | "error" | "warn" | "info" | "debug";

/** The options of one session. */
export interface SessionOptions {
  /** The session's name in HoneyHive. Default: `HH_SESSION_NAME`, else `"session"`. */
  sessionName?: string;
  /**
   * The session to continue, by its UUID or by any text that stands for one ({@link sessionIdFrom}). Default: a new
   * session with a random UUID.
   */
  sessionId?: string;
  /** Stored with the session's start, as {@link Enrichment.inputs}. */
  inputs?: Fields;
  /** Stored with the session's start, as {@link Enrichment.metadata}. */
  metadata?: Fields;
  /** Stored with the session's start, as {@link Enrichment.config}. */
  config?: Fields;
  /** Stored with the session's start, as {@link Enrichment.userProperties}. */
  userProperties?: Fields;
  /**
   * Links the session to a run of an experiment, as `metadata.run_id`, `.dataset_id` and `.datapoint_id`. A session of
   * `startSession` has only the `experiment` that you give it.
   */
  experiment?: Experiment;
}

/** HoneyHive's ids of an experiment. */
export interface Experiment {
  /** The run's id. */
  runId?: string;
  /** The dataset's id. */
  datasetId?: string;
  /** The datapoint's id: make one session for each. */
  datapointId?: string;
}

/** The options of a tracer. The Python SDK's spellings (`api_key`, `server_url`, …) work as well. */
export interface TracerOptions extends SessionOptions {
  /** HoneyHive's API key. Default: `HH_INGESTION_API_KEY`, then `HH_PROJECT_API_KEY`, then `HH_API_KEY`. In a page pass a `ticket` instead: every visitor can read the page. */
  apiKey?: string;
  /**
   * In a page, in place of a key: the ticket that `issueTicket` made on your server, or a function that fetches one.
   * `initTracer` calls the function for the first ticket and waits for it, at most `timeoutMs`. The tracer calls it
   * again when something is to be sent shortly before the ticket ends, and when the relay refuses the ticket; what
   * the relay refused for the ticket's age alone is then sent again. Pass the same function to all tracers of a page:
   * they share its tickets. All tickets must be for one session.
   *
   * ```ts
   * const ticket = () => fetch("/ticket", { method: "POST" }).then((response) => response.text());
   * const tracer = await initTracer({ serverUrl: "/honeyhive", ticket });
   * ```
   */
  ticket?: string | (() => string | Promise<string>);
  /** The project's name, which only older servers need: a key belongs to one project. Default: `HH_PROJECT`. */
  project?: string;
  /** The environment that the session comes from, such as `"prod"`. Default: `HH_SOURCE`, else `"dev"`. */
  source?: string;
  /** The address of HoneyHive's server, or in a page of your relay, which may be a path. Default: `HH_API_URL`, else HoneyHive's multi-tenant server. */
  serverUrl?: string;
  /** Send nothing, and drop each enrichment as `disabled`. Default: `HH_TEST_MODE`. */
  disabled?: boolean;
  /** The longest that one request may take, in milliseconds. Default 5000. */
  timeoutMs?: number;
  /**
   * The longest that the package tries to send an enrichment, in milliseconds. It counts from the call while requests of
   * the session fail or the server answers nobody, and includes the last request. Time in the queue of a server that
   * answers does not count. Default 30000.
   */
  deadlineMs?: number;
  /** The shortest time between two requests for one session, in milliseconds. Calls in between are merged. Default 200. */
  mergeWindowMs?: number;
  /**
   * The most bytes that the queue may hold, for all sessions together. Default 64 MiB in Node, Deno and Bun, 16 MiB on
   * Cloudflare Workers and Vercel's edge, 4 MiB in a page.
   */
  maxQueueBytes?: number;
  /**
   * The most requests to one server at the same time, for all of its tracers together. Default: as many as the server
   * answers well, up to 256, in Node, Deno and Bun; 6 in each request on Cloudflare Workers and Vercel's edge; 2 in a
   * page. A number can only lower that.
   */
  maxConcurrency?: number;
  /**
   * Masks secrets before anything is queued. Default: texts under names such as `password`, `apiKey` or `authorization`,
   * and API keys, tokens, private keys, passwords in addresses and card numbers inside texts and keys.
   *
   * Pass a function to mask by your own rules. It receives every value (the parts of an object before the object) with
   * its path, such as `["metadata", "user", "email"]`, and returns the value to store, or `undefined` to leave it out. If
   * it throws or returns a promise, the whole field is masked. Pass `false` to mask nothing.
   */
  redact?: RedactOptions | ((value: unknown, path: readonly string[]) => unknown) | false;
  /**
   * In a browser: keep the queue in IndexedDB (and its last entries in `localStorage`, while a page is left), so that the
   * next page sends what this page could not. Default true. With
   * `false`, or where there is no IndexedDB, the package stores nothing in the browser, and what a page cannot send when it
   * is left is lost.
   */
  persist?: boolean;
  /** Headers to add to each request. */
  headers?: Record<string, string>;
  /**
   * A function to send requests with in place of the global `fetch`: a service binding, a proxy agent or a test double.
   * Call a method with its object: `(...given) => env.BACKEND.fetch(...given)`.
   */
  fetch?: Fetch;
  /**
   * Keeps the runtime alive until the queue is delivered: `(promise) => ctx.waitUntil(promise)`. On Cloudflare Workers and
   * Vercel the package finds it by itself.
   */
  waitUntil?: (promise: Promise<unknown>) => void;
  /** Receives each drop, once. Errors that it throws are ignored. */
  onDrop?: (dropped: Dropped) => void;
  /** The lines to log. Default `"warn"`, or `"debug"` with `HH_VERBOSE`. */
  logLevel?: LogLevel;
}

/** The runtime's own type of `fetch`, if its types are loaded. */
export type Fetch = typeof globalThis extends { fetch: infer F }
  ? F
  : (input: any, init?: any) => Promise<any>;

/** Names and patterns to mask by, in place of the default ones. */
export interface RedactOptions {
  /** Keys whose values are masked, of any type and at any depth, in upper or lower case. Replaces the default names. */
  keys?: Iterable<string>;
  /** Patterns to mask inside texts, keys, and the names of sessions and metrics. Replaces the default patterns. */
  patterns?: Iterable<RegExp>;
}

/** An event as HoneyHive has stored it, under HoneyHive's names (`user_properties`, `event_type`). */
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

/** The result of {@link Tracer.readSession} and {@link Tracer.readEvent}. Check `status`; the promise never rejects. */
export type ReadResult =
  | { readonly status: "found"; readonly event: StoredEvent }
  | {
      readonly status: "failed";
      readonly reason: ReadFailure;
      /** One sentence: the cause, and what to do about it. */
      readonly message: string;
    };

/**
 * The reason of a read that failed.
 *
 * - `not_found`: HoneyHive has no such event, or not yet
 * - `not_available`: the server has no route to read events (older deployments), the tracer has a ticket (a relay only
 *   writes), or it is in a page that was bundled
 * - `rejected`: HoneyHive refused, for example because the key only ingests
 * - `unreachable`: a network error, no answer within `timeoutMs`, 408, 425, 429 or 5xx; the package does not try again
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

/** Counts of enrichments, since the tracer was made, or of all tracers since the program began. */
export interface FlushReport {
  /** Enrichments that HoneyHive has stored. */
  readonly delivered: number;
  /** Enrichments that were dropped, each with its {@link DropReason}. */
  readonly dropped: number;
  /** Enrichments that were still in the queue when the time was over. */
  readonly pending: number;
}

/** Holds a key, options and one session. {@link initTracer}, {@link withSession} and {@link Tracer.startSession} make one. */
export interface Tracer extends AsyncDisposeMethod {
  /** The session's UUID, also if you named the session by a text of your own. */
  readonly sessionId: string;
  /** The session's name in HoneyHive. */
  readonly sessionName: string;
  /** The project's name, if one is set. */
  readonly project: string | undefined;
  /** The environment that the session comes from. */
  readonly source: string;
  /** False if no key was found, `disabled` is set, or WebAssembly did not start. */
  readonly enabled: boolean;

  /** Enriches this tracer's session, or the session you name. Without data it makes sure that the session exists. */
  enrichSession(enrichment?: Enrichment & Pick<EnrichmentTarget, "sessionId">): Promise<Delivery>;
  enrichSession(sessionId: string | null | undefined, enrichment?: Enrichment): Promise<Delivery>;

  /**
   * Enriches one event, such as a model call, by its id, with this tracer's key. The event may be of any session. The
   * package merges, orders and retries the calls as it does those of a session.
   *
   * Export the event's span first: HoneyHive refuses an update of an unknown event, and the call is dropped as
   * `rejected`. Give the span its id with `enrichSpan({ eventId })` and {@link newEventId}. A text that is no UUID stands
   * for one, as a session's id does.
   *
   * ```ts
   * await tracer.enrichEvent(eventId, { feedback: { thumb: "up" } });
   * ```
   */
  enrichEvent(eventId: string, enrichment: Enrichment): Promise<EventDelivery>;

  /**
   * Adds to numeric metrics of the session. Tracers of one session in one process share one total. A tracer that
   * continues a session (`sessionId`) reads the totals that HoneyHive has before it sends its first one, so the turns
   * of a conversation add up across processes and isolates. Where they cannot be read (an older server, a ticket, a key
   * that only ingests), the total begins with 0 and the log names the reason once. If two processes add to one session at
   * the same time, the later total replaces the earlier one: keep the total yourself there.
   *
   * Each accepted increment counts in every later total of its tracer. So an increment that is dropped on its way
   * (`rejected`, `retries_exhausted`) is made good by the next one that is delivered; do not add it again. One that is
   * refused at once (`queue_full`, `invalid`) counts in none.
   *
   * ```ts
   * await tracer.addMetrics({ tokens: 512, cost: 0.0031 });
   * ```
   */
  addMetrics(increments: Record<string, number>): Promise<Delivery>;

  /**
   * Reads this tracer's session, or the session you name, as HoneyHive has stored it. Use it in tests and jobs. Call
   * `await flush()` first, because the queue is not stored yet, and use a key that may read.
   *
   * ```ts
   * const read = await tracer.readSession();
   * if (read.status === "found") console.log(read.event.metadata);
   * ```
   */
  readSession(sessionId?: string): Promise<ReadResult>;

  /** Reads one event by its id, as {@link Tracer.readSession} reads a session. */
  readEvent(eventId: string): Promise<ReadResult>;

  /**
   * Runs `fn` with this session active in it and in everything that it awaits, and returns its result. Browsers cannot
   * follow the active session across `await`: with two sessions open in a page, call `tracer.enrichSession()`.
   */
  run<T>(fn: () => T): T;

  /** Starts another session with the same key, server and options. To make it the active session, call its `run`. */
  startSession(options?: SessionOptions): Tracer;

  /**
   * Replaces the ticket of this tracer, and of every tracer with the same one, from the next request on. Enrichments that
   * the relay refused because the old ticket had ended are sent again, in their order. A ticket for another session is
   * refused, which the log reports, and the old one stays.
   *
   * ```ts
   * tracer.setTicket(await fetch("/ticket", { method: "POST" }).then((response) => response.text()));
   * ```
   */
  setTicket(ticket: string): void;

  /**
   * Returns headers that carry the session to another service (W3C baggage), where {@link sessionIdFromHeaders} reads
   * them. They keep the members that `headers` hold, such as those of an incoming request: 8,192 bytes in all.
   */
  propagationHeaders(headers?: RequestHeaders): Record<string, string>;

  /** Sends this tracer's queue now and waits for it, at most `timeoutMs` milliseconds (default 10000). */
  flush(options?: { timeoutMs?: number }): Promise<FlushReport>;

  /** Flushes and releases the tracer; later calls are dropped as `closed`. The session does not end. `await using` calls it. */
  close(options?: { timeoutMs?: number }): Promise<FlushReport>;
}

type AsyncDisposeSymbol = SymbolConstructor extends {
  readonly asyncDispose: infer S extends symbol;
}
  ? S
  : never;

/** `[Symbol.asyncDispose]`, in projects whose TypeScript knows that symbol. */
export type AsyncDisposeMethod = { [K in AsyncDisposeSymbol]: () => Promise<void> };

/**
 * Starts a session, or continues `sessionId`, and makes it the active session. It does not wait for the network. Calls
 * that you make before it resolves are kept in order.
 *
 * A bare {@link enrichSession} reaches the active session in the same async context (Node, Deno, Bun, Vercel) or in the
 * same request (Cloudflare Workers); in a browser, while it is the only open session.
 */
export function initTracer(options?: TracerOptions): Promise<Tracer>;

/**
 * Runs `fn` with a session of its own. It resolves with the result of `fn`, or rejects with its error, as soon as `fn`
 * has ended; delivery continues, under `waitUntil` if there is one. On platforms that freeze a function once it has
 * answered (AWS Lambda, Google Cloud Run and Cloud Functions) it flushes first.
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
 * Enriches the active session, or the session that you name by `sessionId` or `tracer`. Without data it makes sure that
 * the session exists. If more than one session could be meant, nothing is sent and the call is dropped as `no_session`.
 *
 * ```ts
 * const delivery = await enrichSession({ feedback: { rating: 5 } });
 * if (delivery.status === "dropped") console.warn(delivery.reason, delivery.message);
 * ```
 */
export function enrichSession(params?: Enrichment & EnrichmentTarget): Promise<Delivery>;
export function enrichSession(
  sessionId: string | null | undefined,
  params?: Enrichment & EnrichmentTarget,
): Promise<Delivery>;

/**
 * Enriches one event by its id, as {@link Tracer.enrichEvent} does: with the key of `tracer`, else of the active tracer,
 * else the only key that the open tracers have.
 */
export function enrichEvent(
  eventId: string,
  params: Enrichment & Pick<EnrichmentTarget, "tracer">,
): Promise<EventDelivery>;

/**
 * Returns a new id for an event: a random UUID. Give it to the span with `enrichSpan({ eventId })`, and to the code that
 * enriches the event. Empty at a Worker's top level, where there are no random numbers.
 */
export function newEventId(): string;

/** Returns the tracer whose session a bare {@link enrichSession} reaches here, if there is one. */
export function activeTracer(): Tracer | undefined;

/** Sends the queue of all tracers now and waits for it, at most `timeoutMs` milliseconds (default 10000). */
export function flush(options?: { timeoutMs?: number }): Promise<FlushReport>;

/**
 * Returns the session id that a text of your own stands for, such as a conversation's id: the same UUID (version 5, URL
 * namespace) in every service and language. Each function that takes a session id accepts such a text. A UUID is
 * returned in lower case. Without a name (`undefined`, `null`, an empty text or list) the function logs an error and
 * returns a new id, so that callers without a name do not share one session.
 */
export function sessionIdFrom(name: string): string;

/**
 * Returns the session id that the headers of an incoming request carry (W3C baggage), as a UUID, if they carry one.
 *
 * ```ts
 * await initTracer({ sessionId: sessionIdFromHeaders(request.headers) });
 * ```
 */
export function sessionIdFromHeaders(headers: RequestHeaders): string | undefined;

/** A `Headers` object, or a record such as Node's `request.headers`. */
export type RequestHeaders =
  { get(name: string): string | null } | Record<string, string | string[] | undefined>;
