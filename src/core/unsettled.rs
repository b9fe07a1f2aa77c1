//! What was given and has not ended, as those see it who wait for all that was given before them.

use std::collections::VecDeque;

/// Counts what has not ended between one wait and the next, so that an end costs the same however many
/// wait, and what comes later holds up nobody.
///
/// Calls and waits are numbered in one sequence.
#[derive(Debug, Default)]
pub struct Unsettled {
    /// The waits by their numbers, which only go up; each with how much was given before it and after the wait
    /// before it, and has not ended.
    before: VecDeque<(u64, u64)>,
    /// What is counted there.
    awaited: u64,
}

impl Unsettled {
    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty()
    }

    /// A wait begins under `number`, for all that has not ended: `total`.
    pub fn begin_wait(&mut self, number: u64, total: u64) {
        self.before.push_back((number, total - self.awaited));
        self.awaited = total;
    }

    /// The call `number` has ended.
    pub fn end_call(&mut self, number: u64) {
        let next = self.before.partition_point(|(wait, _)| *wait < number);
        if let Some((_, left)) = self.before.get_mut(next) {
            *left -= 1;
            self.awaited -= 1;
        }
    }

    /// The wait `number` is given up: the next one goes on waiting for what it waited for.
    pub fn give_up_wait(&mut self, number: u64) {
        let Ok(place) = self.before.binary_search_by_key(&number, |(wait, _)| *wait) else {
            return;
        };
        let Some((_, left)) = self.before.remove(place) else { return };
        match self.before.get_mut(place) {
            Some((_, next)) => *next += left,
            None => self.awaited -= left,
        }
    }

    /// Takes out the first wait, if nothing that it waits for is left.
    pub fn take_ended_wait(&mut self) -> Option<u64> {
        let (_, left) = *self.before.front()?;
        if left > 0 {
            return None;
        }
        self.before.pop_front().map(|(wait, _)| wait)
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
