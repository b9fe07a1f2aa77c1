//! What the JavaScript of `honeyhive-edge/otel` does for its module.

use wasm_bindgen::prelude::*;
use web_sys::RequestInit;

#[wasm_bindgen(typescript_custom_section)]
const SPAN_HOST: &str = r#"
/** What the module of spans asks of the JavaScript around it. But for `fetch`, none of it throws. */
export interface SpanHost extends Runtime {
  /** An export has ended; `why` says why it failed, if it did. */
  settle(exporter: number, call: number, why: string | undefined): void;
  /** A line for the log. */
  log(level: "error" | "warn" | "info" | "debug", message: string): void;
  /** Something is under way in `scope` until `rest` is called with `loop`. */
  begin(loop: number, scope: number): void;
  rest(loop: number): void;
  /** The request that began `loop` was torn down: nothing of it is to be touched. */
  left(loop: number): void;
  /** `fetch` number `transport`, 0 is the runtime's own; does what that does. */
  fetch(transport: number, url: string, init: RequestInit): unknown;
}
"#;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = host)]
    pub fn settle(exporter: f64, call: f64, why: Option<String>);

    #[wasm_bindgen(js_namespace = host)]
    pub fn log(level: &str, message: &str);

    #[wasm_bindgen(js_namespace = host)]
    pub fn begin(number: u32, scope: f64);

    #[wasm_bindgen(js_namespace = host)]
    pub fn rest(number: u32);

    #[wasm_bindgen(js_namespace = host)]
    pub fn left(number: u32);

    #[wasm_bindgen(js_namespace = host, catch)]
    pub fn fetch(transport: u32, url: &str, init: &RequestInit) -> Result<JsValue, JsValue>;
}
