//! Counts what calls have come to, of one tracer or of all, for reports and for the flushes and closes that wait.

use super::unsettled::Unsettled;

/// How many enrichments ended in which way: `FlushReport` in JavaScript.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Enrichments that the backend stored.
    pub delivered: u64,
    /// Enrichments that were given up.
    pub dropped: u64,
    /// Enrichments that have not ended.
    pub pending: u64,
}

/// The calls of a tracer, or of all tracers.
#[derive(Debug, Default)]
pub struct Ledger {
    counts: Counts,
    /// How many starts of sessions have not ended.
    starting: u32,
    /// The flushes and closes that wait. Boxed, because mostly there are none.
    waits: Option<Box<Unsettled>>,
}

impl Ledger {
    /// How many enrichments ended in which way.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many enrichments and starts have not ended.
    pub fn unsettled(&self) -> u64 {
        self.counts.pending + u64::from(self.starting)
    }

    /// Records that an enrichment was given.
    pub fn begin_enrichment(&mut self) {
        self.counts.pending += 1;
    }

    /// Records that a session's start was given.
    pub fn begin_start(&mut self) {
        self.starting += 1;
    }

    /// Records the end of the enrichment `number`.
    pub fn end_enrichment(&mut self, number: u64, delivered: bool) {
        self.end_call(number);
        self.counts.pending -= 1;
        *(if delivered { &mut self.counts.delivered } else { &mut self.counts.dropped }) += 1;
    }

    /// Records the end of the start `number`.
    pub fn end_start(&mut self, number: u64) {
        self.end_call(number);
        self.starting -= 1;
    }

    fn end_call(&mut self, number: u64) {
        if let Some(waits) = &mut self.waits {
            waits.end_call(number);
        }
    }

    /// Begins the wait `number` for all that has not ended.
    pub fn begin_wait(&mut self, number: u64) {
        let unsettled = self.unsettled();
        self.waits.get_or_insert_default().begin_wait(number, unsettled);
    }

    /// Gives up the wait `number`.
    pub fn give_up_wait(&mut self, number: u64) {
        if let Some(waits) = &mut self.waits {
            waits.give_up_wait(number);
        }
    }

    /// Removes and returns the first wait, if all that it waits for has ended.
    pub fn take_ended_wait(&mut self) -> Option<u64> {
        let ended = self.waits.as_mut()?.take_ended_wait();
        self.waits.take_if(|waits| waits.is_empty());
        ended
    }
}
