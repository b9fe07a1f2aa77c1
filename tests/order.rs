//! Which value stays where several pages say something of one session: the one that was said last, whichever page
//! delivers it and whatever was refused, given up or left to another page before.

#![cfg(not(target_arch = "wasm32"))]

mod harness;

use harness::{Bench, gone, left, page, stamp, status, stores};
use honeyhive_edge::core::registry::Turn;
use honeyhive_edge::core::wire::Request;
use serde_json::{Value, json};

const SESSION: &str = "0a0a0a0a-0000-4000-8000-000000000000";

/// Options of a tracer of [`SESSION`] that is kept in the browser's store, or not.
fn of_session(persist: bool) -> Value {
    json!({"sessionId": SESSION, "persist": persist, "mergeWindowMs": 500})
}

/// The page goes to the browser's back/forward cache.
fn rest(bench: &mut Bench) {
    bench.registry.turn(Turn::Leaves, bench.now);
    bench.run(0);
    bench.registry.turn(Turn::Rests, bench.now);
}

/// The page comes back `ms` after it went; other pages took over all that it kept.
fn come_back(bench: &mut Bench, ms: u64) {
    bench.run(ms);
    bench.registry.only_kept(&[], bench.now);
    bench.registry.turn(Turn::GoesOn { in_document: true }, bench.now);
}

/// The timestamps of the requests that say so, in milliseconds with a fraction.
fn said_at(requests: &[Request], what: &str) -> Vec<f64> {
    let those = requests.iter().filter(|request| request.body.contains(what));
    those.map(|request| stamp(request) as f64 / 1e6).collect()
}

/// Milliseconds since the Unix epoch.
fn time(bench: &Bench) -> f64 {
    bench.now.unix_ms as f64
}

#[test]
fn a_request_that_was_refused_moves_no_timestamp() {
    let mut bench =
        page(|it| if it.body.contains("poison") { status(422, "poison") } else { stores(it) }, &[]);
    let tracer = bench.init(of_session(true)).tracer;
    bench.run(100);
    for fields in [json!({"a": 1}), json!({"b": 1}), json!({"a": 2}), json!({"poison": 1})] {
        bench.enrich(tracer, None, json!({ "metadata": fields }));
        bench.run(20);
    }
    let second_said_at = time(&bench) - 40.0;
    // The refused request is halved. The page ends when the first half is stored.
    while said_at(&bench.requests, "\"a\":1").is_empty() {
        bench.run(1);
    }
    let first = said_at(&bench.requests, "\"a\":1");
    let mut next = page(stores, &left(&bench));
    next.now.mono_ms += 10_000;
    next.now.unix_ms += 10_000;
    next.init(of_session(true));
    next.run(10_000);
    let second = said_at(&next.requests, "\"a\":2");
    assert!(first[0] < second_said_at && second_said_at <= second[0], "{first:?} {second:?}");
}

#[test]
fn a_start_that_another_page_took_over_is_not_sent_once_more() {
    for answers in [gone, stores] {
        let mut bench = page(answers, &[]);
        bench.latency_ms = 2_000;
        let start = json!({"metadata": {"a": 1}}).to_string();
        let options = json!({"sessionId": SESSION, "start": start});
        let tracer = bench.init(options).tracer;
        // It is on its way when the page is left.
        bench.run(300);
        assert_eq!(bench.in_flight(), 1);
        rest(&mut bench);
        come_back(&mut bench, 60_000);
        bench.answer = Box::new(stores);
        let before = bench.requests.len();
        bench.enrich(tracer, None, json!({"metadata": {"b": 1}}));
        bench.run(20_000);
        let sent = &bench.requests[before..];
        assert_eq!(said_at(sent, "\"b\":1").len(), 1);
        assert_eq!(said_at(sent, "\"a\":1"), Vec::<f64>::new());
    }
}

#[test]
fn what_a_page_said_before_it_rested_keeps_its_time_beside_what_it_says_then() {
    let fields = json!({"metadata": {"a": 1}});
    // Said in a call, and not tried; as the session's start; as a start that was given up once.
    for (start, waits_ms) in [(false, 100), (true, 100), (true, 60_000)] {
        let mut bench = page(gone, &[]);
        let mut options = of_session(false);
        if start {
            options["start"] = json!(fields.to_string());
        }
        let tracer = bench.init(options).tracer;
        bench.run(waits_ms);
        if !start {
            // Behind a request that is on its way.
            bench.latency_ms = 3_000;
            bench.enrich(tracer, None, json!({"metadata": {"c": 1}}));
            bench.run(4_000);
            bench.enrich(tracer, None, fields.clone());
        }
        rest(&mut bench);
        come_back(&mut bench, 1_000);
        let back_at = time(&bench);
        bench.enrich(tracer, None, json!({"metadata": {"b": 1}}));
        bench.answer = Box::new(stores);
        let before = bench.requests.len();
        bench.run(20_000);
        let (first, second) =
            (said_at(&bench.requests[before..], "\"a\":1"), said_at(&bench.requests, "\"b\":1"));
        assert!(first.iter().all(|at| *at < back_at), "{start} {waits_ms}: {first:?}");
        assert!(!first.is_empty() && second[0] >= back_at, "{start} {waits_ms}");
    }
}

