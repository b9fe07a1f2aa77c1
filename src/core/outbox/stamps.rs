//! The timestamps of one session's requests, by which the backend orders what it stores.

use crate::core::policy::LEFT_STAMP_NS;

/// When a session's requests were said, nanoseconds since the Unix epoch.
///
/// A timestamp tells when the latest of what is in its request was said. Each request has one of its own, and those
/// of what is said here only go up, whatever the wall clock does. How far up, only the session's own requests
/// decide: if another session's could push them, a request that waited would be stamped later than what was said
/// after it and handed over to the next page, and its stale value would win.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stamps {
    /// The last one given to what was said here.
    last_ns: u64,
    /// When something was last said here, Unix milliseconds.
    said_ms: u64,
    /// How many were given to what earlier pages left, and this one before it rested.
    left: u64,
}

impl Stamps {
    /// When something counts as said that is said now: the wall clock's time, but never before what was said
    /// earlier. It is kept with that time, and so in order where another page takes it over.
    pub fn say(&mut self, now_unix_ms: u64) -> u64 {
        self.said_ms = now_unix_ms.max(self.said_ms).max(self.last_ns / 1_000_000);
        self.said_ms
    }

    /// An earlier page has left what it said at this time. What is said from now on is later.
    pub fn take_over(&mut self, left_unix_ms: u64) {
        self.said_ms = self.said_ms.max(left_unix_ms.saturating_add(1));
    }

    /// The timestamp of a request with what was said here, the latest at `said_unix_ms`.
    pub fn next(&mut self, said_unix_ms: u64) -> u64 {
        self.last_ns = said_unix_ms.saturating_mul(1_000_000).max(self.last_ns + 1);
        self.last_ns
    }

    /// The timestamp of a request with what an earlier page left, or this one before it rested, the latest said at
    /// `said_unix_ms`. That is older than what this page has sent since, though it comes later, and newer than what its
    /// page had sent of the same millisecond; what it left is newer than what it sends itself. Of two pages' it is the
    /// time that counts, whichever is sent first.
    pub fn next_apart(&mut self, said_unix_ms: u64, is_left: bool) -> u64 {
        let said_ns = said_unix_ms.saturating_mul(1_000_000);
        let apart_ns = if is_left { LEFT_STAMP_NS } else { LEFT_STAMP_NS / 2 };
        let stamp_ns = said_ns.saturating_add(apart_ns + self.left);
        self.left += 1;
        stamp_ns
    }

    /// The page rests: what is said from now on is later than what was said until now.
    pub fn rest(&mut self) {
        self.said_ms += 1;
    }

    /// The last one given to what was said here.
    pub fn last_ns(&self) -> u64 {
        self.last_ns
    }

    /// The next one comes after `last_ns`.
    pub fn go_on_after(&mut self, last_ns: u64) {
        self.last_ns = last_ns;
    }

    /// Where a session begins of which it is not known what it was sent before: after all that these are.
    pub fn join(&mut self, other: Stamps) {
        self.last_ns = self.last_ns.max(other.last_ns);
        self.left = self.left.max(other.left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn timestamps_go_up_where_the_wall_clock_goes_back() {
        let mut stamps = Stamps::default();
        let said = [10, 10, 7, 12].map(|unix_ms| stamps.say(unix_ms));
        assert_eq!(said, [10, 10, 10, 12]);
        assert_eq!(said.map(|ms| stamps.next(ms)), [10 * MS, 10 * MS + 1, 10 * MS + 2, 12 * MS]);
        // A piece of a batch is stamped anew, and yet before what is said later.
        assert_eq!(stamps.next(10), 12 * MS + 1);
        assert!(stamps.next_apart(stamps.clone().say(12), true) > 12 * MS + 1);
    }

    #[test]
    fn what_was_left_counts_by_its_time_and_what_is_said_then_comes_after_it() {
        let mut stamps = Stamps::default();
        stamps.take_over(20);
        let (later, earlier) = (stamps.next_apart(20, true), stamps.next_apart(5, false));
        assert!(earlier < later && later < 21 * MS);
        assert_ne!(stamps.next_apart(20, true), later, "each stands for one body");
        assert_eq!(stamps.say(9), 21, "another page's clock was ahead");
    }
}
