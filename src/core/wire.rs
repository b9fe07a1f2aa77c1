//! Requests to HoneyHive's backend and the meaning of its answers: the v1 routes, and the legacy routes of older
//! deployments. The facts are from its OpenAPI document (Data Plane API 1.1.0).

use super::enrichment::{Field, Merged};
use super::json::{self, JsonScanner, Object, any_members, find};
use super::redact::Redaction;
use super::retry::{RetryAfter, may_be_temporary};
use super::session::{SessionId, SessionOrigin, Start};
use super::settings::Destination;
use super::time::Now;

/// The headers by which every request identifies its client, up to the timestamp (nanoseconds since the Unix epoch).
const CLIENT_HEADERS: &str = concat!(
    r#","hh-client-version":""#,
    env!("CARGO_PKG_VERSION"),
    r#"","hh-client-language":"javascript","hh-client-package":"honeyhive-edge","hh-client-timestamp":""#,
);

/// What the relay says under `errorCode` of a ticket that has ended.
pub const TICKET_EXPIRED: &str = "TICKET_EXPIRED";

/// How many characters of a backend's own message are quoted.
const LONGEST_QUOTE: usize = 200;

/// The routes that a server has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Routes {
    /// Nothing is known yet: v1 is tried first.
    #[default]
    Unknown,
    /// `/v1/sessions` and `/v1/events/{id}`.
    V1,
    /// The server lacks v1, and the legacy routes are being tried.
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
    /// The HTTP method.
    pub method: &'static str,
    /// The full URL.
    pub url: String,
    /// The headers as a JSON object, with names in lower case.
    pub headers: String,
    /// JSON.
    pub body: String,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The server answered.
    Http {
        /// The status; 0 if a browser hides a redirect.
        status: u16,
        /// The `Retry-After` header, if there was one.
        retry_after: Option<RetryAfter>,
        /// The body, or the part of it that arrived.
        body: String,
    },
    /// There was no answer: the network failed, or the request timed out.
    None {
        /// The runtime's error, for the log.
        why: String,
    },
    /// There is no `fetch`, or the application's own did not return a `Response`. A retry would not help.
    Unusable {
        /// What is wrong, and what to write instead.
        why: String,
    },
}

impl Answer {
    /// Whether the server was sent more at once than it can handle: 429 and 503, or no answer in time (408 and 504 from
    /// a proxy).
    pub fn is_overload(&self) -> bool {
        matches!(self, Answer::None { .. } | Answer::Http { status: 408 | 429 | 503 | 504, .. })
    }
}

/// What an answer means for the enrichments in the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are stored.
    Stored {
        /// The session's inputs as the backend has them, as JSON, if the answer contained them.
        inputs: Option<String>,
    },
    /// The server does not have the route that starts a session. These routes have to be tried next.
    TryRoutes(Routes),
    /// An update was refused, maybe because the session does not exist. A start shows that, and creates it. After a
    /// start, the refusal is permanent.
    NoSession(RefusalReason),
    /// The relay refused the ticket.
    Ticket {
        /// Whether only its age is wrong with it.
        is_over: bool,
        /// The relay's own words.
        refusal: RefusalReason,
    },
    /// The failure may be temporary.
    Retry {
        /// The milliseconds that the server asks to wait.
        after_ms: Option<u64>,
        /// The reason, for the log and for the message if the enrichments are given up.
        why: String,
    },
    /// The refusal is permanent.
    Refused(RefusalReason),
}

/// Why a request is refused permanently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// The server refused the key with 401 or 403.
    Key {
        /// The status.
        status: u16,
        /// Whether it is a fine-grained key, which cannot ingest.
        is_fine_grained: bool,
    },
    /// The server is not HoneyHive: it has neither the v1 nor the legacy routes, or answers with a web page.
    NoHoneyHive {
        /// The evidence.
        why: String,
    },
    /// The server redirects. Following a redirect could send the key elsewhere, or turn the request into a GET.
    Redirect,
    /// No request can be sent from this runtime.
    Fetch {
        /// What is wrong, and what to write instead.
        why: String,
    },
    /// Any other refusal: mostly 400, 404, 413 and 422, or a 2xx whose body reports a failure.
    Request {
        /// The status.
        status: u16,
        /// The server's message.
        why: String,
    },
}

