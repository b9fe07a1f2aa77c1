//! The runtime's two clocks.

use crate::core::time::Now;

use super::host;

/// The current time. If a runtime has no forward clock, the wall clock serves as both: the core treats time that goes
/// backwards as standing still.
pub fn now() -> Now {
    Now { mono_ms: host::now() as u64, unix_ms: js_sys::Date::now() as u64 }
}
