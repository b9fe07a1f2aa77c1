//! The parts that wait in an outbox, in their order: those of its batches, and then the queue.

use super::batch::Batch;
use super::part::{Part, PartKind, Parts};
use super::stamps::Stamps;
use super::summary::Summary;
use crate::core::session::Start;

/// Parts in their order, of which the first ones are in batches, and a summary of all of them.
#[derive(Debug)]
pub(super) struct Backlog {
    parts: Parts,
    /// The batches. The first one is sent next. There are several only after halving.
    batches: Vec<Batch>,
    summary: Summary,
}

impl Backlog {
    /// A backlog without parts.
    pub(super) const EMPTY: Backlog =
        Backlog { parts: Vec::new(), batches: Vec::new(), summary: Summary::NOTHING };

    /// Whether there are neither parts nor batches.
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.batches.is_empty()
    }

    /// Frees memory that is not in use.
    pub(super) fn shrink(&mut self) {
        self.batches.shrink_to_fit();
        self.parts.shrink_to_fit();
    }

    /// All parts.
    pub(super) fn parts(&self) -> &[Box<Part>] {
        &self.parts
    }

    /// The summary of all parts.
    pub(super) fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Makes `tracer` the sender of the next request.
    pub(super) fn set_sender(&mut self, tracer: u64) {
        self.summary.set_sender(tracer);
    }

    /// Records that a request is sent, so that its parts get a try.
    pub(super) fn begin_try(&mut self) {
        self.summary.begin_try();
    }

    /// Makes the summary anew, after parts were removed or changed.
    pub(super) fn recount(&mut self) {
        self.summary.recount(&self.parts);
    }

    /// Changes each part, and makes the summary anew.
    pub(super) fn change_each(&mut self, mut change: impl FnMut(&mut Part)) {
        self.parts.iter_mut().for_each(|part| change(part));
        self.recount();
    }

    /// Adds a part at the end of the queue.
    pub(super) fn push(&mut self, part: Box<Part>) {
        self.summary.add(&part);
        self.parts.push(part);
    }

    /// Adds a part to the queue, after the parts that were made until then.
    pub(super) fn insert_in_time(&mut self, part: Box<Part>) {
        self.summary.add(&part);
        let mut place = self.frozen();
        while self
            .parts
            .get(place)
            .is_some_and(|it| it.called_at().unix_ms <= part.called_at().unix_ms)
        {
            place += 1;
        }
        self.parts.insert(place, part);
    }

    /// Puts the first parts of this page before those that earlier pages left and that are before them, if there is no
    /// batch. Parts of this page that are behind further ones that were left stay there: sent together, calls that this
    /// page made before those would count as made after them.
    pub(super) fn put_own_first(&mut self) {
        let left = self.parts.iter().take_while(|part| part.is_left()).count();
        let own = self.parts[left..].iter().take_while(|part| !part.is_left()).count();
        self.parts[..left + own].rotate_left(left);
    }

    /// Whether there is a batch.
    pub(super) fn has_batch(&self) -> bool {
        !self.batches.is_empty()
    }

    /// The batch that is sent next or is in flight.
    pub(super) fn first_batch(&self) -> Option<&Batch> {
        self.batches.first()
    }

    /// The batch that is sent next or is in flight, with its parts.
    pub(super) fn first_mut(&mut self) -> Option<(&mut Batch, &[Box<Part>])> {
        let batch = self.batches.first_mut()?;
        let parts = &self.parts[..batch.len()];
        Some((batch, parts))
    }

    /// The parts of the batch that is sent next or is in flight.
    pub(super) fn first_parts(&self) -> &[Box<Part>] {
        let len = self.batches.first().map_or(0, Batch::len);
        &self.parts[..len]
    }

    /// Makes a batch of the first `len` parts. There must be no batch.
    pub(super) fn freeze(&mut self, len: usize) {
        self.batches.push(Batch::new(len));
    }

    /// How many parts are in batches.
    fn frozen(&self) -> usize {
        let mut frozen = 0;
        for batch in &self.batches {
            frozen += batch.len();
        }
        frozen
    }

    /// Removes and returns the first batch with its parts. There must be one. The summary is not updated.
    pub(super) fn take_first(&mut self) -> (Batch, Parts) {
        let batch = self.batches.remove(0);
        let rest = self.parts.split_off(batch.len());
        (batch, std::mem::replace(&mut self.parts, rest))
    }

    /// Returns the parts of the first batch to the front of the queue. Returns the start of the batch.
    pub(super) fn unfreeze_first(&mut self) -> Option<Start> {
        let (mut batch, mut parts) = self.take_first();
        let frozen = self.frozen();
        parts.append(&mut self.parts.split_off(frozen));
        self.parts.append(&mut parts);
        batch.take_start()
    }

    /// Removes the last batch, so that its parts are in the queue. Returns its start, if it has one.
    pub(super) fn pop_batch(&mut self) -> Option<Option<Start>> {
        self.batches.pop().map(|mut batch| batch.take_start())
    }

    /// Splits the first batch after its first `half`.
    pub(super) fn halve_first(&mut self, half: usize, stamps: &mut Stamps) {
        let is_kept = self.parts.iter().any(|part| part.is_kept());
        if let Some(batch) = self.batches.first_mut() {
            let second = batch.halve(half, is_kept, stamps);
            self.batches.insert(1, second);
        }
    }

    /// Notes that other pages may start the session.
    pub(super) fn may_be_started_by_others(&mut self) {
        self.batches.iter_mut().for_each(Batch::may_be_started_by_others);
    }

    /// Removes and returns the parts for which `goes` returns true. The summary is not updated. Unless `starts_go`, a
    /// start leaves a batch only with its last enrichment, and a start that waits leaves with the last of the other
    /// parts. If the first batch `is_on_its_way`, it stays until its answer arrives, even without parts.
    pub(super) fn take_out(
        &mut self,
        is_on_its_way: bool,
        starts_go: bool,
        goes: &dyn Fn(&Part) -> bool,
    ) -> Parts {
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        let mut waiting = std::mem::take(&mut self.parts).into_iter();
        let mut stays = is_on_its_way;
        for batch in &mut self.batches {
            let before = left.len();
            for part in &waiting.as_slice()[..batch.len()] {
                stays |= part.kind() != PartKind::WaitingStart && !goes(part);
            }
            for _ in 0..batch.len() {
                let Some(part) = waiting.next() else { break };
                let is_free = starts_go || part.kind() == PartKind::Enrichment;
                let part_goes = !stays || (is_free && goes(&part));
                if part_goes { taken.push(part) } else { left.push(part) }
            }
            let len = left.len() - before;
            if len < batch.len() {
                batch.change_parts(len);
            }
            stays = false;
        }
        for part in waiting {
            if goes(&part) { taken.push(part) } else { left.push(part) }
        }
        self.parts = left;
        taken
    }

    /// Removes batches without parts, but not the first one if it `is_on_its_way`. Returns the start that they had.
    pub(super) fn forget_empty_batches(&mut self, is_on_its_way: bool) -> Option<Start> {
        let mut place = usize::from(is_on_its_way);
        let mut first = None;
        while place < self.batches.len() {
            if self.batches[place].len() == 0 {
                first = first.or(self.batches.remove(place).take_start());
            } else {
                place += 1;
            }
        }
        first
    }

    /// Puts a start that was given up before later parts. It is merged with another such start of its chapter, so
    /// that they do not accumulate while a server is down. The summary is not updated.
    pub(super) fn put_start_back(&mut self, start: Part) {
        let place = self.parts.iter().position(|other| other.id() > start.id());
        let place = place.unwrap_or(self.parts.len());
        let (mut from, mut end) = (0, self.parts.len());
        let mut among = None;
        for (number, batch) in self.batches.iter().enumerate() {
            if place < from + batch.len() {
                (end, among) = (from + batch.len(), Some(number));
                break;
            }
            from += batch.len();
        }
        let among = among.and_then(|number| self.batches.get_mut(number));
        let waits = |part: &&mut Box<Part>| {
            part.kind() == PartKind::WaitingStart && part.chapter() == start.chapter()
        };
        let mut more = 0;
        if let Some(before) = self.parts[from..place].last_mut().filter(waits) {
            before.add_later(&start);
        } else if let Some(after) = self.parts[place..end].first_mut().filter(waits) {
            after.add_earlier(&start);
        } else {
            self.parts.insert(place, Box::new(start));
            more = 1;
        }
        if let Some(batch) = among {
            batch.change_parts(batch.len() + more);
        }
    }
}