impl RefusalReason {
    /// The refusal of the destination's key with `status`, 401 or 403.
    pub fn of_key(status: u16, destination: Option<&Destination>) -> RefusalReason {
        let is_fine_grained = destination.is_some_and(|it| it.key().starts_with("hh_fgdp_"));
        RefusalReason::Key { status, is_fine_grained }
    }

    /// Whether only one of several merged enrichments may be at fault, so that sending fewer at a time finds it.
    pub fn may_be_one_of_many(&self) -> bool {
        matches!(self, RefusalReason::Request { status: 200..=299 | 400 | 403 | 413 | 422, .. })
    }

    /// The message for the log and for `Delivery.message`: what is wrong, and what to do.
    pub fn message(&self, server: &str) -> String {
        match self {
            RefusalReason::Key { status: 403, is_fine_grained: true } => format!(
                "{server} refused the API key with 403: a fine-grained key (hh_fgdp_…) cannot ingest; set HH_PROJECT_API_KEY to your project's key, or HH_INGESTION_API_KEY to an ingestion-only one"
            ),
            RefusalReason::Key { status, .. } => format!(
                "{server} refused the API key with {status}: set HH_API_KEY to a key of this server that may write sessions"
            ),
            RefusalReason::NoHoneyHive { why } => format!(
                "{server} does not answer as HoneyHive does ({why}): set HH_API_URL to your HoneyHive server"
            ),
            RefusalReason::Redirect => format!(
                "{server} redirects elsewhere, where the key is not sent: set HH_API_URL to the final address"
            ),
            RefusalReason::Fetch { why } => format!("the package cannot send to {server}: {why}"),
            RefusalReason::Request { status: status @ 200..=299, why } => format!(
                "{server} answered with {status}, but did not store the request{}{why}",
                if why.is_empty() { "" } else { ": " }
            ),
            RefusalReason::Request { status, why } => format!(
                "{server} rejected the request with {status}{}{why}",
                if why.is_empty() { "" } else { ": " }
            ),
        }
    }
}

/// The request that starts a session of `project`, with those fields of `merged` that a start stores.
pub fn start(
    destination: &Destination,
    routes: Routes,
    id: SessionId,
    start: &Start,
    project: Option<&str>,
    merged: &Merged<'_>,
    stamp_ns: u64,
) -> Request {
    let legacy = routes.are_legacy();
    let mut body = String::new();
    if legacy {
        let mut wrapper = Object::open(&mut body);
        start.write(id, merged, true, project, wrapper.value("session"));
        wrapper.close();
    } else {
        start.write(id, merged, false, project, &mut body);
    }
    let path = if legacy { "/session/start" } else { "/v1/sessions" };
    request(destination, "POST", path, body, stamp_ns)
}

/// The request that updates a session with the fields that a start of `already` did not store.
pub fn update(
    destination: &Destination,
    routes: Routes,
    id: SessionId,
    merged: &Merged<'_>,
    already: Option<SessionOrigin>,
    stamp_ns: u64,
) -> Request {
    let mut body = String::new();
    let mut object = Object::open(&mut body);
    if routes.are_legacy() {
        object.text("event_id", &id.to_string());
    }
    for field in Field::ALL.into_iter().filter(|field| is_left(*field, already)) {
        merged.write(field, field.wire_name(), &mut object);
    }
    object.close();
    if routes.are_legacy() {
        request(destination, "PUT", "/events", body, stamp_ns)
    } else {
        let path = format!("/v1/events/{id}");
        request(destination, "PUT", &path, body, stamp_ns)
    }
}

/// Whether `merged` has fields that a start of `already` did not store.
pub fn needs_update(merged: &Merged<'_>, already: Option<SessionOrigin>) -> bool {
    Field::ALL.into_iter().any(|field| is_left(field, already) && merged.has(field))
}

fn is_left(field: Field, already: Option<SessionOrigin>) -> bool {
    field != Field::Inputs && !already.is_some_and(|origin| origin.start_stores(field))
}

