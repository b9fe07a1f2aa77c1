//! The Rust that sends and what runs it, in a browser: `wasm-pack test --headless --chrome .`

#![cfg(target_arch = "wasm32")]

#[path = "surface/answers.rs"]
mod answers;
#[path = "surface/executor.rs"]
mod executor;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
