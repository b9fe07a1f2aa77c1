// What the JavaScript of `honeyhive-edge/relay` and its WebAssembly core say to each other. Types only:
// the core is Rust (src/js/relay.rs), which also says what the JSON that comes back is.

/** One instance of the core. Every method is synchronous and none throws; `undefined` comes back only when the instance died in the call. */
export interface RelayCore {
  check(options: string): string | undefined;
  secrets(options: string): string | undefined;
  claims(asked: string, nowMs: number): string | undefined;
  seal(claims: string, signature: Uint8Array): string | undefined;
  admit(options: string, head: string): string | undefined;
  verified(options: string, head: string, isRight: boolean, nowMs: number): string | undefined;
  forward(
    passage: number,
    body: Uint8Array,
    fault: BodyFault | undefined,
    nowMs: number,
  ): string | undefined;
  answered(
    passage: number,
    status: number,
    retryAfter: string,
    body: string,
    nowMs: number,
  ): string | undefined;
  queued(passage: number, wasTaken: boolean): string | undefined;
  leave(passage: number): void;
  openBatch(options: string, messages: string[], nowMs: number): string | undefined;
  nextRequest(batch: number, session: number, nowMs: number): string | undefined;
  batchAnswered(
    batch: number,
    session: number,
    status: number,
    retryAfter: string,
    body: string,
    nowMs: number,
  ): void;
  closeBatch(batch: number, nowMs: number): string | undefined;
}

/** Why a body did not come whole. */
export type BodyFault = "large" | "slow" | "broken";

/** A request to the backend. */
export interface Outgoing {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}

/** The answer to a request. */
export interface End {
  status: number;
  headers: Record<string, string>;
  body: string;
  log: Lines;
}

/** Level and message. */
export type Lines = ["error" | "warn" | "info" | "debug", string][];
