//! The functions that JavaScript calls in the module of `honeyhive-edge/relay`: [`admit`] and [`pass`] take a page's
//! request through the relay, [`deliver`] delivers a batch of a queue, and [`claims`] and [`seal`] issue tickets.
//!
//! The host numbers its calls, and the result of a call is passed to `host.settle` under its number. Times are Unix
//! milliseconds.

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
use crate::core::relay::sequence::Sequences;
use crate::core::relay::settings::{self, RelaySettings};
use crate::core::relay::ticket::{Signature, Ticket, sealed};
use crate::core::relay::under_way::UnderWay;

use super::clock::unix_ms;
use super::executor;
use super::foreign::Foreign;
use super::memory;
use super::numerals::NUMERALS;
use super::values::to_js;

use batch::QueueBatch;
use request::{PassageGuard, respond};

mod batch;
mod host;
mod request;

/// How many sets of options have their settings kept. An application has one or two.
const MAX_RELAYS: usize = 8;

/// The settings for one text of options, and the state of the consumer with these options.
#[derive(Debug)]
struct KnownRelay {
    options: Box<str>,
    settings: Rc<RelaySettings>,
    consumer: Consumer,
}

#[derive(Debug, Default)]
struct ModuleState {
    relays: Vec<KnownRelay>,
    rates: Rates,
    under_way: UnderWay,
    /// The order of the messages for queues, from the first one on: a Worker has no random numbers before its first
    /// request.
    sequences: Option<Sequences>,
    /// The number in `under_way` of each request, by the number of the host's call.
    calls: HashMap<u32, u64>,
    /// When each batch that is being delivered was opened, by the number of the host's call.
    batches: HashMap<u32, u64>,
}

thread_local! {
    static STATE: RefCell<ModuleState> = RefCell::default();
}

fn with<T>(work: impl FnOnce(&mut ModuleState) -> T) -> T {
    memory::grow_ahead();
    STATE.with(|state| work(&mut state.borrow_mut()))
}

fn relay_of<'a>(known: &'a mut Vec<KnownRelay>, options: &str) -> &'a mut KnownRelay {
    let place = known.iter().position(|known| *known.options == *options).unwrap_or_else(|| {
        let (settings, _) = settings::of_json(options, NUMERALS);
        if known.len() >= MAX_RELAYS {
            known.remove(0);
        }
        known.push(KnownRelay { options: options.into(), settings, consumer: Consumer::default() });
        known.len() - 1
    });
    &mut known[place]
}

impl ModuleState {
    /// Checks the head of a request. This is repeated for each step, because nothing is kept of a request until the
    /// signature of its ticket was verified.
    fn admit(&mut self, options: &str, head: &str) -> Result<Unverified, End> {
        let settings = relay_of(&mut self.relays, options).settings.clone();
        admitted(&settings, Head::of(head))
    }
}

/// Checks the options of a relay or of the consumer of its queue, and returns the problems as log lines.
///
/// `options` is the JSON of an object as [`RelaySettings`] reads it.
#[wasm_bindgen(unchecked_return_type = "{ log: Lines }")]
pub fn check(options: &str) -> JsValue {
    #[derive(Serialize)]
    struct Checked<'a> {
        log: Vec<LogLine<'a>>,
    }
    let (_, log) = settings::of_json(options, NUMERALS);
    to_js(&Checked { log: lines(&log) })
}

/// The secrets in `secret` and `env` of `options`. The first one signs.
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

/// The claims of a ticket, for the runtime to sign, or the reason why the ticket cannot be issued.
///
/// `asked` is the JSON of `{ sessionId, events, fields, expiresIn }`.
#[wasm_bindgen(
    unchecked_return_type = "{ claims: string, problem?: undefined } | { claims?: undefined, problem: string }"
)]
pub fn claims(asked: &str, now_ms: f64) -> JsValue {
    #[derive(Serialize)]
    #[serde(rename_all = "lowercase")]
    enum IssuedTicket {
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
        Ok(ticket) => IssuedTicket::Claims(ticket.claims()),
        Err(problem) => IssuedTicket::Problem(problem),
    })
}

/// The ticket made of `claims` and their signature; empty if the signature has the wrong length.
#[wasm_bindgen]
pub fn seal(claims: &str, signature: &[u8]) -> String {
    Signature::try_from(signature).map_or(String::new(), |signature| sealed(claims, &signature))
}

/// Checks the head of a request, the JSON of an object as described by [`Head`]. Returns a `Response` if the request is
/// refused, or `{ claims, signature }`, whose signature, a list of bytes, the host has to verify.
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

/// Handles a request, and passes its `Response` to `host.settle` under the number `call`. `is_verified` says whether the
/// signature of the ticket in `head` is valid.
#[wasm_bindgen]
pub fn pass(call: u32, options: &str, head: &str, is_verified: bool, request: Foreign) {
    // From here on, state is kept for the request.
    let entered = with(|state| {
        let now_ms = unix_ms();
        let unverified = state.admit(options, head)?;
        let passage = unverified.verified(is_verified, &mut state.rates, now_ms)?;
        let passage = state.under_way.enter(passage, now_ms)?;
        state.calls.insert(call, passage);
        Ok(PassageGuard { call, passage })
    });
    forget_lost_calls();
    match entered {
        Err(end) => host::settle(call, &respond(end)),
        Ok(guard) => executor::spawn(call, async move {
            let end = request::handle_request(guard, request).await;
            host::settle(call, &respond(end));
        }),
    }
}

/// Forgets requests that the runtime has torn down: their passages were removed, and they are never continued.
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
        host::forget_call(call);
    }
}

/// Delivers a batch of a queue: the texts of its messages, and how often each was delivered before. Passes a list to
/// `host.settle` under the number `call`, with one element per message: true if it is stored, else the seconds after
/// which the queue should deliver it again, or null to leave the delay to the queue.
#[wasm_bindgen]
pub fn deliver(call: u32, options: String, messages: Vec<String>, attempts: Vec<u32>) {
    forget_lost_batches();
    let batch = with(|state| {
        let opened_ms = unix_ms();
        state.batches.insert(call, opened_ms);
        let KnownRelay { settings, consumer, .. } = relay_of(&mut state.relays, &options);
        let mut attempts = attempts.into_iter();
        let incoming = |text| Incoming { text, attempts: attempts.next().unwrap_or_default() };
        let messages = messages.into_iter().map(incoming).collect();
        let delivery = RefCell::new(Some(consumer.open(settings, messages, opened_ms)));
        let timeout_ms = settings.tracer.timeout_ms;
        Rc::new(QueueBatch { call, options, timeout_ms, delivery })
    });
    executor::spawn(call, async move {
        let fates = batch::deliver(batch).await;
        with(|state| state.batches.remove(&call));
        host::settle(call, &to_js(&fates));
    });
}

/// Forgets batches that the runtime has torn down. The queue delivers their messages again.
fn forget_lost_batches() {
    let now_ms = unix_ms();
    let lost: Vec<u32> = with(|state| {
        let is_lost = |opened_ms: u64| now_ms.saturating_sub(opened_ms) > LONGEST_BATCH_MS;
        let lost = state.batches.extract_if(|_, opened_ms| is_lost(*opened_ms));
        lost.map(|(call, _)| call).collect()
    });
    for call in lost {
        executor::forget(call);
        host::forget_call(call);
    }
}

/// The level and message of a line.
type LogLine<'a> = (&'static str, &'a str);

fn lines(log: &[Line]) -> Vec<LogLine<'_>> {
    log.iter().map(|line| (line.level.name(), line.message.as_str())).collect()
}
