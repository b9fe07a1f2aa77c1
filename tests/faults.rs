//! What the core and the shell around it owe each other: the shell holds what a tracer came with (its
//! `fetch`, its `onDrop`, its masking) exactly while the tracer has work, and reports are true.

#![cfg(not(target_arch = "wasm32"))]

mod harness;

use harness::{Bench, SERVER, status, stores};
use honeyhive_edge::core::ledger::Counts;
use honeyhive_edge::core::outcome::{Outcome, Reason};
use honeyhive_edge::core::registry::Turn;
use honeyhive_edge::core::retry::RetryAfter;
use honeyhive_edge::core::wire::{Answer, Request};
use serde_json::json;

/// Ends of a call that are there at once, beside one that goes on its way.
fn calls_that_end_at_once(bench: &mut Bench, tracer: u64) -> Vec<u64> {
    vec![
        bench.enrich(tracer, None, json!({"metadata": 3})),
        bench.registry.add_metrics(tracer, "{}", 0, bench.now),
        bench.enrich(tracer, None, json!({"metadata": {"a": "x".repeat(5_000_000)}})),
        bench.registry.flush(tracer, 1_000, 0, bench.now),
    ]
}

#[test]
fn a_call_that_ends_at_once_does_not_let_go_of_what_the_next_one_needs() {
    for which in 0..4 {
        let mut bench = Bench::new(stores);
        let tracer = bench.init(json!({"transport": 7})).tracer;
        bench.run(500);
        assert_eq!(bench.idle, [tracer]);
        let at_once = calls_that_end_at_once(&mut bench, tracer).swap_remove(which);
        let good = bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
        bench.run(500);
        assert!(bench.end_of(at_once).is_some());
        assert!(bench.is_delivered(good));
        assert!(bench.unreachable.is_empty(), "{which}: {:?}", bench.unreachable);
        assert!(bench.busy.is_empty(), "nothing is held at the end");
    }
}

#[test]
fn a_flush_between_two_calls_does_not_let_go_of_what_the_second_one_needs() {
    let mut bench = Bench::new(stores);
    let a = bench.init(json!({"transport": 1})).tracer;
    let b = bench.init(json!({"transport": 2})).tracer;
    bench.run(500);
    bench.enrich(b, None, json!({"metadata": {"b": 1}}));
    bench.registry.flush(a, 1_000, 0, bench.now);
    let second = bench.enrich(a, None, json!({"metadata": {"a": 1}}));
    bench.run(500);
    assert!(bench.is_delivered(second) && bench.unreachable.is_empty());
    assert!(bench.busy.is_empty());
}

#[test]
fn what_another_tracer_gives_is_held_by_the_one_that_it_is_given_to() {
    let mut bench = Bench::new(|_| status(422, ""));
    let owner = bench.init(json!({"transport": 1}));
    let active = bench.init(json!({"transport": 2, "apiKey": "another"})).tracer;
    bench.run(500);
    let json = json!({"metadata": {"a": 1}}).to_string();
    let session = &owner.session_id.to_string();
    assert_eq!(bench.registry.resolve_tracer(active, session, 0), owner.tracer);
    let id = bench.registry.enrich(active, Some(session), json, 0, false, bench.now);
    bench.hear_busy();
    assert!(bench.busy.contains(&owner.tracer) && !bench.busy.contains(&active));
    bench.run(500);
    assert_eq!(bench.reason_of(id), Some(Reason::Rejected));
    assert_eq!(bench.drops.len(), 1);
    assert!(bench.unreachable.is_empty(), "{:?}", bench.unreachable);
}

#[test]
fn a_session_of_nobodys_and_what_a_dead_tab_left_are_held_as_well() {
    let mut bench = Bench::new(stores);
    bench.registry.restore("[]", 0, bench.now);
    for _ in 0..2 {
        bench.init(json!({"transport": 1}));
    }
    bench.run(500);
    let third = "33333333-3333-4333-8333-333333333333";
    let bare = bench.enrich(0, Some(third), json!({"metadata": {"a": 1}}));
    bench.run(1);
    let left = bench.store.values().next().expect("it is kept").clone();
    bench.run(500);
    assert!(bench.is_delivered(bare) && bench.busy.is_empty());
    bench.store.insert(-1, left.clone());
    bench.registry.restore(&json!([left]).to_string(), 0, bench.now);
    bench.hear_busy();
    assert_eq!(bench.busy.len(), 1, "a tracer has it to send");
    bench.run(500);
    assert!(bench.unreachable.is_empty(), "{:?}", bench.unreachable);
    assert!(bench.busy.is_empty() && bench.store.is_empty());
}

