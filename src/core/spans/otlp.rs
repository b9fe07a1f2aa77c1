//! Ended spans as OTLP/HTTP in JSON: `ExportTraceServiceRequest` of OpenTelemetry's protocol, 1.x.
//! <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::{Rc, Weak};

use crate::core::delivery::unit::Unit;
use crate::core::json::{Object, elements, is_number, members};
use crate::core::redact::Redaction;

/// Levels of nesting in an attribute that are followed; the snapshot cuts off there as well.
const DEEPEST: usize = 100;

/// Digits of a whole number up to which it is an `intValue`, which has 64 bits.
const INT_DIGITS: usize = 18;

/// Bytes that a span takes beside its attributes' own, mostly.
const FEW_BYTES: usize = 1_024;

/// Origins that are remembered before any look at whether they still are of use.
const FEW_ORIGINS: usize = 64;

/// What finds the session is never masked, see `src/core/redact/`.
const SESSION_IDS: [&str; 2] =
    ["honeyhive.session_id", "traceloop.association.properties.session_id"];

/// Where spans come from: what many of them have in common.
#[derive(Debug)]
pub struct Origin {
    /// By which it is known.
    number: u64,
    /// Members of OTLP's `ResourceSpans` or `ScopeSpans`, as JSON without the braces.
    json: String,
}

/// One span, as the JSON of OTLP's `Span`, and where it comes from.
#[derive(Clone, Debug)]
pub struct Span {
    resource: Rc<Origin>,
    scope: Rc<Origin>,
    json: Box<str>,
}

impl Unit for Span {
    fn bytes(&self) -> usize {
        self.json.len()
    }

    fn common(&self) -> impl Iterator<Item = (u64, usize)> {
        [&self.resource, &self.scope].into_iter().map(|it| (it.number, it.json.len()))
    }
}

/// The origins of spans that are held: those that say the same are one, in whichever export they came.
#[derive(Debug, Default)]
pub struct Origins {
    known: HashMap<String, Weak<Origin>>,
    last: u64,
    /// How many there may be before those that no span has any more are taken out.
    limit: usize,
}

impl Origins {
    fn of(&mut self, json: String) -> Rc<Origin> {
        if let Some(known) = self.known.get(&json).and_then(Weak::upgrade) {
            return known;
        }
        if self.known.len() >= self.limit {
            self.known.retain(|_, origin| origin.strong_count() > 0);
            self.limit = 2 * self.known.len() + FEW_ORIGINS;
        }
        self.last += 1;
        let origin = Rc::new(Origin { number: self.last, json: json.clone() });
        self.known.insert(json, Rc::downgrade(&origin));
        origin
    }
}

/// The spans of an export, as the lines that the face makes of what OpenTelemetry's SDK gave it. The first is the
/// JSON of `{ resources, scopes }`; two more for each span are its attributes' JSON and, before that, the JSON of all
/// else, where a span has the places of its resource and scope in the two lists, and everything has the SDK's
/// names. So what is long is in a line of its own, and not read again for what is around it. Nothing where the
/// first line is no such object. Secrets in texts are masked as `redaction` says.
pub fn read(
    lines: &str,
    origins: &mut Origins,
    redaction: Option<&Redaction>,
) -> Option<Vec<Span>> {
    // No JSON has an unescaped newline in it but for show.
    let mut lines = lines.split('\n');
    let all = Fields::of(lines.next()?)?;
    let list = |name| all.get(name).and_then(elements).unwrap_or_default();
    let writer = Writer { redaction };
    let resources: Vec<_> =
        list("resources").into_iter().map(|json| origins.of(writer.resource(json))).collect();
    let scopes: Vec<_> =
        list("scopes").into_iter().map(|json| origins.of(writer.scope(json))).collect();
    let mut spans = Vec::new();
    while let (Some(span), Some(attributes)) = (lines.next(), lines.next()) {
        let Some(fields) = Fields::of(span) else { continue };
        let place = |name| fields.get(name)?.parse::<usize>().ok();
        let resource = place("resource").and_then(|place| resources.get(place));
        let scope = place("scope").and_then(|place| scopes.get(place));
        if let (Some(resource), Some(scope)) = (resource, scope) {
            let (resource, scope) = (resource.clone(), scope.clone());
            let json = writer.span(&fields, attributes).into();
            spans.push(Span { resource, scope, json });
        }
    }
    Some(spans)
}

