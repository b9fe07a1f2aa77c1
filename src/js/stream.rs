//! Reads a foreign stream, up to a number of bytes and a deadline. The stream may belong to another realm, be a test
//! double or one of Node's own streams, or misbehave.

use js_sys::{ArrayBuffer, Symbol, Uint8Array};
use wasm_bindgen::prelude::*;

use super::foreign::{Awaited, Foreign, text_of};
use super::runtime;
use super::timer::Deadline;

#[wasm_bindgen]
extern "C" {
    /// The constructor throws if its argument is not a buffer, or a detached one.
    #[wasm_bindgen(extends = Uint8Array)]
    #[wasm_bindgen(js_name = Uint8Array)]
    type Bytes;
    #[wasm_bindgen(constructor, js_class = "Uint8Array", catch)]
    fn of(buffer: &JsValue, offset: &JsValue, length: &JsValue) -> Result<Bytes, JsValue>;
}

/// How reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// The whole stream was read.
    Whole,
    /// The reader had enough bytes, and the rest was cancelled.
    Enough,
    /// The deadline passed. The stream is not cancelled: in workerd, cancelling during a read causes a rejection that
    /// cannot be caught.
    Late,
    /// The stream broke off or was not a stream of bytes, and the rest was cancelled.
    Broken,
}

/// A stream, or something that can be read like one.
#[derive(Debug)]
pub enum Source {
    /// The reader of a `ReadableStream`.
    Reader(Foreign),
    /// An async iterator. Node's own streams, the bodies of node-fetch's responses, are iterable.
    Chunks(Foreign),
}

impl Source {
    /// The body of a response or request; `None` if it has none, or if the body cannot be read chunk by chunk because it
    /// is not a stream or is already being read.
    pub fn body_of(holder: &Foreign) -> Option<Source> {
        let body: Foreign = holder.property("body").unchecked_into();
        if body.is_null_or_undefined() {
            return None;
        }
        if let Some(reader) = body.get_reader().ok().filter(|it| !it.is_null_or_undefined()) {
            return Some(Source::Reader(reader));
        }
        let iterate = js_sys::Reflect::get(&body, &Symbol::async_iterator()).ok()?;
        let chunks = iterate.dyn_into::<js_sys::Function>().ok()?.call0(&body).ok()?;
        (!chunks.is_null_or_undefined()).then(|| Source::Chunks(chunks.unchecked_into()))
    }

    /// Cancels the stream without waiting for the result.
    pub fn cancel(&self) {
        let cancelled = match self {
            Source::Reader(reader) => reader.cancel(),
            Source::Chunks(chunks) => chunks.end(),
        };
        runtime::disregard(&cancelled.unwrap_or_default());
    }

    /// Passes chunks to `take` until it returns false.
    pub async fn read(
        &self,
        deadline: &mut Deadline,
        mut take: impl FnMut(&Uint8Array) -> bool,
    ) -> StreamEnd {
        loop {
            let next = match self {
                Source::Reader(reader) => reader.read(),
                Source::Chunks(chunks) => chunks.next(),
            };
            let Ok(next) = next else { break };
            let Some(next) = deadline.wait_for(Awaited::new(&next)).await else {
                return StreamEnd::Late;
            };
            let Ok(next) = next.map(JsCast::unchecked_into::<Foreign>) else { break };
            let Ok(is_done) = next.try_property("done") else { break };
            if is_done.is_truthy() {
                return StreamEnd::Whole;
            }
            let Some(bytes) = next.try_property("value").ok().and_then(|it| bytes_of(&it)) else {
                break;
            };
            if !take(&bytes) {
                self.cancel();
                return StreamEnd::Enough;
            }
        }
        self.cancel();
        StreamEnd::Broken
    }
}

/// The bytes of a chunk as a new `Uint8Array`, because the methods and length of the foreign one cannot be trusted;
/// `None` if it has no bytes.
fn bytes_of(chunk: &JsValue) -> Option<Uint8Array> {
    if let Some(text) = text_of(chunk, u32::MAX) {
        return Some(Uint8Array::from(text.as_bytes()));
    }
    if !ArrayBuffer::is_view(chunk) {
        return None;
    }
    let chunk: &Foreign = chunk.unchecked_ref();
    let part = |name| chunk.try_property(name).ok();
    let bytes = Bytes::of(&part("buffer")?, &part("byteOffset")?, &part("byteLength")?);
    bytes.ok().map(Uint8Array::from)
}
