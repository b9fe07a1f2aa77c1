//! What the runtime does for the module's futures, by way of the host: it knows the runtime's own promises and timers
//! where libraries and tests have put theirs in the place of those.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const RUNTIME: &str = r#"
/** What the module's futures need of the JavaScript around it. But for `startTimer`, none of it throws. */
export interface Runtime {
  /** `runScope` is to be called for `scope`, in a microtask of the current turn. */
  wakeScope(scope: number): void;
  /** Throws where the runtime allows no timer, as in a Worker's global scope. */
  startTimer(handler: () => void, ms: number): unknown;
  clearTimer(timer: unknown): void;
  /** Waits for `value` as `await` does. */
  listen(value: unknown): Listened;
  /** Sees to it that nobody hears of it where `value` is a promise that rejects. */
  disregard(value: unknown): void;
}

/** Something that may be a promise, and that somebody listens to. */
export interface Listened {
  /** To be called once. */
  then(fulfilled: (value: unknown) => void, rejected: (error: unknown) => void): void;
  /** Nobody listens any more: where neither function was called yet, `rejected` is called now, and then none. */
  forget(): void;
}
"#;

#[wasm_bindgen]
extern "C" {
    /// A promise of somebody else's, as the host waits for it.
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
