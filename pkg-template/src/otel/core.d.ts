// What the JavaScript of `honeyhive-edge/otel` and its WebAssembly core say to each other. Types only:
// the core is Rust (src/js/spans.rs).

/** One instance of the core. Every method is synchronous and none throws; `undefined` comes back only when the instance died in the call. */
export interface SpanCore {
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
}
