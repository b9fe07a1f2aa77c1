//! The core against a simulated backend, network and clock, deterministic from a seed: whatever
//! was merged, retried or delayed, the backend ends with what sending each enrichment by itself,
//! in order, would have made.
//!
//! `SIMULATION_SEEDS=1000000 cargo test --release --test simulation` runs more of them;
//! `SIMULATION_SEED=17 cargo test --test simulation one_by_one` replays one.

#![cfg(not(target_arch = "wasm32"))]

mod backend;
mod bugs;
mod world;

use bugs::Bug;
use world::World;

/// Seeds in an ordinary run.
const SEEDS: u64 = 10_000;

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

#[test]
fn as_if_one_by_one_in_order_on_a_perfect_network() {
    if let Some(seed) = number("SIMULATION_SEED") {
        live(seed, None).unwrap_or_else(|why| panic!("SIMULATION_SEED={seed}: {why}"));
        return;
    }
    let (mut said, mut requests) = (0, 0);
    for seed in 0..number("SIMULATION_SEEDS").unwrap_or(SEEDS) {
        let world = live(seed, None).unwrap_or_else(|why| panic!("SIMULATION_SEED={seed}: {why}"));
        said += world.said.len();
        requests += world.requests;
    }
    println!("{said} enrichments in {requests} requests");
    assert!(said > requests, "merging saves requests even on a bad network");
}

#[test]
fn every_planted_bug_is_found() {
    for bug in Bug::ALL {
        let found = (0..2_000).find(|seed| live(*seed, Some(bug)).is_err());
        assert!(found.is_some(), "{bug:?} was not found");
    }
}
