//! What happens at a certain time, the earliest first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::time::NEVER;

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

/// Timers from which on it is worth a look how many of them still stand.
const FEW: usize = 64;

/// All that is to happen. A timer is not taken back: who set it asks, when it fires, whether it
/// still stands. Those that do not are thrown out together, before they outnumber those that do.
#[derive(Debug, Default)]
pub struct Timers {
    /// Reversed, so that the earliest is the greatest and comes first.
    heap: BinaryHeap<Reverse<(u64, Timer)>>,
    /// How many stood when they were last looked through.
    stood: usize,
}

impl Timers {
    /// `timer` fires at `at`, on the forward clock.
    pub fn set(&mut self, at: u64, timer: Timer) {
        self.heap.push(Reverse((at, timer)));
    }

    /// When the next one fires.
    pub fn next_at(&self) -> u64 {
        self.heap.peek().map_or(NEVER, |Reverse((at, _))| *at)
    }

    /// The next one that is due at `now_ms`, and when it was to fire.
    pub fn take_due(&mut self, now_ms: u64) -> Option<(u64, Timer)> {
        let next = self.heap.peek_mut().filter(|next| next.0.0 <= now_ms)?;
        Some(PeekMut::pop(next).0)
    }

    /// Whether there are so many that some may no longer stand. To be asked now and then.
    pub fn are_many(&self) -> bool {
        self.heap.len() > 2 * self.stood.max(FEW)
    }

    /// Throws out those that do not stand any more.
    pub fn keep(&mut self, stands: impl Fn(u64, Timer) -> bool) {
        self.heap.retain(|Reverse((at, timer))| stands(*at, *timer));
        self.heap.shrink_to_fit();
        self.stood = self.heap.len();
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
            if timers.are_many() {
                timers.keep(|_, timer| matches!(timer, Timer::Wait(it) if it % 1_000 == 0));
            }
            let standing = number as usize / 1_000 + 1;
            assert!(timers.heap.len() <= 2 * standing.max(FEW) + 1);
        }
        let due = std::iter::from_fn(|| timers.take_due(u64::MAX));
        let left = due.filter(|(_, timer)| matches!(timer, Timer::Wait(it) if it % 1_000 == 0));
        let places: Vec<u64> = left.map(|(at, _)| at).collect();
        assert_eq!(places.len(), 100);
        assert!(places.is_sorted());
    }
}
