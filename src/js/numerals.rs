//! Numbers as the runtime reads and writes them.

use wasm_bindgen::prelude::*;

use crate::core::json::Numerals;

/// JavaScript's `Number` and `String`.
pub const NUMERALS: Numerals = Numerals { read: number, write: string };

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = Number)]
    fn number(text: &str) -> f64;

    #[wasm_bindgen(js_name = String)]
    fn string(number: f64) -> String;
}
