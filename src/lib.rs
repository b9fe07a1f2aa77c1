//! Session enrichment for LLM applications on the edge.
//!
//! # How an enrichment travels
//!
//! The JavaScript face (`pkg-template/`) takes a snapshot of the arguments as JSON text and finds
//! the tracer that is meant; [`js`] hands the text to [`core::registry`], which masks and reads
//! it ([`core::redact`], [`core::enrichment`]) and puts it into its session's
//! [`core::outbox`]. When the session may send, the outbox makes a request of it
//! ([`core::wire`]), [`js`] carries that through the runtime's `fetch` and the answer back, and
//! the registry tells what became of the enrichment, up the same way.
//!
//! [`core`] holds every rule and does no I/O; [`js`] does the I/O and holds no rule.

#![warn(missing_docs, missing_debug_implementations)]

pub mod core;
pub mod js;

/// Half the code of std's allocator for WebAssembly, and every call in constant time.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();
