//! The functions of the JavaScript face that the module calls. They belong to the host that the instance was connected
//! with, and none of them throws.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const HOST: &str = r#"
/** The functions that the module calls as `host`. None of them throws. */
export interface Host extends Clocks {
  /**
   * Settles the call `id`. `json` is a `Delivery`, or a `FlushReport` for a flush or close; it is empty if it is the same
   * as in the previous call of this function.
   */
  settle(id: number, json: string): void;
  /** Forgets `scope`: its request was torn down, and its loop is over. */
  forgetScope(scope: number): void;
  /** Forgets who made the call `id`: its request was torn down, so its promise cannot be settled. `settle` still follows. */
  abandonCall(id: number): void;
  /** Reports an enrichment of `tracer` that was given up; `json` is the `Dropped` object. */
  dropped(tracer: number, json: string): void;
  /** Logs a line. */
  log(level: "error" | "warn" | "info" | "debug", message: string): void;
  /** Keeps `json` under `id`, in a store that outlives the page, until it is forgotten. */
  keep(id: number, json: string): void;
  /** Removes the entry `id`. A negative number refers to an entry that was passed to `restore`: -1 is the first. */
  forget(id: number): void;
  /**
   * Reports that the tracer has something unsent, so that its options are needed until `idle`. A new tracer is busy
   * without a report.
   */
  busy(tracer: number): void;
  /** Reports that the tracer has nothing unsent or in flight any more. */
  idle(tracer: number): void;
  /** Asks the tracer's function for a ticket, and reports to `setTicket` within `timeoutMs` what it gave. */
  askTicket(scope: number, tracer: number, timeoutMs: number): void;
  /** Calls `run` for `scope`, in a microtask of its own. */
  wake(scope: number): void;
  /**
   * Sends a request with `fetch` number `transport` (0 is the runtime's own), and reports its answer to
   * `requestAnswered` within `timeoutMs`. `headers` is a JSON object. A request with `isApart` must not use one of the
   * connections that the site needs.
   */
  send(
    scope: number,
    flight: number,
    transport: number,
    timeoutMs: number,
    keepalive: boolean,
    isApart: boolean,
    method: string,
    url: string,
    headers: string,
    body: string,
  ): void;
  /** Aborts a request. Its answer is not reported. */
  abort(flight: number): void;
  /** The id that `text` is or stands for; empty if it is blank. */
  sessionIdOf(text: string): string;
}
"#;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = host)]
    pub fn settle(id: f64, json: &str);

    #[wasm_bindgen(js_namespace = host, js_name = forgetScope)]
    pub fn forget_scope(scope: f64);

    #[wasm_bindgen(js_namespace = host, js_name = abandonCall)]
    pub fn abandon_call(id: f64);

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

    #[wasm_bindgen(js_namespace = host, js_name = askTicket)]
    pub fn ask_ticket(scope: f64, tracer: f64, timeout_ms: f64);

    #[wasm_bindgen(js_namespace = host)]
    pub fn wake(scope: f64);

    #[wasm_bindgen(js_namespace = host)]
    pub fn send(
        scope: f64,
        flight: f64,
        transport: u32,
        timeout_ms: f64,
        keepalive: bool,
        is_apart: bool,
        method: &str,
        url: &str,
        headers: &str,
        body: &str,
    );

    #[wasm_bindgen(js_namespace = host)]
    pub fn abort(flight: f64);

    #[cfg(not(feature = "names"))]
    #[wasm_bindgen(js_namespace = host, js_name = sessionIdOf)]
    pub fn session_id_of(text: &str) -> String;
}
