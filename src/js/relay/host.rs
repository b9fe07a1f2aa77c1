//! The functions of `honeyhive-edge/relay` that its module calls. A call is a page's request or a queue's batch. The host
//! keeps the site's functions under the number of the call; the module never holds them.

use wasm_bindgen::prelude::*;
use web_sys::RequestInit;

#[wasm_bindgen(typescript_custom_section)]
const RELAY_HOST: &str = r#"
/** The functions that the relay's module calls. Only `fetch` and `enqueue` may throw. */
export interface RelayHost extends Runtime, Clocks {
  /** Calls the `fetch` of the call's relay, or the runtime's, and returns or throws what that does. */
  fetch(call: number, url: string, init: RequestInit): unknown;
  /** Calls `send` of the queue of the call's relay, and returns or throws what that does. */
  enqueue(call: number, message: string): unknown;
  /** Ends the call with `result`; `undefined` if it failed. */
  settle(call: number, result: unknown): void;
  /** Forgets the call: its request was torn down, so its promise cannot be settled. */
  forgetCall(call: number): void;
  /** A random integer. */
  randomSeed(): number;
  /** Logs a line. */
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

    #[wasm_bindgen(js_namespace = host, js_name = forgetCall)]
    pub fn forget_call(call: u32);

    #[wasm_bindgen(js_namespace = host, js_name = randomSeed)]
    pub fn random_seed() -> f64;

    #[wasm_bindgen(js_namespace = host)]
    pub fn log(level: &str, message: &str);
}
