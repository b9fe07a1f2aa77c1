/**
 * The relay lets a page write to its session without an API key. Your server issues a ticket for one session. The page's
 * tracer sends it to the relay, which checks it and adds the key.
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
 * No function here throws, and no promise rejects.
 *
 * @packageDocumentation
 */

import type { Fetch, LogLevel, RedactOptions } from "./index.js";

/** A field of an enrichment. `metadata` also allows every key that is no field. */
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
 * The secret that signs tickets: 32 random characters or more, as `openssl rand -base64 32` prints. If you pass more than
 * one, the first one signs and the relay accepts tickets of all. To change the secret, put the new one first, and remove
 * the old one when its last ticket has expired. Default: `HH_RELAY_SECRET`, then `HH_RELAY_SECRET_PREVIOUS`.
 */
export type Secret = string | readonly string[];

/** The options of {@link issueTicket}. */
export interface TicketOptions {
  /** The session that the page may write to, by its UUID or by any text that stands for one (`sessionIdFrom`). */
  sessionId: string;
  /**
   * The events that the page may write to, at most 50. Then it may write to these alone, and to the session only if its
   * id is among them. Without it, the ticket is for the session.
   */
  events?: readonly string[];
  /** The fields that the page may write. */
  fields: readonly TicketField[];
  /** The ticket's life in seconds, at most 30 days. Default 3600. */
  expiresIn?: number;
  /** The secret to sign with. */
  secret?: Secret;
}

/**
 * Issues a ticket for a page: a bearer token that lets the page write the named fields of one session, or of the named
 * events, until it expires. Check first that the visitor owns the session. A ticket can be read, and holds no secret. If
 * it cannot be issued, the result is an empty text, the log has the reason, and a tracer with it sends nothing.
 */
export function issueTicket(options: TicketOptions): Promise<string>;

/** The options of a relay and of its queue's consumer for HoneyHive. */
export interface BackendOptions {
  /** HoneyHive's API key. Default: `HH_INGESTION_API_KEY`, then `HH_PROJECT_API_KEY`, then `HH_API_KEY`. */
  apiKey?: string;
  /** The address of HoneyHive's server. Default: `HH_API_URL`, else the multi-tenant server. */
  serverUrl?: string;
  /**
   * The name of a session that a page is the first to write to, because a page cannot name it. Default:
   * `HH_SESSION_NAME`, else none.
   */
  sessionName?: string;
  /** The environment of such a session. Default: `HH_SOURCE`, else none. */
  source?: string;
  /** The project's name, which only older servers need. Default: `HH_PROJECT`. */
  project?: string;
  /** The longest that a request to HoneyHive, and the body of a page's request, may take, in milliseconds. Default 5000. */
  timeoutMs?: number;
  /** Relay nothing. Default: `HH_TEST_MODE`. */
  disabled?: boolean;
  /** A function to send requests with in place of the global `fetch`. */
  fetch?: Fetch;
  /** The lines to log. Default `"warn"`; `"debug"` logs the reason of each refusal. No line holds a key or a ticket. */
  logLevel?: LogLevel;
}

/** The options of {@link createRelay}. */
export interface RelayOptions extends BackendOptions {
  /** The secret that tickets are signed with. */
  secret?: Secret;
  /** The relay's path, which is the pages' `serverUrl`. Pass `""` if your framework removes it from the address. Default `"/honeyhive"`. */
  path?: string;
  /** Other origins whose pages may use the relay, such as `"https://shop.example"`. Pages of its own origin always may. */
  origins?: readonly string[];
  /** How often a page may use one ticket: so many requests at once, and as many again in each period. Each isolate or process counts for itself. Default `{ requests: 300, seconds: 60 }`. */
  rate?: { requests?: number; seconds?: number };
  /**
   * Masks on the server too: `true` by the rules that a tracer has by default, `{ keys }` by key names of your own.
   * Default false, because the page's tracer has masked already.
   */
  redact?: boolean | Pick<RedactOptions, "keys">;
  /** The most bytes that a request's body may have. Default 102400. */
  maxBodyBytes?: number;
  /** A Cloudflare Queue. The relay then answers when the queue has stored the request, and {@link createConsumer} delivers it. */
  queue?: { send(message: string, options?: any): Promise<unknown> };
}

/** The runtime's own types of requests and responses, if its types are loaded. */
export type RelayRequest = typeof globalThis extends { Request: { prototype: infer R } } ? R : any;
export type RelayResponse = typeof globalThis extends { Response: { prototype: infer R } }
  ? R
  : any;

/**
 * Makes a relay. It accepts the requests of pages' tracers below its `path`, refuses those that their tickets do not
 * allow, and forwards the others with the key. It reads options and environment at the first request. Use it in
 * Workers, Deno, Bun, Next.js' route handlers, and in Node behind an adapter.
 */
export function createRelay(
  options?: RelayOptions,
): (request: RelayRequest) => Promise<RelayResponse>;

/** A batch of a Cloudflare Queue, as its consumer receives it. */
export interface QueueBatch {
  readonly messages: readonly {
    readonly body: unknown;
    /** The number of times that the queue has delivered the message, this time included. */
    readonly attempts?: number;
    ack(): void;
    retry(options?: { delaySeconds?: number }): void;
  }[];
}

/** The options of {@link createConsumer}. */
export interface ConsumerOptions extends BackendOptions {
  /**
   * The queue's own `retry_delay`, in seconds. A message that is not delivered waits that long first, and twice as long
   * after each further attempt, up to ten minutes, or longer if HoneyHive asks for it. Default 10.
   */
  retryDelay?: number;
}

/**
 * Makes a `queue` handler, which delivers the messages that a relay has put into its `queue`. It merges the messages of one
 * session into few requests, in their order. The queue retries messages that fail, and moves them to its dead letters
 * after the last attempt.
 */
export function createConsumer(options?: ConsumerOptions): (batch: QueueBatch) => Promise<void>;
