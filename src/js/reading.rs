//! The functions by which the face reads events back. A page's module does not have them.

use wasm_bindgen::prelude::*;

use crate::core::json::Object;
use crate::core::reading::ReadRoute;
use crate::core::registry::Read;

use super::answer::parse_answer;
use super::clock::now;
use super::state;

/// The request that reads an event: the event `named`, or the tracer's session if that is empty and `is_session`.
/// Returns the JSON of `{ method, url, headers, body, timeoutMs }`, or of a `ReadResult` if no request is needed. With
/// `searches` it is the second request, to be sent if [`read_answered`] asks for it.
#[wasm_bindgen(js_name = readRequest)]
pub fn read_request(tracer: f64, named: String, is_session: bool, searches: bool) -> String {
    let read = state::with(|registry| {
        registry.read_request(tracer as u64, &named, is_session, read_route(searches), now())
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

/// Interprets the answer to a request of [`read_request`]. Returns the JSON of a `ReadResult`, or an empty string if the
/// event has to be searched for.
#[wasm_bindgen(js_name = readAnswered)]
pub fn read_answered(
    tracer: f64,
    named: String,
    is_session: bool,
    searches: bool,
    status: f64,
    body: String,
) -> String {
    let answer = parse_answer(status, "", body);
    let read = state::with(|registry| {
        registry.read_answered(tracer as u64, &named, is_session, read_route(searches), &answer)
    });
    read.map(|reading| reading.to_json()).unwrap_or_default()
}

fn read_route(searches: bool) -> ReadRoute {
    if searches { ReadRoute::BySearch } else { ReadRoute::ById }
}