/// The body of a request with these spans.
pub fn request<'a>(spans: impl Iterator<Item = &'a Span>) -> String {
    let mut resources = Groups::default();
    let mut bytes = FEW_BYTES;
    for span in spans {
        bytes += span.json.len() + 1;
        resources.of(&span.resource, Groups::default).of(&span.scope, Vec::new).push(span);
    }
    // All at once: a large text that grows is copied each time.
    let mut body = String::with_capacity(bytes);
    body.push_str("{\"resourceSpans\":");
    list(&mut body, resources.all.into_iter(), |out, (resource, scopes)| {
        for part in ["{", &resource.json, ",\"scopeSpans\":"] {
            out.push_str(part);
        }
        list(out, scopes.all.into_iter(), |out, (scope, spans)| {
            for part in ["{", &scope.json, ",\"spans\":"] {
                out.push_str(part);
            }
            list(out, spans.into_iter(), |out, span| out.push_str(&span.json));
            out.push('}');
        });
        out.push('}');
    });
    body.push('}');
    body
}

/// What there is of each origin, in the order in which they came.
struct Groups<'a, T> {
    all: Vec<(&'a Origin, T)>,
    places: HashMap<u64, usize>,
}

impl<T> Default for Groups<'_, T> {
    fn default() -> Self {
        Groups { all: Vec::new(), places: HashMap::new() }
    }
}

impl<'a, T> Groups<'a, T> {
    fn of(&mut self, origin: &'a Origin, new: fn() -> T) -> &mut T {
        let place = *self.places.entry(origin.number).or_insert_with(|| {
            self.all.push((origin, new()));
            self.all.len() - 1
        });
        &mut self.all[place].1
    }
}

/// Writes OTLP, with secrets masked.
#[derive(Clone, Copy)]
struct Writer<'a> {
    redaction: Option<&'a Redaction>,
}

impl Writer<'_> {
    fn resource(self, json: &str) -> String {
        origin("resource", json, |fields, object| {
            self.attributes(object.value("attributes"), fields.get("attributes"));
        })
    }

    fn scope(self, json: &str) -> String {
        origin("scope", json, |fields, object| fields.copy(&["name", "version"], object))
    }

    fn span(self, fields: &Fields<'_>, attributes: &str) -> String {
        let mut out = String::with_capacity(attributes.len() + FEW_BYTES);
        let mut object = Object::open(&mut out);
        fields.copy(&["traceId", "spanId", "traceState", "parentSpanId", "flags"], &mut object);
        self.text("name", fields, &mut object);
        // The SDK counts from INTERNAL = 0, the protocol from UNSPECIFIED = 0.
        let kind = fields.get("kind").and_then(|kind| kind.parse::<u32>().ok()).unwrap_or_default();
        object.json("kind", &(kind + 1).to_string());
        for (name, from) in [("startTimeUnixNano", "startTime"), ("endTimeUnixNano", "endTime")] {
            time(object.value(name), fields.get(from));
        }
        self.attributes(object.value("attributes"), Some(attributes));
        let of = |name| fields.get(name).and_then(elements).unwrap_or_default().into_iter();
        list(object.value("events"), of("events").filter_map(Fields::of), |out, event| {
            let mut object = Object::open(out);
            time(object.value("timeUnixNano"), event.get("time"));
            self.text("name", &event, &mut object);
            event.copy(&["droppedAttributesCount"], &mut object);
            self.attributes(object.value("attributes"), event.get("attributes"));
            object.close();
        });
        list(object.value("links"), of("links").filter_map(Fields::of), |out, link| {
            let mut object = Object::open(out);
            link.copy(
                &["traceId", "spanId", "traceState", "droppedAttributesCount", "flags"],
                &mut object,
            );
            self.attributes(object.value("attributes"), link.get("attributes"));
            object.close();
        });
        let mut status = Object::open(object.value("status"));
        if let Some(given) = fields.get("status").and_then(Fields::of) {
            given.copy(&["code"], &mut status);
            self.text("message", &given, &mut status);
        }
        status.close();
        fields.copy(
            &["droppedAttributesCount", "droppedEventsCount", "droppedLinksCount"],
            &mut object,
        );
        object.close();
        out
    }

    /// Writes the text called `name`, if there is one, masked.
    fn text(self, name: &str, fields: &Fields<'_>, object: &mut Object<'_>) {
        if let Some(json) = fields.get(name) {
            object.json(name, &self.masked(json));
        }
    }

    /// An object as OTLP's list of `KeyValue`, without what is null.
    fn attributes(self, out: &mut String, json: Option<&str>) {
        let given = json.unwrap_or_default();
        match self.masked(given) {
            Cow::Borrowed(json) => key_values(out, members(json).unwrap_or_default(), DEEPEST),
            Cow::Owned(masked) => {
                let mut attributes = members(&masked).unwrap_or_default();
                let own = Fields::of(given).unwrap_or(Fields(Vec::new()));
                for (key, value) in &mut attributes {
                    let name = key.get(1..key.len() - 1).unwrap_or_default();
                    if let Some(id) = own.get(name).filter(|_| SESSION_IDS.contains(&name)) {
                        *value = id;
                    }
                }
                key_values(out, attributes, DEEPEST);
            }
        }
    }

    fn masked(self, json: &str) -> Cow<'_, str> {
        let masked = self.redaction.and_then(|redaction| redaction.masked(json));
        masked.map_or(Cow::Borrowed(json), Cow::Owned)
    }
}

