//! Timers on the forward clock, in a priority queue.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::time::NEVER;

/// The event that a timer stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The outbox may send, or something in it reaches its deadline.
    Outbox(u64),
    /// The request's lease ends, and it may count as lost.
    Lease(u64),
    /// The failing server may be probed.
    Probe(u64),
    /// The totals of the outbox's session may be read, or something that waits for them reaches its deadline.
    Read(u64),
    /// The flush or close stops waiting.
    Wait(u64),
    /// The request scope is checked for missed polls.
    Scope(u64),
}

/// Below this many timers, stale ones are not purged.
const PURGE_FROM: usize = 64;

/// All timers. A timer cannot be cancelled: whoever handles it checks whether it is stale. Stale timers are purged
/// together before they outnumber the others.
#[derive(Debug, Default)]
pub struct Timers {
    /// Reversed, so that the earliest timer is the greatest and comes first.
    heap: BinaryHeap<Reverse<(u64, Timer)>>,
    /// How many timers were left by the last purge.
    purged_len: usize,
}

impl Timers {
    /// Lets `timer` fire at `at`, on the forward clock.
    pub fn set(&mut self, at: u64, timer: Timer) {
        self.heap.push(Reverse((at, timer)));
    }

    /// How many timers are set, with those that are stale.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether no timer is set.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// When the next timer fires, on the forward clock.
    pub fn next_at(&self) -> u64 {
        self.heap.peek().map_or(NEVER, |Reverse((at, _))| *at)
    }

    /// Removes and returns the next timer that is due at `now_ms`, with the time it was set to.
    pub fn take_due(&mut self, now_ms: u64) -> Option<(u64, Timer)> {
        if self.next_at() > now_ms {
            return None;
        }
        self.heap.pop().map(|Reverse(next)| next)
    }

    /// Whether there are so many timers that they should be purged. The caller checks this now and then.
    pub fn need_purge(&self) -> bool {
        self.heap.len() > 2 * self.purged_len.max(PURGE_FROM)
    }

    /// Removes the timers for which `is_current` returns false.
    pub fn purge(&mut self, is_current: &dyn Fn(u64, Timer) -> bool) {
        for Reverse((at, timer)) in std::mem::take(&mut self.heap) {
            if is_current(at, timer) {
                self.set(at, timer);
            }
        }
        self.purged_len = self.heap.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_that_do_not_stand_never_outnumber_those_that_do() {
        let mut timers = Timers::default();
        for number in 0..100_000 {
            timers.set(1_000_000 + number, Timer::Wait(number));
            if timers.need_purge() {
                timers.purge(&|_, timer| matches!(timer, Timer::Wait(it) if it % 1_000 == 0));
            }
            let standing = number as usize / 1_000 + 1;
            assert!(timers.heap.len() <= 2 * standing.max(PURGE_FROM) + 1);
        }
        let due = std::iter::from_fn(|| timers.take_due(u64::MAX));
        let left = due.filter(|(_, timer)| matches!(timer, Timer::Wait(it) if it % 1_000 == 0));
        let places: Vec<u64> = left.map(|(at, _)| at).collect();
        assert_eq!(places.len(), 100);
        assert!(places.is_sorted());
    }
}