#[test]
fn a_start_that_outlives_its_closed_tracer_has_the_fetch_that_it_needs() {
    let mut bench = Bench::new(|_| status(503, ""));
    let tracer = bench.init(json!({"transport": 1, "onDrop": false})).tracer;
    bench.run(12);
    bench.registry.close(tracer, 0, 0, bench.now);
    bench.registry.release(tracer, bench.now);
    bench.run(60_000);
    assert!(bench.unreachable.is_empty(), "{:?}", bench.unreachable);
    assert!(bench.busy.is_empty());
    assert_eq!(bench.registry.tracers(), 0);
}

#[test]
fn what_nobody_has_masked_for_the_tracer_that_gets_it_is_masked_whole() {
    let secrets = json!({"metadata": {"ssn": "078-05-1120"}, "outputs": ["hunter2"]});
    for (owner_masks, names) in [(true, false), (false, false), (true, true)] {
        let mut bench = Bench::new(stores);
        let owner = bench.init(json!({"redact": false, "redactor": owner_masks}));
        let active = bench.init(json!({})).tracer;
        bench.run(500);
        let asked = if names { owner.tracer } else { active };
        let (session, json) = (&owner.session_id.to_string(), secrets.to_string());
        bench.registry.enrich(asked, Some(session), json, 0, names, bench.now);
        bench.run(500);
        let body = bench.body(bench.requests.len() - 1);
        match owner_masks && !names {
            true => assert_eq!(
                body,
                json!({"metadata": {"redacted": "[Redacted]"}, "outputs": {"redacted": "[Redacted]"}})
            ),
            false => assert_eq!(body["metadata"], secrets["metadata"]),
        }
    }
}

#[test]
fn the_only_tracer_that_is_found_by_an_id_of_nobodys_masks_as_well() {
    let mut bench = Bench::new(stores);
    let tracer = bench.init(json!({"redact": false, "redactor": true})).tracer;
    bench.run(500);
    let third = "33333333-3333-4333-8333-333333333333";
    assert_eq!(bench.registry.resolve_tracer(0, third, 0), tracer);
    let json = json!({"metadata": {"ssn": "078-05-1120"}}).to_string();
    bench.registry.enrich(0, Some(third), json, 0, false, bench.now);
    bench.run(500);
    assert!(!bench.requests.iter().any(|request| request.body.contains("078")));
}

#[test]
fn a_tracer_that_nobody_refers_to_is_given_nothing_more() {
    let mut bench = Bench::new(|_| Answer::None { why: "refused".into() });
    let gone = bench.init(json!({"transport": 1}));
    bench.registry.release(gone.tracer, bench.now);
    let other = bench.init(json!({})).tracer;
    assert_eq!(bench.registry.resolve_tracer(other, &gone.session_id.to_string(), 0), other);
}

