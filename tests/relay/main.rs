//! The relay's rules, and the tracer that speaks to a relay: no network, no clock, no real
//! signature. The relay in its runtimes is tested beside this, by `*.test.mjs`.

#![cfg(not(target_arch = "wasm32"))]

#[path = "../simulation/backend.rs"]
#[allow(dead_code, reason = "the simulation uses more of it")]
mod backend;
#[path = "../harness/mod.rs"]
mod harness;

mod lives;
mod page;
mod passage;
mod queue;
mod tickets;
mod under_way;

use std::rc::Rc;

use honeyhive_edge::core::json::Numerals;
use honeyhive_edge::core::relay::head::Head;
use honeyhive_edge::core::relay::passage::{BodyRead, End, Forward, Passage, admit};
use honeyhive_edge::core::relay::rate::Rates;
use honeyhive_edge::core::relay::sequence::Sequences;
use honeyhive_edge::core::relay::settings::{RelaySettings, of_json};
use honeyhive_edge::core::relay::ticket::{Signature, Ticket, sealed};
use proptest::test_runner::Config;
use serde_json::{Value, json};

/// The session of tickets.
const SESSION: &str = "3cd70a6e-7d5b-4f3a-9b39-0c9c6a1f2e4d";

/// When all this happens, Unix milliseconds.
const NOW_MS: u64 = 1_700_000_000_000;

/// How much is tried; what failed is printed and not written into the source tree.
fn cases(default: u32) -> Config {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    Config { failure_persistence: None, ..Config::with_cases(asked.unwrap_or(default)) }
}

/// A relay with these options beside the usual ones.
fn relay(more: Value) -> Rc<RelaySettings> {
    let mut options =
        json!({"apiKey": "sekret", "serverUrl": "https://hive.example", "hasSecret": true});
    options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    of_json(&options.to_string(), Numerals::STD).0
}

/// Stands for WebCrypto: the signature of `claims` with the one secret there is.
fn sign(claims: &str) -> Signature {
    let mut signature = [7_u8; 32];
    for (place, byte) in claims.bytes().enumerate() {
        signature[place % 32] = signature[place % 32].wrapping_mul(31).wrapping_add(byte);
    }
    signature
}

/// A ticket for the session and these fields, good for an hour.
fn ticket(fields: &[&str]) -> String {
    let fields = fields.iter().map(|field| Some(*field));
    let claims = Ticket::issue(Some(SESSION), Some(fields), 3_600.0, NOW_MS).unwrap().claims();
    sealed(&claims, &sign(&claims))
}

/// A ticket for feedback on these events of the session.
fn ticket_of_events(events: &[&str]) -> String {
    let events = events.iter().map(|event| Some(*event));
    let ticket = Ticket::issue(Some(SESSION), Some([Some("feedback")]), 3_600.0, NOW_MS).unwrap();
    let claims = ticket.for_events(Some(events)).unwrap().claims();
    sealed(&claims, &sign(&claims))
}

/// A request as the tracer in a page makes it.
fn head(method: &str, path: &str, ticket: &str) -> Head {
    Head {
        method: method.into(),
        scheme: "https:".into(),
        host: "shop.example".into(),
        path: path.into(),
        origin: Some("https://shop.example".into()),
        authorization: Some(["Bearer ", ticket].concat()),
        content_type: Some("application/json".into()),
        ..Head::default()
    }
}

/// As far as its ticket.
fn pass(settings: &Rc<RelaySettings>, head: Head, rates: &mut Rates) -> Result<Passage, End> {
    let unverified = admit(settings, head)?;
    let is_right = sign(unverified.claims()) == *unverified.signature();
    unverified.verified(is_right, rates, NOW_MS)
}

/// All the way to what is to be done with it.
fn relayed(settings: &Rc<RelaySettings>, head: Head, body: &str) -> Result<Forward, End> {
    let mut passage = pass(settings, head, &mut Rates::default())?;
    passage.forward(BodyRead::Whole(body.as_bytes()), &mut Sequences::new(1), NOW_MS)
}
