//! What JavaScript calls. The npm package's face (`pkg-template/`) is built on this; it can be
//! called directly as well, with a `Host` of one's own.
//!
//! Numbers stand for tracers, scopes and calls, so that no object of JavaScript has to be freed.
//! A call returns the number under which its outcome comes to `host.settle`, never before the
//! call has returned.

use wasm_bindgen::prelude::*;

use crate::core::concurrency::Place;
use crate::core::json::{Object, elements};
use crate::core::reading::ReadRoute;
use crate::core::registry::{Read, Registry, Turn};
#[cfg(not(feature = "names"))]
use crate::core::session::SessionId;

use super::answer::answer;
use super::clock::now;
use super::driver;
use super::host;
use super::numerals::NUMERALS;
use super::state;

/// Begins in a fresh instance. To be called first; `seed` is any random whole number, from which
/// the waits between retries are drawn. `place` is what kind of place this is: "page", "edge" or "server".
#[wasm_bindgen]
pub fn connect(seed: f64, place: &str) {
    let registry = Registry::new(seed as u64, NUMERALS).in_place(Place::named(place));
    #[cfg(not(feature = "names"))]
    let registry = registry.with_names(|text| SessionId::from_uuid(&host::session_id_of(text)));
    state::set(registry);
}

/// Starts a session and makes a tracer for it. The network is not waited for.
///
/// `options` is the JSON of an object as [`Options`](crate::core::options::Options) describes it.
/// Returns the JSON of `{ tracer, sessionId, sessionName, project, source, enabled }`, and an empty text
/// where there is no id for its session.
#[wasm_bindgen(js_name = initTracer)]
pub fn init_tracer(options: String, scope: f64) -> String {
    let info = state::with(|registry| registry.init(&options, scope as u64, now()));
    host::wake(scope);
    info.flatten().map(|info| info.to_json()).unwrap_or_default()
}

/// Enriches a session: `session_id`, or, if that is empty, the tracer's. `json` is the JSON of the
/// arguments. Tracer 0 is the only open one; `names_tracer` says whether the caller named it.
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

/// As [`enrich_session`], of the event `event_id`, which is never started.
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

/// The tracer that a call is given to which names `session_id` alone, where `active` is the tracer that is
/// active; 0 where there is none. To be asked before [`enrich_session`], as the caller masks as that tracer
/// wants it.
#[wasm_bindgen(js_name = resolveTracer)]
pub fn resolve_tracer(active: f64, session_id: String, scope: f64) -> f64 {
    let resolve =
        |registry: &mut Registry| registry.resolve_tracer(active as u64, &session_id, scope as u64);
    state::with(resolve).unwrap_or_default() as f64
}

/// Adds to metrics of the tracer's session. `json` is the JSON of an object of numbers.
#[wasm_bindgen(js_name = addMetrics)]
pub fn add_metrics(tracer: f64, json: String, scope: f64) -> f64 {
    call(scope, |registry, scope| registry.add_metrics(tracer as u64, &json, scope, now()))
}

/// Sends what is queued, and settles when all of it has ended or `timeout_ms` has passed.
/// Tracer 0 means all.
#[wasm_bindgen]
pub fn flush(tracer: f64, timeout_ms: f64, scope: f64) -> f64 {
    call(scope, |registry, scope| registry.flush(tracer as u64, timeout_ms as u64, scope, now()))
}

/// As [`flush`]; then lets go of the tracer.
#[wasm_bindgen]
pub fn close(tracer: f64, timeout_ms: f64, scope: f64) -> f64 {
    call(scope, |registry, scope| registry.close(tracer as u64, timeout_ms as u64, scope, now()))
}

/// What the metrics of the tracer's session add up to, as JSON, for the option `totals` of a tracer that is
/// released and comes back; empty where there are none.
#[wasm_bindgen(js_name = totalsOf)]
pub fn totals_of(tracer: f64) -> String {
    state::with(|registry| registry.totals_of(tracer as u64)).unwrap_or_default()
}

/// Nobody refers to the tracer any more: it is let go once all it was given has ended.
#[wasm_bindgen]
pub fn release(tracer: f64) {
    state::with(|registry| registry.release(tracer as u64, now()));
}

/// There is a store that outlives the page; `entries`, a JSON list of what was kept there, is what
/// earlier pages left. From now on `host.keep` and `host.forget` are called.
#[wasm_bindgen]
pub fn restore(entries: String) {
    state::with(|registry| registry.restore(&entries, 0, now()));
    tell_busy();
    host::wake(0.0);
}

