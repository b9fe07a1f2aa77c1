// The boundary between `honeyhive-edge/relay` and its WebAssembly. The functions of both sides are declared in Rust
// (src/js/relay/), and wasm-bindgen writes their declarations when the module is built.

import type * as relay from "../../../build/wasm/relay/core.js";
import type { CoreFunctions } from "../core.d.ts";

/** One instance of the module. */
export type RelayCore = CoreFunctions<typeof relay> & {
  /** Gives the instance its host. It has to be called first. */
  connect(host: RelayHost): void;
};

/** The functions of the face that the module calls. */
export type RelayHost = relay.RelayHost;

/** Lines for the log: the level and the message of each. */
export type LogLines = NonNullable<ReturnType<RelayCore["check"]>>["log"];
