//! A compact set of numbers with lookup in logarithmic time.

/// A sorted set of numbers.
#[derive(Clone, Debug, Default)]
pub struct NumberSet(Vec<u64>);

impl NumberSet {
    /// The empty set.
    pub const NONE: NumberSet = NumberSet(Vec::new());

    /// Adds `number` if the set does not contain it. Numbers mostly ascend, so this mostly appends.
    pub fn add(&mut self, number: u64) {
        if let Err(place) = self.0.binary_search(&number) {
            self.0.insert(place, number);
        }
    }

    /// Whether the set contains `number`.
    pub fn has(&self, number: u64) -> bool {
        self.0.binary_search(&number).is_ok()
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes `number` if the set contains it.
    pub fn remove(&mut self, number: u64) {
        if let Ok(place) = self.0.binary_search(&number) {
            self.0.remove(place);
        }
    }

    /// The numbers in ascending order.
    pub fn as_slice(&self) -> &[u64] {
        &self.0
    }

    /// Removes every number.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The numbers in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().copied()
    }

    /// The numbers that are greater than `number` in ascending order, followed by the others.
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
