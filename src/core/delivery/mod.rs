//! How things are delivered, whatever they are: each rule once, for sessions, spans and the relay's queue.

pub mod halving;
pub mod health;
pub mod limits;
