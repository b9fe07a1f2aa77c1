//! Limits how often a ticket may be used. Uses are counted in the memory of one isolate or process, so a ticket that
//! is shown to several of them is valid for as many times its rate.
//!
//! Each ticket has one number: the time up to which its requests are paid for (the generic cell rate algorithm, ITU-T
//! I.371). Only tickets with a right signature are counted, so a stranger cannot fill the memory.

use super::policy::REMEMBERED_TICKETS;
use super::ticket::Signature;

/// The size of a burst, and the number of requests in each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The number of requests.
    pub requests: u64,
    /// The length of the window in seconds.
    pub seconds: u64,
}

#[derive(Clone, Copy, Debug)]
struct Use {
    /// Identifies the ticket: half of its signature is as unique as all of it.
    ticket: [u8; SIGNATURE_BYTES_KEPT],
    /// The time up to which its requests are paid for, in Unix microseconds.
    paid_until: u64,
}

const SIGNATURE_BYTES_KEPT: usize = 16;

/// The tickets that were used lately.
#[derive(Debug, Default)]
pub struct Rates {
    /// Sorted by ticket.
    uses: Vec<Use>,
}

impl Rates {
    /// Counts one request with the ticket of this signature. `Err` is the number of seconds to wait if the request is
    /// one too many.
    pub fn count(&mut self, signature: &Signature, rate: Rate, now_ms: u64) -> Result<(), u64> {
        let mut ticket = [0; SIGNATURE_BYTES_KEPT];
        ticket.copy_from_slice(&signature[..SIGNATURE_BYTES_KEPT]);
        let now = now_ms.saturating_mul(1_000);
        let window = rate.seconds.saturating_mul(1_000_000);
        let step = window / rate.requests.max(1);
        let found = self.uses.binary_search_by(|used| used.ticket.cmp(&ticket));
        let full = now.saturating_add(window);
        let Ok(place) = found else {
            self.remember(Use { ticket, paid_until: now.saturating_add(step) }, now);
            return Ok(());
        };
        let paid_until = &mut self.uses[place].paid_until;
        // A clock that was set back must not refuse a ticket for longer than a window.
        *paid_until = (*paid_until).clamp(now, full);
        if *paid_until + step > full {
            return Err((*paid_until + step - full).div_ceil(1_000_000));
        }
        *paid_until += step;
        Ok(())
    }

    fn remember(&mut self, new: Use, now: u64) {
        if self.uses.len() >= REMEMBERED_TICKETS {
            self.uses.retain(|used| used.paid_until > now);
        }
        if self.uses.len() >= REMEMBERED_TICKETS {
            // The ticket that has used the least of its rate.
            let idlest = self.uses.iter().enumerate().min_by_key(|(_, used)| used.paid_until);
            if let Some((idlest, _)) = idlest {
                self.uses.remove(idlest);
            }
        }
        let place = self.uses.partition_point(|used| used.ticket < new.ticket);
        self.uses.insert(place, new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { requests: 5, seconds: 10 };

    fn signature(number: u64) -> Signature {
        let mut signature = [0; 32];
        signature[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        signature
    }

    #[test]
    fn a_burst_and_then_the_pace() {
        let mut rates = Rates::default();
        let (one, other) = (signature(1), signature(2));
        for _ in 0..5 {
            assert_eq!(rates.count(&one, RATE, 1_000_000), Ok(()));
        }
        assert_eq!(rates.count(&one, RATE, 1_000_000), Err(2));
        assert_eq!(rates.count(&other, RATE, 1_000_000), Ok(()), "each ticket by itself");
        assert_eq!(rates.count(&one, RATE, 1_001_999), Err(1));
        assert_eq!(rates.count(&one, RATE, 1_002_000), Ok(()));
        assert_eq!(rates.count(&one, RATE, 1_002_000), Err(2));
        for _ in 0..5 {
            assert_eq!(rates.count(&one, RATE, 1_030_000), Ok(()), "rested");
        }
        assert!(rates.count(&one, RATE, 1_030_000).is_err());
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let mut rates = Rates::default();
        while rates.count(&signature(1), RATE, 9_000_000).is_ok() {}
        assert_eq!(rates.count(&signature(1), RATE, 1_000_000), Err(2));
        assert_eq!(rates.count(&signature(1), RATE, 1_002_000), Ok(()));
    }

    #[test]
    fn a_rate_of_nothing_is_one_a_window() {
        let mut rates = Rates::default();
        let none = Rate { requests: 0, seconds: 10 };
        assert_eq!(rates.count(&signature(1), none, 0), Ok(()));
        assert_eq!(rates.count(&signature(1), none, 0), Err(10));
    }

    #[test]
    fn memory_is_bounded_and_those_who_press_are_remembered() {
        let mut rates = Rates::default();
        let pressing = signature(0);
        while rates.count(&pressing, RATE, 0).is_ok() {}
        for number in 1..3 * REMEMBERED_TICKETS as u64 {
            assert_eq!(rates.count(&signature(number), RATE, 0), Ok(()));
        }
        assert_eq!(rates.uses.len(), REMEMBERED_TICKETS);
        assert_eq!(rates.count(&pressing, RATE, 0), Err(2), "not forgotten");
        assert!(rates.uses.is_sorted_by_key(|used| used.ticket));
        assert_eq!(rates.count(&signature(1), RATE, 60_000), Ok(()));
        assert!(rates.uses.len() <= REMEMBERED_TICKETS);
    }
}
