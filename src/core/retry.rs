//! Which failures are worth a retry, and how long to wait before it.

use super::policy::{BACKOFF_BASE_MS, BACKOFF_CAP_MS};
use super::time::Now;

/// Whether a status may be temporary: a timeout, a rate limit, or an error of the server's own.
pub fn may_be_temporary(status: u16) -> bool {
    matches!(status, 408 | 425 | 429) || status >= 500
}

/// The milliseconds to wait after the `attempt`-th failure (1 is the first). Exponential backoff with full jitter: a
/// random time between zero and a ceiling, so that clients that failed together do not retry together.
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>
pub fn backoff_ms(attempt: u32, random: &mut fastrand::Rng) -> u64 {
    let ceiling = BACKOFF_BASE_MS.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    random.u64(0..=ceiling.min(BACKOFF_CAP_MS))
}

/// A `Retry-After` header (RFC 9110, section 10.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// This many seconds from now.
    Seconds(u64),
    /// Not before this time, in Unix milliseconds.
    At(u64),
}

impl RetryAfter {
    /// Reads a header. `date` parses an HTTP date into Unix milliseconds: every runtime has a date parser, so the core
    /// need not contain one.
    pub fn parse(header: &str, date: impl FnOnce(&str) -> Option<f64>) -> Option<RetryAfter> {
        let header = header.trim_ascii();
        if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
            let seconds = header.bytes().fold(0_u64, |seconds, digit| {
                seconds.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
            });
            return Some(RetryAfter::Seconds(seconds));
        }
        // Date parsers take "-1" and "1.5" for years, but every HTTP date contains letters.
        let has_letter = header.bytes().any(|byte| byte.is_ascii_alphabetic());
        let at_ms = has_letter.then(|| date(header)).flatten().filter(|at_ms| *at_ms >= 0.0)?;
        Some(RetryAfter::At(at_ms as u64))
    }

    /// The milliseconds to wait; zero for a date in the past.
    pub fn wait_ms(self, now: Now) -> u64 {
        match self {
            RetryAfter::Seconds(seconds) => seconds.saturating_mul(1_000),
            RetryAfter::At(at_ms) => at_ms.saturating_sub(now.unix_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_pass_is_retried_and_nothing_else() {
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            assert!(may_be_temporary(status), "{status}");
        }
        for status in [200, 301, 400, 401, 403, 404, 405, 413, 422] {
            assert!(!may_be_temporary(status), "{status}");
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
        let now = Now { mono_ms: 5, unix_ms: 1_000_000 };
        let wait_ms = |header| RetryAfter::parse(header, |_| None).map(|after| after.wait_ms(now));
        assert_eq!(wait_ms("3"), Some(3_000));
        assert_eq!(wait_ms(" 120 "), Some(120_000));
        assert_eq!(wait_ms("99999999999999999999"), Some(u64::MAX));
        for neither in ["", "soon", "-1", "1.5"] {
            assert_eq!(wait_ms(neither), None, "{neither}");
        }
        let dated = |at_ms: f64| {
            let date = "Sun, 06 Nov 1994 08:49:37 GMT";
            let asked = |asked: &str| (asked == date).then_some(at_ms);
            RetryAfter::parse(date, asked).map(|after| after.wait_ms(now))
        };
        assert_eq!(dated(1_002_000.0), Some(2_000));
        assert_eq!(dated(998_000.0), Some(0), "a date in the past asks for no wait");
        assert_eq!(dated(f64::NAN), None);
        let year = RetryAfter::parse("-1", |_| Some(978_307_200_000.0));
        assert_eq!(year, None, "what only a lenient parser of dates understands is no date");
    }
}
