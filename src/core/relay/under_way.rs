//! Requests under way: each has a place from when its ticket was found right until it is answered.
//!
//! Nobody gets one who has not proved himself, and nobody who has one loses it to a newcomer: where
//! all are taken, the newcomer is told to come again. A request that the runtime broke off never
//! gives its place back, so a place is good for as long as its request can take, and free again
//! after that, if it is needed.

use std::collections::BTreeMap;

use super::passage::{End, Passage};
use super::policy::{LATE_MS, MAX_UNDER_WAY};

/// The requests under way, by numbers of which none is given twice.
#[derive(Debug, Default)]
pub struct UnderWay {
    passages: BTreeMap<u64, OpenPassage>,
    last: u64,
}

#[derive(Debug)]
struct OpenPassage {
    passage: Passage,
    /// When its present step began, Unix milliseconds.
    since_ms: u64,
}

impl OpenPassage {
    /// Whether its step began so long ago that it has ended without a word, or, by a clock that
    /// was set back, not yet.
    fn is_lost(&self, now_ms: u64) -> bool {
        let longest_ms = self.passage.timeout_ms().saturating_add(LATE_MS);
        now_ms.checked_sub(self.since_ms).is_none_or(|ms| ms > longest_ms)
    }
}

impl UnderWay {
    /// Gives `passage` a place, and returns its number. `Err` answers it where there is none.
    pub fn enter(&mut self, passage: Passage, now_ms: u64) -> Result<u64, End> {
        if self.passages.len() >= MAX_UNDER_WAY {
            self.passages.retain(|_, place| !place.is_lost(now_ms));
        }
        if self.passages.len() >= MAX_UNDER_WAY {
            return Err(passage.refused_as_busy());
        }
        self.last += 1;
        self.passages.insert(self.last, OpenPassage { passage, since_ms: now_ms });
        Ok(self.last)
    }

    /// The request of this number, which begins its next step.
    pub fn step(&mut self, number: u64, now_ms: u64) -> Option<&mut Passage> {
        let place = self.passages.get_mut(&number)?;
        place.since_ms = now_ms;
        Some(&mut place.passage)
    }

    /// The request of this number.
    pub fn get(&self, number: u64) -> Option<&Passage> {
        self.passages.get(&number).map(|place| &place.passage)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.passages.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.passages.is_empty()
    }

    /// The request is over.
    pub fn leave(&mut self, number: u64) {
        self.passages.remove(&number);
    }
}