/// A request to `path` of the destination, with its timestamp.
pub(super) fn request(
    destination: &Destination,
    method: &'static str,
    path: &str,
    body: String,
    stamp_ns: u64,
) -> Request {
    let mut headers = destination.headers();
    if destination.client_headers {
        headers.push_str(CLIENT_HEADERS);
        headers.push_str(&stamp_ns.to_string());
        headers.push('"');
    }
    headers.push('}');
    Request { method, url: format!("{}{path}", destination.server), headers, body }
}

/// Interprets an answer of `destination` to a start or an update sent to `routes`. With a ticket, the destination is a
/// relay, which may refuse one field and accept another, and says what is wrong. Any other answer from there (a login
/// page, a proxy, a hotel's network) means that something is in front of the relay, and is retried.
pub fn judge(
    answer: &Answer,
    is_start: bool,
    routes: Routes,
    destination: Option<&Destination>,
    now: Now,
) -> Verdict {
    let is_ticket = destination.is_some_and(|it| it.is_ticket);
    let error_message = |body| error_message(body, destination);
    let (status, retry_after, body) = match answer {
        Answer::None { why } => {
            return Verdict::Retry { after_ms: None, why: why.clone() };
        }
        Answer::Unusable { why } => {
            return Verdict::Refused(RefusalReason::Fetch { why: why.clone() });
        }
        Answer::Http { status, retry_after, body } => (*status, *retry_after, body.as_str()),
    };
    // Anything between here and the relay may refuse a request as too large.
    if is_ticket && status != 413 && !may_be_temporary(status) && parse_success(body).is_none() {
        let why = match status {
            0 | 300..=399 => "the relay's address answered with a redirect".to_owned(),
            _ => format!(
                "the relay's address answered with status {status}, and not as a relay does"
            ),
        };
        return Verdict::Retry { after_ms: None, why };
    }
    match status {
        200..=299 => match parse_receipt(body) {
            Receipt::Stored => stored_verdict(is_start, body),
            Receipt::Foreign(why) => {
                Verdict::Refused(RefusalReason::NoHoneyHive { why: why.to_owned() })
            }
            Receipt::Denied => {
                let refusal = RefusalReason::Request { status, why: error_message(body) };
                if is_start { Verdict::Refused(refusal) } else { Verdict::NoSession(refusal) }
            }
        },
        0 | 300..=399 => Verdict::Refused(RefusalReason::Redirect),
        401 if is_ticket => {
            let code = find(&any_members(body), "errorCode").and_then(json::text);
            let is_over = code.as_deref() == Some(TICKET_EXPIRED);
            Verdict::Ticket {
                is_over,
                refusal: RefusalReason::Request { status, why: error_message(body) },
            }
        }
        401 | 403 if !is_ticket => Verdict::Refused(RefusalReason::of_key(status, destination)),
        404 | 405 if !is_start => {
            Verdict::NoSession(RefusalReason::Request { status, why: error_message(body) })
        }
        // Older servers answer this for a session that they do not have, among other things.
        400 if !is_start && routes.are_legacy() => {
            Verdict::NoSession(RefusalReason::Request { status, why: error_message(body) })
        }
        404 | 405 => match routes {
            // A server whose routes have changed was updated or rolled back.
            Routes::Unknown | Routes::V1 => Verdict::TryRoutes(Routes::TryLegacy),
            Routes::Legacy => Verdict::TryRoutes(Routes::Unknown),
            Routes::TryLegacy => Verdict::Refused(RefusalReason::NoHoneyHive {
                why: format!("{status} on its old and new routes"),
            }),
        },
        _ if may_be_temporary(status) => Verdict::Retry {
            // A server that asks for a wait of 0, or whose clock is behind, is treated as if it had not asked.
            // Otherwise a server that is down would be asked again and again.
            after_ms: retry_after.map(|header| header.wait_ms(now)).filter(|ms| *ms > 0),
            why: format!("status {status}"),
        },
        _ => Verdict::Refused(RefusalReason::Request { status, why: error_message(body) }),
    }
}

