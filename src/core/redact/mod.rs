//! Masks secrets in the text of an enrichment before it is queued.
//!
//! Masking is one pass over JSON text in linear time, and copies the text only if something is masked. By default it
//! masks values under names of secrets (`keys`), text with the published shape of a secret (`rules`, `patterns`), and
//! payment card numbers (`cards`). An application's own masking (`redact` as a function, own patterns) happens in
//! JavaScript, outside the core.
//!
//! In the module of spans, a step that few texts need is a function of its own, because V8 takes long to compile one
//! large function at its best: see `src/core/spans/exporter.rs`. In a page's module that would be more bytes.

mod cards;
mod keys;
mod patterns;
mod plain;
mod reader;
mod rules;
mod scan;

use std::borrow::Cow;

use self::keys::{Class, OwnKeys};
use super::json;

#[cfg(debug_assertions)]
pub use self::reader::reads;

/// The text that replaces a secret.
pub const MASK: &str = "[Redacted]";

/// The rules by which secrets are masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    /// The application's own list; `None` for the default names.
    keys: Option<OwnKeys>,
    patterns: bool,
}

impl Redaction {
    /// Rules that mask the values under `keys` (under the default names of secrets if `None`), and, with `patterns`,
    /// text inside strings that looks like a secret.
    pub fn new(keys: Option<&[String]>, patterns: bool) -> Redaction {
        Redaction { keys: keys.map(OwnKeys::of), patterns }
    }

    /// Masks the secrets in `json`. Text that is not valid JSON is also masked, but may come back changed.
    pub fn apply(&self, json: String) -> String {
        self.masked(&json).unwrap_or(json)
    }

    /// Masks the secrets in `json` like [`Redaction::apply`]; `None` if it contains none.
    pub fn masked(&self, json: &str) -> Option<String> {
        scan::mask_json(json, self, 0)
    }

    /// Masks the secrets in plain text, such as a name or a message.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let masked = scan::mask_json(&json::quoted(text), self, 0);
        match masked.as_deref().and_then(json::text) {
            Some(masked) => masked.into_owned().into(),
            None => text.into(),
        }
    }

    /// How the value under `name` is masked.
    fn class_of(&self, name: &[u8]) -> Class {
        match &self.keys {
            None => keys::class_of(name),
            Some(own) if own.has(name) => Class::Own,
            Some(_) => Class::Open,
        }
    }
}

