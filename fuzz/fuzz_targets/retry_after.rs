//! Any `Retry-After` header, and any date that a runtime's parser makes of it.

#![no_main]

use honeyhive_edge::core::retry::RetryAfter;
use honeyhive_edge::core::time::Now;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, Option<f64>, u64)| {
    let (header, date, unix_ms) = input;
    let wait_ms = RetryAfter::parse(header, |asked| {
        assert_eq!(asked, header.trim_ascii());
        date
    })
    .map(|after| after.wait_ms(Now { mono_ms: 0, unix_ms }));
    let is_number = !header.trim_ascii().is_empty()
        && header.trim_ascii().bytes().all(|byte| byte.is_ascii_digit());
    match (is_number, date) {
        (true, _) => {
            let seconds: u64 = header.trim_ascii().parse().unwrap_or(u64::MAX);
            assert_eq!(wait_ms, Some(seconds.saturating_mul(1_000)));
        }
        (false, Some(at_ms))
            if at_ms >= 0.0 && header.contains(|c: char| c.is_ascii_alphabetic()) =>
        {
            assert_eq!(wait_ms, Some((at_ms as u64).saturating_sub(unix_ms)));
        }
        (false, _) => assert_eq!(wait_ms, None),
    }
});
