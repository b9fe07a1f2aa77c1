//! Checks the body of a request: it may contain the ticket's session, and the fields that the ticket allows, in the
//! shapes that the package sends. What is passed on is written anew from what was checked, so that no other reader
//! can find something in it that this one did not see.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::fields::{Allowance, Allowed};
use super::members::{Members, text};
use super::policy::MAX_DEPTH;
use super::refusal::Refusal;
use super::route::Route;
use super::ticket::Ticket;
use crate::core::enrichment::{Field, Shape};
use crate::core::json::is_number;
use crate::core::session::{SessionId, Target};

/// The fields of one request, without duplicates.
#[derive(Clone, Debug)]
pub struct AllowedFields<'a>(Vec<(Field, &'a RawValue)>);

/// The fields in `body`, and the session or event that they are for. The request was sent to `route` with `ticket`,
/// and its address names `named`. Fails unless everything in it is allowed.
pub fn judge<'a>(
    route: Route,
    ticket: &Ticket,
    named: Option<SessionId>,
    body: &'a str,
) -> Result<(Target, AllowedFields<'a>), Refusal> {
    if is_deep(body) {
        return Err(Refusal::Body("the body is nested deeper than 128 levels"));
    }
    let mut given = object(body)?;
    if route == Route::LegacyStart {
        let [(key, session)] = given.0[..] else { return Err(NO_SESSION) };
        if text(key).as_deref() != Some("session") {
            return Err(NO_SESSION);
        }
        given = object(session.get())?;
    }
    let id_name = match route {
        Route::Start | Route::LegacyStart => "session_id",
        Route::LegacyUpdate => "event_id",
        Route::Update => "",
    };
    let mut id_seen = id_name.is_empty();
    let mut target = ticket.target(named);
    let mut fields = Vec::with_capacity(given.0.len());
    for (name, value) in given.named() {
        if !id_name.is_empty() && name == id_name {
            if id_seen {
                return Err(TWICE);
            }
            let id = text(value).and_then(|id| SessionId::new(&id));
            let id = id.filter(|id| !route.is_start() || *id == ticket.session);
            target = id.and_then(|id| ticket.target(Some(id)));
            if target.is_none() {
                return Err(Refusal::elsewhere(ticket));
            }
            id_seen = true;
            continue;
        }
        let field = Field::ALL
            .into_iter()
            .find(|field| field.wire_name() == name)
            .ok_or(Refusal::NoField)?;
        if !is_taken(route, field) {
            return Err(Refusal::Body(if route.is_start() {
                "a start takes `inputs`, `metadata` and `user_properties`: send the rest in an update"
            } else {
                "an update ignores `inputs`: send them as `metadata.inputs`"
            }));
        }
        if fields.iter().any(|(seen, _)| *seen == field) {
            return Err(TWICE);
        }
        allow(field, value, ticket.allowed)?;
        fields.push((field, value));
    }
    if !id_seen {
        return Err(Refusal::Body("the session's id is missing"));
    }
    Ok((target.ok_or_else(|| Refusal::elsewhere(ticket))?, AllowedFields(fields)))
}

const TWICE: Refusal = Refusal::Body("the body says something twice");

const NO_SESSION: Refusal = Refusal::Body("the body must be an object with nothing but `session`");

fn object(json: &str) -> Result<Members<'_>, Refusal> {
    Members::of(json).ok_or(Refusal::Body("the body must be an object in JSON"))
}

/// Whether the package sends `field` to `route`.
fn is_taken(route: Route, field: Field) -> bool {
    let in_start = [Field::Metadata, Field::Inputs, Field::UserProperties];
    if route.is_start() { in_start.contains(&field) } else { field != Field::Inputs }
}

fn allow(field: Field, value: &RawValue, allowed: Allowed) -> Result<(), Refusal> {
    let value = value.get();
    let (fits, misfit) = match field.shape() {
        Shape::Number => (is_number(value), "`duration` and `end_time` must be numbers"),
        // The package wraps a value that is not an object.
        Shape::MergedObject | Shape::Object | Shape::Anything => {
            (value.starts_with('{'), "fields must be objects")
        }
    };
    if !fits {
        return Err(Refusal::Body(misfit));
    }
    if allowed.has(Allowance::Of(field)) {
        return Ok(());
    }
    if field != Field::Metadata {
        return Err(Refusal::OtherField(field));
    }
    let keys = object(value)?;
    let mut covered = keys.named().map(|(key, _)| allowed.has(Allowance::of_metadata_key(&key)));
    if keys.0.is_empty() || !covered.all(|is_covered| is_covered) {
        return Err(Refusal::OtherField(Field::Metadata));
    }
    Ok(())
}

