//! Promises and timers for the module's futures. They come from the host, which knows the runtime's own even if
//! libraries or tests have replaced them.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const RUNTIME: &str = r#"
/** The functions that the module's futures need. Only `startTimer` may throw. */
export interface Runtime {
  /** Calls `runScope` for `scope`, in a microtask of the current turn. */
  wakeScope(scope: number): void;
  /** Throws if the runtime allows no timer, as in a Worker's global scope. */
  startTimer(handler: () => void, ms: number): unknown;
  clearTimer(timer: unknown): void;
  /** Waits for `value` like `await`. */
  listen(value: unknown): Listened;
  /** If `value` is a promise that rejects, prevents an unhandled rejection. */
  disregard(value: unknown): void;
}

/** A value that may be a promise and is being waited for. */
export interface Listened {
  /** May be called once. */
  then(fulfilled: (value: unknown) => void, rejected: (error: unknown) => void): void;
  /** Stops listening: `rejected` is called now, unless one of the functions was called before, and none afterwards. */
  forget(): void;
}
"#;

#[wasm_bindgen]
extern "C" {
    /// A foreign promise that the host waits for.
    #[derive(Clone, Debug)]
    pub type Listened;

    #[wasm_bindgen(method)]
    pub fn forget(this: &Listened);

    #[wasm_bindgen(js_namespace = host)]
    pub fn listen(value: &JsValue) -> Listened;

    #[wasm_bindgen(js_namespace = host)]
    pub fn disregard(value: &JsValue);

    #[wasm_bindgen(js_namespace = host, js_name = wakeScope)]
    pub fn wake_scope(scope: u32);

    #[wasm_bindgen(js_namespace = host, js_name = startTimer, catch)]
    pub fn start_timer(handler: &JsValue, ms: f64) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_namespace = host, js_name = clearTimer)]
    pub fn clear_timer(timer: &JsValue);
}
