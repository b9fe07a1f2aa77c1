//! What JavaScript calls in the module of `honeyhive-edge/relay`: [`admit`] and [`pass`] lead a page's request through the
//! relay, a queue's batch goes through [`consumer`](crate::core::relay::consumer) step by step, and tickets are written.
//!
//! Numbers stand for requests with a right ticket and for batches under way. Most of what is returned is JSON, as each
//! function says; a log is a list of `[level, message]`. Times are Unix milliseconds.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::core::id_map::IdMap;
use crate::core::json::{Object, elements, quoted};
use crate::core::log::Line;
use crate::core::options::{Options, text_of};
use crate::core::relay::consumer::{Consumer, Delivery, Fate, Incoming, Next as NextOfBatch};
use crate::core::relay::head::Head;
use crate::core::relay::passage::{End, Unverified, admit as admitted};
use crate::core::relay::policy::{LONGEST_BATCH_MS, TICKET_S};
use crate::core::relay::rate::Rates;
use crate::core::relay::settings::{self, RelaySettings};
use crate::core::relay::ticket::{Signature, Ticket, sealed};
use crate::core::relay::under_way::UnderWay;
use crate::core::wire::Request;

use super::answer::answer;
use super::executor;
use super::foreign::Foreign;
use super::numerals::NUMERALS;
use super::values::to_js;

use request::{Place, now_ms, respond};

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
    batches: IdMap<Batch>,
}

/// A queue's batch under way.
#[derive(Debug)]
struct Batch {
    options: Box<str>,
    delivery: Delivery,
    opened_ms: u64,
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

    /// Lets go of batches that the runtime broke off: their messages have come again.
    fn forget_batches(&mut self, now_ms: u64) {
        let is_lost = |batch: &Batch| now_ms.saturating_sub(batch.opened_ms) > LONGEST_BATCH_MS;
        let lost: Vec<u64> = self
            .batches
            .iter()
            .filter(|(_, batch)| is_lost(batch))
            .map(|(number, _)| number)
            .collect();
        for number in lost {
            self.batches.remove(number);
        }
    }
}

/// What is wrong with the options of a relay, or of the consumer of its queue: `{ log }`.
///
/// `options` is an object as [`RelaySettings`] reads it.
#[wasm_bindgen]
pub fn check(options: &str) -> String {
    let mut json = String::new();
    let mut object = Object::open(&mut json);
    write_log(&mut object, &settings::of_json(options, NUMERALS).1);
    object.close();
    json
}

/// The secrets in `secret` and `env` of `options`: `{ secrets, log }`; the first one signs.
#[wasm_bindgen]
pub fn secrets(options: &str) -> String {
    let mut log = Vec::new();
    let options = Options::of(options, NUMERALS);
    let secrets = settings::secrets(&options, &mut log);
    if options.text("logLevel") == Some("silent") {
        log.clear();
    }
    let mut json = String::new();
    let mut object = Object::open(&mut json);
    list(object.value("secrets"), secrets.iter().map(|secret| quoted(secret)));
    write_log(&mut object, &log);
    object.close();
    json
}

