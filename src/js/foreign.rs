//! Access to values that other code made: the result of `fetch`, a page's request, a rejection. Such a value may belong
//! to another realm, be a test double, or throw on every access. So each access is an import with `catch`, and no value
//! is trusted to be what it claims to be.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use js_sys::{JSON, JsString, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::runtime;

/// How far the causes of an error are followed.
const MAX_CAUSES: usize = 4;

/// How many characters of an error's reason are used.
const LONGEST_REASON: u32 = 1024;

#[wasm_bindgen]
extern "C" {
    /// Any value, with methods that it may or may not have.
    #[derive(Clone, Debug)]
    pub type Foreign;

    #[wasm_bindgen(method, catch)]
    pub fn text(this: &Foreign) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn json(this: &Foreign) -> Result<JsValue, JsValue>;

    /// A method of `Headers`.
    #[wasm_bindgen(method, catch)]
    pub fn get(this: &Foreign, name: &str) -> Result<JsValue, JsValue>;

    /// A method of `AbortController`.
    #[wasm_bindgen(method, catch)]
    pub fn abort(this: &Foreign) -> Result<JsValue, JsValue>;

    /// A method of `ReadableStream`.
    #[wasm_bindgen(method, catch, js_name = getReader)]
    pub fn get_reader(this: &Foreign) -> Result<Foreign, JsValue>;

    /// A method of the reader of a `ReadableStream`.
    #[wasm_bindgen(method, catch)]
    pub fn read(this: &Foreign) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn cancel(this: &Foreign) -> Result<JsValue, JsValue>;

    /// A method of async iterators, which Node's own streams have.
    #[wasm_bindgen(method, catch)]
    pub fn next(this: &Foreign) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = return)]
    pub fn end(this: &Foreign) -> Result<JsValue, JsValue>;
}

impl Foreign {
    /// The property `name`; `undefined` if there is none or reading it throws.
    pub fn property(&self, name: &str) -> JsValue {
        self.try_property(name).unwrap_or_default()
    }

    /// The property `name`, or the error that reading it threw.
    pub fn try_property(&self, name: &str) -> Result<JsValue, JsValue> {
        Reflect::get(self, &name.into())
    }
}

/// The first `longest` characters of a string; `None` if the value is not a string. Only these are copied into the
/// module's memory.
pub fn text_of(value: &JsValue, longest: u32) -> Option<String> {
    let text: &JsString = value.dyn_ref()?;
    match text.length() > longest {
        true => text.slice(0, longest).as_string(),
        false => text.as_string(),
    }
}

/// A value as JSON.
pub fn json_of(value: &JsValue) -> Option<JsValue> {
    JSON::stringify(value).ok().map(JsValue::from)
}

/// The messages of an error and its causes: Node's `fetch` reports every failure as "fetch failed".
pub fn reason_of(error: &JsValue) -> String {
    let mut reason = String::new();
    let mut at = error.clone();
    for _ in 0..MAX_CAUSES {
        if at.is_null_or_undefined() {
            break;
        }
        let error: &Foreign = at.unchecked_ref();
        let mut message = text_of(&at, LONGEST_REASON + 1)
            .or_else(|| text_of(&error.property("message"), LONGEST_REASON + 1))
            .unwrap_or_default();
        if let Some(code) = text_of(&error.property("code"), LONGEST_REASON)
            && !message.contains(&code)
        {
            message = if message.is_empty() { code } else { [&message, " (", &code, ")"].concat() };
        }
        if !reason.contains(&message) {
            reason.push_str(if reason.is_empty() { "" } else { ": " });
            reason.push_str(&message);
        }
        let cause = error.property("cause");
        at = match cause.is_null_or_undefined() {
            false => cause,
            // An `AggregateError` has one error per address that was tried; the first is enough.
            true => Reflect::get_u32(&error.property("errors"), 0).unwrap_or_default(),
        };
    }
    truncate_at_space(reason)
}

/// Cuts a long text at the last space that fits, because the masking would not recognise half of a secret.
fn truncate_at_space(mut text: String) -> String {
    let longest = LONGEST_REASON as usize;
    if text.chars().nth(longest).is_some() {
        let beginning = text.char_indices().take(longest + 1);
        let space = beginning.filter(|(_, char)| *char == ' ').last();
        text.truncate(space.map_or(0, |(place, _)| place + 1));
    }
    text
}

/// Awaits a value like JavaScript's `await`: no `then` that a library has patched is called, and a value that is not a
/// promise is ready at once.
pub struct Awaited {
    promise: runtime::Listened,
    result: JsFuture,
}

impl Awaited {
    /// Starts to listen to `value`.
    pub fn new(value: &JsValue) -> Awaited {
        let promise = runtime::listen(value);
        let result = JsFuture::from(promise.clone().unchecked_into::<Promise>());
        Awaited { promise, result }
    }
}

impl Future for Awaited {
    type Output = Result<JsValue, JsValue>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.result).poll(context)
    }
}

impl Drop for Awaited {
    /// A `JsFuture` is only freed when its promise is settled, and a foreign promise may never be.
    fn drop(&mut self) {
        self.promise.forget();
    }
}
