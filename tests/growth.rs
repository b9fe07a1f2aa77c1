//! What a call costs does not grow with what else there is: counted in looks at tracers, outboxes, servers
//! and requests, so that it holds on any machine.

#![cfg(all(not(target_arch = "wasm32"), debug_assertions))]

mod harness;

use harness::{Bench, SERVER, stores};
use honeyhive_edge::core::concurrency::Place;
use honeyhive_edge::core::json::Numerals;
use honeyhive_edge::core::outcome::Output;
use honeyhive_edge::core::registry::Registry;
use serde_json::{Value, json};

const FEW: usize = 200;
const MANY: usize = 2_000;

/// Looks for each of `calls` calls, in a world of so many.
fn cost(calls: usize, work: impl FnOnce(usize) -> (u64, u64)) -> f64 {
    let (before, after) = work(calls);
    (after - before) as f64 / calls as f64
}

/// Holds that each of many costs no more than half as much again as each of few.
fn is_straight(what: &str, work: impl Fn(usize) -> (u64, u64)) {
    let (few, many) = (cost(FEW, &work), cost(MANY, &work));
    assert!(many <= 1.5 * few.max(1.0), "{what}: {few} looks with {FEW}, {many} with {MANY}");
}

/// So many tracers, each with options of its own, at rest.
fn open(bench: &mut Bench, count: usize, options: impl Fn(usize) -> Value) -> Vec<u64> {
    let tracers = (0..count).map(|number| bench.init(options(number)).tracer).collect();
    bench.run(10_000);
    tracers
}

fn enrich_all(bench: &mut Bench, tracers: &[u64]) {
    for tracer in tracers {
        bench.enrich(*tracer, None, json!({"metadata": {"a": 1}}));
    }
}

#[test]
fn closing_tracers_at_their_timeout() {
    is_straight("closing busy tracers", |count| {
        let mut bench = Bench::new(stores);
        let tracers = open(&mut bench, count, |_| json!({"mergeWindowMs": 60_000}));
        enrich_all(&mut bench, &tracers);
        bench.registry.turn(honeyhive_edge::core::registry::Turn::Rests, bench.now);
        let before = bench.registry.lookups();
        for tracer in &tracers {
            bench.registry.close(*tracer, 1_000, 0, bench.now);
        }
        bench.run(2_000);
        for tracer in &tracers {
            bench.registry.release(*tracer, bench.now);
        }
        (before, bench.registry.lookups())
    });
}

#[test]
fn flushing_each_of_many_busy_sessions() {
    is_straight("enrich and flush", |count| {
        let mut bench = Bench::new(stores);
        let tracers = open(&mut bench, count, |_| json!({"mergeWindowMs": 60_000}));
        enrich_all(&mut bench, &tracers);
        let before = bench.registry.lookups();
        for tracer in &tracers {
            bench.enrich(*tracer, None, json!({"metadata": {"a": 1}}));
            bench.registry.flush(*tracer, 10_000, 0, bench.now);
        }
        (before, bench.registry.lookups())
    });
    is_straight("flush of all", |count| {
        let mut bench = Bench::new(stores);
        let tracers = open(&mut bench, count, |_| json!({"mergeWindowMs": 60_000}));
        enrich_all(&mut bench, &tracers);
        let before = bench.registry.lookups();
        for _ in &tracers {
            bench.registry.flush(0, 10_000, 0, bench.now);
        }
        (before, bench.registry.lookups())
    });
}

#[test]
fn a_bare_call_among_many_tracers() {
    for is_known in [true, false] {
        is_straight("a bare call by id", |count| {
            let mut bench = Bench::new(stores);
            let known = bench.init(json!({})).session_id.to_string();
            open(&mut bench, count, |_| json!({}));
            let nobodys = "99999999-9999-4999-8999-999999999999".to_owned();
            let id = if is_known { known } else { nobodys };
            let before = bench.registry.lookups();
            for _ in 0..count {
                bench.registry.resolve_tracer(0, &id, 0);
                bench.enrich(0, Some(&id), json!({"metadata": {"a": 1}}));
                bench.enrich(0, None, json!({"metadata": {"a": 1}}));
            }
            (before, bench.registry.lookups())
        });
    }
}

#[test]
fn tracers_with_a_fetch_each() {
    let transport = |number: usize| json!({"transport": number + 1});
    is_straight("tracers with a fetch each", |count| {
        let mut bench = Bench::new(stores);
        let before = bench.registry.lookups();
        let tracers = open(&mut bench, count, transport);
        enrich_all(&mut bench, &tracers);
        bench.run(10_000);
        (before, bench.registry.lookups())
    });
    is_straight("tracers after others with a fetch each are closed", |count| {
        let mut bench = Bench::new(stores);
        for tracer in open(&mut bench, count, transport) {
            bench.registry.close(tracer, 1_000, 0, bench.now);
            bench.registry.release(tracer, bench.now);
        }
        bench.run(10_000);
        let before = bench.registry.lookups();
        let tracers = open(&mut bench, count, |number| transport(count + number));
        enrich_all(&mut bench, &tracers);
        bench.run(10_000);
        (before, bench.registry.lookups())
    });
}

