//! When the queue is to bring an undelivered message again: late enough that an outage of hours does not use up its
//! attempts, and never earlier than the queue itself would.

use super::policy::{LONGEST_WAIT_S, REDELIVERY_CAP_S};

/// The seconds after which a message is to come again that the queue has brought `attempts` times; `None` for the
/// queue's own delay. The wait begins with the queue's own delay, `retry_delay_s`, and doubles with each attempt, up
/// to [`REDELIVERY_CAP_S`].
///
/// The backend may ask for a wait of `asked_s`, which is only granted if it is longer. A date in the past asks for no
/// wait at all, and a message that came again at once, several times, would soon be among the dead letters.
pub fn wait_s(attempts: u32, asked_s: Option<u64>, retry_delay_s: u64) -> Option<u64> {
    let asked_s = asked_s.filter(|seconds| *seconds > 0);
    if attempts <= 1 && asked_s.is_none() {
        return None;
    }
    // A queue without a delay would bring its messages too often during an outage.
    let doubled = retry_delay_s.max(1).saturating_mul(1 << attempts.saturating_sub(1).min(16));
    let own_s = doubled.min(REDELIVERY_CAP_S.max(retry_delay_s));
    Some(own_s.max(asked_s.unwrap_or_default()).min(LONGEST_WAIT_S))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_from_the_queues_own_to_its_cap() {
        let waits: Vec<_> = (0..10).map(|attempts| wait_s(attempts, None, 10)).collect();
        assert_eq!(waits[..2], [None, None], "the queue's own");
        let waits: Vec<u64> = waits[2..].iter().map(|wait| wait.unwrap()).collect();
        assert_eq!(waits, [20, 40, 80, 160, 320, 600, 600, 600]);
        assert_eq!(wait_s(u32::MAX, None, 10), Some(600));
        assert_eq!(wait_s(3, None, 0), Some(4));
        assert_eq!(wait_s(2, None, 3_600), Some(3_600), "who has the queue wait longer knows why");
        assert_eq!(wait_s(u32::MAX, None, u64::MAX), Some(LONGEST_WAIT_S));
    }

    #[test]
    fn the_backend_may_ask_for_longer_and_not_for_less() {
        assert_eq!(wait_s(1, Some(0), 10), None);
        assert_eq!(wait_s(5, Some(0), 10), Some(160));
        assert_eq!(wait_s(1, Some(9), 10), Some(10));
        assert_eq!(wait_s(1, Some(11), 10), Some(11));
        assert_eq!(wait_s(3, Some(11), 10), Some(40));
        assert_eq!(wait_s(1, Some(7_200), 10), Some(7_200));
        assert_eq!(wait_s(1, Some(u64::MAX), 10), Some(LONGEST_WAIT_S));
    }

    #[test]
    fn twenty_attempts_outlast_two_hours() {
        let own = |attempts| wait_s(attempts, None, 10).unwrap_or(10);
        assert!((1..=20).map(own).sum::<u64>() > 7_200);
    }
}