/// The members of an object that say where spans come from, as the member `name` and its schema.
fn origin(name: &str, json: &str, write: impl Fn(&Fields<'_>, &mut Object<'_>)) -> String {
    let fields = Fields::of(json).unwrap_or(Fields(Vec::new()));
    let mut out = String::new();
    let mut object = Object::open(&mut out);
    let mut inner = Object::open(object.value(name));
    write(&fields, &mut inner);
    inner.close();
    fields.copy(&["schemaUrl"], &mut object);
    out.remove(0);
    out
}

/// A time of OpenTelemetry's, `[seconds, nanoseconds]`, as nanoseconds since 1970.
fn time(out: &mut String, json: Option<&str>) {
    let parts = json.and_then(elements).unwrap_or_default();
    let part = |place: usize| {
        let digits = parts.get(place).and_then(|part| part.split('.').next());
        digits.and_then(|digits| digits.parse::<u64>().ok()).unwrap_or_default()
    };
    let nanos = part(0).saturating_mul(1_000_000_000).saturating_add(part(1));
    out.push('"');
    out.push_str(&nanos.to_string());
    out.push('"');
}

fn key_values(out: &mut String, members: Vec<(&str, &str)>, levels: usize) {
    let given = members.into_iter().filter(|(_, value)| *value != "null");
    list(out, given, |out, (key, value)| {
        let mut object = Object::open(out);
        object.json("key", key);
        any_value(object.value("value"), value, levels);
        object.close();
    });
}

/// OTLP's `AnyValue`.
fn any_value(out: &mut String, json: &str, levels: usize) {
    let mut object = Object::open(out);
    let is_int = json.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    if json.starts_with('"') {
        object.json("stringValue", json);
    } else if is_number(json) {
        let name = if is_int && json.len() <= INT_DIGITS { "intValue" } else { "doubleValue" };
        object.json(name, json);
    } else if levels == 0 || json == "null" {
        // An empty value: a list keeps its other items' places.
    } else if let Some(values) = elements(json) {
        let mut inner = Object::open(object.value("arrayValue"));
        list(inner.value("values"), values.into_iter(), |out, value| {
            any_value(out, value, levels - 1);
        });
        inner.close();
    } else if let Some(members) = members(json) {
        let mut inner = Object::open(object.value("kvlistValue"));
        key_values(inner.value("values"), members, levels - 1);
        inner.close();
    } else {
        object.json("boolValue", json);
    }
    object.close();
}

/// A JSON list of what `write` makes of each of `items`.
fn list<T>(out: &mut String, items: impl Iterator<Item = T>, write: impl Fn(&mut String, T)) {
    out.push('[');
    for (place, item) in items.enumerate() {
        out.push_str(if place > 0 { "," } else { "" });
        write(out, item);
    }
    out.push(']');
}

