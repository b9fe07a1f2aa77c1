//! Enrichments: parsing one, and merging several into one.
//!
//! An enrichment arrives as JSON text and stays that text. Only its top level and the keys one level below are read;
//! every value is passed on as it was written. When enrichments are merged, the last value of each [`Field`] and key
//! wins, which is what the backend does with two updates in a row. `outputs` counts as a single key, so that a later
//! value replaces an earlier one.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::json::{self, JsonScanner, Numerals, Object, any_members, is_number};
use super::log::Line;

/// The arguments that name a tracer or a session. The face reads them; they are not data.
pub const TARGET_KEYS: [&str; 5] =
    ["sessionId", "session_id", "tracer", "tracerInstance", "tracer_instance"];

/// The part of the backend's session in which a value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// Merged by key. Also contains `error` and every argument that is not a field.
    Metadata,
    /// The input of the session: part of its start, `metadata.inputs` afterwards.
    Inputs,
    /// Replaced as a whole.
    Outputs,
    /// Merged by key.
    Config,
    /// Merged by key.
    Feedback,
    /// Merged by key.
    Metrics,
    /// Merged by key.
    UserProperties,
    /// Milliseconds.
    Duration,
    /// Unix milliseconds. The last one, by which [`Field::ALL`] knows how many there are.
    EndTime,
}

impl Field {
    /// Every field, in the order in which requests list them.
    pub const ALL: [Field; Field::EndTime as usize + 1] = [
        Field::Inputs,
        Field::Metadata,
        Field::Config,
        Field::UserProperties,
        Field::Metrics,
        Field::Feedback,
        Field::Outputs,
        Field::Duration,
        Field::EndTime,
    ];

    /// The field of the argument `name`, in JavaScript's or Python's spelling.
    pub fn named(name: &str) -> Option<Field> {
        Some(match name {
            "metadata" => Field::Metadata,
            "inputs" => Field::Inputs,
            "outputs" => Field::Outputs,
            "config" => Field::Config,
            "feedback" => Field::Feedback,
            "metrics" => Field::Metrics,
            "userProperties" | "user_properties" => Field::UserProperties,
            "duration" => Field::Duration,
            "endTime" | "end_time" => Field::EndTime,
            _ => return None,
        })
    }

    /// The backend's name of the field. [`Field::named`] has to know it too: a queue's messages carry it.
    pub fn wire_name(self) -> &'static str {
        match self {
            Field::UserProperties => "user_properties",
            Field::EndTime => "end_time",
            other => other.name(),
        }
    }

    /// The field's name in JavaScript.
    pub fn name(self) -> &'static str {
        match self {
            Field::Metadata => "metadata",
            Field::Inputs => "inputs",
            Field::Outputs => "outputs",
            Field::Config => "config",
            Field::Feedback => "feedback",
            Field::Metrics => "metrics",
            Field::UserProperties => "userProperties",
            Field::Duration => "duration",
            Field::EndTime => "endTime",
        }
    }

    /// The shape of the field's values, and how the backend merges them.
    pub fn shape(self) -> Shape {
        match self {
            Field::Metadata
            | Field::Config
            | Field::Feedback
            | Field::Metrics
            | Field::UserProperties => Shape::MergedObject,
            Field::Inputs => Shape::Object,
            Field::Outputs => Shape::Anything,
            Field::Duration | Field::EndTime => Shape::Number,
        }
    }

    fn is_merged(self) -> bool {
        self.shape() == Shape::MergedObject
    }
}

/// The shape of a field's values, and how the backend merges two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// An object that the backend merges by key, one level deep.
    MergedObject,
    /// An object that is replaced as a whole.
    Object,
    /// Any value. The backend receives an object: a value that is not one becomes its only member, `value`.
    Anything,
    /// A number of milliseconds.
    Number,
}

/// A byte range of an enrichment's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TextRange {
    start: u32,
    end: u32,
}

/// One value of an enrichment, with its field and key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    field: Field,
    /// The key as it was written, with its quotes. For a field without keys, the field's own name.
    key: TextRange,
    value: TextRange,
}

