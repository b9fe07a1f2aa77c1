//! What the core promises where every request is a scope of its own: each sends for itself, none
//! waits for another's turn, and what a torn down one leaves behind is carried on.

#![cfg(not(target_arch = "wasm32"))]

mod harness;

use harness::{SERVER, status};
use honeyhive_edge::core::concurrency::Place;
use honeyhive_edge::core::json::Numerals;
use honeyhive_edge::core::outcome::{Outcome, Output};
use honeyhive_edge::core::registry::Registry;
use honeyhive_edge::core::time::{NEVER, Now};
use serde_json::{Value, json};

/// One isolate, in which only the scopes that a test names ever look.
struct Isolate {
    registry: Registry,
    now: Now,
    settled: Vec<(u64, Outcome)>,
    gone: Vec<(u64, Vec<u64>)>,
    /// Tracers that were made, each with a session of its own.
    inits: u32,
}

impl Isolate {
    fn new() -> Isolate {
        let numerals = Numerals {
            read: |text| text.parse().unwrap_or(f64::NAN),
            write: |number| number.to_string(),
        };
        Isolate {
            registry: Registry::new(1, numerals).in_place(Place::EdgeRequest),
            now: Now { mono_ms: 1_000, unix_ms: 1_700_000_000_000 },
            settled: Vec::new(),
            gone: Vec::new(),
            inits: 0,
        }
    }

    fn init(&mut self, scope: u64, more: Value) -> u64 {
        let mut options = json!({"apiKey": "sekret", "serverUrl": SERVER});
        self.inits += 1;
        options["newSessionId"] = json!(format!("00000000-0000-4000-8000-{:012}", self.inits));
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.registry.init(&options.to_string(), scope, self.now).unwrap().tracer
    }

    /// When `scope` is to look again, which it is.
    fn wake_at(&self, scope: u64) -> u64 {
        let at = self.registry.wake_at(scope, self.now);
        assert!(at < NEVER, "nothing would wake {scope}");
        at
    }

    fn enrich(&mut self, tracer: u64, scope: u64) -> u64 {
        let json = json!({"metadata": {"scope": scope}}).to_string();
        self.registry.enrich(tracer, None, json, scope, true, self.now)
    }

    /// A request that makes a tracer, enriches, and waits for nothing.
    fn request(&mut self, scope: u64) -> u64 {
        let tracer = self.init(scope, json!({}));
        self.enrich(tracer, scope)
    }

    /// `scope` looks. The requests that it is to send.
    fn look(&mut self, scope: u64) -> Vec<u64> {
        let mut sent = Vec::new();
        while let Some(output) = self.registry.poll(scope, self.now) {
            match output {
                Output::Send { flight, .. } => sent.push(flight),
                Output::Settled { ids, outcome } => {
                    self.settled.extend(ids.into_iter().map(|id| (id, (*outcome).clone())));
                }
                Output::TornDown { scope, ids } => self.gone.push((scope, ids)),
                _ => {}
            }
        }
        sent
    }

    fn wait(&mut self, ms: u64) {
        self.now.mono_ms += ms;
        self.now.unix_ms += ms;
    }

    fn stored(&mut self, flight: u64) {
        self.registry.finish_request(flight, &status(200, "{}"), self.now);
    }

    fn failed(&mut self, flight: u64) {
        self.registry.finish_request(flight, &status(503, ""), self.now);
    }

    fn is_delivered(&self, id: u64) -> bool {
        let ends: Vec<&Outcome> =
            self.settled.iter().filter(|(of, _)| *of == id).map(|(_, end)| end).collect();
        assert!(ends.len() < 2, "{id} ended twice");
        matches!(ends.first(), Some(Outcome::Delivered { .. }))
    }
}

#[test]
fn every_request_sends_at_once_however_many_are_on_their_way() {
    let mut isolate = Isolate::new();
    for scope in 1..=1_000 {
        isolate.request(scope);
        assert_eq!(isolate.look(scope).len(), 1, "request {scope}");
    }
}

