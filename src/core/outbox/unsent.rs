//! The parts that an outbox has to send, and when: their deadlines, and the wait before a retry.

use std::ops::{Deref, DerefMut};

use super::backlog::Backlog;
use super::part::{Part, PartKind};
use crate::core::deadline::DeadlineClock;
use crate::core::delivery::limits::RetryWait;
use crate::core::number_set::NumberSet;
use crate::core::time::{NEVER, Now};

/// What an outbox has to send.
#[derive(Debug, Default)]
pub struct Unsent {
    work: Work,
    /// Whether deadlines stand still, because there is no network or the page rests.
    is_paused: bool,
}

/// The parts, and the state of their delivery.
#[derive(Debug)]
struct Pending {
    /// All parts that wait.
    backlog: Backlog,
    /// The clock of their deadlines.
    clock: DeadlineClock,
    /// When the first batch may be tried again.
    retry_at: u64,
    /// Until when the server has asked clients to wait, by its last failure.
    asked_until: u64,
}

impl Pending {
    const NOTHING: Pending = Pending {
        backlog: Backlog::EMPTY,
        clock: DeadlineClock::START,
        retry_at: 0,
        asked_until: 0,
    };
}

/// Allocated from the first write until [`Unsent::rest`], because a session has nothing to send for most of its life,
/// and a server keeps thousands of sessions.
#[derive(Debug, Default)]
struct Work(Option<Box<Pending>>);

impl Deref for Work {
    type Target = Pending;

    fn deref(&self) -> &Pending {
        self.0.as_deref().unwrap_or(const { &Pending::NOTHING })
    }
}

impl DerefMut for Work {
    fn deref_mut(&mut self) -> &mut Pending {
        self.0.get_or_insert_with(|| Box::new(Pending::NOTHING))
    }
}

impl Unsent {
    /// The parts in their order, and the batches of the first of them.
    pub(super) fn backlog(&self) -> &Backlog {
        &self.work.backlog
    }

    /// The parts in their order, and the batches of the first of them.
    pub(super) fn backlog_mut(&mut self) -> &mut Backlog {
        &mut self.work.backlog
    }

    /// Frees memory, because there is nothing to do for a while.
    pub(super) fn rest(&mut self) {
        if self.work.backlog.is_empty() {
            self.work = Work::default();
        } else {
            self.work.backlog.shrink();
        }
    }

    /// The bytes of its unsent enrichments.
    pub fn held(&self) -> u64 {
        self.work.backlog.summary().held()
    }

    /// All waiting parts.
    pub fn parts(&self) -> &[Box<Part>] {
        self.work.backlog.parts()
    }

    /// The parts of the batch that is sent next or is in flight.
    pub fn first_parts(&self) -> &[Box<Part>] {
        self.work.backlog.first_parts()
    }

    /// Whether there is anything to send.
    pub fn has_work(&self) -> bool {
        self.work.backlog.has_batch() || !self.work.backlog.summary().tracers().is_empty()
    }

    /// Whether it contains parts of `tracer`.
    pub fn holds_any_of(&self, tracer: u64) -> bool {
        self.work.backlog.parts().iter().any(|part| part.tracer() == tracer)
    }

    /// Whether it contains parts of the request `scope`.
    pub fn concerns(&self, scope: u64) -> bool {
        self.work.backlog.summary().scopes().has(scope)
    }

