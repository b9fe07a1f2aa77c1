//! The timestamps of one session's requests, by which the backend orders what it stores.

use crate::core::policy::LEFT_STAMP_NS;

/// The nanoseconds between the timestamps of two enrichments of one millisecond that are sent apart, so that each may be
/// in that many requests.
const NTH_STAMP_NS: u64 = 64;

/// How many enrichments of one millisecond that are sent apart have timestamps of their own.
const MOST_NTH: u64 = LEFT_STAMP_NS / 2 / NTH_STAMP_NS - 1;

/// The timestamps of a session's requests, in nanoseconds since the Unix epoch. 64 bits hold them until the year 2554: a
/// clock that is beyond it makes no sense, and breaks nothing.
///
/// A timestamp says when the latest enrichment in a request was made. Each request has its own, and those of this
/// page only increase, whatever the wall clock does. Only the session's own requests move them: if another session's
/// could, a request that waited would get a later timestamp than an enrichment that was made after it and handed over
/// to the next page, and its stale value would win.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stamps {
    /// The last timestamp of a request with this page's own enrichments.
    last_ns: u64,
    /// When the last enrichment was made here, in Unix milliseconds.
    last_call_ms: u64,
    /// How many enrichments were made here in that millisecond.
    calls_in_ms: u32,
    /// How many timestamps were given to enrichments of earlier pages, and of this page before it rested.
    apart: u32,
}

/// The time that counts for an enrichment. It is kept with the enrichment, so that whichever page delivers that keeps the
/// order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallTime {
    /// The millisecond, since the Unix epoch.
    pub unix_ms: u64,
    /// How many enrichments of the session its page made earlier in that millisecond.
    pub nth: u32,
}

impl Stamps {
    /// The time that counts for an enrichment made now: the wall clock's time, but never before the previous one.
    pub fn date_call(&mut self, now_unix_ms: u64) -> CallTime {
        self.move_to(now_unix_ms.max(self.last_ns / 1_000_000));
        let called_at = CallTime { unix_ms: self.last_call_ms, nth: self.calls_in_ms };
        self.calls_in_ms += 1;
        called_at
    }

    fn move_to(&mut self, unix_ms: u64) {
        if unix_ms > self.last_call_ms {
            (self.last_call_ms, self.calls_in_ms) = (unix_ms, 0);
        }
    }

    /// Notes that an earlier page has left an enrichment made at this time. Enrichments from now on are later.
    pub fn take_over(&mut self, left_unix_ms: u64) {
        self.move_to(left_unix_ms.saturating_add(1));
    }

    /// The timestamp of a request with this page's enrichments, the latest of which was made at `unix_ms`.
    pub fn next(&mut self, unix_ms: u64) -> u64 {
        self.last_ns = unix_ms.wrapping_mul(1_000_000).max(self.last_ns + 1);
        self.last_ns
    }

    /// The timestamp of a request with enrichments of an earlier page, the latest of which is `called_at`. It is older than
    /// what this page has sent since, although it is sent later. It is newer than what its own page sent of the same
    /// millisecond, because what a page leaves is newer than what it sends. Of two enrichments that were left the times
    /// count, whichever is sent first, and by whichever page.
    pub fn next_left(&mut self, called_at: CallTime) -> u64 {
        let nth_ns = u64::from(called_at.nth).min(MOST_NTH) * NTH_STAMP_NS;
        let request_ns = u64::from(self.apart) % NTH_STAMP_NS;
        self.next_apart(called_at.unix_ms, LEFT_STAMP_NS + nth_ns + request_ns)
    }

    /// The timestamp of a request with enrichments that this page made before it rested, the latest of them at
    /// `unix_ms`. It is older than what this page has sent since, and than what it has left to another page.
    pub fn next_rested(&mut self, unix_ms: u64) -> u64 {
        self.next_apart(unix_ms, LEFT_STAMP_NS / 2 + u64::from(self.apart))
    }

    fn next_apart(&mut self, unix_ms: u64, after_ns: u64) -> u64 {
        self.apart = self.apart.wrapping_add(1);
        unix_ms.wrapping_mul(1_000_000).wrapping_add(after_ns)
    }

    /// Notes that the page rests. Enrichments from now on are later than those made until now.
    pub fn rest(&mut self) {
        self.move_to(self.last_call_ms + 1);
    }

    /// The last timestamp of a request with this page's own enrichments.
    pub fn last_ns(&self) -> u64 {
        self.last_ns
    }

    /// Lets the next timestamp follow `last_ns`.
    pub fn go_on_after(&mut self, last_ns: u64) {
        self.last_ns = last_ns;
    }

    /// Includes the timestamps of another session. A session of which earlier requests are unknown continues after all of
    /// them.
    pub fn join(&mut self, other: Stamps) {
        self.last_ns = self.last_ns.max(other.last_ns);
        self.apart = self.apart.max(other.apart);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn timestamps_go_up_where_the_wall_clock_goes_back() {
        let mut stamps = Stamps::default();
        let called_at = [10, 10, 7, 12].map(|unix_ms| stamps.date_call(unix_ms).unix_ms);
        assert_eq!(called_at, [10, 10, 10, 12]);
        assert_eq!(
            called_at.map(|ms| stamps.next(ms)),
            [10 * MS, 10 * MS + 1, 10 * MS + 2, 12 * MS]
        );
        // A half of a batch gets a new timestamp, which is still before that of later enrichments.
        assert_eq!(stamps.next(10), 12 * MS + 1);
        assert!(stamps.next_left(stamps.clone().date_call(12)) > 12 * MS + 1);
    }

    #[test]
    fn what_was_left_counts_by_its_time_and_what_is_said_then_comes_after_it() {
        let mut stamps = Stamps::default();
        let of = |unix_ms| CallTime { unix_ms, nth: 0 };
        stamps.take_over(20);
        let (later, earlier) = (stamps.next_left(of(20)), stamps.next_rested(5));
        assert!(earlier < later && later < 21 * MS);
        assert_ne!(stamps.next_left(of(20)), later, "each stands for one body");
        assert_eq!(stamps.date_call(9).unix_ms, 21, "another page's clock was ahead");
    }

    #[test]
    fn what_several_pages_take_over_has_the_order_of_the_page_that_made_it() {
        let mut page = Stamps::default();
        let [first, second, last] = [5, 5, 4].map(|unix_ms| page.date_call(unix_ms));
        let mut next = Stamps::default();
        for _ in 0..100 {
            next.next_left(first);
        }
        let stamp_ns = next.next_left(first);
        assert!(stamp_ns < Stamps::default().next_left(second));
        assert!(next.next_left(second) < Stamps::default().next_left(last));
        let many = CallTime { unix_ms: 5, nth: u32::MAX };
        assert!(next.next_left(many) < 6 * MS);
        assert!(next.next_rested(5) < 5 * MS + LEFT_STAMP_NS);
    }
}
