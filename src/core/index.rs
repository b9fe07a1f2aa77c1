//! Numbers found by name, in constant time however many there are.
//!
//! Not a map of the standard library: that is 4 KB of wasm more. The names are not held: what has
//! the number knows them.

use super::slab::NOTHING;

/// A name's hash and what the name stands for; in halves, which take 12 bytes and not 16.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    hash: u32,
    low: u32,
    high: u32,
}

impl Slot {
    fn new(hash: u32, number: u64) -> Slot {
        Slot { hash, low: number as u32, high: (number >> 32) as u32 }
    }

    /// Zero where the slot is free.
    fn number(self) -> u64 {
        u64::from(self.high) << 32 | u64::from(self.low)
    }
}

/// The numbers (from 1 up) that names stand for.
#[derive(Debug, Default)]
pub struct Index {
    /// As many as a power of two, at most three quarters of them taken, or none. A number is in its
    /// hash's slot or in the free one next to it (linear probing).
    slots: Vec<Slot>,
    len: usize,
}

impl Index {
    /// The number that `name` stands for: the one of several for which `is_it` holds; or [`NOTHING`].
    pub fn get(&self, name: &str, is_it: &dyn Fn(u64) -> bool) -> u64 {
        let hash = hash_of(name);
        let mut place = hash as usize;
        // Without slots there is none to begin with.
        while let Some(slot) = self.slots.get(place & self.mask()) {
            let number = slot.number();
            if number == NOTHING || slot.hash == hash && is_it(number) {
                return number;
            }
            place = place.wrapping_add(1);
        }
        NOTHING
    }

    /// Lets `name`, which stands for nothing yet, stand for `number`.
    pub fn insert(&mut self, name: &str, number: u64) {
        if 4 * (self.len + 1) > 3 * self.slots.len() {
            let more = vec![Slot::default(); (2 * self.slots.len()).max(8)];
            for slot in std::mem::replace(&mut self.slots, more) {
                self.put(slot);
            }
        }
        self.len += 1;
        self.put(Slot::new(hash_of(name), number));
    }

    /// `name` stands for `number` no more.
    pub fn remove(&mut self, name: &str, number: u64) {
        let hash = hash_of(name);
        let mask = self.mask();
        let mut place = hash as usize & mask;
        loop {
            match self.slots.get(place) {
                Some(slot) if slot.number() == 0 => return,
                Some(slot) if slot.hash == hash && slot.number() == number => break,
                Some(_) => place = (place + 1) & mask,
                None => return,
            }
        }
        self.len -= 1;
        self.slots[place] = Slot::default();
        // What follows may move up: a free slot would end the search for it.
        loop {
            place = (place + 1) & mask;
            let slot = std::mem::take(&mut self.slots[place]);
            if slot.number() == 0 {
                return;
            }
            self.put(slot);
        }
    }

    fn put(&mut self, slot: Slot) {
        if slot.number() == 0 {
            return;
        }
        let mask = self.mask();
        let mut place = slot.hash as usize & mask;
        while self.slots[place].number() != 0 {
            place = (place + 1) & mask;
        }
        self.slots[place] = slot;
    }

    fn mask(&self) -> usize {
        self.slots.len().wrapping_sub(1)
    }
}

/// FNV-1a, 64 bits (RFC 9923), folded: its low bits alone depend on too little.
fn hash_of(name: &str) -> u32 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash ^ (hash >> 32)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn finds_what_a_map_of_the_standard_library_finds() {
        let mut random = fastrand::Rng::with_seed(5);
        let mut map: HashMap<String, u64> = HashMap::new();
        let mut names: Vec<String> = vec![String::new()];
        let mut index = Index::default();
        for number in 1..20_000 {
            let name = random.u16(..2_000).to_string();
            let found = index.get(&name, &|it| names[it as usize] == name);
            assert_eq!(found, map.get(&name).copied().unwrap_or(NOTHING));
            if let Some(known) = map.remove(&name) {
                index.remove(&name, known);
            } else {
                index.insert(&name, number);
                map.insert(name.clone(), number);
            }
            names.push(name);
            assert_eq!(index.len, map.len());
        }
        for (name, number) in map {
            assert_eq!(index.get(&name, &|it| names[it as usize] == name), number);
        }
    }

    #[test]
    fn names_are_spread_over_the_slots() {
        let mut index = Index::default();
        for number in 1..=10_000 {
            index.insert(&format!("1 session-{number}"), number);
        }
        let mask = index.mask();
        let from_home =
            |(place, slot): (usize, &Slot)| place.wrapping_sub(slot.hash as usize) & mask;
        let taken = index.slots.iter().enumerate().filter(|(_, slot)| slot.number() != 0);
        let furthest = taken.map(from_home).max();
        assert!(furthest < Some(64), "{furthest:?}");
    }
}
