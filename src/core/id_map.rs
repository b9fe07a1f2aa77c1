//! Maps by numbers of our own, by which the other side of the boundary names things as well.

#[cfg(debug_assertions)]
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher};

/// A hash map for what nobody else chooses the keys of, without a seed: a simulation has to go the same
/// way each time.
pub type FixedMap<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// As [`FixedMap`]. Where what is done depends on the order, [`in_order`] gives it.
pub type FixedSet<T> = HashSet<T, BuildHasherDefault<DefaultHasher>>;

/// The numbers in `set` from the lowest up.
pub fn in_order(set: &FixedSet<u64>) -> Vec<u64> {
    let mut numbers: Vec<u64> = set.iter().copied().collect();
    numbers.sort_unstable();
    numbers
}

/// The number of nothing.
pub const NOTHING: u64 = 0;

/// Things under numbers from 1 up. A number is never given twice, so that one which came late, of a
/// thing that is gone, finds no other thing; and there are more exact numbers in JavaScript (2^53)
/// than a program has time to give.
#[derive(Debug)]
pub struct IdMap<T> {
    /// In boxes, as a map has more room than things.
    things: FixedMap<u64, Box<T>>,
    last: u64,
    /// How often a thing was looked for: in debug builds, for tests that what a call costs does not grow.
    #[cfg(debug_assertions)]
    looks: Cell<u64>,
}

impl<T> Default for IdMap<T> {
    fn default() -> IdMap<T> {
        IdMap {
            things: FixedMap::default(),
            last: NOTHING,
            #[cfg(debug_assertions)]
            looks: Cell::new(0),
        }
    }
}

impl<T> IdMap<T> {
    /// Keeps `thing` and returns its number.
    pub fn insert(&mut self, thing: T) -> u64 {
        self.last += 1;
        self.things.insert(self.last, Box::new(thing));
        self.last
    }

    fn count_look(&self) {
        #[cfg(debug_assertions)]
        self.looks.set(self.looks.get() + 1);
    }

    /// How often a thing was looked for, one by one or in passing.
    #[cfg(debug_assertions)]
    pub fn looks(&self) -> u64 {
        self.looks.get()
    }

    /// The thing under `number`.
    pub fn get(&self, number: u64) -> Option<&T> {
        self.count_look();
        self.things.get(&number).map(Box::as_ref)
    }

    /// The thing under `number`.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.count_look();
        self.things.get_mut(&number).map(Box::as_mut)
    }

    /// Takes out the thing under `number`.
    pub fn remove(&mut self, number: u64) -> Option<Box<T>> {
        self.things.remove(&number)
    }

    /// All things with their numbers, in any order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> + Clone {
        self.things.iter().map(|(number, thing)| {
            self.count_look();
            (*number, &**thing)
        })
    }

    /// All things with their numbers, in any order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut T)> {
        self.things.iter_mut().map(|(number, thing)| (*number, &mut **thing))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.things.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.things.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_number_finds_its_thing_and_no_later_one() {
        let mut things = IdMap::default();
        let first = things.insert("first");
        let second = things.insert("second");
        assert_eq!((first, second), (1, 2));
        assert_eq!(things.remove(first).as_deref(), Some(&"first"));
        assert_eq!(things.remove(first), None);
        let third = things.insert("third");
        assert_eq!(things.get(first), None);
        assert_eq!(things.get(third), Some(&"third"));
        assert_eq!(things.get_mut(second), Some(&mut "second"));
        let numbers: BTreeSet<u64> = things.iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, BTreeSet::from([second, third]));
        assert_eq!(things.len(), 2);
    }

    #[test]
    fn no_number_but_a_given_one_finds_anything() {
        let mut things = IdMap::default();
        let number = things.insert(());
        for other in [NOTHING, number + 1, u64::MAX] {
            assert_eq!(things.get(other), None, "{other}");
            assert_eq!(things.remove(other), None, "{other}");
        }
    }
}
