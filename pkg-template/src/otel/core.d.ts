// What the JavaScript of `honeyhive-edge/otel` and its WebAssembly core say to each other. Types only:
// the core is Rust (src/js/spans/).

import type { Clocks, Host, Runtime } from "../core.d.ts";

/** One instance of the core. Every method is synchronous and none throws; `undefined` comes back only when the instance died in the call. */
export interface SpanCore {
  connect(host: SpanHost): void;
  /** The JSON of `{ attributes, leftOut, warnings }`. */
  spanAttributes(
    fields: string,
    redact: boolean,
    redactKeys: string[] | undefined,
    redactPatterns: boolean,
    /** JSON list of the names of the attributes that the span has. */
    present: string,
    /** How many more it takes. */
    room: number,
  ): string | undefined;
  /** The number of a new exporter, whose options are JSON. */
  openExporter(
    options: string,
    seed: number,
    place: "page" | "edge" | "server",
  ): number | undefined;
  /** Takes spans of an export that is not whole yet; `part` is what it returned for those before, 0 for the first. */
  giveSpans(exporter: number, part: number, lines: string): number | undefined;
  /** Takes the last of them. A number above 0, settled later. */
  exportSpans(exporter: number, part: number, lines: string, scope: number): number | undefined;
  /** What the exporter has in the scope goes out without waiting for `mergeWindowMs`. */
  hurryExporter(exporter: number, scope: number): void;
  /** Nobody refers to the exporter any more. */
  closeExporter(exporter: number): void;
  /** Polls the futures of a loop, see `Runtime.wakeScope`. */
  runScope(loop: number): void;
}

/** What the core asks of the runtime. But for `fetch`, none of it throws. */
export interface SpanHost extends Runtime, Clocks, Pick<Host, "log"> {
  /** An export has ended; `why` says why it failed, if it did. */
  settle(exporter: number, call: number, why: string | undefined): void;
  /** Something is under way in `scope` until `rest` is called with `loop`. */
  beginLoop(loop: number, scope: number): void;
  endLoop(loop: number): void;
  /** The request that began `loop` was torn down: nothing of it is to be touched. */
  forgetLoop(loop: number): void;
  /** `fetch` number `transport`, 0 is the runtime's own; does what that does. */
  fetch(transport: number, url: string, init: RequestInit): unknown;
}
