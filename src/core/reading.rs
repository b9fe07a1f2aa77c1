//! Reading an event back: the requests for it, and the meaning of their answers.
//!
//! Deployments differ in how an event is read: some have `GET /v1/events/{id}`, all with v1 routes have
//! `POST /v1/events/search`, and older ones have neither. So an event is first requested by its id, and searched for if
//! that fails. The answer to the search also distinguishes a missing event from a missing route.

use super::json::{Object, any_members, elements, find, members, text};
use super::retry::may_be_temporary;
use super::session::SessionId;
use super::settings::Destination;
use super::wire::{self, Answer, Request};

/// Whether this module reads. A bundled page's module does not, because its ticket may only write. The compiler then
/// removes what the constant guards.
pub const READS: bool = cfg!(feature = "reading");

/// The route by which an event is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadRoute {
    /// `GET` with the id in the URL. Tried first.
    ById,
    /// A search. Tried second.
    BySearch,
}

/// Why an event could not be read: `ReadFailure` in JavaScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFailure {
    /// The backend has no such event.
    NotFound,
    /// The server has no route for reading, or the tracer has only a ticket.
    NotAvailable,
    /// The backend refused to answer.
    Rejected,
    /// The backend could not be reached, or is failing.
    Unreachable,
    /// The tracer has no key or server, or sends nothing.
    Disabled,
    /// No id was given.
    Invalid,
    /// The tracer was closed.
    Closed,
}

impl ReadFailure {
    /// The code that JavaScript sees.
    pub fn code(self) -> &'static str {
        match self {
            ReadFailure::NotFound => "not_found",
            ReadFailure::NotAvailable => "not_available",
            ReadFailure::Rejected => "rejected",
            ReadFailure::Unreachable => "unreachable",
            ReadFailure::Disabled => "disabled",
            ReadFailure::Invalid => "invalid",
            ReadFailure::Closed => "closed",
        }
    }
}

/// The outcome of one read request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The event as the JSON that the backend sent.
    Found(String),
    /// The event has to be searched for next.
    SearchNext,
    /// The event could not be read: why, and what to do about it.
    Failed(ReadFailure, String),
}

impl Reading {
    /// A failure with a message for the application.
    pub fn failed(failure: ReadFailure, message: &str) -> Reading {
        Reading::Failed(failure, message.to_owned())
    }

    /// The outcome as the JSON of a `ReadResult`; empty if a search comes next.
    pub fn to_json(&self) -> String {
        let mut json = String::new();
        if *self == Reading::SearchNext {
            return json;
        }
        let mut object = Object::open(&mut json);
        match self {
            Reading::Found(event) => {
                object.text("status", "found");
                object.json("event", event);
            }
            Reading::Failed(failure, message) => {
                object.text("status", "failed");
                object.text("reason", failure.code());
                object.text("message", message);
            }
            Reading::SearchNext => {}
        }
        object.close();
        json
    }
}

/// The request that reads the event from `destination`.
pub fn request(
    destination: &Destination,
    id: SessionId,
    route: ReadRoute,
    stamp_ns: u64,
) -> Request {
    if route == ReadRoute::ById {
        let path = format!("/v1/events/{id}");
        return wire::request(destination, "GET", &path, String::new(), stamp_ns);
    }
    let body = format!(
        r#"{{"filters":[{{"field":"event_id","operator":"is","value":"{id}","type":"string"}}],"limit":1}}"#,
    );
    wire::request(destination, "POST", "/v1/events/search", body, stamp_ns)
}

/// Interprets the answer to a read request.
pub fn judge(
    answer: &Answer,
    route: ReadRoute,
    id: SessionId,
    destination: &Destination,
) -> Reading {
    let server = destination.server.as_str();
    let (status, body) = match answer {
        Answer::Http { status, body, .. } => (*status, body.trim_ascii()),
        Answer::None { why } | Answer::Unusable { why } => {
            let message = format!("{server} could not be reached ({why})");
            return Reading::Failed(ReadFailure::Unreachable, destination.without_key(&message));
        }
    };
    match status {
        200..=299 => match (event_in(body, id), route) {
            (Some(event), _) => Reading::Found(event.to_owned()),
            (None, ReadRoute::ById) => Reading::SearchNext,
            (None, ReadRoute::BySearch) if listed(body).is_some() => Reading::failed(
                ReadFailure::NotFound,
                &format!("{server} has no event {id}: it may not be stored yet"),
            ),
            (None, ReadRoute::BySearch) => Reading::failed(
                ReadFailure::Rejected,
                &format!("{server} answered with no event in JSON, or with more than a MiB"),
            ),
        },
        401 | 403 => Reading::failed(
            ReadFailure::Rejected,
            &format!(
                "{server} refused the API key with {status}: a key that only ingests (hh_ingst_…) cannot read",
            ),
        ),
        _ if may_be_temporary(status) => {
            Reading::failed(ReadFailure::Unreachable, &format!("{server} answered with {status}"))
        }
        _ if route == ReadRoute::ById => Reading::SearchNext,
        404 | 405 => Reading::failed(
            ReadFailure::NotAvailable,
            &format!("{server} has no route to read events: it is older than HoneyHive's v1 API"),
        ),
        _ => {
            let said = wire::error_message(body, Some(destination));
            let colon = if said.is_empty() { "" } else { ": " };
            let message = format!("{server} refused to read with {status}{colon}{said}");
            Reading::failed(ReadFailure::Rejected, &message)
        }
    }
}

