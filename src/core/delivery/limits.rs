//! The limits that the application sets, the timeout of a request, and the wait before a retry.

use crate::core::policy::LAST_TRY_MS;
use crate::core::time::NEVER;

/// The limits that the application sets.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long one request may take, in milliseconds.
    pub timeout_ms: u64,
    /// How long a unit is retried, in milliseconds.
    pub deadline_ms: u64,
    /// How long a lane collects units between two requests, in milliseconds.
    pub merge_window_ms: u64,
    /// How many bytes of units may be unfinished at once.
    pub max_queue_bytes: u64,
    /// How many requests may be in flight at once.
    pub max_concurrency: usize,
    /// The size in bytes up to which units are added to a request.
    pub full_request_bytes: usize,
}

/// How long a request may take, in milliseconds: `timeout_ms`, or until its first deadline, which is `left_ms` away. If
/// that deadline has passed because the program stood still, the request gets one full try.
pub fn request_timeout_ms(timeout_ms: u64, left_ms: u64) -> u64 {
    match left_ms {
        0 => timeout_ms,
        left_ms => left_ms.min(timeout_ms),
    }
}

/// When the last try of an enrichment begins at the latest if it is given up at `gives_up_at`: early enough for a
/// request to have all of its time, or half of the deadline. [`NEVER`] if it is not given up.
pub fn last_try_at(gives_up_at: u64, timeout_ms: u64, deadline_ms: u64) -> u64 {
    match gives_up_at {
        NEVER => NEVER,
        at => at.saturating_sub(timeout_ms.min(deadline_ms / 2)),
    }
}

/// The wait before a retry, either drawn at random or asked for by the server.
#[derive(Clone, Copy, Debug)]
pub struct RetryWait {
    /// The wait in milliseconds, before deadlines are taken into account.
    pub wait_ms: u64,
    /// Whether the server asked for it.
    pub is_asked: bool,
    /// Milliseconds until the first deadline in the batch.
    pub left_ms: u64,
    /// Milliseconds until the last deadline in the batch, when all of it has been given up.
    pub last_left_ms: u64,
    /// How long a request may take, in milliseconds.
    pub timeout_ms: u64,
}

impl RetryWait {
    /// The milliseconds to wait: as drawn or asked for, or less where the last try would not finish before the
    /// deadline.
    pub fn milliseconds(self) -> u64 {
        let RetryWait { wait_ms, is_asked, left_ms, last_left_ms, timeout_ms } = self;
        // A try may need its whole timeout, but never gets more than half of the time left, so that the last
        // tries follow each other faster.
        let latest = left_ms.saturating_sub(timeout_ms.min(left_ms / 2));
        let wait_ms = if is_asked || latest < LAST_TRY_MS { wait_ms } else { wait_ms.min(latest) };
        wait_ms.min(last_left_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_ends_with_what_is_left_of_the_deadline() {
        assert_eq!(request_timeout_ms(5_000, 30_000), 5_000);
        assert_eq!(request_timeout_ms(5_000, 3_000), 3_000);
        assert_eq!(request_timeout_ms(5_000, 0), 5_000, "one try");
    }

    #[test]
    fn a_drawn_wait_leaves_time_for_a_try_and_an_asked_one_is_kept() {
        let drawn = RetryWait {
            wait_ms: 8_000,
            is_asked: false,
            left_ms: 9_000,
            last_left_ms: 9_000,
            timeout_ms: 5_000,
        };
        assert_eq!(drawn.milliseconds(), 4_500);
        assert_eq!(RetryWait { is_asked: true, ..drawn }.milliseconds(), 8_000);
        let late = RetryWait { left_ms: 50, last_left_ms: 50, ..drawn };
        assert_eq!(late.milliseconds(), 50, "no flurry at the end");
    }
}
