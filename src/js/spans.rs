//! What JavaScript calls in the module of `honeyhive-edge/otel`.

use wasm_bindgen::prelude::*;

use crate::core::json::quoted;
use crate::core::redact::Redaction;
use crate::core::spans::attributes::flatten;

/// An enrichment as the attributes of a span: see [`flatten`].
///
/// `fields` is the JSON of the enrichment. Unless `redact` is false, secrets in it are masked: the
/// values of `redact_keys` (the default list if there are none), and, with `redact_patterns`, what
/// looks like a secret inside strings. Returns the JSON of `{ attributes, warnings }`.
#[wasm_bindgen(js_name = spanAttributes)]
pub fn span_attributes(
    fields: String,
    redact: bool,
    redact_keys: Option<Vec<String>>,
    redact_patterns: bool,
    present: &str,
    room: f64,
) -> String {
    let fields = match redact {
        true => Redaction::new(redact_keys.as_deref(), redact_patterns).apply(fields),
        false => fields,
    };
    let flat = flatten(&fields, present, room as usize);
    let mut json = ["{\"attributes\":", &flat.json, ",\"warnings\":["].concat();
    for (place, warning) in flat.warnings.iter().enumerate() {
        json.push_str(if place > 0 { "," } else { "" });
        json.push_str(&quoted(warning));
    }
    json.push_str("]}");
    json
}