impl Default for Redaction {
    /// The rules for an application that does not configure masking.
    fn default() -> Redaction {
        Redaction::new(None, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redact(json: &str) -> String {
        Redaction::new(None, true).apply(json.into())
    }

    #[test]
    fn texts_under_the_names_of_secrets_are_masked_at_any_depth_in_any_spelling() {
        assert_eq!(
            redact(
                r#"{"a":{"Password":"x"},"list":[{"API_KEY":"}","z":1}],"X-Api-Key":["a","b",1,{"pwd":"y"}],"cvv":123}"#
            ),
            r#"{"a":{"Password":"[Redacted]"},"list":[{"API_KEY":"[Redacted]","z":1}],"X-Api-Key":["[Redacted]","[Redacted]",1,{"pwd":"[Redacted]"}],"cvv":"[Redacted]"}"#
        );
        assert_eq!(
            redact(r#"{"pass\u0077ord" : "x" , "b":1}"#),
            r#"{"pass\u0077ord" : "[Redacted]" , "b":1}"#
        );
    }

    #[test]
    fn what_is_no_text_stays_under_the_name_of_a_secret() {
        let plain = r#"{"secret":false,"password":{"type":"string","minLength":8},"apiKey":null,"token":12,"tokens":["a"],"cookies":["chocolate chip"],"token":"Hello","password":""}"#;
        assert_eq!(redact(plain), plain);
    }

    #[test]
    fn what_only_looks_like_a_secret_key_stays() {
        let plain =
            r#"{"tokens":1,"total_tokens":2,"secretary":"x","":"y","_":"z","cookie_consent":true}"#;
        assert_eq!(redact(plain), plain);
    }

    #[test]
    fn secrets_inside_strings_are_masked() {
        for (secret, masked) in [
            ("Authorization: Bearer abc.def-123", "Authorization: Bearer [Redacted]"),
            ("\\nbearer  abcdefgh rest", "\nbearer  [Redacted] rest"),
            ("Bearer abcdefghijkl", "Bearer [Redacted]"),
            ("key sk-proj-abcdefghij0123456789!", "key [Redacted]!"),
            ("hh_ingst_abcdefghijklmnop", "[Redacted]"),
            ("t=eyJhbGciOiJI.eyJzdWIi.c2lnbmF0dXJl", "t=[Redacted]"),
            ("card 4111 1111 1111 1111.", "card [Redacted]."),
            ("4111111111111111 12/27", "[Redacted] 12/27"),
            ("4111-1111-1111-1111 5555 5555 5555 4444", "[Redacted] [Redacted]"),
            ("\\u00e94111-1111-1111-1111", "é[Redacted]"),
            ("\\u0073k-proj\\u002dabcdefghij0123456789 \\\"", "[Redacted] \""),
            ("\\ud800 sk-proj-abcdefghij0123456789", "\u{fffd} [Redacted]"),
            ("two: 378282246310005 and 5555555555554444", "two: [Redacted] and [Redacted]"),
        ] {
            let json = ["{\"a\":\"", secret, "\"}"].concat();
            let redacted: serde_json::Value = serde_json::from_str(&redact(&json)).unwrap();
            assert_eq!(redacted["a"], masked);
        }
    }

    #[test]
    fn what_is_not_secret_stays_as_it_was_written() {
        assert_eq!(
            redact(r#"["\"x\"\n\tsk-proj-abcdefghij0123456789\\n\u001fhh_abcdefghij0123456789é"]"#),
            r#"["\"x\"\n\t[Redacted]\\n\u001f[Redacted]é"]"#,
        );
        // Spelled out, it is written anew.
        assert_eq!(
            redact(r#"{"a" :"\"x\"\tsk-proj-abcdefghij0123456789\u00e9", "b":[ "\/\u0041" ]}"#),
            r#"{"a" :"\"x\"\t[Redacted]é", "b":[ "\/\u0041" ]}"#,
        );
    }

    #[test]
    fn what_only_looks_like_a_secret_stays() {
        for plain in [
            "bearer of news",
            "the bearer",
            "Bearers abcdefghijkl",
            "ask-sk-short",
            "task-abcdefghijklmnopqrst",
            "hh_short",
            "4111111111111112",
            "41111111111111111",
            "id4111111111111111",
            "4111111111111111x",
            "1700000000000",
            "12345678-1234-1234-1234-123456789012",
            "41111111-1111-1111-8111-aaaaaaaaaaaa",
            "4111111111111111_",
            "eyJ.no",
            "",
        ] {
            let json = ["{\"a\":\"", plain, "\"}"].concat();
            assert_eq!(redact(&json), json);
        }
    }

    #[test]
    fn own_keys_take_the_place_of_the_default_ones() {
        let own = Redaction::new(Some(&["Social-Security".into(), "Straße".into()]), false);
        assert_eq!(
            own.apply(
                r#"{"socialSecurity":1,"password":"x","straße":"y","s":"sk-abcdefghij0123456789"}"#
                    .into()
            ),
            r#"{"socialSecurity":"[Redacted]","password":"x","straße":"[Redacted]","s":"sk-abcdefghij0123456789"}"#
        );
    }

    #[test]
    fn a_key_of_nothing_but_separators_is_none() {
        let own = Redaction::new(Some(&["_".into(), "".into(), "pin".into()]), false);
        let json = r#"{"_":1,"":2,"-.":3,"pi":4,"pins":5,"P_I.N":6}"#;
        let masked = r#"{"_":1,"":2,"-.":3,"pi":4,"pins":5,"P_I.N":"[Redacted]"}"#;
        assert_eq!(own.apply(json.into()), masked);
    }

    #[test]
    fn a_string_that_ends_in_a_backslash_ends_there() {
        for before in ["password=", "'password': ", "Bearer ", "Authorization: ", "Cookie: "] {
            for slashes in ["\\", "\\\\", "\\\\\\"] {
                let text = [before, slashes].concat();
                let json = serde_json::json!({ "a": text, "b": "hunter2 abc123def456ghi789" });
                assert_eq!(redact(&json.to_string()), json.to_string());
            }
        }
    }

    #[test]
    fn no_escape_is_cut_in_two() {
        let secret = ["7Q~", &"aB3~xyz-".repeat(4)].concat();
        for before in ["\u{2}", "\u{2}a", "\n", "\nab", "\tabc", "\\nab", "abc"] {
            let text = [before, &secret].concat();
            let inner = serde_json::json!({ "inner": text }).to_string();
            let masked = redact(&serde_json::json!({ "text": text, "json": inner }).to_string());
            let told: serde_json::Value = serde_json::from_str(&masked).expect(&masked);
            let inner = told["json"].as_str().unwrap();
            assert!(serde_json::from_str::<serde_json::Value>(inner).is_ok(), "{inner}");
            let is_secret = before.ends_with("abc");
            assert_eq!(told["text"].as_str().unwrap().contains(MASK), is_secret, "{text:?}");
        }
    }

    #[test]
    fn text_that_is_no_json_does_no_harm() {
        for text in [
            "",
            "\"",
            "\"\\",
            "{\"token\"",
            "{\"token\":",
            "{\"token\":\"",
            "{\"token\":[",
            "é\"",
            "\"\\u",
            "{\"token\":}",
            "\"-----BEGIN PRIVATE KEY-----\\é",
            "\"-----BEGIN PRIVATE KEY-----\\",
        ] {
            redact(text);
        }
    }
}
