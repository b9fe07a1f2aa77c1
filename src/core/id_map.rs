//! Maps by numbers that the core assigns, by which JavaScript refers to things as well; and maps by texts.

#[cfg(debug_assertions)]
use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

use rustc_hash::FxBuildHasher;

/// A hash map without a seed, so that simulations are reproducible. Its keys must not be chosen by others, who could
/// choose colliding ones.
pub type FixedMap<K, V> = HashMap<K, V, FxBuildHasher>;

/// A hash map by texts. It has no random seed, so that simulations are reproducible: WebAssembly gives std none either.
pub type TextMap<V> = HashMap<String, V, BuildHasherDefault<DefaultHasher>>;

/// The number that refers to nothing.
pub const NOTHING: u64 = 0;

/// Assigns numbers to things, from 1 up. A number is never reused, so a late reference to a removed thing finds nothing
/// else. JavaScript has more exact integers (2^53) than a program has time to assign.
#[derive(Debug)]
pub struct IdMap<T> {
    /// Boxed, because a map allocates more slots than it has things.
    things: FixedMap<u64, Box<T>>,
    last: u64,
    /// How many lookups were made. Tests use it, in debug builds, to check that the cost of a call does not grow.
    #[cfg(debug_assertions)]
    lookups: Cell<u64>,
}

impl<T> Default for IdMap<T> {
    fn default() -> IdMap<T> {
        IdMap {
            things: FixedMap::default(),
            last: NOTHING,
            #[cfg(debug_assertions)]
            lookups: Cell::new(0),
        }
    }
}

impl<T> IdMap<T> {
    /// Stores `thing` and returns its number.
    pub fn insert(&mut self, thing: T) -> u64 {
        self.last += 1;
        self.things.insert(self.last, Box::new(thing));
        self.last
    }

    fn count_lookup(&self) {
        #[cfg(debug_assertions)]
        self.lookups.set(self.lookups.get() + 1);
    }

    /// How many lookups were made; each step of an iteration counts as one.
    #[cfg(debug_assertions)]
    pub fn lookups(&self) -> u64 {
        self.lookups.get()
    }

    /// The thing under `number`.
    pub fn get(&self, number: u64) -> Option<&T> {
        self.count_lookup();
        self.things.get(&number).map(Box::as_ref)
    }

    /// The thing under `number`.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.count_lookup();
        self.things.get_mut(&number).map(Box::as_mut)
    }

    /// Removes and returns the thing under `number`.
    pub fn remove(&mut self, number: u64) -> Option<Box<T>> {
        self.things.remove(&number)
    }

    /// All things with their numbers, in any order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> + Clone {
        self.things.iter().map(|(number, thing)| {
            self.count_lookup();
            (*number, &**thing)
        })
    }

    /// All things, in any order.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Box<T>> {
        self.things.values_mut()
    }

    /// The number of things.
    pub fn len(&self) -> usize {
        self.things.len()
    }

    /// Whether the map is empty.
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
