//! A batch: parts that travel together, in one request or in two, and what became of those so far.

use super::Stamps;
use super::part::{Part, have_rested, merged, said_unix_ms, were_left};
use crate::core::enrichment::{Field, InputsPlace};
use crate::core::session::{SessionOrigin, Start};
use crate::core::wire;

/// Parts that travel together. They are in the [`Line`](super::line::Line), after those of the batches before it.
#[derive(Debug)]
pub(super) struct Batch {
    len: usize,
    /// How many parts it was before it was halved.
    whole_len: usize,
    /// The timestamp of its request, from the first try on.
    stamp_ns: Option<u64>,
    /// The last timestamp of the session before that.
    stamped_after_ns: u64,
    /// The start that its first request is, from the first try on.
    start: Option<Start>,
    /// The start that went ahead of the update, and so what of the batch is stored already.
    started: Option<SessionOrigin>,
    /// Whether it was made sure once that the session exists, as the update was refused without that.
    made_sure: bool,
    /// Whether it was sent to one kind of routes, and is now to the other.
    tried_other_route: bool,
}

impl Batch {
    /// A batch of so many parts, which was not tried yet.
    pub(super) fn new(len: usize) -> Batch {
        Batch {
            len,
            whole_len: len,
            stamp_ns: None,
            stamped_after_ns: 0,
            start: None,
            started: None,
            made_sure: false,
            tried_other_route: false,
        }
    }

    /// How many parts it is.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many parts it was before it was halved.
    pub(super) fn whole_len(&self) -> usize {
        self.whole_len
    }

    /// Records that it is `len` parts now, some of which are others. Its request has another body then, and a timestamp
    /// stands for one body.
    pub(super) fn change_parts(&mut self, len: usize) {
        self.len = len;
        self.stamp_ns = None;
    }

    /// Whether its next request is the one that was sent before, to the letter.
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

    /// Whether its next request is a start that only makes sure that the session exists.
    pub(super) fn is_touch(&self) -> bool {
        self.start.as_ref().is_some_and(Start::is_touch)
    }

    /// Makes its next request this start, or an update.
    pub(super) fn begin_with(&mut self, start: Option<Start>) {
        self.start = start;
        self.stamp_ns = None;
    }

    /// Takes out the start, which goes another way or not at all.
    pub(super) fn take_start(&mut self) -> Option<Start> {
        self.start.take()
    }

    /// Other pages may have started the session: the start stores less than that of a new one, if it is one.
    pub(super) fn may_be_started_by_others(&mut self) {
        if let Some(start) = self.start.as_mut().filter(|it| it.origin == SessionOrigin::New) {
            start.origin = SessionOrigin::Named;
            self.stamp_ns = None;
        }
    }

    /// The timestamp of the next request with `parts`, which are its own.
    pub(super) fn stamp(&mut self, parts: &[Box<Part>], stamps: &mut Stamps) -> u64 {
        *self.stamp_ns.get_or_insert_with(|| {
            let said_ms = said_unix_ms(parts);
            self.stamped_after_ns = stamps.last_ns();
            match have_rested(parts) {
                true => stamps.next_apart(said_ms, were_left(parts)),
                false => stamps.next(said_ms),
            }
        })
    }

    /// The start that went ahead of the update.
    pub(super) fn started(&self) -> Option<SessionOrigin> {
        self.started
    }

    /// The start was stored as that of a session of this origin, or an update was. Says whether an update is to follow
    /// with what of `parts` a start does not store.
    pub(super) fn goes_on(&mut self, parts: &[Box<Part>], started: Option<SessionOrigin>) -> bool {
        let goes_on = wire::needs_update(&merged(parts, InputsPlace::Metadata), started);
        if goes_on {
            self.started = started;
            self.stamp_ns = None;
        }
        goes_on
    }

    /// Whether its request stores nothing of `parts`, which are its own, and so may be let go of: it only makes sure that
    /// the session exists. An earlier value on its way could arrive after a later one.
    pub(super) fn stores_nothing(&self, parts: &[Box<Part>]) -> bool {
        let merged = merged(parts, InputsPlace::Start);
        let is_stored = |field| SessionOrigin::Named.start_stores(field) && merged.has(field);
        self.is_touch() && !Field::ALL.into_iter().any(is_stored)
    }

    /// Whether it may be made sure once that the session exists. Records that it is.
    pub(super) fn make_sure(&mut self) -> bool {
        let was_started = self.start.is_some() || self.started.is_some();
        !was_started && !std::mem::replace(&mut self.made_sure, true)
    }

    /// Whether it was sent to one kind of routes, and is now to the other.
    pub(super) fn tried_other_route(&self) -> bool {
        self.tried_other_route
    }

    /// Records that it is sent to the other kind of routes. Says whether that was done before.
    pub(super) fn try_other_route(&mut self) -> bool {
        std::mem::replace(&mut self.tried_other_route, true)
    }

    /// Leaves it the first `half` of its parts, and returns the batch of the others. What is kept may go from another
    /// page, as of when it was said: so where something `is_kept`, the first half is not stamped later than that.
    pub(super) fn halve(&mut self, half: usize, is_kept: bool, stamps: &mut Stamps) -> Batch {
        if is_kept {
            stamps.go_on_after(self.stamped_after_ns);
        }
        let second = Batch { len: self.len - half, stamp_ns: None, start: None, ..*self };
        self.change_parts(half);
        second
    }
}
