//! What the core does in a browser's page: what goes out when it is left, what a store keeps of it,
//! and what comes back from there, with a network and a store made of plain facts.

#![cfg(not(target_arch = "wasm32"))]

mod harness;

use harness::{Bench, gone, left, page, stamp, status, stores};
use honeyhive_edge::core::json::Numerals;
use honeyhive_edge::core::outcome::Reason;
use honeyhive_edge::core::registry::{Registry, Turn};
use honeyhive_edge::core::retry::RetryAfter;
use honeyhive_edge::core::wire::{Answer, Request};
use serde_json::{Value, json};

const RELAY: &str = "https://shop.example/honeyhive";
const SESSION: &str = "0a0a0a0a-0000-4000-8000-000000000000";
const OTHER: &str = "1b1b1b1b-0000-4000-8000-000000000000";

/// A ticket for `session` that ends `minutes` after the bench's time begins.
fn ticket(session: &str, minutes: u64) -> String {
    let ends = 1_700_000_000 + minutes * 60;
    ["hht1.", session, ".feedback~metadata.", &ends.to_string(), ".c2lnbmF0dXJl"].concat()
}

fn with_ticket(session: &str) -> Value {
    json!({"ticket": ticket(session, 60), "serverUrl": RELAY, "logLevel": "debug"})
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
fn no_request_is_stamped_later_than_what_is_said_after_it() {
    // Each is a way in which a request gets its timestamp long after it was said. What is said then may go out with
    // another page, stamped with when it was said.
    for way in ["waits", "halved", "started after all"] {
        let mut is_there = way != "started after all";
        let mut bench = page(
            move |request| {
                is_there |= request.method == "POST";
                match request.body.contains("poison") {
                    _ if !request.url.contains(SESSION) => stores(request),
                    true => status(422, r#"{"message":"no"}"#),
                    false if !is_there => status(404, r#"{"message":"no such event"}"#),
                    false => stores(request),
                }
            },
            &[],
        );
        let tracer = bench.init(json!({})).tracer;
        let other = bench.init(json!({"mergeWindowMs": 0})).tracer;
        bench.run(1_000);
        bench.latency_ms = 200;
        let said_at = bench.now.unix_ms;
        if way == "waits" {
            // Two requests at once are all that a page sends.
            for _ in 0..2 {
                let tracer = bench.init(json!({})).tracer;
                bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
                bench.run(10);
            }
        }
        if way == "halved" {
            bench.enrich(tracer, Some(SESSION), json!({"feedback": {"poison": 1}}));
        }
        let said = bench.enrich(tracer, Some(SESSION), json!({"feedback": {"last": "early"}}));
        let last_at = bench.now.unix_ms;
        for n in 0..400 {
            bench.enrich(other, None, json!({"metadata": {"n": n}}));
            bench.run(10);
        }
        assert!(bench.is_delivered(said), "{way}");
        let of_session = bench.requests.iter().filter(|it| it.url.contains(SESSION));
        let stamps: Vec<u64> = of_session.map(|request| stamp(request) / 1_000_000).collect();
        let is_in_time = |stamp: &u64| (said_at..=last_at).contains(stamp);
        assert!(!stamps.is_empty() && stamps.iter().all(is_in_time), "{way}: {stamps:?}");
    }
}

#[test]
fn what_was_left_comes_after_what_its_page_sent_where_the_clock_was_set_back() {
    let mut before = page(stores, &[]);
    let tracer = before.init(json!({})).tracer;
    before.enrich(tracer, Some(SESSION), json!({"feedback": {"last": 1}}));
    before.run(1_000);
    before.now.unix_ms -= 3_600_000;
    before.latency_ms = 5_000;
    before.enrich(tracer, Some(SESSION), json!({"feedback": {"last": 2}}));
    before.run(10);
    let mut bench = page(stores, &left(&before));
    let tracer = bench.init(json!({})).tracer;
    bench.run(10);
    bench.enrich(tracer, Some(SESSION), json!({"feedback": {"last": 3}}));
    bench.run(1_000);
    let of_session = |bench: &Bench| -> Vec<(u64, Value)> {
        let sent = bench.requests.iter().filter(|request| request.url.contains(SESSION));
        let last = |body: &str| serde_json::from_str::<Value>(body).unwrap()["feedback"].clone();
        sent.map(|request| (stamp(request), last(&request.body)["last"].clone())).collect()
    };
    let mut all = [of_session(&before), of_session(&bench)].concat();
    assert_eq!(all.len(), 4);
    all.sort_by_key(|(stamp, _)| *stamp);
    let values: Vec<&Value> = all.iter().map(|(_, value)| value).collect();
    assert_eq!(values, [1, 2, 2, 3]);
}

#[test]
fn what_two_pages_left_goes_apart_each_with_its_own_time() {
    let mut kept = Vec::new();
    for (seed, ms, feedback) in [(1, 0, json!({"last": 1})), (2, 9_000, json!({"note": 2}))] {
        let mut before = page(gone, &[]);
        before.registry = Registry::new(seed, Numerals::STD);
        before.registry.restore("[]", 0, before.now);
        before.run(ms);
        let tracer = before.init(with_ticket(SESSION)).tracer;
        before.enrich(tracer, None, json!({ "feedback": feedback }));
        before.run(1);
        kept.extend(left(&before));
    }
    // A third page may have said something in between, and it is stored already. Who takes over what another page
    // had taken over still knows whose it is.
    for takes in [1, 2] {
        let mut bench = page(if takes == 1 { stores } else { gone }, &kept);
        bench.run(20_000);
        bench.init(with_ticket(SESSION));
        bench.run(1);
        if takes == 2 {
            kept = left(&bench);
            bench = page(stores, &kept);
            bench.run(20_000);
            bench.init(with_ticket(SESSION));
        }
        bench.run(1_000);
        let of_session = bench.requests.iter().filter(|request| request.url.contains(SESSION));
        let sent: Vec<(u64, &str)> =
            of_session.map(|request| (stamp(request) / 1_000_000_000, &*request.body)).collect();
        let bodies = [r#"{"feedback":{"last":1}}"#, r#"{"feedback":{"note":2}}"#];
        assert_eq!(sent, [(1_700_000_000, bodies[0]), (1_700_000_009, bodies[1])]);
    }
}

#[test]
fn a_page_that_is_left_sends_what_it_says_and_leaves_what_was_left_to_the_next() {
    let mut bench = page(stores, &[]);
    let tracer = bench.init(with_ticket(SESSION)).tracer;
    bench.run(300);
    let left = left_saying(json!({"kept": 1}));
    bench.store.insert(-1, left[0].clone());
    bench.registry.restore(&json!(left).to_string(), 0, bench.now);
    bench.enrich(tracer, None, json!({"feedback": {"new": 2}}));
    bench.registry.turn(Turn::Leaves, bench.now);
    bench.run(0);
    assert_eq!(bench.body(0)["feedback"], json!({"new": 2}));
    assert!(self::left(&bench).concat().contains("\"kept\":1"));
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
fn whether_a_ticket_has_ended_is_for_the_relay_to_say_in_one_try() {
    let says =
        |message: &str| status(401, &json!({"message": message, "success": false}).to_string());
    for is_ahead in [true, false] {
        let mut before = page(gone, &[]);
        let options = json!({"ticket": ticket(SESSION, 0), "serverUrl": RELAY});
        let tracer = before.init(options).tracer;
        for rating in [4, 5] {
            before.enrich(tracer, None, json!({"feedback": {"rating": rating}}));
        }
        before.run(1);
        let relay = move |request: &Request| match is_ahead {
            true => stores(request),
            false => says("the ticket has expired"),
        };
        let mut bench = page(relay, &left(&before));
        // By the clock here it ended an hour ago.
        bench.now.unix_ms += if is_ahead { 3_600_000 } else { 7_200_000 };
        bench.init(with_ticket(OTHER));
        bench.run(1_000);
        assert_eq!(bench.requests.len(), 1);
        assert_eq!(bench.drops.len(), if is_ahead { 0 } else { 2 }, "{:?}", bench.drops);
        assert!(is_ahead || bench.drops[0].contains("the ticket has expired"), "{:?}", bench.drops);
        assert!(bench.store.is_empty());
    }
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
    bench.now.unix_ms += 8 * 86_400_000;
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
    bench.enrich(tracer, None, json!({}));
    bench.run(2);
    assert_eq!(bench.requests[0].method, "POST");
    let id = bench.enrich(tracer, None, json!({"feedback": {"rating": 5}}));
    bench.run(1);
    bench.registry.turn(Turn::Leaves, bench.now);
    bench.run(0);
    assert_eq!((bench.requests.len(), bench.requests[1].method), (2, "PUT"));
    assert_eq!(bench.in_flight(), 1, "a start and its update do not go side by side");
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
    assert_eq!(bench.in_flight(), 1, "one request of a session at a time");
    assert_eq!(bench.body(1), json!({"metadata": {"step": 1}}), "what is on its way goes first");
    assert_eq!((&*bench.keepalive, bench.aborted), (&[false, true][..], 1));
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
            match is_there {
                true => stores(request),
                false => status(404, r#"{"message":"no such event","success":false}"#),
            }
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

/// A page whose sessions, as many, each say something every 500 ms.
fn busy_page(sessions: usize, latency_ms: u64, left: &[String]) -> (Bench, Vec<u64>) {
    let mut bench = page(gone, left);
    bench.latency_ms = latency_ms;
    let tracers: Vec<u64> = (0..sessions).map(|_| bench.init(json!({})).tracer).collect();
    (bench, tracers)
}

fn say(bench: &mut Bench, tracers: &[u64], n: usize) {
    for tracer in tracers {
        bench.enrich(*tracer, None, json!({ "feedback": { format!("n{n}"): n } }));
    }
}

#[test]
fn a_page_that_is_seen_takes_two_connections_at_most_and_frees_them() {
    for sessions in 1..=8 {
        let (mut bench, tracers) = busy_page(sessions, 5_000, &[]);
        for n in 0..40 {
            say(&mut bench, &tracers, n);
            bench.run(500);
            // The first may find a second one beside it; from then on one probes.
            let most = if bench.now.mono_ms < 7_000 { sessions.min(2) } else { 1 };
            assert!(bench.in_flight() <= most, "{sessions} sessions, after {n}");
        }
        assert!(bench.most_at_once <= 2);
        assert!(bench.keepalive.iter().all(|it| !it), "an aborted one would hold its connection");
    }
}

#[test]
fn nothing_is_sent_beside_a_request_that_is_open_for_a_second() {
    let (mut bench, tracers) = busy_page(2, 4_000, &[]);
    bench.enrich(tracers[0], None, json!({"feedback": {"a": 1}}));
    bench.registry.close(tracers[1], 0, 0, bench.now);
    bench.run(1_000);
    assert_eq!(bench.requests.len(), 1);
    say(&mut bench, &tracers, 1);
    let other = bench.init(json!({})).tracer;
    bench.enrich(other, None, json!({"feedback": {"b": 1}}));
    bench.run(2_500);
    assert_eq!((bench.requests.len(), bench.in_flight()), (1, 1));
    bench.answer = Box::new(stores);
    bench.run(30_000);
    assert!(bench.store.is_empty(), "and all of it goes out once there is an answer");
}

#[test]
fn a_page_that_is_left_has_one_request_open_and_none_to_a_server_that_does_not_answer() {
    // Open for less than a second; open for longer; without an answer for as long; failing.
    for (said_ms_ago, latency_ms, expected) in
        [(300, 5_000, 1), (1_500, 5_000, 0), (1_300, 1_200, 0), (9_000, 500, 0)]
    {
        for sessions in 1..=8 {
            let (mut bench, tracers) = busy_page(sessions, latency_ms, &[]);
            say(&mut bench, &tracers, 0);
            bench.run(said_ms_ago);
            bench.registry.turn(Turn::Leaves, bench.now);
            bench.run(0);
            let open = bench.in_flight();
            assert_eq!(open, expected, "{sessions} sessions, {said_ms_ago} ms after");
            assert_eq!(bench.keepalive.iter().filter(|it| **it).count(), expected);
            assert_eq!(left(&bench).concat().matches("\"n0\":0").count(), sessions, "all is kept");
            bench.registry.turn(Turn::Rests, bench.now);
            bench.run(60_000);
            assert_eq!(bench.keepalive.iter().filter(|it| **it).count(), expected);
        }
    }
}

#[test]
fn a_page_after_one_that_was_not_answered_begins_with_one_request_and_leaves_with_none() {
    let (mut before, tracers) = busy_page(3, 5_000, &[]);
    say(&mut before, &tracers, 0);
    before.run(300);
    let (mut bench, tracers) = busy_page(8, 5_000, &left(&before));
    bench.registry.turn(Turn::Doubts, bench.now);
    say(&mut bench, &tracers, 1);
    bench.run(300);
    assert_eq!((bench.requests.len(), bench.in_flight()), (1, 1));
    bench.registry.turn(Turn::Leaves, bench.now);
    bench.run(0);
    assert_eq!((bench.requests.len(), bench.in_flight()), (1, 0));
    // Once it is answered, it goes on as any other.
    bench.registry.turn(Turn::GoesOn { in_document: true }, bench.now);
    bench.latency_ms = 5;
    bench.answer = Box::new(stores);
    bench.run(1_000);
    assert!(bench.store.is_empty() && bench.most_at_once == 2);
    say(&mut bench, &tracers, 2);
    bench.registry.turn(Turn::Leaves, bench.now);
    bench.run(0);
    assert_eq!(bench.keepalive.last(), Some(&true));
}

#[test]
fn a_server_that_does_not_answer_takes_no_turn_from_one_of_another_host() {
    let hanging = ["https://a.example", "https://a.example/relay", "https://b.example"];
    let mut bench = page(gone, &[]);
    bench.latency_ms = 5_000;
    let open = |bench: &mut Bench, url: &str, transport: u32| {
        bench.init(json!({ "serverUrl": url, "transport": transport })).tracer
    };
    let hung: Vec<u64> = (0..6).map(|n| open(&mut bench, hanging[n % 3], 0)).collect();
    // What a `fetch` of the application's own reaches is its own matter.
    let own = open(&mut bench, "https://a.example", 7);
    say(&mut bench, &hung, 0);
    say(&mut bench, &[own], 0);
    bench.run(500);
    let sent = |bench: &Bench, host: &str| {
        bench.requests.iter().filter(|it| it.url.starts_with(host)).count()
    };
    assert_eq!((sent(&bench, "https://a.example"), sent(&bench, "https://b.example")), (3, 2));
    bench.latency_ms = 5;
    bench.answer = Box::new(stores);
    let healthy = open(&mut bench, "https://c.example", 0);
    let id = bench.enrich(healthy, None, json!({"feedback": {"a": 1}}));
    bench.run(50);
    assert!(bench.is_delivered(id));
}

#[test]
fn what_is_kept_nowhere_goes_out_where_the_page_is_left_whatever_its_server() {
    // Open for longer than a second; without an answer for as long; failing.
    for (said_ms_ago, latency_ms) in [(1_500, 5_000), (1_300, 1_200), (9_000, 500)] {
        for turn in [Turn::Hides, Turn::Leaves] {
            let mut bench = page(gone, &[]);
            bench.latency_ms = latency_ms;
            let before = bench.init(json!({})).tracer;
            say(&mut bench, &[before], 0);
            bench.run(said_ms_ago);
            let [kept, unkept] =
                [true, false].map(|persist| bench.init(json!({ "persist": persist })).tracer);
            say(&mut bench, &[kept, unkept], 1);
            bench.registry.turn(turn, bench.now);
            bench.run(0);
            let sent = bench.keepalive.iter().filter(|it| **it).count();
            assert_eq!(sent, 1, "{turn:?} {said_ms_ago} ms after");
            let last = bench.requests.last().unwrap();
            assert!(last.body.contains("000003"), "{last:?}");
            assert!(left(&bench).concat().contains("\"n1\":1"));
        }
    }
}

#[test]
fn what_is_kept_nowhere_takes_no_connection_of_the_site_unless_its_server_is_known_to_answer() {
    // What the server did before the page is left, and whether the last request goes apart.
    for (persist, before_ms, latency_ms, expected) in [
        (false, 0, 5, true),
        (false, 500, 5, false),
        (false, 500, 5_000, true),
        (false, 1_500, 5_000, true),
        (false, 1_500, 1_200, true),
        (true, 0, 5, false),
    ] {
        for turn in [Turn::Hides, Turn::Leaves] {
            let mut bench = page(stores, &[]);
            bench.latency_ms = latency_ms;
            if latency_ms > 1_000 {
                bench.answer = Box::new(gone);
            }
            let [earlier, last] = [SESSION, OTHER].map(|session| {
                bench.init(json!({"ticket": ticket(session, 60), "persist": persist})).tracer
            });
            if before_ms > 0 {
                say(&mut bench, &[earlier], 0);
            }
            bench.run(before_ms);
            let before = bench.requests.len();
            say(&mut bench, &[last], 1);
            bench.registry.turn(turn, bench.now);
            bench.run(0);
            let what = format!("{turn:?} {persist} {before_ms} {latency_ms}");
            assert_eq!(bench.is_apart[before..], [expected], "{what}");
            assert_eq!(bench.keepalive[before..], [true], "{what}");
            assert!(bench.is_apart[..before].iter().all(|it| !it), "{what}");
        }
    }
}

#[test]
fn what_a_failing_store_was_given_counts_as_kept_nowhere() {
    for turn in [Turn::Hides, Turn::Leaves] {
        let mut bench = page(gone, &[]);
        bench.latency_ms = 5_000;
        let before = bench.init(json!({})).tracer;
        say(&mut bench, &[before], 0);
        bench.run(1_500);
        let last = bench.init(json!({})).tracer;
        say(&mut bench, &[last], 1);
        bench.registry.turn(Turn::StoreFails, bench.now);
        bench.registry.turn(turn, bench.now);
        bench.run(0);
        assert_eq!((bench.keepalive.last(), bench.is_apart.last()), (Some(&true), Some(&true)));
        // Once the page goes on, its store may have been repaired.
        bench.registry.turn(Turn::GoesOn { in_document: true }, bench.now);
        bench.run(20_000);
        let before = bench.requests.len();
        say(&mut bench, &[last], 2);
        bench.registry.turn(turn, bench.now);
        bench.run(0);
        assert!(!bench.keepalive[before..].contains(&true), "it does not answer");
    }
}

#[test]
fn what_a_site_refuses_for_want_of_its_cookies_is_repeated_with_them() {
    let denied = r#"{"success":false,"error":"sign in","errorCode":"ticket_invalid"}"#;
    for refusal in [status(401, denied), status(403, denied), status(302, "")] {
        let mut bench = page(move |_| refusal.clone(), &[]);
        let tracer = bench.init(json!({"ticket": ticket(SESSION, 60), "persist": false})).tracer;
        let id = bench.enrich(tracer, None, json!({"feedback": {"rating": 5}}));
        bench.registry.turn(Turn::Hides, bench.now);
        bench.run(1);
        bench.answer = Box::new(stores);
        bench.run(1_000);
        assert_eq!((&*bench.keepalive, &*bench.is_apart), (&[true, false][..], &[true, false][..]));
        assert!(bench.is_delivered(id), "{:?}", bench.drops);
    }
}

#[test]
fn what_is_not_kept_goes_first_where_the_page_is_left_and_then_what_is_small() {
    let mut bench = page(stores, &[]);
    for (bytes, persist) in [(30_000, true), (50_000, false), (100, true), (70_000, true)] {
        let tracer = bench.init(json!({ "persist": persist })).tracer;
        bench.enrich(tracer, None, json!({"metadata": {"text": "x".repeat(bytes)}}));
    }
    bench.registry.turn(Turn::Leaves, bench.now);
    bench.run(1_000);
    let sent: Vec<usize> = bench.requests.iter().map(|it| it.body.len() / 1_000).collect();
    assert_eq!(sent, [50, 0, 30]);
    assert_eq!((bench.most_at_once, bench.keepalive.contains(&false)), (1, false));
    // What browsers do not let outlive its page is kept, and goes on like any other if the page does.
    assert!(left(&bench).concat().len() > 70_000);
    bench.registry.turn(Turn::GoesOn { in_document: true }, bench.now);
    bench.run(1_000);
    assert!(bench.store.is_empty() && bench.keepalive.last() == Some(&false));
}

#[test]
fn a_page_that_is_hidden_sends_at_once_what_waits_and_one_by_one() {
    let mut bench = page(stores, &[]);
    let tracers: Vec<u64> =
        (0..4).map(|_| bench.init(json!({"mergeWindowMs": 60_000})).tracer).collect();
    bench.run(500);
    say(&mut bench, &tracers, 0);
    bench.run(1);
    say(&mut bench, &tracers, 1);
    bench.run(100);
    let (before, _) = (bench.requests.len(), bench.most_at_once = 0);
    bench.registry.turn(Turn::Hides, bench.now);
    bench.run(100);
    assert_eq!(bench.keepalive[before..], [true; 4]);
    assert!(bench.most_at_once == 1 && bench.store.is_empty());
    // Nobody leaves: what is said later ends with the page as any other request does.
    bench.run(60_000);
    say(&mut bench, &tracers, 2);
    bench.run(100);
    assert_eq!(bench.keepalive[before + 4..], [false; 4]);
}

#[test]
fn a_keepalive_request_that_the_browser_refuses_is_repeated_without_and_is_nobody_s_failure() {
    let mut bench = page(stores, &[]);
    let tracer = bench.init(json!({"mergeWindowMs": 60_000, "deadlineMs": 100})).tracer;
    bench.run(500);
    let others = bench.init(json!({"mergeWindowMs": 60_000})).tracer;
    bench.run(500);
    let before = bench.requests.len();
    let ids = [tracer, others].map(|it| bench.enrich(it, None, json!({"feedback": {"a": 1}})));
    // Other scripts of the site hold what the browser allows: it refuses at once, as if there was no network.
    bench.answer = Box::new(gone);
    bench.registry.turn(Turn::Hides, bench.now);
    bench.run(4);
    bench.answer = Box::new(stores);
    bench.run(50);
    assert_eq!(bench.keepalive[before..], [true, false, false]);
    assert!(bench.requests[before + 1..].contains(&bench.requests[before]), "to the letter");
    assert!(ids.iter().all(|id| bench.is_delivered(*id)), "{:?}", bench.lines);
}

#[test]
fn what_the_browser_ends_as_the_page_is_about_to_be_left_is_sent_again() {
    let mut bench = page(stores, &[]);
    let tracer = bench.init(with_ticket(SESSION)).tracer;
    bench.answer = Box::new(gone);
    bench.enrich(tracer, None, json!({"feedback": {"a": 1}}));
    bench.run(5);
    bench.answer = Box::new(stores);
    bench.registry.turn(Turn::Leaves, bench.now);
    bench.run(0);
    assert_eq!(bench.keepalive, [false, true]);
}

#[test]
fn a_server_that_is_down_is_not_asked_without_end_by_a_page_that_is_left() {
    for turn in [Turn::Hides, Turn::Leaves] {
        let mut bench = page(gone, &[]);
        let tracer = bench.init(json!({})).tracer;
        bench.enrich(tracer, None, json!({"feedback": {"a": 1}}));
        bench.registry.turn(turn, bench.now);
        bench.run(10_000);
        assert_eq!(bench.keepalive.iter().filter(|it| **it).count(), 1);
        assert!(bench.requests.len() < 12, "{}", bench.requests.len());
    }
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
fn deadlines_of_a_session_that_was_idle_when_the_network_went_or_came_are_like_any_other() {
    let mut bench = page(stores, &[]);
    let tracer = bench.init(with_ticket(SESSION)).tracer;
    bench.run(1_000);
    bench.answer = Box::new(gone);
    bench.registry.turn(Turn::Offline, bench.now);
    let during = bench.enrich(tracer, None, json!({"feedback": {"a": 1}}));
    bench.run(60_000);
    assert_eq!(bench.end_of(during), None, "without a network nothing is given up");
    bench.answer = Box::new(stores);
    // One got through though the browser knew of no network.
    bench.run(60_000);
    assert!(bench.is_delivered(during));
    bench.registry.turn(Turn::GoesOn { in_document: true }, bench.now);
    bench.answer = Box::new(gone);
    let after = bench.enrich(tracer, None, json!({"feedback": {"b": 1}}));
    bench.run(40_000);
    assert_eq!(bench.reason_of(after), Some(Reason::RetriesExhausted));
}

#[test]
fn what_others_took_over_while_a_page_rested_is_not_sent_by_a_tracer_that_it_makes_then() {
    for still in [&[-1, -2][..], &[-2], &[]] {
        let kept = [json!({"a": 1}), json!({"b": 2})].map(|it| left_saying(it).remove(0));
        let mut bench = page(stores, &kept);
        bench.registry.turn(Turn::Leaves, bench.now);
        bench.registry.turn(Turn::Rests, bench.now);
        bench.run(1_000);
        bench.registry.only_kept(still, bench.now);
        bench.registry.turn(Turn::GoesOn { in_document: true }, bench.now);
        bench.init(with_ticket(SESSION));
        bench.run(1_000);
        let sent: String = bench.requests.iter().map(|request| request.body.as_str()).collect();
        let is_sent = [sent.contains("\"a\":1"), sent.contains("\"b\":2")];
        assert_eq!(is_sent, [-1, -2].map(|id| still.contains(&id)), "{sent}");
    }
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
    bench.registry.only_kept(&[own as i64], bench.now);
    bench.registry.turn(Turn::GoesOn { in_document: true }, bench.now);
    let before = bench.requests.len();
    bench.run(1_000);
    assert!(bench.is_delivered(own) && bench.is_delivered(taken));
    let sent: String = bench.requests[before..].iter().map(|it| it.body.clone()).collect();
    assert!(sent.contains("\"b\":1") && !sent.contains("\"a\":1"), "{sent}");
    assert_eq!(bench.store.keys().collect::<Vec<_>>(), [&(taken as i64)], "that is another's now");
}

#[test]
fn deadlines_stand_still_while_a_page_rests_and_hold_again_when_it_is_back() {
    let mut bench = page(gone, &[]);
    let tracer = bench.init(with_ticket(SESSION)).tracer;
    let id = bench.enrich(tracer, None, json!({"feedback": {"a": 1}}));
    bench.run(1);
    bench.registry.turn(Turn::Leaves, bench.now);
    bench.registry.turn(Turn::Rests, bench.now);
    bench.run(3_600_000);
    assert_eq!(bench.end_of(id), None, "another page may deliver it");
    assert_eq!(bench.store.len(), 1, "what that one has to find");
    bench.registry.only_kept(&[id as i64], bench.now);
    bench.registry.turn(Turn::GoesOn { in_document: true }, bench.now);
    bench.run(29_000);
    assert_eq!(bench.end_of(id), None);
    bench.run(2_000);
    assert_eq!(bench.reason_of(id), Some(Reason::RetriesExhausted));
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

#[test]
fn what_is_said_while_a_page_comes_back_is_its_own_to_deliver() {
    let mut bench = page(stores, &[]);
    let tracer = bench.init(with_ticket(SESSION)).tracer;
    bench.run(1_000);
    let before = bench.enrich(tracer, None, json!({"feedback": {"a": 1}}));
    bench.registry.turn(Turn::Leaves, bench.now);
    bench.registry.turn(Turn::Rests, bench.now);
    let leaving = bench.enrich(tracer, None, json!({"feedback": {"b": 1}}));
    bench.run(1);
    // The store's list is read, and while that takes its time there is more to say.
    let back = bench.enrich(tracer, None, json!({"feedback": {"c": 1}}));
    bench.registry.only_kept(&[before as i64], bench.now);
    bench.registry.turn(Turn::GoesOn { in_document: true }, bench.now);
    bench.run(1_000);
    assert!([before, leaving, back].iter().all(|id| bench.is_delivered(*id)));
    let sent: String = bench.requests.iter().map(|it| it.body.clone()).collect();
    assert!(["a", "b", "c"].iter().all(|key| sent.contains(&format!("\"{key}\":1"))), "{sent}");
    assert!(bench.store.is_empty());
}

#[test]
fn online_and_offline_a_hundred_times_ask_a_server_that_answers_no_more_often() {
    for retry_after in [Some(RetryAfter::Seconds(20)), None] {
        let mut bench =
            page(move |_| Answer::Http { status: 429, retry_after, body: String::new() }, &[]);
        let tracer = bench.init(with_ticket(SESSION)).tracer;
        bench.enrich(tracer, None, json!({"feedback": {"a": 1}}));
        bench.run(50);
        assert_eq!(bench.requests.len(), 1);
        for _ in 0..100 {
            bench.registry.turn(Turn::Offline, bench.now);
            bench.registry.turn(Turn::GoesOn { in_document: true }, bench.now);
            bench.run(10);
        }
        assert!(bench.requests.len() < 5, "{retry_after:?}: {}", bench.requests.len());
    }
}

#[test]
fn what_it_cannot_read_is_forgotten() {
    let kept = &left_saying(json!({"a": 1}))[0];
    let mut bench = page(stores, &[]);
    let later = kept.replace("\"v\":1", "\"v\":3");
    let none = kept.replace("\"v\":1", "\"v\":\"x\"");
    for (place, json) in [&later, &none].into_iter().enumerate() {
        bench.store.insert(-1 - place as i64, json.clone());
    }
    bench.registry.restore(&json!([later, none]).to_string(), 0, bench.now);
    bench.init(with_ticket(SESSION));
    bench.run(1_000);
    assert!(bench.store.is_empty());
}
