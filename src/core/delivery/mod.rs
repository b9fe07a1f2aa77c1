//! How things are delivered, whatever they are: each rule once, for sessions, spans and the relay's queue.

pub mod engine;
pub mod halving;
pub mod health;
mod lane;
pub mod limits;
pub mod unit;
