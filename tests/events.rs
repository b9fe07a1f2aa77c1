//! Enrichments of events that are no sessions: delivered as a session's are, and never started.

mod harness;

use std::collections::BTreeMap;

use harness::{Bench, SERVER, status, stores};
use honeyhive_edge::core::outcome::{Outcome, Reason};
use honeyhive_edge::core::session::{SessionId, Target};
use honeyhive_edge::core::wire::{Answer, Request};
use serde_json::{Value, json};

const EVENT: &str = "7d0c6a1e-0000-4000-8000-00000000000a";
const OTHER: &str = "7d0c6a1e-0000-4000-8000-00000000000b";

fn event(id: &str) -> Target {
    Target::Event(SessionId::new(id).unwrap())
}

/// Method and path of each request.
fn lines(bench: &Bench) -> Vec<String> {
    let line = |it: &Request| format!("{} {}", it.method, it.url.trim_start_matches(SERVER));
    bench.requests.iter().map(line).collect()
}

fn path_of(request: &Request) -> &str {
    request.url.trim_start_matches(SERVER)
}

/// A server with these routes which knows `EVENT`, and each session that was started.
fn knows_event(is_legacy: bool) -> impl FnMut(&Request) -> Answer {
    move |request| {
        let path = path_of(request);
        match (request.method, is_legacy) {
            ("POST", false) if path == "/v1/sessions" => status(200, "{}"),
            ("POST", true) if path == "/session/start" => status(200, "{}"),
            ("PUT", false) if path.ends_with(EVENT) => status(200, "{}"),
            ("PUT", true) if path == "/events" && request.body.contains(EVENT) => status(200, "{}"),
            ("PUT", true) if path == "/events" => status(400, r#"{"message":"no such event"}"#),
            _ => status(404, r#"{"message":"not found"}"#),
        }
    }
}

#[test]
fn an_event_is_updated_and_never_started() {
    let mut bench = Bench::new(stores);
    let tracer = bench.init(json!({})).tracer;
    let ids = [
        bench.enrich_event(
            tracer,
            EVENT,
            json!({"feedback": {"thumb": "up"}, "outputs": {"a": 1}}),
        ),
        bench.enrich_event(tracer, EVENT, json!({"feedback": {"thumb": "down"}, "error": "x"})),
        bench.enrich_event(tracer, OTHER, json!({"user_properties": {"plan": "pro"}})),
    ];
    bench.run(1_000);
    let put = |id| format!("PUT /v1/events/{id}");
    let mut sent = lines(&bench);
    sent.sort();
    assert_eq!(sent, ["POST /v1/sessions".to_owned(), put(EVENT), put(OTHER)]);
    let place = lines(&bench).iter().position(|line| *line == put(EVENT)).unwrap();
    let merged = json!({
        "metadata": {"error": "x"}, "feedback": {"thumb": "down"}, "outputs": {"a": 1},
    });
    assert_eq!(bench.body(place), merged);
    for (id, name) in ids.iter().zip([EVENT, EVENT, OTHER]) {
        assert_eq!(bench.end_of(*id), Some(&Outcome::Delivered { target: event(name) }));
    }
    let json = bench.end_of(ids[0]).unwrap().to_json();
    assert_eq!(json, format!(r#"{{"status":"delivered","eventId":"{EVENT}"}}"#));
    assert_eq!(bench.registry.outboxes(), 1, "nothing is left of an event that rests");
}

#[test]
fn an_unknown_event_is_refused_on_either_kind_of_server_and_nothing_is_started_for_it() {
    for (is_legacy, start) in [(false, "POST /v1/sessions"), (true, "POST /session/start")] {
        // At once, while nothing is known of the server, and when it is known.
        for wait_ms in [0, 1_000] {
            let mut bench = Bench::new(knows_event(is_legacy));
            let tracer = bench.init(json!({})).tracer;
            bench.run(wait_ms);
            let known = bench.enrich_event(tracer, EVENT, json!({"feedback": {"a": 1}}));
            let unknown = bench.enrich_event(tracer, OTHER, json!({"feedback": {"a": 1}}));
            bench.run(2_000);
            assert!(bench.is_delivered(known), "{is_legacy} {:?}", lines(&bench));
            assert_eq!(bench.reason_of(unknown), Some(Reason::Rejected));
            let starts = lines(&bench).iter().filter(|line| *line == start).count();
            assert_eq!(starts, 1, "the tracer's own session alone: {:?}", lines(&bench));
            let Some(Outcome::Dropped { target, message, .. }) = bench.end_of(unknown) else {
                panic!("{:?}", bench.end_of(unknown))
            };
            assert_eq!(*target, Some(event(OTHER)));
            assert!(message.contains("export the event's span first"), "{message}");
            let dropped: Value = serde_json::from_str(&bench.drops[0]).unwrap();
            assert_eq!(dropped["eventId"], json!(OTHER));
            assert_eq!(dropped["sessionId"], Value::Null);
            assert_eq!(dropped["enrichment"], json!({"feedback": {"a": 1}}));
            if wait_ms > 0 {
                let tries = bench.requests.iter().filter(|it| it.method == "PUT").count();
                assert_eq!(tries, 2, "one for each event: {:?}", lines(&bench));
            }
        }
    }
}

#[test]
fn an_event_is_retried_and_in_order_whatever_fails() {
    let mut seed = fastrand::Rng::with_seed(7);
    let mut stored: BTreeMap<String, Value> = BTreeMap::new();
    let (tell, told) = std::sync::mpsc::channel();
    let mut bench = Bench::new(move |request| {
        if seed.u8(..3) == 0 {
            return status(503, "");
        }
        if request.method == "PUT" {
            let given: Value = serde_json::from_str(&request.body).unwrap();
            let event = stored.entry(path_of(request).to_owned()).or_insert_with(|| json!({}));
            for (key, value) in given["feedback"].as_object().unwrap() {
                event[key] = value.clone();
            }
            tell.send((path_of(request).to_owned(), event.clone())).unwrap();
        }
        status(200, "{}")
    });
    let tracer = bench.init(json!({"deadlineMs": 600_000})).tracer;
    let mut ids = Vec::new();
    for n in 0..60 {
        for id in [EVENT, OTHER] {
            ids.push(bench.enrich_event(tracer, id, json!({"feedback": {"last": n, "n": n % 7}})));
        }
        bench.run(100);
    }
    bench.run(600_000);
    assert!(ids.iter().all(|id| bench.is_delivered(*id)));
    let last: BTreeMap<String, Value> = told.try_iter().collect();
    for id in [EVENT, OTHER] {
        assert_eq!(last[&format!("/v1/events/{id}")]["last"], json!(59));
    }
    let requests = bench.requests.len();
    assert!(requests < ids.len(), "{requests} requests for {} calls", ids.len());
}

#[test]
fn what_cannot_be_an_event_or_says_nothing_is_refused_at_once() {
    let mut bench = Bench::new(stores);
    let tracer = bench.init(json!({})).tracer;
    let nobody = bench.enrich_event(9, EVENT, json!({"feedback": {"a": 1}}));
    let refused = [
        bench.enrich_event(tracer, " ", json!({"feedback": {"a": 1}})),
        bench.enrich_event(tracer, EVENT, json!({})),
        bench.enrich_event(tracer, EVENT, json!({"feedback": 3})),
        bench.registry.enrich_event(tracer, EVENT, "[]".into(), 0, true, bench.now),
    ];
    bench.run(1_000);
    assert_eq!(lines(&bench), ["POST /v1/sessions"]);
    assert!(refused.iter().all(|id| bench.reason_of(*id) == Some(Reason::Invalid)));
    assert_eq!(bench.reason_of(nobody), Some(Reason::Closed));
}

#[test]
fn a_name_is_its_uuid_and_secrets_are_masked() {
    let mut bench = Bench::new(stores);
    let tracer = bench.init(json!({"redact": true, "redactPatterns": true})).tracer;
    let id = bench.enrich_event(tracer, "answer 2", json!({"feedback": {"password": "hunter2"}}));
    bench.run(1_000);
    let uuid = SessionId::new("answer 2").unwrap();
    assert_eq!(bench.end_of(id), Some(&Outcome::Delivered { target: Target::Event(uuid) }));
    assert!(lines(&bench).contains(&format!("PUT /v1/events/{uuid}")));
    assert!(bench.requests.iter().all(|request| !request.body.contains("hunter2")));
}

#[test]
fn the_event_of_a_session_is_the_session() {
    let mut bench = Bench::new(stores);
    let info = bench.init(json!({}));
    let session = info.session_id.to_string();
    let as_event = bench.enrich_event(info.tracer, &session, json!({"feedback": {"a": 1}}));
    let as_session = bench.enrich(info.tracer, None, json!({"feedback": {"a": 2}}));
    bench.run(1_000);
    assert!(bench.is_delivered(as_event) && bench.is_delivered(as_session));
    // Of one session one request after the other, with what came last.
    assert_eq!(
        lines(&bench),
        ["POST /v1/sessions".to_owned(), format!("PUT /v1/events/{session}")]
    );
    assert_eq!(bench.body(1), json!({"feedback": {"a": 2}}));

    // One that was an event at first is made sure of as soon as somebody says that it is a session.
    let mut bench = Bench::new(stores);
    let tracer = bench.init(json!({})).tracer;
    bench.enrich_event(tracer, EVENT, json!({"feedback": {"a": 1}}));
    let touch = bench.enrich(tracer, Some(EVENT), json!({}));
    bench.run(1_000);
    assert!(bench.is_delivered(touch));
    let starts = bench.requests.iter().filter(|request| request.method == "POST");
    assert_eq!(starts.filter(|request| request.body.contains(EVENT)).count(), 1);
}

#[test]
fn a_bare_call_is_given_to_the_tracers_of_one_place_or_to_none() {
    let mut bench = Bench::new(stores);
    let none = bench.enrich_event(0, EVENT, json!({"feedback": {"a": 1}}));
    bench.init(json!({}));
    bench.init(json!({}));
    let alike = bench.enrich_event(0, EVENT, json!({"feedback": {"a": 1}}));
    bench.init(json!({"apiKey": "another"}));
    let doubtful = bench.enrich_event(0, EVENT, json!({"feedback": {"a": 1}}));
    bench.run(1_000);
    assert!(bench.is_delivered(alike));
    for id in [none, doubtful] {
        assert_eq!(bench.reason_of(id), Some(Reason::NoSession));
    }
}

/// A ticket for `fields` of the events, or of the session where there are none.
fn ticket(session: &str, events: &[&str], expires_s: u64) -> String {
    match events {
        [] => format!("hht1.{session}.feedback.{expires_s}.c2lnbmF0dXJl"),
        events => {
            format!("hht2.{session}.feedback.{}.{expires_s}.c2lnbmF0dXJl", events.join("~"))
        }
    }
}

const SESSION: &str = "0a0a0a0a-0000-4000-8000-000000000000";
const LATER_S: u64 = 1_700_003_600;

#[test]
fn a_ticket_of_events_starts_no_session() {
    let mut bench = Bench::new(stores);
    let ticket = ticket(SESSION, &[EVENT], LATER_S);
    let info = bench.init(json!({"apiKey": null, "ticket": ticket}));
    bench.run(1_000);
    assert_eq!(info.session_id.to_string(), SESSION);
    assert_eq!((lines(&bench), bench.idle.as_slice()), (vec![], [info.tracer].as_slice()));
    let id = bench.enrich_event(info.tracer, EVENT, json!({"feedback": {"thumb": "up"}}));
    bench.run(1_000);
    assert!(bench.is_delivered(id));
    assert_eq!(lines(&bench), [format!("PUT /v1/events/{EVENT}")]);

    let mut bench = Bench::new(stores);
    let ticket = self::ticket(SESSION, &[EVENT, SESSION], LATER_S);
    let info = bench.init(json!({"apiKey": null, "ticket": ticket}));
    bench.run(1_000);
    assert_eq!(lines(&bench), [""; 0], "nothing is sent for a ticket before something is said");
    let id = bench.enrich(info.tracer, None, json!({"feedback": {"thumb": "up"}}));
    bench.run(1_000);
    assert!(bench.is_delivered(id));
    assert_eq!(lines(&bench), [format!("PUT /v1/events/{SESSION}")]);
}

/// What a page keeps that says something of `target` while there is no answer.
fn left_by(options: &Value, event: &str) -> Vec<String> {
    let mut page = Bench::new(|_| Answer::None { why: "offline".into() });
    page.registry.restore("[]", 0, page.now);
    let tracer = page.init(options.clone()).tracer;
    page.enrich_event(tracer, event, json!({"feedback": {"thumb": "up"}}));
    page.run(100);
    page.store.into_values().filter(|kept| kept.contains("thumb")).collect()
}

#[test]
fn what_a_page_left_of_an_event_goes_out_with_the_next_and_starts_nothing() {
    let of_events =
        |events: &[&str]| json!({"apiKey": null, "ticket": ticket(SESSION, events, LATER_S)});
    for (before, after, goes) in [
        (json!({}), json!({}), true),
        (json!({}), json!({"apiKey": "another"}), false),
        (of_events(&[EVENT]), of_events(&[EVENT]), true),
        // A ticket for something else: its own is good for as long as it lasts.
        (of_events(&[EVENT]), of_events(&[OTHER]), true),
        (of_events(&[EVENT]), of_events(&[]), true),
        (of_events(&[EVENT]), json!({}), false),
    ] {
        let left = left_by(&before, EVENT);
        assert_eq!(left.len(), 1);
        let mut bench = Bench::new(stores);
        bench.init(after.clone());
        bench.registry.restore(&json!(left).to_string(), 0, bench.now);
        bench.store.insert(-1, left[0].clone());
        bench.run(1_000);
        let put = format!("PUT /v1/events/{EVENT}");
        assert_eq!(lines(&bench).contains(&put), goes, "{after} {:?}", lines(&bench));
        for request in &bench.requests {
            assert!(request.method == "PUT" || !request.body.contains(EVENT), "{}", request.body);
        }
    }
    // One that the ticket does not name is nobody's.
    let left = left_by(&of_events(&[EVENT]), OTHER);
    let mut bench = Bench::new(stores);
    bench.init(of_events(&[EVENT]));
    bench.store.insert(-1, left[0].clone());
    bench.registry.restore(&json!(left).to_string(), 0, bench.now);
    bench.run(1_000);
    assert_eq!(lines(&bench), Vec::<String>::new());
}
