//! A request of the core's, through the runtime's `fetch`. Whatever that does (throw, reject with
//! anything, never settle, give something that is no Response), there is an answer in time.
//!
//! Why not gloo-net's: its `send()` panics or never settles where `fetch` throws synchronously,
//! rejects with something that is no Error of this realm, or gives a plain object.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use js_sys::{JSON, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::AbortController;

use crate::core::json::decimal;
use crate::core::retry::RetryAfter;
use crate::core::wire::{Answer, Request};

use super::host::Host;
use super::timer::Sleep;

#[wasm_bindgen]
extern "C" {
    /// `Promise.resolve`, which throws for a promise whose `constructor` does.
    #[wasm_bindgen(js_namespace = Promise, js_name = resolve, catch)]
    fn resolved(value: &JsValue) -> Result<Promise, JsValue>;

    /// What of a `Response` is used; a double in a test has as much of it as it likes.
    type Response;
    #[wasm_bindgen(method, getter, catch)]
    fn status(this: &Response) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, getter, catch)]
    fn headers(this: &Response) -> Result<Headers, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn text(this: &Response) -> Result<JsValue, JsValue>;

    type Headers;
    #[wasm_bindgen(method, catch)]
    fn get(this: &Headers, name: &str) -> Result<JsValue, JsValue>;
}

/// Sends `request` and waits for the answer, at most `timeout_ms`. With `keepalive` it outlives the page.
pub async fn send(
    host: &Host,
    transport: u32,
    timeout_ms: u64,
    keepalive: bool,
    request: Request,
) -> Answer {
    let abort = AbortController::new().ok();
    let mut late = pin!(Sleep::start(timeout_ms));
    let attempt = async {
        let init = init(&request, keepalive, abort.as_ref())?;
        let promise = host.fetch(transport, &request.url, &init).and_then(|it| resolved(&it))?;
        JsFuture::from(promise).await
    };
    let response = match in_time(attempt, late.as_mut().as_pin_mut()).await {
        Some(Ok(response)) => response,
        Some(Err(error)) => return Answer::None { why: reason(&error) },
        None => {
            abort.iter().for_each(AbortController::abort);
            let why = ["no answer within ", &decimal(timeout_ms), " ms"].concat();
            return Answer::None { why };
        }
    };
    let response: Response = response.unchecked_into();
    let Some(status) = response.status().ok().and_then(|status| status.as_f64()) else {
        return Answer::None { why: "what fetch gave is no Response".into() };
    };
    let retry_after = response.headers().and_then(|headers| headers.get("retry-after"));
    let body =
        async { JsFuture::from(response.text().and_then(|promise| resolved(&promise))?).await };
    // The status has said what became of the request: a body that breaks off changes nothing.
    let body = in_time(body, late.as_mut().as_pin_mut()).await;
    if body.is_none() {
        abort.iter().for_each(AbortController::abort);
    }
    Answer::Http {
        status: status as u16,
        retry_after: retry_after
            .ok()
            .and_then(|value| value.as_string())
            .and_then(|header| RetryAfter::parse(&header, |date| Some(js_sys::Date::parse(date)))),
        body: body.and_then(Result::ok).and_then(|body| body.as_string()).unwrap_or_default(),
    }
}

fn init(
    request: &Request,
    keepalive: bool,
    abort: Option<&AbortController>,
) -> Result<JsValue, JsValue> {
    let Request { method, headers, .. } = request;
    // The key is for this server alone, and a redirected POST can come out as a GET.
    let json = [
        r#"{"method":""#,
        method,
        r#"","redirect":"manual","#,
        if keepalive { r#""keepalive":true,"# } else { "" },
        r#""headers":"#,
        headers,
        "}",
    ];
    let init = JSON::parse(&json.concat())?;
    Reflect::set(&init, &"body".into(), &request.body.as_str().into())?;
    if let Some(abort) = abort {
        Reflect::set(&init, &"signal".into(), &abort.signal())?;
    }
    Ok(init)
}

/// What `work` comes to; nothing where `late` is over first.
async fn in_time<T>(
    work: impl Future<Output = T>,
    mut late: Option<std::pin::Pin<&mut Sleep>>,
) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|context| {
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(Some(done));
        }
        match late.as_mut().map(|late| late.as_mut().poll(context)) {
            Some(Poll::Ready(())) => Poll::Ready(None),
            _ => Poll::Pending,
        }
    })
    .await
}

/// What a rejection says, whatever it is.
fn reason(error: &JsValue) -> String {
    error
        .as_string()
        .or_else(|| Reflect::get(error, &"message".into()).ok()?.as_string())
        .unwrap_or_else(|| "fetch failed".into())
}
