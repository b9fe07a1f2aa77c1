//! The runtime's two clocks.

use crate::core::time::Now;

use super::host;

/// The time. Where a runtime has no forward clock, the wall clock serves for both: the core
/// takes time that goes backwards for time that stands still.
pub fn now() -> Now {
    Now { mono_ms: host::now() as u64, unix_ms: js_sys::Date::now() as u64 }
}