/// The members of an object, asked for by name.
struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Fields<'a> {
    fn of(json: &'a str) -> Option<Fields<'a>> {
        members(json).map(Fields)
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        let is_it = |key: &str| key.get(1..key.len() - 1) == Some(name);
        self.0.iter().find(|(key, value)| is_it(key) && *value != "null").map(|(_, value)| *value)
    }

    /// Writes those of `names` that are there as they are.
    fn copy(&self, names: &[&str], object: &mut Object<'_>) {
        for name in names {
            if let Some(value) = self.get(name) {
                object.json(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_str, json};

    use super::*;

    /// The lines of an export that is written as one object.
    fn lines(export: &Value) -> String {
        let origins = json!({"resources": export["resources"], "scopes": export["scopes"]});
        let mut lines = vec![origins.to_string()];
        for span in export["spans"].as_array().unwrap() {
            lines.push(span.to_string());
            lines.push(span["attributes"].to_string());
        }
        lines.join("\n")
    }

    fn read_plainly(lines: &str) -> Option<Vec<Span>> {
        read(lines, &mut Origins::default(), None)
    }

    fn sent(export: Value) -> Value {
        from_str(&request(read_plainly(&lines(&export)).unwrap().iter())).unwrap()
    }

    fn value(value: Value) -> Value {
        let spans = json!([{"resource": 0, "scope": 0, "attributes": {"a": value}}]);
        let body = sent(json!({"resources": [{}], "scopes": [{}], "spans": spans}));
        body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"][0]["value"].clone()
    }

    #[test]
    fn a_span_is_written_as_the_protocol_has_it() {
        let body = sent(json!({
            "resources": [{"attributes": {"service.name": "chat"}, "schemaUrl": "https://r"}],
            "scopes": [{"name": "ai", "version": "1.2.3", "schemaUrl": "https://s"}],
            "spans": [{
                "resource": 0, "scope": 0,
                "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331",
                "parentSpanId": "00f067aa0ba902b7", "traceState": "a=b", "flags": 257,
                "name": "step \"1\"", "kind": 2,
                "startTime": [1_700_000_000_u64, 5], "endTime": [1_700_000_001_u64, 999_999_999],
                "attributes": {"k": "v", "none": null},
                "droppedAttributesCount": 1, "droppedEventsCount": 2, "droppedLinksCount": 3,
                "events": [{"name": "e", "time": [1, 0], "attributes": {"n": 1}, "droppedAttributesCount": 4}],
                "links": [{"traceId": "t", "spanId": "s", "attributes": {}}],
                "status": {"code": 2, "message": "bad"},
            }],
        }));
        assert_eq!(
            body,
            json!({"resourceSpans": [{
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "chat"}}]},
                "schemaUrl": "https://r",
                "scopeSpans": [{
                    "scope": {"name": "ai", "version": "1.2.3"},
                    "schemaUrl": "https://s",
                    "spans": [{
                        "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331",
                        "parentSpanId": "00f067aa0ba902b7", "traceState": "a=b", "flags": 257,
                        "name": "step \"1\"", "kind": 3,
                        "startTimeUnixNano": "1700000000000000005",
                        "endTimeUnixNano": "1700000001999999999",
                        "attributes": [{"key": "k", "value": {"stringValue": "v"}}],
                        "droppedAttributesCount": 1, "droppedEventsCount": 2, "droppedLinksCount": 3,
                        "events": [{
                            "name": "e", "timeUnixNano": "1000000000", "droppedAttributesCount": 4,
                            "attributes": [{"key": "n", "value": {"intValue": 1}}],
                        }],
                        "links": [{"traceId": "t", "spanId": "s", "attributes": []}],
                        "status": {"code": 2, "message": "bad"},
                    }],
                }],
            }]})
        );
    }

    #[test]
    fn values_keep_their_types() {
        assert_eq!(value(json!(true)), json!({"boolValue": true}));
        assert_eq!(value(json!(-12)), json!({"intValue": -12}));
        assert_eq!(value(json!(0.5)), json!({"doubleValue": 0.5}));
        assert_eq!(value(json!(1e300)), json!({"doubleValue": 1e300}));
        assert_eq!(
            value(json!(1_000_000_000_000_000_000_000_f64)),
            json!({"doubleValue": 1e21}),
            "beyond 64 bits"
        );
        assert_eq!(
            value(json!(["a", null, [1], {"b": false, "c": null}])),
            json!({"arrayValue": {"values": [
                {"stringValue": "a"}, {}, {"arrayValue": {"values": [{"intValue": 1}]}},
                {"kvlistValue": {"values": [{"key": "b", "value": {"boolValue": false}}]}},
            ]}})
        );
    }

    #[test]
    fn spans_are_put_together_by_where_they_come_from() {
        let span = |resource, scope, name: &str| json!({"resource": resource, "scope": scope, "name": name});
        let export = json!({
            "resources": [{"attributes": {"r": 0}}, {"attributes": {"r": 1}}, {"attributes": {"r": 0}}], "scopes": [{"name": "a"}, {"name": "b"}],
            "spans": [span(0, 0, "1"), span(1, 0, "2"), span(0, 1, "3"), span(2, 0, "4"), span(9, 0, "lost")],
        });
        let spans = read_plainly(&lines(&export)).unwrap();
        let names = |json: &Value| -> Vec<Vec<Vec<String>>> {
            let list = |json: &Value| json.as_array().unwrap().clone();
            list(&json["resourceSpans"])
                .iter()
                .map(|of_resource| {
                    list(&of_resource["scopeSpans"])
                        .iter()
                        .map(|it| {
                            list(&it["spans"])
                                .iter()
                                .map(|it| it["name"].as_str().unwrap().into())
                                .collect()
                        })
                        .collect()
                })
                .collect()
        };
        let body: Value = from_str(&request(spans.iter())).unwrap();
        assert_eq!(names(&body), [vec![vec!["1", "4"], vec!["3"]], vec![vec!["2"]]]);
        assert_eq!(request([].iter()), r#"{"resourceSpans":[]}"#);
    }

    #[test]
    fn secrets_are_masked_in_every_text_of_a_span_and_in_nothing_that_finds_it() {
        let key = ["sk-proj", "-abcdefghij0123456789"].concat();
        // Sixteen digits that are a card's number by every rule.
        let card = "4111111111111111";
        let export = json!({
            "resources": [{"attributes": {"process.command": format!("serve --key {key}")}}],
            "scopes": [{"name": card}],
            "spans": [{
                "resource": 0, "scope": 0, "spanId": card, "parentSpanId": card, "traceId": card,
                "name": format!("call {key}"),
                "attributes": {
                    "ai.prompt": json!({"messages": [{"content": format!("my key is {key}")}]}).to_string(),
                    "http.request.header.authorization": ["Bearer abcdefghijkl"],
                    "gen_ai.usage.total_tokens": 12,
                    "honeyhive.session_id": key,
                },
                "events": [{"name": key, "attributes": {"exception.message": format!("bad key {key}")}}],
                "links": [{"spanId": card, "attributes": {"api_key": "hunter2"}}],
                "status": {"code": 2, "message": format!("refused {key}")},
            }],
        });
        let body = |redaction: Option<Redaction>| {
            let spans = read(&lines(&export), &mut Origins::default(), redaction.as_ref()).unwrap();
            request(spans.iter())
        };
        let masked = body(Some(Redaction::default()));
        let found = masked.matches(&key).count();
        assert_eq!(found, 1, "but in the session's id: {masked}");
        assert!(!masked.contains("hunter2") && !masked.contains("Bearer abc"), "{masked}");
        assert_eq!(masked.matches(card).count(), 5, "{masked}");
        assert!(masked.contains(r#"{"intValue":12}"#));
        let prompt: Value = from_str(&masked).unwrap();
        let prompt = &prompt["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"][0];
        assert_eq!(
            prompt["value"]["stringValue"],
            r#"{"messages":[{"content":"my key is [Redacted]"}]}"#
        );
        assert!(body(None).contains("hunter2"), "where masking is off");
    }

    #[test]
    fn what_is_no_export_does_no_harm() {
        for text in ["", "[]", "3", "{"] {
            assert!(read_plainly(text).is_none(), "{text}");
        }
        assert!(read_plainly("{}").unwrap().is_empty());
        let odd = "{\"resources\":[3],\"scopes\":[null]}\n3\n{}\n{}\n3\n{\"resource\":0}";
        assert!(read_plainly(odd).unwrap().is_empty());
        let odd = concat!(
            r#"{"resources":[3],"scopes":[null]}"#,
            "\n",
            r#"{"resource":0,"scope":0,"startTime":"x","events":[1]}"#,
            "\n3",
        );
        let body: Value = from_str(&request(read_plainly(odd).unwrap().iter())).unwrap();
        let span = &body["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!(span["startTimeUnixNano"], "0");
        let deep = ["[".repeat(5_000), "]".repeat(5_000)].concat();
        let deep = [r#"{"resources":[{"attributes":{"a":"#, &deep, "}}]}"].concat();
        assert!(read_plainly(&deep).is_some());
    }
}