/// What a ticket says, for the runtime to sign: `{ claims }`, or `{ problem }`.
///
/// `asked` is `{ sessionId, events, fields, expiresIn }`.
#[wasm_bindgen]
pub fn claims(asked: &str, now_ms: f64) -> String {
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
    let mut json = String::new();
    let mut object = Object::open(&mut json);
    let events = events.as_ref().map(|events| events.iter().map(Option::as_deref));
    let ticket = Ticket::issue(session, fields, expires_in, now_ms as u64);
    let ticket = match asked.get("events") {
        None => ticket,
        Some(_) => ticket.and_then(|ticket| ticket.for_events(events)),
    };
    match ticket {
        Ok(ticket) => object.text("claims", &ticket.claims()),
        Err(problem) => object.text("problem", problem),
    }
    object.close();
    json
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

/// Takes a batch of a queue, the texts of its messages and how often each has come: `{ batch, timeoutMs }`, where
/// `batch` is its number.
#[wasm_bindgen(js_name = openBatch)]
pub fn open_batch(options: &str, messages: Vec<String>, attempts: Vec<u32>, now_ms: f64) -> String {
    with(|state| {
        let opened_ms = now_ms as u64;
        state.forget_batches(opened_ms);
        let Known { settings, consumer, .. } = known(&mut state.known, options);
        let mut attempts = attempts.into_iter();
        let incoming = |text| Incoming { text, attempts: attempts.next().unwrap_or_default() };
        let messages = messages.into_iter().map(incoming).collect();
        let delivery = consumer.open(settings, messages, opened_ms);
        let mut json = String::new();
        let mut object = Object::open(&mut json);
        object.json("timeoutMs", &settings.tracer.timeout_ms.to_string());
        let batch = state.batches.insert(Batch { options: options.into(), delivery, opened_ms });
        object.json("batch", &batch.to_string());
        object.close();
        json
    })
}

/// What is to be done for the batch now: `{ session, send }`, a request as [`forward`] gives it; `{ waitMs }`;
/// `{ answer: true }` where that depends on what is on its way; or `{}` where it is over.
#[wasm_bindgen(js_name = nextRequest)]
pub fn next_request(batch: f64, now_ms: f64) -> String {
    with(|state| {
        let mut json = String::new();
        let mut object = Object::open(&mut json);
        if let Some(Batch { options, delivery, .. }) = state.batches.get_mut(batch as u64) {
            let consumer = &mut known(&mut state.known, options).consumer;
            match consumer.next(delivery, now_ms as u64) {
                NextOfBatch::Send { session, request } => {
                    object.json("session", &session.to_string());
                    write_request(&request, object.value("send"));
                }
                NextOfBatch::Wait(ms) => object.json("waitMs", &ms.to_string()),
                NextOfBatch::Answer => object.json("answer", "true"),
                NextOfBatch::Over => {}
            }
        }
        object.close();
        json
    })
}

/// What the backend answered to the request of a session of the batch; see [`answered`].
#[wasm_bindgen(js_name = batchAnswered)]
pub fn batch_answered(
    batch: f64,
    session: f64,
    status: f64,
    retry_after: String,
    body: String,
    now_ms: f64,
) {
    with(|state| {
        if let Some(Batch { options, delivery, .. }) = state.batches.get_mut(batch as u64) {
            let consumer = &mut known(&mut state.known, options).consumer;
            let answer = answer(status, &retry_after, body);
            consumer.answered(delivery, session as usize, &answer, now_ms as u64);
        }
    });
}

/// The batch is over: `{ fates, log }`. A message's fate is true where it is stored, else the seconds
/// after which it is to come again, or null where that is the queue's to say.
#[wasm_bindgen(js_name = closeBatch)]
pub fn close_batch(batch: f64, now_ms: f64) -> String {
    with(|state| {
        let batch = state.batches.remove(batch as u64).map(|batch| *batch);
        let Some(Batch { options, delivery, .. }) = batch else {
            return String::new();
        };
        let consumer = &mut known(&mut state.known, &options).consumer;
        let (fates, log) = consumer.close(delivery, now_ms as u64);
        let mut json = String::new();
        let mut object = Object::open(&mut json);
        let fate = |fate| match fate {
            Fate::Stored => "true".to_owned(),
            Fate::Again { after_s: None } => "null".to_owned(),
            Fate::Again { after_s: Some(seconds) } => seconds.to_string(),
        };
        list(object.value("fates"), fates.into_iter().map(fate));
        write_log(&mut object, &log);
        object.close();
        json
    })
}

fn write_request(request: &Request, out: &mut String) {
    let mut object = Object::open(out);
    object.text("method", request.method);
    object.text("url", &request.url);
    object.json("headers", &request.headers);
    object.text("body", &request.body);
    object.close();
}

fn write_log(object: &mut Object<'_>, log: &[Line]) {
    let line =
        |line: &Line| ["[", &quoted(line.level.name()), ",", &quoted(&line.message), "]"].concat();
    list(object.value("log"), log.iter().map(line));
}

/// Writes a JSON list of what is JSON already.
fn list(out: &mut String, elements: impl Iterator<Item = String>) {
    out.push('[');
    for (place, element) in elements.enumerate() {
        out.push_str(if place > 0 { "," } else { "" });
        out.push_str(&element);
    }
    out.push(']');
}
