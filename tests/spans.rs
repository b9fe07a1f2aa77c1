//! What the exporter of spans promises, without a runtime: its network is plain facts, its clock goes as
//! far as it is told.

#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeMap;

use honeyhive_edge::core::concurrency::Place;
use honeyhive_edge::core::delivery::engine::Accepted;
use honeyhive_edge::core::json::Numerals;
use honeyhive_edge::core::retry::RetryAfter;
use honeyhive_edge::core::spans::exporter::{ExportAction, Exporter};
use honeyhive_edge::core::time::Now;
use honeyhive_edge::core::wire::{Answer, Request};
use serde_json::{Value, from_str, json};

const SERVER: &str = "https://hive.example";

/// An exporter with its shell: asks as the wasm side does, and answers each request after a while.
struct Bench {
    exporter: Exporter,
    now: Now,
    answer: Box<dyn FnMut(&Request) -> Answer>,
    /// Milliseconds after which the server answers.
    latency_ms: u64,
    requests: Vec<(u64, Request)>,
    /// When they are answered, and so what.
    in_flight: Vec<(u64, u64, Answer)>,
    ended: BTreeMap<u64, Option<String>>,
    lines: Vec<String>,
}

fn http(status: u16) -> Answer {
    Answer::Http { status, retry_after: None, body: "{}".into() }
}

fn export(names: &[&str]) -> String {
    let spans: Vec<Value> =
        names.iter().map(|name| json!({"resource": 0, "scope": 0, "name": name})).collect();
    items(json!({"resources": [{}], "scopes": [{}]}), &spans)
}

/// The list for an export of spans that have a name and nothing else.
fn items(origins: Value, spans: &[Value]) -> String {
    let spans = spans.iter().map(|span| {
        let mut parts = vec![Value::Null; 21];
        for (place, name) in [(0, "resource"), (1, "scope"), (16, "name")] {
            parts[place] = span[name].clone();
        }
        Value::from(parts)
    });
    std::iter::once(origins).chain(spans).collect::<Value>().to_string()
}

fn names(request: &Request) -> Vec<String> {
    let body: Value = from_str(&request.body).unwrap();
    let list = |value: &Value| value.as_array().unwrap().clone();
    list(&body["resourceSpans"])
        .iter()
        .flat_map(|it| list(&it["scopeSpans"]))
        .flat_map(|it| list(&it["spans"]))
        .map(|it| it["name"].as_str().unwrap().to_owned())
        .collect()
}

impl Bench {
    fn new(more: Value, answer: impl FnMut(&Request) -> Answer + 'static) -> Bench {
        let mut options = json!({"apiKey": "sekret", "serverUrl": SERVER});
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Bench {
            exporter: Exporter::new(&options.to_string(), Numerals::STD, Place::ServerProcess, 7),
            now: Now { mono_ms: 1_000, unix_ms: 1_700_000_000_000 },
            answer: Box::new(answer),
            latency_ms: 20,
            requests: Vec::new(),
            in_flight: Vec::new(),
            ended: BTreeMap::new(),
            lines: Vec::new(),
        }
    }

    fn export(&mut self, names: &[&str]) -> u64 {
        self.exporter.export(0, &export(names), 0, self.now).call
    }

    fn wait(&mut self, ms: u64) {
        self.now.mono_ms += ms;
        self.now.unix_ms += ms;
    }

    /// Until `scope` rests: milliseconds that took.
    fn run(&mut self, scope: u64) -> u64 {
        let from = self.now.mono_ms;
        self.run_until(scope, u64::MAX);
        self.now.mono_ms - from
    }

