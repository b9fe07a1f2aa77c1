//! What waits in one request scope, and what of it goes out next.

use std::collections::{HashSet, VecDeque};

use super::health::Health;
use super::limits::Limits;
use super::unit::{Loss, Unit};
use crate::core::deadline::DeadlineClock;
use crate::core::time::{NEVER, Now};

/// A unit that waits.
#[derive(Debug)]
pub(super) struct Entry<U> {
    pub(super) call: u64,
    given_ms: u64,
    /// On the clock of its batch, which goes on from that of its lane.
    deadline: u64,
    bytes: usize,
    pub(super) unit: U,
}

/// What goes out in one request, through every retry. Its entries are in the order in which they were given,
/// and so are their deadlines.
#[derive(Debug)]
pub(super) struct Batch<U> {
    pub(super) entries: Vec<Entry<U>>,
    /// How many entries it was before it was halved.
    pub(super) whole_len: usize,
    pub(super) stamp_ns: u64,
    pub(super) clock: DeadlineClock,
    pub(super) failures: u32,
    /// When it may be tried again.
    pub(super) retry_at: u64,
}

impl<U> Batch<U> {
    /// Milliseconds to the first deadline; none are left where that is over.
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

    /// When its first entry is given up if the server does not answer until then; [`NEVER`] where that has
    /// passed.
    fn gives_up_at(&self, now: Now) -> u64 {
        let deadline = self.entries.first().map_or(NEVER, |entry| entry.deadline);
        self.clock.reaches(deadline, now.mono_ms)
    }

    /// Takes out what has reached its deadline.
    pub(super) fn take_late(&mut self, now: Now) -> Vec<Entry<U>> {
        let reading = self.clock.reading(now.mono_ms);
        let late = self.entries.partition_point(|entry| entry.deadline <= reading);
        self.entries.drain(..late).collect()
    }

    /// Its request was answered, and not in a way that may pass.
    pub(super) fn worked(&mut self, deadline_ms: u64, now: Now) {
        self.clock.own_request_worked(now.mono_ms);
        shorten(self.entries.iter_mut(), self.clock, deadline_ms);
    }

    /// Takes off all but the first `half` entries: a batch of its own.
    pub(super) fn split_off(&mut self, half: usize, last_stamp_ns: &mut u64, now: Now) -> Batch<U> {
        (self.retry_at, self.failures) = (0, 0);
        let mut second = Batch { entries: self.entries.split_off(half), ..*self };
        // A timestamp stands for one body.
        self.stamp_ns = next_stamp(last_stamp_ns, now);
        second.stamp_ns = next_stamp(last_stamp_ns, now);
        second
    }
}

/// Nobody has more time than given, though part of what counted was forgiven before it came.
fn shorten<'e, U: 'e>(
    entries: impl Iterator<Item = &'e mut Entry<U>>,
    clock: DeadlineClock,
    deadline_ms: u64,
) {
    for entry in entries {
        entry.deadline = entry.deadline.min(clock.deadline(entry.given_ms, deadline_ms));
    }
}

/// Timestamps only go up, whatever the wall clock does: the backend orders a client's requests by them.
fn next_stamp(last_stamp_ns: &mut u64, now: Now) -> u64 {
    *last_stamp_ns = now.unix_ms.saturating_mul(1_000_000).max(*last_stamp_ns + 1);
    *last_stamp_ns
}

/// What waits in one scope, what of it is on its way, and when what is left may go.
#[derive(Debug)]
pub(super) struct Lane<U> {
    /// Calls that have ended, to be told in this scope.
    pub(super) ended: VecDeque<(u64, Option<Loss>)>,
    /// Requests on their way.
    pub(super) in_flight: usize,
    /// When the shell said it would ask again; [`NEVER`] where it waits for an answer or a call.
    pub(super) looks_at: u64,
    /// When the shell has to have asked again, or its request is gone, and all that was in it.
    pub(super) due_at: u64,
    queued: VecDeque<Entry<U>>,
    queued_bytes: usize,
    /// How many of those that are queued had no room in the last request, and so wait for no window.
    backlog: usize,
    /// On which the deadlines of what is queued are.
    clock: DeadlineClock,
    /// When what is queued may go, unless it is enough for a request.
    window_until: u64,
    is_hurried: bool,
    /// Frozen, and to be tried again or in halves.
    batches: VecDeque<Batch<U>>,
}

