//! The content of one request: the units that are sent together, and its progress.

use super::unit::Unit;
use crate::core::deadline::DeadlineClock;
use crate::core::time::{NEVER, Now};

/// A unit that waits to be sent.
#[derive(Debug)]
pub(super) struct QueuedUnit<U> {
    call: u64,
    accepted_ms: u64,
    /// The reading of its batch's clock at which it is given up. A batch's clock continues that of its lane.
    deadline: u64,
    bytes: usize,
    unit: U,
}

impl<U: Unit> QueuedUnit<U> {
    /// A unit of `call` that is accepted now and is given up when the clock reads `deadline`.
    pub(super) fn new(call: u64, unit: U, deadline: u64, now: Now) -> QueuedUnit<U> {
        QueuedUnit { call, accepted_ms: now.mono_ms, deadline, bytes: unit.bytes(), unit }
    }
}

impl<U> QueuedUnit<U> {
    /// The call that it was given in.
    pub(super) fn call(&self) -> u64 {
        self.call
    }

    /// The unit.
    pub(super) fn unit(&self) -> &U {
        &self.unit
    }

    /// The unit's own bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The reading of the clock at which it is given up.
    pub(super) fn deadline(&self) -> u64 {
        self.deadline
    }

    /// Caps the deadline at `deadline_ms` after the unit was accepted. Time that the clock had counted before then may
    /// have been forgiven since, which would otherwise move the deadline back.
    pub(super) fn shorten_deadline(&mut self, clock: DeadlineClock, deadline_ms: u64) {
        self.deadline = self.deadline.min(clock.deadline(self.accepted_ms, deadline_ms));
    }
}

/// The content of one request, the same through every retry. Its entries are in the order in which they were
/// accepted, and so are their deadlines.
#[derive(Debug)]
pub(super) struct FrozenBatch<U> {
    entries: Vec<QueuedUnit<U>>,
    /// How many entries the batch had before it was first halved.
    original_len: usize,
    stamp_ns: u64,
    clock: DeadlineClock,
    failures: u32,
    /// When it may be tried again, on the forward clock; 0 where it need not wait.
    retry_at: u64,
}

impl<U> FrozenBatch<U> {
    /// A batch that was not tried yet. Its timestamp is the one after `last_stamp_ns`.
    pub(super) fn new(
        entries: Vec<QueuedUnit<U>>,
        clock: DeadlineClock,
        last_stamp_ns: &mut u64,
        now: Now,
    ) -> FrozenBatch<U> {
        FrozenBatch {
            original_len: entries.len(),
            entries,
            stamp_ns: next_stamp(last_stamp_ns, now),
            clock,
            failures: 0,
            retry_at: 0,
        }
    }

    /// How many entries it has.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether all of its entries were given up.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many entries it had before it was first halved.
    pub(super) fn original_len(&self) -> usize {
        self.original_len
    }

    /// The units that its request contains.
    pub(super) fn units(&self) -> impl Iterator<Item = &U> {
        self.entries.iter().map(QueuedUnit::unit)
    }

    /// Its entries, when it has ended.
    pub(super) fn into_entries(self) -> Vec<QueuedUnit<U>> {
        self.entries
    }

    /// The timestamp of its request, in nanoseconds since the Unix epoch.
    pub(super) fn stamp_ns(&self) -> u64 {
        self.stamp_ns
    }

    /// When it may be tried again, on the forward clock; 0 where it need not wait.
    pub(super) fn retry_at(&self) -> u64 {
        self.retry_at
    }

    /// Whether it may be sent, as far as it is concerned.
    pub(super) fn is_due(&self, now: Now) -> bool {
        self.retry_at <= now.mono_ms
    }

    /// Milliseconds to the first deadline; 0 once it has passed.
    pub(super) fn left_ms(&self, now: Now) -> u64 {
        self.left_to(self.entries.first(), now)
    }

    /// Milliseconds to the last deadline.
    pub(super) fn last_left_ms(&self, now: Now) -> u64 {
        self.left_to(self.entries.last(), now)
    }

    fn left_to(&self, entry: Option<&QueuedUnit<U>>, now: Now) -> u64 {
        let deadline = entry.map_or(0, |entry| entry.deadline);
        deadline.saturating_sub(self.clock.reading(now.mono_ms))
    }

    /// When its first entry is given up unless the server answers before; [`NEVER`] once that time has passed.
    pub(super) fn gives_up_at(&self, now: Now) -> u64 {
        let deadline = self.entries.first().map_or(NEVER, |entry| entry.deadline);
        self.clock.reaches(deadline, now.mono_ms)
    }

    /// Removes and returns the entries whose deadline has passed.
    pub(super) fn take_late(&mut self, now: Now) -> Vec<QueuedUnit<U>> {
        let reading = self.clock.reading(now.mono_ms);
        let late = self.entries.partition_point(|entry| entry.deadline <= reading);
        self.entries.drain(..late).collect()
    }

    /// Records that its request is sent.
    pub(super) fn begin_try(&mut self, now: Now) {
        self.clock.begin_try(now.mono_ms);
    }

    /// Records that its request failed. Returns how often that has happened in a row.
    pub(super) fn count_failure(&mut self) -> u32 {
        self.failures = self.failures.saturating_add(1);
        self.failures
    }

    /// Lets it wait for `wait_ms` before its next try.
    pub(super) fn retry_after(&mut self, wait_ms: u64, now: Now) {
        self.retry_at = now.mono_ms.saturating_add(wait_ms);
    }

    /// Ends its wait for a retry, because the server works again.
    pub(super) fn wait_no_longer(&mut self) {
        self.retry_at = 0;
    }

    /// Records that the server answered its request and did not ask for a retry.
    pub(super) fn record_success(&mut self, deadline_ms: u64, now: Now) {
        self.clock.own_request_worked(now.mono_ms);
        self.shorten_deadlines(deadline_ms);
    }

    /// Records that the server answered another request well at `at_ms`: the time that the batch spent waiting for its
    /// turn until then does not count against its deadlines.
    pub(super) fn server_worked(&mut self, at_ms: u64, deadline_ms: u64, now: Now) {
        if !self.is_due(now) {
            return;
        }
        let tried_until = if self.retry_at == 0 { now.mono_ms } else { self.retry_at };
        self.clock.wait_for_turn(tried_until, now.mono_ms);
        if self.clock.server_worked(at_ms) {
            self.shorten_deadlines(deadline_ms);
        }
    }

    fn shorten_deadlines(&mut self, deadline_ms: u64) {
        for entry in &mut self.entries {
            entry.shorten_deadline(self.clock, deadline_ms);
        }
    }

    /// Splits off all but the first `half` entries into a batch of their own.
    pub(super) fn split_off(
        &mut self,
        half: usize,
        last_stamp_ns: &mut u64,
        now: Now,
    ) -> FrozenBatch<U> {
        (self.retry_at, self.failures) = (0, 0);
        let mut second = FrozenBatch { entries: self.entries.split_off(half), ..*self };
        // Each timestamp identifies one body, and both halves are new bodies.
        self.stamp_ns = next_stamp(last_stamp_ns, now);
        second.stamp_ns = next_stamp(last_stamp_ns, now);
        second
    }
}

/// The next timestamp. Timestamps only increase, whatever the wall clock does, because the backend orders a client's
/// requests by them.
fn next_stamp(last_stamp_ns: &mut u64, now: Now) -> u64 {
    *last_stamp_ns = now.unix_ms.saturating_mul(1_000_000).max(*last_stamp_ns + 1);
    *last_stamp_ns
}