#[test]
fn what_a_page_says_when_it_is_back_is_newer_than_what_it_left_in_that_millisecond() {
    let mut bench = page(gone, &[]);
    let tracer = bench.init(of_session(true)).tracer;
    bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
    rest(&mut bench);
    let mut next = page(stores, &left(&bench));
    next.init(of_session(true));
    next.run(2_000);
    bench.answer = Box::new(stores);
    come_back(&mut bench, 0);
    bench.enrich(tracer, None, json!({"metadata": {"a": 2}}));
    bench.run(20_000);
    let taken_over = said_at(&next.requests, "\"a\":1");
    let said_then = said_at(&bench.requests, "\"a\":2");
    assert!(taken_over[0] < said_then[0], "{taken_over:?} {said_then:?}");
}

#[test]
fn a_start_that_waits_is_not_stamped_after_what_was_sent_with_it() {
    let mut bench =
        page(|it| if it.body.contains("poison") { status(422, "poison") } else { gone(it) }, &[]);
    let mut options = of_session(true);
    options["start"] = json!(json!({"metadata": {"a": 1}}).to_string());
    let tracer = bench.init(options).tracer;
    // The start is given up, and goes along with what is said next, whose request has the later time.
    bench.run(60_000);
    let said_between = time(&bench);
    bench.enrich(tracer, None, json!({"metadata": {"c": 1}}));
    bench.run(1_000);
    bench.enrich(tracer, None, json!({"metadata": {"b": 1}}));
    bench.run(10_000);
    rest(&mut bench);
    come_back(&mut bench, 10_000);
    bench.answer = Box::new(stores);
    let before = bench.requests.len();
    bench.enrich(tracer, None, json!({"metadata": {"d": 1}}));
    bench.run(20_000);
    let start = said_at(&bench.requests[before..], "\"a\":1");
    assert!(!start.is_empty() && start.iter().all(|at| *at < said_between), "{start:?}");
}

#[test]
fn what_a_session_starts_with_is_no_older_than_it_is_beside_what_an_earlier_page_left() {
    let mut before = page(gone, &[]);
    let tracer = before.init(of_session(true)).tracer;
    before.enrich(tracer, None, json!({"metadata": {"b": 1}}));
    before.run(1);
    let mut bench = page(stores, &left(&before));
    bench.now.mono_ms += 60_000;
    bench.now.unix_ms += 60_000;
    let began_at = time(&bench);
    let mut options = of_session(true);
    options["start"] = json!(json!({"metadata": {"a": 1}}).to_string());
    bench.init(options);
    bench.run(10_000);
    let (start, left) = (said_at(&bench.requests, "\"a\":1"), said_at(&bench.requests, "\"b\":1"));
    assert!(!start.is_empty() && start.iter().all(|at| *at >= began_at), "{start:?}");
    assert!(!left.is_empty() && left.iter().all(|at| *at < began_at), "{left:?}");
}

#[test]
fn what_an_earlier_page_left_keeps_its_time_where_the_page_is_left_at_once() {
    let mut before = page(gone, &[]);
    let tracer = before.init(of_session(true)).tracer;
    before.enrich(tracer, None, json!({"metadata": {"a": 1}}));
    before.run(1);
    // Another tab says something newer meanwhile, which is stored.
    let other_said_at = time(&before) + 30_000.0;
    for persist in [true, false] {
        for turn in [Turn::Hides, Turn::Leaves] {
            let mut bench = page(stores, &left(&before));
            bench.now.mono_ms += 60_000;
            bench.now.unix_ms += 60_000;
            bench.init(of_session(true));
            let tracer = bench.init(of_session(persist)).tracer;
            bench.enrich(tracer, None, json!({"metadata": {"b": 1}}));
            bench.registry.turn(turn, bench.now);
            bench.run(0);
            assert!(bench.requests[0].body.contains("\"b\":1") && bench.keepalive[0]);
            bench.run(1_000);
            bench.registry.turn(Turn::GoesOn { in_document: true }, bench.now);
            bench.run(1_000);
            let stale = said_at(&bench.requests, "\"a\":1");
            assert!(!stale.is_empty() && stale.iter().all(|at| *at < other_said_at), "{stale:?}");
        }
    }
}

