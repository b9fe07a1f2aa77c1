//! The wasm-bindgen surface: the actions of the core, which the host performs with the runtime's `fetch` and timers, and
//! JavaScript's calls into the core. It contains no rules.
//!
//! It withstands whatever JavaScript does under `panic = "abort"`: no import throws, nothing is borrowed across a call
//! to JavaScript, and no exported function can fail. If a trap happens nevertheless, the JavaScript face discards the
//! instance and makes a new one.

#[cfg(feature = "tracer")]
pub mod exports;
#[cfg(all(feature = "tracer", feature = "reading"))]
pub mod reading;
#[cfg(feature = "relay")]
pub mod relay;
#[cfg(feature = "otel")]
pub mod spans;

mod answer;
mod boundary;
mod clock;
#[cfg(feature = "tracer")]
mod driver;
#[cfg(any(feature = "otel", feature = "relay"))]
pub mod executor;
#[cfg(any(feature = "otel", feature = "relay"))]
pub mod fetch;
#[cfg(any(feature = "otel", feature = "relay"))]
mod foreign;
#[cfg(feature = "tracer")]
mod host;
#[cfg(any(feature = "reading", feature = "otel", feature = "relay"))]
mod memory;
mod numerals;
#[cfg(any(feature = "otel", feature = "relay"))]
mod runtime;
#[cfg(feature = "tracer")]
mod state;
#[cfg(any(feature = "otel", feature = "relay"))]
mod stream;
#[cfg(any(feature = "otel", feature = "relay"))]
mod timer;
#[cfg(feature = "relay")]
mod values;
