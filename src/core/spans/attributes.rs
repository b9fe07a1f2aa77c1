//! Writes an enrichment as attributes of a span, under the names that the backend reads. Objects are flattened with
//! `.key`, lists with `.index`. Scalars keep their types, and nulls are left out.

use std::collections::HashSet;

use crate::core::enrichment::TARGET_KEYS;
use crate::core::json::{elements, members, quoted, text};
use crate::core::session::SessionId;

/// How many levels of nesting are followed. The snapshot cuts deeper ones off as well.
const DEEPEST: usize = 100;

/// The kinds of value that a field may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ValueKind {
    /// An object.
    Object,
    /// An object or a list.
    ObjectOrList,
    /// Any value, which becomes one attribute.
    Scalar,
    /// The id of an event: a UUID, or a name that stands for one.
    EventId,
}

/// The fields of an enrichment and their attributes. Every other key is metadata.
const FIELDS: [(&str, &str, ValueKind); 15] = [
    ("metadata", "honeyhive_metadata", ValueKind::Object),
    ("inputs", "honeyhive_inputs", ValueKind::ObjectOrList),
    ("outputs", "honeyhive_outputs", ValueKind::ObjectOrList),
    ("config", "honeyhive_config", ValueKind::Object),
    ("feedback", "honeyhive_feedback", ValueKind::Object),
    ("metrics", "honeyhive_metrics", ValueKind::Object),
    ("userProperties", "honeyhive_user_properties", ValueKind::Object),
    ("user_properties", "honeyhive_user_properties", ValueKind::Object),
    ("error", "honeyhive_error", ValueKind::Scalar),
    ("eventType", "honeyhive_event_type", ValueKind::Scalar),
    ("event_type", "honeyhive_event_type", ValueKind::Scalar),
    ("eventName", "honeyhive_event_name", ValueKind::Scalar),
    ("event_name", "honeyhive_event_name", ValueKind::Scalar),
    ("eventId", "honeyhive_event_id", ValueKind::EventId),
    ("event_id", "honeyhive_event_id", ValueKind::EventId),
];

/// The attributes that a span gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// A JSON object with scalars by the names of attributes.
    pub json: String,
    /// A JSON list of the names for which the span had no room.
    pub left_out: String,
    /// Warnings about values that were left out. They contain no values.
    pub warnings: Vec<String>,
}

/// The attributes of an enrichment, which is given as the JSON of its fields.
///
/// `present` is the JSON list of the names that the span already has, and `room` how many more it takes. Attributes
/// beyond that are left out, the last ones first.
pub fn flatten(fields: &str, present: &str, room: usize) -> Attributes {
    let present = elements(present).unwrap_or_default();
    let present = present.into_iter().map(unquoted).collect();
    let (json, left_out) = ("{".into(), Vec::new());
    let mut found = AttributeWriter { json, names: present, room, left_out };
    let mut warnings = Vec::new();
    let fields = members(fields).unwrap_or_else(|| {
        warnings.push("what was given is no object of fields, and nothing was set".into());
        Vec::new()
    });
    for (key, value) in fields {
        let key = unquoted(key);
        if TARGET_KEYS.contains(&key) || value == "null" {
            continue;
        }
        match FIELDS.iter().find(|(name, ..)| *name == key) {
            None => found.add(&mut ["honeyhive_metadata.", key].concat(), value, DEEPEST),
            Some((_, name, ValueKind::Scalar)) => found.scalar(name, value),
            Some((_, name, ValueKind::EventId)) => {
                match text(value).and_then(|id| SessionId::new(&id)) {
                    Some(id) => found.put(name, &quoted(&id.to_string())),
                    None => warnings.push(
                        ["`", key, "` must be a text, as newEventId() gives: it was left out"]
                            .concat(),
                    ),
                }
            }
            Some((_, name, kind)) => {
                if value.starts_with('{')
                    || value.starts_with('[') && *kind == ValueKind::ObjectOrList
                {
                    found.add(&mut (*name).to_owned(), value, DEEPEST);
                } else {
                    warnings.push(["`", key, "` must be an object: it was left out"].concat());
                }
            }
        }
    }
    found.json.push('}');
    if let Some(first) = found.left_out.first() {
        warnings.push(
            [
                &found.left_out.len().to_string(),
                " attributes were left out, the first of them ",
                first,
                ": the span has as many as it takes",
            ]
            .concat(),
        );
    }
    let mut left_out = String::from("[");
    for (place, name) in found.left_out.iter().enumerate() {
        left_out.push_str(if place > 0 { ",\"" } else { "\"" });
        left_out.push_str(name);
        left_out.push('"');
    }
    left_out.push(']');
    Attributes { json: found.json, left_out, warnings }
}

