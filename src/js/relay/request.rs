//! Handles a page's request with a valid ticket: reads its body, sends the core's request to the backend or puts a
//! message into the queue, and answers the page.

use gloo_net::http::Response;
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use web_sys::RequestInit;

use crate::core::log::Level;
use crate::core::relay::passage::{BodyRead, End, Forward, Passage, PassageAction};
use crate::core::relay::refusal::Refusal;
use crate::core::relay::sequence::Sequences;
use crate::js::clock::unix_ms;
use crate::js::fetch::{self, BodyForm, Reply};
use crate::js::foreign::{Awaited, Foreign, reason_of};
use crate::js::stream::{Source, StreamEnd};
use crate::js::timer::Deadline;

use super::{host, with};

/// How many bytes beyond the limit are read and discarded. If a body is read only in part, Node leaves the connection
/// hanging, and with it the next request.
const DRAINED_BYTES: u64 = 1_000_000;

/// Access to the passage of one request. Dropping it removes the passage.
pub struct PassageGuard {
    /// The number of the host's call.
    pub call: u32,
    /// The number of the passage.
    pub passage: u64,
}

impl PassageGuard {
    /// Calls `step` with the passage; `None` if the passage was removed, because the request took longer than any can.
    fn step<T>(&self, step: impl FnOnce(&mut Passage, u64) -> T) -> Option<T> {
        let now_ms = unix_ms();
        with(|state| state.under_way.step(self.passage, now_ms).map(|it| step(it, now_ms)))
    }

    /// Checks the body; `None` if the passage was removed.
    fn forward(&self, body: BodyRead<'_>) -> Option<Result<Forward, End>> {
        // Before the state is borrowed, because a replaced `Math.random` may call the relay.
        let (now_ms, seed) = (unix_ms(), host::random_seed() as u64);
        with(|state| {
            let passage = state.under_way.step(self.passage, now_ms)?;
            let begin = || Sequences::begin(seed, now_ms);
            Some(passage.forward(body, state.sequences.get_or_insert_with(begin), now_ms))
        })
    }
}

impl Drop for PassageGuard {
    fn drop(&mut self) {
        with(|state| {
            state.under_way.leave(self.passage);
            state.calls.remove(&self.call);
        });
    }
}

/// Handles the request, and returns its end.
pub async fn handle_request(guard: PassageGuard, request: Foreign) -> End {
    let Some((limit, timeout_ms, complains)) = guard.step(|passage, _| {
        let complains = passage.log_level() >= Level::Error;
        (passage.limit(), passage.timeout_ms(), complains)
    }) else {
        return internal_error();
    };
    let body = read_body(&request, limit, timeout_ms).await;
    drop(request);
    let body = match &body {
        Ok(bytes) => BodyRead::Whole(bytes),
        Err(fault) => *fault,
    };
    let mut request = match guard.forward(body) {
        None => return internal_error(),
        Some(Err(end)) => return end,
        Some(Ok(Forward::Send(request))) => request,
        Some(Ok(Forward::Enqueue(message))) => {
            let queued = enqueue(guard.call, &message, timeout_ms).await;
            if let Err(why) = &queued
                && complains
            {
                host::log("error", &format!("the queue did not take a message: {why}"));
            }
            return guard
                .step(|passage, _| passage.queued(queued.is_ok()))
                .unwrap_or_else(internal_error);
        }
    };
    loop {
        let fetch_with = |url: &str, init: &RequestInit| host::fetch(guard.call, url, init);
        let reply = fetch::send(request, BodyForm::Text, timeout_ms, fetch_with).await;
        let is_late = matches!(reply, Reply::Late(_));
        let answer = reply.into();
        match guard.step(|passage, now_ms| passage.answered(&answer, is_late, now_ms)) {
            None => return internal_error(),
            Some(PassageAction::End(end)) => return end,
            Some(PassageAction::Send(next)) => request = next,
        }
    }
}

/// Reads the body, up to `limit` bytes and for at most `timeout_ms`.
async fn read_body(
    request: &Foreign,
    limit: u64,
    timeout_ms: u64,
) -> Result<Vec<u8>, BodyRead<'static>> {
    if request.property("body").is_null_or_undefined() {
        return Ok(Vec::new());
    }
    let Some(source) = Source::body_of(request) else { return Err(BodyRead::Broken) };
    let mut bytes = Vec::new();
    let mut length = 0;
    let take = |chunk: &Uint8Array| {
        length += u64::from(chunk.length());
        if length <= limit {
            bytes.extend(chunk.to_vec());
        }
        length <= limit + DRAINED_BYTES
    };
    match source.read(&mut Deadline::after(timeout_ms), take).await {
        StreamEnd::Whole if length > limit => Err(BodyRead::TooLarge),
        StreamEnd::Whole => Ok(bytes),
        StreamEnd::Enough => Err(BodyRead::TooLarge),
        StreamEnd::Broken => Err(BodyRead::Broken),
        StreamEnd::Late => {
            source.cancel();
            Err(BodyRead::TooSlow)
        }
    }
}

/// Puts a message into the site's queue. Fails with the reason if the queue did not accept it.
async fn enqueue(call: u32, message: &str, timeout_ms: u64) -> Result<(), String> {
    let mut deadline = Deadline::after(timeout_ms);
    let sent = async { Awaited::new(&host::enqueue(call, message)?).await };
    match deadline.wait_for(sent).await {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err(reason_of(&error)),
        None => Err(format!("no answer within {timeout_ms} ms")),
    }
}

/// Logs the lines of `end`, and returns its response as the runtime's `Response`; `undefined` if the runtime cannot make
/// one.
pub fn respond(end: End) -> JsValue {
    for line in &end.log {
        host::log(line.level.name(), &line.message);
    }
    let mut builder = Response::builder().status(end.response.status);
    for (name, value) in &end.response.headers {
        builder = builder.header(name, value);
    }
    // A response with status 204 must not have a body, not even an empty one.
    let body = Some(end.response.body.as_str()).filter(|body| !body.is_empty());
    builder.body(body).map(web_sys::Response::from).map(JsValue::from).unwrap_or_default()
}

/// The end of a request whose passage was removed.
fn internal_error() -> End {
    End { response: Refusal::Internal.response(), log: Vec::new() }
}
