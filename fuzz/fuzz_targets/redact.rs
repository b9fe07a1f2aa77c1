//! Any text, as JSON and inside of it: what is masked is JSON where the text was, masking it again changes
//! nothing, a text without secrets comes back as it was, and no byte is read more than some sixty times.

#![no_main]

use honeyhive_edge::core::redact::{MASK, Redaction, reads};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use serde_json::value::RawValue;

/// Reads for each byte of a text, at most: see tests/properties/straight.rs.
const MOST_READS: u64 = 60;

fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

/// `json` masked.
fn masked(redaction: &Redaction, json: &str) -> String {
    let before = reads();
    let masked = redaction.apply(json.to_owned());
    assert!(reads() - before <= MOST_READS * json.len() as u64 + 1_000, "{json}");
    assert!(masked == json || masked.contains(MASK), "{masked}");
    masked
}

fuzz_target!(|text: &str| {
    for redaction in [
        Redaction::default(),
        Redaction::new(Some(&["a".into()]), true),
        Redaction::new(None, false),
    ] {
        let as_json = masked(&redaction, text);
        assert!(!is_json(text) || is_json(&as_json), "{as_json}");

        let fields = json!({ "a": text, text: [text, 1], "list": [text] }).to_string();
        let once = masked(&redaction, &fields);
        assert!(is_json(&once), "{once}");
        let told: serde_json::Value = serde_json::from_str(&once).unwrap();
        let inner = told["list"][0].as_str().unwrap();
        let holds_json = text.trim_start().starts_with(['{', '[']) && is_json(text);
        assert!(!holds_json || is_json(inner), "{inner}");

        let plain = redaction.text(text);
        assert!(plain == text || plain.contains(MASK), "{plain}");
    }
});
