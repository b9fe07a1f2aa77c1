// What the JavaScript of `honeyhive-edge/relay` and its WebAssembly core say to each other. Types only:
// the core is Rust (src/js/relay.rs), which also says what the JSON that comes back is.

import type { Runtime } from "../core.d.ts";

/** One instance of the core. Every method is synchronous and none throws; `undefined` comes back only when the instance died in the call. */
export interface RelayCore {
  connect(host: RelayHost): void;
  check(options: string): string | undefined;
  secrets(options: string): string | undefined;
  claims(asked: string, nowMs: number): string | undefined;
  seal(claims: string, signature: Uint8Array): string | undefined;
  /** The answer, or what the signature to be checked is of. */
  admit(
    options: string,
    head: string,
  ): Response | { claims: string; signature: number[] } | undefined;
  /** Leads a request to its end, for `RelayHost.settle`; not before the call has returned, unless it is refused. */
  pass(call: number, options: string, head: string, isRight: boolean, request: Request): void;
  /** Polls the futures of a call, see `Runtime.wakeScope`. */
  runScope(call: number): void;
  openBatch(
    options: string,
    messages: string[],
    attempts: Uint32Array,
    nowMs: number,
  ): string | undefined;
  nextRequest(batch: number, nowMs: number): string | undefined;
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

/** What the core asks of the JavaScript around it. But for `fetch` and `enqueue`, none of it throws. */
export interface RelayHost extends Runtime {
  /** The `fetch` of the call's relay, or the runtime's; does what that does. */
  fetch(call: number, url: string, init: RequestInit): unknown;
  /** The `send` of the queue of the call's relay; does what that does. */
  enqueue(call: number, message: string): unknown;
  /** The call has ended with `result`; `undefined` where it failed. */
  settle(call: number, result: unknown): void;
  /** The call's request was torn down: nobody in it can be told any more. */
  left(call: number): void;
  log(level: "error" | "warn" | "info" | "debug", message: string): void;
}

/** A request to the backend. */
export interface Outgoing {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}

/** Level and message. */
export type Lines = ["error" | "warn" | "info" | "debug", string][];