/// An enrichment: the text of its snapshot, and the positions of its values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Enrichment {
    text: String,
    slots: Vec<Slot>,
}

/// Why a text is not an enrichment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// The arguments are not a JSON object.
    NoObject,
    /// None of the given fields can be stored.
    NothingUsable,
}

impl Enrichment {
    /// Reads the snapshot of the arguments of `enrichSession`. Fields that cannot be stored are left out, and warnings
    /// about them are returned along with the enrichment.
    ///
    /// An empty object is a valid enrichment without values, called a touch.
    pub fn parse(mut text: String) -> Result<(Enrichment, Vec<Line>), Invalid> {
        // The text and its slots stay in memory until the enrichment is delivered.
        text.shrink_to_fit();
        let mut slots = Vec::new();
        let mut lines = Vec::new();
        let mut scan = JsonScanner::of(&text);
        let read = scan.each_item(b'{', &mut |scan, key| {
            let name = json::text(key).unwrap_or(Cow::Borrowed(key));
            let is_object = scan.peek() == Some(b'{');
            let field = Field::named(&name);
            if let Some(field) = field
                && field.is_merged()
                && is_object
            {
                return scan.each_item(b'{', &mut |scan, key| {
                    slots.push(slot(&text, field, key, scan.value()?));
                    Some(())
                });
            }
            let value = scan.value()?;
            if value == "null" || TARGET_KEYS.contains(&&*name) {
                return Some(());
            }
            let fits = match field.map(Field::shape) {
                None | Some(Shape::Anything) => true,
                Some(Shape::Number) => is_number(value),
                Some(Shape::MergedObject | Shape::Object) => is_object,
            };
            if !fits {
                lines.push(misfit_warning(&name, field));
            } else if field != Some(Field::Inputs)
                || JsonScanner::of(&value[1..]).peek() != Some(b'}')
            {
                // Inputs without a key contain nothing to store, like any other merged field without a key.
                slots.push(slot(&text, field.unwrap_or(Field::Metadata), key, value));
            }
            Some(())
        });
        if read.is_none() || scan.peek().is_some() {
            return Err(Invalid::NoObject);
        }
        if slots.is_empty() && !lines.is_empty() {
            return Err(Invalid::NothingUsable);
        }
        slots.shrink_to_fit();
        Ok((Enrichment { text, slots }, lines))
    }

    /// The size of its content in bytes.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.slots.len() * size_of::<Slot>()
    }

    /// The memory it occupies in bytes.
    pub fn held_bytes(&self) -> usize {
        self.text.capacity() + self.slots.capacity() * size_of::<Slot>()
    }

    /// Whether it has no values, and is a touch.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The field and key of each of its values.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = (Field, Cow<'_, str>)> {
        self.slots.iter().map(|slot| {
            let key = self.at(slot.key);
            (slot.field, json::text(key).unwrap_or(Cow::Borrowed(key)))
        })
    }

    /// The enrichment with those of its values for which `keeps` returns true, the last value first.
    #[cfg(feature = "relay")]
    pub fn with_values(&self, keeps: impl FnMut((Field, Cow<'_, str>)) -> bool) -> Enrichment {
        let mut kept = self.clone();
        let mut is_kept: Vec<bool> = self.keys().rev().map(keeps).collect();
        kept.slots.retain(|_| is_kept.pop() == Some(true));
        kept
    }

    /// Calls `see` for each top-level metric that is a number, with its key as it was written.
    pub fn each_metric(&self, numerals: Numerals, see: &mut dyn FnMut(&str, f64)) {
        for slot in &self.slots {
            if slot.field == Field::Metrics
                && let Some(number) = numerals.number(self.at(slot.value))
            {
                see(self.at(slot.key), number);
            }
        }
    }

    /// The enrichment as the `Enrichment` object that `onDrop` receives.
    pub fn to_json(&self) -> String {
        Enrichment::json_of(&[self])
    }

    /// One enrichment with the effect of `self` followed by `later`.
    pub fn merged_with(&self, later: &Enrichment) -> Enrichment {
        if self.is_empty() || later.is_empty() {
            return if self.is_empty() { later.clone() } else { self.clone() };
        }
        Enrichment::parse(Enrichment::json_of(&[self, later]))
            .map_or_else(|_| later.clone(), |it| it.0)
    }

    fn json_of(enrichments: &[&Enrichment]) -> String {
        let merged = Merged::of_all(enrichments, InputsPlace::Start);
        let mut json = String::new();
        let mut object = Object::open(&mut json);
        for field in Field::ALL {
            merged.write(field, field.name(), &mut object);
        }
        object.close();
        json
    }

    fn at(&self, range: TextRange) -> &str {
        &self.text[range.start as usize..range.end as usize]
    }
}

/// The place where `inputs` are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputsPlace {
    /// In the session's start, merged by key, because the session has not started.
    Start,
    /// In `metadata.inputs`, because an update ignores `inputs`. The Python SDK does the same.
    Metadata,
}