/// The value of `success` in the object `body`, of which the end may be missing. The relay sets it in all of its
/// answers.
fn parse_success(body: &str) -> Option<bool> {
    let mut success = None;
    JsonScanner::of(body).each_item(b'{', &mut |scan, key| {
        let value = scan.value()?;
        if json::text(key).is_some_and(|name| name == "success") {
            success = match value {
                "true" => Some(true),
                "false" => Some(false),
                _ => None,
            };
        }
        Some(())
    });
    success
}

/// The meaning of a body with status 2xx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// The request was stored.
    Stored,
    /// HoneyHive reports that the request was not stored.
    Denied,
    /// The answer is not HoneyHive's. The text says what it is instead.
    Foreign(&'static str),
}

/// Texts that HoneyHive may answer to an update instead of an object. Its OpenAPI document specifies no content.
const PLAIN_RECEIPTS: [&str; 2] = ["ok", "event updated"];

/// Interprets the body of a 2xx. HoneyHive answers with an object, of which the end may be missing, or with nothing.
/// Any other answer comes from something in between: a captive portal, a proxy, a parked domain.
pub fn parse_receipt(body: &str) -> Receipt {
    let body = body.strip_prefix('\u{feff}').unwrap_or(body).trim_ascii();
    match body.as_bytes().first() {
        None => Receipt::Stored,
        Some(b'{') if parse_success(body) == Some(false) => Receipt::Denied,
        Some(b'{') => Receipt::Stored,
        Some(b'<') => Receipt::Foreign("it answered with a web page"),
        _ if PLAIN_RECEIPTS.iter().any(|text| body.eq_ignore_ascii_case(text)) => Receipt::Stored,
        _ => Receipt::Foreign("it answered with something that is no JSON object"),
    }
}

fn stored_verdict(is_start: bool, body: &str) -> Verdict {
    let members = any_members(if is_start { body } else { "" });
    Verdict::Stored { inputs: find(&members, "inputs").map(str::to_owned) }
}

