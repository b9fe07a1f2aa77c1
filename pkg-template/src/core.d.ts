// The boundary between the face and the tracer's WebAssembly. The functions of both sides are declared in Rust
// (src/js/exports.rs, host.rs, clock.rs, runtime.rs). wasm-bindgen writes their declarations when the module is built, and
// this file says what the face makes of them. The tests' double is tests/face/fake-core.mjs.

import type * as tracer from "../../build/wasm/tracer/core.js";
import type * as future from "../../build/wasm/otel/core.js";

/**
 * The functions of an instance, which scripts/core-factory.mjs makes of a module's. None of them throws. They return
 * undefined if the instance died in the call or before it.
 */
export type CoreFunctions<Module> = {
  [name in keyof Omit<Module, "default" | "initSync" | "connect">]: Module[name] extends (
    ...given: infer Given
  ) => infer Result
    ? (...given: Given) => Result | undefined
    : never;
};

/** The functions that a page's module lacks. */
type OnServers = "readRequest" | "readAnswered" | "totalsOf";

/** One instance of the tracer's module, without what only the tests of its surface call. */
export type Core = Omit<CoreFunctions<typeof tracer>, OnServers | "tracers"> &
  Partial<Pick<CoreFunctions<typeof tracer>, OnServers>> & {
    /** Gives the instance its host. It has to be called first. */
    connect(host: Host, seed: number, place: "page" | "edge" | "server"): void;
  };

/** The functions of the face that the module calls. */
export interface Host extends tracer.Host {
  /**
   * Whether the instance is at work. The instance sets it; the host clears it while one of its functions runs that may call
   * the core. If it is set when the core is called, the browser has ended the script in the middle of the call before.
   */
  isInside?: boolean;
}

export type Clocks = tracer.Clocks;
export type Runtime = future.Runtime;
export type Listened = future.Listened;

/** A tracer as `initTracer` describes it. */
export interface TracerInfo {
  tracer: number;
  sessionId: string;
  sessionName: string;
  project?: string | undefined;
  source: string;
  enabled: boolean;
  /** Whether its function is being asked for the first ticket, which names the session. */
  awaitsTicket?: true;
}

/** The options of `initTracer` for the core: plain values, and never an object of the application's. */
export interface CoreOptions {
  [scalar: string]: unknown;
  sessionId?: unknown;
  sessionName?: unknown;
  headers?: Record<string, string> | undefined;
  redactKeys?: string[] | undefined;
  redactPatterns: boolean;
  redact: boolean;
  /** Whether the application's own function masks as well, which only the face can call. */
  redactor: boolean;
  /** The fields that the session starts with, as JSON. */
  start: string;
  newSessionId: string;
  /** The totals of its metrics when it was released, if it is registered again. */
  totals?: string;
  transport: number;
  /** The number of the function that gives tickets. */
  ticketSource?: number | undefined;
  onDrop: boolean;
  env: Record<string, string>;
  /** In a page, the origin that paths are relative to, and the origin of its requests if that is another. */
  page?: string;
  origin?: string;
  parent?: number;
  /** Whether a call without a tracer may reach it from outside any context. */
  ambient: boolean;
}

/**
 * Called once if an instance dies. `isCutOff` is true if the browser ended a script of the page in the middle of the
 * instance's work, which does not mean that its data is wrong.
 */
export type OnTrap = (error: unknown, isCutOff?: boolean) => void;

/** The function that scripts/core-factory.mjs makes of wasm-bindgen's glue. */
export type CreateCore<C = Core> = (
  onTrap: OnTrap,
  classes?: Pick<typeof globalThis, "TextDecoder" | "TextEncoder">,
) => {
  imports: WebAssembly.Imports;
  start(instance: WebAssembly.Instance): C;
};
