//! The relay: what lets a page write to one session without a key. A server gives the page a
//! [`ticket`]; the page's tracer shows it to the relay, which passes on what it allows
//! ([`passage`]), at once or through a queue ([`consumer`]).

pub mod fields;
pub mod policy;
pub mod ticket;

#[cfg(feature = "relay")]
pub mod body;
#[cfg(feature = "relay")]
pub mod consumer;
#[cfg(feature = "relay")]
pub mod head;
#[cfg(feature = "relay")]
pub mod members;
#[cfg(feature = "relay")]
pub mod merging;
#[cfg(feature = "relay")]
pub mod message;
#[cfg(feature = "relay")]
pub mod origin;
#[cfg(feature = "relay")]
pub mod passage;
#[cfg(feature = "relay")]
pub mod rate;
#[cfg(feature = "relay")]
pub mod redelivery;
#[cfg(feature = "relay")]
pub mod refusal;
#[cfg(feature = "relay")]
pub mod response;
#[cfg(feature = "relay")]
pub mod route;
#[cfg(feature = "relay")]
pub mod sequence;
#[cfg(feature = "relay")]
pub mod settings;
#[cfg(feature = "relay")]
pub mod under_way;
