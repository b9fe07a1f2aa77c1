//! The raw options of `initTracer` and `startSession`, before they are validated.
//!
//! They stay JSON text and are looked up by name, because deserialising into a struct would fail as a whole for one
//! value of a wrong type.

use std::borrow::Cow;

use super::json::{self, Numerals, any_members};

/// The options of one call, by their JavaScript names. Besides those of `TracerOptions` and `SessionOptions`, the
/// JavaScript face passes:
///
/// | name | meaning |
/// |---|---|
/// | `redact` | whether the core masks secrets |
/// | `redactKeys` | a list of key names that replaces the default list |
/// | `redactPatterns` | whether the default patterns are masked |
/// | `redactor` | whether the application's own function masks as well, before the core is called |
/// | `start` | JSON of the fields that the session starts with |
/// | `newSessionId` | a fresh UUID, for a session that is not continued |
/// | `transport` | which `fetch`: 0 is the runtime's own |
/// | `ticketSource` | the function that gives tickets, if `ticket` is one: its number |
/// | `onDrop` | whether the application wants to be told of dropped enrichments |
/// | `env` | an object with the relevant environment variables |
/// | `page` | in a page, the origin that paths are relative to; `null` if there is none |
/// | `origin` | the origin of the page's requests, if it is another |
/// | `totals` | the totals of the tracer's metrics when it was released, see [`totals_of`](super::registry::Registry::totals_of) |
/// | `parent` | the tracer whose settings `startSession` inherits |
#[derive(Debug)]
pub struct Options<'a> {
    given: Vec<Given<'a>>,
    env: Vec<Given<'a>>,
    numerals: Numerals,
}

/// The options that belong to a single session, with their quotes. `sessionName` belongs to the tracer as well, because
/// sessions started from it inherit the name.
const OF_SESSION: [&str; 4] = ["\"sessionId\"", "\"newSessionId\"", "\"start\"", "\"totals\""];

/// One option, or one environment variable.
#[derive(Debug)]
struct Given<'a> {
    /// The name with its quotes.
    name: &'a str,
    json: &'a str,
    /// The decoded value, if it is a string.
    text: Option<Cow<'a, str>>,
}

impl<'a> Options<'a> {
    /// Reads the options in the object `json`; there are none if it is not an object.
    pub fn of(json: &'a str, numerals: Numerals) -> Options<'a> {
        let given = all_of(Some(json));
        let env = all_of(find(&given, "env").map(|env| env.json));
        Options { given, env, numerals }
    }

    /// The option called `name` as JSON; `None` if it is absent or null.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        Some(find(&self.given, name)?.json).filter(|value| *value != "null")
    }

    /// The option called `name`, if it is a string.
    pub fn text(&self, name: &str) -> Option<&str> {
        find(&self.given, name)?.text.as_deref()
    }

    /// The option called `name`, if it is a number.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.numerals.number(self.get(name)?)
    }

    /// The options that do not belong to a single session, as text for comparison.
    pub fn of_tracer(&self) -> String {
        let mut text = String::new();
        for Given { name, json, .. } in &self.given {
            if !OF_SESSION.contains(name) {
                text.push_str(name);
                text.push_str(json);
            }
        }
        text
    }

    /// The functions that read its numbers.
    pub fn numerals(&self) -> Numerals {
        self.numerals
    }

    /// Whether the option called `name` is true.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }

    /// The name and value of the first of `variables` that is set in the environment. An empty one counts as unset.
    pub fn variable(&self, variables: &[&'static str]) -> Option<(&'static str, &str)> {
        for name in variables {
            if let Some(text) = find(&self.env, name).and_then(|it| it.text.as_deref())
                && !text.trim_ascii().is_empty()
            {
                return Some((name, text));
            }
        }
        None
    }
}

/// The members of the object `json`; empty if it is not an object.
fn all_of(json: Option<&str>) -> Vec<Given<'_>> {
    let mut all = Vec::new();
    for (name, json) in any_members(json.unwrap_or_default()) {
        all.push(Given { name, json, text: json::text(json) });
    }
    all
}

/// The option called `name` (plain letters).
fn find<'g, 'a>(all: &'g [Given<'a>], name: &str) -> Option<&'g Given<'a>> {
    all.iter().find(|it| it.name.get(1..it.name.len() - 1) == Some(name))
}

/// Decodes a JSON string; `None` if `json` is not one.
pub fn text_of(json: &str) -> Option<String> {
    json::text(json).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_value_is_taken_as_it_is() {
        let json = serde_json::json!({
            "a": "text", "b": 7, "c": -1.5, "d": true, "e": null,
            "f": ["x", {"y": []}], "env": {"HH_A": "", "HH_B": " b", "HH_C": 3},
        });
        let json = json.to_string();
        let options = Options::of(&json, Numerals::STD);
        assert_eq!(options.text("a"), Some("text"));
        assert_eq!(options.number("b"), Some(7.0));
        assert_eq!(options.number("c"), Some(-1.5));
        assert_eq!(options.number("a"), None);
        assert!(options.is_true("d") && !options.is_true("a") && !options.is_true("z"));
        assert_eq!(options.get("e"), None);
        assert_eq!(options.get("z"), None);
        assert_eq!(options.get("f"), Some("[\"x\",{\"y\":[]}]"));
        assert_eq!(options.variable(&["HH_A", "HH_C", "HH_B"]), Some(("HH_B", " b")));
        assert_eq!(Options::of("[]", Numerals::STD).get("a"), None);
    }
}