    /// Until `scope` rests, or to that time.
    fn run_until(&mut self, scope: u64, end: u64) {
        loop {
            match self.exporter.next(scope, self.now) {
                ExportAction::Rest if end < u64::MAX => {
                    return self.wait(end.saturating_sub(self.now.mono_ms));
                }
                ExportAction::Rest => return,
                ExportAction::Log(line) => self.lines.push(line.message),
                ExportAction::Ended { call, why } => {
                    assert!(self.ended.insert(call, why).is_none(), "export {call} ended twice");
                }
                ExportAction::Send { flight, request, timeout_ms, .. } => {
                    let answer = (self.answer)(&request);
                    self.requests.push((self.now.mono_ms, request));
                    let is_late = matches!(answer, Answer::None { .. });
                    let ms = if is_late { timeout_ms } else { self.latency_ms };
                    self.in_flight.push((self.now.mono_ms + ms, flight, answer));
                }
                ExportAction::Wait(ms) => {
                    let first = self.in_flight.iter().map(|it| it.0).min().unwrap_or(u64::MAX);
                    let looks_at = ms.map_or(u64::MAX, |ms| self.now.mono_ms + ms);
                    let at = first.min(looks_at);
                    assert!(at < u64::MAX, "nobody wakes it");
                    if at > end {
                        return self.wait(end.saturating_sub(self.now.mono_ms));
                    }
                    self.wait(at.saturating_sub(self.now.mono_ms));
                    for (_, flight, answer) in self.in_flight.extract_if(.., |it| it.0 <= at) {
                        self.exporter.answered(flight, &answer, self.now);
                    }
                }
            }
        }
    }

    fn why(&self, call: u64) -> &str {
        self.ended[&call].as_deref().unwrap_or("stored")
    }
}

#[test]
fn what_comes_together_goes_together_to_the_backends_route_with_the_key() {
    let mut bench = Bench::new(json!({}), |_| http(200));
    let (a, b) = (bench.export(&["a", "b"]), bench.export(&["c"]));
    let empty = bench.export(&[]);
    bench.run(0);
    let [(_, request)] = &bench.requests[..] else { panic!("{:?}", bench.requests) };
    assert_eq!(names(request), ["a", "b", "c"]);
    assert_eq!(
        (request.method, &*request.url),
        ("POST", "https://hive.example/opentelemetry/v1/traces")
    );
    let headers: Value = from_str(&request.headers).unwrap();
    assert_eq!(headers["authorization"], "Bearer sekret");
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(bench.ended, BTreeMap::from([(a, None), (b, None), (empty, None)]));
    assert!(bench.lines.is_empty(), "{:?}", bench.lines);
}

#[test]
fn what_can_pass_is_tried_again_as_it_was_and_the_server_is_given_the_time_it_asks_for() {
    let mut left = 2;
    let mut bench = Bench::new(json!({}), move |_| {
        left -= 1;
        match left {
            1 => Answer::Http {
                status: 429,
                retry_after: Some(RetryAfter::Seconds(7)),
                body: "".into(),
            },
            _ => http(200),
        }
    });
    let call = bench.export(&["a"]);
    bench.run(0);
    let [(first_at, first), (second_at, second)] = &bench.requests[..] else { panic!() };
    assert!(second_at - first_at >= 7_000);
    assert_eq!(first, second, "hh-client-timestamp included");
    assert_eq!(bench.why(call), "stored");
}

#[test]
fn what_keeps_failing_is_given_up_at_its_deadline_and_said_once_without_the_key() {
    for answer in [http(503), Answer::None { why: "connect sekret failed".into() }] {
        let mut bench = Bench::new(json!({"deadlineMs": 10_000}), move |_| answer.clone());
        let calls = [bench.export(&["a"]), bench.export(&["b"])];
        let took = bench.run(0);
        assert!((9_800..=16_000).contains(&took), "{took}");
        assert!(bench.requests.len() > 1);
        for call in calls {
            let why = bench.why(call);
            assert!(why.starts_with("retries_exhausted: it kept failing"), "{why}");
            assert!(why.contains("status 503") || why.contains("[Redacted] failed"), "{why}");
        }
        assert_eq!(bench.lines.len(), 1, "{:?}", bench.lines);
        assert!(!format!("{:?}{:?}", bench.lines, bench.ended).contains("sekret"));
    }
}

