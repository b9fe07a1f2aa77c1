//! Packs a module of WebAssembly into some 70 % of what deflate makes of it, for pages, where the module
//! is text in JavaScript and its size is what a visitor waits for.
//!
//! Each bit is coded with as much room as its odds ask for (`coder.rs`), and the odds come from counts of
//! what followed the same instructions before (`model.rs`). Deflate knows nothing of instructions, and looks
//! for repetitions of bytes, which code has few of.
//!
//! Packed, a module begins with three little-endian `u32`: its length in bytes, and where its code begins
//! and ends. The code is that of the code section, without the number of its functions.

#![cfg_attr(target_arch = "wasm32", no_std)]

mod coder;
mod model;
#[cfg(not(target_arch = "wasm32"))]
mod pack;
mod unpack;

#[cfg(not(target_arch = "wasm32"))]
pub use pack::{pack, unpack};
