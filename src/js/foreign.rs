//! Values that somebody else made: what `fetch` gave, a page's request, a rejection. Each may be of another realm, a
//! test's double, or an object that throws wherever it is looked at. So every look at one is an import with
//! `catch`, and nothing is taken for what it says it is.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use js_sys::{JSON, JsString, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::runtime;

/// How far the causes of an error are followed.
const MAX_CAUSES: usize = 4;

/// Characters of what an error says.
const LONGEST_REASON: u32 = 1024;

#[wasm_bindgen]
extern "C" {
    /// Any value, with the methods that it may or may not have.
    #[derive(Clone, Debug)]
    pub type Foreign;

    #[wasm_bindgen(method, catch)]
    pub fn text(this: &Foreign) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn json(this: &Foreign) -> Result<JsValue, JsValue>;

    /// Of headers.
    #[wasm_bindgen(method, catch)]
    pub fn get(this: &Foreign, name: &str) -> Result<JsValue, JsValue>;

    /// Of an `AbortController`.
    #[wasm_bindgen(method, catch)]
    pub fn abort(this: &Foreign) -> Result<JsValue, JsValue>;

    /// Of a `ReadableStream`.
    #[wasm_bindgen(method, catch, js_name = getReader)]
    pub fn get_reader(this: &Foreign) -> Result<Foreign, JsValue>;

    /// Of the reader of a `ReadableStream`.
    #[wasm_bindgen(method, catch)]
    pub fn read(this: &Foreign) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn cancel(this: &Foreign) -> Result<JsValue, JsValue>;

    /// Of an async iterator, which Node's own streams have.
    #[wasm_bindgen(method, catch)]
    pub fn next(this: &Foreign) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = return)]
    pub fn end(this: &Foreign) -> Result<JsValue, JsValue>;
}

impl Foreign {
    /// The property `name`; `undefined` where there is none, or looking at it throws.
    pub fn property(&self, name: &str) -> JsValue {
        self.try_property(name).unwrap_or_default()
    }

    /// The property `name`, or what looking at it threw.
    pub fn try_property(&self, name: &str) -> Result<JsValue, JsValue> {
        Reflect::get(self, &name.into())
    }
}

/// The beginning of a value that is a text; only that is copied into the module's memory.
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

/// What an error says, and what its causes say: Node's `fetch` says "fetch failed" of everything.
pub fn reason_of(error: &JsValue) -> String {
    let mut reason = String::new();
    let mut at = error.clone();
    for _ in 0..MAX_CAUSES {
        if at.is_null_or_undefined() {
            break;
        }
        let error: &Foreign = at.unchecked_ref();
        let mut said = text_of(&at, LONGEST_REASON + 1)
            .or_else(|| text_of(&error.property("message"), LONGEST_REASON + 1))
            .unwrap_or_default();
        if let Some(code) = text_of(&error.property("code"), LONGEST_REASON)
            && !said.contains(&code)
        {
            said = if said.is_empty() { code } else { [&said, " (", &code, ")"].concat() };
        }
        if !reason.contains(&said) {
            reason.push_str(if reason.is_empty() { "" } else { ": " });
            reason.push_str(&said);
        }
        let cause = error.property("cause");
        at = match cause.is_null_or_undefined() {
            false => cause,
            // Of several addresses that were tried, one is enough.
            true => Reflect::get_u32(&error.property("errors"), 0).unwrap_or_default(),
        };
    }
    up_to_a_space(reason)
}

/// The beginning of a text, up to the last space: of half a secret nobody could tell that it is one.
fn up_to_a_space(mut text: String) -> String {
    let longest = LONGEST_REASON as usize;
    if text.chars().nth(longest).is_some() {
        let beginning = text.char_indices().take(longest + 1);
        let space = beginning.filter(|(_, char)| *char == ' ').last();
        text.truncate(space.map_or(0, |(place, _)| place + 1));
    }
    text
}

/// Something that may be a promise, awaited as JavaScript's own `await` does it: no `then` is called
/// that a library has patched, and what is no promise is there at once.
pub struct Awaited {
    promise: runtime::Listened,
    result: JsFuture,
}

impl Awaited {
    /// Listens to `value` from now on.
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
    /// A `JsFuture` is freed when its promise is settled, which somebody else's may never be.
    fn drop(&mut self) {
        self.promise.forget();
    }
}
