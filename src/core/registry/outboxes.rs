//! All outboxes: by number and by session, those with work, and the bytes that they hold.

use std::num::NonZeroUsize;

use crate::core::id_map::{IdMap, NOTHING};
use crate::core::number_set::NumberSet;
use crate::core::outbox::Outbox;
use crate::core::session::SessionId;
use crate::core::session_index::SessionIndex;
use crate::core::settings::Destination;
use crate::core::time::Now;

/// The outboxes by number.
#[derive(Debug)]
pub(super) struct Outboxes {
    all: IdMap<OpenOutbox>,
    /// The outboxes by session: one for each destination.
    by_session: SessionIndex,
    /// Outboxes with a start that has not been scheduled yet.
    fresh: Vec<u64>,
    /// Outboxes that have something to send or a request in flight.
    busy: Vec<u64>,
    /// Those of them that no flush of all tracers has hurried yet.
    unhurried: NumberSet,
    /// The bytes of unsent enrichments.
    held: u64,
}

/// An outbox with what the list of all knows of it.
#[derive(Debug)]
struct OpenOutbox {
    outbox: Outbox,
    /// The bytes of it that are counted in `held`.
    counted: usize,
    /// Its place in `busy`, counted from 1 so that `None` takes no room. A server keeps thousands of outboxes.
    busy_place: Option<NonZeroUsize>,
}

impl Outboxes {
    /// No outboxes. `seed` is the hash seed of their sessions.
    pub(super) fn new(seed: u64) -> Outboxes {
        Outboxes {
            all: IdMap::default(),
            by_session: SessionIndex::new(seed),
            fresh: Vec::new(),
            busy: Vec::new(),
            unhurried: NumberSet::NONE,
            held: 0,
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// How many lookups were made.
    #[cfg(debug_assertions)]
    pub(super) fn lookups(&self) -> u64 {
        self.all.lookups()
    }

    /// The outbox under `id`.
    pub(super) fn get(&self, id: u64) -> Option<&Outbox> {
        self.all.get(id).map(|open| &open.outbox)
    }

    /// The outbox under `id`.
    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Outbox> {
        self.all.get_mut(id).map(|open| &mut open.outbox)
    }

    /// Stops all deadlines, because there is no network. Also of sessions that have nothing to send, for what they are
    /// given meanwhile.
    pub(super) fn pause_deadlines(&mut self) {
        for open in self.all.values_mut() {
            open.outbox.unsent.pause_deadlines();
        }
    }

    /// Lets all deadlines begin anew, because the network or the page is back.
    pub(super) fn resume_deadlines(&mut self, now: Now) {
        for open in self.all.values_mut() {
            open.outbox.unsent.resume_deadlines(now);
        }
    }

    /// Separates what was made in this `chapter` of the page's life from what is made later: see
    /// [`Outbox::end_chapter`].
    pub(super) fn end_chapter(&mut self, chapter: u32) {
        for open in self.all.values_mut() {
            open.outbox.end_chapter(chapter);
        }
    }

    /// The outbox of the session for this destination, or [`NOTHING`].
    pub(super) fn find(&self, destination: &Destination, session_id: SessionId) -> u64 {
        for id in self.by_session.of(session_id) {
            if self.get(*id).is_some_and(|outbox| *outbox.destination == *destination) {
                return *id;
            }
        }
        NOTHING
    }

    /// Adds an outbox.
    pub(super) fn open(&mut self, outbox: Outbox) -> u64 {
        let session_id = outbox.session_id();
        let id = self.all.insert(OpenOutbox { outbox, counted: 0, busy_place: None });
        self.by_session.add(session_id, id);
        id
    }

    /// Removes an outbox, whose work has ended. Returns the server that it sent to.
    pub(super) fn close(&mut self, id: u64) -> Option<u64> {
        let open = self.all.remove(id)?;
        self.held -= open.counted as u64;
        self.by_session.remove(open.outbox.session_id(), id);
        Some(open.outbox.schedule.server())
    }

    /// Lets the outboxes of the session `from` be those of the session `to`.
    pub(super) fn rename_session(&mut self, from: SessionId, to: SessionId) {
        for id in self.by_session.of(from).to_vec() {
            self.by_session.remove(from, id);
            self.by_session.add(to, id);
            if let Some(outbox) = self.get_mut(id) {
                outbox.rename_session(to);
            }
        }
    }

    /// The bytes of unsent enrichments.
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// Counts the bytes of an enrichment that is about to enter an outbox.
    pub(super) fn hold(&mut self, bytes: u64) {
        self.held += bytes;
    }

    /// Counts the bytes of such an enrichment no more.
    pub(super) fn let_go(&mut self, bytes: u64) {
        self.held -= bytes;
    }

    /// Counts the bytes of an outbox that has changed, and returns it.
    pub(super) fn recount(&mut self, id: u64) -> Option<&mut Outbox> {
        let open = self.all.get_mut(id)?;
        self.held -= open.counted as u64;
        let held = open.outbox.unsent.held();
        open.counted = held as usize;
        self.held += held;
        Some(&mut open.outbox)
    }

    /// Records that an outbox has a start that is to be scheduled at the next poll.
    pub(super) fn add_fresh(&mut self, id: u64) {
        self.fresh.push(id);
    }

    /// Removes and returns the outboxes with a start that has not been scheduled yet.
    pub(super) fn take_fresh(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.fresh)
    }

    /// The outboxes that have something to send or a request in flight.
    pub(super) fn busy(&self) -> &[u64] {
        &self.busy
    }

    /// Removes and returns the outboxes with work that no flush of all tracers has hurried yet.
    pub(super) fn take_unhurried(&mut self) -> NumberSet {
        std::mem::take(&mut self.unhurried)
    }

    /// Records whether an outbox has work, which is returned.
    pub(super) fn note_work(&mut self, id: u64) -> bool {
        let Some(open) = self.all.get_mut(id) else { return false };
        if open.outbox.unsent.has_work() {
            if open.busy_place.is_none() {
                self.busy.push(id);
                open.busy_place = NonZeroUsize::new(self.busy.len());
            }
            if !open.outbox.is_hurried() {
                self.unhurried.add(id);
            }
            return true;
        }
        self.unhurried.remove(id);
        if let Some(place) = open.busy_place.take() {
            // The last one takes its place.
            self.busy.swap_remove(place.get() - 1);
            if let Some(moved) = self.busy.get(place.get() - 1)
                && let Some(moved) = self.all.get_mut(*moved)
            {
                moved.busy_place = Some(place);
            }
        }
        false
    }
}
