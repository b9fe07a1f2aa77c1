//! What `initTracer` and `startSession` are given, before it is known whether it is of use.
//!
//! Kept as it came, and asked for by name: deserialising into a struct of two dozen fields would
//! fail as a whole for one wrong type, and cost 8 KB of wasm.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// A value as JavaScript gave it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Given {
    /// Not given, null or undefined.
    #[default]
    Absent,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Given>),
    /// An object, in the order in which it had its keys.
    Object(Vec<(String, Given)>),
}

impl Given {
    /// The string it is.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Given::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The strings in the object it is; none where it is no object.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        let members = match self {
            Given::Object(members) => members.as_slice(),
            _ => &[],
        };
        members.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_text()?)))
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Given, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Given;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("any value")
            }
            fn visit_unit<E>(self) -> Result<Given, E> {
                Ok(Given::Absent)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Given, E> {
                Ok(Given::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Given, E> {
                Ok(Given::Number(value as f64))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Given, E> {
                Ok(Given::Number(value as f64))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Given, E> {
                Ok(Given::Number(value))
            }
            fn visit_str<E>(self, value: &str) -> Result<Given, E> {
                Ok(Given::Text(value.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Given, A::Error> {
                let mut list = Vec::new();
                while let Some(value) = seq.next_element()? {
                    list.push(value);
                }
                Ok(Given::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Given, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Given::Object(members))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// The options of one call, by their JavaScript names. Beside those of `TracerOptions` and
/// `SessionOptions` the JavaScript face gives:
///
/// | name | what |
/// |---|---|
/// | `redact` | false: the core masks nothing |
/// | `redactKeys` | a list of key names, instead of the default ones |
/// | `redactPatterns` | whether the default patterns are masked |
/// | `start` | JSON of the fields that the session starts with |
/// | `newSessionId` | a fresh UUID, for a session that is not continued |
/// | `transport` | which `fetch`: 0 is the runtime's own |
/// | `onDrop` | whether somebody wants to hear of what is dropped |
/// | `env` | an object of the environment variables of interest |
/// | `page` | the page's origin, in a page |
/// | `parent` | the tracer whose settings `startSession` takes over |
#[derive(Clone, Debug, Default)]
pub struct Options(Vec<(String, Given)>);

impl Options {
    /// The options in `given`; none where it is no object.
    pub fn of(given: Given) -> Options {
        match given {
            Given::Object(members) => Options(members),
            _ => Options::default(),
        }
    }

    /// The option called `name`.
    pub fn get(&self, name: &str) -> &Given {
        const ABSENT: &Given = &Given::Absent;
        self.0.iter().find(|(given, _)| given == name).map_or(ABSENT, |(_, value)| value)
    }

    /// The text of the option called `name`, if it is one.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).as_text()
    }

    /// The number of the option called `name`, or 0.
    pub fn number(&self, name: &str) -> u64 {
        match self.get(name) {
            Given::Number(number) => *number as u64,
            _ => 0,
        }
    }

    /// Whether the option called `name` is true.
    pub fn is_true(&self, name: &str) -> bool {
        *self.get(name) == Given::Bool(true)
    }

    /// The name and value of the first of `variables` that is set in the environment; an empty
    /// one counts as unset.
    pub fn variable<'a>(&'a self, variables: &[&'static str]) -> Option<(&'static str, &'a str)> {
        variables.iter().find_map(|name| {
            let (_, value) = self.get("env").texts().find(|(set, _)| set == name)?;
            (!value.trim().is_empty()).then_some((*name, value))
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Options from JSON.
    pub fn options(json: serde_json::Value) -> Options {
        Options::of(serde_json::from_value(json).unwrap())
    }

    #[test]
    fn any_value_is_taken_as_it_is() {
        let options = options(serde_json::json!({
            "a": "text", "b": 7, "c": -1.5, "d": true, "e": null,
            "f": ["x", {"y": []}], "env": {"HH_A": "", "HH_B": " b", "HH_C": 3},
        }));
        assert_eq!(options.text("a"), Some("text"));
        assert_eq!(options.number("b"), 7);
        assert_eq!(*options.get("c"), Given::Number(-1.5));
        assert!(options.is_true("d") && !options.is_true("a") && !options.is_true("z"));
        assert_eq!(*options.get("e"), Given::Absent);
        assert_eq!(*options.get("z"), Given::Absent);
        assert!(matches!(options.get("f"), Given::List(list) if list.len() == 2));
        assert_eq!(options.variable(&["HH_A", "HH_C", "HH_B"]), Some(("HH_B", " b")));
    }
}
