//! Requests and answers of HoneyHive's backend: the v1 routes, and the legacy ones of older
//! deployments. Facts from its OpenAPI document (Data Plane API 1.1.0).

use super::enrichment::{Field, Merged};
use super::json::{self, JsonScanner, Object, any_members, find};
use super::redact::Redaction;
use super::retry::{RetryAfter, may_be_temporary};
use super::session::{SessionId, SessionOrigin, Start};
use super::settings::Destination;
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
    /// There is no `fetch`, or what the caller's own gave is no answer: no other try comes to more.
    Unusable {
        /// What is wrong, and what to write instead.
        why: String,
    },
}

impl Answer {
    /// Whether it shows that the server was sent more at once than it bears: 429 and 503, or that
    /// there was no answer, or none in time (from a proxy, 408 and 504).
    pub fn is_overload(&self) -> bool {
        matches!(self, Answer::None { .. } | Answer::Http { status: 408 | 429 | 503 | 504, .. })
    }
}

/// What an answer means for the enrichments in the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are stored.
    Stored {
        /// JSON of the inputs that the backend has of the session, where it sent them along.
        inputs: Option<String>,
    },
    /// The server does not know the route that starts a session: it is to be tried as one with these.
    TryRoutes(Routes),
    /// An update was refused, maybe because there is no such session: a start tells, and makes it. If that
    /// was tried, the update is refused for good.
    NoSession(Refusal),
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
        /// Whether it is a fine-grained key, none of which can ingest.
        is_fine_grained: bool,
    },
    /// Neither the v1 nor the legacy routes are there, or a web page answers.
    NoHoneyHive {
        /// What was seen.
        why: String,
    },
    /// A redirect: following it could carry the key elsewhere, or turn the request into a GET.
    Redirect,
    /// Nothing can be sent from here.
    Fetch {
        /// What is wrong, and what to write instead.
        why: String,
    },
    /// Anything else: mostly 400, 404, 413 and 422, or a 2xx whose body says no.
    Request {
        /// The status.
        status: u16,
        /// What the server said.
        why: String,
    },
}

impl Refusal {
    /// The refusal of the destination's key with `status`, 401 or 403.
    pub fn of_key(status: u16, destination: Option<&Destination>) -> Refusal {
        let is_fine_grained = destination.is_some_and(|it| it.key.starts_with("hh_fgdp_"));
        Refusal::Key { status, is_fine_grained }
    }

    /// Whether the fault may be in one of several merged enrichments, so that sending fewer at a
    /// time finds it.
    pub fn may_be_one_of_many(&self) -> bool {
        matches!(self, Refusal::Request { status: 200..=299 | 400 | 403 | 413 | 422, .. })
    }

    /// What is wrong and what to do, for the log and for `Delivery.message`.
    pub fn message(&self, server: &str) -> String {
        match self {
            Refusal::Key { status: 403, is_fine_grained: true } => format!(
                "{server} refused the API key with 403: a fine-grained key (hh_fgdp_…) cannot ingest; set HH_PROJECT_API_KEY to your project's key, or HH_INGESTION_API_KEY to an ingestion-only one"
            ),
            Refusal::Key { status, .. } => format!(
                "{server} refused the API key with {status}: set HH_API_KEY to a key of this server that may write sessions"
            ),
            Refusal::NoHoneyHive { why } => format!(
                "{server} does not answer as HoneyHive does ({why}): set HH_API_URL to your HoneyHive server"
            ),
            Refusal::Redirect => format!(
                "{server} redirects elsewhere, where the key is not sent: set HH_API_URL to the final address"
            ),
            Refusal::Fetch { why } => format!("the package cannot send to {server}: {why}"),
            Refusal::Request { status: status @ 200..=299, why } => format!(
                "{server} answered with {status}, but did not store the request{}{why}",
                if why.is_empty() { "" } else { ": " }
            ),
            Refusal::Request { status, why } => format!(
                "{server} rejected the request with {status}{}{why}",
                if why.is_empty() { "" } else { ": " }
            ),
        }
    }
}

/// The request that starts a session of `project` and carries `merged` as far as a start takes it.
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

/// The request that updates a session with what a start of `already` did not store.
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

/// Whether an update has to say something after a start of `already` carried what it takes.
pub fn needs_update(merged: &Merged<'_>, already: Option<SessionOrigin>) -> bool {
    Field::ALL.into_iter().any(|field| is_left(field, already) && merged.has(field))
}

