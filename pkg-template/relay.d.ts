/**
 * The relay: lets a page write to its session without an API key. A server issues a ticket for one
 * session; the page's tracer shows it to the relay, which adds the key.
 *
 * ```ts
 * // on the server
 * import { createRelay, issueTicket } from "honeyhive-edge/relay";
 * const relay = createRelay(); // HH_API_KEY and HH_RELAY_SECRET are in the environment
 * const ticket = await issueTicket({ sessionId, fields: ["feedback"], expiresIn: 3600 });
 *
 * // in the page
 * const tracer = await initTracer({ serverUrl: "/honeyhive", ticket });
 * ```
 *
 * Nothing here throws, and no promise rejects.
 *
 * @packageDocumentation
 */

import type { Fetch, LogLevel, RedactOptions } from "./index.js";

/** A field of an enrichment. `metadata` covers every key that is no field as well. */
export type TicketField =
  | "metadata"
  | "inputs"
  | "outputs"
  | "config"
  | "feedback"
  | "metrics"
  | "userProperties"
  | "duration"
  | "endTime"
  | "error";

/**
 * What tickets are signed with: 32 random characters or more, such as `openssl rand -base64 32` gives. Of
 * several the first one signs, and tickets of all are good: to change it, put the new one in front, and
 * take the old one away when the tickets it signed have expired. Default: `HH_RELAY_SECRET`, then
 * `HH_RELAY_SECRET_PREVIOUS`.
 */
export type Secret = string | readonly string[];

export interface TicketOptions {
  /** The one session that may be enriched. An id that is no UUID stands for one, as `sessionIdFrom` makes it. */
  sessionId: string;
  /**
   * The events of that session that may be enriched, at most 50: then these alone, and the session itself only
   * where its id is among them. Left out, the ticket is for the session.
   */
  events?: readonly string[];
  /** The fields that may be written. */
  fields: readonly TicketField[];
  /** Seconds until it expires, at most 30 days. Default 3600. */
  expiresIn?: number;
  secret?: Secret;
}

/**
 * A ticket for a page, which allows enriching one session, or the events named, in the fields named, until it expires. Who
 * has it can do that and read what it says; it holds no secret. Empty where it cannot be issued: the
 * log says why, and a tracer with it sends nothing.
 */
export function issueTicket(options: TicketOptions): Promise<string>;

/** Where a relay, or the consumer of its queue, sends. */
export interface BackendOptions {
  /** Default: `HH_INGESTION_API_KEY`, then `HH_PROJECT_API_KEY`, then `HH_API_KEY`. */
  apiKey?: string;
  /** HoneyHive's server. Default: `HH_API_URL`, else the multi-tenant one. */
  serverUrl?: string;
  /**
   * How a session is described that a page is the first to speak of; pages cannot. Default:
   * `HH_SESSION_NAME` and `HH_SOURCE`; where neither is set it has no description.
   */
  sessionName?: string;
  source?: string;
  /** Default: `HH_PROJECT`. Only older servers want it. */
  project?: string;
  /** Limit for one request to HoneyHive, and for a request's body to arrive, in milliseconds. Default 5000. */
  timeoutMs?: number;
  /** Relays nothing. Default: `HH_TEST_MODE`. */
  disabled?: boolean;
  /** Instead of the global `fetch`. */
  fetch?: Fetch;
  /** Default `"warn"`; `"debug"` says of each refusal why. No line holds a key or a ticket. */
  logLevel?: LogLevel;
}

export interface RelayOptions extends BackendOptions {
  secret?: Secret;
  /** Where the relay is: the pages' `serverUrl`. `""` where the framework takes it off the address. Default `"/honeyhive"`. */
  path?: string;
  /** Origins of other sites whose pages may use it, such as `"https://shop.example"`. Its own may. */
  origins?: readonly string[];
  /** How often one ticket may be used: so many requests at once, and as many in each span of seconds. Counted in this isolate or process alone. Default `{ requests: 300, seconds: 60 }`. */
  rate?: { requests?: number; seconds?: number };
  /**
   * Masks on the server as well what pages have left in clear: `true` as a tracer does by default, `{ keys }`
   * the values of keys of your own instead of the default names. Default false: the page's tracer has masked.
   */
  redact?: boolean | Pick<RedactOptions, "keys">;
  /** Bytes of a request's body at most. Default 102400. */
  maxBodyBytes?: number;
  /** A Cloudflare Queue. With it requests are answered when they are stored there; {@link createConsumer} delivers them. */
  queue?: { send(message: string, options?: any): Promise<unknown> };
}

/** The runtime's own types of requests and responses, where its types are loaded. */
export type RelayRequest = typeof globalThis extends { Request: { prototype: infer R } } ? R : any;
export type RelayResponse = typeof globalThis extends { Response: { prototype: infer R } }
  ? R
  : any;

/**
 * A relay: takes the requests of pages' tracers below its `path`, refuses what their tickets do not allow,
 * and passes on the rest with the key. Options and environment are read at the first request. For
 * Workers, Deno, Bun, Next.js' route handlers, and Node behind an adapter.
 */
export function createRelay(
  options?: RelayOptions,
): (request: RelayRequest) => Promise<RelayResponse>;

/** A batch of a Cloudflare Queue, as its consumer gets it. */
export interface QueueBatch {
  readonly messages: readonly {
    readonly body: unknown;
    /** How often it has come, this time included. */
    readonly attempts?: number;
    ack(): void;
    retry(options?: { delaySeconds?: number }): void;
  }[];
}

export interface ConsumerOptions extends BackendOptions {
  /**
   * The queue's own `retry_delay`, in seconds. A message that is not delivered waits that long first, and twice as
   * long after each further attempt, up to ten minutes; longer where HoneyHive asks for it. Default 10.
   */
  retryDelay?: number;
}

/**
 * A `queue` handler: delivers what a relay with a `queue` has stored there. The messages of one session are
 * merged into few requests, in their order. What fails is retried by the queue, and ends in its dead letters.
 */
export function createConsumer(options?: ConsumerOptions): (batch: QueueBatch) => Promise<void>;
