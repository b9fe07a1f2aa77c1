//! A request to the backend, through the runtime's `fetch` or the caller's. Whatever that does (throw, reject with
//! anything, never settle, give something that is no `Response`, answer without end), there is an answer in time.
//!
//! gloo-net's own `send()` is no use for that: it panics where `fetch` rejects with something that is no
//! `Error`, or gives something that is no `Response` of this realm.

use std::cell::Cell;

use js_sys::{JSON, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{AbortController, RequestInit, RequestRedirect};

use crate::core::wire::{Answer, Request};

use super::answer::answer;
use super::foreign::{Awaited, Foreign, json_of, reason_of, text_of};
use super::runtime;
use super::stream::{self, Source};
use super::timer::Deadline;

/// Bytes of an answer that are read. The status has said what became of the request; of a body only the first
/// sentences and a start's `inputs` are of use, and HoneyHive takes no session that is larger.
const LONGEST_BODY: usize = 1024 * 1024;

/// What a chunk counts as at least: of empty ones there may be any number.
const SHORTEST_CHUNK: usize = 64;

/// Characters of a header.
const LONGEST_HEADER: u32 = 1024;

/// What the host throws where there is no way to ask at all.
const NO_FETCH: &str = "this runtime has no fetch: pass one as the option `fetch`";

const NO_STATUS: &str =
    "`fetch` returned something without a `status`: let a test double return new Response('{}')";

thread_local! {
    /// False once `fetch` refused a signal: jsdom, for one, brings an `AbortController` that Node's `fetch` does not know.
    static TAKES_SIGNALS: Cell<bool> = const { Cell::new(true) };
}

/// What came of a request.
#[derive(Debug)]
pub enum Reply {
    /// The server answered, or the request failed.
    Answer(Answer),
    /// No answer came in time; the sentence says so.
    Late(String),
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Answer {
        match reply {
            Reply::Answer(answer) => answer,
            Reply::Late(why) => Answer::None { why },
        }
    }
}

/// Sends a request, and waits for the answer and its body `timeout_ms` at most. `fetch` is called with the address and
/// the `init`, and again where it refuses the signal.
pub async fn send(
    request: Request,
    timeout_ms: u64,
    fetch: impl Fn(&str, &RequestInit) -> Result<JsValue, JsValue>,
) -> Reply {
    let mut deadline = Deadline::after(timeout_ms);
    let abort = Abort::new();
    let asked = ask(request, &abort, &fetch);
    let response: Foreign = match deadline.wait_for(asked).await {
        None => {
            abort.abort();
            return Reply::Late(format!("no answer within {timeout_ms} ms"));
        }
        Some(Err(error)) if error.as_string().as_deref() == Some(NO_FETCH) => {
            return Reply::Answer(Answer::Unusable { why: NO_FETCH.to_owned() });
        }
        Some(Err(error)) => {
            let mut why = reason_of(&error);
            if why.is_empty() {
                why.push_str("fetch failed");
            }
            return Reply::Answer(Answer::None { why });
        }
        Some(Ok(response)) => response.unchecked_into(),
    };
    let status = response.property("status");
    runtime::disregard(&status);
    let Some(status) = status.as_f64() else {
        return Reply::Answer(Answer::Unusable { why: NO_STATUS.to_owned() });
    };
    let headers: Foreign = response.property("headers").unchecked_into();
    let retry_after = headers.get("retry-after").unwrap_or_default();
    runtime::disregard(&retry_after);
    let (body, is_late) = read_text(&response, &mut deadline).await;
    if is_late {
        abort.abort();
    }
    let retry_after = text_of(&retry_after, LONGEST_HEADER).unwrap_or_default();
    Reply::Answer(answer(status, &retry_after, body))
}

/// Calls `fetch`, and once more without a signal where that is what it does not like.
async fn ask(
    request: Request,
    abort: &Abort,
    fetch: impl Fn(&str, &RequestInit) -> Result<JsValue, JsValue>,
) -> Result<JsValue, JsValue> {
    let init = init_of(&request)?;
    let url = request.url;
    let Some(signal) = abort.signal().filter(|_| TAKES_SIGNALS.get()) else {
        return Awaited::new(&fetch(&url, &init)?).await;
    };
    Reflect::set(&init, &"signal".into(), &signal)?;
    let asked = match fetch(&url, &init) {
        Ok(given) => Awaited::new(&given).await,
        Err(error) => Err(error),
    };
    match asked {
        Err(error) if refuses_signal(&error) => {
            TAKES_SIGNALS.set(false);
            Reflect::delete_property(&init, &"signal".into())?;
            Awaited::new(&fetch(&url, &init)?).await
        }
        asked => asked,
    }
}

fn init_of(request: &Request) -> Result<RequestInit, JsValue> {
    let init = RequestInit::new();
    init.set_method(request.method);
    init.set_headers(&JSON::parse(&request.headers)?);
    init.set_body(&request.body.as_str().into());
    // The key is for one server alone, and a redirected POST can come out as a GET.
    init.set_redirect(RequestRedirect::Manual);
    Ok(init)
}

fn refuses_signal(error: &JsValue) -> bool {
    let error: &Foreign = error.unchecked_ref();
    let message = text_of(&error.property("message"), LONGEST_HEADER).unwrap_or_default();
    error.property("name") == "TypeError" && message.to_ascii_lowercase().contains("signal")
}

/// What an answer says, as far as it came in time: that a body broke off or is too long changes nothing. Also, whether
/// the time was over first.
async fn read_text(response: &Foreign, deadline: &mut Deadline) -> (String, bool) {
    let Some(source) = Source::body_of(response) else {
        // A double, or a runtime without streams: there is nothing to stop in the middle.
        return match deadline.wait_for(whole_text(response)).await {
            Some(text) => (text.unwrap_or_default(), false),
            None => (String::new(), true),
        };
    };
    let mut bytes = Vec::new();
    let mut left = LONGEST_BODY;
    let end = source.read(deadline, |chunk| {
        let length = chunk.length() as usize;
        let from = bytes.len();
        bytes.resize(from + length.min(left), 0);
        chunk.subarray(0, length.min(left) as u32).copy_to(&mut bytes[from..]);
        left = left.saturating_sub(length.max(SHORTEST_CHUNK));
        left > 0
    });
    let is_late = end.await == stream::End::Late;
    (decoded(&bytes), is_late)
}

/// The text, or the JSON, of something that cannot be read chunk by chunk.
async fn whole_text(response: &Foreign) -> Option<String> {
    let text = match response.property("text").is_function() {
        true => Awaited::new(&response.text().ok()?).await.ok()?,
        false => json_of(&Awaited::new(&response.json().ok()?).await.ok()?)?,
    };
    text_of(&text, LONGEST_BODY as u32)
}

/// Bytes as text, as `TextDecoder` reads them. A character that was cut in the middle is left out.
fn decoded(bytes: &[u8]) -> String {
    let cut = bytes.utf8_chunks().last().map_or(0, |chunk| chunk.invalid().len());
    let text = String::from_utf8_lossy(&bytes[..bytes.len() - cut]);
    text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned()
}

/// Ends a request that nobody waits for any more, where the runtime can.
struct Abort(Option<AbortController>);

impl Abort {
    fn new() -> Abort {
        Abort(AbortController::new().ok())
    }

    fn signal(&self) -> Option<JsValue> {
        let controller: &Foreign = self.0.as_ref()?.unchecked_ref();
        Some(controller.property("signal")).filter(|signal| !signal.is_undefined())
    }

    fn abort(&self) {
        if let Some(controller) = &self.0 {
            let _ = controller.unchecked_ref::<Foreign>().abort();
        }
    }
}
