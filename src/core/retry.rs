//! Which failures are worth another try, and how long to wait for it.

use std::time::{SystemTime, UNIX_EPOCH};

use super::policy::{BACKOFF_BASE_MS, BACKOFF_CAP_MS};
use super::time::Now;

/// Whether a status may pass by itself: too slow, too much, or the server's own trouble.
pub fn may_pass(status: u16) -> bool {
    status == 408 || status == 429 || status >= 500
}

/// Exponential backoff with full jitter: anything from zero to the ceiling of the `attempt`-th
/// failure (1 is the first), so that clients which failed together do not come back together.
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>
pub fn backoff_ms(attempt: u32, random: &mut fastrand::Rng) -> u64 {
    let ceiling = BACKOFF_BASE_MS.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    random.u64(0..=ceiling.min(BACKOFF_CAP_MS))
}

/// Milliseconds that a `Retry-After` header asks to wait: seconds, or an HTTP date (RFC 9110,
/// section 10.2.3). Nothing where it says neither; a date in the past asks for no wait.
pub fn retry_after_ms(header: &str, now: Now) -> Option<u64> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(header.parse().unwrap_or(u64::MAX / 1_000).saturating_mul(1_000));
    }
    let at: SystemTime = httpdate::parse_http_date(header).ok()?;
    let at_ms = at.duration_since(UNIX_EPOCH).ok()?.as_millis() as u64;
    Some(at_ms.saturating_sub(now.unix_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_pass_is_retried_and_nothing_else() {
        for status in [408, 429, 500, 502, 503, 504, 599] {
            assert!(may_pass(status), "{status}");
        }
        for status in [200, 301, 400, 401, 403, 404, 405, 413, 422] {
            assert!(!may_pass(status), "{status}");
        }
    }

    #[test]
    fn the_wait_grows_up_to_its_cap_and_starts_anywhere() {
        let mut random = fastrand::Rng::with_seed(7);
        for (attempt, ceiling) in [(1, 250), (2, 500), (3, 1_000), (6, 8_000), (60, 8_000)] {
            let waits: Vec<u64> = (0..500).map(|_| backoff_ms(attempt, &mut random)).collect();
            assert!(waits.iter().all(|wait| *wait <= ceiling), "attempt {attempt}");
            assert!(waits.iter().any(|wait| *wait > ceiling * 9 / 10), "attempt {attempt}");
            assert!(waits.iter().any(|wait| *wait < ceiling / 10), "attempt {attempt}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Now { mono_ms: 5, unix_ms: 784_111_777_000 };
        assert_eq!(retry_after_ms("3", now), Some(3_000));
        assert_eq!(retry_after_ms(" 120 ", now), Some(120_000));
        assert_eq!(retry_after_ms("Sun, 06 Nov 1994 08:49:47 GMT", now), Some(10_000));
        assert_eq!(retry_after_ms("Sun, 06 Nov 1994 08:00:00 GMT", now), Some(0));
        assert_eq!(retry_after_ms("99999999999999999999", now), Some(u64::MAX / 1_000 * 1_000));
        for neither in ["", "soon", "-1", "1.5", "Sun, 99 Nov"] {
            assert_eq!(retry_after_ms(neither, now), None, "{neither}");
        }
    }
}
