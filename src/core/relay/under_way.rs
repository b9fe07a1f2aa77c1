//! The requests that are under way. A request has a place from the moment when its ticket was verified until it is
//! answered.
//!
//! A request with a place never loses it to a newcomer, and a request without a right ticket never gets one. If all
//! places are taken, a newcomer is told to come again. A request that the runtime broke off never gives its place
//! back. So a place lasts as long as its request can take. Afterwards it is free if another request needs it.

use std::collections::BTreeMap;

use super::passage::{End, Passage};
use super::policy::{LATE_MS, MAX_UNDER_WAY};

/// The requests under way, by numbers that are never used twice.
#[derive(Debug, Default)]
pub struct UnderWay {
    passages: BTreeMap<u64, OpenPassage>,
    last: u64,
}

#[derive(Debug)]
struct OpenPassage {
    passage: Passage,
    /// When its current step began, in Unix milliseconds.
    since_ms: u64,
}

impl OpenPassage {
    /// Whether its current step must have ended without notice, because it began too long ago, or in the future by a
    /// clock that was set back.
    fn is_lost(&self, now_ms: u64) -> bool {
        let longest_ms = self.passage.timeout_ms().saturating_add(LATE_MS);
        now_ms.checked_sub(self.since_ms).is_none_or(|ms| ms > longest_ms)
    }
}

impl UnderWay {
    /// Gives `passage` a place, and returns its number. `Err` is the response if there is no place.
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

    /// The request with this number, which begins its next step.
    pub fn step(&mut self, number: u64, now_ms: u64) -> Option<&mut Passage> {
        let place = self.passages.get_mut(&number)?;
        place.since_ms = now_ms;
        Some(&mut place.passage)
    }

    /// The request with this number.
    pub fn get(&self, number: u64) -> Option<&Passage> {
        self.passages.get(&number).map(|place| &place.passage)
    }

    /// The number of requests under way.
    pub fn len(&self) -> usize {
        self.passages.len()
    }

    /// Whether no request is under way.
    pub fn is_empty(&self) -> bool {
        self.passages.is_empty()
    }

    /// Gives the place of a request back.
    pub fn leave(&mut self, number: u64) {
        self.passages.remove(&number);
    }
}
