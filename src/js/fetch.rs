//! Sends a request to the backend with the runtime's `fetch` or the application's. Whatever that function does (throw,
//! reject with anything, never settle, return something other than a `Response`, answer without end), [`send`] returns
//! a reply in time.
//!
//! The `send()` of gloo-net cannot be used for this: it panics if `fetch` rejects with something other than an `Error`,
//! or returns something other than a `Response` of this realm.

use std::cell::Cell;

use js_sys::{JSON, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{AbortController, RequestInit, RequestRedirect};

use crate::core::wire::{Answer, Request};

use super::answer::parse_answer;
use super::foreign::{Awaited, Foreign, json_of, reason_of, text_of};
use super::runtime;
use super::stream::{Source, StreamEnd};
use super::timer::Deadline;

/// How many bytes of an answer's body are read. The status already tells the outcome; of the body only the first
/// sentences and a start's `inputs` are used, and HoneyHive accepts no larger session.
const LONGEST_BODY: usize = 1024 * 1024;

/// The least number of bytes that a chunk counts for, because a stream may have any number of empty chunks.
const SHORTEST_CHUNK: usize = 64;

/// How many characters of a header are read.
const LONGEST_HEADER: u32 = 1024;

/// The value that the host throws if the runtime has no `fetch` and none was given.
const NO_FETCH: &str = "this runtime has no fetch: pass one as the option `fetch`";

const NO_STATUS: &str =
    "`fetch` returned something without a `status`: let a test double return new Response('{}')";

thread_local! {
    /// False once `fetch` has refused a signal. For example, Node's `fetch` does not accept signals of jsdom's
    /// `AbortController`.
    static TAKES_SIGNALS: Cell<bool> = const { Cell::new(true) };
}

/// The reply to a request.
#[derive(Debug)]
pub enum Reply {
    /// The server answered, or the request failed.
    Answer(Answer),
    /// No answer arrived in time. The text says so in a sentence.
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

/// In which form the body of a request is given to `fetch`.
#[derive(Debug)]
pub enum BodyForm {
    /// A string, which doubles of `fetch` can read.
    Text,
    /// This array of the body's length, which is filled with it. It spares the runtime encoding a string that was decoded
    /// for it.
    Bytes(Uint8Array),
}

/// Sends a request, and waits at most `timeout_ms` for the answer and its body. `fetch` is called with the URL and the
/// `init`, and a second time if it refuses the signal.
pub async fn send(
    request: Request,
    form: BodyForm,
    timeout_ms: u64,
    fetch: impl Fn(&str, &RequestInit) -> Result<JsValue, JsValue>,
) -> Reply {
    let mut deadline = Deadline::after(timeout_ms);
    let abort = Aborter::new();
    let result = call_fetch(request, form, &abort, &fetch);
    let response: Foreign = match deadline.wait_for(result).await {
        None => {
            abort.abort();
            return Reply::Late(format!("no answer within {timeout_ms} ms"));
        }
        Some(Err(error)) => return Reply::Answer(answer_of_error(&error)),
        Some(Ok(response)) => response.unchecked_into(),
    };
    let Some((status, retry_after)) = read_head(&response) else {
        return Reply::Answer(Answer::Unusable { why: NO_STATUS.to_owned() });
    };
    let (body, is_late) = read_text(&response, &mut deadline).await;
    if is_late {
        abort.abort();
    }
    Reply::Answer(parse_answer(status, &retry_after, body))
}

// The steps of a request are functions of their own, because V8 takes long to compile one large function at its best: see
// `core::spans::exporter`.

/// The meaning of what `fetch` threw or rejected with.
#[inline(never)]
fn answer_of_error(error: &JsValue) -> Answer {
    if error.as_string().as_deref() == Some(NO_FETCH) {
        return Answer::Unusable { why: NO_FETCH.to_owned() };
    }
    let mut why = reason_of(error);
    if why.is_empty() {
        why.push_str("fetch failed");
    }
    Answer::None { why }
}

/// The status of a response and its header `Retry-After`; `None` if it has no status.
#[inline(never)]
fn read_head(response: &Foreign) -> Option<(f64, String)> {
    let status = response.property("status");
    runtime::disregard(&status);
    let status = status.as_f64()?;
    let headers: Foreign = response.property("headers").unchecked_into();
    let retry_after = headers.get("retry-after").unwrap_or_default();
    runtime::disregard(&retry_after);
    Some((status, text_of(&retry_after, LONGEST_HEADER).unwrap_or_default()))
}

/// Calls `fetch`, and a second time without a signal if it refuses the signal.
async fn call_fetch(
    request: Request,
    form: BodyForm,
    abort: &Aborter,
    fetch: impl Fn(&str, &RequestInit) -> Result<JsValue, JsValue>,
) -> Result<JsValue, JsValue> {
    let init = make_init(&request, &form)?;
    let url = request.url;
    let Some(signal) = abort.signal().filter(|_| TAKES_SIGNALS.get()) else {
        return Awaited::new(&fetch(&url, &init)?).await;
    };
    Reflect::set(&init, &"signal".into(), &signal)?;
    let result = match fetch(&url, &init) {
        Ok(returned) => Awaited::new(&returned).await,
        Err(error) => Err(error),
    };
    match result {
        Err(error) if refuses_signal(&error) => {
            TAKES_SIGNALS.set(false);
            Reflect::delete_property(&init, &"signal".into())?;
            Awaited::new(&fetch(&url, &init)?).await
        }
        result => result,
    }
}

#[inline(never)]
fn make_init(request: &Request, form: &BodyForm) -> Result<RequestInit, JsValue> {
    let init = RequestInit::new();
    init.set_method(request.method);
    init.set_headers(&JSON::parse(&request.headers)?);
    match form {
        BodyForm::Text => init.set_body(&request.body.as_str().into()),
        BodyForm::Bytes(array) => {
            array.copy_from(request.body.as_bytes());
            init.set_body(array);
        }
    }
    // A redirect could send the key to another server, and can turn a POST into a GET.
    init.set_redirect(RequestRedirect::Manual);
    Ok(init)
}

#[inline(never)]
fn refuses_signal(error: &JsValue) -> bool {
    let error: &Foreign = error.unchecked_ref();
    let message = text_of(&error.property("message"), LONGEST_HEADER).unwrap_or_default();
    error.property("name") == "TypeError" && message.to_ascii_lowercase().contains("signal")
}

/// Reads the part of an answer's body that arrives in time. A body that breaks off or is too long is not an error. Also
/// returns whether the time ran out first.
async fn read_text(response: &Foreign, deadline: &mut Deadline) -> (String, bool) {
    let Some(source) = Source::body_of(response) else {
        // A test double, or a runtime without streams: the body can only be read as a whole.
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
    let is_late = end.await == StreamEnd::Late;
    (decode_utf8(&bytes), is_late)
}

/// The text or JSON of a body that cannot be read chunk by chunk.
async fn whole_text(response: &Foreign) -> Option<String> {
    let text = match response.property("text").is_function() {
        true => Awaited::new(&response.text().ok()?).await.ok()?,
        false => json_of(&Awaited::new(&response.json().ok()?).await.ok()?)?,
    };
    text_of(&text, LONGEST_BODY as u32)
}

/// Decodes UTF-8 like `TextDecoder`. A character that is cut off at the end is omitted.
#[inline(never)]
fn decode_utf8(bytes: &[u8]) -> String {
    let cut = bytes.utf8_chunks().last().map_or(0, |chunk| chunk.invalid().len());
    let text = String::from_utf8_lossy(&bytes[..bytes.len() - cut]);
    text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned()
}

/// Aborts a request that is not waited for any more, if the runtime has an `AbortController`.
struct Aborter(Option<AbortController>);

impl Aborter {
    fn new() -> Aborter {
        Aborter(AbortController::new().ok())
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
