// The boundary between `honeyhive-edge/otel` and its WebAssembly. The functions of both sides are declared in Rust
// (src/js/spans/), and wasm-bindgen writes their declarations when the module is built.

import type * as spans from "../../../build/wasm/otel/core.js";
import type { CoreFunctions } from "../core.d.ts";

/** One instance of the module. */
export type SpanCore = CoreFunctions<typeof spans> & {
  /** Gives the instance its host. It has to be called first. */
  connect(host: SpanHost): void;
};

/** The functions of the face that the module calls. */
export type SpanHost = spans.SpanHost;
