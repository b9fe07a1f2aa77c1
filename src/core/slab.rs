//! Things kept under a number, which is never given to another thing soon.
//!
//! Not a map of the standard library: each of those costs some 12 KB of wasm for every type that
//! it holds. Not the `slotmap` crate: its numbers outgrow what a JavaScript number tells apart.

#[cfg(debug_assertions)]
use std::cell::Cell;

/// Bits of a number that say where the thing is.
const PLACE_BITS: u32 = 32;

/// Generations of one place before its numbers come again. With the place, 52 bits: an exact
/// JavaScript number.
const GENERATIONS: u32 = 1 << 20;

/// The number of nothing. Not `Option`, which is two numbers to hand around.
pub const NOTHING: u64 = 0;

#[derive(Debug)]
struct Entry<T> {
    generation: u32,
    /// Apart, so that a place costs little, and what was taken out gives its memory back.
    thing: Option<Box<T>>,
}

/// Things under numbers from 1 up.
#[derive(Debug)]
pub struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
    /// How often a thing was looked for: in debug builds, for tests that what a call costs does not grow.
    #[cfg(debug_assertions)]
    looks: Cell<u64>,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab {
            entries: Vec::new(),
            free: Vec::new(),
            #[cfg(debug_assertions)]
            looks: Cell::new(0),
        }
    }
}

impl<T> Slab<T> {
    /// Keeps `thing` and returns its number.
    pub fn insert(&mut self, thing: T) -> u64 {
        self.insert_boxed(Box::new(thing))
    }

    /// Apart, as it is the same for all things.
    #[inline(never)]
    fn insert_boxed(&mut self, thing: Box<T>) -> u64 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry { generation: 0, thing: None });
            self.entries.len() as u32 - 1
        });
        let entry = &mut self.entries[place as usize];
        // Nothing is there: to drop it would be code for each kind of thing.
        std::mem::forget(entry.thing.replace(thing));
        number(place, entry.generation)
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
        let entry = self.entries.get(place(number)?)?;
        entry.thing.as_deref().filter(|_| entry.generation == generation(number))
    }

    /// The thing under `number`.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.count_look();
        let entry = self.entries.get_mut(place(number)?)?;
        entry.thing.as_deref_mut().filter(|_| entry.generation == generation(number))
    }

    /// Takes out the thing under `number`.
    pub fn remove(&mut self, number: u64) -> Option<Box<T>> {
        let place = place(number)?;
        let entry = self.entries.get_mut(place)?;
        if entry.generation != generation(number) {
            return None;
        }
        let thing = entry.thing.take()?;
        entry.generation = (entry.generation + 1) % GENERATIONS;
        self.free.push(place as u32);
        Some(thing)
    }

    /// All things with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> + Clone {
        self.entries.iter().enumerate().filter_map(|(place, entry)| {
            self.count_look();
            let thing = entry.thing.as_deref()?;
            Some((number(place as u32, entry.generation), thing))
        })
    }

    /// All things with their numbers.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut T)> {
        self.entries.iter_mut().enumerate().filter_map(|(place, entry)| {
            let thing = entry.thing.as_deref_mut()?;
            Some((number(place as u32, entry.generation), thing))
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn number(place: u32, generation: u32) -> u64 {
    (u64::from(generation) << PLACE_BITS) + u64::from(place) + 1
}

fn place(number: u64) -> Option<usize> {
    Some((number.checked_sub(1)? & u64::from(u32::MAX)) as usize)
}

fn generation(number: u64) -> u32 {
    ((number - 1) >> PLACE_BITS) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_finds_its_thing_and_no_later_one() {
        let mut slab = Slab::default();
        let first = slab.insert("first");
        let second = slab.insert("second");
        assert_eq!((first, second), (1, 2));
        assert_eq!(slab.remove(first).as_deref(), Some(&"first"));
        assert_eq!(slab.remove(first), None);
        let third = slab.insert("third");
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.get(third), Some(&"third"));
        assert_eq!(slab.get_mut(second), Some(&mut "second"));
        assert_eq!(slab.iter().map(|(number, _)| number).collect::<Vec<_>>(), [third, second]);
        assert_eq!(slab.len(), 2);
    }

    #[test]
    fn no_number_but_a_given_one_finds_anything() {
        let mut slab = Slab::default();
        let number = slab.insert(());
        for other in [0, number + 1, number + (1 << PLACE_BITS), u64::MAX] {
            assert_eq!(slab.get(other), None, "{other}");
            assert_eq!(slab.remove(other), None, "{other}");
        }
    }

    #[test]
    fn numbers_stay_exact_in_javascript() {
        let mut slab = Slab::default();
        let mut last = slab.insert(());
        for _ in 0..3 * GENERATIONS {
            slab.remove(last).unwrap();
            last = slab.insert(());
            assert!(last < 1 << 53);
        }
    }
}
