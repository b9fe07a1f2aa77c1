//! What the core does in a browser's page: what goes out when it is left, what a store keeps of it,
//! and what comes back from there, with a network and a store made of plain facts.

#![cfg(not(target_arch = "wasm32"))]

mod harness;

use harness::{Bench, status, stores};
use honeyhive_edge::core::outcome::Reason;
use honeyhive_edge::core::registry::Turn;
use honeyhive_edge::core::wire::{Answer, Request};
use serde_json::{Value, json};

const RELAY: &str = "https://shop.example/honeyhive";
const SESSION: &str = "0a0a0a0a-0000-4000-8000-000000000000";
const OTHER: &str = "1b1b1b1b-0000-4000-8000-000000000000";

fn gone(_: &Request) -> Answer {
    Answer::None { why: "Failed to fetch".into() }
}

/// A ticket for `session` that ends `minutes` after the bench's time begins.
fn ticket(session: &str, minutes: u64) -> String {
    let ends = 1_700_000_000 + minutes * 60;
    ["hht1.", session, ".feedback~metadata.", &ends.to_string(), ".c2lnbmF0dXJl"].concat()
}

/// A page with a store, in which `left` is what earlier pages left.
fn page(answer: impl FnMut(&Request) -> Answer + 'static, left: &[String]) -> Bench {
    let mut bench = Bench::new(answer);
    for (place, json) in left.iter().enumerate() {
        bench.store.insert(-1 - place as i64, json.clone());
    }
    bench.registry.restore(&json!(left).to_string(), 0, bench.now);
    bench.registry.turn(Turn::GoesOn { in_document: true }, bench.now);
    bench
}

fn with_ticket(session: &str) -> Value {
    json!({"ticket": ticket(session, 60), "serverUrl": RELAY, "logLevel": "debug"})
}

/// What a page that was killed left of `store`.
fn left(bench: &Bench) -> Vec<String> {
    bench.store.values().cloned().collect()
}

/// What a page left that said `feedback` of [`SESSION`] and was killed.
fn left_saying(feedback: Value) -> Vec<String> {
    let mut bench = page(gone, &[]);
    let tracer = bench.init(with_ticket(SESSION)).tracer;
    bench.enrich(tracer, None, json!({"feedback": feedback}));
    bench.run(1);
    left(&bench)
}

fn path(request: &Request) -> &str {
    request.url.split_once(".example").unwrap().1
}

/// Nanoseconds since the Unix epoch.
fn stamp(request: &Request) -> u64 {
    let headers: Value = serde_json::from_str(&request.headers).unwrap();
    headers["hh-client-timestamp"].as_str().unwrap().parse().unwrap()
}

#[test]
fn what_is_unsent_is_kept_until_it_has_ended() {
    let mut bench = page(stores, &[]);
    let tracer = bench.init(with_ticket(SESSION)).tracer;
    bench.run(300);
    assert!(bench.store.is_empty(), "that the session exists is made sure of again");
    let id = bench.enrich(tracer, None, json!({"feedback": {"rating": 5}}));
    bench.run(2);
    assert_eq!(bench.store.len(), 1);
    assert!(!bench.is_delivered(id));
    bench.run(300);
    assert!(bench.is_delivered(id) && bench.store.is_empty());
}

#[test]
fn what_is_given_up_is_forgotten() {
    let mut bench = page(gone, &[]);
    let tracer = bench.init(with_ticket(SESSION)).tracer;
    let late = bench.enrich(tracer, None, json!({"feedback": {"rating": 5}}));
    bench.run(40_000);
    assert_eq!(bench.reason_of(late), Some(Reason::RetriesExhausted));
    let closed = bench.enrich(tracer, None, json!({"feedback": {"rating": 4}}));
    bench.run(1);
    assert_eq!(bench.store.len(), 1);
    bench.registry.close(tracer, 10, 0, bench.now);
    bench.run(100);
    assert_eq!(bench.reason_of(closed), Some(Reason::Closed));
    assert!(bench.store.is_empty());
}

#[test]
fn nothing_is_kept_where_that_is_not_wanted_or_there_is_no_store() {
    let mut without = Bench::new(gone);
    let mut unwanted = page(gone, &[]);
    for (bench, persist) in [(&mut without, true), (&mut unwanted, false)] {
        let tracer = bench.init(json!({"persist": persist, "metadata": {"a": 1}})).tracer;
        bench.enrich(tracer, None, json!({"feedback": {"rating": 5}}));
        bench.run(40_000);
        assert_eq!(bench.drops.len(), 1);
        assert!(bench.store.is_empty());
    }
}

