//! One backend server: which routes it has, whether it works, and who may send to it next.
//!
//! While a server fails, one session probes and the others wait (a half-open circuit breaker),
//! so that a thousand sessions do not hammer a backend that is down.

use super::policy::FAILING_AFTER;
use super::queue::Queue;
use super::retry::backoff_ms;
use super::time::Now;
use super::wire::Routes;

/// What is known of one server.
#[derive(Debug, Default)]
pub struct Server {
    /// Its address.
    pub url: String,
    /// The `fetch` that reaches it: a broken one of the application's own is no broken server.
    pub transport: u32,
    /// The routes it has.
    pub routes: Routes,
    /// Outboxes that send to it.
    pub outboxes: u32,
    /// Sessions that have something to send which any scope may send, in the order in which they
    /// may. A request knows its own.
    pub ready: Queue<u64>,
    in_flight: usize,
    /// Failures since the last success.
    failures: u32,
    /// While failing: when the next probe may go.
    probe_at: u64,
    /// Whether it left an earlier request without an answer, and has answered none since.
    is_doubtful: bool,
    /// Whether it has ever answered.
    has_answered: bool,
}

impl Server {
    /// A server of which nothing is known.
    pub fn new(url: String, transport: u32) -> Server {
        Server { url, transport, ..Server::default() }
    }

    /// Whether it failed so often in a row that it is only probed.
    pub fn is_failing(&self) -> bool {
        self.failures >= FAILING_AFTER
    }

    /// Whether the server is taken for one that answers soon, if only to say no. One failure alone says
    /// nothing: browsers fail what is on its way when a page is about to be left.
    pub fn is_trusted(&self) -> bool {
        !self.is_failing() && !self.is_doubtful
    }

    /// Whether it has ever answered.
    pub fn has_answered(&self) -> bool {
        self.has_answered
    }

    /// Marks the server as one that may not answer, until it does.
    pub fn doubt(&mut self) {
        self.is_doubtful = true;
    }

    /// When the next probe may go, if the server is failing.
    pub fn probe_at(&self) -> Option<u64> {
        self.is_failing().then_some(self.probe_at)
    }

    /// Whether a request may be sent now.
    pub fn has_room(&self, now: Now) -> bool {
        !self.is_failing() || (self.in_flight == 0 && self.probe_at <= now.mono_ms)
    }

    /// A probe may go now: there is reason to think that it works again.
    pub fn may_be_asked(&mut self) {
        self.probe_at = 0;
    }

    /// A request is on its way.
    pub fn sent(&mut self) {
        self.in_flight += 1;
    }

    /// A request came back with an answer that shows the server at work. Says whether it had
    /// been failing: then those who waited may go on.
    pub fn worked(&mut self) -> bool {
        let was_failing = self.is_failing();
        self.in_flight -= 1;
        self.failures = 0;
        self.is_doubtful = false;
        self.has_answered = true;
        was_failing
    }

    /// A request was torn down by its sender's runtime: that says nothing of the server.
    pub fn lost(&mut self) {
        self.in_flight -= 1;
    }

    /// A request failed in a way that may pass; the server asks to be left alone for `after_ms`.
    pub fn failed(&mut self, now: Now, after_ms: Option<u64>, random: &mut fastrand::Rng) {
        self.in_flight -= 1;
        self.failures = self.failures.saturating_add(1);
        let wait = after_ms.unwrap_or_else(|| backoff_ms(self.failures, random));
        self.probe_at = now.mono_ms.saturating_add(wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono_ms: u64) -> Now {
        Now { mono_ms, unix_ms: 0 }
    }

    #[test]
    fn a_failing_server_gets_one_probe_at_a_time_and_heals_at_once() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut server = Server::new("https://x".into(), 0);
        for _ in 0..100 {
            assert!(server.has_room(at(0)));
            server.sent();
        }
        for _ in 0..99 {
            server.failed(at(10), Some(1_000), &mut random);
        }
        assert!(!server.has_room(at(5_000)), "one is still on its way");
        server.lost();
        assert!(server.is_failing());
        assert!(!server.has_room(at(1_009)), "it asked for a second");
        assert!(server.has_room(at(1_010)));
        server.sent();
        assert!(!server.has_room(at(5_000)), "one probe at a time");
        assert!(server.worked(), "those who waited are to be told");
        assert!(server.has_room(at(5_000)));
    }

    #[test]
    fn one_failure_between_successes_is_chance() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut server = Server::new("https://x".into(), 0);
        for _ in 0..10 {
            server.sent();
            server.failed(at(0), None, &mut random);
            assert!(!server.is_failing());
            server.sent();
            assert!(!server.worked());
        }
    }
}
