//! Time as the core is told it: never read here, always handed in.

/// A moment, on the two clocks that matter.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Now {
    /// Milliseconds on a clock that only goes forward: for windows, waits and deadlines.
    pub mono_ms: u64,
    /// Milliseconds since the Unix epoch on the wall clock, which may jump: for what is stored.
    pub unix_ms: u64,
}

/// Makes a clock go forward only. Where a runtime has nothing but a wall clock, that is set back now and
/// then: by an hour, and what was due in a second would wait for an hour.
#[derive(Debug, Default)]
pub struct ForwardClock {
    last_ms: u64,
    /// Milliseconds by which the runtime's clock was set back so far.
    behind_ms: u64,
}

impl ForwardClock {
    /// `now` as it is taken here, where clocks stand still instead of going back.
    pub fn advance(&mut self, now: Now) -> Now {
        self.last_ms = self.read(now);
        // Outside of its requests, as where it tells what was collected, a Worker's clocks say 0: they were not set back.
        if now.mono_ms > 0 {
            self.behind_ms = self.last_ms.saturating_sub(now.mono_ms);
        }
        Now { mono_ms: self.last_ms, ..now }
    }

    /// The time on it when the runtime's says `now`.
    pub fn read(&self, now: Now) -> u64 {
        now.mono_ms.saturating_add(self.behind_ms).max(self.last_ms)
    }
}

/// A time on the forward clock that does not come.
pub const NEVER: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use super::{ForwardClock, Now};

    #[test]
    fn a_clock_that_says_nothing_for_a_while_stands_still() {
        let mut clock = ForwardClock::default();
        let mut at = |mono_ms| clock.advance(Now { mono_ms, unix_ms: mono_ms }).mono_ms;
        let began = 1_795_988_238_358;
        assert_eq!(at(began), began);
        // What a Worker collects, it tells outside of every request, where its clocks say 0.
        assert_eq!([at(0), at(0), at(began + 2)], [began, began, began + 2]);
        // A clock that was set back goes on from there.
        assert_eq!([at(began - 3_600_000), at(began - 3_599_000)], [began + 2, began + 1002]);
        assert_eq!([at(0), at(began - 3_598_000)], [began + 1002, began + 2002]);
    }
}