/// The page was away, and of what it kept only `ids`, a JSON list, are still its own to send.
#[wasm_bindgen(js_name = onlyKept)]
pub fn only_kept(ids: String) {
    let mut still = Vec::new();
    for id in elements(&ids).unwrap_or_default() {
        still.push((NUMERALS.read)(id) as i64);
    }
    state::with(|registry| registry.only_kept(&still, now()));
    host::wake(0.0);
}

/// What happens to the page: 0, it (a worker) goes on; 1, it (a document) goes on; 2, it is
/// frozen or left; 3, there is no network; 4, it rests in the browser's cache; 5, it is hidden; 6, it begins
/// where other pages have something unsent that had its time.
#[wasm_bindgen]
pub fn turn(what: f64) {
    let turn = match what as u8 {
        2 => Turn::Leaves,
        3 => Turn::Offline,
        4 => Turn::Rests,
        5 => Turn::Hides,
        6 => Turn::Doubts,
        document => Turn::GoesOn { in_document: document == 1 },
    };
    state::with(|registry| registry.turn(turn, now()));
    host::wake(0.0);
}

/// Runs the loop of `scope`, because of a call, an answer, or the time. Returns the milliseconds
/// after which it is to run again, infinitely many where only a call or an answer can change
/// anything; below zero, nothing of the scope is left.
#[wasm_bindgen]
pub fn run(scope: f64) -> f64 {
    driver::run(scope as u64)
}

/// What came of the request under the number `flight`. `status` is below zero where there was no
/// answer, and `body` then says why; `retry_after` is the header, or empty. The loop of the scope
/// that sent it is to be run next.
#[wasm_bindgen(js_name = requestAnswered)]
pub fn answered(flight: f64, status: f64, retry_after: String, body: String) {
    let answer = answer(status, &retry_after, body);
    state::with(|registry| registry.finish_request(flight as u64, &answer, now()));
}

/// The request by which an event is read: the one named, or the tracer's session where that is empty and
/// `is_session`. The JSON of `{ method, url, headers, body, timeoutMs }`, or of the `ReadResult` that there is
/// without one. With `searches` it is the second request, to be sent where [`read_answered`] wants that.
#[wasm_bindgen(js_name = readRequest)]
pub fn read_request(tracer: f64, named: String, is_session: bool, searches: bool) -> String {
    let read = state::with(|registry| {
        registry.read_request(tracer as u64, &named, is_session, route(searches), now())
    });
    match read {
        Some(Ok(Read { request, timeout_ms })) => {
            let mut json = String::new();
            let mut object = Object::open(&mut json);
            object.text("method", request.method);
            object.text("url", &request.url);
            object.text("headers", &request.headers);
            object.text("body", &request.body);
            object.number("timeoutMs", timeout_ms);
            object.close();
            json
        }
        Some(Err(failed)) => failed.to_json(),
        None => String::new(),
    }
}

/// What came of that request: the JSON of a `ReadResult`, and an empty text where the event is to be searched for.
#[wasm_bindgen(js_name = readAnswered)]
pub fn read_answered(
    tracer: f64,
    named: String,
    is_session: bool,
    searches: bool,
    status: f64,
    body: String,
) -> String {
    let answer = answer(status, "", body);
    let read = state::with(|registry| {
        registry.read_answered(tracer as u64, &named, is_session, route(searches), &answer)
    });
    read.map(|reading| reading.to_json()).unwrap_or_default()
}

fn route(searches: bool) -> ReadRoute {
    if searches { ReadRoute::BySearch } else { ReadRoute::ById }
}

/// How many tracers the module holds.
#[wasm_bindgen]
pub fn tracers() -> f64 {
    state::with(|registry| registry.tracers()).unwrap_or_default() as f64
}

fn call(scope: f64, work: impl FnOnce(&mut Registry, u64) -> u64) -> f64 {
    let id = state::with(|registry| work(registry, scope as u64)).unwrap_or_default();
    tell_busy();
    host::wake(scope);
    id as f64
}

/// Before the call returns: the caller may hold by now what a tracer came with, and later no more.
fn tell_busy() {
    while let Some(tracer) = state::with(Registry::next_busy).flatten() {
        host::busy(tracer as f64);
    }
}