#[test]
fn a_server_that_asks_for_more_time_than_there_is_is_asked_once_more_in_time() {
    let mut bench = Bench::new(json!({}), |_| Answer::Http {
        status: 503,
        retry_after: Some(RetryAfter::Seconds(3_600)),
        body: "".into(),
    });
    let first = bench.export(&["a"]);
    let took = bench.run(0);
    assert!((25_000..=30_100).contains(&took), "{took}");
    assert_eq!(bench.requests.len(), 2);
    assert!(bench.why(first).starts_with("retries_exhausted"));
}

/// One `Retry-After` of an hour, and all is well again: what comes meanwhile waits no longer than a fresh span
/// may, and one request tries.
#[test]
fn a_server_that_asks_for_an_hour_and_works_after_that_loses_nothing() {
    for deadline_ms in [3_000, 30_000] {
        let mut asked = 0;
        let mut bench = Bench::new(json!({"deadlineMs": deadline_ms}), move |_| {
            asked += 1;
            match asked {
                1 => Answer::Http {
                    status: 503,
                    retry_after: Some(RetryAfter::Seconds(3_600)),
                    body: "".into(),
                },
                _ => http(200),
            }
        });
        let calls: Vec<u64> = (0..3_495)
            .map(|number: u64| {
                let call = bench.export(&[&number.to_string()]);
                bench.run_until(0, bench.now.mono_ms + 20);
                call
            })
            .collect();
        bench.run(0);
        let lost = calls.iter().filter(|call| bench.why(**call) != "stored").count();
        assert_eq!(lost, 0, "{deadline_ms}");
    }
}

#[test]
fn a_request_on_its_way_ends_with_the_deadline() {
    let mut bench =
        Bench::new(json!({"deadlineMs": 3_000}), |_| Answer::None { why: "no answer".into() });
    let call = bench.export(&["a"]);
    let took = bench.run(0);
    assert!((2_900..=3_001).contains(&took), "{took}");
    assert!(bench.why(call).starts_with("retries_exhausted"));
    assert_eq!(bench.requests.len(), 1);
}

#[test]
fn bad_spans_cost_nobody_anything_but_themselves() {
    let mut bench = Bench::new(json!({}), |request| {
        let bad = names(request).iter().any(|name| name.starts_with("bad"));
        http(if bad { 400 } else { 200 })
    });
    let good = bench.export(&["1", "2", "3"]);
    let mixed = bench.export(&["4", "bad 5", "6"]);
    let also_good = bench.export(&["7"]);
    bench.run(0);
    assert_eq!([bench.why(good), bench.why(also_good)], ["stored", "stored"]);
    assert!(
        bench
            .why(mixed)
            .starts_with("rejected: https://hive.example rejected the request with 400")
    );
    let mut stored: Vec<String> = bench
        .requests
        .iter()
        .flat_map(|(_, request)| Some(names(request)).filter(|it| !it.contains(&"bad 5".into())))
        .flatten()
        .collect();
    stored.sort();
    assert_eq!(stored, ["1", "2", "3", "4", "6", "7"]);
}

