//! The core with a model of the face around it, in simulated servers' processes, Workers and pages, with
//! simulated users, backends, networks and clocks, deterministic from a seed: whatever was merged, retried
//! or delayed, a backend ends with what sending each enrichment by itself, in order, would have made; and
//! what users are told of it is true.
//!
//! `make simulation` lives a million lives; a seed that fails is printed, and replayed with
//! `SIMULATION_SEED=17 cargo test --test simulation one_by_one`; `SIMULATION_TRACE=1` prints what the core
//! does. What was broken off goes on with
//! `make simulation SIMULATION_FROM=300000 SIMULATION_SEEDS=700000`.

#![cfg(not(target_arch = "wasm32"))]

mod backend;
mod bugs;
mod calls;
mod capacity;
mod checks;
mod clock;
mod face;
mod network;
mod page;
mod program;
mod spans;
mod users;
mod world;

use std::collections::BTreeMap;
use std::thread;

use bugs::Bug;
use world::World;

/// Seeds in an ordinary run.
const SEEDS: u64 = 10_000;

/// Lives that showed a bug once.
const TELLING: [u64; 28] = [
    1, 16, 500, 43_015, 59_546, 183_520, 194_522, 195_527, 209_001, 212_409, 231_504, 236_532,
    250_876, 288_500, 310_532, 329_275, 333_537, 340_515, 361_746, 369_524, 387_255, 395_543,
    398_183, 404_719, 405_828, 470_505, 593_526, 723_033,
];

/// How an enrichment ends in some of so many lives.
const ENDS: [&str; 8] = [
    "closed",
    "delivered",
    "disabled",
    "invalid",
    "no_session",
    "queue_full",
    "rejected",
    "retries_exhausted",
];

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// How long a life is: mostly short, which makes a failure easy to read; some are long.
fn steps(seed: u64) -> usize {
    match seed % 500 {
        0 => 3_000,
        1..50 => 400,
        _ => 60,
    }
}

fn live(seed: u64, bug: Option<Bug>) -> Result<World, String> {
    let mut world = World::new(seed, bug);
    world.live(steps(seed)).map(|()| world)
}

/// What came of many lives.
#[derive(Default)]
struct Sum {
    requests: usize,
    /// Enrichments, by how they ended.
    ends: BTreeMap<&'static str, usize>,
}

fn live_all(seeds: impl Iterator<Item = u64>) -> Sum {
    let mut sum = Sum::default();
    for seed in seeds {
        let world = live(seed, None).unwrap_or_else(|why| panic!("SIMULATION_SEED={seed}: {why}"));
        sum.requests += world.requests;
        let calls = world.programs.iter().flat_map(|program| program.calls.values());
        for end in calls.filter_map(|call| call.end.as_ref()) {
            *sum.ends
                .entry(end.as_ref().map_or_else(|reason| reason.code(), |_| "delivered"))
                .or_default() += 1;
        }
    }
    sum
}

#[test]
fn as_if_one_by_one_in_order_on_a_perfect_network() {
    if let Some(seed) = number("SIMULATION_SEED") {
        live_all([seed].into_iter());
        return;
    }
    live_all(TELLING.into_iter());
    let first = number("SIMULATION_FROM").unwrap_or(0);
    let seeds = number("SIMULATION_SEEDS").unwrap_or(SEEDS);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let sums: Vec<Sum> = thread::scope(|scope| {
        let lives = |from| scope.spawn(move || live_all((from..first + seeds).step_by(threads)));
        let running: Vec<_> = (first..).take(threads).map(lives).collect();
        running.into_iter().map(|lives| lives.join().expect("a seed failed")).collect()
    });
    let mut sum = Sum::default();
    for Sum { requests, ends } in sums {
        sum.requests += requests;
        ends.into_iter().for_each(|(end, count)| *sum.ends.entry(end).or_default() += count);
    }
    println!(
        "{seeds} lives from {first} on, {} requests, enrichments {:?}",
        sum.requests, sum.ends
    );
    assert!(sum.ends.keys().copied().eq(ENDS), "each end comes: {:?}", sum.ends);
    let said: usize = sum.ends.values().sum();
    assert!(said > sum.requests, "merging saves requests even on a bad network");
}

/// Lives of the exporter of spans in an ordinary run.
const SPAN_SEEDS: u64 = 2_000;

/// How an export ends in some of so many lives.
const SPAN_ENDS: [&str; 5] = ["invalid", "queue_full", "rejected", "retries_exhausted", "stored"];

#[test]
fn each_span_is_stored_or_given_up_and_that_is_told_once() {
    let first = number("SIMULATION_FROM").unwrap_or(0);
    let seeds = number("SIMULATION_SEEDS").unwrap_or(SPAN_SEEDS);
    let all = number("SIMULATION_SEED").map_or(first..first + seeds, |seed| seed..seed + 1);
    let mut requests = 0;
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for seed in all.clone() {
        let mut life = spans::Life::new(seed);
        life.live().unwrap_or_else(|why| panic!("SIMULATION_SEED={seed}: {why}"));
        requests += life.requests;
        life.ends.into_iter().for_each(|(end, count)| *ends.entry(end).or_default() += count);
    }
    println!(
        "{} lives of the exporter, {requests} requests, exports {ends:?}",
        all.end - all.start
    );
    let is_one = all.end - all.start == 1;
    assert!(is_one || ends.keys().eq(SPAN_ENDS.iter()), "each end comes: {ends:?}");
}

#[test]
fn every_planted_bug_is_found() {
    for bug in Bug::ALL {
        let found = (0..2_000).find(|seed| live(*seed, Some(bug)).is_err());
        assert!(found.is_some(), "{bug:?} was not found");
    }
}
