//! The runtime's functions that read and write numbers.

use wasm_bindgen::prelude::*;

use crate::core::json::Numerals;

/// Numbers are read by JavaScript's `Number` and written by `String`.
pub const NUMERALS: Numerals = Numerals { read: number, write: string };

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = Number)]
    fn number(text: &str) -> f64;

    #[wasm_bindgen(js_name = String)]
    fn string(number: f64) -> String;
}
