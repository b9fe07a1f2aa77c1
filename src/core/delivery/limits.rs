//! What the application allows, how long a request may take, and how long what failed waits for its next try.

use crate::core::policy::LAST_TRY_MS;

/// What the application allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Milliseconds that one request may take.
    pub timeout_ms: u64,
    /// Milliseconds that a unit is tried.
    pub deadline_ms: u64,
    /// Milliseconds between two requests of a lane in which what comes is put together.
    pub merge_window_ms: u64,
    /// Bytes of units that have not ended.
    pub max_queue_bytes: u64,
    /// Requests on their way at once.
    pub max_concurrency: usize,
    /// Bytes from which on a request takes no further unit.
    pub full_request_bytes: usize,
}

/// Milliseconds that a request may take: `timeout_ms`, or to the first deadline of what is in it, which is
/// `left_ms` away. Of what is over already, because the program stood still, there is one try.
pub fn request_timeout_ms(timeout_ms: u64, left_ms: u64) -> u64 {
    match left_ms {
        0 => timeout_ms,
        left_ms => left_ms.min(timeout_ms),
    }
}

/// The wait before a retry, of which chance or the server has said how long it is.
#[derive(Clone, Copy, Debug)]
pub struct RetryWait {
    /// So long, in milliseconds.
    pub wait_ms: u64,
    /// Whether it is the server that asks for it.
    pub is_asked: bool,
    /// Milliseconds to the first deadline in the batch.
    pub left_ms: u64,
    /// Milliseconds to the last one: by then all of the batch is given up.
    pub last_left_ms: u64,
    /// Milliseconds that a request is granted.
    pub timeout_ms: u64,
}

impl RetryWait {
    /// Milliseconds to wait: what was drawn or asked for, or a little less, where the last try would have no
    /// time before the deadline.
    pub fn milliseconds(self) -> u64 {
        let RetryWait { wait_ms, is_asked, left_ms, last_left_ms, timeout_ms } = self;
        // Half of the time for a try that may need all of its own: so the last tries come faster.
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