/// The characters between the quotes of a JSON string, with its escapes.
fn unquoted(json: &str) -> &str {
    json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(json)
}

/// Collects attributes.
struct AttributeWriter<'a> {
    json: String,
    /// The names of the span's attributes.
    names: HashSet<&'a str>,
    room: usize,
    /// The names for which there was no room.
    left_out: Vec<String>,
}

impl AttributeWriter<'_> {
    /// Adds `value` under `name`, and everything in it under longer names. `name` is unchanged afterwards.
    fn add(&mut self, name: &mut String, value: &str, levels: usize) {
        if levels == 0 {
            return;
        }
        let length = name.len();
        let mut part = |part: &str, value| {
            name.push('.');
            name.push_str(part);
            self.add(name, value, levels - 1);
            name.truncate(length);
        };
        if let Some(members) = members(value) {
            members.into_iter().for_each(|(key, value)| part(unquoted(key), value));
        } else if let Some(elements) = elements(value) {
            for (index, value) in elements.into_iter().enumerate() {
                part(&index.to_string(), value);
            }
        } else {
            self.put(name, value);
        }
    }

    /// Adds `value` as one attribute: the message of an error, or the JSON of any other value.
    fn scalar(&mut self, name: &str, value: &str) {
        if !value.starts_with(['{', '[']) {
            return self.put(name, value);
        }
        let members = members(value).unwrap_or_default();
        let part = |name| {
            let value = members.iter().find(|(key, _)| *key == name)?.1;
            value.starts_with('"').then(|| unquoted(value)).filter(|text| !text.is_empty())
        };
        match (part("\"name\""), part("\"message\"")) {
            (Some(kind), Some(message)) => {
                self.put(name, &["\"", kind, ": ", message, "\""].concat());
            }
            (None, Some(only)) | (Some(only), None) => self.put(name, &["\"", only, "\""].concat()),
            (None, None) => self.put(name, &quoted(value)),
        }
    }

    fn put(&mut self, name: &str, value: &str) {
        if value == "null" {
            return;
        }
        if !self.names.contains(name) {
            if self.room == 0 {
                self.left_out.push(name.to_owned());
                return;
            }
            self.room -= 1;
        }
        if self.json.len() > 1 {
            self.json.push(',');
        }
        for part in ["\"", name, "\":", value] {
            self.json.push_str(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::enrichment::Field;

    fn attributes(fields: serde_json::Value) -> serde_json::Value {
        let flat = flatten(&fields.to_string(), "[]", usize::MAX);
        assert_eq!(flat.warnings, [""; 0]);
        serde_json::from_str(&flat.json).unwrap()
    }

    #[test]
    fn no_field_is_taken_for_metadata() {
        let of_sessions = [Field::Duration, Field::EndTime];
        for field in Field::ALL.into_iter().filter(|field| !of_sessions.contains(field)) {
            for name in [field.name(), field.wire_name()] {
                let (_, attribute, _) = FIELDS.iter().find(|(own, ..)| *own == name).unwrap();
                assert_eq!(*attribute, ["honeyhive_", field.wire_name()].concat());
            }
        }
    }

    #[test]
    fn the_documented_example_is_flattened_as_documented() {
        assert_eq!(
            attributes(json!({"metadata": {"a": {"b": [1, {"c": null}, "s"]}}})),
            json!({"honeyhive_metadata.a.b.0": 1, "honeyhive_metadata.a.b.2": "s"})
        );
    }

    #[test]
    fn every_field_has_its_attributes_and_scalars_keep_their_types() {
        assert_eq!(
            attributes(json!({
                "metadata": {"quote\"\n": true, "empty": {}, "none": null}, "inputs": [{"q": "hi"}],
                "outputs": {"answer": "4", "ok": false}, "config": {"temperature": 0.5},
                "feedback": {"rating": 5}, "metrics": {"cost": -1e-9}, "userProperties": {"plan": "pro"},
                "error": "boom", "eventType": "tool", "event_name": "search",
                "event_id": "7D0C6A1E-0000-4000-8000-00000000000A",
                "stray": [1, [2]], "sessionId": "x", "tracer": {},
            })),
            json!({
                "honeyhive_metadata.quote\"\n": true, "honeyhive_inputs.0.q": "hi",
                "honeyhive_outputs.answer": "4", "honeyhive_outputs.ok": false,
                "honeyhive_config.temperature": 0.5, "honeyhive_feedback.rating": 5,
                "honeyhive_metrics.cost": -1e-9, "honeyhive_user_properties.plan": "pro",
                "honeyhive_error": "boom", "honeyhive_event_type": "tool",
                "honeyhive_event_name": "search",
                "honeyhive_event_id": "7d0c6a1e-0000-4000-8000-00000000000a",
                "honeyhive_metadata.stray.0": 1, "honeyhive_metadata.stray.1.0": 2,
            })
        );
    }

    #[test]
    fn an_event_has_the_id_by_which_it_can_be_enriched() {
        let id = attributes(json!({"eventId": "answer 2"}))["honeyhive_event_id"].clone();
        assert_eq!(id, SessionId::new("answer 2").unwrap().to_string());
        for no_id in ["7", "\" \"", "{}", "true"] {
            let flat = flatten(&format!(r#"{{"eventId":{no_id}}}"#), "[]", 9);
            assert_eq!((flat.json.as_str(), flat.warnings.len()), ("{}", 1), "{no_id}");
        }
    }

    #[test]
    fn an_error_is_one_attribute() {
        let error = |error| attributes(json!({ "error": error }))["honeyhive_error"].clone();
        assert_eq!(
            error(json!({"name": "TypeError", "message": "\"x\"", "stack": "…"})),
            "TypeError: \"x\""
        );
        assert_eq!(error(json!({"message": "m"})), "m");
        assert_eq!(error(json!({"name": "AbortError", "message": ""})), "AbortError");
        assert_eq!(error(json!({"code": 7})), r#"{"code":7}"#);
        assert_eq!(error(json!([1])), "[1]");
        assert_eq!(error(json!(404)), 404);
        assert_eq!(attributes(json!({"error": null})), json!({}));
    }

    #[test]
    fn what_is_no_object_is_left_out_with_a_warning_and_the_rest_stays() {
        let flat =
            flatten(r#"{"metadata":3,"outputs":"text","config":{"a":1},"feedback":null}"#, "[]", 9);
        assert_eq!(flat.json, r#"{"honeyhive_config.a":1}"#);
        assert_eq!(flat.warnings.len(), 2);
        assert!(flat.warnings[0].contains("`metadata` must be an object"));
        for nothing in ["", "3", "[]", "\"x\"", "{"] {
            assert_eq!(flatten(nothing, "[]", 9).json, "{}", "{nothing}");
        }
        assert_eq!(flatten("3", "[]", 9).warnings.len(), 1);
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_named() {
        let flat = flatten(
            r#"{"metadata":{"a":1,"b":"secret","c":3,"d":4},"metrics":{"m":1}}"#,
            r#"["http.url","honeyhive_metadata.c"]"#,
            1,
        );
        assert_eq!(
            flat.json, r#"{"honeyhive_metadata.a":1,"honeyhive_metadata.c":3}"#,
            "an attribute that is there already takes no room"
        );
        assert_eq!(
            flat.warnings,
            [
                "3 attributes were left out, the first of them honeyhive_metadata.b: the span has as many as it takes"
            ]
        );
        assert_eq!(
            flat.left_out,
            r#"["honeyhive_metadata.b","honeyhive_metadata.d","honeyhive_metrics.m"]"#
        );
    }

    #[test]
    fn no_depth_is_too_deep() {
        let deep = ["{\"metadata\":", &"{\"a\":".repeat(50_000), "1", &"}".repeat(50_001)].concat();
        assert_eq!(flatten(&deep, "[]", 9).json, "{}");
    }
}