/// The event with this id in `body`, which may be the event itself, an object with it, or a list.
fn event_in(body: &str, id: SessionId) -> Option<&str> {
    let is_it = |json: &&str| {
        let members = any_members(json);
        let found = find(&members, "event_id").and_then(text);
        found.and_then(|found| SessionId::from_uuid(&found)) == Some(id)
    };
    let wrapped = || find(&any_members(body), "event").filter(is_it);
    let in_list = || listed(body)?.into_iter().find(is_it);
    Some(body).filter(is_it).or_else(wrapped).or_else(in_list)
}

/// The events in a search result.
fn listed(body: &str) -> Option<Vec<&str>> {
    elements(find(&members(body)?, "events")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::credential::Credential;

    const ID: &str = "7d0c6a1e-0000-4000-8000-00000000000a";

    fn id() -> SessionId {
        SessionId::new(ID).unwrap()
    }

    fn destination() -> Destination {
        Destination {
            identity: String::new(),
            server: "https://hive.example".into(),
            credential: Credential::new("own-key-0123456789abcdefghijklmn").into(),
            is_ticket: false,
            asks: false,
            other_headers: String::new(),
            client_headers: true,
        }
    }

    fn judged(route: ReadRoute, status: u16, body: &str) -> Reading {
        let answer = Answer::Http { status, retry_after: None, body: body.into() };
        judge(&answer, route, id(), &destination())
    }

    fn failure(reading: Reading) -> ReadFailure {
        match reading {
            Reading::Failed(failure, message) => {
                assert!(message.contains("https://hive.example"), "{message}");
                assert!(!message.contains("own-key"), "{message}");
                failure
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_event_is_asked_for_by_its_id_and_then_searched_for() {
        let by_id = request(&destination(), id(), ReadRoute::ById, 7);
        assert_eq!(by_id.url, ["https://hive.example/v1/events/", ID].concat());
        assert_eq!((by_id.method, by_id.body.as_str()), ("GET", ""));
        let search = request(&destination(), id(), ReadRoute::BySearch, 7);
        assert_eq!(search.url, "https://hive.example/v1/events/search");
        let body: serde_json::Value = serde_json::from_str(&search.body).unwrap();
        assert_eq!(body["filters"][0]["value"], ID);
        let headers: serde_json::Value = serde_json::from_str(&search.headers).unwrap();
        assert_eq!(headers["authorization"], "Bearer own-key-0123456789abcdefghijklmn");
    }

    #[test]
    fn an_event_is_found_bare_wrapped_and_among_others() {
        let event = format!(r#"{{"event_id":"{}","metadata":{{"n":1.50}}}}"#, ID.to_uppercase());
        let other = r#"{"event_id":"7d0c6a1e-0000-4000-8000-00000000000b"}"#;
        for body in [
            event.clone(),
            format!(r#" {{"event":{event}}} "#),
            format!(r#"{{"events":[{other},{event}],"count":2}}"#),
        ] {
            for route in [ReadRoute::ById, ReadRoute::BySearch] {
                assert_eq!(judged(route, 200, &body), Reading::Found(event.clone()), "{body}");
            }
        }
        let json = Reading::Found(event.clone()).to_json();
        assert_eq!(json, format!(r#"{{"status":"found","event":{event}}}"#));
        // Another event than was asked for is none.
        assert_eq!(judged(ReadRoute::ById, 200, other), Reading::SearchNext);
    }

    #[test]
    fn what_is_not_there_is_told_from_what_cannot_be_read() {
        for status in [200, 400, 404, 405, 422, 501] {
            let goes_on = status < 500;
            let reading = judged(ReadRoute::ById, status, r#"{"message":"none"}"#);
            assert_eq!(reading == Reading::SearchNext, goes_on, "{status} {reading:?}");
        }
        let search = |status, body| failure(judged(ReadRoute::BySearch, status, body));
        assert_eq!(search(200, r#"{"events":[],"count":0}"#), ReadFailure::NotFound);
        assert_eq!(search(404, ""), ReadFailure::NotAvailable);
        assert_eq!(search(405, "<html>"), ReadFailure::NotAvailable);
        for (status, body) in
            [(200, "<html>"), (200, "{\"events\":["), (403, ""), (401, ""), (400, "{}"), (302, "")]
        {
            assert_eq!(search(status, body), ReadFailure::Rejected, "{status} {body}");
        }
        for status in [408, 425, 429, 500, 503] {
            assert_eq!(search(status, ""), ReadFailure::Unreachable);
            assert_eq!(failure(judged(ReadRoute::ById, status, "")), ReadFailure::Unreachable);
        }
        let none = Answer::None { why: "reset by own-key-0123456789abcdefghijklmn".into() };
        assert_eq!(
            failure(judge(&none, ReadRoute::ById, id(), &destination())),
            ReadFailure::Unreachable
        );
    }
}