#[test]
fn no_key_is_kept() {
    let mut bench = page(gone, &[]);
    let tracer = bench.init(json!({"sessionName": "chat", "redact": true})).tracer;
    bench.enrich(tracer, None, json!({"feedback": {"password": "hunter2", "rating": 5}}));
    bench.run(1);
    let kept = left(&bench).concat();
    assert!(kept.contains("\"rating\":5") && kept.contains("\"chat\""), "{kept}");
    assert!(!kept.contains("sekret") && !kept.contains("hunter2"), "{kept}");
}

#[test]
fn a_session_that_never_got_through_begins_with_the_next_page() {
    let mut before = page(gone, &[]);
    let fields = json!({"inputs": {"q": "hi"}}).to_string();
    let info = before.init(json!({"sessionName": "chat", "source": "prod", "start": fields}));
    before.enrich(info.tracer, None, json!({"feedback": {"rating": 5}}));
    before.run(1);
    let mut bench = page(|_| status(200, r#"{"inputs":{"q":"hi"}}"#), &left(&before));
    bench.init(json!({}));
    bench.run(1_000);
    let of = |bench: &Bench, method: &str| -> Vec<Value> {
        let bodies = bench.requests.iter().filter(|request| request.method == method);
        bodies.map(|request| serde_json::from_str(&request.body).unwrap()).collect()
    };
    let starts = of(&bench, "POST");
    let start =
        starts.iter().find(|start| start["session_id"] == info.session_id.to_string()).unwrap();
    assert_eq!((&start["session_name"], &start["source"]), (&json!("chat"), &json!("prod")));
    assert_eq!(start["inputs"], json!({"q": "hi"}));
    let updates = of(&bench, "PUT");
    assert_eq!(updates, [json!({"feedback": {"rating": 5}})]);
    assert!(bench.store.is_empty());
}

#[test]
fn what_was_left_goes_out_in_order_and_before_what_is_new() {
    let mut before = page(gone, &[]);
    let tracer = before.init(with_ticket(SESSION)).tracer;
    for n in 0..50 {
        let feedback = json!({ "last": n, format!("n{n}"): n });
        before.enrich(tracer, None, json!({ "feedback": feedback }));
        before.run(10);
    }
    assert_eq!(before.store.len(), 50);
    let mut bench = page(stores, &left(&before));
    let tracer = bench.init(with_ticket(SESSION)).tracer;
    let new = bench.enrich(tracer, None, json!({"feedback": {"last": "new"}}));
    bench.run(1_000);
    assert!(bench.is_delivered(new) && bench.store.is_empty());
    let mut stored = json!({});
    for request in bench.requests.iter().filter(|request| request.method == "PUT") {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let feedback = body["feedback"].as_object().unwrap().clone();
        stored.as_object_mut().unwrap().extend(feedback);
    }
    assert_eq!(stored.as_object().unwrap().len(), 51);
    assert_eq!(stored["last"], "new");
}

#[test]
fn what_was_left_counts_as_said_when_it_was_and_not_as_what_the_new_page_says() {
    let mut before = page(gone, &[]);
    let tracer = before.init(with_ticket(SESSION)).tracer;
    let said_at = before.now.unix_ms;
    before.enrich(tracer, None, json!({"feedback": {"last": "kept"}}));
    before.run(1);
    // Of what that page says after this, the backend has it, and the store had no time for it.
    let mut bench = page(stores, &left(&before));
    bench.run(5_000);
    let new_at = bench.now.unix_ms;
    let mut options = with_ticket(SESSION);
    options["start"] = json!(json!({"metadata": {"visit": 2}}).to_string());
    let tracer = bench.init(options).tracer;
    let new = bench.enrich(tracer, None, json!({"feedback": {"rating": 5}}));
    bench.run(1_000);
    assert!(bench.is_delivered(new) && bench.store.is_empty());
    let mut updates = Vec::new();
    for request in bench.requests.iter().filter(|request| request.method == "PUT") {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        updates.push((stamp(request) / 1_000_000, body["feedback"].clone()));
    }
    assert_eq!(
        updates,
        [(said_at, json!({"last": "kept"})), (new_at, json!({"rating": 5}))],
        "a later value that is stored already is not overtaken"
    );
}

#[test]
fn a_page_that_is_left_sends_what_it_says_along_with_what_was_left() {
    let mut bench = page(stores, &left_saying(json!({"kept": 1})));
    let tracer = bench.init(with_ticket(SESSION)).tracer;
    bench.enrich(tracer, None, json!({"feedback": {"new": 2}}));
    bench.registry.turn(Turn::Leaves, bench.now);
    bench.run(0);
    assert_eq!(bench.body(0)["feedback"], json!({"kept": 1, "new": 2}));
}

#[test]
fn what_was_left_goes_with_its_own_ticket_where_the_page_has_another_session() {
    let mut bench = page(stores, &left_saying(json!({"rating": 5})));
    bench.init(with_ticket(OTHER));
    bench.run(1_000);
    let update = bench.requests.iter().find(|request| request.method == "PUT").unwrap();
    assert_eq!(path(update), format!("/honeyhive/v1/events/{SESSION}"));
    assert!(update.headers.contains(&ticket(SESSION, 60)), "{}", update.headers);
    assert!(bench.store.is_empty());
}

#[test]
fn what_was_left_waits_for_a_tracer_that_may_send_it() {
    let mut bench = page(stores, &left_saying(json!({"rating": 5})));
    bench.init(json!({}));
    bench.init(json!({"ticket": ticket(SESSION, 60), "serverUrl": "https://evil.example/hh"}));
    let mut off = with_ticket(SESSION);
    off["persist"] = json!(false);
    bench.init(off);
    bench.run(1_000);
    assert!(bench.requests.iter().all(|request| request.method == "POST"));
    assert_eq!(bench.store.len(), 1);
    bench.init(with_ticket(OTHER));
    bench.run(1_000);
    assert!(bench.requests.iter().any(|request| request.method == "PUT"));
    assert!(bench.store.is_empty());
}

#[test]
fn what_can_be_sent_no_more_is_told_once_and_forgotten() {
    let mut before = page(gone, &[]);
    let options = json!({"ticket": ticket(SESSION, 0), "serverUrl": RELAY});
    let tracer = before.init(options).tracer;
    before.enrich(tracer, None, json!({"feedback": {"rating": 5}}));
    before.run(1);
    let strange = ["{}".to_owned(), "no json".into(), "{\"v\":2}".into(), String::new()];
    let mut bench = page(stores, &[left(&before), strange.to_vec()].concat());
    bench.init(with_ticket(OTHER));
    bench.run(1_000);
    assert!(bench.requests.iter().all(|request| request.method == "POST"));
    assert_eq!(bench.drops.len(), 1, "{:?}", bench.drops);
    let drop: Value = serde_json::from_str(&bench.drops[0]).unwrap();
    assert_eq!(
        (&drop["sessionId"], &drop["reason"]),
        (&json!(SESSION), &json!("retries_exhausted"))
    );
    assert_eq!(drop["enrichment"], json!({"feedback": {"rating": 5}}));
    assert!(bench.store.is_empty());
}

#[test]
fn what_was_left_is_masked_and_bounded_like_anything_else() {
    let mut before = page(gone, &[]);
    let options = json!({"apiKey": "k", "redact": false, "maxQueueBytes": 100_000});
    let tracer = before.init(options.clone()).tracer;
    before.enrich(tracer, None, json!({"metadata": {"password": "hunter2"}}));
    before.enrich(tracer, None, json!({"metadata": {"a": "x".repeat(5_000)}}));
    before.run(1);
    let mut strict = options;
    strict["redact"] = json!(true);
    strict["maxQueueBytes"] = json!(2_000);
    let mut bench = page(stores, &left(&before));
    bench.init(strict);
    bench.run(1_000);
    let sent: String = bench.requests.iter().map(|request| request.body.clone()).collect();
    assert!(sent.contains("\"password\"") && !sent.contains("hunter2"), "{sent}");
    assert!(bench.drops[0].contains("queue_full"), "{:?}", bench.drops);
    assert!(bench.store.is_empty());
}

#[test]
fn totals_go_on_from_what_was_left() {
    let mut before = page(gone, &[]);
    let tracer = before.init(with_ticket(SESSION)).tracer;
    before.registry.add_metrics(tracer, r#"{"tokens":100}"#, 0, before.now);
    before.run(1);
    let mut bench = page(stores, &left(&before));
    let tracer = bench.init(with_ticket(SESSION)).tracer;
    bench.registry.add_metrics(tracer, r#"{"tokens":5}"#, 0, bench.now);
    bench.run(1_000);
    assert_eq!(bench.body(bench.requests.len() - 1)["metrics"], json!({"tokens": 105}));
}

#[test]
fn a_page_that_is_left_sends_what_it_has_at_once_and_without_a_start_before() {
    let mut bench = page(stores, &[]);
    let tracer = bench.init(with_ticket(SESSION)).tracer;
    bench.enrich(tracer, None, json!({"feedback": {"rating": 5}}));
    bench.registry.turn(Turn::Leaves, bench.now);
    bench.run(0);
    assert_eq!(bench.requests.len(), 1);
    assert_eq!(bench.requests[0].method, "PUT");
    assert_eq!(bench.keepalive, [true]);
    bench.run(1_000);
    assert_eq!(bench.requests.len(), 1, "that the session exists is known now");
}

#[test]
fn a_page_that_is_left_does_not_wait_for_the_session_to_exist() {
    let mut bench = page(stores, &[]);
    let tracer = bench.init(with_ticket(SESSION)).tracer;
    bench.run(12);
    assert_eq!(bench.requests[0].method, "POST");
    let id = bench.enrich(tracer, None, json!({"feedback": {"rating": 5}}));
    bench.run(1);
    bench.registry.turn(Turn::Leaves, bench.now);
    bench.run(0);
    assert_eq!((bench.requests.len(), bench.requests[1].method), (2, "PUT"));
    bench.run(1_000);
    assert!(bench.is_delivered(id) && bench.store.is_empty());
    assert_eq!(bench.requests.len(), 2);
}

#[test]
fn a_value_is_not_overtaken_by_a_later_one_where_the_page_is_left() {
    let mut bench = page(stores, &[]);
    let fields = json!({"metadata": {"step": 1}}).to_string();
    let mut options = with_ticket(SESSION);
    options["start"] = json!(fields);
    let tracer = bench.init(options).tracer;
    bench.run(12);
    bench.enrich(tracer, None, json!({"metadata": {"step": 2}}));
    bench.registry.turn(Turn::Leaves, bench.now);
    bench.run(0);
    assert_eq!(bench.requests.len(), 1, "one request of a session at a time");
    assert_eq!(bench.store.len(), 2);
    bench.run(1_000);
    assert_eq!(bench.body(bench.requests.len() - 1)["metadata"]["step"], 2);
}

#[test]
fn a_session_that_was_not_there_after_all_is_started() {
    let mut is_there = false;
    let mut bench = page(
        move |request| {
            is_there |= request.method == "POST";
            status(if is_there { 200 } else { 404 }, "{}")
        },
        &[],
    );
    let tracer = bench.init(with_ticket(SESSION)).tracer;
    let id = bench.enrich(tracer, None, json!({"feedback": {"rating": 5}}));
    bench.registry.turn(Turn::Leaves, bench.now);
    bench.run(1_000);
    let methods: Vec<&str> = bench.requests.iter().map(|request| request.method).collect();
    assert_eq!(methods, ["PUT", "POST", "PUT"]);
    assert!(bench.is_delivered(id));
    assert!(bench.requests.iter().all(|request| path(request).contains("/v1/")));
}

#[test]
fn windows_retries_and_failing_servers_do_not_hold_up_a_page_that_is_left() {
    let mut bench = page(gone, &[]);
    let tracers: Vec<u64> = (0..9).map(|_| bench.init(json!({})).tracer).collect();
    bench.run(3_000);
    for tracer in tracers {
        bench.enrich(tracer, None, json!({"feedback": {"rating": 5}}));
    }
    // None is to be on its way.
    bench.run(6);
    let before = bench.requests.len();
    bench.registry.turn(Turn::Leaves, bench.now);
    bench.run(0);
    assert_eq!(bench.requests.len() - before, 9);
}

#[test]
fn at_most_60_kb_outlive_the_page_the_smallest_sessions_first() {
    let mut bench = page(stores, &[]);
    let sizes = [30_000, 50_000, 100, 20_000];
    let ids: Vec<(u64, u64)> = sizes
        .iter()
        .map(|size| {
            let tracer = bench.init(json!({"persist": true})).tracer;
            let text = "x".repeat(*size);
            (tracer, bench.enrich(tracer, None, json!({"metadata": {"text": text}})))
        })
        .collect();
    bench.registry.turn(Turn::Leaves, bench.now);
    bench.run(0);
    let keepalive: Vec<usize> = bench
        .requests
        .iter()
        .zip(&bench.keepalive)
        .filter(|(_, keepalive)| **keepalive)
        .map(|(request, _)| request.body.len())
        .collect();
    assert_eq!(keepalive.len(), 3, "{keepalive:?}");
    assert!(keepalive.iter().sum::<usize>() < 60_000, "{keepalive:?}");
    assert!(keepalive.is_sorted(), "{keepalive:?}");
    // What did not fit is kept, and goes on like any other if the page does.
    assert!(left(&bench).concat().len() > 100_000);
    bench.run(1_000);
    assert!(ids.iter().all(|(_, id)| bench.is_delivered(*id)) && bench.store.is_empty());
}

#[test]
fn without_a_document_no_request_is_to_outlive_it() {
    let mut bench = page(stores, &[]);
    bench.registry.turn(Turn::GoesOn { in_document: false }, bench.now);
    let tracer = bench.init(json!({})).tracer;
    bench.enrich(tracer, None, json!({"feedback": {"rating": 5}}));
    bench.run(1_000);
    assert!(!bench.keepalive.is_empty() && bench.keepalive.iter().all(|it| !it));
}

#[test]
fn time_offline_does_not_count_and_all_goes_out_when_the_network_is_back() {
    let is_up = std::rc::Rc::new(std::cell::Cell::new(false));
    let network = is_up.clone();
    let mut bench = page(move |it| if network.get() { stores(it) } else { gone(it) }, &[]);
    let tracer = bench.init(with_ticket(SESSION)).tracer;
    let before = bench.enrich(tracer, None, json!({"feedback": {"a": 1}}));
    bench.run(1_000);
    bench.registry.turn(Turn::Offline, bench.now);
    bench.run(60_000);
    let during = bench.enrich(tracer, None, json!({"feedback": {"b": 1}}));
    bench.run(60_000);
    assert_eq!(bench.end_of(before), None);
    assert_eq!(bench.store.len(), 2);
    is_up.set(true);
    bench.registry.turn(Turn::GoesOn { in_document: true }, bench.now);
    bench.run(500);
    assert!(bench.is_delivered(before) && bench.is_delivered(during), "at once");
    assert!(bench.store.is_empty());
    is_up.set(false);
    let after = bench.enrich(tracer, None, json!({"feedback": {"c": 1}}));
    bench.run(40_000);
    assert_eq!(bench.reason_of(after), Some(Reason::RetriesExhausted), "deadlines hold again");
}

#[test]
fn a_page_that_rests_sends_nothing_and_leaves_what_others_took_over() {
    let mut bench = page(gone, &[]);
    let tracer = bench.init(with_ticket(SESSION)).tracer;
    let taken = bench.enrich(tracer, None, json!({"feedback": {"a": 1}}));
    let own = bench.enrich(tracer, None, json!({"feedback": {"b": 1}}));
    bench.run(1);
    bench.registry.turn(Turn::Leaves, bench.now);
    bench.registry.turn(Turn::Rests, bench.now);
    let before = bench.requests.len();
    bench.run(20_000);
    assert!(bench.requests.len() - before <= 1, "it rests");
    bench.answer = Box::new(stores);
    bench.registry.only_kept(&[own], bench.now);
    bench.registry.turn(Turn::GoesOn { in_document: true }, bench.now);
    let before = bench.requests.len();
    bench.run(1_000);
    assert!(bench.is_delivered(own) && bench.is_delivered(taken));
    let sent: String = bench.requests[before..].iter().map(|it| it.body.clone()).collect();
    assert!(sent.contains("\"b\":1") && !sent.contains("\"a\":1"), "{sent}");
    assert_eq!(bench.store.keys().collect::<Vec<_>>(), [&(taken as i64)], "that is another's now");
}

#[test]
fn what_a_page_says_first_is_stored_if_another_page_started_its_session_meanwhile() {
    let mut bench = page(gone, &[]);
    let options = json!({"apiKey": "sekret", "serverUrl": "https://hive.example"});
    let tracer = bench.init(options).tracer;
    let own = bench.enrich(tracer, None, json!({"outputs": {"a": 1}, "config": {"b": 2}}));
    bench.run(1);
    bench.registry.turn(Turn::Leaves, bench.now);
    bench.registry.turn(Turn::Rests, bench.now);
    bench.run(20_000);
    bench.answer = Box::new(stores);
    bench.registry.turn(Turn::GoesOn { in_document: true }, bench.now);
    let before = bench.requests.len();
    bench.run(20_000);
    assert!(bench.is_delivered(own));
    let updates = bench.requests[before..].iter().filter(|it| it.method == "PUT");
    let updates: String = updates.map(|it| it.body.clone()).collect();
    assert!(updates.contains("\"a\":1") && updates.contains("\"b\":2"), "{updates}");
}
