//! Requests and answers of HoneyHive's backend: the v1 routes, and the legacy ones of older
//! deployments. Facts from its OpenAPI document (Data Plane API 1.1.0).

use super::enrichment::{Field, Merged};
use super::json::{self, Object, any_members, find};
use super::retry::{RetryAfter, may_pass};
use super::session::{Origin, SessionId, Start};
use super::settings::Destination;
use super::text::{decimal, fill};
use super::time::Now;

/// What every request says of its client, up to its timestamp (nanoseconds since the Unix epoch).
const CLIENT_HEADERS: &str = concat!(
    r#","hh-client-version":""#,
    env!("CARGO_PKG_VERSION"),
    r#"","hh-client-language":"javascript","hh-client-package":"honeyhive-edge","hh-client-timestamp":""#,
);

/// Characters of a backend's own words that are repeated in a message.
const LONGEST_QUOTE: usize = 200;

/// Which routes a server has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Routes {
    /// Nothing is known yet: v1 is tried first.
    #[default]
    Unknown,
    /// `/v1/sessions` and `/v1/events/{id}`.
    V1,
    /// v1 is not there; whether the legacy routes are is being tried.
    TryLegacy,
    /// `/session/start` and `/events`.
    Legacy,
}

impl Routes {
    /// Whether requests go to the legacy routes.
    pub fn are_legacy(self) -> bool {
        matches!(self, Routes::TryLegacy | Routes::Legacy)
    }
}

/// An HTTP request, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// POST or PUT.
    pub method: &'static str,
    /// The whole address.
    pub url: String,
    /// A JSON object: names in lower case, and values.
    pub headers: String,
    /// JSON.
    pub body: String,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The server answered.
    Http {
        /// The status; 0 where a browser hides that it is a redirect.
        status: u16,
        /// The `Retry-After` header, if there was one.
        retry_after: Option<RetryAfter>,
        /// The body, or as much of it as came.
        body: String,
    },
    /// No answer: the network failed, or the time was up.
    None {
        /// What the runtime said, for the log.
        why: String,
    },
}

/// What an answer means for the enrichments in the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are stored. The backend's session, where it sent it along.
    Stored {
        /// The id under which the backend has the session.
        session_id: Option<SessionId>,
        /// JSON of the session's inputs.
        inputs: Option<String>,
    },
    /// The server does not know the route: the legacy one is to be tried.
    TryLegacy,
    /// It may pass.
    Retry {
        /// Milliseconds that the server asks to wait.
        after_ms: Option<u64>,
        /// For the log and the message, if it does not.
        why: String,
    },
    /// It will not pass.
    Refused(Refusal),
}

/// Why a request will never be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 401 or 403, to a key.
    Key {
        /// The status.
        status: u16,
    },
    /// Neither the v1 nor the legacy routes are there, or a web page answers.
    NoHoneyHive {
        /// What was seen.
        why: String,
    },
    /// A redirect: following it could carry the key elsewhere, or turn the request into a GET.
    Redirect,
    /// Anything else, mostly 400, 404, 413 and 422.
    Request {
        /// The status.
        status: u16,
        /// What the server said.
        why: String,
    },
}

impl Refusal {
    /// Whether the fault may be in one of several merged enrichments, so that sending fewer at a
    /// time finds it.
    pub fn may_be_one_of_many(&self) -> bool {
        matches!(self, Refusal::Request { status: 400 | 403 | 413 | 422, .. })
    }

    /// What is wrong and what to do, for the log and for `Delivery.message`.
    pub fn message(&self, server: &str) -> String {
        match self {
            Refusal::Key { status } => fill(
                "{} refused the API key with {}: set HH_API_KEY to a key of this server that may write sessions",
                &[server, &decimal((*status).into())],
            ),
            Refusal::NoHoneyHive { why } => fill(
                "{} does not answer as HoneyHive does ({}): set HH_API_URL to your HoneyHive server",
                &[server, why],
            ),
            Refusal::Redirect => fill(
                "{} redirects elsewhere, where the key is not sent: set HH_API_URL to the final address",
                &[server],
            ),
            Refusal::Request { status, why } => fill(
                "{} rejected the request with {}{}{}",
                &[server, &decimal((*status).into()), if why.is_empty() { "" } else { ": " }, why],
            ),
        }
    }
}