#[test]
fn one_request_with_many_sessions() {
    // In a process many requests are on their way at once; at the edge six, and the other sessions wait.
    for place in [Place::ServerProcess, Place::EdgeRequest] {
        is_straight("sessions of one request", |count| one_request(place, count, 200));
        is_straight("sessions whose server fails", |count| one_request(place, count, 503));
    }
}

/// Begins so many sessions in one request, each with one enrichment, and lets them end.
fn one_request(place: Place, count: usize, first_status: u16) -> (u64, u64) {
    let mut bench = Bench::new(stores);
    bench.registry = Registry::new(1, Numerals::STD).in_place(place);
    let before = bench.registry.lookups();
    let mut options = json!({"apiKey": "sekret", "serverUrl": SERVER, "deadlineMs": 3_600_000});
    for number in 0..count {
        options["newSessionId"] = json!(format!("00000000-0000-4000-8000-{number:012}"));
        let tracer = bench.registry.init(&options.to_string(), 7, bench.now).unwrap().tracer;
        let json = json!({"metadata": {"a": 1}}).to_string();
        bench.registry.enrich(tracer, None, json, 7, true, bench.now);
    }
    let mut status = first_status;
    live_in(&mut bench, 7, count, |sent| {
        if sent > count {
            status = 200;
        }
        status
    });
    (before, bench.registry.lookups())
}

/// Polls `scope` until so many calls have ended. `answer` returns the status of the answer to each request.
fn live_in(bench: &mut Bench, scope: u64, calls: usize, mut answer: impl FnMut(usize) -> u16) {
    let (mut ended, mut sent) = (0, 0);
    while ended < calls {
        let mut flights = Vec::new();
        while let Some(output) = bench.registry.poll(scope, bench.now) {
            match output {
                Output::Send { flight, .. } => flights.push(flight),
                Output::Settled { ids, .. } => ended += ids.len(),
                _ => {}
            }
        }
        let looks_at = bench.registry.wake_at(scope, bench.now);
        bench.now.mono_ms += if flights.is_empty() { looks_at - bench.now.mono_ms } else { 5 };
        for flight in flights {
            sent += 1;
            let answer = harness::status(answer(sent), "{}");
            bench.registry.finish_request(flight, &answer, bench.now);
        }
    }
}

/// Additions to the metrics of so many continued sessions, in turns: the lookups before and after.
fn additions(scope: u64, count: usize, sessions: usize) -> (u64, u64) {
    let mut bench = Bench::new(stores);
    let before = bench.registry.lookups();
    let mut options = json!({"apiKey": "sekret", "serverUrl": SERVER});
    let mut tracers = Vec::new();
    for number in 0..sessions {
        options["sessionId"] = json!(format!("00000000-0000-4000-8000-{number:012}"));
        let info = bench.registry.init(&options.to_string(), scope, bench.now).unwrap();
        tracers.push(info.tracer);
    }
    for number in 0..count {
        let metrics = json!({"cost": 1}).to_string();
        bench.registry.add_metrics(tracers[number % sessions], &metrics, scope, bench.now);
    }
    live_in(&mut bench, scope, count, |_| 200);
    (before, bench.registry.lookups())
}

#[test]
fn additions_to_many_continued_sessions() {
    for scope in [0, 7] {
        is_straight("additions to continued sessions", |count| additions(scope, count, count));
    }
}

#[test]
fn many_additions_to_one_continued_session() {
    for scope in [0, 7] {
        is_straight("additions to one continued session", |count| additions(scope, count, 1));
    }
}

#[test]
fn a_scope_that_is_always_busy_remembers_no_deadline_of_what_was_delivered() {
    let mut bench = Bench::new(stores);
    let mut enrich = |server: &str, number: usize| {
        let options = json!({
            "apiKey": "sekret", "serverUrl": server, "deadlineMs": 86_400_000, "timeoutMs": 86_400_000,
            "newSessionId": format!("00000000-0000-4000-8000-{number:012}"),
        });
        let tracer = bench.registry.init(&options.to_string(), 7, bench.now).unwrap().tracer;
        let json = json!({"metadata": {"a": 1}}).to_string();
        bench.registry.enrich(tracer, None, json, 7, true, bench.now);
        while let Some(output) = bench.registry.poll(7, bench.now) {
            // The other server never answers, so the scope is never idle.
            if let Output::Send { flight, request, .. } = output
                && request.url.starts_with(SERVER)
            {
                bench.registry.finish_request(flight, &harness::status(200, "{}"), bench.now);
            }
        }
        bench.now.mono_ms += 20;
        bench.registry.looks()
    };
    enrich("https://silent.example", 0);
    let most = (1..=2_000).map(|number| enrich(SERVER, number)).max();
    assert!(most < Some(200), "{most:?} looks");
}
