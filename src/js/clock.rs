//! The runtime's two clocks. The host reads them, because libraries and tests replace them by clocks that may throw.

use wasm_bindgen::prelude::*;

#[cfg(any(feature = "tracer", feature = "otel"))]
use crate::core::time::Now;

#[wasm_bindgen(typescript_custom_section)]
const CLOCKS: &str = r#"
/** The clocks of the runtime, in whole or broken milliseconds. None of the functions throws. */
export interface Clocks {
  /** The forward clock. */
  now(): number;
  /** The wall clock since the Unix epoch; 0 if it gives no time. */
  wallNow(): number;
  /** The time that a date's text says, since the Unix epoch; NaN if it is no date. */
  parseDate(text: string): number;
}
"#;

#[wasm_bindgen]
extern "C" {
    #[cfg(any(feature = "tracer", feature = "otel"))]
    #[wasm_bindgen(js_namespace = host, js_name = now)]
    fn forward_now() -> f64;

    #[wasm_bindgen(js_namespace = host, js_name = wallNow)]
    fn wall_now() -> f64;

    #[wasm_bindgen(js_namespace = host, js_name = parseDate)]
    pub fn parse_date(text: &str) -> f64;
}

/// The current time. If a runtime has no forward clock, the wall clock serves as both: the core treats time that goes
/// backwards as standing still.
#[cfg(any(feature = "tracer", feature = "otel"))]
pub fn now() -> Now {
    Now { mono_ms: forward_now() as u64, unix_ms: unix_ms() }
}

/// Milliseconds since the Unix epoch on the wall clock; 0 if it gives no time.
pub fn unix_ms() -> u64 {
    wall_now() as u64
}
