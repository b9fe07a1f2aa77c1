//! The rules of delivery that sessions, spans and the relay's queue share, and the spans' engine.

mod batch;
pub mod engine;
pub mod halving;
pub mod health;
mod lane;
pub mod limits;
pub mod unit;