/// One value of several enrichments that are being merged.
#[derive(Clone, Copy, Debug)]
struct Candidate<'a> {
    field: Field,
    key: &'a str,
    /// Whether the key contains escapes.
    has_escapes: bool,
    value: &'a str,
    /// Its position among all values, the earliest first.
    place: usize,
}

impl Candidate<'_> {
    /// Compares the field and the decoded key, because a key can be spelled in several ways.
    fn cmp(&self, other: &Candidate<'_>) -> Ordering {
        self.field.cmp(&other.field).then_with(|| match self.has_escapes || other.has_escapes {
            true => json::text(self.key).cmp(&json::text(other.key)),
            false => without_quotes(self.key).cmp(without_quotes(other.key)),
        })
    }
}

/// A key without its quotes.
fn without_quotes(key: &str) -> &[u8] {
    key.as_bytes().get(1..key.len().max(1) - 1).unwrap_or_default()
}

/// The last candidate of each field and key, sorted by field and key.
fn keep_latest(mut candidates: Vec<Candidate<'_>>) -> Vec<Candidate<'_>> {
    // Their places tell equal keys apart, so the sort need not be stable.
    candidates.sort_unstable_by(|a, b| a.cmp(b).then(a.place.cmp(&b.place)));
    let mut latest: Vec<Candidate<'_>> = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        match latest.last_mut() {
            Some(last) if last.cmp(&candidate).is_eq() => *last = candidate,
            _ => latest.push(candidate),
        }
    }
    latest
}

/// One enrichment with the same effect as several.
#[derive(Debug)]
pub struct Merged<'a> {
    /// Sorted by field and key, each once.
    values: Vec<Candidate<'a>>,
}