fn is_left(field: Field, already: Option<SessionOrigin>) -> bool {
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
        headers.push_str(&stamp_ns.to_string());
        headers.push('"');
    }
    headers.push('}');
    Request { method, url: format!("{}{path}", destination.server), headers, body }
}

/// What `answer` of `destination` means, for a start or an update sent to `routes`. With a ticket a relay
/// may refuse one field and take another, and says itself what is wrong. Whatever else answers there (a login
/// page, a proxy, the network of a hotel) is in its way, and it is waited for.
pub fn judge(
    answer: &Answer,
    is_start: bool,
    routes: Routes,
    destination: Option<&Destination>,
    now: Now,
) -> Verdict {
    let is_ticket = destination.is_some_and(|it| it.is_ticket);
    let said = |body| said(body, destination);
    let (status, retry_after, body) = match answer {
        Answer::None { why } => {
            return Verdict::Retry { after_ms: None, why: why.clone() };
        }
        Answer::Unusable { why } => {
            return Verdict::Refused(Refusal::Fetch { why: why.clone() });
        }
        Answer::Http { status, retry_after, body } => (*status, *retry_after, body.as_str()),
    };
    // That a request is too large is for anybody in between to say.
    if is_ticket && status != 413 && !may_be_temporary(status) && success_in(body).is_none() {
        let why = match status {
            0 | 300..=399 => "the relay's address answered with a redirect".to_owned(),
            _ => format!(
                "the relay's address answered with status {status}, and not as a relay does"
            ),
        };
        return Verdict::Retry { after_ms: None, why };
    }
    match status {
        200..=299 => match receipt(body) {
            Receipt::Stored => stored(is_start, body),
            Receipt::Foreign(why) => Verdict::Refused(Refusal::NoHoneyHive { why: why.to_owned() }),
            Receipt::Denied => {
                let refusal = Refusal::Request { status, why: said(body) };
                if is_start { Verdict::Refused(refusal) } else { Verdict::NoSession(refusal) }
            }
        },
        0 | 300..=399 => Verdict::Refused(Refusal::Redirect),
        401 | 403 if !is_ticket => Verdict::Refused(Refusal::of_key(status, destination)),
        404 | 405 if !is_start => Verdict::NoSession(Refusal::Request { status, why: said(body) }),
        // Older servers say this of a session that they do not have, and of much else.
        400 if !is_start && routes.are_legacy() => {
            Verdict::NoSession(Refusal::Request { status, why: said(body) })
        }
        404 | 405 => match routes {
            // A server that began to answer otherwise is one that was updated, or rolled back.
            Routes::Unknown | Routes::V1 => Verdict::TryRoutes(Routes::TryLegacy),
            Routes::Legacy => Verdict::TryRoutes(Routes::Unknown),
            Routes::TryLegacy => Verdict::Refused(Refusal::NoHoneyHive {
                why: format!("{status} on its old and new routes"),
            }),
        },
        _ if may_be_temporary(status) => Verdict::Retry {
            // Who asks for no wait at all, or has a clock that is behind, is waited for as one who does not ask: else
            // a server that is down would be asked again and again.
            after_ms: retry_after.map(|header| header.wait_ms(now)).filter(|ms| *ms > 0),
            why: format!("status {status}"),
        },
        _ => Verdict::Refused(Refusal::Request { status, why: said(body) }),
    }
}

