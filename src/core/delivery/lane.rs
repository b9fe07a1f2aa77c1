//! The lane of one request scope: its queued units, its frozen batches, and which of them is sent next.

use std::collections::{HashSet, VecDeque};

use super::health::Health;
use super::limits::Limits;
use super::unit::{Loss, Unit};
use crate::core::deadline::DeadlineClock;
use crate::core::time::{NEVER, Now};

/// A unit that waits to be sent.
#[derive(Debug)]
pub(super) struct Entry<U> {
    pub(super) call: u64,
    accepted_ms: u64,
    /// The reading of its batch's clock at which it is given up. A batch's clock continues that of its lane.
    deadline: u64,
    bytes: usize,
    pub(super) unit: U,
}

/// The content of one request, the same through every retry. Its entries are in the order in which they were
/// accepted, and so are their deadlines.
#[derive(Debug)]
pub(super) struct FrozenBatch<U> {
    pub(super) entries: Vec<Entry<U>>,
    /// How many entries the batch had before it was first halved.
    pub(super) original_len: usize,
    pub(super) stamp_ns: u64,
    pub(super) clock: DeadlineClock,
    pub(super) failures: u32,
    /// When it may be tried again, on the forward clock; 0 where it need not wait.
    pub(super) retry_at: u64,
}

impl<U> FrozenBatch<U> {
    /// Milliseconds to the first deadline; 0 once it has passed.
    pub(super) fn left_ms(&self, now: Now) -> u64 {
        self.left_to(self.entries.first(), now)
    }

    /// Milliseconds to the last deadline.
    pub(super) fn last_left_ms(&self, now: Now) -> u64 {
        self.left_to(self.entries.last(), now)
    }

    fn left_to(&self, entry: Option<&Entry<U>>, now: Now) -> u64 {
        let deadline = entry.map_or(0, |entry| entry.deadline);
        deadline.saturating_sub(self.clock.reading(now.mono_ms))
    }

    /// When its first entry is given up unless the server answers before; [`NEVER`] once that time has passed.
    fn gives_up_at(&self, now: Now) -> u64 {
        let deadline = self.entries.first().map_or(NEVER, |entry| entry.deadline);
        self.clock.reaches(deadline, now.mono_ms)
    }

    /// Removes and returns the entries whose deadline has passed.
    pub(super) fn take_late(&mut self, now: Now) -> Vec<Entry<U>> {
        let reading = self.clock.reading(now.mono_ms);
        let late = self.entries.partition_point(|entry| entry.deadline <= reading);
        self.entries.drain(..late).collect()
    }