impl<'a> Merged<'a> {
    /// Merges `enrichments`, the earliest first.
    pub fn of(
        enrichments: impl IntoIterator<Item = &'a Enrichment>,
        inputs: InputsPlace,
    ) -> Merged<'a> {
        let mut all = Vec::new();
        for enrichment in enrichments {
            all.push(enrichment);
        }
        Merged::of_all(&all, inputs)
    }

    fn of_all(enrichments: &[&'a Enrichment], inputs: InputsPlace) -> Merged<'a> {
        let mut candidates = Vec::new();
        let mut push = |field, key: &'a str, value| {
            let place = candidates.len();
            let has_escapes = key.contains('\\');
            candidates.push(Candidate { field, key, has_escapes, value, place });
        };
        for enrichment in enrichments {
            for slot in &enrichment.slots {
                let (key, value) = (enrichment.at(slot.key), enrichment.at(slot.value));
                let field = slot.field;
                match (field, inputs) {
                    (Field::Inputs, InputsPlace::Metadata) => push(Field::Metadata, key, value),
                    (Field::Inputs, InputsPlace::Start) => {
                        for (key, value) in any_members(value) {
                            push(Field::Inputs, key, value);
                        }
                    }
                    _ => push(field, merge_key(field, key), value),
                }
            }
        }
        Merged { values: keep_latest(candidates) }
    }

    /// Whether `field` has a value.
    pub fn has(&self, field: Field) -> bool {
        !self.of_field(field).is_empty()
    }

    /// Whether `members`, keys and values as JSON, contain all inputs of the start.
    pub fn has_inputs_of(&self, members: &[(&str, &str)]) -> bool {
        self.of_field(Field::Inputs).iter().all(|it| members.contains(&(it.key, it.value)))
    }

    /// Writes `field` under `name`, if it has a value.
    pub fn write(&self, field: Field, name: &str, object: &mut Object<'_>) {
        let values = self.of_field(field);
        let Some(&Candidate { value: first, .. }) = values.first() else { return };
        match field.shape() {
            Shape::Anything if !first.starts_with("{") => {
                let mut wrapper = Object::open(object.value(name));
                wrapper.member("\"value\"", first);
                wrapper.close();
            }
            Shape::Anything | Shape::Number => object.json(name, first),
            Shape::MergedObject | Shape::Object => {
                let mut inner = Object::open(object.value(name));
                for Candidate { key, value, .. } in values {
                    inner.member(key, value);
                }
                inner.close();
            }
        }
    }

    /// The values of `field`, which are adjacent.
    fn of_field(&self, field: Field) -> &[Candidate<'a>] {
        let is_it = |value: &Candidate<'_>| value.field == field;
        let from = self.values.iter().position(is_it).unwrap_or(self.values.len());
        let values = &self.values[from..];
        let others = values.iter().position(|value| !is_it(value));
        &values[..others.unwrap_or(values.len())]
    }
}

/// The key by which a later value of `field` replaces an earlier one. Fields that are replaced as a whole have a single
/// key.
fn merge_key(field: Field, key: &str) -> &str {
    if field.is_merged() { key } else { "" }
}

/// The warning that the value of the argument `name` cannot be stored in `field`.
fn misfit_warning(name: &str, field: Option<Field>) -> Line {
    let must_be = match field.map(Field::shape) {
        Some(Shape::Number) => "a number of milliseconds".into(),
        Some(Shape::MergedObject | Shape::Object | Shape::Anything) | None => {
            format!("an object, as in {{ {name}: {{ key: \"value\" }} }}")
        }
    };
    Line::warn(format!("`{name}` must be {must_be}: it was left out; the rest of the call is sent"))
}

fn slot(text: &str, field: Field, key: &str, value: &str) -> Slot {
    Slot { field, key: text_range(text, key), value: text_range(text, value) }
}

