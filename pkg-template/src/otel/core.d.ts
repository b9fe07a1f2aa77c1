// What the JavaScript of `honeyhive-edge/otel` and its WebAssembly core say to each other. Types only:
// the core is Rust (src/js/spans/).

import type { Host } from "../core.d.ts";

/** One instance of the core. Every method is synchronous and none throws; `undefined` comes back only when the instance died in the call. */
export interface SpanCore {
  connectSpans(host: Pick<Host, "settle" | "log" | "fetch" | "waitUntil">): void;
  /** The JSON of `{ attributes, warnings }`. */
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
  openExporter(options: string, seed: number): number | undefined;
  /** A number above 0, settled later with the JSON of `{ exporter, why? }`. */
  exportSpans(exporter: number, json: string, scope: number): number | undefined;
  /** Nobody refers to the exporter any more. */
  closeExporter(exporter: number): void;
}
