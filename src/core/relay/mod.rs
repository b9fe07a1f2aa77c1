//! The relay: what lets a page write to one session without a key. A server gives the page a
//! [`ticket`]; the page's tracer shows it to the relay, which passes on what it allows.

pub mod body;
pub mod consumer;
pub mod fields;
pub mod head;
pub mod message;
pub mod origin;
pub mod passage;
pub mod policy;
pub mod rate;
pub mod refusal;
pub mod response;
pub mod route;
pub mod settings;
pub mod ticket;