#[test]
fn one_request_has_six_on_their_way_to_a_server_and_as_many_to_another() {
    let mut isolate = Isolate::new();
    for n in 0..20 {
        let server = ["https://a.example", "https://b.example"][n % 2];
        let tracer = isolate.init(7, json!({ "serverUrl": server }));
        isolate.enrich(tracer, 7);
    }
    let mut sent = isolate.look(7);
    assert_eq!(sent.len(), 12);
    isolate.stored(sent.remove(0));
    assert_eq!(isolate.look(7).len(), 1, "one came back, one goes");
}

#[test]
fn tracers_whose_own_fetch_leads_to_one_server_share_the_six_of_a_request() {
    let mut isolate = Isolate::new();
    for transport in 1..=20 {
        let tracer = isolate.init(7, json!({ "transport": transport }));
        isolate.enrich(tracer, 7);
    }
    assert_eq!(isolate.look(7).len(), 6);
}

#[test]
fn what_one_request_queued_no_other_sends() {
    let mut isolate = Isolate::new();
    let id = isolate.request(1);
    assert!(isolate.look(2).is_empty());
    let sent = isolate.look(1);
    isolate.stored(sent[0]);
    assert!(isolate.look(2).is_empty());
    assert!(!isolate.is_delivered(id), "it is told in its own request");
    isolate.look(1);
    assert!(isolate.is_delivered(id));
}

#[test]
fn a_backend_that_does_not_answer_one_request_does_not_keep_the_next_waiting() {
    let mut isolate = Isolate::new();
    for scope in 1..=50 {
        isolate.request(scope);
        isolate.look(scope);
    }
    isolate.wait(1_000);
    let id = isolate.request(51);
    let sent = isolate.look(51);
    isolate.stored(sent[0]);
    isolate.look(51);
    assert!(isolate.is_delivered(id));
}

#[test]
fn a_request_wakes_for_its_own_reasons_and_not_for_others() {
    let mut isolate = Isolate::new();
    for scope in 1..=100 {
        isolate.request(scope);
        isolate.look(scope);
    }
    for scope in 1..=100 {
        assert!(isolate.registry.is_busy(scope));
        let at = isolate.wake_at(scope);
        assert!(at >= isolate.now.mono_ms + 1_000, "its answer wakes it, not the clock");
    }
}

#[test]
fn who_shares_a_session_looks_at_what_the_other_sends() {
    let mut isolate = Isolate::new();
    let tracer = isolate.init(1, json!({}));
    let first = isolate.enrich(tracer, 1);
    let sent = isolate.look(1);
    let second = isolate.enrich(tracer, 2);
    assert!(isolate.look(2).is_empty(), "one request a session");
    let at = isolate.wake_at(2);
    assert!(at <= isolate.now.mono_ms + 50, "no promise tells it");
    isolate.stored(sent[0]);
    isolate.look(1);
    assert!(isolate.is_delivered(first));
    assert!(!isolate.registry.is_busy(1), "the other's enrichment is not its business");
    isolate.wait(200);
    let sent = isolate.look(2);
    isolate.stored(sent[0]);
    isolate.look(2);
    assert!(isolate.is_delivered(second));
}

#[test]
fn what_a_torn_down_request_left_behind_the_next_one_sends() {
    let mut isolate = Isolate::new();
    let id = isolate.request(1);
    isolate.look(1);
    // Its answer never comes, and nobody says that it is gone.
    let mut sent = 0;
    for scope in 2..42 {
        isolate.wait(500);
        for flight in isolate.look(scope) {
            isolate.stored(flight);
            sent += 1;
        }
        isolate.look(scope);
    }
    assert_eq!(sent, 1);
    assert_eq!(isolate.registry.held(), 0);
    assert!(!isolate.is_delivered(id) && isolate.gone.is_empty(), "it may yet come");
    for scope in 42..142 {
        isolate.wait(500);
        isolate.look(scope);
    }
    assert_eq!(isolate.gone, [(1, vec![id])], "nobody may touch what it waited with");
    assert!(isolate.is_delivered(id), "it counts");
    assert_eq!(isolate.registry.scopes(), 0);
}

