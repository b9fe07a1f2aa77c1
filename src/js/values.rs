//! Values that cross to JavaScript as objects.

use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;

/// A value as the object that its JSON would be.
pub fn to_js(value: &impl Serialize) -> JsValue {
    // Nothing that is written here can fail: no map has keys that are no text.
    value.serialize(&Serializer::json_compatible()).unwrap_or_default()
}
