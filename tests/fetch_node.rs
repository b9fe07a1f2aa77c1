//! The Rust that sends and what runs it, in Node: `wasm-pack test --node .`

#![cfg(target_arch = "wasm32")]

#[path = "surface/answers.rs"]
mod answers;
#[path = "surface/executor.rs"]
mod executor;
