//! Writes ended spans as OTLP/HTTP in JSON: `ExportTraceServiceRequest` of OpenTelemetry's protocol, 1.x.
//! <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::{Rc, Weak};

use crate::core::delivery::unit::Unit;
use crate::core::json::{JsonScanner, Object, elements, find, is_number, members, text};
use crate::core::redact::Redaction;

/// How many levels of nesting in an attribute are followed. The snapshot cuts deeper ones off as well.
const DEEPEST: usize = 100;

/// Integers below this limit, and their negatives, are written as `intValue`. Larger numbers in an attribute of the
/// SDK are not exact any more, and most readers of JSON would change them.
const INT_LIMIT: u64 = 1 << 53;

/// More than most spans, and most requests, take besides what they are made of.
const FEW_BYTES: usize = 512;

/// What an attribute takes besides its name and value.
const BYTES_OF_ATTRIBUTE: usize = 40;

/// Why something could not be read as a span.
const NO_SPAN: &str = "it is no span of OpenTelemetry's SDK";

/// How many origins are remembered before unused ones are removed for the first time.
const FEW_ORIGINS: usize = 64;

/// The attributes that identify the session, which are never masked: see `src/core/redact/`.
const SESSION_IDS: [&str; 2] =
    ["honeyhive.session_id", "traceloop.association.properties.session_id"];

/// The origin of spans, which many spans share: a resource or an instrumentation scope.
#[derive(Debug)]
pub struct Origin {
    /// Identifies the origin.
    number: u64,
    /// The members of OTLP's `ResourceSpans` or `ScopeSpans`, as JSON without the braces.
    json: String,
}

/// One span: the JSON of OTLP's `Span`, and its origins.
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

/// The origins of all spans that have not ended. Equal origins are one, whichever export they came in.
#[derive(Debug, Default)]
pub struct Origins {
    known: HashMap<String, Weak<Origin>>,
    last: u64,
    /// The number of origins at which unused ones are removed.
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

/// The spans of an export.
#[derive(Debug, Default)]
pub struct ReadSpans {
    /// Those that could be read.
    pub spans: Vec<Span>,
    /// Why each of the others could not be read.
    pub unreadable: Vec<String>,
}

impl ReadSpans {
    /// Reads further spans of the export from the JSON list that the JavaScript around the core writes. Its first item is
    /// the object `{ resources, scopes }`, with the SDK's names. Each further one is a span (see `SpanParts`), or a text
    /// that says why a span could not be read. Secrets are masked as `redaction` says.
    pub fn read(&mut self, json: &str, origins: &mut Origins, redaction: Option<&Redaction>) {
        let writer = Writer { redaction };
        let mut resources_and_scopes: Option<[Vec<Rc<Origin>>; 2]> = None;
        let mut parts = SpanParts::default();
        let whole = JsonScanner::of(json).each_item(b'[', &mut |scan, _| {
            let Some([resources, scopes]) = &resources_and_scopes else {
                let all = ObjectMembers::of(scan.value()?)?;
                let list = |name| all.get(name).and_then(elements).unwrap_or_default();
                let resources = list("resources").into_iter();
                let resources = resources.map(|json| origins.of(writer.resource(json))).collect();
                let scopes = list("scopes").into_iter();
                let scopes = scopes.map(|json| origins.of(writer.scope(json))).collect();
                resources_and_scopes = Some([resources, scopes]);
                return Some(());
            };
            if scan.peek() != Some(b'[') {
                let why = text(scan.value()?).unwrap_or(NO_SPAN.into());
                let masked = redaction.map_or(why.as_ref().into(), |it| it.text(&why));
                self.unreadable.push(masked.into_owned());
                return Some(());
            }
            parts.read(scan)?;
            let number = |part| Some(parts.number(part)? as usize);
            let resource = number(SpanParts::RESOURCE).and_then(|it| resources.get(it));
            let scope = number(SpanParts::SCOPE).and_then(|it| scopes.get(it));
            if let (Some(resource), Some(scope)) = (resource, scope) {
                let (resource, scope) = (resource.clone(), scope.clone());
                let json = writer.span(&parts).into_boxed_str();
                self.spans.push(Span { resource, scope, json });
            } else {
                self.unreadable.push(NO_SPAN.to_owned());
            }
            Some(())
        });
        // What comes after something that is no JSON is left out, however many spans that may be.
        if whole.is_none() || resources_and_scopes.is_none() {
            self.unreadable.push(NO_SPAN.to_owned());
        }
    }
}

/// One span: the JSON list of its parts, each of which has a place of its own. The SDK's numbers are JSON numbers, whose
/// fractions are cut off; events and links are lists, or null if it has none.
#[derive(Default)]
struct SpanParts<'a> {
    parts: [&'a str; SpanParts::COUNT],
    /// The members of its attributes.
    attributes: Vec<(&'a str, &'a str)>,
    /// The bytes of the list.
    length: usize,
}

impl<'a> SpanParts<'a> {
    /// The indices of its origins in the first item.
    const RESOURCE: usize = 0;
    const SCOPE: usize = 1;
    const KIND: usize = 2;
    /// Seconds, and nanoseconds after them.
    const START: usize = 3;
    const END: usize = 5;
    const FLAGS: usize = 7;
    const STATUS_CODE: usize = 8;
    /// How many attributes, events and links were dropped.
    const DROPPED: usize = 9;
    /// The ids of its trace, itself and its parent, and the state of its trace.
    const IDS: usize = 12;
    const NAME: usize = 16;
    const STATUS_MESSAGE: usize = 17;
    const ATTRIBUTES: usize = 18;
    const EVENTS: usize = 19;
    const LINKS: usize = 20;
    const COUNT: usize = 21;

