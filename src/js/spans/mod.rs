//! The functions that JavaScript calls in the module of `honeyhive-edge/otel`.

use wasm_bindgen::prelude::*;

use crate::core::concurrency::Place;
use crate::core::delivery::engine::Accepted;
use crate::core::json::quoted;
use crate::core::redact::Redaction;
use crate::core::spans::attributes::flatten;
use crate::core::spans::exporter::Exporter;

use super::clock::now;
use super::numerals::NUMERALS;

mod driver;
mod host;
mod state;

/// Converts an enrichment into the attributes of a span: see [`flatten`].
///
/// `fields` is the JSON of the enrichment. If `redact` is true, secrets in it are masked: the values under `redact_keys`
/// (under the default names if absent), and, with `redact_patterns`, text inside strings that looks like a secret.
/// Returns the JSON of `{ attributes, leftOut, warnings }`.
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
    let mut json =
        ["{\"attributes\":", &flat.json, ",\"leftOut\":", &flat.left_out, ",\"warnings\":["]
            .concat();
    for (place, warning) in flat.warnings.iter().enumerate() {
        json.push_str(if place > 0 { "," } else { "" });
        json.push_str(&quoted(warning));
    }
    json.push_str("]}");
    json
}

/// Makes an exporter of spans, and returns its number. `options` is the JSON of an object as described by
/// [`Options`](crate::core::options::Options), `seed` any random integer, from which the waits between retries are drawn,
/// and `place` the kind of runtime: see [`Place::named`].
#[wasm_bindgen(js_name = openExporter)]
pub fn open_exporter(options: &str, seed: f64, place: &str) -> f64 {
    state::insert(Exporter::new(options, NUMERALS, Place::named(place), seed as u64)) as f64
}

/// Gives ended spans of an export that is not whole yet: `json` is what
/// [`ReadSpans::read`](crate::core::spans::otlp::ReadSpans::read) takes,
/// `part` is what this returned for those before, and 0 for the first.
#[wasm_bindgen(js_name = giveSpans)]
pub fn give_spans(exporter: f64, part: f64, json: &str) -> f64 {
    let given = state::with(exporter as u64, |it| it.give(part as u64, json));
    given.unwrap_or_default() as f64
}

/// Exports ended spans, `json` being the last of them: see [`give_spans`]. Returns the number under which the end
/// comes to `host.settle`, after the call has returned: 0, if there is no such exporter.
#[wasm_bindgen(js_name = exportSpans)]
pub fn export_spans(exporter: f64, part: f64, json: &str, scope: f64) -> f64 {
    let (exporter, scope) = (exporter as u64, scope as u64);
    let exported = state::with(exporter, |it| it.export(part as u64, json, scope, now()));
    let Some(Accepted { call, needs_poll }) = exported else {
        return 0.0;
    };
    if needs_poll {
        driver::poll_exporter(exporter, scope);
    }
    call as f64
}

/// Lets the spans of an exporter in `scope` skip the merge window.
#[wasm_bindgen(js_name = hurryExporter)]
pub fn hurry_exporter(exporter: f64, scope: f64) {
    let (exporter, scope) = (exporter as u64, scope as u64);
    if state::with(exporter, |it| it.hurry(scope, now())) == Some(true) {
        driver::poll_exporter(exporter, scope);
    }
}

/// Closes an exporter that JavaScript does not refer to any more. It is removed once all of its spans have ended.
#[wasm_bindgen(js_name = closeExporter)]
pub fn close_exporter(exporter: f64) {
    state::close(exporter as u64);
}