fn report_of(bench: &Bench, id: u64) -> Counts {
    match bench.end_of(id) {
        Some(Outcome::Flushed(counts)) => *counts,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_second_close_and_a_flush_after_it_report_what_the_first_one_did() {
    for on_drop in [false, true] {
        let mut bench = Bench::new(stores);
        let tracer = bench.init(json!({"onDrop": on_drop})).tracer;
        bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
        bench.enrich(tracer, None, json!({"metadata": 3}));
        let first = bench.registry.close(tracer, 1_000, 0, bench.now);
        bench.run(500);
        let second = bench.registry.close(tracer, 1_000, 0, bench.now);
        let flush = bench.registry.flush(tracer, 1_000, 0, bench.now);
        bench.run(500);
        let report = Counts { delivered: 1, dropped: 1, pending: 0 };
        for id in [first, second, flush] {
            assert_eq!(report_of(&bench, id), report);
        }
        bench.registry.release(tracer, bench.now);
        assert_eq!(bench.registry.tracers(), 0);
    }
}

#[test]
fn two_closes_at_once_report_the_same() {
    for timeouts in [(0, 0), (50, 50), (50, 5_000), (5_000, 50)] {
        let mut bench = Bench::new(|_| Answer::None { why: "refused".into() });
        let tracer = bench.init(json!({})).tracer;
        bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
        let first = bench.registry.close(tracer, timeouts.0, 0, bench.now);
        let second = bench.registry.close(tracer, timeouts.1, 0, bench.now);
        bench.run(500);
        let report = Counts { delivered: 0, dropped: 1, pending: 0 };
        assert_eq!([first, second].map(|id| report_of(&bench, id)), [report; 2]);
    }
}

#[test]
fn a_flush_of_all_waits_for_the_starts_of_closed_tracers_and_for_nothing_else() {
    let mut bench = Bench::new(stores);
    let closed = bench.init(json!({})).tracer;
    bench.run(12);
    assert_eq!(bench.requests.len(), 1, "its start is on its way");
    bench.registry.close(closed, 0, 0, bench.now);
    let tracer = bench.init(json!({})).tracer;
    let id = bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
    let flush = bench.registry.flush(0, 10_000, 0, bench.now);
    bench.run(500);
    assert!(bench.is_delivered(id));
    assert_eq!(report_of(&bench, flush).pending, 0);
}

const NOBODYS: &str = "33333333-3333-4333-8333-333333333333";

/// A server that has only the sessions that were started, and only these routes.
struct Sessions {
    started: Vec<String>,
    legacy: bool,
    /// What it says of an update of a session that it does not have.
    unknown: u16,
}

impl Sessions {
    fn take(&mut self, request: &Request) -> Answer {
        let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let path = request.url.trim_start_matches(SERVER);
        let (start, update) = match (path, self.legacy) {
            ("/v1/sessions", false) => (Some(text(&body["session_id"])), None),
            ("/session/start", true) => (Some(text(&body["session"]["session_id"])), None),
            ("/events", true) => (None, Some(text(&body["event_id"]))),
            (path, false) if path.starts_with("/v1/events/") => {
                (None, Some(path.trim_start_matches("/v1/events/").to_owned()))
            }
            _ => return status(404, r#"{"message":"no such route"}"#),
        };
        self.started.extend(start);
        let is_known = update.is_none_or(|id| self.started.contains(&id));
        let code = if is_known && !request.body.contains("poison") { 200 } else { self.unknown };
        status(code, r#"{"message":"no such session"}"#)
    }
}

/// With any server, an unknown session costs no other session anything, and is made once.
#[test]
fn an_update_of_an_unknown_session_says_nothing_of_the_routes() {
    for (legacy, unknown) in [(false, 404), (false, 405), (true, 404), (true, 400)] {
        for update_first in [false, true] {
            let mut server = Sessions { started: Vec::new(), legacy, unknown };
            let mut bench = Bench::new(move |request| server.take(request));
            let tracer = bench.init(json!({"sessionId": NOBODYS})).tracer;
            let other = "44444444-4444-4444-8444-444444444444";
            if !update_first {
                bench.run(500);
            }
            let mut ids = vec![bench.enrich(tracer, Some(other), json!({"feedback": {"a": 1}}))];
            bench.run(500);
            for _ in 0..5 {
                let next = bench.init(json!({})).tracer;
                ids.push(bench.enrich(next, None, json!({"metadata": {"a": 1}})));
                ids.push(bench.enrich(next, None, json!({"metrics": {"a": 1}})));
            }
            bench.run(2_000);
            let lost: Vec<_> = ids.iter().filter(|id| !bench.is_delivered(**id)).collect();
            assert!(lost.is_empty(), "{legacy} {unknown}: {:?}", bench.lines);
            let count = |path| bench.requests.iter().filter(|it| it.url.ends_with(path)).count();
            let tries = if legacy { count("/v1/sessions") } else { count("/session/start") };
            assert!(tries <= 2, "{tries} tries of the other routes");
        }
    }
}

#[test]
fn bad_input_to_a_known_legacy_session_starts_nothing_and_an_unknown_one_is_started_once() {
    let mut server = Sessions { started: Vec::new(), legacy: true, unknown: 400 };
    let mut bench = Bench::new(move |request| server.take(request));
    let tracer = bench.init(json!({})).tracer;
    bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
    bench.run(500);
    let before = bench.requests.len();
    let bad = bench.enrich(tracer, None, json!({"metrics": {"poison": 1}}));
    bench.run(500);
    assert_eq!(bench.reason_of(bad), Some(Reason::Rejected));
    assert_eq!(bench.requests.len(), before + 1);
    let bad = bench.enrich(tracer, Some(NOBODYS), json!({"metrics": {"poison": 1}}));
    bench.run(500);
    assert_eq!(bench.reason_of(bad), Some(Reason::Rejected));
    assert_eq!(bench.requests.len(), before + 4, "an update, a start, an update");
}

#[test]
fn a_server_that_changes_its_routes_is_followed() {
    for from in [false, true] {
        let mut requests = 0;
        let mut bench = Bench::new(move |request| {
            requests += 1;
            let legacy = if requests <= 4 { from } else { !from };
            let is_v1 = request.url.contains("/v1/");
            status(if is_v1 == legacy { 404 } else { 200 }, "{}")
        });
        for _ in 0..10 {
            let tracer = bench.init(json!({})).tracer;
            let first = bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
            bench.run(500);
            let second = bench.enrich(tracer, None, json!({"metrics": {"a": 1}}));
            bench.run(500);
            assert!(bench.is_delivered(first) && bench.is_delivered(second), "{:?}", bench.lines);
        }
    }
}

/// The parts that wait in all outboxes, by what they take to print.
fn size_of_all(bench: &Bench) -> usize {
    format!("{:?}", bench.registry).len()
}

#[test]
fn starts_that_were_given_up_do_not_pile_up_while_a_server_is_down() {
    for fields in ["{}", r#"{"metadata":{"plan":"pro"},"inputs":{"q":"hi"}}"#] {
        let mut bench = Bench::new(|_| status(503, ""));
        let mut sizes = Vec::new();
        let tracer = bench.init(json!({"sessionId": NOBODYS, "deadlineMs": 500})).tracer;
        for round in 0..4 {
            for _ in 0..100 {
                let options = json!({"sessionId": NOBODYS, "deadlineMs": 500, "start": fields});
                let tracer = bench.init(options).tracer;
                if round % 2 == 0 {
                    bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
                }
                bench.run(20);
                bench.registry.release(tracer, bench.now);
            }
            bench.run(10_000);
            sizes.push(size_of_all(&bench));
        }
        assert!(sizes[3] < sizes[0] + 2_000, "{sizes:?}");
        bench.answer = Box::new(stores);
        let id = bench.enrich(tracer, None, json!({"feedback": {"good": true}}));
        bench.run(20_000);
        assert!(bench.is_delivered(id));
        let plan = fields.contains("pro").then(|| json!("pro"));
        let start = bench.requests.iter().rev().find(|it| it.url.ends_with("/v1/sessions"));
        let start: serde_json::Value = serde_json::from_str(&start.unwrap().body).unwrap();
        assert_eq!(start["metadata"].get("plan"), plan.as_ref(), "what a start said is not lost");
        assert_eq!(bench.registry.held(), 0);
    }
}

#[test]
fn a_clock_that_is_set_back_holds_up_nothing() {
    let mut bench = Bench::new(stores);
    let tracer = bench.init(json!({})).tracer;
    bench.now.mono_ms += 7_200_000;
    bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
    bench.run(500);
    bench.enrich(tracer, None, json!({"metadata": {"a": 2}}));
    bench.run(20);
    let waits = bench.enrich(tracer, None, json!({"metadata": {"a": 3}}));
    let flush = bench.registry.flush(tracer, 1_000, 0, bench.now);
    // Where there is no `performance`, this is the only clock.
    bench.now.mono_ms -= 3_600_000;
    bench.run(1_000);
    assert!(bench.is_delivered(waits));
    assert_eq!(report_of(&bench, flush).pending, 0);
    let next = bench.enrich(tracer, None, json!({"metadata": {"a": 4}}));
    bench.run(1_000);
    assert!(bench.is_delivered(next));
}

#[test]
fn what_was_kept_for_too_long_is_forgotten_whosever_it_was() {
    let mut bench = Bench::new(|_| status(503, ""));
    bench.registry.restore("[]", 0, bench.now);
    let tracer = bench.init(json!({"deadlineMs": 100_000_000})).tracer;
    bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
    bench.run(1_000);
    let kept = bench.store.values().next().unwrap().clone();
    let day_ms = 24 * 3_600_000;
    for (later_ms, stays) in [(day_ms, true), (3 * 365 * day_ms, false)] {
        let mut page = Bench::new(stores);
        page.now.unix_ms = bench.now.unix_ms + later_ms;
        page.init(json!({"apiKey": "another"}));
        page.store.insert(-1, kept.clone());
        page.registry.restore(&json!([kept]).to_string(), 0, page.now);
        page.run(1_000);
        assert_eq!(page.store.contains_key(&-1), stays);
        // Its own tracer comes after all.
        page.init(json!({}));
        page.run(1_000);
        assert!(page.store.is_empty());
        assert_eq!(page.drops.len(), usize::from(!stays), "what is not sent is told");
    }
}

/// What a page that died left of the session [`NOBODYS`], said a minute before `bench` is.
fn left_a_minute_ago(fields: &serde_json::Value) -> String {
    let mut bench = Bench::new(|_| status(503, ""));
    bench.now.unix_ms -= 60_000;
    bench.registry.restore("[]", 0, bench.now);
    let tracer = bench.init(json!({"sessionId": NOBODYS})).tracer;
    bench.run(500);
    bench.store.clear();
    bench.enrich(tracer, None, fields.clone());
    bench.run(1);
    bench.store.into_values().next_back().expect("it is kept")
}

fn restore(bench: &mut Bench, left: String) {
    bench.store.insert(-1, left.clone());
    bench.registry.restore(&json!([left]).to_string(), 0, bench.now);
    bench.hear_busy();
}

#[test]
fn what_a_dead_tab_left_is_stamped_before_what_was_sent_since() {
    let stamp = |request: &Request| {
        let headers: serde_json::Value = serde_json::from_str(&request.headers).unwrap();
        headers["hh-client-timestamp"].as_str().unwrap().parse::<u64>().unwrap()
    };
    let mut bench = Bench::new(stores);
    let tracer = bench.init(json!({"sessionId": NOBODYS})).tracer;
    bench.enrich(tracer, None, json!({"feedback": {"rating": "new"}}));
    bench.run(1_000);
    restore(&mut bench, left_a_minute_ago(&json!({"feedback": {"rating": "old"}})));
    bench.run(1_000);
    let of =
        |said: &str| bench.requests.iter().find(|it| it.body.contains(said)).map(stamp).unwrap();
    assert!(of("old") < of("new"), "the backend goes by the time");
}

#[test]
fn what_a_dead_tab_left_is_stamped_after_what_it_had_sent_of_the_same_millisecond() {
    let stamp = |request: &Request| {
        let headers: serde_json::Value = serde_json::from_str(&request.headers).unwrap();
        headers["hh-client-timestamp"].as_str().unwrap().parse::<u64>().unwrap()
    };
    let mut first = Bench::new(stores);
    first.registry.restore("[]", 0, first.now);
    let options = json!({"sessionId": NOBODYS, "mergeWindowMs": 0});
    let tracer = first.init(options.clone()).tracer;
    for round in 0..5 {
        first.enrich(tracer, None, json!({"feedback": {"rating": round}}));
        // Sent at once, and answered while the clock stands.
        first.latency_ms = 0;
        first.registry.flush(tracer, 1_000, 0, first.now);
        first.run(0);
    }
    let sent = first.requests.iter().map(stamp).max().unwrap();
    first.latency_ms = 50;
    first.enrich(tracer, None, json!({"feedback": {"rating": "last"}}));
    first.run(0);
    let left = first.store.values().next_back().expect("it is kept").clone();
    let mut next = Bench::new(stores);
    next.now.unix_ms += 1;
    next.init(json!({"sessionId": "55555555-5555-4555-8555-555555555555"}));
    restore(&mut next, left);
    next.run(1_000);
    let last = next.requests.iter().find(|it| it.body.contains("last")).map(stamp).unwrap();
    assert!(last > sent, "{last} {sent}");
}

#[test]
fn a_total_is_not_set_back_by_what_a_dead_tab_left() {
    let mut bench = Bench::new(stores);
    let tracer = bench.init(json!({"sessionId": NOBODYS})).tracer;
    bench.registry.add_metrics(tracer, r#"{"tokens":3}"#, 0, bench.now);
    bench.enrich(tracer, None, json!({"metrics": {"set": 7}}));
    bench.run(1_000);
    restore(&mut bench, left_a_minute_ago(&json!({"metrics": {"tokens": 5, "set": 1}})));
    bench.run(1_000);
    bench.registry.add_metrics(tracer, r#"{"tokens":1,"set":1}"#, 0, bench.now);
    bench.run(1_000);
    let last = bench.body(bench.requests.len() - 1);
    assert_eq!(last["metrics"], json!({"tokens": 9, "set": 8}));
}

#[test]
fn after_an_outage_each_has_the_deadline_that_it_was_given() {
    let mut bench = Bench::new(|_| status(503, ""));
    let give = |bench: &mut Bench| {
        [1_000, 60_000].map(|deadline_ms| {
            let options = json!({"sessionId": NOBODYS, "deadlineMs": deadline_ms});
            let tracer = bench.init(options).tracer;
            bench.enrich(tracer, None, json!({"metadata": {"a": deadline_ms}}))
        })
    };
    let before = give(&mut bench);
    bench.registry.turn(Turn::Offline, bench.now);
    let meanwhile = give(&mut bench);
    bench.run(3_600_000);
    assert!([before, meanwhile].concat().iter().all(|id| bench.end_of(*id).is_none()));
    bench.registry.turn(Turn::GoesOn { in_document: true }, bench.now);
    bench.run(3_000);
    for [short, long] in [before, meanwhile] {
        assert_eq!(bench.reason_of(short), Some(Reason::RetriesExhausted));
        assert_eq!(bench.end_of(long), None);
    }
}

#[test]
fn switching_tabs_does_not_shorten_what_a_server_asked_for() {
    let mut bench = Bench::new(|_| Answer::Http {
        status: 429,
        retry_after: Some(RetryAfter::Seconds(20)),
        body: "".into(),
    });
    let tracer = bench.init(json!({})).tracer;
    bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
    for _ in 0..50 {
        bench.registry.turn(Turn::Leaves, bench.now);
        bench.run(100);
        bench.registry.turn(Turn::GoesOn { in_document: true }, bench.now);
        bench.run(100);
    }
    assert!(bench.requests.len() <= 2, "{} requests", bench.requests.len());
}

#[test]
fn a_retry_after_of_a_day_to_one_tracer_does_not_drop_what_another_one_says() {
    for deadline_ms in [4_000, 30_000] {
        let mut requests = 0;
        let mut bench = Bench::new(move |request| {
            requests += 1;
            let retry_after = Some(RetryAfter::Seconds(86_400));
            match requests {
                1 => Answer::Http { status: 429, retry_after, body: "".into() },
                _ => stores(request),
            }
        });
        let patient = bench.init(json!({"deadlineMs": 1_000_000_000})).tracer;
        bench.enrich(patient, None, json!({"metadata": {"a": 1}}));
        bench.run(1_000);
        let other = bench.init(json!({ "deadlineMs": deadline_ms })).tracer;
        let id = bench.enrich(other, None, json!({"metadata": {"a": 1}}));
        bench.run(deadline_ms);
        assert!(bench.is_delivered(id), "{:?}", bench.end_of(id));
        assert_eq!(bench.requests.len(), 2, "who was asked to wait waits");
    }
}

#[test]
fn totals_go_on_where_a_tracer_is_released_and_comes_back() {
    let mut bench = Bench::new(stores);
    let tracer = bench.init(json!({"sessionId": NOBODYS})).tracer;
    bench.registry.add_metrics(tracer, r#"{"tokens":5,"cost":0.5}"#, 0, bench.now);
    bench.run(1_000);
    let totals = bench.registry.totals_of(tracer);
    bench.registry.release(tracer, bench.now);
    bench.run(1_000);
    let again = bench.init(json!({"sessionId": NOBODYS, "totals": totals})).tracer;
    bench.registry.add_metrics(again, r#"{"tokens":3}"#, 0, bench.now);
    bench.run(1_000);
    let last = bench.body(bench.requests.len() - 1);
    assert_eq!(last["metrics"], json!({"tokens": 8}));
}
