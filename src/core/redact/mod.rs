//! Masking of secrets in an enrichment's text, before anything of it is queued.
//!
//! Works on JSON text in one pass, straight in time, and copies only where something is masked. What is
//! masked by default: values under names that say so (`keys`), what has the published shape of a secret
//! (`rules`, `patterns`), and numbers of payment cards (`cards`). What an application means by a secret
//! of its own (`redact` as a function, patterns of its own) is asked of it outside the core.

mod cards;
mod keys;
mod patterns;
mod reader;
mod rules;
mod scan;

use std::borrow::Cow;
use std::collections::HashSet;

use self::keys::Class;
use super::json;

#[cfg(debug_assertions)]
pub use self::reader::reads;

/// What stands where a secret stood.
pub const MASK: &str = "[Redacted]";

/// What is masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    /// The letters of the keys that the application names itself; none where the default ones count.
    keys: Option<HashSet<Vec<u8>>>,
    patterns: bool,
}

impl Redaction {
    /// Masks the values of `keys` (of names that say they are secrets if there are none), and, with
    /// `patterns`, what looks like a secret inside strings.
    pub fn new(keys: Option<&[String]>, patterns: bool) -> Redaction {
        Redaction { keys: keys.map(keys::own), patterns }
    }

    /// `json` with its secrets masked. The text must be JSON; anything else comes back harmless
    /// but not necessarily as it was.
    pub fn apply(&self, json: String) -> String {
        self.masked(&json).unwrap_or(json)
    }

    /// What becomes of `json`, see [`Redaction::apply`]; nothing where no secret is in it.
    pub fn masked(&self, json: &str) -> Option<String> {
        scan::masked(json, self, 0)
    }

    /// `text`, which is no JSON but a name or a message, with the secrets in it masked.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let masked = scan::masked(&json::quoted(text), self, 0);
        match masked.as_deref().and_then(json::text) {
            Some(masked) => masked.into_owned().into(),
            None => text.into(),
        }
    }

    /// What the value under `name` is.
    fn class_of(&self, name: &[u8]) -> Class {
        match &self.keys {
            None => keys::class_of(name),
            Some(own) if own.contains(&keys::letters_of(name)) => Class::Own,
            Some(_) => Class::Open,
        }
    }
}

impl Default for Redaction {
    /// Masks what is masked where an application says nothing about it.
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
            r#"{"a" :"\"x\"\u0009[Redacted]é", "b":[ "\/\u0041" ]}"#,
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
        ] {
            redact(text);
        }
    }
}