#[test]
fn a_span_that_could_not_be_read_is_told_and_costs_the_others_nothing() {
    let mut bench = Bench::new(json!({}), |_| http(200));
    let part = bench.exporter.give(0, r#"[{},"it throws"]"#);
    let call = bench.exporter.export(part, &export(&["a", "b"]), 0, bench.now).call;
    bench.run(0);
    assert_eq!(bench.why(call), "invalid: a span could not be read: it throws");
    assert_eq!(bench.lines, ["spans were dropped (invalid): a span could not be read: it throws"]);
    assert_eq!(names(&bench.requests[0].1), ["a", "b"]);
    let alone = bench.exporter.export(0, r#"[{},"it throws"]"#, 0, bench.now).call;
    bench.run(0);
    assert!(bench.why(alone).starts_with("invalid"), "where nothing is left to send as well");
    assert_eq!((bench.requests.len(), bench.lines.len()), (1, 1), "and the line is logged once");
}

#[test]
fn what_will_never_pass_is_not_tried_again_and_says_what_to_do() {
    for (status, said) in [
        (401, "refused the API key with 401"),
        (403, "refused the API key with 403"),
        (404, "rejected the request with 404"),
        (405, "no route /opentelemetry/v1/traces"),
        (302, "redirects elsewhere"),
    ] {
        let mut bench = Bench::new(json!({}), move |_| http(status));
        let call = bench.export(&["a", "b"]);
        bench.run(0);
        assert_eq!(bench.requests.len(), 1, "{status}");
        assert!(bench.why(call).contains(said), "{status}: {}", bench.why(call));
        assert_eq!(bench.lines.len(), 1);
    }
}

#[test]
fn a_disabled_exporter_sends_nothing() {
    for options in [json!({"disabled": true}), json!({"apiKey": "", "env": {}})] {
        let mut bench = Bench::new(options, |_| http(200));
        let call = bench.export(&["a"]);
        bench.run(0);
        assert!(bench.requests.is_empty());
        assert!(bench.why(call).starts_with("disabled"));
    }
}

#[test]
fn what_is_held_is_bounded_span_by_span() {
    let mut bench = Bench::new(json!({"maxQueueBytes": 2_000}), |_| http(200));
    let long = "x".repeat(700);
    let (fits, over) = (bench.export(&[&long]), bench.export(&[&long, &long]));
    let huge = bench.export(&[&"y".repeat(5_000_000), "small"]);
    bench.run(0);
    assert_eq!(bench.why(fits), "stored");
    assert!(bench.why(over).starts_with("queue_full: the queue is full (maxQueueBytes, 2000)"));
    assert!(bench.why(over).ends_with("the backend is too slow"));
    assert!(bench.why(huge).starts_with("too_large"));
    let sent: usize = bench.requests.iter().map(|(_, request)| names(request).len()).sum();
    assert_eq!(sent, 3, "one of the two had room, and the small one");
    let again = bench.export(&[&long]);
    bench.run(0);
    assert_eq!(bench.why(again), "stored", "what ended takes no room");
}

#[test]
fn what_one_request_holds_has_room_where_nothing_waits() {
    let page = json!({"maxQueueBytes": 4 * 1024 * 1024});
    let mut bench = Bench::new(page.clone(), |_| http(200));
    let span = "x".repeat(9_000);
    let call = bench.export(&[&span[..]; 512]);
    bench.run(0);
    assert_eq!(bench.why(call), "stored");
    let mut bench = Bench::new(page, |_| http(200));
    let mut spans = vec!["small"; 511];
    let large = "x".repeat(4_200_000);
    spans.push(&large);
    let call = bench.export(&spans);
    bench.run(0);
    assert_eq!(bench.why(call), "stored");
}

#[test]
fn a_full_queue_says_why_it_is_full() {
    let mut bench = Bench::new(json!({"maxQueueBytes": 1_000}), |_| http(503));
    let span = "x".repeat(900);
    bench.export(&[&span]);
    bench.run_until(0, bench.now.mono_ms + 100);
    let call = bench.export(&[&span]);
    bench.run(0);
    assert!(bench.why(call).contains("the backend fails (status 503)"));
    let alone = bench.export(&[&"x".repeat(3_000_000)[..]; 2]);
    bench.run(0);
    let why = bench.why(alone);
    assert!(why.starts_with("queue_full") && !why.contains("too slow"), "{why}");
}

#[test]
fn what_spans_have_in_common_counts_once() {
    let mut bench = Bench::new(json!({"maxQueueBytes": 1_000_000}), |_| http(200));
    let resource = json!({"attributes": {"long": "r".repeat(8_192)}});
    let span = json!({"resource": 0, "scope": 0});
    let export = |spans: usize| {
        items(json!({"resources": [resource], "scopes": [{}]}), &vec![span.clone(); spans])
    };
    let mut calls = vec![bench.exporter.export(0, &export(2_048), 0, bench.now).call];
    // Also across exports.
    for _ in 0..1_000 {
        calls.push(bench.exporter.export(0, &export(1), 0, bench.now).call);
    }
    bench.run(0);
    assert!(calls.iter().all(|call| bench.why(*call) == "stored"));
    assert!(bench.requests.len() <= 2, "{}", bench.requests.len());
    assert_eq!(bench.exporter.held_bytes(), 0);
}

#[test]
fn a_server_that_answers_late_keeps_up_with_what_comes() {
    for (spans_a_second, bytes, latency_ms) in
        [(2_000, 5_000, 100), (400, 12_000, 300), (4_000, 200, 300), (1_000, 45_000, 300)]
    {
        let mut bench = Bench::new(json!({}), |_| http(200));
        bench.latency_ms = latency_ms;
        let span = "x".repeat(bytes);
        let mut calls = Vec::new();
        for _ in 0..10 {
            for _ in 0..10 {
                calls.push(bench.export(&vec![&span[..]; spans_a_second / 100]));
                bench.run_until(0, bench.now.mono_ms + 10);
            }
        }
        bench.run(0);
        let lost = calls.iter().filter(|call| bench.why(**call) != "stored").count();
        assert_eq!(lost, 0, "{spans_a_second} a second of {bytes} bytes at {latency_ms} ms");
    }
}

#[test]
fn a_long_line_goes_out_in_requests_of_a_bearable_size() {
    let mut bench = Bench::new(json!({"maxQueueBytes": 16_000_000}), |_| http(200));
    let long = "x".repeat(300_000);
    let call = bench.export(&[&long[..]; 30]);
    bench.run(0);
    let counts: Vec<usize> =
        bench.requests.iter().map(|(_, request)| names(request).len()).collect();
    assert_eq!(counts, [13, 13, 4]);
    assert_eq!(bench.why(call), "stored");
}

#[test]
fn requests_of_one_line_keep_their_distance() {
    let mut bench = Bench::new(json!({}), |_| http(200));
    bench.export(&["a"]);
    bench.run(0);
    bench.export(&["b"]);
    bench.run(0);
    // The line was forgotten in between: nothing in it, nothing to wait for.
    assert!(bench.requests[1].0 - bench.requests[0].0 < 200);

    let mut bench = Bench::new(json!({}), |_| http(200));
    bench.export(&["a"]);
    let ExportAction::Send { flight, .. } = bench.exporter.next(0, bench.now) else { panic!() };
    bench.export(&["b"]);
    bench.exporter.answered(flight, &http(200), bench.now);
    let ExportAction::Ended { .. } = bench.exporter.next(0, bench.now) else { panic!() };
    assert_eq!(bench.exporter.next(0, bench.now), ExportAction::Wait(Some(200)));
}

#[test]
fn partial_success_is_said() {
    for rejected in ["2", "\"2\""] {
        let body = format!(r#"{{"partialSuccess":{{"rejectedSpans":{rejected}}}}}"#);
        let mut bench = Bench::new(json!({}), move |_| Answer::Http {
            status: 200,
            retry_after: None,
            body: body.clone(),
        });
        bench.export(&["a", "b", "c"]);
        bench.run(0);
        assert_eq!(bench.lines, ["the backend left out 2 spans of a request"]);
    }
}

#[test]
fn a_scope_that_was_torn_down_leaves_nothing_behind_and_disturbs_nobody() {
    let mut bench = Bench::new(json!({"maxQueueBytes": 1_500}), |_| http(200));
    let long = "x".repeat(900);
    let Accepted { call: gone, needs_poll } =
        bench.exporter.export(0, &export(&[&long]), 5, bench.now);
    assert!(needs_poll);
    let ExportAction::Send { flight, .. } = bench.exporter.next(5, bench.now) else { panic!() };
    assert!(bench.exporter.has_work(5));
    bench.wait(60_000);
    let early = bench.exporter.export(0, &export(&[&long]), 6, bench.now).call;
    bench.run(6);
    assert!(!bench.exporter.has_work(5), "what waits for it may go");
    // Told in the scope that lives.
    assert!(bench.why(gone).starts_with("retries_exhausted"));
    assert_eq!(bench.why(early), "stored", "the room was given back");
    bench.exporter.answered(flight, &http(200), bench.now);
    assert_eq!(bench.exporter.next(5, bench.now), ExportAction::Rest);
}

#[test]
fn where_there_is_no_timer_what_waits_is_given_up() {
    let mut bench = Bench::new(json!({}), |_| http(503));
    let call = bench.export(&["a"]);
    let ExportAction::Send { flight, .. } = bench.exporter.next(0, bench.now) else { panic!() };
    bench.exporter.answered(flight, &http(503), bench.now);
    let ExportAction::Wait(_) = bench.exporter.next(0, bench.now) else { panic!() };
    bench.exporter.no_timer(0);
    assert_eq!(bench.run(0), 0);
    assert!(bench.why(call).starts_with("retries_exhausted"));
}

/// Many lives with a broken network: each export ends once, what is told as stored is stored, and once
/// all has ended nothing is held.
#[test]
fn whatever_the_network_does_each_export_ends_once_and_truly() {
    use std::cell::RefCell;
    use std::rc::Rc;

    for seed in 0..500 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut network = fastrand::Rng::with_seed(seed ^ 0xabcd);
        let stored: Rc<RefCell<Vec<String>>> = Rc::default();
        let kept = stored.clone();
        let mut bench = Bench::new(json!({"deadlineMs": 8_000}), move |request| {
            let fate = network.u32(0..100);
            let bad = names(request).iter().any(|name| name.starts_with("bad"));
            if bad || fate < 40 {
                return if bad { http(422) } else { http([500, 429, 408][fate as usize % 3]) };
            }
            kept.borrow_mut().extend(names(request));
            // Stored, and the answer lost, now and then.
            if fate < 50 { Answer::None { why: "reset".into() } } else { http(200) }
        });
        let mut calls = Vec::new();
        for round in 0..12 {
            for scope in 0..3 {
                let names: Vec<String> = (0..random.usize(0..5))
                    .map(|at| {
                        let kind = if random.u32(0..10) == 0 { "bad" } else { "good" };
                        format!("{kind} {round} {scope} {at}")
                    })
                    .collect();
                let given: Vec<&str> = names.iter().map(String::as_str).collect();
                let call = bench.exporter.export(0, &export(&given), scope, bench.now).call;
                calls.push((call, names.clone()));
            }
            for scope in 0..3 {
                bench.run(scope);
            }
        }
        assert_eq!(bench.ended.len(), calls.len(), "seed {seed}");
        let stored = stored.borrow();
        for (call, names) in calls {
            let all_good = names.iter().all(|name| name.starts_with("good"));
            if bench.why(call) == "stored" {
                assert!(names.iter().all(|name| stored.contains(name)), "seed {seed}, {call}");
            } else {
                assert!(
                    !all_good || bench.why(call).starts_with("retries_exhausted"),
                    "seed {seed}"
                );
            }
            assert!(all_good || bench.why(call) != "stored", "seed {seed}, {call}");
        }
        assert!(!stored.iter().any(|name| name.starts_with("bad")));
        let left = bench.exporter.next(0, bench.now);
        assert_eq!(left, ExportAction::Rest);
        assert_eq!(bench.exporter.held_bytes(), 0, "seed {seed}");
    }
}
