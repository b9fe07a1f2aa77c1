// What the JavaScript of `honeyhive-edge/otel` and its WebAssembly core say to each other. Types only:
// the core is Rust (src/js/spans/).

import type { Host } from "../core.d.ts";

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
  /** A number above 0, settled later with the JSON of `{ exporter, why? }`. */
  exportSpans(exporter: number, lines: string, scope: number): number | undefined;
  /** What the exporter has in the scope goes out without waiting for `mergeWindowMs`. */
  hurryExporter(exporter: number, scope: number): void;
  /** Nobody refers to the exporter any more. */
  closeExporter(exporter: number): void;
  /** Runs an exporter's loop in a scope. Returns the milliseconds after which to run it again, less than none if it is over. */
  runExporter(exporter: number, scope: number, hasTimers: boolean): number | undefined;
  /** What came of a request that was sent, see `Answer` in send.js. */
  exportAnswered(flight: number, status: number, retryAfter: string, body: string): void;
}

/** What the core asks of the runtime. */
export interface SpanHost extends Pick<Host, "settle" | "log" | "send" | "now"> {
  /** The exporter's loop in the scope is to be run, in a microtask of its own. */
  begin(exporter: number, scope: number): void;
}