/// What the object `body`, as far as it came, says under `success`: whether the request did. The relay says that
/// in each of its answers.
fn success_in(body: &str) -> Option<bool> {
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

/// What the body of a 2xx says of the request that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// The request is stored.
    Stored,
    /// The request is not stored: HoneyHive says so.
    Denied,
    /// The answer is none of HoneyHive's; what it is instead.
    Foreign(&'static str),
}

/// What HoneyHive may say of an update beside an object: its document names no content for that answer.
const PLAIN_RECEIPTS: [&str; 2] = ["ok", "event updated"];

/// Judges the body of a 2xx. HoneyHive answers with an object, which counts as far as it came, or says
/// nothing. Anything else is the answer of somebody in between: a captive portal, a proxy, a parked address.
pub fn receipt(body: &str) -> Receipt {
    let body = body.trim_start_matches('\u{feff}').trim_ascii();
    match body.as_bytes().first() {
        None => Receipt::Stored,
        Some(b'{') if success_in(body) == Some(false) => Receipt::Denied,
        Some(b'{') => Receipt::Stored,
        Some(b'<') => Receipt::Foreign("it answered with a web page"),
        _ if PLAIN_RECEIPTS.iter().any(|text| body.eq_ignore_ascii_case(text)) => Receipt::Stored,
        _ => Receipt::Foreign("it answered with something that is no JSON object"),
    }
}

fn stored(is_start: bool, body: &str) -> Verdict {
    let members = any_members(if is_start { body } else { "" });
    Verdict::Stored { inputs: find(&members, "inputs").map(str::to_owned) }
}

/// The beginning of the `message` of an error's JSON, or nothing. What is secret in it is masked before it
/// is cut: of half a key nobody could tell that it is one.
pub(super) fn said(body: &str, destination: Option<&Destination>) -> String {
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

    const NOW: Now = Now { mono_ms: 0, unix_ms: 0 };

    fn destination(key: &str) -> Destination {
        Destination {
            identity: String::new(),
            server: "https://hive.example".into(),
            key: key.into(),
            is_ticket: false,
            headers: String::new(),
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
                let told = said(&body, Some(&destination(own)));
                assert!(!told.contains(&secret[..3]), "{told}");
                assert!(told.chars().count() <= LONGEST_QUOTE);
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
                Verdict::Refused(Refusal::NoHoneyHive { .. })
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
                Verdict::Refused(Refusal::NoHoneyHive { .. })
            ));
        }
    }

    #[test]
    fn an_unknown_session_is_no_unknown_route() {
        let unknown = |status, routes| {
            let answer = http(status, r#"{"message":"no such event","success":false}"#);
            let refusal = Refusal::Request { status, why: "no such event".into() };
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
        let refusal = Refusal::Request { status: 200, why: "no room".into() };
        assert!(refusal.may_be_one_of_many());
        assert!(refusal.message("https://h").contains("did not store the request: no room"));
        let verdict = judge(&denied, true, Routes::V1, None, NOW);
        assert_eq!(verdict, Verdict::Refused(refusal.clone()));
        // It may be that there is no such session.
        assert_eq!(judge(&denied, false, Routes::V1, None, NOW), Verdict::NoSession(refusal));
        for body in ["Please sign in to use this network", "[1]", "null", "<html>"] {
            for is_start in [true, false] {
                let verdict = judge(&http(200, body), is_start, Routes::V1, None, NOW);
                let is_foreign = matches!(verdict, Verdict::Refused(Refusal::NoHoneyHive { .. }));
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
            Verdict::Refused(Refusal::Request { status: 413, .. })
        ));
        assert_eq!(judged(200, r#"{"success":true}"#), Verdict::Stored { inputs: None });
        for status in [400, 401, 403, 422] {
            let own = r#"{"statusCode":1,"message":"no","success":false,"errorCode":"X"}"#;
            assert_eq!(
                judged(status, own),
                Verdict::Refused(Refusal::Request { status, why: "no".into() })
            );
        }
    }

    #[test]
    fn a_fine_grained_key_is_told_that_it_cannot_ingest() {
        let told = |status, key: &str| {
            let destination = destination(key);
            let answer = http(status, r#"{"message":"Forbidden"}"#);
            match judge(&answer, true, Routes::V1, Some(&destination), NOW) {
                Verdict::Refused(refusal) => refusal.message(&destination.server),
                verdict => panic!("{verdict:?}"),
            }
        };
        let fine_grained = told(403, "hh_fgdp_0123456789");
        assert!(fine_grained.contains("cannot ingest"), "{fine_grained}");
        assert!(!fine_grained.contains("0123456789"));
        for (status, key) in [(401, "hh_fgdp_0123456789"), (403, "hh_0123456789")] {
            assert!(!told(status, key).contains("cannot ingest"));
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
            assert_eq!(receipt(body), Receipt::Stored, "{body}");
        }
        for body in [
            r#"{"success":false}"#,
            "\n{ \"message\" : \"no\", \"success\" : false }",
            r#"{"succ\u0065ss":false}"#,
            r#"{"success":true,"success":false}"#,
            r#"{"success":false,"inputs":{"q":"#,
        ] {
            assert_eq!(receipt(body), Receipt::Denied, "{body}");
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
            assert!(matches!(receipt(body), Receipt::Foreign(_)), "{body}");
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
            let Verdict::Refused(refusal) = verdict else { panic!("{verdict:?}") };
            assert!(refusal.message("/relay").contains("does not allow `metadata`"));
            assert_eq!(refusal.may_be_one_of_many(), status == 403);
        }
    }
}
