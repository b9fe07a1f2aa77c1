//! What happens at a certain time, the earliest first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// An outbox may send, or what waits in it reaches its deadline.
    Outbox(u64),
    /// A request counts as lost.
    Lease(u64),
    /// A failing server may be probed.
    Probe(u64),
    /// A flush or close gives up waiting.
    Wait(u64),
    /// A request scope is asked for.
    Scope(u64),
}

/// All that is to happen. A timer is never taken back: who set it asks, when it fires, whether
/// it still stands.
#[derive(Debug, Default)]
pub struct Timers(BinaryHeap<Reverse<(u64, Timer)>>);

impl Timers {
    /// `timer` fires at `at`, on the forward clock.
    pub fn set(&mut self, at: u64, timer: Timer) {
        self.0.push(Reverse((at, timer)));
    }

    /// When the next one fires.
    pub fn next_at(&self) -> Option<u64> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// The next one that is due at `now_ms`, and when it was to fire.
    pub fn take_due(&mut self, now_ms: u64) -> Option<(u64, Timer)> {
        if self.next_at()? > now_ms {
            return None;
        }
        self.0.pop().map(|Reverse(due)| due)
    }
}