    /// Reads the list that comes next, in place of the span that was read before.
    fn read(&mut self, scan: &mut JsonScanner<'a>) -> Option<()> {
        let start = scan.consumed();
        let SpanParts { parts, attributes, .. } = self;
        *parts = ["null"; SpanParts::COUNT];
        attributes.clear();
        let mut place = 0;
        scan.each_item(b'[', &mut |scan, _| {
            let start = scan.consumed();
            if place == SpanParts::ATTRIBUTES && scan.peek() == Some(b'{') {
                scan.each_item(b'{', &mut |scan, key| {
                    attributes.push((key, scan.value()?));
                    Some(())
                })?;
            } else {
                scan.value()?;
            }
            if let Some(part) = parts.get_mut(place) {
                *part = scan.since(start);
            }
            place += 1;
            Some(())
        })?;
        self.length = scan.consumed() - start;
        Some(())
    }

    /// The JSON of a part, if there is one.
    fn json(&self, place: usize) -> Option<&'a str> {
        Some(self.parts[place]).filter(|json| *json != "null")
    }

    /// The digits of a number that is not negative, without its fraction.
    fn digits(&self, place: usize) -> Option<&'a str> {
        let json = self.parts[place];
        let end = json.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(json.len());
        let is_integer = end > 0 && matches!(json.as_bytes().get(end), None | Some(b'.'));
        is_integer.then(|| &json[..end])
    }

    fn number(&self, place: usize) -> Option<u64> {
        self.digits(place)?.parse().ok()
    }
}

/// The body of a request with these spans.
#[inline(never)]
pub fn request<'a>(spans: impl Iterator<Item = &'a Span>) -> String {
    let mut resources = Groups::default();
    let mut bytes = FEW_BYTES;
    for span in spans {
        bytes += span.json.len() + 1;
        resources.of(&span.resource, Groups::default).of(&span.scope, Vec::new).push(span);
    }
    // Allocated in one piece, because a large text that grows is copied each time.
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

/// The spans of each origin, in the order in which the origins came.
struct Groups<'a, T> {
    all: Vec<(&'a Origin, T)>,
    places: HashMap<u64, usize>,
    /// The place of the group that was asked for last.
    last: usize,
}

impl<T> Default for Groups<'_, T> {
    fn default() -> Self {
        Groups { all: Vec::new(), places: HashMap::new(), last: 0 }
    }
}