/// The request that starts a session and carries `merged` as far as a start takes it.
pub fn start(
    destination: &Destination,
    routes: Routes,
    id: &SessionId,
    start: &Start,
    merged: &Merged<'_>,
    stamp_ns: u64,
) -> Request {
    let legacy = routes.are_legacy();
    let mut body = String::new();
    if legacy {
        let mut wrapper = Object::open(&mut body);
        start.write(id, merged, true, wrapper.value("session"));
        wrapper.close();
    } else {
        start.write(id, merged, false, &mut body);
    }
    let path = if legacy { "/session/start" } else { "/v1/sessions" };
    request(destination, "POST", path, body, stamp_ns)
}

/// The request that updates a session with what a start of `already` did not store.
pub fn update(
    destination: &Destination,
    routes: Routes,
    id: &SessionId,
    merged: &Merged<'_>,
    already: Option<Origin>,
    stamp_ns: u64,
) -> Request {
    let mut body = String::new();
    let mut object = Object::open(&mut body);
    if routes.are_legacy() {
        object.text("event_id", id.as_str());
    }
    for field in Field::ALL.into_iter().filter(|field| is_left(*field, already)) {
        merged.write(field, field.wire_name(), &mut object);
    }
    object.close();
    if routes.are_legacy() {
        request(destination, "PUT", "/events", body, stamp_ns)
    } else {
        let path = fill("/v1/events/{}", &[&id.as_path_segment()]);
        request(destination, "PUT", &path, body, stamp_ns)
    }
}

/// Whether an update has to say something after a start of `already` carried what it takes.
pub fn needs_update(merged: &Merged<'_>, already: Option<Origin>) -> bool {
    Field::ALL.into_iter().any(|field| is_left(field, already) && merged.has(field))
}

fn is_left(field: Field, already: Option<Origin>) -> bool {
    field != Field::Inputs && !already.is_some_and(|origin| origin.start_stores(field))
}

/// A request to `path` of the destination, stamped with when it was made.
pub(super) fn request(
    destination: &Destination,
    method: &'static str,
    path: &str,
    body: String,
    stamp_ns: u64,
) -> Request {
    let mut headers = destination.headers.clone();
    if destination.client_headers {
        headers.push_str(CLIENT_HEADERS);
        headers.push_str(&decimal(stamp_ns));
        headers.push('"');
    }
    headers.push('}');
    Request { method, url: fill("{}{}", &[&destination.server, path]), headers, body }
}

/// What `answer` means, for a start or an update sent to `routes`. With a ticket a relay may refuse
/// one field and take another, and says itself what is wrong.
pub fn judge(
    answer: &Answer,
    is_start: bool,
    routes: Routes,
    is_ticket: bool,
    now: Now,
) -> Verdict {
    let (status, retry_after, body) = match answer {
        Answer::None { why } => {
            return Verdict::Retry { after_ms: None, why: why.clone() };
        }
        Answer::Http { status, retry_after, body } => {
            (*status, *retry_after, body.trim_ascii_start())
        }
    };
    match status {
        200..=299 if body.starts_with("<") => {
            Verdict::Refused(Refusal::NoHoneyHive { why: "a web page came back".into() })
        }
        200..=299 => stored(is_start, body),
        0 | 300..=399 => Verdict::Refused(Refusal::Redirect),
        401 | 403 if !is_ticket => Verdict::Refused(Refusal::Key { status }),
        404 | 405 => match routes {
            Routes::Unknown => Verdict::TryLegacy,
            // The server began to answer otherwise: a deployment was rolled back.
            Routes::V1 if is_start || status == 405 => Verdict::TryLegacy,
            Routes::TryLegacy => Verdict::Refused(Refusal::NoHoneyHive {
                why: fill(
                    "{} on its old and new routes{}",
                    &[
                        &decimal(status.into()),
                        if is_start { "" } else { ", or it has no such session" },
                    ],
                ),
            }),
            _ => Verdict::Refused(Refusal::Request { status, why: said(body) }),
        },
        _ if may_pass(status) => Verdict::Retry {
            after_ms: retry_after.map(|header| header.wait_ms(now)),
            why: fill("status {}", &[&decimal(status.into())]),
        },
        _ => Verdict::Refused(Refusal::Request { status, why: said(body) }),
    }
}

