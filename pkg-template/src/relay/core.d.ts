// What the JavaScript of `honeyhive-edge/relay` and its WebAssembly core say to each other. Types only:
// the core is Rust (src/js/relay/).

import type { Clocks, Runtime } from "../core.d.ts";

/** One instance of the core. Every method is synchronous and none throws; `undefined` comes back only when the instance died in the call. */
export interface RelayCore {
  connect(host: RelayHost): void;
  check(options: string): { log: LogLines } | undefined;
  secrets(options: string): { secrets: string[]; log: LogLines } | undefined;
  claims(
    asked: string,
    nowMs: number,
  ): { claims: string; problem?: undefined } | { claims?: undefined; problem: string } | undefined;
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
  /**
   * Delivers a queue's batch; `attempts` says how often each message has come. `RelayHost.settle` is told of each, in their
   * order: true where it is stored, else the seconds after which it is to come again, or null for the queue's own.
   */
  deliver(call: number, options: string, messages: string[], attempts: Uint32Array): void;
}

/** What the core asks of the JavaScript around it. But for `fetch` and `enqueue`, none of it throws. */
export interface RelayHost extends Runtime, Clocks {
  /** The `fetch` of the call's relay, or the runtime's; does what that does. */
  fetch(call: number, url: string, init: RequestInit): unknown;
  /** The `send` of the queue of the call's relay; does what that does. */
  enqueue(call: number, message: string): unknown;
  /** The call has ended with `result`; `undefined` where it failed. */
  settle(call: number, result: unknown): void;
  /** The call's request was torn down: nobody in it can be told any more. */
  forgetCall(call: number): void;
  log(level: "error" | "warn" | "info" | "debug", message: string): void;
}

/** Level and message. */
export type LogLines = ["error" | "warn" | "info" | "debug", string][];
