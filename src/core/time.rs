//! Time, which the core never reads itself: the shell passes it to every call.

/// The current time on two clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Now {
    /// Milliseconds on a clock that only moves forward, for windows, waits and deadlines.
    pub mono_ms: u64,
    /// Milliseconds since the Unix epoch on the wall clock, which may jump, for stored times.
    pub unix_ms: u64,
}

/// Derives a clock that only moves forward. Some runtimes have only a wall clock, which is set back now and then. If it
/// is set back by an hour, a timer that was due in a second would otherwise wait for an hour.
#[derive(Debug, Default)]
pub struct ForwardClock {
    last_ms: u64,
    /// How far this clock is ahead of the runtime's, in milliseconds, because the runtime's was set back. Negative if
    /// the runtime's clock read 0 at first, so that this one begins at 0.
    ahead_ms: i64,
    /// Whether the runtime's clock has read 0 every time so far.
    awaits_first_time: bool,
}

impl ForwardClock {
    /// Translates `now`, on the runtime's clocks, to this clock, which stands still where the runtime's goes back.
    pub fn advance(&mut self, now: Now) -> Now {
        // Outside of requests, such as in module code and in finalizers, a Worker's clocks read 0. They were not set
        // back then, and their next reading is not decades later.
        if now.mono_ms == 0 {
            self.awaits_first_time |= self.last_ms == 0 && self.ahead_ms == 0;
        } else {
            if !std::mem::take(&mut self.awaits_first_time) {
                self.last_ms = self.read(now);
            }
            self.ahead_ms = self.last_ms.cast_signed().saturating_sub_unsigned(now.mono_ms);
        }
        Now { mono_ms: self.last_ms, ..now }
    }

    /// The reading of this clock when the runtime's clock reads `now`.
    pub fn read(&self, now: Now) -> u64 {
        match now.mono_ms {
            0 => self.last_ms,
            runtime_ms => runtime_ms.saturating_add_signed(self.ahead_ms).max(self.last_ms),
        }
    }

    /// The reading of the runtime's clock at `at_ms` on this clock, given that it reads `now` at present.
    pub fn on_runtime(&self, at_ms: u64, now: Now) -> u64 {
        at_ms.saturating_sub(self.read(now)).saturating_add(now.mono_ms)
    }
}

/// A time on the forward clock that never comes.
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

    #[test]
    fn a_clock_that_says_nothing_at_first_begins_when_it_says_something() {
        let mut clock = ForwardClock::default();
        let now = |mono_ms| Now { mono_ms, unix_ms: mono_ms };
        let began = 1_795_988_238_358;
        let said = [0, 0, began, began + 2, 0, began + 5, began - 3_600_000, began - 3_599_000];
        let taken = said.map(|mono_ms| clock.advance(now(mono_ms)).mono_ms);
        assert_eq!(taken, [0, 0, 0, 2, 2, 5, 5, 1005]);
        assert_eq!(clock.on_runtime(1015, now(began - 3_599_000)), began - 3_598_990);
    }
}