impl<'a, T> Groups<'a, T> {
    fn of(&mut self, origin: &'a Origin, new: fn() -> T) -> &mut T {
        // Most spans come from where the one before came from.
        let place = match self.all.get(self.last) {
            Some((last, _)) if last.number == origin.number => self.last,
            _ => self.place(origin, new),
        };
        self.last = place;
        &mut self.all[place].1
    }

    fn place(&mut self, origin: &'a Origin, new: fn() -> T) -> usize {
        *self.places.entry(origin.number).or_insert_with(|| {
            self.all.push((origin, new()));
            self.all.len() - 1
        })
    }
}

/// Writes OTLP with secrets masked.
#[derive(Clone, Copy)]
struct Writer<'a> {
    redaction: Option<&'a Redaction>,
}

impl Writer<'_> {
    #[inline(never)]
    fn resource(self, json: &str) -> String {
        origin("resource", json, |fields, object| {
            self.attributes(object.value("attributes"), fields.get("attributes"));
        })
    }

    #[inline(never)]
    fn scope(self, json: &str) -> String {
        origin("scope", json, |fields, object| fields.copy(&["name", "version"], object))
    }

    /// The JSON of a span.
    fn span(self, span: &SpanParts<'_>) -> String {
        // So that a long one is not copied as it grows.
        let room = span.length + FEW_BYTES + BYTES_OF_ATTRIBUTE * span.attributes.len();
        let mut out = String::with_capacity(room);
        // The SDK's kinds begin with INTERNAL = 0, the protocol's with UNSPECIFIED = 0.
        let kind = span.number(SpanParts::KIND).unwrap_or_default().saturating_add(1);
        out.push_str("{\"kind\":");
        out.push_str(&kind.to_string());
        let mut member = |name: &str, json: Option<&str>| {
            if let Some(json) = json {
                out.push_str(name);
                out.push_str(json);
            }
        };
        member(",\"traceId\":", span.json(SpanParts::IDS));
        member(",\"spanId\":", span.json(SpanParts::IDS + 1));
        member(",\"parentSpanId\":", span.json(SpanParts::IDS + 2));
        member(",\"traceState\":", span.json(SpanParts::IDS + 3));
        member(",\"flags\":", span.digits(SpanParts::FLAGS));
        member(",\"droppedAttributesCount\":", span.digits(SpanParts::DROPPED));
        member(",\"droppedEventsCount\":", span.digits(SpanParts::DROPPED + 1));
        member(",\"droppedLinksCount\":", span.digits(SpanParts::DROPPED + 2));
        let mut object = Object::go_on(&mut out);
        self.text("name", span.json(SpanParts::NAME), &mut object);
        for (name, place) in
            [("startTimeUnixNano", SpanParts::START), ("endTimeUnixNano", SpanParts::END)]
        {
            let part = |place| span.number(place).unwrap_or_default();
            time(object.value(name), part(place), part(place + 1));
        }
        let attributes = span.parts[SpanParts::ATTRIBUTES];
        self.attributes_of(object.value("attributes"), attributes, &span.attributes);
        self.events(object.value("events"), span.parts[SpanParts::EVENTS]);
        self.links(object.value("links"), span.parts[SpanParts::LINKS]);
        let mut status = Object::open(object.value("status"));
        if let Some(code) = span.digits(SpanParts::STATUS_CODE) {
            status.json("code", code);
        }
        self.text("message", span.json(SpanParts::STATUS_MESSAGE), &mut status);
        status.close();
        object.close();
        out
    }

    /// Writes a list of the SDK's events.
    #[inline(never)]
    fn events(self, out: &mut String, json: &str) {
        list(out, objects(json), |out, event| {
            let mut object = Object::open(out);
            let (seconds, nanos) = parts_of_time(event.get("time"));
            time(object.value("timeUnixNano"), seconds, nanos);
            self.text("name", event.get("name"), &mut object);
            event.copy(&["droppedAttributesCount"], &mut object);
            self.attributes(object.value("attributes"), event.get("attributes"));
            object.close();
        });
    }

    /// Writes a list of the SDK's links.
    #[inline(never)]
    fn links(self, out: &mut String, json: &str) {
        list(out, objects(json), |out, link| {
            let mut object = Object::open(out);
            link.copy(
                &["traceId", "spanId", "traceState", "droppedAttributesCount", "flags"],
                &mut object,
            );
            self.attributes(object.value("attributes"), link.get("attributes"));
            object.close();
        });
    }

    /// Writes the text called `name`, masked, if there is one.
    fn text(self, name: &str, json: Option<&str>, object: &mut Object<'_>) {
        if let Some(json) = json {
            object.json(name, &self.masked(json));
        }
    }

    /// Writes an object as OTLP's list of `KeyValue`, without nulls.
    #[inline(never)]
    fn attributes(self, out: &mut String, json: Option<&str>) {
        let json = json.unwrap_or_default();
        self.attributes_of(out, json, &members(json).unwrap_or_default());
    }

    /// Like [`Writer::attributes`], with the members of the object `json`.
    fn attributes_of(self, out: &mut String, json: &str, own: &[(&str, &str)]) {
        match self.masked(json) {
            Cow::Borrowed(_) => key_values(out, own, DEEPEST),
            Cow::Owned(masked) => {
                let mut attributes = members(&masked).unwrap_or_default();
                for (key, value) in &mut attributes {
                    let name = key.get(1..key.len() - 1).unwrap_or_default();
                    if SESSION_IDS.contains(&name)
                        && let Some(id) = find(own, name).filter(|id| *id != "null")
                    {
                        *value = id;
                    }
                }
                key_values(out, &attributes, DEEPEST);
            }
        }
    }

    fn masked(self, json: &str) -> Cow<'_, str> {
        let masked = self.redaction.and_then(|redaction| redaction.masked(json));
        masked.map_or(Cow::Borrowed(json), Cow::Owned)
    }
}