    /// The request scopes of its parts.
    pub fn scopes(&self) -> impl Iterator<Item = u64> + '_ {
        self.work.backlog.summary().scopes().iter()
    }

    /// Whether the browser keeps all waiting parts.
    pub fn is_kept(&self) -> bool {
        self.work
            .backlog
            .parts()
            .iter()
            .all(|part| part.kind() != PartKind::Enrichment || part.is_kept())
    }

    /// Notes that the browser keeps the parts with these numbers.
    pub fn note_kept(&mut self, ids: &NumberSet) {
        self.work.backlog.change_each(|part| {
            if ids.has(part.id()) {
                part.keep();
            }
        });
    }

    /// The tracer whose `fetch` carries the next request, or [`NOTHING`](crate::core::id_map::NOTHING). It has a part in it.
    pub fn sender(&self) -> u64 {
        self.work.backlog.summary().sender()
    }

    /// The tracer that sends in `scope`: the sender, unless only other tracers have parts of that scope. The `fetch`
    /// of another request may not be called in this one.
    pub fn sender_in(&self, scope: u64) -> u64 {
        let sender = self.work.backlog.summary().sender();
        if self.work.backlog.summary().tracers().iter().nth(1).is_none() {
            return sender;
        }
        let parts = self.work.backlog.parts();
        let waits_there = parts
            .iter()
            .filter(|part| part.scope() == scope && part.kind() != PartKind::WaitingStart);
        let mut of_scope = waits_there.map(|part| part.tracer());
        let first = of_scope.next().unwrap_or(sender);
        if first == sender || of_scope.any(|tracer| tracer == sender) { sender } else { first }
    }

    /// Makes `tracer`, which has a part in it, the sender.
    pub fn set_sender(&mut self, tracer: u64) {
        self.work.backlog.set_sender(tracer);
    }

    /// Makes another tracer the sender: the next one with a part in it for which `suits` returns true, among the next
    /// `looks`. The current sender becomes the last in turn.
    pub fn change_sender(&mut self, looks: usize, suits: &dyn Fn(u64) -> bool) {
        let summary = self.work.backlog.summary();
        let others = summary.tracers().after(summary.sender());
        let next = others.take(looks).find(|tracer| suits(*tracer));
        if let Some(next) = next {
            self.work.backlog.set_sender(next);
        }
    }

    /// Begins the deadline of `part`, which enters the queue.
    pub(super) fn begin_deadline(&mut self, part: &mut Part) {
        if self.work.backlog.parts().is_empty() {
            self.work.clock.own_request_worked(part.deadline_from_ms());
        }
        match self.is_paused {
            true => part.stop_deadline(),
            false => part.begin_deadline(self.work.clock),
        }
    }

    /// Stops the deadlines, because there is no network or the page rests.
    pub fn pause_deadlines(&mut self) {
        self.is_paused = true;
        if !self.work.backlog.is_empty() {
            self.work.backlog.change_each(Part::stop_deadline);
        }
    }

    /// Stops the deadlines, and records that the parts were made in this `chapter` of the page's life, which has ended.
    pub(super) fn end_chapter(&mut self, chapter: u32) {
        self.is_paused = true;
        self.work.backlog.change_each(|part| {
            part.stop_deadline();
            part.end_chapter(chapter);
        });
        self.work.backlog.may_be_started_by_others();
    }

    /// Lets the deadlines begin anew, because the network or the page is back.
    pub fn resume_deadlines(&mut self, now: Now) {
        self.is_paused = false;
        let Pending { backlog, clock, .. } = &mut *self.work;
        backlog.change_each(|part| part.begin_deadline_anew(*clock, now.mono_ms));
    }

    /// Records that the server answered a request properly at `at_ms`. The time that parts waited for their turn
    /// until then does not count.
    pub fn server_worked(&mut self, at_ms: u64) {
        if self.work.clock.server_worked(at_ms) {
            self.shorten_deadlines();
        }
    }

    /// Records that the request in flight was answered, and is not to be retried, or that it was taken back, which
    /// says nothing about the server.
    pub fn request_worked(&mut self, now: Now) {
        self.work.clock.own_request_worked(now.mono_ms);
        self.shorten_deadlines();
    }

    /// Caps each deadline at the time that its part was given, because part of that time may have been forgiven
    /// before the part came.
    fn shorten_deadlines(&mut self) {
        if self.is_paused {
            return;
        }
        let Pending { backlog, clock, .. } = &mut *self.work;
        backlog.change_each(|part| part.shorten_deadline(*clock));
    }

    /// When the first part is given up if the server does not answer until then, on the forward clock; [`NEVER`] if
    /// that time has passed.
    pub fn gives_up_at(&self, now: Now) -> u64 {
        self.work.clock.reaches(self.first_deadline(), now.mono_ms)
    }

    /// Whether the first deadline has passed.
    pub fn is_overdue(&self, now: Now) -> bool {
        let first = self.first_deadline();
        first < NEVER && first <= self.work.clock.reading(now.mono_ms)
    }

    /// The first deadline, on its clock. A start has a deadline only if it is alone.
    fn first_deadline(&self) -> u64 {
        self.work.backlog.summary().first_deadline()
    }

    /// The earliest deadline of the parts that came since a request was last sent, on the forward clock.
    pub(super) fn untried_gives_up_at(&self, now: Now) -> u64 {
        self.work.clock.reaches(self.work.backlog.summary().untried_deadline(), now.mono_ms)
    }

    /// How long there is until the first deadline of the batch to send, in milliseconds.
    pub(super) fn batch_left_ms(&self, now: Now) -> u64 {
        self.batch_deadline().saturating_sub(self.work.clock.reading(now.mono_ms))
    }

    /// The reading of the clock of the deadlines.
    pub(super) fn reading(&self, now: Now) -> u64 {
        self.work.clock.reading(now.mono_ms)
    }

    /// Lets the clock know that the parts wait for their turn since `due`, or rest until then. The merge window before
    /// does not count, unless the server `is_failing`.
    pub(super) fn tell_clock(&mut self, due: u64, is_failing: bool, now: Now) {
        if due <= now.mono_ms {
            let tried_until = if due == 0 { now.mono_ms } else { due };
            self.work.clock.wait_for_turn(tried_until, now.mono_ms);
        } else if !self.work.backlog.has_batch() && due < NEVER && !is_failing {
            self.work.clock.rest_until(due);
        }
    }

    /// Records that a request is sent, so that the parts get a try.
    pub(super) fn begin_try(&mut self, now: Now) {
        self.work.clock.begin_try(now.mono_ms);
        self.work.backlog.begin_try();
    }

    /// When the first batch may be tried again.
    pub(super) fn retry_at(&self) -> u64 {
        self.work.retry_at
    }

    /// Lets the first batch be sent at once.
    pub(super) fn retry_now(&mut self) {
        self.work.retry_at = 0;
    }

    /// Lets the first batch wait for `wait_ms` if the server `asked` for that; otherwise a little less if the last try
    /// would have no time before the deadline. A request may take `timeout_ms`.
    pub(super) fn retry_after(&mut self, wait_ms: u64, asked: bool, timeout_ms: u64, now: Now) {
        let reading = self.reading(now);
        // By then, all parts of the batch have been given up.
        let last = self.work.backlog.first_parts().iter().map(|part| part.deadline()).max();
        let wait_ms = RetryWait {
            wait_ms,
            is_asked: asked,
            left_ms: self.batch_left_ms(now),
            last_left_ms: last.unwrap_or(0).saturating_sub(reading),
            timeout_ms,
        }
        .milliseconds();
        self.work.retry_at = now.mono_ms.saturating_add(wait_ms);
        self.work.asked_until = if asked { self.work.retry_at } else { 0 };
    }

    /// Ends the wait before a retry, even if the server asked for it.
    pub(super) fn end_wait(&mut self) {
        self.work.asked_until = 0;
        self.wait_no_longer();
    }

    /// Whether a failed request is to be retried after a wait.
    pub fn is_to_wait(&self, now: Now) -> bool {
        self.work.backlog.has_batch() && self.work.retry_at > now.mono_ms
    }

    /// Whether the server has asked clients to wait until later than now.
    pub fn is_asked_to_wait(&self, now: Now) -> bool {
        self.work.backlog.has_batch() && self.work.asked_until > now.mono_ms
    }

    /// Ends the wait before a retry, because the server works again. A wait that the server asked for goes on.
    pub fn wait_no_longer(&mut self) {
        self.work.retry_at = self.work.asked_until;
    }

    /// Lets time count, because there is no ticket to send with. Returns when the first part is given up.
    pub fn wait_for_ticket(&mut self, now: Now) -> u64 {
        self.work.retry_at = 0;
        self.work.clock.begin_try(now.mono_ms);
        self.gives_up_at(now)
    }

    /// The first deadline of the batch to send, on its clock.
    fn batch_deadline(&self) -> u64 {
        let parts = self.work.backlog.first_parts();
        let enrichments = parts.iter().filter(|part| part.kind() == PartKind::Enrichment);
        let starts = parts.iter().filter(|part| part.kind() == PartKind::Start);
        let of_starts = || starts.map(|part| part.deadline()).min();
        enrichments.map(|part| part.deadline()).min().or_else(of_starts).unwrap_or(NEVER)
    }
}
