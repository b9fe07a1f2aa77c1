//! What the JavaScript face does for the module: the side of the surface that is called out to. The
//! calls go to the host that the instance was connected with; none of its functions throws.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const HOST: &str = r#"
/** What the module calls as `host`: the JavaScript around it. None of it throws. */
export interface Host {
  /**
   * `id` has ended: `json` is a `Delivery`, or a `FlushReport` for a flush or close; empty, where it is the
   * same as the last one's.
   */
  settle(id: number, json: string): void;
  /** The request of `scope` was torn down, its loop is over. */
  left(scope: number): void;
  /** `id` was given in a request that was torn down: nobody in it can be told any more. It still ends. */
  gone(id: number): void;
  /** An enrichment of `tracer` was given up; `json` is the `Dropped` object. */
  dropped(tracer: number, json: string): void;
  /** A line for the log. */
  log(level: "error" | "warn" | "info" | "debug", message: string): void;
  /** `json` is to be kept under `id` until it is forgotten, in a store that outlives the page. */
  keep(id: number, json: string): void;
  /** What was kept under `id` is over. Below zero it counts what `restore` was given: -1 is the first. */
  forget(id: number): void;
  /** The tracer has something unsent from now on: what it came with is needed until `idle`. One is busy as it is made. */
  busy(tracer: number): void;
  /** Nothing of the tracer's is unsent or on its way any more. */
  idle(tracer: number): void;
  /** `run` is to be called for `scope`, in a microtask of its own. */
  wake(scope: number): void;
  /**
   * A request is to be sent with `fetch` number `transport` (0 is the runtime's own), and
   * `requestAnswered` to be told what came of it within `timeoutMs`. `headers` is a JSON object.
   */
  send(
    scope: number,
    flight: number,
    transport: number,
    timeoutMs: number,
    keepalive: boolean,
    method: string,
    url: string,
    headers: string,
    body: string,
  ): void;
  /** The request under this number is to be aborted; nobody is told what comes of it. */
  abort(flight: number): void;
  /** The runtime's forward clock. */
  now(): number;
  /** The id that `text` is or stands for; empty where it is blank. */
  sessionIdOf(text: string): string;
}
"#;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = host)]
    pub fn settle(id: f64, json: &str);

    #[wasm_bindgen(js_namespace = host)]
    pub fn left(scope: f64);

    #[wasm_bindgen(js_namespace = host)]
    pub fn gone(id: f64);

    #[wasm_bindgen(js_namespace = host)]
    pub fn dropped(tracer: f64, json: &str);

    #[wasm_bindgen(js_namespace = host)]
    pub fn log(level: &str, message: &str);

    #[wasm_bindgen(js_namespace = host)]
    pub fn keep(id: f64, json: &str);

    #[wasm_bindgen(js_namespace = host)]
    pub fn forget(id: f64);

    #[wasm_bindgen(js_namespace = host)]
    pub fn busy(tracer: f64);

    #[wasm_bindgen(js_namespace = host)]
    pub fn idle(tracer: f64);

    #[wasm_bindgen(js_namespace = host)]
    pub fn wake(scope: f64);

    #[wasm_bindgen(js_namespace = host)]
    pub fn send(
        scope: f64,
        flight: f64,
        transport: u32,
        timeout_ms: f64,
        keepalive: bool,
        method: &str,
        url: &str,
        headers: &str,
        body: &str,
    );

    #[wasm_bindgen(js_namespace = host)]
    pub fn abort(flight: f64);

    #[wasm_bindgen(js_namespace = host)]
    pub fn now() -> f64;

    #[cfg(not(feature = "names"))]
    #[wasm_bindgen(js_namespace = host, js_name = sessionIdOf)]
    pub fn session_id_of(text: &str) -> String;
}