/// Writes the members of an origin: an object called `name`, and the address of its schema.
fn origin(name: &str, json: &str, write: impl Fn(&ObjectMembers<'_>, &mut Object<'_>)) -> String {
    let fields = ObjectMembers::of(json).unwrap_or(ObjectMembers(Vec::new()));
    let mut out = String::new();
    let mut object = Object::open(&mut out);
    let mut inner = Object::open(object.value(name));
    write(&fields, &mut inner);
    inner.close();
    fields.copy(&["schemaUrl"], &mut object);
    out.remove(0);
    out
}

/// Reads a time of OpenTelemetry's SDK, the JSON of `[seconds, nanoseconds]`.
fn parts_of_time(json: Option<&str>) -> (u64, u64) {
    let parts = json.and_then(elements).unwrap_or_default();
    let part = |place: usize| {
        let digits = parts.get(place).and_then(|part| part.split('.').next());
        digits.and_then(|digits| digits.parse::<u64>().ok()).unwrap_or_default()
    };
    (part(0), part(1))
}

/// Writes a time as nanoseconds since 1970.
fn time(out: &mut String, seconds: u64, nanos: u64) {
    out.push('"');
    out.push_str(&seconds.saturating_mul(1_000_000_000).saturating_add(nanos).to_string());
    out.push('"');
}

// Attributes are written without `Object`, member names and braces together: this runs for every value of every span.

fn key_values(out: &mut String, members: &[(&str, &str)], levels: usize) {
    let mut before = "[{\"key\":";
    for (key, value) in members.iter().filter(|(_, value)| *value != "null") {
        for part in [before, key, ",\"value\":"] {
            out.push_str(part);
        }
        any_value(out, value, levels);
        before = "},{\"key\":";
    }
    out.push_str(if before.starts_with('[') { "[]" } else { "}]" });
}