/// The range of `part` in `text`, of which it is a slice.
fn text_range(text: &str, part: &str) -> TextRange {
    let start = (part.as_ptr() as usize - text.as_ptr() as usize) as u32;
    TextRange { start, end: start + part.len() as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Enrichment {
        Enrichment::parse(json.into()).unwrap().0
    }

    /// Queue messages use the backend's names, and are read like the arguments of a call.
    #[test]
    fn fields_are_read_by_both_of_their_names() {
        for field in Field::ALL {
            assert_eq!(Field::named(field.name()), Some(field));
            assert_eq!(Field::named(field.wire_name()), Some(field));
        }
    }

    #[test]
    fn it_holds_no_room_that_it_does_not_use() {
        let mut text = String::with_capacity(1_000);
        text.push_str(r#"{"metadata":{"plan":"pro"}}"#);
        let (enrichment, _) = Enrichment::parse(text).unwrap();
        assert_eq!(enrichment.held_bytes(), enrichment.bytes());
    }

    fn update(enrichments: &[Enrichment]) -> serde_json::Value {
        let merged = Merged::of(enrichments, InputsPlace::Metadata);
        let mut json = String::new();
        let mut object = Object::open(&mut json);
        for field in Field::ALL {
            merged.write(field, field.wire_name(), &mut object);
        }
        object.close();
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn every_field_goes_to_its_place() {
        let all = parse(
            r#"{"sessionId":"x","metadata":{"a":1},"inputs":{"q":"hi"},"outputs":[1,2],"config":{"c":1},
               "feedback":{"f":true},"metrics":{"m":1.5},"user_properties":{"plan":"pro"},
               "duration":12,"endTime":99,"error":{"name":"E"},"stray":"kept","nothing":null}"#,
        );
        assert_eq!(
            update(&[all]),
            serde_json::json!({
                "metadata": {"a": 1, "inputs": {"q": "hi"}, "error": {"name": "E"}, "stray": "kept"},
                "outputs": {"value": [1, 2]}, "config": {"c": 1}, "feedback": {"f": true},
                "metrics": {"m": 1.5}, "user_properties": {"plan": "pro"},
                "duration": 12, "end_time": 99,
            })
        );
    }

    #[test]
    fn a_field_that_cannot_be_stored_is_left_out_and_the_rest_stays() {
        let (rest, warnings) = Enrichment::parse(
            r#"{"metadata":3,"feedback":"text","duration":"long","config":{"a":1}}"#.into(),
        )
        .unwrap();
        assert_eq!(update(&[rest]), serde_json::json!({"config": {"a": 1}}));
        assert_eq!(warnings.len(), 3);
        assert!(warnings[0].message.contains("`metadata` must be an object"), "{warnings:?}");
    }

    #[test]
    fn nothing_usable_is_invalid_and_nothing_at_all_is_a_touch() {
        assert_eq!(Enrichment::parse(r#"{"metadata":3}"#.into()), Err(Invalid::NothingUsable));
        for text in ["42", "[]", "null", "\"x\"", "", "{"] {
            assert_eq!(Enrichment::parse(text.into()), Err(Invalid::NoObject), "{text}");
        }
        assert!(parse("{}").is_empty());
        assert!(parse(r#"{"session_id":"x"}"#).is_empty());
    }

    #[test]
    fn the_later_value_of_a_key_wins_and_outputs_are_replaced() {
        let merged = update(&[
            parse(r#"{"metadata":{"a":{"deep":1},"b":1},"outputs":{"x":1}}"#),
            parse(r#"{"metadata":{"a":{"other":2}},"outputs":{"y":2}}"#),
        ]);
        assert_eq!(
            merged,
            serde_json::json!({"metadata": {"a": {"other": 2}, "b": 1}, "outputs": {"y": 2}})
        );
    }

    #[test]
    fn outputs_that_are_no_object_are_kept_in_one() {
        for value in [r#""text""#, "7", "true", "[1,{}]", r#""{""#] {
            let (outputs, lines) = Enrichment::parse(format!(r#"{{"outputs":{value}}}"#)).unwrap();
            assert_eq!(lines, []);
            let value: serde_json::Value = serde_json::from_str(value).unwrap();
            assert_eq!(update(&[outputs]), serde_json::json!({"outputs": {"value": value}}));
        }
    }

    #[test]
    fn a_key_written_with_escapes_is_the_field_it_names() {
        let escaped = parse("{\"m\\u0065tadata\":{\"a\":1}}");
        assert_eq!(update(&[escaped]), serde_json::json!({"metadata": {"a": 1}}));
    }

    #[test]
    fn a_key_is_the_same_however_it_is_spelled() {
        let spellings = [r#"key \"a\""#, r#"k\u0065y \"a\""#, r"\u006bey \u0022a\u0022"];
        for (one, other) in spellings.iter().zip(spellings.iter().cycle().skip(1)) {
            let merged = update(&[
                parse(&format!(r#"{{"config":{{"{one}":1,"kez":1,"z":1}}}}"#)),
                parse(&format!(r#"{{"config":{{"ke":2,"{other}":2,"k\u0065z":2}}}}"#)),
            ]);
            let config = serde_json::json!({"key \"a\"": 2, "kez": 2, "ke": 2, "z": 1});
            assert_eq!(merged, serde_json::json!({"config": config}));
        }
    }
}