    /// Records that the server answered the batch's request and did not ask for a retry.
    pub(super) fn record_success(&mut self, deadline_ms: u64, now: Now) {
        self.clock.own_request_worked(now.mono_ms);
        shorten(self.entries.iter_mut(), self.clock, deadline_ms);
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

/// Caps every deadline at `deadline_ms` after its entry was accepted. Time that the clock had counted before then may
/// have been forgiven since, which would otherwise move the deadline back.
fn shorten<'e, U: 'e>(
    entries: impl Iterator<Item = &'e mut Entry<U>>,
    clock: DeadlineClock,
    deadline_ms: u64,
) {
    for entry in entries {
        entry.deadline = entry.deadline.min(clock.deadline(entry.accepted_ms, deadline_ms));
    }
}

/// The next timestamp. Timestamps only increase, whatever the wall clock does, because the backend orders a client's
/// requests by them.
fn next_stamp(last_stamp_ns: &mut u64, now: Now) -> u64 {
    *last_stamp_ns = now.unix_ms.saturating_mul(1_000_000).max(*last_stamp_ns + 1);
    *last_stamp_ns
}

/// The units of one scope that wait, and when they may be sent.
#[derive(Debug)]
pub(super) struct Lane<U> {
    /// Calls that have ended and have to be reported in this scope.
    pub(super) finished_calls: VecDeque<(u64, Option<Loss>)>,
    /// How many of its requests are in flight.
    pub(super) in_flight: usize,
    /// When the shell plans to ask again; [`NEVER`] where it waits for an answer or a call.
    pub(super) polls_at: u64,
    /// When the shell should have asked again at the latest. Long after that, the runtime has torn its request down.
    pub(super) expected_by: u64,
    queued: VecDeque<Entry<U>>,
    queued_bytes: usize,
    /// How many queued units did not fit into the last request. They do not wait for the merge window again.
    backlog: usize,
    /// The clock on which the deadlines of queued units are measured.
    clock: DeadlineClock,
    /// When the merge window ends. Queued units that fill a request do not wait for it.
    window_until: u64,
    is_hurried: bool,
    /// Batches that wait for a retry, or are halves of a refused one.
    batches: VecDeque<FrozenBatch<U>>,
}

impl<U: Unit> Lane<U> {
    pub(super) fn new(now: Now) -> Lane<U> {
        Lane {
            finished_calls: VecDeque::new(),
            in_flight: 0,
            polls_at: NEVER,
            expected_by: now.mono_ms,
            queued: VecDeque::new(),
            queued_bytes: 0,
            backlog: 0,
            clock: DeadlineClock::START,
            window_until: 0,
            is_hurried: false,
            batches: VecDeque::new(),
        }
    }

    pub(super) fn push(
        &mut self,
        call: u64,
        unit: U,
        deadline_ms: u64,
        is_failing: bool,
        now: Now,
    ) {
        let accepted_ms = now.mono_ms;
        if self.queued.is_empty() {
            self.clock = DeadlineClock::START;
            self.clock.own_request_worked(accepted_ms);
            // The merge window does not count against deadlines, unless the server is failing.
            if !is_failing && !self.is_hurried && self.window_until > accepted_ms {
                self.clock.rest_until(self.window_until);
            }
        }
        let deadline = self.clock.deadline(accepted_ms, deadline_ms);
        let bytes = unit.bytes();
        self.queued_bytes += bytes;
        self.queued.push_back(Entry { call, accepted_ms, deadline, bytes, unit });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queued.is_empty() && self.batches.is_empty()
    }

    pub(super) fn hurry(&mut self) {
        self.is_hurried = !self.queued.is_empty();
    }

    /// Ends the wait of every retry, because the server works again.
    pub(super) fn retry_now(&mut self) {
        self.batches.iter_mut().for_each(|batch| batch.retry_at = 0);
    }

    /// Records that the server answered well at `at_ms`: the time that batches spent waiting for their turn until then
    /// does not count against their deadlines.
    pub(super) fn server_worked(&mut self, at_ms: u64, limits: &Limits, now: Now) {
        for batch in &mut self.batches {
            if batch.retry_at <= now.mono_ms {
                let tried_until = if batch.retry_at == 0 { now.mono_ms } else { batch.retry_at };
                batch.clock.wait_for_turn(tried_until, now.mono_ms);
                if batch.clock.server_worked(at_ms) {
                    shorten(batch.entries.iter_mut(), batch.clock, limits.deadline_ms);
                }
            }
        }
        if !self.queued.is_empty() && self.is_queue_ready(limits, now) {
            self.clock.wait_for_turn(now.mono_ms, now.mono_ms);
        }
        if self.clock.server_worked(at_ms) {
            shorten(self.queued.iter_mut(), self.clock, limits.deadline_ms);
        }
    }

    fn is_queue_ready(&self, limits: &Limits, now: Now) -> bool {
        !self.queued.is_empty()
            && (self.window_until <= now.mono_ms
                || self.is_hurried
                || self.backlog > 0
                || self.queued_bytes >= limits.full_request_bytes)
    }

    /// Whether something may be sent, as far as the lane is concerned.
    pub(super) fn has_ready(&self, limits: &Limits, now: Now) -> bool {
        self.is_queue_ready(limits, now)
            || self.batches.iter().any(|batch| batch.retry_at <= now.mono_ms)
    }

    fn queue_gives_up_at(&self, now: Now) -> u64 {
        let deadline = self.queued.front().map_or(NEVER, |entry| entry.deadline);
        self.clock.reaches(deadline, now.mono_ms)
    }

    /// When the shell has to poll the lane next if no answer arrives: now, if something is ready and the server
    /// `has_room`. Unlike [`Lane::next_event_at`] it neither reads nor changes the server's health.
    pub(super) fn next_poll_at(&self, has_room: bool, limits: &Limits, now: Now) -> u64 {
        let queue = if self.queued.is_empty() {
            NEVER
        } else if !self.is_queue_ready(limits, now) {
            self.window_until
        } else if has_room {
            now.mono_ms
        } else {
            self.queue_gives_up_at(now)
        };
        let waits = |at: &u64| has_room || *at > now.mono_ms;
        let batches = self.batches.iter().map(|batch| batch.retry_at).filter(waits).min();
        queue.min(batches.unwrap_or(NEVER))
    }

    /// When something becomes ready or reaches its deadline next. Deadlines take the server's `health` into account:
    /// see [`Health::try_or_give_up_at`].
    pub(super) fn next_event_at(&self, health: &mut Health, limits: &Limits, now: Now) -> u64 {
        let Limits { timeout_ms, deadline_ms, .. } = *limits;
        let mut at = NEVER;
        let mut consider = |ready_at: u64, gives_up_at: u64| {
            at = at.min(match ready_at > now.mono_ms {
                true => gives_up_at.min(ready_at),
                false => health.try_or_give_up_at(gives_up_at, timeout_ms, deadline_ms, now),
            });
        };
        for batch in &self.batches {
            consider(batch.retry_at, batch.gives_up_at(now));
        }
        if !self.queued.is_empty() {
            let is_ready = self.is_queue_ready(limits, now);
            let ready_at = if is_ready { now.mono_ms } else { self.window_until };
            consider(ready_at, self.queue_gives_up_at(now));
        }
        at
    }

    /// Removes and returns the batch to send next, if one is ready.
    pub(super) fn take_ready(
        &mut self,
        limits: &Limits,
        last_stamp_ns: &mut u64,
        now: Now,
    ) -> Option<FrozenBatch<U>> {
        let is_due = |batch: &FrozenBatch<U>| batch.retry_at <= now.mono_ms;
        if let Some(place) = self.batches.iter().position(is_due) {
            return self.batches.remove(place);
        }
        self.is_queue_ready(limits, now).then(|| self.freeze(limits, last_stamp_ns, now))
    }

    /// Makes a batch of as many queued units as fit into one request.
    fn freeze(&mut self, limits: &Limits, last_stamp_ns: &mut u64, now: Now) -> FrozenBatch<U> {
        let mut common = HashSet::new();
        let (mut bytes, mut own_bytes) = (0, 0);
        let fits = |entry: &&Entry<U>| {
            let new = entry.unit.common().filter(|(number, _)| common.insert(*number));
            bytes += entry.bytes + new.map(|(_, bytes)| bytes).sum::<usize>();
            let fits = bytes <= limits.full_request_bytes || own_bytes == 0;
            own_bytes += if fits { entry.bytes } else { 0 };
            fits
        };
        let count = self.queued.iter().take_while(fits).count();
        let entries: Vec<_> = self.queued.drain(..count).collect();
        self.queued_bytes -= own_bytes;
        self.backlog = self.queued.len();
        self.is_hurried &= !self.queued.is_empty();
        self.window_until = now.mono_ms.saturating_add(limits.merge_window_ms);
        FrozenBatch {
            original_len: entries.len(),
            entries,
            stamp_ns: next_stamp(last_stamp_ns, now),
            clock: self.clock,
            failures: 0,
            retry_at: 0,
        }
    }

    /// Returns a batch for its next try, before units that were not tried yet. Halves, whose `retry_at` is 0, are next.
    pub(super) fn put_back(&mut self, batch: FrozenBatch<U>) {
        match batch.retry_at {
            0 => self.batches.push_front(batch),
            _ => self.batches.push_back(batch),
        }
    }

    /// Removes and returns the entries whose deadline has passed.
    pub(super) fn take_late(&mut self, now: Now) -> Vec<Entry<U>> {
        let mut late = Vec::new();
        for batch in &mut self.batches {
            late.append(&mut batch.take_late(now));
        }
        self.batches.retain(|batch| !batch.entries.is_empty());
        let reading = self.clock.reading(now.mono_ms);
        let count = self.queued.partition_point(|entry| entry.deadline <= reading);
        self.take_queued(count, &mut late);
        late
    }

    /// Removes and returns everything that waits.
    pub(super) fn take_all(&mut self) -> Vec<Entry<U>> {
        let mut all: Vec<_> = self.batches.drain(..).flat_map(|batch| batch.entries).collect();
        self.take_queued(self.queued.len(), &mut all);
        all
    }

    fn take_queued(&mut self, count: usize, into: &mut Vec<Entry<U>>) {
        let taken = self.queued.drain(..count);
        for entry in taken {
            self.queued_bytes -= entry.bytes;
            into.push(entry);
        }
        self.backlog = self.backlog.saturating_sub(count);
    }
}
