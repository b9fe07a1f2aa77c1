//! Conversion of values to JavaScript objects.

use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;

/// Converts a value to the object that its JSON describes.
pub fn to_js(value: &impl Serialize) -> JsValue {
    // Serialization fails only for map keys that are not strings, which no value here has.
    value.serialize(&Serializer::json_compatible()).unwrap_or_default()
}