/// The beginning of the `message` in an error's JSON, or an empty string. Secrets are masked before it is cut, because
/// half of a key would not be recognised.
pub(super) fn error_message(body: &str, destination: Option<&Destination>) -> String {
    let members = any_members(body);
    let message = find(&members, "message").and_then(json::text).unwrap_or_default();
    let message: String = message.chars().filter(|c| !c.is_control()).collect();
    let masked = match destination {
        Some(destination) => destination.without_key(&message),
        None => Redaction::default().text(&message).into_owned(),
    };
    masked.chars().take(LONGEST_QUOTE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::credential::Credential;

    const NOW: Now = Now { mono_ms: 0, unix_ms: 0 };

    fn destination(key: &str) -> Destination {
        Destination {
            identity: String::new(),
            server: "https://hive.example".into(),
            credential: Credential::new(key).into(),
            is_ticket: false,
            asks: false,
            other_headers: String::new(),
            client_headers: true,
        }
    }

    #[test]
    fn a_message_is_masked_before_it_is_cut() {
        let own = "own-key-0123456789abcdefghijklmn";
        let other = ["gh", "p_", "Zk3vQ9xT7bLm2RpW8cYdZk3vQ9xT7bLm2RpW"].concat();
        for secret in [own, &other] {
            // However much of it stands before the cut.
            for length in LONGEST_QUOTE - 40..=LONGEST_QUOTE + 1 {
                let message = format!("{} {secret} is wrong", "x".repeat(length));
                let body = serde_json::json!({ "message": message }).to_string();
                let judged = error_message(&body, Some(&destination(own)));
                assert!(!judged.contains(&secret[..3]), "{judged}");
                assert!(judged.chars().count() <= LONGEST_QUOTE);
            }
        }
    }

    fn http(status: u16, body: &str) -> Answer {
        Answer::Http { status, retry_after: None, body: body.into() }
    }

    #[test]
    fn an_answer_that_is_no_honeyhive_is_told_from_one_that_is() {
        let page = http(200, "  <!doctype html><title>hello");
        for is_start in [true, false] {
            assert!(matches!(
                judge(&page, is_start, Routes::Unknown, None, NOW),
                Verdict::Refused(RefusalReason::NoHoneyHive { .. })
            ));
        }
        for status in [404, 405] {
            let answer = http(status, "");
            for routes in [Routes::Unknown, Routes::V1] {
                let verdict = judge(&answer, true, routes, None, NOW);
                assert_eq!(verdict, Verdict::TryRoutes(Routes::TryLegacy));
            }
            let verdict = judge(&answer, true, Routes::Legacy, None, NOW);
            assert_eq!(verdict, Verdict::TryRoutes(Routes::Unknown));
            assert!(matches!(
                judge(&answer, true, Routes::TryLegacy, None, NOW),
                Verdict::Refused(RefusalReason::NoHoneyHive { .. })
            ));
        }
    }

    #[test]
    fn an_unknown_session_is_no_unknown_route() {
        let unknown = |status, routes| {
            let answer = http(status, r#"{"message":"no such event","success":false}"#);
            let refusal = RefusalReason::Request { status, why: "no such event".into() };
            judge(&answer, false, routes, None, NOW) == Verdict::NoSession(refusal)
        };
        for routes in [Routes::Unknown, Routes::V1, Routes::TryLegacy, Routes::Legacy] {
            assert!(unknown(404, routes) && unknown(405, routes));
            assert_eq!(unknown(400, routes), routes.are_legacy());
        }
    }

    #[test]
    fn the_inputs_in_the_answer_to_a_start_are_read_and_a_strange_body_is_no_harm() {
        let body = r#"{"event_id":"x","session_id":"y","inputs":{"q":1}}"#;
        assert_eq!(
            judge(&http(200, body), true, Routes::Unknown, None, NOW),
            Verdict::Stored { inputs: Some("{\"q\":1}".into()) }
        );
        for body in ["", "ok", "{", "{\"session_id\":7}"] {
            assert_eq!(
                judge(&http(200, body), true, Routes::Unknown, None, NOW),
                Verdict::Stored { inputs: None }
            );
        }
    }

    #[test]
    fn a_2xx_that_says_no_or_is_somebody_elses_stores_nothing() {
        let denied = http(200, r#"{"success":false,"message":"no room"}"#);
        let refusal = RefusalReason::Request { status: 200, why: "no room".into() };
        assert!(refusal.may_be_one_of_many());
        assert!(refusal.message("https://h").contains("did not store the request: no room"));
        let verdict = judge(&denied, true, Routes::V1, None, NOW);
        assert_eq!(verdict, Verdict::Refused(refusal.clone()));
        // It may be that there is no such session.
        assert_eq!(judge(&denied, false, Routes::V1, None, NOW), Verdict::NoSession(refusal));
        for body in ["Please sign in to use this network", "[1]", "null", "<html>"] {
            for is_start in [true, false] {
                let verdict = judge(&http(200, body), is_start, Routes::V1, None, NOW);
                let is_foreign =
                    matches!(verdict, Verdict::Refused(RefusalReason::NoHoneyHive { .. }));
                assert!(is_foreign, "{body}: {verdict:?}");
            }
        }
    }

    #[test]
    fn with_a_ticket_what_is_not_the_relays_answer_is_waited_for() {
        let relay = Destination { is_ticket: true, ..destination("ticket") };
        let judged =
            |status, body| judge(&http(status, body), false, Routes::V1, Some(&relay), NOW);
        for status in [0, 200, 202, 204, 302, 307, 400, 401, 403, 404, 405, 451, 500, 503, 511] {
            for body in [
                "",
                "<!doctype html><title>Login</title>",
                "Sign in to use this network",
                r#"{"error":"login required"}"#,
                r#"{"success":"no"}"#,
                "{",
                "[]",
                "7",
            ] {
                let verdict = judged(status, body);
                assert!(matches!(verdict, Verdict::Retry { .. }), "{status} {body}: {verdict:?}");
            }
        }
        // A proxy's word counts for what is too large: smaller parts may pass it.
        assert!(matches!(
            judged(413, "<html>"),
            Verdict::Refused(RefusalReason::Request { status: 413, .. })
        ));
        assert_eq!(judged(200, r#"{"success":true}"#), Verdict::Stored { inputs: None });
        for status in [400, 401, 403, 422] {
            let own = r#"{"statusCode":1,"message":"no","success":false,"errorCode":"X"}"#;
            let refusal = RefusalReason::Request { status, why: "no".into() };
            let said = match status {
                401 => Verdict::Ticket { is_over: false, refusal },
                _ => Verdict::Refused(refusal),
            };
            assert_eq!(judged(status, own), said);
        }
        let ended = r#"{"success":false,"errorCode":"TICKET_EXPIRED","message":"no"}"#;
        assert!(matches!(judged(401, ended), Verdict::Ticket { is_over: true, .. }));
    }

    #[test]
    fn a_fine_grained_key_is_told_that_it_cannot_ingest() {
        let judged = |status, key: &str| {
            let destination = destination(key);
            let answer = http(status, r#"{"message":"Forbidden"}"#);
            match judge(&answer, true, Routes::V1, Some(&destination), NOW) {
                Verdict::Refused(refusal) => refusal.message(&destination.server),
                verdict => panic!("{verdict:?}"),
            }
        };
        let fine_grained = judged(403, "hh_fgdp_0123456789");
        assert!(fine_grained.contains("cannot ingest"), "{fine_grained}");
        assert!(!fine_grained.contains("0123456789"));
        for (status, key) in [(401, "hh_fgdp_0123456789"), (403, "hh_0123456789")] {
            assert!(!judged(status, key).contains("cannot ingest"));
        }
    }

    #[test]
    fn a_2xx_is_a_receipt_where_its_body_is_honeyhives_and_does_not_say_no() {
        for body in [
            "",
            " \n",
            "{}",
            "OK",
            "Event updated",
            r#"{"event_id":"x","success":true}"#,
            r#" {"session_id":"x","inputs":{"success":false},"note":"\"success\":false"}"#,
            r#"{"success":null}"#,
            r#"{"success":false,"success":true}"#,
            // As much of a long answer as was read.
            r#"{"session_id":"x","inputs":{"q":"#,
            r#"{"success":true,"inputs":{"success":false"#,
        ] {
            assert_eq!(parse_receipt(body), Receipt::Stored, "{body}");
        }
        for body in [
            r#"{"success":false}"#,
            "\n{ \"message\" : \"no\", \"success\" : false }",
            r#"{"succ\u0065ss":false}"#,
            r#"{"success":true,"success":false}"#,
            r#"{"success":false,"inputs":{"q":"#,
        ] {
            assert_eq!(parse_receipt(body), Receipt::Denied, "{body}");
        }
        for body in [
            "<html>",
            "\u{feff}<!doctype html>",
            "Please sign in to use this network",
            "null",
            "false",
            "true",
            "7",
            "[]",
            r#"[{"success":true}]"#,
            r#""ok""#,
            "success",
            "OK, but sign in first",
        ] {
            assert!(matches!(parse_receipt(body), Receipt::Foreign(_)), "{body}");
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
            judge(&answer, false, Routes::V1, None, NOW),
            Verdict::Retry { after_ms: Some(2_000), .. }
        ));
        for nothing in [RetryAfter::Seconds(0), RetryAfter::At(0)] {
            let (retry_after, body) = (Some(nothing), String::new());
            let answer = Answer::Http { status: 503, retry_after, body };
            assert!(matches!(
                judge(&answer, false, Routes::V1, None, NOW),
                Verdict::Retry { after_ms: None, .. }
            ));
        }
        for status in [400, 401, 403, 413, 422, 301, 0] {
            assert!(matches!(
                judge(&http(status, ""), false, Routes::V1, None, NOW),
                Verdict::Refused(_)
            ));
        }
    }

    #[test]
    fn a_relay_says_itself_what_is_wrong_with_a_ticket() {
        let body = r#"{"message":"the ticket does not allow `metadata`","success":false}"#;
        let relay = Destination { is_ticket: true, ..destination("ticket") };
        for status in [401, 403] {
            let verdict = judge(&http(status, body), false, Routes::V1, Some(&relay), NOW);
            let (Verdict::Refused(refusal) | Verdict::Ticket { refusal, .. }) = verdict else {
                panic!("{verdict:?}")
            };
            assert!(refusal.message("/relay").contains("does not allow `metadata`"));
            assert_eq!(refusal.may_be_one_of_many(), status == 403);
        }
    }
}
