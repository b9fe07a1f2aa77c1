//! Counts unfinished calls for the flushes and closes that wait for all calls before them.

use std::collections::VecDeque;

/// Counts the unfinished calls between one wait and the next. So the end of a call costs the same however many waits
/// there are, and later calls do not delay a wait.
///
/// Calls and waits are numbered in one sequence.
#[derive(Debug, Default)]
pub struct Unsettled {
    /// The waits in ascending order of their numbers, each with the number of unfinished calls between the previous wait
    /// and itself.
    before: VecDeque<(u64, u64)>,
    /// The sum of those counts.
    awaited: u64,
}

impl Unsettled {
    /// Whether there is no wait.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty()
    }

    /// Begins the wait `number` for all unfinished calls, of which there are `total`.
    pub fn begin_wait(&mut self, number: u64, total: u64) {
        self.before.push_back((number, total - self.awaited));
        self.awaited = total;
    }

    /// Records the end of the call `number`.
    pub fn end_call(&mut self, number: u64) {
        let next = self.place(number);
        if let Some((_, left)) = self.before.get_mut(next) {
            *left -= 1;
            self.awaited -= 1;
        }
    }

    /// Gives up the wait `number`. The next wait takes over the calls it waited for.
    pub fn give_up_wait(&mut self, number: u64) {
        let place = self.place(number);
        if self.before.get(place).is_none_or(|(wait, _)| *wait != number) {
            return;
        }
        let Some((_, left)) = self.before.remove(place) else { return };
        match self.before.get_mut(place) {
            Some((_, next)) => *next += left,
            None => self.awaited -= left,
        }
    }

    /// Removes and returns the first wait, if all calls it waits for have ended.
    pub fn take_ended_wait(&mut self) -> Option<u64> {
        let (_, left) = *self.before.front()?;
        if left > 0 {
            return None;
        }
        self.before.pop_front().map(|(wait, _)| wait)
    }

    /// The place of the first wait from `number` on.
    fn place(&self, number: u64) -> usize {
        self.before.partition_point(|(wait, _)| *wait < number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_ends_with_the_last_call_before_it() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..500 {
            let mut unsettled = Unsettled::default();
            let (mut calls, mut waits): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
            for number in 1..200 {
                match random.u8(..8) {
                    0..4 => calls.push(number),
                    4..6 if !calls.is_empty() => {
                        unsettled.end_call(calls.swap_remove(random.usize(..calls.len())));
                    }
                    6 if !waits.is_empty() => {
                        unsettled.give_up_wait(waits.swap_remove(random.usize(..waits.len())));
                    }
                    _ => {
                        unsettled.begin_wait(number, calls.len() as u64);
                        waits.push(number);
                    }
                }
                let is_over = |wait: &u64| !calls.iter().any(|call| call < wait);
                let mut over: Vec<u64> = waits.iter().copied().filter(is_over).collect();
                over.sort_unstable();
                waits.retain(|wait| !is_over(wait));
                let ended: Vec<u64> = std::iter::from_fn(|| unsettled.take_ended_wait()).collect();
                assert_eq!(ended, over);
            }
        }
    }
}
