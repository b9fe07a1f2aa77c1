//! What JavaScript calls in the module of `honeyhive-edge/relay`: [`admit`] and [`pass`] lead a page's request through the
//! relay, [`deliver`] a queue's batch, and tickets are written.
//!
//! A call has a number, under which the host hears of its end. Times are Unix milliseconds.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::core::json::elements;
use crate::core::log::Line;
use crate::core::options::{Options, text_of};
use crate::core::relay::consumer::{Consumer, Incoming};
use crate::core::relay::head::Head;
use crate::core::relay::passage::{End, Unverified, admit as admitted};
use crate::core::relay::policy::{LONGEST_BATCH_MS, TICKET_S};
use crate::core::relay::rate::Rates;
use crate::core::relay::settings::{self, RelaySettings};
use crate::core::relay::ticket::{Signature, Ticket, sealed};
use crate::core::relay::under_way::UnderWay;

use super::executor;
use super::foreign::Foreign;
use super::numerals::NUMERALS;
use super::values::to_js;

use batch::Batch;
use request::{Place, now_ms, respond};

mod batch;
mod host;
mod request;

/// Sets of options whose settings are kept: an application has one or two.
const KNOWN_OPTIONS: usize = 8;

/// A relay's settings, by the text of its options, and what its consumer remembers.
#[derive(Debug)]
struct Known {
    options: Box<str>,
    settings: Rc<RelaySettings>,
    consumer: Consumer,
}

#[derive(Debug, Default)]
struct State {
    known: Vec<Known>,
    rates: Rates,
    under_way: UnderWay,
    /// The place of each request under way, by the number under which the host knows it.
    calls: HashMap<u32, u64>,
    /// When each of the batches under way was opened, by the number under which the host knows it.
    batches: HashMap<u32, u64>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

fn with<T>(work: impl FnOnce(&mut State) -> T) -> T {
    STATE.with(|state| work(&mut state.borrow_mut()))
}

fn known<'a>(known: &'a mut Vec<Known>, options: &str) -> &'a mut Known {
    let place = known.iter().position(|known| *known.options == *options).unwrap_or_else(|| {
        let (settings, _) = settings::of_json(options, NUMERALS);
        if known.len() >= KNOWN_OPTIONS {
            known.remove(0);
        }
        known.push(Known { options: options.into(), settings, consumer: Consumer::default() });
        known.len() - 1
    });
    &mut known[place]
}

impl State {
    /// Looks at the head of a request: as often as it is asked, since nothing is kept of a request
    /// whose ticket has not been found right.
    fn admit(&mut self, options: &str, head: &str) -> Result<Unverified, End> {
        let settings = known(&mut self.known, options).settings.clone();
        admitted(&settings, Head::of(head))
    }
}

/// What is wrong with the options of a relay, or of the consumer of its queue.
///
/// `options` is an object as [`RelaySettings`] reads it.
#[wasm_bindgen(unchecked_return_type = "{ log: Lines }")]
pub fn check(options: &str) -> JsValue {
    #[derive(Serialize)]
    struct Checked<'a> {
        log: Vec<LogLine<'a>>,
    }
    let (_, log) = settings::of_json(options, NUMERALS);
    to_js(&Checked { log: lines(&log) })
}

/// The secrets in `secret` and `env` of `options`; the first one signs.
#[wasm_bindgen(unchecked_return_type = "{ secrets: string[], log: Lines }")]
pub fn secrets(options: &str) -> JsValue {
    #[derive(Serialize)]
    struct Secrets<'a, T: Serialize> {
        secrets: T,
        log: Vec<LogLine<'a>>,
    }
    let mut log = Vec::new();
    let options = Options::of(options, NUMERALS);
    let secrets = settings::secrets(&options, &mut log);
    if options.text("logLevel") == Some("silent") {
        log.clear();
    }
    to_js(&Secrets { secrets, log: lines(&log) })
}

