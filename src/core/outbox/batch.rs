//! A batch: parts that are sent together, in one or two requests, and its progress.

use super::part::{Part, have_rested, last_call_time, merged, were_left};
use super::stamps::Stamps;
use crate::core::enrichment::{Field, InputsPlace};
use crate::core::session::{SessionOrigin, Start};
use crate::core::wire;

/// Parts that are sent together. The parts themselves are in the [`Backlog`](super::backlog::Backlog), after those of earlier
/// batches.
#[derive(Debug)]
pub(super) struct Batch {
    len: usize,
    /// How many parts the batch had before it was halved.
    whole_len: usize,
    /// The timestamp of its request, from the first try on.
    stamp_ns: Option<u64>,
    /// The last timestamp of the session before that.
    stamped_after_ns: u64,
    /// The time of the whole of which it is the second half, and so of the first half at the latest, in Unix
    /// milliseconds.
    follows_ms: u64,
    /// The start that its first request is, from the first try on.
    start: Option<Start>,
    /// The start that was stored before the update, which tells what is stored already.
    started: Option<SessionOrigin>,
    /// Whether a start was sent once to ensure that the session exists, because the update was refused without it.
    made_sure: bool,
    /// Whether it was sent to one kind of routes, and is now sent to the other.
    tried_other_route: bool,
}

impl Batch {
    /// A batch of this many parts, which was not tried yet.
    pub(super) fn new(len: usize) -> Batch {
        Batch {
            len,
            whole_len: len,
            stamp_ns: None,
            stamped_after_ns: 0,
            follows_ms: 0,
            start: None,
            started: None,
            made_sure: false,
            tried_other_route: false,
        }
    }

    /// The number of its parts.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The number of parts that it had before it was halved.
    pub(super) fn whole_len(&self) -> usize {
        self.whole_len
    }

    /// Records that it has `len` parts now, some of them others. Its request gets a new timestamp, because each
    /// timestamp identifies one body.
    pub(super) fn change_parts(&mut self, len: usize) {
        self.len = len;
        self.stamp_ns = None;
    }

    /// Whether its next request repeats an earlier one exactly.
    pub(super) fn is_repeated(&self) -> bool {
        self.stamp_ns.is_some()
    }

    /// Whether its next request may be a start: it has none, and none was sent.
    pub(super) fn wants_start(&self) -> bool {
        self.stamp_ns.is_none() && self.started.is_none() && self.start.is_none()
    }

    /// The start that its next request is, if it is one.
    pub(super) fn start(&self) -> Option<&Start> {
        self.start.as_ref()
    }

    /// Whether its next request is a start that only ensures that the session exists.
    pub(super) fn is_touch(&self) -> bool {
        self.start.as_ref().is_some_and(Start::is_touch)
    }

    /// Makes its next request this start, or an update.
    pub(super) fn begin_with(&mut self, start: Option<Start>) {
        self.start = start;
        self.stamp_ns = None;
    }

    /// Removes its start, which is sent in another way or not at all.
    pub(super) fn take_start(&mut self) -> Option<Start> {
        self.start.take()
    }

    /// Makes its start store only what a session takes that other pages may have started.
    pub(super) fn may_be_started_by_others(&mut self) {
        if self.start.as_mut().is_some_and(Start::may_be_started_by_others) {
            self.stamp_ns = None;
        }
    }

    /// The timestamp of the next request with `parts`, which are its own.
    pub(super) fn stamp(&mut self, parts: &[Box<Part>], stamps: &mut Stamps) -> u64 {
        *self.stamp_ns.get_or_insert_with(|| {
            let called_at = last_call_time(parts);
            self.stamped_after_ns = stamps.last_ns();
            if were_left(parts) {
                stamps.next_left(called_at)
            } else if have_rested(parts) {
                stamps.next_rested(called_at.unix_ms.max(self.follows_ms))
            } else {
                stamps.next(called_at.unix_ms)
            }
        })
    }

    /// The start that was stored before the update.
    pub(super) fn started(&self) -> Option<SessionOrigin> {
        self.started
    }

    /// Records that its start was stored, for a session of this `origin`, or that its update was stored. Returns
    /// whether an update has to follow, with those of `parts` that a start does not store.
    pub(super) fn goes_on(&mut self, parts: &[Box<Part>], started: Option<SessionOrigin>) -> bool {
        let goes_on = wire::needs_update(&merged(parts, InputsPlace::Metadata), started);
        if goes_on {
            self.started = started;
            self.stamp_ns = None;
        }
        goes_on
    }

    /// Whether its request stores nothing of `parts`, which are its own, because it only ensures that the session
    /// exists. The parts can then be sent elsewhere. Otherwise an earlier value in flight could arrive after a later
    /// one.
    pub(super) fn stores_nothing(&self, parts: &[Box<Part>]) -> bool {
        let merged = merged(parts, InputsPlace::Start);
        let is_stored = |field| SessionOrigin::Named.start_stores(field) && merged.has(field);
        self.is_touch() && !Field::ALL.into_iter().any(is_stored)
    }

    /// Records that a start ensures once that the session exists. Returns whether that was not done before.
    pub(super) fn make_sure(&mut self) -> bool {
        let was_started = self.start.is_some() || self.started.is_some();
        !was_started && !std::mem::replace(&mut self.made_sure, true)
    }

    /// Whether it was sent to one kind of routes, and is now sent to the other.
    pub(super) fn tried_other_route(&self) -> bool {
        self.tried_other_route
    }

    /// Records that it is sent to the other kind of routes. Returns whether that was done before.
    pub(super) fn try_other_route(&mut self) -> bool {
        std::mem::replace(&mut self.tried_other_route, true)
    }

    /// Keeps the first `half` of its parts, and returns a batch of the others. Another page may deliver kept parts
    /// with the time at which they were made. So if a part `is_kept`, the first half gets no later timestamp than
    /// that. Otherwise it gets one after that of the whole, and the second half follows it.
    pub(super) fn halve(&mut self, half: usize, is_kept: bool, stamps: &mut Stamps) -> Batch {
        let mut second = Batch { len: self.len - half, stamp_ns: None, start: None, ..*self };
        if is_kept {
            stamps.go_on_after(self.stamped_after_ns);
        } else {
            second.follows_ms = self.stamp_ns.unwrap_or(0) / 1_000_000;
        }
        self.change_parts(half);
        second
    }
}