#[test]
fn a_request_that_comes_late_is_told_all_the_same() {
    let mut isolate = Isolate::new();
    let id = isolate.request(1);
    isolate.look(1);
    // The isolate is so busy that its turn does not come for long.
    for scope in 2..42 {
        isolate.wait(500);
        for flight in isolate.look(scope) {
            isolate.stored(flight);
        }
        isolate.look(scope);
    }
    isolate.look(1);
    assert!(isolate.is_delivered(id) && isolate.gone.is_empty());
    assert!(!isolate.registry.is_busy(1));
}

#[test]
fn an_answer_that_is_told_after_the_whole_program_stood_still_counts() {
    let mut isolate = Isolate::new();
    let id = isolate.request(1);
    let sent = isolate.look(1);
    // Its timers are run before the answer, which came long ago, is told.
    isolate.wait(60_000);
    assert!(isolate.look(1).is_empty(), "nothing is sent again");
    isolate.stored(sent[0]);
    isolate.look(1);
    assert!(isolate.is_delivered(id));
}

#[test]
fn a_torn_down_request_says_nothing_about_the_server() {
    let mut isolate = Isolate::new();
    for scope in 1..=20 {
        isolate.request(scope);
        isolate.look(scope);
    }
    isolate.wait(7_000);
    isolate.request(21);
    assert!(!isolate.look(21).is_empty(), "the server is not taken to be failing");
}

#[test]
fn a_request_that_waits_long_is_not_taken_to_be_gone() {
    let mut isolate = Isolate::new();
    let id = isolate.request(1);
    let sent = isolate.look(1);
    isolate.failed(sent[0]);
    let mut last = None;
    let until = isolate.now.mono_ms + 29_000;
    while isolate.now.mono_ms < until {
        let at = isolate.wake_at(1);
        isolate.wait(at - isolate.now.mono_ms);
        for flight in isolate.look(1) {
            isolate.failed(flight);
            last = Some(flight);
        }
        // Others look all the time.
        isolate.look(2);
    }
    assert!(last.is_some(), "it goes on trying");
    assert!(isolate.gone.is_empty());
    assert!(isolate.registry.is_busy(1) || isolate.settled.iter().any(|(of, _)| *of == id));
}

#[test]
fn while_a_server_fails_one_request_probes_and_the_others_look_seldom() {
    let mut isolate = Isolate::new();
    (1..=500).for_each(|scope| _ = isolate.request(scope));
    // What is sent before the first failure is known fails with it; the second time is no chance.
    for scope in 1..=2 {
        let sent = isolate.look(scope);
        assert_eq!(sent.len(), 1);
        isolate.failed(sent[0]);
    }
    isolate.wait(10_000);
    let probes: Vec<u64> = (1..=500).flat_map(|scope| isolate.look(scope)).collect();
    assert_eq!(probes.len(), 1);
    let looks = (3..=500).map(|scope| isolate.wake_at(scope));
    assert!(looks.min().unwrap() >= isolate.now.mono_ms + 400, "500 looks in half a second");
    isolate.stored(probes[0]);
    isolate.wait(1_000);
    let sent = (1..=500).flat_map(|scope| isolate.look(scope)).count();
    assert!(sent >= 498, "{sent}: it heals for all at once");
}

#[test]
fn what_was_given_outside_of_any_request_goes_out_with_whoever_comes() {
    let mut isolate = Isolate::new();
    let id = isolate.request(0);
    let sent = isolate.look(1);
    assert_eq!(sent.len(), 1);
    assert!(isolate.registry.is_busy(1), "it stays until its request is answered");
    isolate.stored(sent[0]);
    isolate.look(1);
    assert!(isolate.is_delivered(id));
    assert!(!isolate.registry.is_busy(1));
}
