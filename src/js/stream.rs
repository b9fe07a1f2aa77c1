//! Reading what somebody else sends, no further than is wanted and no longer than it is waited for. The stream may be
//! of another realm, a test's double, of Node's own kind, or one that misbehaves.

use js_sys::{ArrayBuffer, Symbol, Uint8Array};
use wasm_bindgen::prelude::*;

use super::foreign::{Awaited, Foreign, text_of};
use super::runtime;
use super::timer::Deadline;

#[wasm_bindgen]
extern "C" {
    /// The constructor throws where what it is given is no buffer, or a detached one.
    #[wasm_bindgen(extends = Uint8Array)]
    #[wasm_bindgen(js_name = Uint8Array)]
    type Bytes;
    #[wasm_bindgen(constructor, js_class = "Uint8Array", catch)]
    fn of(buffer: &JsValue, offset: &JsValue, length: &JsValue) -> Result<Bytes, JsValue>;
}

/// How reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// That was all.
    Whole,
    /// No more was wanted; the rest was cancelled.
    Enough,
    /// The time was over. The stream still waits: in workerd, cancelling in the middle of a read leaves a rejection
    /// that nobody can catch.
    Late,
    /// It broke off, or was no stream of bytes after all; what remained was cancelled.
    Broken,
}

/// A stream, or what can be read like one.
#[derive(Debug)]
pub enum Source {
    /// The reader of a `ReadableStream`.
    Reader(Foreign),
    /// An async iterator: the streams of Node, which are the bodies of node-fetch's answers.
    Chunks(Foreign),
}

impl Source {
    /// The body of an answer or a request; nothing where it has none, or where that cannot be read chunk by chunk
    /// because it is no stream or somebody else reads it.
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

    /// Cancels it. Nobody waits for what comes of that.
    pub fn cancel(&self) {
        let cancelled = match self {
            Source::Reader(reader) => reader.cancel(),
            Source::Chunks(chunks) => chunks.end(),
        };
        runtime::disregard(&cancelled.unwrap_or_default());
    }

    /// Reads on until `take` wants no more bytes.
    pub async fn read(
        &self,
        deadline: &mut Deadline,
        mut take: impl FnMut(&Uint8Array) -> bool,
    ) -> End {
        loop {
            let next = match self {
                Source::Reader(reader) => reader.read(),
                Source::Chunks(chunks) => chunks.next(),
            };
            let Ok(next) = next else { break };
            let Some(next) = deadline.wait_for(Awaited::new(&next)).await else {
                return End::Late;
            };
            let Ok(next) = next.map(JsCast::unchecked_into::<Foreign>) else { break };
            let Ok(is_done) = next.try_property("done") else { break };
            if is_done.is_truthy() {
                return End::Whole;
            }
            let Some(bytes) = next.try_property("value").ok().and_then(|it| bytes_of(&it)) else {
                break;
            };
            if !take(&bytes) {
                self.cancel();
                return End::Enough;
            }
        }
        self.cancel();
        End::Broken
    }
}

/// The bytes of a chunk, made anew: the methods and the length of what is given may be anybody's.
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
