//! Reading an event back: which requests ask for it, and what their answers say.
//!
//! Deployments differ in how an event is read: some have `GET /v1/events/{id}`, all with v1 routes have
//! `POST /v1/events/search`, and older ones have neither. So an event is asked for by its id, and where that
//! comes to nothing searched for: the answer to the search also tells an event that is not there from a route
//! that is not.

use super::json::{Object, any_members, elements, find, members, text};
use super::retry::may_pass;
use super::session::SessionId;
use super::settings::Destination;
use super::wire::{self, Answer, Request};

/// How an event is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By its id in the address.
    ById,
    /// By a search, after that.
    BySearch,
}

/// Why nothing was read: `ReadFailure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The backend has no such event.
    NotFound,
    /// There is no way to read: of this server, or with a ticket.
    NotAvailable,
    /// The backend refused to answer.
    Rejected,
    /// It could not be reached, or is in trouble.
    Unreachable,
    /// There is no key or server, or the tracer sends nothing.
    Disabled,
    /// There is no id.
    Invalid,
    /// The tracer is gone.
    Closed,
}

impl Failure {
    /// The code that JavaScript sees.
    pub fn code(self) -> &'static str {
        match self {
            Failure::NotFound => "not_found",
            Failure::NotAvailable => "not_available",
            Failure::Rejected => "rejected",
            Failure::Unreachable => "unreachable",
            Failure::Disabled => "disabled",
            Failure::Invalid => "invalid",
            Failure::Closed => "closed",
        }
    }
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The event, as the JSON that the backend sent.
    Found(String),
    /// It is to be searched for.
    GoesOn,
    /// Nothing was read: why, and what to do.
    Failed(Failure, String),
}

impl Reading {
    /// A failure, in a sentence.
    pub fn failed(failure: Failure, message: &str) -> Reading {
        Reading::Failed(failure, message.to_owned())
    }

    /// The `ReadResult` that JavaScript gets, as JSON; empty where it goes on.
    pub fn to_json(&self) -> String {
        let mut json = String::new();
        if *self == Reading::GoesOn {
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
            Reading::GoesOn => {}
        }
        object.close();
        json
    }
}

/// The request that asks `destination` for the event.
pub fn request(destination: &Destination, id: SessionId, way: Way, stamp_ns: u64) -> Request {
    if way == Way::ById {
        let path = format!("/v1/events/{id}");
        return wire::request(destination, "GET", &path, String::new(), stamp_ns);
    }
    let body = format!(
        r#"{{"filters":[{{"field":"event_id","operator":"is","value":"{id}","type":"string"}}],"limit":1}}"#,
    );
    wire::request(destination, "POST", "/v1/events/search", body, stamp_ns)
}

/// What `answer` says of the event that was asked for.
pub fn judge(answer: &Answer, way: Way, id: SessionId, destination: &Destination) -> Reading {
    let server = destination.server.as_str();
    let (status, body) = match answer {
        Answer::Http { status, body, .. } => (*status, body.trim_ascii()),
        Answer::None { why } | Answer::Unusable { why } => {
            let message = format!("{server} could not be reached ({why})");
            return Reading::Failed(Failure::Unreachable, destination.without_key(&message));
        }
    };
    match status {
        200..=299 => match (event_in(body, id), way) {
            (Some(event), _) => Reading::Found(event.to_owned()),
            (None, Way::ById) => Reading::GoesOn,
            (None, Way::BySearch) if listed(body).is_some() => Reading::failed(
                Failure::NotFound,
                &format!("{server} has no event {id}: it may not be stored yet"),
            ),
            (None, Way::BySearch) => Reading::failed(
                Failure::Rejected,
                &format!("{server} answered with no event in JSON, or with more than a MiB"),
            ),
        },
        401 | 403 => Reading::failed(
            Failure::Rejected,
            &format!(
                "{server} refused the API key with {status}: a key that only ingests (hh_ingst_…) reads nothing",
            ),
        ),
        _ if may_pass(status) => {
            Reading::failed(Failure::Unreachable, &format!("{server} answered with {status}"))
        }
        _ if way == Way::ById => Reading::GoesOn,
        404 | 405 => Reading::failed(
            Failure::NotAvailable,
            &format!("{server} has no route to read events with: HoneyHive has since its v1 API"),
        ),
        _ => {
            let said = wire::said(body, Some(destination));
            let colon = if said.is_empty() { "" } else { ": " };
            let message = format!("{server} refused to read with {status}{colon}{said}");
            Reading::failed(Failure::Rejected, &message)
        }
    }
}

/// The event of this id in `body`: bare, wrapped, or in a list.
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

/// The events of a list.
fn listed(body: &str) -> Option<Vec<&str>> {
    elements(find(&members(body)?, "events")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "7d0c6a1e-0000-4000-8000-00000000000a";

    fn id() -> SessionId {
        SessionId::new(ID).unwrap()
    }

    fn destination() -> Destination {
        Destination {
            identity: String::new(),
            server: "https://hive.example".into(),
            key: "own-key-0123456789abcdefghijklmn".into(),
            is_ticket: false,
            headers: r#"{"authorization":"Bearer own-key-0123456789abcdefghijklmn""#.into(),
            client_headers: true,
        }
    }

    fn judged(way: Way, status: u16, body: &str) -> Reading {
        let answer = Answer::Http { status, retry_after: None, body: body.into() };
        judge(&answer, way, id(), &destination())
    }

    fn failure(reading: Reading) -> Failure {
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
        let by_id = request(&destination(), id(), Way::ById, 7);
        assert_eq!(by_id.url, ["https://hive.example/v1/events/", ID].concat());
        assert_eq!((by_id.method, by_id.body.as_str()), ("GET", ""));
        let search = request(&destination(), id(), Way::BySearch, 7);
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
            for way in [Way::ById, Way::BySearch] {
                assert_eq!(judged(way, 200, &body), Reading::Found(event.clone()), "{body}");
            }
        }
        let json = Reading::Found(event.clone()).to_json();
        assert_eq!(json, format!(r#"{{"status":"found","event":{event}}}"#));
        // Another event than was asked for is none.
        assert_eq!(judged(Way::ById, 200, other), Reading::GoesOn);
    }

    #[test]
    fn what_is_not_there_is_told_from_what_cannot_be_read() {
        for status in [200, 400, 404, 405, 422, 501] {
            let goes_on = status < 500;
            let reading = judged(Way::ById, status, r#"{"message":"none"}"#);
            assert_eq!(reading == Reading::GoesOn, goes_on, "{status} {reading:?}");
        }
        let search = |status, body| failure(judged(Way::BySearch, status, body));
        assert_eq!(search(200, r#"{"events":[],"count":0}"#), Failure::NotFound);
        assert_eq!(search(404, ""), Failure::NotAvailable);
        assert_eq!(search(405, "<html>"), Failure::NotAvailable);
        for (status, body) in
            [(200, "<html>"), (200, "{\"events\":["), (403, ""), (401, ""), (400, "{}"), (302, "")]
        {
            assert_eq!(search(status, body), Failure::Rejected, "{status} {body}");
        }
        for status in [408, 429, 500, 503] {
            assert_eq!(search(status, ""), Failure::Unreachable);
            assert_eq!(failure(judged(Way::ById, status, "")), Failure::Unreachable);
        }
        let none = Answer::None { why: "reset by own-key-0123456789abcdefghijklmn".into() };
        assert_eq!(failure(judge(&none, Way::ById, id(), &destination())), Failure::Unreachable);
    }
}
