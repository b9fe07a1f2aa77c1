//! The runtime's two clocks.

use wasm_bindgen::prelude::*;

use crate::core::time::Now;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now, catch)]
    fn performance_now() -> Result<f64, JsValue>;
}

/// The time. Where a runtime has no forward clock, the wall clock serves for both: the core
/// takes time that goes backwards for time that stands still.
pub fn now() -> Now {
    let unix_ms = js_sys::Date::now();
    let mono_ms = performance_now().unwrap_or(unix_ms);
    Now { mono_ms: mono_ms as u64, unix_ms: unix_ms as u64 }
}
