//! An index from sessions to numbers, such as those of a session's tracers or outboxes.

use std::collections::HashMap;
use std::hash::{BuildHasher, DefaultHasher, Hasher};

use super::number_set::NumberSet;
use super::session::SessionId;

/// A seeded hasher. Session ids are chosen by others, who could otherwise choose colliding ones.
#[derive(Clone, Copy, Debug)]
struct Seeded(u64);

impl BuildHasher for Seeded {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0);
        hasher
    }
}

/// The numbers of one session. Mostly one, which takes no list: a session has one tracer, which sends to one place.
#[derive(Debug)]
enum SessionNumbers {
    One(u64),
    Several(Box<NumberSet>),
}

/// The numbers of each session, in ascending order.
#[derive(Debug)]
pub struct SessionIndex(HashMap<SessionId, SessionNumbers, Seeded>);

impl SessionIndex {
    /// An empty index. `seed` is the seed of its hashes.
    pub fn new(seed: u64) -> SessionIndex {
        SessionIndex(HashMap::with_hasher(Seeded(seed)))
    }

    /// Adds a number to the session, if the session does not have it.
    pub fn add(&mut self, session_id: SessionId, number: u64) {
        match self.0.get_mut(&session_id) {
            None => {
                self.0.insert(session_id, SessionNumbers::One(number));
            }
            Some(SessionNumbers::Several(numbers)) => numbers.add(number),
            Some(SessionNumbers::One(one)) if *one == number => {}
            Some(numbers @ SessionNumbers::One(_)) => {
                let mut several = NumberSet::NONE;
                numbers.as_slice().iter().for_each(|one| several.add(*one));
                several.add(number);
                *numbers = SessionNumbers::Several(Box::new(several));
            }
        }
    }

    /// Removes a number from the session, if the session has it.
    pub fn remove(&mut self, session_id: SessionId, number: u64) {
        let Some(numbers) = self.0.get_mut(&session_id) else { return };
        let is_empty = match numbers {
            SessionNumbers::One(one) => *one == number,
            SessionNumbers::Several(numbers) => {
                numbers.remove(number);
                numbers.is_empty()
            }
        };
        if is_empty {
            self.0.remove(&session_id);
            // A table keeps its capacity, and a burst of sessions must not leave memory allocated.
            if self.0.is_empty() {
                self.0.shrink_to_fit();
            }
        }
    }

    /// The session's numbers in ascending order.
    pub fn of(&self, session_id: SessionId) -> &[u64] {
        self.0.get(&session_id).map_or(&[], SessionNumbers::as_slice)
    }
}

impl SessionNumbers {
    fn as_slice(&self) -> &[u64] {
        match self {
            SessionNumbers::One(one) => std::slice::from_ref(one),
            SessionNumbers::Several(numbers) => numbers.as_slice(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_their_session_in_their_order() {
        let [a, b] = ["a", "b"].map(|name| SessionId::new(name).unwrap());
        let mut index = SessionIndex::new(7);
        assert!(index.of(a).is_empty());
        [5, 3, 9, 3].into_iter().for_each(|number| index.add(a, number));
        index.add(b, 4);
        index.add(b, 4);
        assert_eq!((index.of(a), index.of(b)), (&[3, 5, 9][..], &[4][..]));
        index.remove(a, 5);
        index.remove(b, 9);
        assert_eq!((index.of(a), index.of(b)), (&[3, 9][..], &[4][..]));
        [3, 9].into_iter().for_each(|number| index.remove(a, number));
        index.remove(b, 4);
        assert!(index.0.is_empty() && index.0.capacity() == 0);
    }
}