impl<U: Unit> Lane<U> {
    pub(super) fn new(now: Now) -> Lane<U> {
        Lane {
            ended: VecDeque::new(),
            in_flight: 0,
            looks_at: NEVER,
            due_at: now.mono_ms,
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
        let given_ms = now.mono_ms;
        if self.queued.is_empty() {
            self.clock = DeadlineClock::START;
            self.clock.own_request_worked(given_ms);
            // The window is nobody's fault, unless the server fails meanwhile.
            if !is_failing && !self.is_hurried && self.window_until > given_ms {
                self.clock.rest_until(self.window_until);
            }
        }
        let deadline = self.clock.deadline(given_ms, deadline_ms);
        let bytes = unit.bytes();
        self.queued_bytes += bytes;
        self.queued.push_back(Entry { call, given_ms, deadline, bytes, unit });
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.queued.is_empty() && self.batches.is_empty()
    }

    pub(super) fn hurry(&mut self) {
        self.is_hurried = !self.queued.is_empty();
    }

    /// The server works again: retries wait no longer.
    pub(super) fn wait_no_longer(&mut self) {
        self.batches.iter_mut().for_each(|batch| batch.retry_at = 0);
    }

    /// The server answered well at `at_ms`: what waited for its turn until then has as much time as before.
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

    /// Whether something may go, as far as the lane is concerned.
    pub(super) fn has_ready(&self, limits: &Limits, now: Now) -> bool {
        self.is_queue_ready(limits, now)
            || self.batches.iter().any(|batch| batch.retry_at <= now.mono_ms)
    }

    fn queue_gives_up_at(&self, now: Now) -> u64 {
        let deadline = self.queued.front().map_or(NEVER, |entry| entry.deadline);
        self.clock.reaches(deadline, now.mono_ms)
    }

    /// When there is something to do next in it though nobody answers; with `has_room` at once, where something
    /// may go. It asks nothing of the server's health and changes nothing.
    pub(super) fn next_look(&self, has_room: bool, limits: &Limits, now: Now) -> u64 {
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

    /// When it is to be looked at again, with what the server's `health` makes of its deadlines.
    pub(super) fn look_again_at(&self, health: &mut Health, limits: &Limits, now: Now) -> u64 {
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

    /// Takes what goes out next, if something may.
    pub(super) fn take_ready(
        &mut self,
        limits: &Limits,
        last_stamp_ns: &mut u64,
        now: Now,
    ) -> Option<Batch<U>> {
        let is_due = |batch: &Batch<U>| batch.retry_at <= now.mono_ms;
        if let Some(place) = self.batches.iter().position(is_due) {
            return self.batches.remove(place);
        }
        self.is_queue_ready(limits, now).then(|| self.freeze(limits, last_stamp_ns, now))
    }

    /// Makes a batch of what is queued, as far as one request takes it.
    fn freeze(&mut self, limits: &Limits, last_stamp_ns: &mut u64, now: Now) -> Batch<U> {
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
        Batch {
            whole_len: entries.len(),
            entries,
            stamp_ns: next_stamp(last_stamp_ns, now),
            clock: self.clock,
            failures: 0,
            retry_at: 0,
        }
    }

    /// What is tried again goes before what was not tried yet; halves, in which `retry_at` is none, at once.
    pub(super) fn put_back(&mut self, batch: Batch<U>) {
        match batch.retry_at {
            0 => self.batches.push_front(batch),
            _ => self.batches.push_back(batch),
        }
    }

    /// Takes out what has reached its deadline.
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

    /// Takes out all that waits.
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
