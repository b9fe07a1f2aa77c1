//! The functions that JavaScript calls. The npm package's face (`pkg-template/`) is built on them; they can also be
//! called directly with another `Host`.
//!
//! Tracers, scopes and calls are numbers, so that JavaScript has no object to free. A call returns the number under
//! which its outcome is passed to `host.settle`, never before the call has returned.

use wasm_bindgen::prelude::*;

use crate::core::concurrency::Place;
use crate::core::json::elements;
use crate::core::registry::Registry;
#[cfg(not(feature = "names"))]
use crate::core::session::SessionId;

use super::answer::parse_answer;
use super::boundary::turns;
use super::clock::now;
use super::driver;
use super::host;
use super::numerals::NUMERALS;
use super::state;

/// Initialises a fresh instance, and has to be called first. `seed` is any random integer, from which the waits between
/// retries are drawn. `place` is the kind of runtime: "page", "edge" or "server".
#[wasm_bindgen]
pub fn connect(seed: f64, place: &str) {
    let registry = Registry::new(seed as u64, NUMERALS).in_place(Place::named(place));
    #[cfg(not(feature = "names"))]
    let registry = registry.with_names(|text| {
        SessionId::new(text).or_else(|| SessionId::from_uuid(&host::session_id_of(text)))
    });
    state::set(registry);
}

/// Starts a session and makes a tracer for it, without waiting for the network.
///
/// `options` is the JSON of an object as described by [`Options`](crate::core::options::Options). Returns the JSON of
/// `{ tracer, sessionId, sessionName, project, source, enabled }`, or an empty string if there is no id for the session.
#[wasm_bindgen(js_name = initTracer)]
pub fn init_tracer(options: String, scope: f64) -> String {
    let info = state::with(|registry| registry.init(&options, scope as u64, now()));
    host::wake(scope);
    info.flatten().map(|info| info.to_json()).unwrap_or_default()
}

/// Enriches the session `session_id`, or the tracer's session if that is empty. `json` is the JSON of the arguments.
/// Tracer 0 stands for the only open one; `names_tracer` says whether the application named the tracer.
#[wasm_bindgen(js_name = enrichSession)]
pub fn enrich_session(
    tracer: f64,
    session_id: String,
    json: String,
    scope: f64,
    names_tracer: bool,
) -> f64 {
    call(scope, |registry, scope| {
        registry.enrich(tracer as u64, Some(&session_id), json, scope, names_tracer, now())
    })
}

/// Enriches the event `event_id` in the same way as [`enrich_session`]. An event is never started.
#[wasm_bindgen(js_name = enrichEvent)]
pub fn enrich_event(
    tracer: f64,
    event_id: String,
    json: String,
    scope: f64,
    names_tracer: bool,
) -> f64 {
    call(scope, |registry, scope| {
        registry.enrich_event(tracer as u64, &event_id, json, scope, names_tracer, now())
    })
}

/// The tracer for a call that names only `session_id`; `active` is the active tracer, or 0. The host calls this before
/// [`enrich_session`], because it masks the arguments as that tracer requires.
#[wasm_bindgen(js_name = resolveTracer)]
pub fn resolve_tracer(active: f64, session_id: String, scope: f64) -> f64 {
    let resolve =
        |registry: &mut Registry| registry.resolve_tracer(active as u64, &session_id, scope as u64);
    state::with(resolve).unwrap_or_default() as f64
}

/// Adds to the metrics of the tracer's session. `json` is the JSON of an object of numbers.
#[wasm_bindgen(js_name = addMetrics)]
pub fn add_metrics(tracer: f64, json: String, scope: f64) -> f64 {
    call(scope, |registry, scope| registry.add_metrics(tracer as u64, &json, scope, now()))
}

/// Sends everything that is queued, and settles when all of it has ended or `timeout_ms` has passed. Tracer 0 stands for
/// all tracers.
#[wasm_bindgen]
pub fn flush(tracer: f64, timeout_ms: f64, scope: f64) -> f64 {
    call(scope, |registry, scope| registry.flush(tracer as u64, timeout_ms as u64, scope, now()))
}