/// Writes OTLP's `AnyValue`.
fn any_value(out: &mut String, json: &str, levels: usize) {
    let is_int = || json.parse::<i64>().is_ok_and(|number| number.unsigned_abs() < INT_LIMIT);
    if json.starts_with('"') {
        out.push_str("{\"stringValue\":");
        out.push_str(json);
    } else if is_number(json) {
        out.push_str(if is_int() { "{\"intValue\":" } else { "{\"doubleValue\":" });
        out.push_str(json);
    } else if levels == 0 || json == "null" {
        // An empty value, so that the other items of a list keep their indices.
        out.push('{');
    } else if let Some(values) = elements(json) {
        out.push_str("{\"arrayValue\":{\"values\":");
        list(out, values.into_iter(), |out, value| any_value(out, value, levels - 1));
        out.push('}');
    } else if let Some(members) = members(json) {
        out.push_str("{\"kvlistValue\":{\"values\":");
        key_values(out, &members, levels - 1);
        out.push('}');
    } else {
        out.push_str("{\"boolValue\":");
        out.push_str(json);
    }
    out.push('}');
}

/// Writes a JSON list, each item with `write`.
fn list<T>(out: &mut String, items: impl Iterator<Item = T>, write: impl Fn(&mut String, T)) {
    out.push('[');
    for (place, item) in items.enumerate() {
        out.push_str(if place > 0 { "," } else { "" });
        write(out, item);
    }
    out.push(']');
}

/// The objects in a JSON list; none if it is not a list.
fn objects(json: &str) -> impl Iterator<Item = ObjectMembers<'_>> {
    elements(json).unwrap_or_default().into_iter().filter_map(ObjectMembers::of)
}

/// The members of an object, by name.
struct ObjectMembers<'a>(Vec<(&'a str, &'a str)>);

