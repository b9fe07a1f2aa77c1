//! What holds for any input, held against a thousand random ones each, and shrunk to the smallest
//! where it does not: `PROPTEST_CASES=100000 cargo test --test properties` tries more.

#![cfg(not(target_arch = "wasm32"))]

#[path = "../simulation/backend.rs"]
mod backend;
#[path = "../harness/mod.rs"]
mod harness;
mod json;
mod merging;
mod ordinary;
mod redaction;
mod secrets;
mod straight;
mod values;

use proptest::test_runner::Config;

/// How much is tried; what failed is printed and not written into the source tree.
fn cases(default: u32) -> Config {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    Config { failure_persistence: None, ..Config::with_cases(asked.unwrap_or(default)) }
}
