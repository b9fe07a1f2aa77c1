//! Servers that refuse: one bad enrichment costs only itself, and one that refuses everything hears little.

#![cfg(not(target_arch = "wasm32"))]

mod harness;

use harness::{Bench, status};
use honeyhive_edge::core::outcome::Reason;
use honeyhive_edge::core::wire::{Answer, Request};
use serde_json::json;

/// Enriches one session so often at once; `is_bad` says which ones the server refuses.
fn say(bench: &mut Bench, count: usize, is_bad: impl Fn(usize) -> bool) -> Vec<u64> {
    let tracer = bench.init(json!({"maxQueueBytes": 1 << 30, "logLevel": "silent"})).tracer;
    let say = |n| match is_bad(n) {
        true => json!({"metadata": {format!("{n}"): "bad"}}),
        false => json!({"metadata": {format!("{n}"): "good"}}),
    };
    (0..count).map(|n| bench.enrich(tracer, None, say(n))).collect()
}

fn refuses_bad(request: &Request) -> Answer {
    match request.body.contains("bad") {
        true => status(422, r#"{"message":"no"}"#),
        false => status(200, "{}"),
    }
}

fn rejected(bench: &Bench, ids: &[u64]) -> usize {
    ids.iter().filter(|id| bench.reason_of(**id) == Some(Reason::Rejected)).count()
}

#[test]
fn one_bad_among_a_thousand_costs_only_itself() {
    for bad in [0, 1, 499, 500, 998, 999] {
        let mut bench = Bench::new(refuses_bad);
        let ids = say(&mut bench, 1_000, |n| n == bad);
        bench.run(60_000);
        assert_eq!(rejected(&bench, &ids), 1);
        assert_eq!(bench.reason_of(ids[bad]), Some(Reason::Rejected));
        assert!(ids.iter().enumerate().all(|(n, id)| n == bad || bench.is_delivered(*id)));
        assert!(bench.requests.len() < 60, "{}", bench.requests.len());
        assert!(bench.drops.iter().all(|drop| !drop.contains("it was not tried by itself")));
    }
}

#[test]
fn who_refuses_everything_hears_little() {
    let refusals: [fn(&Request) -> Answer; 2] = [|_| status(400, "{}"), refuses_bad];
    for refuses in refusals {
        for sessions in [1, 4] {
            let mut bench = Bench::new(refuses);
            let ids: Vec<u64> =
                (0..sessions).flat_map(|_| say(&mut bench, 4_000 / sessions, |_| true)).collect();
            bench.run(120_000);
            assert_eq!(rejected(&bench, &ids), 4_000);
            // Who was refused with others is told so, and who was tried alone is not.
            let is_told = |drop: &&String| drop.contains("it was not tried by itself");
            let told = bench.drops.iter().filter(is_told).count();
            assert!((3_000..=4_000 - 64).contains(&told), "{told}");
            assert!(bench.requests.len() <= 400, "{}", bench.requests.len());
        }
    }
}

#[test]
fn what_is_sound_is_lost_to_no_neighbours_while_the_server_takes_some() {
    // As bad as it gets short of general: a sound one after each sixty bad ones.
    let mut bench = Bench::new(refuses_bad);
    let ids = say(&mut bench, 1_000, |n| n % 61 != 60);
    bench.run(120_000);
    assert_eq!(rejected(&bench, &ids), 1_000 - 1_000 / 61);
    // A loop that went wrong for a while, before and after which all is well.
    let mut bench = Bench::new(refuses_bad);
    let ids = say(&mut bench, 4_000, |n| (100..400).contains(&n));
    bench.run(120_000);
    assert_eq!(ids[..100].iter().filter(|id| bench.is_delivered(**id)).count(), 100);
    let lost = rejected(&bench, &ids) - 300;
    assert!(lost <= 4_000 / 16, "{lost} sound ones are lost at most to the end of a piece");
    // What is said later is looked at again.
    let later = say(&mut bench, 10, |n| n == 3);
    bench.run(10_000);
    assert_eq!(rejected(&bench, &later), 1);
}
