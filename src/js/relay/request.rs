//! A page's request with a right ticket: its body is read, what the core makes of it is sent to the backend or
//! put into the queue, and the page is answered.

use gloo_net::http::Response;
use js_sys::{Date, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::RequestInit;

use crate::core::log::Level;
use crate::core::relay::passage::{Body, End, Forward, Next, Passage};
use crate::core::relay::refusal::Refusal;
use crate::js::fetch::{self, Reply};
use crate::js::foreign::{Awaited, Foreign, reason_of};
use crate::js::stream::{self, Source};
use crate::js::timer::Deadline;

use super::{host, with};

/// Bytes that are read beyond the limit and thrown away: Node leaves a connection hanging, and with it its next request,
/// whose body was read in part.
const DRAINED_BYTES: u64 = 1_000_000;

/// The place of a request among those under way, which it gives back in the end.
pub struct Place {
    /// The number under which the host knows the request.
    pub call: u32,
    /// The number of its place.
    pub passage: u64,
}

impl Place {
    /// Begins the request's next step; nothing where its place was taken away, as it took longer than any can.
    fn step<T>(&self, step: impl FnOnce(&mut Passage, u64) -> T) -> Option<T> {
        let now_ms = now_ms();
        with(|state| state.under_way.step(self.passage, now_ms).map(|it| step(it, now_ms)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        with(|state| {
            state.under_way.leave(self.passage);
            state.calls.remove(&self.call);
        });
    }
}

/// Leads the request to its end.
pub async fn handle(place: Place, request: Foreign) -> End {
    let Some((limit, timeout_ms, complains)) = place.step(|passage, _| {
        let complains = passage.log_level() >= Level::Error;
        (passage.limit(), passage.timeout_ms(), complains)
    }) else {
        return lost();
    };
    let body = read_body(&request, limit, timeout_ms).await;
    drop(request);
    let body = match &body {
        Ok(bytes) => Body::Whole(bytes),
        Err(fault) => *fault,
    };
    let mut request = match place.step(|passage, now_ms| passage.forward(body, now_ms)) {
        None => return lost(),
        Some(Err(end)) => return end,
        Some(Ok(Forward::Send(request))) => request,
        Some(Ok(Forward::Enqueue(message))) => {
            let queued = enqueue(place.call, &message, timeout_ms).await;
            if let Err(why) = &queued
                && complains
            {
                host::log("error", &format!("the queue did not take a message: {why}"));
            }
            return place.step(|passage, _| passage.queued(queued.is_ok())).unwrap_or_else(lost);
        }
    };
    loop {
        let ask = |url: &str, init: &RequestInit| host::fetch(place.call, url, init);
        let reply = fetch::send(request, timeout_ms, ask).await;
        let is_late = matches!(reply, Reply::Late(_));
        let answer = reply.into();
        match place.step(|passage, now_ms| passage.answered(&answer, is_late, now_ms)) {
            None => return lost(),
            Some(Next::End(end)) => return end,
            Some(Next::Send(next)) => request = next,
        }
    }
}

/// Reads the body no further than is allowed and no longer.
async fn read_body(
    request: &Foreign,
    limit: u64,
    timeout_ms: u64,
) -> Result<Vec<u8>, Body<'static>> {
    if request.property("body").is_null_or_undefined() {
        return Ok(Vec::new());
    }
    let Some(source) = Source::body_of(request) else { return Err(Body::Broken) };
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
        stream::End::Whole if length > limit => Err(Body::TooLarge),
        stream::End::Whole => Ok(bytes),
        stream::End::Enough => Err(Body::TooLarge),
        stream::End::Broken => Err(Body::Broken),
        stream::End::Late => {
            source.cancel();
            Err(Body::TooSlow)
        }
    }
}

/// Puts a message into the site's queue. `Err` says why that did not take it.
async fn enqueue(call: u32, message: &str, timeout_ms: u64) -> Result<(), String> {
    let mut deadline = Deadline::after(timeout_ms);
    let sent = async { Awaited::new(&host::enqueue(call, message)?).await };
    match deadline.wait_for(sent).await {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err(reason_of(&error)),
        None => Err(format!("no answer within {timeout_ms} ms")),
    }
}

/// The answer as the runtime's `Response`, after its lines are logged; `undefined` where the runtime cannot make it.
pub fn respond(end: End) -> JsValue {
    for line in &end.log {
        host::log(line.level.name(), &line.message);
    }
    let mut builder = Response::builder().status(end.response.status);
    for (name, value) in &end.response.headers {
        builder = builder.header(name, value);
    }
    // A response of 204 must not have a body, be it empty.
    let body = Some(end.response.body.as_str()).filter(|body| !body.is_empty());
    builder.body(body).map(web_sys::Response::from).map(JsValue::from).unwrap_or_default()
}

/// The request is not known any more: it took longer than any can.
fn lost() -> End {
    End { response: Refusal::Internal.response(), log: Vec::new() }
}

pub fn now_ms() -> u64 {
    Date::now() as u64
}
