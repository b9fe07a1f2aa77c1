//! What the JavaScript face does for the module: the side of the surface that is called out to.

use js_sys::Promise;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const HOST: &str = r#"
/** What `connect` is given: the callbacks of the JavaScript around this module. */
export interface Host {
  /** `ids` have ended: `json` is a `Delivery`, or a `FlushReport` for a flush or close. */
  settle(ids: Float64Array, json: string): void;
  /** The request that gave `ids` was torn down: nobody in it can be told any more. They still end. */
  gone(ids: Float64Array): void;
  /** An enrichment of `tracer` was given up; `json` is the `Dropped` object. */
  dropped(tracer: number, json: string): void;
  /** A line for the log. */
  log(level: "error" | "warn" | "info" | "debug", message: string): void;
  /** The backend gave the tracer's session an id of its own. */
  adopted(tracer: number, sessionId: string): void;
  /** `json` is to be kept under `id` until it is forgotten, in a store that outlives the page. */
  keep(id: number, json: string): void;
  /** What was kept under `ids` is over. Below zero they count what `restore` was given: -1 is the first. */
  forget(ids: Float64Array): void;
  /** Nothing of the tracer's is unsent or on its way any more. */
  idle(tracer: number): void;
  /** `fetch` number `transport`; 0 is the runtime's own. */
  fetch(transport: number, url: string, init: RequestInit): Promise<Response>;
  /** The runtime is to stay alive for `scope` until `promise` settles. */
  waitUntil(scope: number, promise: Promise<void>): void;
}
"#;

#[wasm_bindgen]
extern "C" {
    /// The callbacks that `connect` was given.
    #[wasm_bindgen(typescript_type = "Host")]
    #[derive(Clone, Debug)]
    pub type Host;

    #[wasm_bindgen(method, catch)]
    pub fn settle(this: &Host, ids: Vec<f64>, json: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn gone(this: &Host, ids: Vec<f64>) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn dropped(this: &Host, tracer: f64, json: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn log(this: &Host, level: &str, message: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn adopted(this: &Host, tracer: f64, session_id: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn keep(this: &Host, id: f64, json: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn forget(this: &Host, ids: Vec<f64>) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn idle(this: &Host, tracer: f64) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn fetch(
        this: &Host,
        transport: u32,
        url: &str,
        init: &JsValue,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, js_name = waitUntil, catch)]
    pub fn wait_until(this: &Host, scope: f64, promise: &Promise) -> Result<(), JsValue>;
}
