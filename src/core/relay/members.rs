//! The members of a JSON object as they were written, in order and with duplicates. A reader that kept one of two
//! members with the same name would pass the other one on unseen.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object: keys and values.
#[derive(Clone, Debug)]
pub struct Members<'a>(pub Vec<(&'a RawValue, &'a RawValue)>);

impl<'a> Members<'a> {
    /// The members of the object in `json`; `None` if it is not an object.
    pub fn of(json: &'a str) -> Option<Members<'a>> {
        serde_json::from_str(json).ok()
    }

    /// The members with their names as text.
    pub fn named(&self) -> impl Iterator<Item = (Cow<'a, str>, &'a RawValue)> {
        self.0.iter().map(|(key, value)| (text(key).unwrap_or_default(), *value))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'a>, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// The text of a JSON string; `None` if `value` is not a string. Half of a surrogate pair, which no text can contain,
/// becomes U+FFFD: serde_json refuses it as a text, and gives it as bytes.
pub fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    struct Lossy;

    impl<'de> Visitor<'de> for Lossy {
        type Value = Cow<'de, str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }

        fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Cow<'de, str>, E> {
            Ok(String::from_utf8_lossy(bytes))
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Cow<'de, str>, E> {
            Ok(String::from_utf8_lossy(bytes).into_owned().into())
        }
    }

    serde_json::Deserializer::from_str(value.get()).deserialize_bytes(Lossy).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_as_they_were_written() {
        let members = Members::of(r#" {"a" : 1.50e+07, "\u0061":[ 1 ],"":"\ud83d"} "#).unwrap();
        let raw: Vec<(&str, &str)> =
            members.0.iter().map(|(key, value)| (key.get(), value.get())).collect();
        let written = [("\"a\"", "1.50e+07"), (r#""\u0061""#, "[ 1 ]"), ("\"\"", r#""\ud83d""#)];
        assert_eq!(raw, written);
        let names: Vec<Cow<'_, str>> = members.named().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "a", ""]);
    }

    #[test]
    fn no_depth_is_too_deep_and_no_number_too_large() {
        let deep = ["{\"a\":", &"[".repeat(100_000), &"]".repeat(100_000), "}"].concat();
        assert_eq!(Members::of(&deep).unwrap().0.len(), 1);
        let number = ["{\"a\":1", &"0".repeat(5_000), "e99999}"].concat();
        assert_eq!(Members::of(&number).unwrap().0.len(), 1);
    }

    #[test]
    fn half_a_surrogate_pair_is_no_error_and_no_name() {
        let members = Members::of(r#"{"\ud800":1,"a\udc00b":2,"\ud83d\ude00":3}"#).unwrap();
        let names: Vec<Cow<'_, str>> = members.named().map(|(name, _)| name).collect();
        assert!(names[0].chars().all(|c| c == '\u{fffd}') && !names[0].is_empty());
        assert!(names[1].starts_with("a\u{fffd}") && names[1].ends_with("\u{fffd}b"));
        assert_eq!(names[2], "😀");
    }

    #[test]
    fn what_is_no_object_has_none() {
        for text in [
            "",
            "[]",
            "null",
            "3",
            "{",
            "{}{}",
            "{a:1}",
            "{\"a\":01}",
            "{\"a\":\"\u{1}\"}",
            "{1:2}",
        ] {
            assert!(Members::of(text).is_none(), "{text}");
        }
        let text_of = |json: &str| {
            let value: &RawValue = serde_json::from_str(json).unwrap();
            text(value).map(Cow::into_owned)
        };
        assert_eq!(text_of("\"a\\n\\u00e9\""), Some("a\né".into()));
        for other in ["1", "null", "[1]", "{}", "true"] {
            assert_eq!(text_of(other), None, "{other}");
        }
    }
}