/// Whether objects and lists are nested too deeply in `json` for the programs that read it later.
fn is_deep(json: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth -= depth.min(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

impl<'a> AllowedFields<'a> {
    /// The members of `inputs`, with keys and values as they were written.
    pub fn inputs(&self) -> Vec<(&'a str, &'a str)> {
        let inputs = self.0.iter().find(|(field, _)| *field == Field::Inputs);
        let inputs = inputs.and_then(|(_, inputs)| Members::of(inputs.get()));
        let raw = inputs.into_iter().flat_map(|inputs| inputs.0);
        raw.map(|(key, value)| (key.get(), value.get())).collect()
    }
}

impl Serialize for AllowedFields<'_> {
    /// Writes an object with the backend's names, and with the values as they were written.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(field, value)| (field.wire_name(), value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "3cd70a6e-7d5b-4f3a-9b39-0c9c6a1f2e4d";

    fn ticket(fields: &[Allowance]) -> Ticket {
        let allowed = fields.iter().fold(Allowed::default(), |all, field| all.with(*field));
        let session = SessionId::new(SESSION).unwrap();
        Ticket { session, events: Vec::new(), allowed, expires_at: 9 }
    }

    fn written(route: Route, fields: &[Allowance], body: &str) -> Result<String, Refusal> {
        let (_, fields) = judge(route, &ticket(fields), None, body)?;
        Ok(serde_json::to_string(&fields).unwrap())
    }

    fn update(fields: &[Allowance], body: &str) -> Result<String, Refusal> {
        written(Route::Update, fields, body)
    }

    #[test]
    fn what_is_allowed_passes_as_it_was_written() {
        let body =
            r#" {"feedback" : {"a":1.50, "b":"\ud83d"} ,"user_properties":{} , "duration":-1e3}"#;
        let allowed = [
            Allowance::Of(Field::Feedback),
            Allowance::Of(Field::UserProperties),
            Allowance::Of(Field::Duration),
        ];
        assert_eq!(
            update(&allowed, body).unwrap(),
            r#"{"feedback":{"a":1.50, "b":"\ud83d"},"user_properties":{},"duration":-1e3}"#
        );
        let start = format!(r#"{{"session_id":"{SESSION}","inputs":{{"q":1}}}}"#);
        let start = written(Route::Start, &[Allowance::Of(Field::Inputs)], &start);
        assert_eq!(start.unwrap(), r#"{"inputs":{"q":1}}"#);
        assert_eq!(update(&[], "{}").unwrap(), "{}");
    }

    #[test]
    fn a_field_that_is_not_allowed_is_named() {
        for (body, field) in [
            (r#"{"metadata":{"a":1}}"#, Field::Metadata),
            (r#"{"metadata":{}}"#, Field::Metadata),
            (r#"{"m\u0065trics":{"a":1}}"#, Field::Metrics),
            (r#"{"feedback":{},"end_time":1}"#, Field::EndTime),
        ] {
            assert_eq!(
                update(&[Allowance::Of(Field::Feedback)], body),
                Err(Refusal::OtherField(field)),
                "{body}"
            );
        }
        for body in [
            r#"{"userProperties":{}}"#,
            r#"{"error":{}}"#,
            r#"{"children_ids":[]}"#,
            r#"{"event_id":"x"}"#,
            r#"{"session_id":"x"}"#,
            r#"{"session_name":"x"}"#,
            r#"{"project":"x"}"#,
            r#"{"":{}}"#,
            r#"{"__proto__":{}}"#,
            r#"{"\ud800":{}}"#,
        ] {
            assert_eq!(update(&Allowance::ALL, body), Err(Refusal::NoField), "{body}");
        }
    }

    #[test]
    fn inputs_and_an_error_may_go_where_updates_keep_them() {
        let late = r#"{"metadata":{"inputs":{"q":1},"\u0065rror":"x"}}"#;
        assert!(update(&[Allowance::Of(Field::Inputs), Allowance::Error], late).is_ok());
        let refused = Err(Refusal::OtherField(Field::Metadata));
        assert_eq!(update(&[Allowance::Error], late), refused);
        let more = r#"{"metadata":{"error":"x","cost":0}}"#;
        assert_eq!(update(&[Allowance::Error], more), refused);
        let twice = r#"{"metadata":{"error":"x"},"metadata":{"cost":0}}"#;
        assert!(matches!(update(&[Allowance::Error], twice), Err(Refusal::Body(_))));
    }

    #[test]
    fn a_session_is_the_tickets_or_nobodys() {
        for (route, body) in [
            (Route::Start, r#"{"session_id":"a name of the page's"}"#),
            (Route::Start, r#"{"session_id":7}"#),
            (Route::LegacyUpdate, r#"{"event_id":"0a0a0a0a-0000-4000-8000-000000000000"}"#),
            (Route::LegacyStart, r#"{"session":{"session_id":""}}"#),
        ] {
            assert_eq!(written(route, &Allowance::ALL, body), Err(Refusal::OtherSession), "{body}");
        }
        for (route, body) in [
            (Route::Start, "{}".to_owned()),
            (Route::Start, format!(r#"{{"session_id":"{SESSION}","session_id":"{SESSION}"}}"#)),
            (Route::LegacyStart, format!(r#"{{"session":{{"session_id":"{SESSION}"}},"x":1}}"#)),
            (Route::LegacyStart, format!(r#"{{"session_id":"{SESSION}"}}"#)),
            (Route::LegacyUpdate, r#"{"metadata":{}}"#.to_owned()),
            (Route::Start, format!(r#"{{"session_id":"{SESSION}","config":{{}}}}"#)),
            (Route::Update, r#"{"inputs":{}}"#.to_owned()),
        ] {
            let refused = written(route, &Allowance::ALL, &body);
            assert!(matches!(refused, Err(Refusal::Body(_))), "{body}: {refused:?}");
        }
    }

    #[test]
    fn an_event_is_one_that_the_ticket_names_and_a_start_is_none() {
        let id = |n| SessionId::new(&format!("0a0a0a0a-0000-4000-8000-00000000000{n}")).unwrap();
        let feedback = ticket(&[Allowance::Of(Field::Feedback)]);
        let of_events = Ticket { events: vec![id(1), id(2)], ..feedback.clone() };
        let body = r#"{"feedback":{"thumb":"up"}}"#;
        let of = |ticket: &Ticket, route, named, body: &str| {
            judge(route, ticket, named, body).map(|(target, _)| target)
        };
        for n in 1..=2 {
            let event = Ok(Target::Event(id(n)));
            assert_eq!(of(&of_events, Route::Update, Some(id(n)), body), event);
            let legacy = format!(r#"{{"event_id":"{}","feedback":{{}}}}"#, id(n));
            assert_eq!(of(&of_events, Route::LegacyUpdate, None, &legacy), event);
            assert_eq!(
                of(&feedback, Route::LegacyUpdate, None, &legacy),
                Err(Refusal::OtherSession)
            );
        }
        let other = Err(Refusal::OtherEvent);
        assert_eq!(of(&of_events, Route::Update, Some(id(3)), body), other);
        assert_eq!(of(&of_events, Route::Update, Some(of_events.session), body), other);
        for id in [SESSION.to_owned(), id(1).to_string(), id(3).to_string()] {
            let start = format!(r#"{{"session_id":"{id}"}}"#);
            assert_eq!(of(&of_events, Route::Start, None, &start), other);
            let legacy = format!(r#"{{"session":{start}}}"#);
            assert_eq!(of(&of_events, Route::LegacyStart, None, &legacy), other);
        }
        let metadata = r#"{"metadata":{"a":1}}"#;
        let refused = of(&of_events, Route::Update, Some(id(1)), metadata);
        assert_eq!(refused, Err(Refusal::OtherField(Field::Metadata)));
    }

    #[test]
    fn an_id_in_upper_case_or_a_name_of_it_is_the_same_session() {
        let ticket = Ticket {
            session: SessionId::new("chat 7").unwrap(),
            events: Vec::new(),
            allowed: Allowed::default().with(Allowance::Of(Field::Metadata)),
            expires_at: 9,
        };
        for id in ["chat 7", &ticket.session.to_string().to_uppercase()] {
            let body = format!(r#"{{"session_id":"{id}","metadata":{{"a":1}}}}"#);
            assert!(judge(Route::Start, &ticket, None, &body).is_ok(), "{id}");
        }
    }

    #[test]
    fn what_is_not_as_the_package_writes_it_is_refused() {
        let deep = ["{\"metadata\":{\"a\":", &"[".repeat(127), &"]".repeat(127), "}}"].concat();
        for body in [
            "",
            " ",
            "[]",
            "null",
            "7",
            "{",
            "{}{}",
            "{'a':1}",
            "\u{feff}{}",
            "{\"metadata\":{\"a\":}}",
            "{\"metadata\":3}",
            "{\"metadata\":[]}",
            "{\"metadata\":null}",
            "{\"outputs\":[1]}",
            "{\"duration\":\"1\"}",
            "{\"end_time\":null}",
            &deep,
        ] {
            let refused = update(&Allowance::ALL, body);
            assert!(matches!(refused, Err(Refusal::Body(_))), "{body}: {refused:?}");
        }
        let brackets = ["{\"metadata\":{\"a\":\"\\\"", &"[".repeat(500), "\"}}"].concat();
        assert!(update(&Allowance::ALL, &brackets).is_ok(), "in a text they are no depth");
    }
}