impl<'a> ObjectMembers<'a> {
    fn of(json: &'a str) -> Option<ObjectMembers<'a>> {
        members(json).map(ObjectMembers)
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        let is_it = |key: &str| key.get(1..key.len() - 1) == Some(name);
        self.0.iter().find(|(key, value)| is_it(key) && *value != "null").map(|(_, value)| *value)
    }

    /// Writes those of `names` that exist, unchanged.
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

    /// The list for an export that is given as one object.
    fn items(export: &Value) -> String {
        let origins = json!({"resources": export["resources"], "scopes": export["scopes"]});
        let mut items = vec![origins];
        for span in export["spans"].as_array().unwrap() {
            let status = &span["status"];
            let mut parts: Vec<Value> =
                ["resource", "scope", "kind"].map(|it| span[it].clone()).into();
            for time in ["startTime", "endTime"] {
                parts.extend([span[time][0].clone(), span[time][1].clone()]);
            }
            parts.extend([span["flags"].clone(), status["code"].clone()]);
            for name in [
                "droppedAttributesCount",
                "droppedEventsCount",
                "droppedLinksCount",
                "traceId",
                "spanId",
                "parentSpanId",
                "traceState",
                "name",
            ] {
                parts.push(span[name].clone());
            }
            parts.push(status["message"].clone());
            parts.extend(["attributes", "events", "links"].map(|it| span[it].clone()));
            items.push(Value::from(parts));
        }
        Value::from(items).to_string()
    }

    fn read(json: &str, redaction: Option<&Redaction>) -> ReadSpans {
        let mut read = ReadSpans::default();
        read.read(json, &mut Origins::default(), redaction);
        read
    }

    fn sent(export: Value) -> Value {
        from_str(&request(read(&items(&export), None).spans.iter())).unwrap()
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
        let largest = 9_007_199_254_740_991_i64;
        assert_eq!(value(json!(-largest)), json!({"intValue": -largest}));
        assert_eq!(value(json!(largest + 1)), json!({"doubleValue": largest + 1}), "not exact");
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
        let ReadSpans { spans, unreadable } = read(&items(&export), None);
        assert_eq!(unreadable, [NO_SPAN], "one has no resource");
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
            request(read(&items(&export), redaction.as_ref()).spans.iter())
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

    /// A span that has attributes, as they are given, and nothing else.
    fn span_with(attributes: &str) -> String {
        ["[0,0", &",null".repeat(SpanParts::ATTRIBUTES - 2), ",", attributes, ",null,null]"]
            .concat()
    }

    #[test]
    fn attributes_that_are_no_object_cost_no_other_span() {
        let own = json!([{"key": "b", "value": {"intValue": 1}}]);
        let attributes = |odd: String, masks: Option<Redaction>| -> Vec<Value> {
            let all = [ORIGINS, &span_with(r#"{"b":1}"#), &odd, &span_with(r#"{"b":1}"#)];
            let json = ["[", &all.join(","), "]"].concat();
            let attributes =
                |span: &Span| from_str::<Value>(&span.json).unwrap()["attributes"].clone();
            read(&json, masks.as_ref()).spans.iter().map(attributes).collect()
        };
        for masks in [None, Some(Redaction::default())] {
            for odd in ["[1]", "3", "\"a\"", "null", "{}"] {
                let all = attributes(span_with(odd), masks.clone());
                assert_eq!(all, [own.clone(), json!([]), own.clone()], "{odd}");
                let all = attributes(odd.into(), masks.clone());
                assert_eq!(all, [own.clone(), own.clone()], "{odd} is no span");
            }
            for odd in ["", "{", "{}x", r#"{"a":"#, r#"{"a":1,"#, r#"{"a""#, "[", "]"] {
                let all = attributes(span_with(odd), masks.clone());
                assert_eq!(all[0], own, "{odd}: what comes before something that is no JSON");
            }
        }
    }

    /// A resource and a scope that nothing is known of.
    const ORIGINS: &str = r#"{"resources":[3],"scopes":[null]}"#;

    /// A list of items after a resource and a scope of which nothing is known.
    fn list_of(items: &str) -> String {
        ["[", ORIGINS, ",", items, "]"].concat()
    }

    #[test]
    fn what_is_no_export_does_no_harm_and_is_counted() {
        for text in ["", "[]", "{}", "3", "[3]", "[[]]", "[{"] {
            let ReadSpans { spans, unreadable } = read(text, None);
            assert!(spans.is_empty() && unreadable == [NO_SPAN], "{text}");
        }
        let ReadSpans { spans, unreadable } = read("[{}]", None);
        assert!(spans.is_empty() && unreadable.is_empty(), "an export of nothing");
        let with = |items: &str| read(&list_of(items), None);
        for odd in ["", ",", "3", "\n\n\n\n", "[9,0]", "[0]", "[]", "{}", "[0,-0]", "0 0"] {
            let ReadSpans { spans, unreadable } = with(odd);
            assert!(spans.is_empty() && !unreadable.is_empty(), "{odd}");
        }
        let longer = span_with("{},null,null,null,null");
        let ReadSpans { spans, unreadable } = with(&["[0,0],", &longer].concat());
        assert_eq!((spans.len(), unreadable.len()), (2, 0));
        let odd = "[0,0,-1,\"x\",null,1e+21,1,1.5,[],{},true,0,[1],3,null,{},[1],null,3,[1],null]";
        let body: Value = from_str(&request(with(odd).spans.iter())).unwrap();
        let span = &body["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!((&span["startTimeUnixNano"], &span["flags"]), (&json!("0"), &json!(1)));
        let deep = ["[".repeat(5_000), "]".repeat(5_000)].concat();
        assert_eq!(with(&span_with(&deep)).spans.len(), 1);
        let deep = [r#"[{"resources":[{"attributes":{"a":"#, &deep, "}}]}]"].concat();
        assert!(read(&deep, None).unreadable.is_empty());
    }

    #[test]
    fn a_span_that_could_not_be_read_costs_the_others_nothing_and_says_why_without_secrets() {
        let key = ["sk-proj", "-abcdefghij0123456789"].concat();
        let why = format!("\"no such \\\"{key}\\\"\"");
        let list = list_of(&["[0,0],", &why, ",[0,0]"].concat());
        let ReadSpans { spans, unreadable } = read(&list, Some(&Redaction::default()));
        assert_eq!((spans.len(), unreadable), (2, vec!["no such \"[Redacted]\"".to_owned()]));
    }
}
