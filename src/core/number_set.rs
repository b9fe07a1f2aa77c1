//! A few numbers, each once: found in logarithmic time, and held in few bytes.

/// Numbers in their order.
#[derive(Debug, Default)]
pub struct NumberSet(Vec<u64>);

impl NumberSet {
    /// None at all.
    pub const NONE: NumberSet = NumberSet(Vec::new());

    /// Adds `number`, if it is not there yet. Numbers mostly go up, so that this mostly appends.
    pub fn add(&mut self, number: u64) {
        if let Err(place) = self.0.binary_search(&number) {
            self.0.insert(place, number);
        }
    }

    /// Whether `number` is one of them.
    pub fn has(&self, number: u64) -> bool {
        self.0.binary_search(&number).is_ok()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes out `number`, if it is there.
    pub fn remove(&mut self, number: u64) {
        if let Ok(place) = self.0.binary_search(&number) {
            self.0.remove(place);
        }
    }

    /// All of them, in their order.
    pub fn as_slice(&self) -> &[u64] {
        &self.0
    }

    /// Takes out all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().copied()
    }

    /// All of them, from the first that is greater than `number` on and round.
    pub fn after(&self, number: u64) -> impl Iterator<Item = u64> + '_ {
        let after = self.0.partition_point(|it| *it <= number);
        self.0[after..].iter().chain(&self.0[..after]).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_a_number_goes_round() {
        let mut numbers = NumberSet::NONE;
        [3, 1, 9, 3].into_iter().for_each(|number| numbers.add(number));
        assert!(numbers.has(3) && !numbers.has(2));
        assert!(numbers.iter().eq([1, 3, 9]));
        assert!(numbers.after(3).eq([9, 1, 3]));
        assert!(numbers.after(2).eq([3, 9, 1]));
        assert!(numbers.after(9).eq([1, 3, 9]));
        numbers.clear();
        assert!(numbers.is_empty());
    }
}
