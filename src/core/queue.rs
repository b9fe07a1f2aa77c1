//! First in, first out.
//!
//! Not the deque of the standard library: a ring is more code for every type that it holds.

use std::vec::IntoIter;

/// Things in the order in which they came.
#[derive(Debug)]
pub struct Queue<T> {
    /// Those that go first.
    front: IntoIter<T>,
    /// Those that came since these were lined up.
    back: Vec<T>,
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue { front: Vec::new().into_iter(), back: Vec::new() }
    }
}

impl<T> Queue<T> {
    /// `thing` goes last.
    pub fn push(&mut self, thing: T) {
        self.back.push(thing);
    }

    /// Takes out the first.
    pub fn pop(&mut self) -> Option<T> {
        if self.front.as_slice().is_empty() {
            self.front = std::mem::take(&mut self.back).into_iter();
        }
        self.front.next()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.front.as_slice().is_empty() && self.back.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_in_first_out_however_they_come_and_go() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut queue = Queue::default();
        let (mut came, mut went) = (0, 0);
        for _ in 0..10_000 {
            if random.bool() {
                queue.push(came);
                came += 1;
            } else if let Some(it) = queue.pop() {
                assert_eq!(it, went);
                went += 1;
            }
            assert_eq!(queue.is_empty(), came == went);
        }
        assert!(went > 1_000);
    }
}
