//! The lane of one request scope: its queued units, its frozen batches, and which of them is sent next.

use std::collections::{BTreeSet, VecDeque};

use super::batch::{FrozenBatch, QueuedUnit};
use super::health::Health;
use super::limits::Limits;
use super::unit::{Loss, Unit};
use crate::core::deadline::DeadlineClock;
use crate::core::time::{NEVER, Now};

/// The units of one scope that wait, and when they may be sent.
#[derive(Debug)]
pub(super) struct Lane<U> {
    /// Calls that have ended and have to be reported in this scope.
    finished_calls: VecDeque<(u64, Option<Loss>)>,
    /// How many of its requests are in flight.
    in_flight: usize,
    /// When the shell plans to ask again; [`NEVER`] where it waits for an answer or a call.
    polls_at: u64,
    /// When the shell should have asked again at the latest. Long after that, the runtime has torn its request down.
    expected_by: u64,
    queued: VecDeque<QueuedUnit<U>>,
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
        let entry = QueuedUnit::new(call, unit, deadline, now);
        self.queued_bytes += entry.bytes();
        self.queued.push_back(entry);
    }

    /// Records that a call has ended, which is reported in this scope.
    pub(super) fn finish_call(&mut self, call: u64, loss: Option<Loss>) {
        self.finished_calls.push_back((call, loss));
    }

    /// Reports the calls of `other`, which has ended, in this scope.
    pub(super) fn report_calls_of(&mut self, other: &mut Lane<U>) {
        self.finished_calls.append(&mut other.finished_calls);
    }

    /// Removes and returns the next call whose end has to be reported.
    pub(super) fn take_finished_call(&mut self) -> Option<(u64, Option<Loss>)> {
        self.finished_calls.pop_front()
    }

    /// How many of its requests are in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Records that a request is sent, whose answer the shell reports by `lease_until`.
    pub(super) fn begin_request(&mut self, lease_until: u64) {
        self.in_flight += 1;
        self.expected_by = self.expected_by.max(lease_until);
    }

    /// Records that a request is in flight no more.
    pub(super) fn end_request(&mut self) {
        self.in_flight -= 1;
    }

    /// When the shell plans to ask again; [`NEVER`] where it waits for an answer or a call.
    pub(super) fn polls_at(&self) -> u64 {
        self.polls_at
    }

    /// Records when the shell plans to ask again.
    pub(super) fn poll_at(&mut self, at: u64) {
        self.polls_at = at;
    }

    /// Whether the shell is to ask earlier than it plans to: a call has ended, or the server `has_room` for a request
    /// that is ready.
    pub(super) fn needs_poll(&self, has_room: bool, limits: &Limits, now: Now) -> bool {
        !self.finished_calls.is_empty() || self.next_poll_at(has_room, limits, now) < self.polls_at
    }

    /// When the shell should have asked again at the latest.
    pub(super) fn expected_by(&self) -> u64 {
        self.expected_by
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queued.is_empty() && self.batches.is_empty()
    }

    pub(super) fn hurry(&mut self) {
        self.is_hurried = !self.queued.is_empty();
    }

    /// Ends the wait of every retry, because the server works again.
    pub(super) fn retry_now(&mut self) {
        self.batches.iter_mut().for_each(FrozenBatch::wait_no_longer);
    }

    /// Records that the server answered well at `at_ms`: the time that batches spent waiting for their turn until then
    /// does not count against their deadlines.
    #[inline(never)]
    pub(super) fn server_worked(&mut self, at_ms: u64, limits: &Limits, now: Now) {
        for batch in &mut self.batches {
            batch.server_worked(at_ms, limits.deadline_ms, now);
        }
        if !self.queued.is_empty() && self.is_queue_ready(limits, now) {
            self.clock.wait_for_turn(now.mono_ms, now.mono_ms);
        }
        if self.clock.server_worked(at_ms) {
            for entry in &mut self.queued {
                entry.shorten_deadline(self.clock, limits.deadline_ms);
            }
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
        self.is_queue_ready(limits, now) || self.batches.iter().any(|batch| batch.is_due(now))
    }

    fn queue_gives_up_at(&self, now: Now) -> u64 {
        let deadline = self.queued.front().map_or(NEVER, QueuedUnit::deadline);
        self.clock.reaches(deadline, now.mono_ms)
    }

    /// When the shell has to poll the lane next if no answer arrives: now, if something is ready and the server
    /// `has_room`. Unlike [`Lane::next_event_at`] it neither reads nor changes the server's health.
    fn next_poll_at(&self, has_room: bool, limits: &Limits, now: Now) -> u64 {
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
        let batches = self.batches.iter().map(FrozenBatch::retry_at).filter(waits).min();
        queue.min(batches.unwrap_or(NEVER))
    }

    /// When something becomes ready or reaches its deadline next. Deadlines take the server's `health` into account:
    /// see [`Health::try_or_give_up_at`].
    #[inline(never)]
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
            consider(batch.retry_at(), batch.gives_up_at(now));
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
        if let Some(place) = self.batches.iter().position(|batch| batch.is_due(now)) {
            return self.batches.remove(place);
        }
        self.is_queue_ready(limits, now).then(|| self.freeze(limits, last_stamp_ns, now))
    }

    /// Makes a batch of as many queued units as fit into one request.
    #[inline(never)]
    fn freeze(&mut self, limits: &Limits, last_stamp_ns: &mut u64, now: Now) -> FrozenBatch<U> {
        let mut common = BTreeSet::new();
        let (mut bytes, mut own_bytes) = (0, 0);
        let fits = |entry: &&QueuedUnit<U>| {
            let new = entry.unit().common().filter(|(number, _)| common.insert(*number));
            bytes += entry.bytes() + new.map(|(_, bytes)| bytes).sum::<usize>();
            let fits = bytes <= limits.full_request_bytes || own_bytes == 0;
            own_bytes += if fits { entry.bytes() } else { 0 };
            fits
        };
        let count = self.queued.iter().take_while(fits).count();
        let entries: Vec<_> = self.queued.drain(..count).collect();
        self.queued_bytes -= own_bytes;
        self.backlog = self.queued.len();
        self.is_hurried &= !self.queued.is_empty();
        self.window_until = now.mono_ms.saturating_add(limits.merge_window_ms);
        FrozenBatch::new(entries, self.clock, last_stamp_ns, now)
    }

    /// Returns a batch for its next try, before units that were not tried yet. Halves, whose `retry_at` is 0, are next.
    pub(super) fn put_back(&mut self, batch: FrozenBatch<U>) {
        match batch.retry_at() {
            0 => self.batches.push_front(batch),
            _ => self.batches.push_back(batch),
        }
    }

    /// Removes and returns the entries whose deadline has passed.
    pub(super) fn take_late(&mut self, now: Now) -> Vec<QueuedUnit<U>> {
        let mut late = Vec::new();
        for batch in &mut self.batches {
            late.append(&mut batch.take_late(now));
        }
        self.batches.retain(|batch| !batch.is_empty());
        let reading = self.clock.reading(now.mono_ms);
        let count = self.queued.partition_point(|entry| entry.deadline() <= reading);
        self.take_queued(count, &mut late);
        late
    }

    /// Removes and returns everything that waits.
    pub(super) fn take_all(&mut self) -> Vec<QueuedUnit<U>> {
        let mut all: Vec<_> = self.batches.drain(..).flat_map(FrozenBatch::into_entries).collect();
        self.take_queued(self.queued.len(), &mut all);
        all
    }

    fn take_queued(&mut self, count: usize, into: &mut Vec<QueuedUnit<U>>) {
        let taken = self.queued.drain(..count);
        for entry in taken {
            self.queued_bytes -= entry.bytes();
            into.push(entry);
        }
        self.backlog = self.backlog.saturating_sub(count);
    }
}
