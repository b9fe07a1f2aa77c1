//! The functions of `honeyhive-edge/otel` that its module calls.

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use web_sys::RequestInit;

#[wasm_bindgen(typescript_custom_section)]
const SPAN_HOST: &str = r#"
/** The functions that the module of spans calls. Only `fetch` may throw. */
export interface SpanHost extends Runtime, Clocks {
  /** Ends an export. If it failed, `why` is the reason. */
  settle(exporter: number, call: number, why: string | undefined): void;
  /** Logs a line. */
  log(level: "error" | "warn" | "info" | "debug", message: string): void;
  /** Reports that `loop` runs in `scope` until `endLoop` is called. */
  beginLoop(loop: number, scope: number): void;
  endLoop(loop: number): void;
  /** Forgets `loop`: its request was torn down, and nothing of that request may be touched. */
  forgetLoop(loop: number): void;
  /** An array of this length for the body of a request, with any content. */
  bodyArray(length: number): Uint8Array;
  /** Calls `fetch` number `transport` (0 is the runtime's own), and returns or throws what that does. */
  fetch(transport: number, url: string, init: RequestInit): unknown;
}
"#;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = host)]
    pub fn settle(exporter: f64, call: f64, why: Option<String>);

    #[wasm_bindgen(js_namespace = host)]
    pub fn log(level: &str, message: &str);

    #[wasm_bindgen(js_namespace = host, js_name = beginLoop)]
    pub fn begin_loop(number: u32, scope: f64);

    #[wasm_bindgen(js_namespace = host, js_name = endLoop)]
    pub fn end_loop(number: u32);

    #[wasm_bindgen(js_namespace = host, js_name = forgetLoop)]
    pub fn forget_loop(number: u32);

    #[wasm_bindgen(js_namespace = host, js_name = bodyArray)]
    pub fn body_array(length: u32) -> Uint8Array;

    #[wasm_bindgen(js_namespace = host, catch)]
    pub fn fetch(transport: u32, url: &str, init: &RequestInit) -> Result<JsValue, JsValue>;
}
