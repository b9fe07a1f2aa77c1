//! What waits in an outbox, in its order: the parts of the batches one after the other, then the queue.

use super::Stamps;
use super::batch::Batch;
use super::part::{Part, PartKind, Parts};
use super::summary::Summary;
use crate::core::session::Start;

/// Parts in a line, the first of which are in batches. The sum of all is at hand.
#[derive(Debug)]
pub(super) struct Line {
    parts: Parts,
    /// The first one goes next; there is more than one only after halving.
    batches: Vec<Batch>,
    summary: Summary,
}

impl Line {
    /// A line in which nothing waits.
    pub(super) const EMPTY: Line =
        Line { parts: Vec::new(), batches: Vec::new(), summary: Summary::NOTHING };

    /// Whether there are neither parts nor batches.
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.batches.is_empty()
    }

    /// Gives back what was made room for.
    pub(super) fn shrink(&mut self) {
        self.batches.shrink_to_fit();
        self.parts.shrink_to_fit();
    }

    /// All parts.
    pub(super) fn parts(&self) -> &[Box<Part>] {
        &self.parts
    }

    /// What is known of all parts.
    pub(super) fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Lets `tracer` send the next request.
    pub(super) fn set_sender(&mut self, tracer: u64) {
        self.summary.set_sender(tracer);
    }

    /// Records that a request is sent: what has come so far has a try.
    pub(super) fn begin_try(&mut self) {
        self.summary.begin_try();
    }

    /// Sums up all parts anew, after something of them is gone or has changed.
    pub(super) fn recount(&mut self) {
        self.summary.recount(&self.parts);
    }

    /// Changes each part, and sums all up anew.
    pub(super) fn change_each(&mut self, mut change: impl FnMut(&mut Part)) {
        self.parts.iter_mut().for_each(|part| change(part));
        self.recount();
    }

    /// Takes a part into the queue, as the last one.
    pub(super) fn push(&mut self, part: Box<Part>) {
        self.summary.add(&part);
        self.parts.push(part);
    }

    /// Takes a part into the queue, after those that were said until then.
    pub(super) fn insert_in_time(&mut self, part: Box<Part>) {
        self.summary.add(&part);
        let mut place = self.frozen();
        while self.parts.get(place).is_some_and(|it| it.given_unix_ms <= part.given_unix_ms) {
            place += 1;
        }
        self.parts.insert(place, part);
    }

    /// Puts what was said here before what earlier pages left, while there is no batch.
    pub(super) fn put_own_first(&mut self) {
        let mut own = 0;
        for place in 0..self.parts.len() {
            if !self.parts[place].is_left {
                let part = self.parts.remove(place);
                self.parts.insert(own, part);
                own += 1;
            }
        }
    }

    /// Whether there is a batch.
    pub(super) fn has_batch(&self) -> bool {
        !self.batches.is_empty()
    }

    /// The batch that goes next or is on its way.
    pub(super) fn first_batch(&self) -> Option<&Batch> {
        self.batches.first()
    }

    /// The batch that goes next or is on its way, with its parts.
    pub(super) fn first_mut(&mut self) -> Option<(&mut Batch, &[Box<Part>])> {
        let batch = self.batches.first_mut()?;
        let parts = &self.parts[..batch.len()];
        Some((batch, parts))
    }

    /// The parts of the batch that goes next or is on its way.
    pub(super) fn first_parts(&self) -> &[Box<Part>] {
        let len = self.batches.first().map_or(0, Batch::len);
        &self.parts[..len]
    }

    /// Makes a batch of the first `len` parts, while there is no batch.
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

    /// Takes out the first batch with its parts; the sum is as before. There is one.
    pub(super) fn take_first(&mut self) -> (Batch, Parts) {
        let batch = self.batches.remove(0);
        let rest = self.parts.split_off(batch.len());
        (batch, std::mem::replace(&mut self.parts, rest))
    }

    /// Puts the parts of the first batch back into the queue, as the first ones in it. Returns the batch's start.
    pub(super) fn unfreeze_first(&mut self) -> Option<Start> {
        let (mut batch, mut parts) = self.take_first();
        let frozen = self.frozen();
        parts.append(&mut self.parts.split_off(frozen));
        self.parts.append(&mut parts);
        batch.take_start()
    }

    /// Takes out the last batch, whose parts are in the queue then. Returns its start, if it has one.
    pub(super) fn pop_batch(&mut self) -> Option<Option<Start>> {
        self.batches.pop().map(|mut batch| batch.take_start())
    }

    /// Splits the first batch after its first `half`.
    pub(super) fn halve_first(&mut self, half: usize, stamps: &mut Stamps) {
        let is_kept = self.parts.iter().any(|part| part.is_kept);
        if let Some(batch) = self.batches.first_mut() {
            let second = batch.halve(half, is_kept, stamps);
            self.batches.insert(1, second);
        }
    }

    /// Other pages may start the session.
    pub(super) fn may_be_started_by_others(&mut self) {
        self.batches.iter_mut().for_each(Batch::may_be_started_by_others);
    }

    /// Takes out the parts that `goes` names; the sum is as before. From a batch a start goes only with the last
    /// enrichment, if not `starts_go`, and a start that waits with the last of the others. Where the first batch
    /// `is_on_its_way` it stays, if only as nothing, for its answer to find.
    pub(super) fn take_out(
        &mut self,
        is_on_its_way: bool,
        starts_go: bool,
        goes: &dyn Fn(&Part) -> bool,
    ) -> Parts {
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        let mut line = std::mem::take(&mut self.parts).into_iter();
        let mut stays = is_on_its_way;
        for batch in &mut self.batches {
            let before = left.len();
            for part in &line.as_slice()[..batch.len()] {
                stays |= part.kind != PartKind::WaitingStart && !goes(part);
            }
            for _ in 0..batch.len() {
                let Some(part) = line.next() else { break };
                let is_free = starts_go || part.kind == PartKind::Enrichment;
                let part_goes = !stays || (is_free && goes(&part));
                if part_goes { taken.push(part) } else { left.push(part) }
            }
            let len = left.len() - before;
            if len < batch.len() {
                batch.change_parts(len);
            }
            stays = false;
        }
        for part in line {
            if goes(&part) { taken.push(part) } else { left.push(part) }
        }
        self.parts = left;
        taken
    }

    /// Lets go of the batches without parts, except the first one where it `is_on_its_way`. Returns what they were to
    /// start.
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

    /// Puts a start that was given up before what was said after it; together with another one of its chapter that
    /// stands there, so that they do not pile up while a server is down. The sum is as before.
    pub(super) fn put_start_back(&mut self, start: Part) {
        let place = self.parts.iter().position(|other| other.id > start.id);
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
            part.kind == PartKind::WaitingStart && part.chapter == start.chapter
        };
        let mut more = 0;
        if let Some(before) = self.parts[from..place].last_mut().filter(waits) {
            before.enrichment = before.enrichment.merged_with(&start.enrichment);
        } else if let Some(after) = self.parts[place..end].first_mut().filter(waits) {
            after.enrichment = start.enrichment.merged_with(&after.enrichment);
            after.id = start.id;
        } else {
            self.parts.insert(place, Box::new(start));
            more = 1;
        }
        if let Some(batch) = among {
            batch.change_parts(batch.len() + more);
        }
    }
}