fn stored(is_start: bool, body: &str) -> Verdict {
    let members = any_members(if is_start { body } else { "" });
    let session_id = find(&members, "session_id").or_else(|| find(&members, "event_id"));
    Verdict::Stored {
        session_id: session_id.and_then(json::text).and_then(|id| SessionId::new(&id)),
        inputs: find(&members, "inputs").map(str::to_owned),
    }
}

/// The `message` of an error's JSON, or nothing.
pub(super) fn said(body: &str) -> String {
    let members = any_members(body);
    let message = find(&members, "message").and_then(json::text).unwrap_or_default();
    let mut said = String::new();
    let mut left = LONGEST_QUOTE;
    for c in message.chars() {
        if left > 0 && !c.is_control() {
            said.push(c);
            left -= 1;
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now { mono_ms: 0, unix_ms: 0 };

    fn http(status: u16, body: &str) -> Answer {
        Answer::Http { status, retry_after: None, body: body.into() }
    }

    #[test]
    fn an_answer_that_is_no_honeyhive_is_told_from_one_that_is() {
        let page = http(200, "  <!doctype html><title>hello");
        for is_start in [true, false] {
            assert!(matches!(
                judge(&page, is_start, Routes::Unknown, false, NOW),
                Verdict::Refused(Refusal::NoHoneyHive { .. })
            ));
            assert_eq!(
                judge(&http(404, ""), is_start, Routes::Unknown, false, NOW),
                Verdict::TryLegacy
            );
            assert!(matches!(
                judge(&http(404, ""), is_start, Routes::TryLegacy, false, NOW),
                Verdict::Refused(Refusal::NoHoneyHive { .. })
            ));
        }
    }

    #[test]
    fn where_no_route_answers_an_update_the_session_may_be_what_is_missing() {
        let why = |is_start| match judge(&http(404, ""), is_start, Routes::TryLegacy, false, NOW) {
            Verdict::Refused(refusal) => refusal.message("https://hive.example"),
            other => panic!("{other:?}"),
        };
        assert!(why(false).contains("or it has no such session"), "{}", why(false));
        assert!(!why(true).contains("session"), "{}", why(true));
    }

    #[test]
    fn an_unknown_session_is_no_unknown_route() {
        let answer = http(404, r#"{"message":"no such event","success":false}"#);
        assert_eq!(
            judge(&answer, false, Routes::V1, false, NOW),
            Verdict::Refused(Refusal::Request { status: 404, why: "no such event".into() })
        );
    }

    #[test]
    fn the_session_in_the_answer_to_a_start_is_read_and_a_strange_body_is_no_harm() {
        let id = "0a0a0a0a-0000-4000-8000-000000000000";
        let body = format!(r#"{{"event_id":"x","session_id":"{id}","inputs":{{"q":1}}}}"#);
        assert_eq!(
            judge(&http(200, &body), true, Routes::Unknown, false, NOW),
            Verdict::Stored { session_id: SessionId::new(id), inputs: Some("{\"q\":1}".into()) }
        );
        for body in ["", "ok", "{", "[1]", "{\"session_id\":7}"] {
            assert_eq!(
                judge(&http(200, body), true, Routes::Unknown, false, NOW),
                Verdict::Stored { session_id: None, inputs: None }
            );
        }
    }

    #[test]
    fn what_may_pass_is_retried_when_the_server_says() {
        let answer = Answer::Http {
            status: 503,
            retry_after: Some(RetryAfter::Seconds(2)),
            body: String::new(),
        };
        assert!(matches!(
            judge(&answer, false, Routes::V1, false, NOW),
            Verdict::Retry { after_ms: Some(2_000), .. }
        ));
        for status in [400, 401, 403, 413, 422, 301, 0] {
            assert!(matches!(
                judge(&http(status, ""), false, Routes::V1, false, NOW),
                Verdict::Refused(_)
            ));
        }
    }

    #[test]
    fn a_relay_says_itself_what_is_wrong_with_a_ticket() {
        let body = r#"{"message":"the ticket does not allow `metadata`"}"#;
        for status in [401, 403] {
            let verdict = judge(&http(status, body), false, Routes::V1, true, NOW);
            let Verdict::Refused(refusal) = verdict else { panic!("{verdict:?}") };
            assert!(refusal.message("/relay").contains("does not allow `metadata`"));
            assert_eq!(refusal.may_be_one_of_many(), status == 403);
        }
    }
}