/// What a ticket says, for the runtime to sign, or why there is none.
///
/// `asked` is `{ sessionId, events, fields, expiresIn }`.
#[wasm_bindgen(
    unchecked_return_type = "{ claims: string, problem?: undefined } | { claims?: undefined, problem: string }"
)]
pub fn claims(asked: &str, now_ms: f64) -> JsValue {
    #[derive(Serialize)]
    #[serde(rename_all = "lowercase")]
    enum Outcome {
        Claims(String),
        Problem(&'static str),
    }
    let asked = Options::of(asked, NUMERALS);
    let session = asked.text("sessionId");
    let list = |name| -> Option<Vec<Option<String>>> {
        asked.get(name).and_then(elements).map(|it| it.into_iter().map(text_of).collect())
    };
    let (fields, events) = (list("fields"), list("events"));
    let expires_in = match asked.get("expiresIn") {
        None => TICKET_S as f64,
        Some(_) => asked.number("expiresIn").unwrap_or(f64::NAN),
    };
    let fields = fields.as_ref().map(|fields| fields.iter().map(Option::as_deref));
    let events = events.as_ref().map(|events| events.iter().map(Option::as_deref));
    let ticket = Ticket::issue(session, fields, expires_in, now_ms as u64);
    let ticket = match asked.get("events") {
        None => ticket,
        Some(_) => ticket.and_then(|ticket| ticket.for_events(events)),
    };
    to_js(&match ticket {
        Ok(ticket) => Outcome::Claims(ticket.claims()),
        Err(problem) => Outcome::Problem(problem),
    })
}

/// The ticket of `claims` and their signature; empty where that is none.
#[wasm_bindgen]
pub fn seal(claims: &str, signature: &[u8]) -> String {
    Signature::try_from(signature).map_or(String::new(), |signature| sealed(claims, &signature))
}

/// Looks at a request's head, an object as [`Head`] describes it. Returns the answer, a `Response`, or `{ claims,
/// signature }` where the signature, a list of bytes, is to be checked.
#[wasm_bindgen(unchecked_return_type = "Response | { claims: string, signature: number[] }")]
pub fn admit(options: &str, head: &str) -> JsValue {
    #[derive(Serialize)]
    struct Unchecked<'a> {
        claims: &'a str,
        signature: &'a Signature,
    }
    match with(|state| state.admit(options, head)) {
        Ok(it) => to_js(&Unchecked { claims: it.claims(), signature: it.signature() }),
        Err(end) => respond(end),
    }
}

/// Leads a request to its end, a `Response` for `host.settle` under the number `call`. `is_right` says whether the
/// signature of the ticket in `head` is.
#[wasm_bindgen]
pub fn pass(call: u32, options: &str, head: &str, is_right: bool, request: Foreign) {
    // Only now something of the request is kept.
    let entered = with(|state| {
        let now_ms = now_ms();
        let unverified = state.admit(options, head)?;
        let passage = unverified.verified(is_right, &mut state.rates, now_ms)?;
        let passage = state.under_way.enter(passage, now_ms)?;
        state.calls.insert(call, passage);
        Ok(Place { call, passage })
    });
    forget_lost_calls();
    match entered {
        Err(end) => host::settle(call, &respond(end)),
        Ok(place) => executor::spawn(call, async move {
            let end = request::handle(place, request).await;
            host::settle(call, &respond(end));
        }),
    }
}

/// Requests that the runtime broke off are never continued: what waits for them goes with their places.
fn forget_lost_calls() {
    let lost = with(|state| {
        if state.calls.len() <= state.under_way.len() {
            return Vec::new();
        }
        let is_lost = |passage: &u64| state.under_way.get(*passage).is_none();
        state.calls.iter().filter(|(_, it)| is_lost(it)).map(|(call, _)| *call).collect()
    });
    for call in lost {
        executor::forget(call);
        host::left(call);
    }
}

/// Delivers a batch of a queue, the texts of its messages and how often each has come. What becomes of each is for
/// `host.settle` under the number `call`: true where it is stored, else the seconds after which it is to come again, or null
/// where that is the queue's to say.
#[wasm_bindgen]
pub fn deliver(call: u32, options: String, messages: Vec<String>, attempts: Vec<u32>) {
    forget_lost_batches();
    let batch = with(|state| {
        let opened_ms = now_ms();
        state.batches.insert(call, opened_ms);
        let Known { settings, consumer, .. } = known(&mut state.known, &options);
        let mut attempts = attempts.into_iter();
        let incoming = |text| Incoming { text, attempts: attempts.next().unwrap_or_default() };
        let messages = messages.into_iter().map(incoming).collect();
        let delivery = RefCell::new(Some(consumer.open(settings, messages, opened_ms)));
        let timeout_ms = settings.tracer.timeout_ms;
        Rc::new(Batch { call, options, timeout_ms, delivery })
    });
    executor::spawn(call, async move {
        let fates = batch::deliver(batch).await;
        with(|state| state.batches.remove(&call));
        host::settle(call, &to_js(&fates));
    });
}

/// Lets go of batches that the runtime broke off: their messages have come again.
fn forget_lost_batches() {
    let now_ms = now_ms();
    let lost: Vec<u32> = with(|state| {
        let is_lost = |opened_ms: u64| now_ms.saturating_sub(opened_ms) > LONGEST_BATCH_MS;
        let lost = state.batches.extract_if(|_, opened_ms| is_lost(*opened_ms));
        lost.map(|(call, _)| call).collect()
    });
    for call in lost {
        executor::forget(call);
        host::left(call);
    }
}

/// Level and message.
type LogLine<'a> = (&'static str, &'a str);

fn lines(log: &[Line]) -> Vec<LogLine<'_>> {
    log.iter().map(|line| (line.level.name(), line.message.as_str())).collect()
}
