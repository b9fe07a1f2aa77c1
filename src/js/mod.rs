//! The wasm-bindgen surface: the core's wishes through the runtime's `fetch` and timers, and
//! JavaScript's calls into the core. It holds no rule.
//!
//! Built to outlive whatever JavaScript does under `panic = "abort"`: every import that can throw
//! is declared `catch`, nothing is borrowed across an await or a call out, and no exported
//! function can fail. Should a trap happen all the same, the JavaScript face throws the instance
//! away and makes a fresh one.

#[cfg(feature = "tracer")]
pub mod exports;
#[cfg(feature = "relay")]
pub mod relay;
#[cfg(feature = "otel")]
pub mod spans;

#[cfg(any(feature = "tracer", feature = "otel"))]
mod clock;
#[cfg(feature = "tracer")]
mod driver;
#[cfg(any(feature = "tracer", feature = "otel"))]
mod fetch;
#[cfg(any(feature = "tracer", feature = "otel"))]
mod host;
mod numerals;
#[cfg(feature = "tracer")]
mod state;
#[cfg(any(feature = "tracer", feature = "otel"))]
mod timer;
