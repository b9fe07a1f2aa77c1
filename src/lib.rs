//! Session enrichment for LLM applications on the edge.
//!
//! # The path of an enrichment
//!
//! The JavaScript face (`pkg-template/`) takes a snapshot of the arguments as JSON text and finds the tracer for the
//! call. [`js`] passes the text to [`core::registry`], which masks and parses it ([`core::redact`],
//! [`core::enrichment`]) and adds it to the [`core::outbox`] of its session. When the session may send, the outbox
//! builds a request ([`core::wire`]); [`js`] sends it with the runtime's `fetch` and passes the answer back. The
//! registry then reports the outcome of the enrichment, along the same path.
//!
//! [`core`] contains every rule and does no I/O; [`js`] does the I/O and contains no rules.

#![warn(missing_docs, missing_debug_implementations)]

pub mod core;
pub mod js;

/// This allocator takes half the code of std's for WebAssembly, and every call takes constant time.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();
