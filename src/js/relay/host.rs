//! What the JavaScript of `honeyhive-edge/relay` does for its module. A call is a page's request or a queue's batch; under
//! its number the host knows the functions that the site gave, which the module never holds.

use wasm_bindgen::prelude::*;
use web_sys::RequestInit;

#[wasm_bindgen(typescript_custom_section)]
const RELAY_HOST: &str = r#"
/** What the relay's module asks of the JavaScript around it. But for `fetch` and `enqueue`, none of it throws. */
export interface RelayHost extends Runtime {
  /** The `fetch` of the call's relay, or the runtime's; does what that does. */
  fetch(call: number, url: string, init: RequestInit): unknown;
  /** The `send` of the queue of the call's relay; does what that does. */
  enqueue(call: number, message: string): unknown;
  /** The call has ended with `result`; `undefined` where it failed. */
  settle(call: number, result: unknown): void;
  /** The call's request was torn down: nobody in it can be told any more. */
  left(call: number): void;
  /** A line for the log. */
  log(level: "error" | "warn" | "info" | "debug", message: string): void;
}
"#;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = host, catch)]
    pub fn fetch(call: u32, url: &str, init: &RequestInit) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_namespace = host, catch)]
    pub fn enqueue(call: u32, message: &str) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_namespace = host)]
    pub fn settle(call: u32, result: &JsValue);

    #[wasm_bindgen(js_namespace = host)]
    pub fn left(call: u32);

    #[wasm_bindgen(js_namespace = host)]
    pub fn log(level: &str, message: &str);
}
