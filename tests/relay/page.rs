//! A tracer with a ticket, which speaks to a relay: of one session, without a key.

use crate::SESSION;
use crate::harness::{Bench, status};
use honeyhive_edge::core::outcome::{Outcome, Reason};
use honeyhive_edge::core::wire::{Answer, Request};
use serde_json::{Value, json};

const TICKET: &str = concat!(
    "hht1.3cd70a6e-7d5b-4f3a-9b39-0c9c6a1f2e4d.feedback.1700003600.",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
);

fn options() -> Value {
    json!({"apiKey": null, "serverUrl": "/honeyhive", "page": "https://shop.example", "ticket": TICKET})
}

fn message_of(bench: &Bench, id: u64) -> &str {
    match bench.end_of(id) {
        Some(Outcome::Dropped { message, .. }) => message,
        other => panic!("{other:?}"),
    }
}

/// As a relay answers, for a ticket that allows feedback.
fn relay(request: &Request) -> Answer {
    let body: Value = serde_json::from_str(&request.body).unwrap();
    let allowed = ["session_id", "feedback"];
    if body.as_object().unwrap().keys().any(|name| !allowed.contains(&name.as_str())) {
        let no = r#"{"message":"the ticket does not allow `metadata`","success":false}"#;
        return status(403, no);
    }
    status(200, r#"{"success":true}"#)
}

#[test]
fn the_session_is_the_tickets_and_nothing_is_sent_before_something_is_said() {
    let mut bench = Bench::new(relay);
    let info = bench.init(options());
    assert_eq!(info.session_id.to_string(), SESSION);
    // As StrictMode mounts a page twice.
    bench.init(options());
    bench.run(1_000);
    assert_eq!(bench.requests, []);
    assert_eq!(bench.idle.len(), 2, "they have nothing to do");
    let id = bench.enrich(info.tracer, None, json!({"feedback": {"rating": 5}}));
    bench.run(1_000);
    assert!(bench.is_delivered(id));
    let sent: Vec<_> =
        bench.requests.iter().map(|it| (it.url.as_str(), it.body.as_str())).collect();
    let update = format!("https://shop.example/honeyhive/v1/events/{SESSION}");
    assert_eq!(sent, [(update.as_str(), r#"{"feedback":{"rating":5}}"#)]);
    for request in &bench.requests {
        let headers: Value = serde_json::from_str(&request.headers).unwrap();
        assert_eq!(headers["authorization"], format!("Bearer {TICKET}"));
    }
    assert_eq!(bench.lines, Vec::<String>::new());
}

#[test]
fn a_page_s_first_fields_are_an_update_and_make_a_session_that_is_missing() {
    let mut is_there = false;
    let mut bench = Bench::new(move |request| {
        is_there |= request.method == "POST";
        match is_there {
            true => status(200, r#"{"success":true}"#),
            false => status(404, r#"{"message":"no such event","success":false}"#),
        }
    });
    let mut given = options();
    given["start"] = json!(r#"{"metadata":{"consent":true}}"#);
    bench.init(given);
    bench.run(1_000);
    let sent: Vec<_> = bench.requests.iter().map(|it| it.method).collect();
    assert_eq!(sent, ["PUT", "POST"], "a start stores what it says");
    assert_eq!(bench.body(0), json!({"metadata": {"consent": true}}));
    assert_eq!(bench.body(1), json!({"session_id": SESSION, "metadata": {"consent": true}}));
}

#[test]
fn inputs_that_a_page_gives_are_the_session_s_own_unless_it_has_some() {
    for (said_first, has_inputs) in [(true, false), (false, false), (true, true)] {
        let mut bench = Bench::new(move |request| {
            let body: Value = serde_json::from_str(&request.body).unwrap();
            let site_s = json!({"q": "the site's"});
            let inputs = if has_inputs { &site_s } else { &body["inputs"] };
            status(200, &json!({"success": true, "inputs": inputs}).to_string())
        });
        let tracer = bench.init(options()).tracer;
        if !said_first {
            bench.enrich(tracer, None, json!({"feedback": {"rating": 5}}));
            bench.run(1_000);
        }
        bench.requests.clear();
        bench.enrich(tracer, None, json!({"inputs": {"q": "hi"}}));
        bench.run(1_000);
        let sent: Vec<Value> = (0..bench.requests.len()).map(|place| bench.body(place)).collect();
        let start = json!({"session_id": SESSION, "inputs": {"q": "hi"}});
        let update = json!({"metadata": {"inputs": {"q": "hi"}}});
        let expected = match (said_first, has_inputs) {
            (true, false) => vec![start],
            (true, true) => vec![start, update],
            (false, _) => vec![update],
        };
        assert_eq!(sent, expected);
    }
}

#[test]
fn an_id_beside_a_ticket_is_left_out() {
    let mut bench = Bench::new(relay);
    let mut given = options();
    given["sessionId"] = json!(SESSION);
    assert_eq!(bench.init(given.clone()).session_id.to_string(), SESSION);
    bench.run(100);
    assert_eq!(bench.lines, Vec::<String>::new());
    given["sessionId"] = json!("another");
    assert_eq!(bench.init(given).session_id.to_string(), SESSION);
    bench.run(100);
    assert!(bench.lines[0].contains("`sessionId` is left out"), "{:?}", bench.lines);
}

#[test]
fn a_further_session_is_not_written_into_the_tickets() {
    let mut bench = Bench::new(relay);
    let parent = bench.init(options());
    let mut child = options();
    child["parent"] = json!(parent.tracer);
    child["newSessionId"] = json!("0a0a0a0a-0000-4000-8000-000000000000");
    assert_eq!(bench.init(child).session_id.to_string(), "0a0a0a0a-0000-4000-8000-000000000000");
}

#[test]
fn a_field_that_the_ticket_does_not_allow_costs_only_itself() {
    let mut bench = Bench::new(relay);
    let tracer = bench.init(options()).tracer;
    let rating = bench.enrich(tracer, None, json!({"feedback": {"rating": 5}}));
    let plan = bench.enrich(tracer, None, json!({"metadata": {"plan": "pro"}}));
    let comment = bench.enrich(tracer, None, json!({"feedback": {"comment": "good"}}));
    bench.run(2_000);
    assert!(bench.is_delivered(rating) && bench.is_delivered(comment));
    assert_eq!(bench.reason_of(plan), Some(Reason::Rejected));
    assert!(message_of(&bench, plan).contains("does not allow `metadata`"));
}

#[test]
fn what_the_relay_says_of_the_ticket_is_passed_on_without_it() {
    let mut bench = Bench::new(|_| {
        let message = format!("{TICKET} is none");
        status(401, &json!({"message": message, "success": false}).to_string())
    });
    let tracer = bench.init(options()).tracer;
    let id = bench.enrich(tracer, None, json!({"feedback": {"rating": 5}}));
    bench.run(2_000);
    assert_eq!(bench.reason_of(id), Some(Reason::Rejected));
    let message = message_of(&bench, id);
    assert!(message.contains("401: [Redacted] is none"), "{message}");
    let said = format!("{:?} {:?}", bench.lines, bench.drops);
    assert!(!said.contains("hht1"), "{said}");
}
