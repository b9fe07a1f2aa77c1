//! Numbers found by name, in constant time however many there are.
//!
//! Not a map of the standard library: that is 4 KB of wasm more.

/// Names, and the number that each stands for.
#[derive(Debug, Default)]
pub struct Index {
    /// As many as a power of two, or none; entries are in that of their name's hash.
    buckets: Vec<Vec<(Box<str>, u64)>>,
    len: usize,
}

impl Index {
    /// The number that `name` stands for.
    pub fn get(&self, name: &str) -> Option<u64> {
        let bucket = self.buckets.get(self.bucket_of(name))?;
        bucket.iter().find(|(known, _)| **known == *name).map(|(_, number)| *number)
    }

    /// Lets `name`, which stands for nothing yet, stand for `number`.
    pub fn insert(&mut self, name: Box<str>, number: u64) {
        if self.len == self.buckets.len() {
            let buckets = std::mem::take(&mut self.buckets);
            self.buckets.resize_with((2 * buckets.len()).max(8), Vec::new);
            for entry in buckets.into_iter().flatten() {
                self.put(entry);
            }
        }
        self.len += 1;
        self.put((name, number));
    }

    /// `name` stands for nothing any more.
    pub fn remove(&mut self, name: &str) {
        let bucket = self.bucket_of(name);
        if let Some(bucket) = self.buckets.get_mut(bucket)
            && let Some(place) = bucket.iter().position(|(known, _)| **known == *name)
        {
            bucket.swap_remove(place);
            self.len -= 1;
        }
    }

    fn put(&mut self, entry: (Box<str>, u64)) {
        let bucket = self.bucket_of(&entry.0);
        self.buckets[bucket].push(entry);
    }

    /// FNV-1a, 64 bits (RFC 9923), folded: its low bits alone depend on too little.
    fn bucket_of(&self, name: &str) -> usize {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        (hash ^ (hash >> 32)) as usize & self.buckets.len().wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn finds_what_a_map_of_the_standard_library_finds() {
        let mut random = fastrand::Rng::with_seed(5);
        let mut map = HashMap::new();
        let mut index = Index::default();
        for number in 0..20_000 {
            let name = random.u16(..2_000).to_string();
            assert_eq!(index.get(&name), map.get(&name).copied());
            if map.remove(&name).is_some() {
                index.remove(&name);
            } else {
                index.insert(name.as_str().into(), number);
                map.insert(name, number);
            }
            assert_eq!(index.len, map.len());
        }
    }

    #[test]
    fn names_are_spread_over_the_buckets() {
        let mut index = Index::default();
        for number in 0..10_000 {
            index.insert(format!("1 session-{number}").into(), number);
        }
        let fullest = index.buckets.iter().map(Vec::len).max();
        assert!(fullest < Some(12), "{fullest:?}");
    }
}
