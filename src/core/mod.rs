//! The rules: what an enrichment is, how enrichments are merged, when they are sent, and how they end.
//!
//! The core is given events and the time, and answers with the actions to perform. It has no access to clocks, the
//! network or JavaScript, so it runs on the host exactly as it does in a browser.

pub mod bytes;
pub mod concurrency;
pub mod credential;
pub mod deadline;
pub mod delivery;
pub mod enrichment;
pub mod id_map;
pub mod json;
pub mod kept;
pub mod ledger;
pub mod log;
pub mod number_set;
pub mod open_tracers;
pub mod options;
pub mod outbox;
pub mod outcome;
pub mod policy;
pub mod reading;
pub mod redact;
pub mod registry;
pub mod relay;
pub mod retry;
pub mod scopes;
pub mod server;
pub mod session;
pub mod session_index;
pub mod settings;
#[cfg(feature = "otel")]
pub mod spans;
pub mod time;
pub mod timers;
pub mod totals;
pub mod tracer;
pub mod unsettled;
pub mod wire;
