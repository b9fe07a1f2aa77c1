//! Any text as the snapshot of an enrichment, and as the fields that a session starts with: it is
//! taken if it is a JSON object, what is sent of it is JSON, and each key is sent once.

#![no_main]

#[path = "../../tests/harness/mod.rs"]
mod harness;

use harness::{Bench, stores};
use honeyhive_edge::core::json;
use honeyhive_edge::core::outcome::Reason;
use honeyhive_edge::core::redact::Redaction;
use libfuzzer_sys::fuzz_target;
use serde_json::json as value;
use serde_json::value::RawValue;

/// Whether another parser takes `text` for JSON.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

fn keys_are_distinct(object: &str) -> bool {
    let members = json::members(object).unwrap();
    let mut keys: Vec<_> = members.iter().map(|(key, _)| json::text(key).unwrap()).collect();
    keys.sort_unstable();
    let count = keys.len();
    keys.dedup();
    keys.len() == count
}

fn is_object(text: &str) -> bool {
    is_json(text) && text.trim_ascii_start().starts_with('{')
}

fuzz_target!(|text: &str| {
    assert_eq!(json::members(text).is_some(), is_object(text));

    let redaction = Redaction::new(None, true);
    let masked = redaction.apply(text.to_owned());
    // What is no JSON may come back changed, such as with a control character escaped, and then be masked otherwise.
    if is_object(text) {
        assert!(is_object(&masked), "{masked}");
        assert_eq!(redaction.apply(masked.clone()), masked);
    }

    let mut bench = Bench::new(stores);
    let options =
        value!({"redact": true, "redactPatterns": true, "start": text, "logLevel": "debug"});
    let tracer = bench.init(options).tracer;
    // First with the start of the session, then by itself.
    for _ in 0..2 {
        let id = bench.registry.enrich(tracer, None, text.to_owned(), 0, true, bench.now);
        bench.run(1_000);
        assert!(bench.is_delivered(id) || bench.reason_of(id) == Some(Reason::Invalid));
        assert!(is_object(&masked) || !bench.is_delivered(id));
    }
    for request in &bench.requests {
        assert!(is_json(&request.body), "{}", request.body);
        assert!(keys_are_distinct(&request.body), "{}", request.body);
        for (key, field) in json::members(&request.body).unwrap() {
            let is_merged = field.starts_with('{') && key != "\"outputs\"";
            assert!(!is_merged || keys_are_distinct(field), "{}", request.body);
        }
    }
});