#[test]
fn what_is_kept_and_what_is_not_stay_in_order_where_one_millisecond_saw_both() {
    let mut bench = page(gone, &[]);
    let [kept, unkept] = [true, false].map(|persist| bench.init(of_session(persist)).tracer);
    bench.enrich(kept, None, json!({"metadata": {"a": 1}}));
    bench.run(10);
    bench.enrich(kept, None, json!({"metadata": {"b": 1}}));
    bench.enrich(unkept, None, json!({"metadata": {"a": 2}}));
    bench.enrich(unkept, None, json!({"metadata": {"b": 2}}));
    bench.enrich(kept, None, json!({"metadata": {"b": 3}}));
    bench.run(1);
    rest(&mut bench);
    let mut next = page(stores, &left(&bench));
    next.init(of_session(true));
    next.run(10_000);
    come_back(&mut bench, 20_000);
    bench.answer = Box::new(stores);
    let before = bench.requests.len();
    bench.run(10_000);
    let of_next = |what| said_at(&next.requests, what)[0];
    let here = said_at(&bench.requests[before..], "\"a\":2")[0];
    assert!(of_next("\"a\":1") < here && of_next("\"b\":1") < here && here < of_next("\"b\":3"));
}

#[test]
fn what_surrounds_an_enrichment_that_another_page_took_over_keeps_its_times() {
    // Not tried before the page rests; tried, and not answered.
    for is_tried in [false, true] {
        let answers = |it: &Request| if it.body.contains("\"a\":") { gone(it) } else { stores(it) };
        let mut bench = page(answers, &[]);
        let unkept = bench.init(of_session(false)).tracer;
        let kept = bench.init(of_session(true)).tracer;
        bench.run(100);
        // Behind a request that is on its way, so that they go together.
        bench.latency_ms = 3_000;
        bench.enrich(unkept, None, json!({"metadata": {"c": 1}}));
        bench.run(2_000);
        bench.enrich(unkept, None, json!({"metadata": {"a": 1}}));
        bench.run(20);
        let taken_at = time(&bench);
        bench.enrich(kept, None, json!({"metadata": {"a": 2}}));
        bench.run(20);
        bench.enrich(unkept, None, json!({"metadata": {"b": 3}}));
        bench.run(if is_tried { 10_000 } else { 10 });
        assert_eq!(!said_at(&bench.requests, "\"b\":3").is_empty(), is_tried);
        rest(&mut bench);
        come_back(&mut bench, 60_000);
        bench.answer = Box::new(stores);
        let before = bench.requests.len();
        bench.run(20_000);
        let sent = &bench.requests[before..];
        let (first, last) = (said_at(sent, "\"a\":1"), said_at(sent, "\"b\":3"));
        assert!(first[0] < taken_at && taken_at + 1.0 < last[0], "{first:?} {last:?}");
    }
}

#[test]
fn a_page_that_is_left_says_nothing_with_the_time_of_what_it_said_later() {
    let mut other = page(gone, &[]);
    let mut bench = page(gone, &[]);
    let tracer = bench.init(of_session(false)).tracer;
    bench.latency_ms = 60_000;
    bench.enrich(tracer, None, json!({"metadata": {"c": 1}}));
    bench.run(1_000);
    bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
    bench.run(20);
    // Another page says a newer value, and leaves it to this one.
    other.now = bench.now;
    let left_at = time(&other);
    let of_other = other.init(of_session(true)).tracer;
    other.enrich(of_other, None, json!({"metadata": {"a": 2}}));
    other.run(1);
    let entries = left(&other);
    bench.store.insert(-1, entries[0].clone());
    bench.store.insert(-2, entries[1].clone());
    bench.registry.restore(&json!(entries).to_string(), 0, bench.now);
    bench.init(of_session(true));
    bench.run(20);
    bench.enrich(tracer, None, json!({"metadata": {"b": 3}}));
    bench.answer = Box::new(stores);
    bench.latency_ms = 0;
    rest(&mut bench);
    come_back(&mut bench, 60_000);
    bench.run(60_000);
    let (first, last) = (said_at(&bench.requests, "\"a\":1"), said_at(&bench.requests, "\"b\":3"));
    assert!(!first.is_empty() && first.iter().all(|at| *at < left_at), "{first:?}");
    assert!(!last.is_empty() && last.iter().all(|at| *at > left_at), "{last:?}");
}

#[test]
fn a_half_of_what_was_refused_has_its_own_time_where_the_page_rests_before_the_other() {
    let mut bench =
        page(|it| if it.body.contains("poison") { status(422, "poison") } else { stores(it) }, &[]);
    let tracer = bench.init(of_session(false)).tracer;
    bench.latency_ms = 1_000;
    bench.run(2_000);
    // Behind a request that is on its way.
    bench.enrich(tracer, None, json!({"metadata": {"b": 1}}));
    bench.run(20);
    for fields in [json!({"a": 1}), json!({"c": 1}), json!({"a": 2}), json!({"poison": 1})] {
        bench.enrich(tracer, None, json!({ "metadata": fields }));
        bench.run(20);
    }
    // The whole is refused, and the first half is on its way when the page is left.
    while said_at(&bench.requests, "\"a\":1").is_empty() {
        bench.run(1);
    }
    rest(&mut bench);
    come_back(&mut bench, 10_000);
    bench.run(60_000);
    let (first, second) =
        (said_at(&bench.requests, "\"a\":1"), said_at(&bench.requests, "\"a\":2"));
    let last = second.last().expect("it is sent");
    assert!(first.iter().all(|at| at < last), "{first:?} {second:?}");
}