/// Flushes the tracer like [`flush`], then closes it.
#[wasm_bindgen]
pub fn close(tracer: f64, timeout_ms: f64, scope: f64) -> f64 {
    call(scope, |registry, scope| registry.close(tracer as u64, timeout_ms as u64, scope, now()))
}

/// A new ticket for the tracer, or, if that is empty, `why` there is none. `is_asked` where `host.askTicket` asked for
/// it, and not the caller of `setTicket` gives it. Returns the tracer's session; an empty text where the old ticket stays.
#[wasm_bindgen(js_name = setTicket)]
pub fn set_ticket(tracer: f64, ticket: String, why: String, is_asked: bool, scope: f64) -> String {
    let given = if why.is_empty() { Ok(ticket.as_str()) } else { Err(why.as_str()) };
    let session = state::with(|registry| {
        registry.set_ticket(tracer as u64, given, is_asked, scope as u64, now())
    });
    host::wake(scope);
    session.flatten().map(|session| session.to_string()).unwrap_or_default()
}

/// The totals of the metrics of the tracer's session, as JSON; empty if there are none. If a released tracer is made
/// again, they become its option `totals`.
#[cfg(feature = "reading")]
#[wasm_bindgen(js_name = totalsOf)]
pub fn totals_of(tracer: f64) -> String {
    state::with(|registry| registry.totals_of(tracer as u64)).unwrap_or_default()
}

/// Releases a tracer that JavaScript does not refer to any more. It is removed once all of its calls have ended.
#[wasm_bindgen]
pub fn release(tracer: f64) {
    state::with(|registry| registry.release(tracer as u64, now()));
}

/// Connects a store that outlives the page. `entries` is a JSON list of the entries that earlier pages left there. From
/// now on, `host.keep` and `host.forget` are called.
#[wasm_bindgen]
pub fn restore(entries: String) {
    state::with(|registry| registry.restore(&entries, 0, now()));
    report_busy();
    host::wake(0.0);
}

/// Reports that the page was away, and that of the entries it kept only `ids`, a JSON list, are still its own to send.
#[wasm_bindgen(js_name = onlyKept)]
pub fn only_kept(ids: String) {
    let mut still = Vec::new();
    for id in elements(&ids).unwrap_or_default() {
        still.push((NUMERALS.read)(id) as i64);
    }
    state::with(|registry| registry.only_kept(&still, now()));
    host::wake(0.0);
}

/// Reports a change in the life of the page, as one of the numbers in `boundary::turns`. Any other number changes nothing.
#[wasm_bindgen]
pub fn turn(what: f64) {
    if let Some(turn) = turns::turn(what as u8) {
        state::with(|registry| registry.turn(turn, now()));
    }
    host::wake(0.0);
}

/// Runs the loop of `scope` after a call, an answer, or a timer. Returns the milliseconds after which it has to run
/// again: infinity if only a call or an answer can change anything, and less than zero if the scope has nothing left.
#[wasm_bindgen]
pub fn run(scope: f64) -> f64 {
    driver::run(scope as u64)
}

/// Reports the answer to the request number `flight`. If there was no answer, `status` is one of the numbers in
/// `src/js/boundary.rs`, and `body` contains the reason; `retry_after` is the header, or empty. The host has to run the loop of the request's scope next.
#[wasm_bindgen(js_name = requestAnswered)]
pub fn request_answered(flight: f64, status: f64, retry_after: String, body: String) {
    let answer = parse_answer(status, &retry_after, body);
    state::with(|registry| registry.finish_request(flight as u64, &answer, now()));
}

/// How many tracers the module holds, for the tests of servers that nothing is left.
#[cfg(feature = "reading")]
#[wasm_bindgen]
pub fn tracers() -> f64 {
    state::with(|registry| registry.tracers()).unwrap_or_default() as f64
}

fn call(scope: f64, work: impl FnOnce(&mut Registry, u64) -> u64) -> f64 {
    let id = state::with(|registry| work(registry, scope as u64)).unwrap_or_default();
    report_busy();
    host::wake(scope);
    id as f64
}

/// Reports tracers that became busy, before the call returns: the caller still holds the objects that such a tracer
/// needs, and may not hold them later.
fn report_busy() {
    while let Some(tracer) = state::with(Registry::next_busy).flatten() {
        host::busy(tracer as f64);
    }
}
