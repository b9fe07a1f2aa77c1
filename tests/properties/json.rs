//! JSON as text, in every spelling that its grammar allows (RFC 8259).

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A number, spelled in any way: more digits than a double holds, a zero with a sign, exponents.
pub fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        Just("-0".to_owned()),
        Just("1e400".to_owned()),
    ]
}

/// The inside of a string, each character in one of its spellings.
pub fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => "[ -!#-\\[\\]-~]".prop_map(String::from),
        2 => any::<char>().prop_map(|c| in_string(c, false)),
        1 => any::<char>().prop_map(|c| in_string(c, true)),
        1 => prop::sample::select(vec!["\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t"])
            .prop_map(str::to_owned),
    ];
    vec(character, 0..12).prop_map(|characters| characters.concat())
}

/// `c` inside a JSON string: as it is where that is allowed, else, or if so `escaped`, by number.
pub fn in_string(c: char, escaped: bool) -> String {
    if !escaped && c >= ' ' && c != '"' && c != '\\' {
        return c.into();
    }
    let mut units = [0; 2];
    c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04X}")).collect()
}

/// White space between tokens: mostly none.
fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![5 => Just(""), 1 => prop::sample::select(vec![" ", "\n", "\t\r", "  "])]
}

/// Any JSON value. Keys of its objects may come twice.
pub fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        number(),
        text().prop_map(|text| format!("\"{text}\"")),
        prop::sample::select(vec!["true", "false", "null", "{}", "[]"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        let list = (vec(inner.clone(), 0..5), space());
        let list = list.prop_map(|(items, space)| {
            format!("[{space}{}{space}]", items.join(&format!("{space},{space}")))
        });
        prop_oneof![list, object(vec((key(), inner), 0..5))]
    })
}

/// A key with its quotes; one of few, so that they come again, in two spellings.
pub fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(vec!["a", "b", "c", "\\u0061", ""]).prop_map(str::to_owned),
        1 => text(),
    ]
    .prop_map(|text| format!("\"{text}\""))
}

/// An object of such members.
pub fn object(
    members: impl Strategy<Value = Vec<(String, String)>>,
) -> impl Strategy<Value = String> {
    (members, space()).prop_map(|(members, space)| {
        let members = members.iter().map(|(key, value)| format!("{key}{space}:{space}{value}"));
        format!("{{{space}{}{space}}}", members.collect::<Vec<_>>().join(","))
    })
}

/// The members of an object in their order: the text of the key, and the value as it was written.
pub fn members(json: &str) -> Vec<(String, String)> {
    struct Members(Vec<(String, String)>);
    impl<'de> Deserialize<'de> for Members {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Collect;
            impl<'de> Visitor<'de> for Collect {
                type Value = Members;

                fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    formatter.write_str("an object")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                    let mut members = Vec::new();
                    while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                        members.push((key, value.get().to_owned()));
                    }
                    Ok(Members(members))
                }
            }
            deserializer.deserialize_map(Collect)
        }
    }
    let read = serde_json::from_str::<Members>(json);
    read.unwrap_or_else(|error| panic!("{error}: {json}")).0
}

/// What the object holds, as JavaScript, Python and Rust read it: of a key that comes twice the
/// last value counts.
pub fn read(json: &str) -> BTreeMap<String, String> {
    members(json).into_iter().collect()
}
