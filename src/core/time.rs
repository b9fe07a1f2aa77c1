//! Time as the core is told it: never read here, always handed in.

/// A moment, on the two clocks that matter.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Now {
    /// Milliseconds on a clock that only goes forward: for windows, waits and deadlines.
    pub mono_ms: u64,
    /// Milliseconds since the Unix epoch on the wall clock, which may jump: for what is stored.
    pub unix_ms: u64,
}

/// A time on the forward clock that does not come.
pub const NEVER: u64 = u64::MAX;
