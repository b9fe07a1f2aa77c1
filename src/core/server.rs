//! One backend server: which routes it has, whether it works, and who may send to it next.
//!
//! While a server fails, one session probes and the others wait (a half-open circuit breaker),
//! so that a thousand sessions do not hammer a backend that is down.

use std::collections::VecDeque;

use super::concurrency::{Concurrency, Place};
use super::policy::{FAILING_AFTER, GENERAL_REFUSAL};
use super::retry::backoff_ms;
use super::slab::FixedSet;
use super::time::Now;
use super::wire::Routes;

/// What is known of one server.
#[derive(Debug)]
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
    pub ready: VecDeque<u64>,
    /// Whether it is in the registry's list of servers that nothing is sent to.
    pub is_idle_listed: bool,
    /// Whether it stands in the registry's list of servers with such sessions.
    pub in_line: bool,
    /// Outboxes whose last request to it failed, and may be tried again at once when it works.
    pub retrying: FixedSet<u64>,
    concurrency: Concurrency,
    /// The values of `maxConcurrency` that open tracers have, each with how many have it. There are no more
    /// values than [`MOST_AT_ONCE`](super::policy::MOST_AT_ONCE).
    allowed: Vec<(usize, usize)>,
    in_flight: usize,
    /// Rounds of requests that failed since the last success.
    failures: u32,
    /// The number of the last request that was sent when a failure was counted: what was sent until
    /// then failed in the same round.
    failed_after: u64,
    /// While failing: when the next probe may go.
    probe_at: u64,
    /// Until when the server has asked to be left alone.
    spared_until: u64,
    /// Single enrichments that it refused in a row, whosesoever, without storing anything in between.
    refused_singles: u32,
    /// When it last answered well, on the forward clock.
    worked_at: u64,
    /// Why a request failed since then.
    why: String,
    /// Whether it left an earlier request without an answer, and has answered none since.
    is_doubtful: bool,
    /// Whether it has ever answered.
    has_answered: bool,
}

impl Server {
    /// A server of which nothing is known.
    pub fn new(url: String, transport: u32, place: Place) -> Server {
        Server {
            url,
            transport,
            routes: Routes::default(),
            outboxes: 0,
            ready: VecDeque::new(),
            is_idle_listed: false,
            in_line: false,
            retrying: FixedSet::default(),
            concurrency: Concurrency::new(place),
            allowed: Vec::new(),
            in_flight: 0,
            failures: 0,
            failed_after: 0,
            probe_at: 0,
            spared_until: 0,
            refused_singles: 0,
            worked_at: 0,
            why: String::new(),
            is_doubtful: false,
            has_answered: false,
        }
    }

    /// A tracer that allows so many requests at once is open.
    pub fn allow(&mut self, at_most: usize) {
        match self.allowed.iter_mut().find(|(value, _)| *value == at_most) {
            Some((_, tracers)) => *tracers += 1,
            None => self.allowed.push((at_most, 1)),
        }
    }

    /// A tracer that allows so many requests at once is open no more.
    pub fn allow_no_more(&mut self, at_most: usize) {
        if let Some(place) = self.allowed.iter().position(|(value, _)| *value == at_most) {
            self.allowed[place].1 -= 1;
            if self.allowed[place].1 == 0 {
                self.allowed.swap_remove(place);
            }
        }
    }

    /// Whether it failed so often in a row that it is only probed.
    pub fn is_failing(&self) -> bool {
        self.failures >= FAILING_AFTER
    }

    /// When the next request may be sent at the earliest, whatever else is on its way; nothing
    /// where no time stands in the way.
    pub fn resumes_at(&self) -> Option<u64> {
        let probe_at = if self.is_failing() { self.probe_at } else { 0 };
        Some(probe_at.max(self.spared_until)).filter(|at| *at > 0)
    }

    /// Whether the server is taken for one that answers soon, if only to say no. One failure alone says
    /// nothing: browsers fail what is on its way when a page is about to be left.
    pub fn is_trusted(&self) -> bool {
        !self.is_failing() && !self.is_doubtful
    }

    /// Whether requests to it and to `other` take connections from one another in a browser.
    pub fn shares_connections(&self, other: &Server) -> bool {
        self.transport == other.transport && self.origin() == other.origin()
    }

    /// Scheme, host and port of its address.
    fn origin(&self) -> &str {
        let path = self.url.match_indices('/').nth(2);
        path.map_or(&self.url, |(at, _)| &self.url[..at])
    }

    /// Whether it has ever answered.
    pub fn has_answered(&self) -> bool {
        self.has_answered
    }

    /// Marks the server as one that may not answer, until it does.
    pub fn doubt(&mut self) {
        self.is_doubtful = true;
    }

    /// Whether a request may be sent now from a scope that has `of_scope` on their way to it.
    pub fn has_room(&self, of_scope: usize, now: Now) -> bool {
        let at_most = self.allowed.iter().map(|(value, _)| *value).min().unwrap_or(usize::MAX);
        self.resumes_at().is_none_or(|at| at <= now.mono_ms)
            && !(self.is_failing() && self.in_flight > 0)
            && self.concurrency.has_room(self.in_flight, of_scope, at_most)
    }

    /// A probe may go now: there is reason to think that it works again.
    pub fn may_be_asked(&mut self) {
        self.probe_at = 0;
    }

    /// Whether the server has asked to be left alone for longer than until `at`.
    pub fn is_spared_after(&self, at: u64) -> bool {
        self.spared_until > at
    }

    /// A request may go though the server has asked to be left alone: else what waits would be given up
    /// without a try.
    pub fn spare_no_longer(&mut self) {
        self.spared_until = 0;
    }

    /// A request is on its way. Returns its number.
    pub fn count_request(&mut self) -> u64 {
        self.in_flight += 1;
        self.concurrency.count_request()
    }

    /// A request came back with an answer that shows the server at work, `in_time` or barely so. Says
    /// whether it had been failing: then those who waited may go on.
    pub fn worked(&mut self, in_time: bool, now: Now) -> bool {
        let was_failing = self.is_failing();
        if in_time {
            self.concurrency.grow(self.in_flight, now.mono_ms);
        }
        self.in_flight -= 1;
        self.failures = 0;
        self.worked_at = now.mono_ms;
        self.why.clear();
        self.is_doubtful = false;
        self.has_answered = true;
        was_failing
    }

    /// It stored something.
    pub fn stored(&mut self) {
        self.refused_singles = 0;
    }

    /// It refused a single enrichment.
    pub fn refused_single(&mut self) {
        self.refused_singles = self.refused_singles.saturating_add(1);
    }

    /// Whether it refuses plainly all, see [`Outbox::halve`](super::outbox::Outbox::halve).
    pub fn refuses_all(&self) -> bool {
        self.refused_singles >= GENERAL_REFUSAL
    }

    /// When it last answered well, on the forward clock.
    pub fn worked_at(&self) -> u64 {
        self.worked_at
    }

    /// Why a request to it failed since it last answered well; empty where none did.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// A request to it failed because of `why`.
    pub fn note_failure(&mut self, why: &str) {
        why.clone_into(&mut self.why);
    }

    /// A request was torn down by its sender's runtime: that says nothing of the server.
    pub fn lost(&mut self) {
        self.in_flight -= 1;
    }

    /// A request failed in a way that may pass.
    pub fn failed(&mut self, failure: &Failure, now: Now, random: &mut fastrand::Rng) {
        self.in_flight -= 1;
        if failure.is_overload {
            self.concurrency.halve(failure.request, now.mono_ms);
        }
        if let Some(after_ms) = failure.after_ms {
            self.spared_until = self.spared_until.max(now.mono_ms.saturating_add(after_ms));
        }
        if failure.request > self.failed_after {
            self.failed_after = self.concurrency.last_sent();
            self.failures = self.failures.saturating_add(1);
            self.probe_at = now.mono_ms.saturating_add(match failure.after_ms {
                Some(_) => 0,
                None => backoff_ms(self.failures, random),
            });
        }
    }
}

/// How a request failed.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    /// Its number, see [`Server::count_request`].
    pub request: u64,
    /// Whether it shows that the server bears less than it was sent: 429, 503, or no answer.
    pub is_overload: bool,
    /// Milliseconds for which the server asks to be left alone.
    pub after_ms: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono_ms: u64) -> Now {
        Now { mono_ms, unix_ms: 0 }
    }

    fn server() -> Server {
        Server::new("https://x".into(), 0, Place::ServerProcess)
    }

    fn overload(request: u64, after_ms: Option<u64>) -> Failure {
        Failure { request, is_overload: true, after_ms }
    }

    #[test]
    fn a_failing_server_gets_one_probe_at_a_time_and_heals_at_once() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut server = server();
        for round in 0..2 {
            let sent: Vec<u64> = (0..3).map(|_| server.count_request()).collect();
            for request in sent {
                server.failed(&overload(request, Some(1_000)), at(10), &mut random);
            }
            assert_eq!(server.is_failing(), round == 1);
        }
        assert!(!server.has_room(0, at(1_009)), "it asked for a second");
        assert!(server.has_room(0, at(1_010)));
        server.count_request();
        assert!(!server.has_room(0, at(5_000)), "one probe at a time");
        assert!(server.worked(true, at(5_000)), "those who waited are to be told");
        assert!(server.has_room(0, at(5_000)));
    }

    #[test]
    fn what_fails_together_is_one_failure() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut server = server();
        let sent: Vec<u64> = (0..10).map(|_| server.count_request()).collect();
        for request in sent {
            assert!(!server.is_failing());
            server.failed(&overload(request, None), at(0), &mut random);
        }
        assert!(!server.is_failing());
    }

    #[test]
    fn one_failure_between_successes_is_chance() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut server = server();
        for _ in 0..10 {
            let request = server.count_request();
            server.failed(&overload(request, None), at(0), &mut random);
            assert!(!server.is_failing());
            server.count_request();
            assert!(!server.worked(true, at(0)));
        }
    }

    #[test]
    fn who_asks_to_be_left_alone_is_whatever_else_is_known() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut server = server();
        let (first, _) = (server.count_request(), server.count_request());
        server.failed(&overload(first, Some(2_000)), at(0), &mut random);
        assert!(!server.worked(true, at(1)));
        server.may_be_asked();
        assert!(!server.has_room(0, at(1_999)));
        assert!(server.has_room(0, at(2_000)));
    }

    #[test]
    fn the_lowest_max_concurrency_of_open_tracers_counts() {
        let mut server = server();
        server.allow(3);
        server.allow(1);
        server.allow(1);
        let room = |server: &Server| server.has_room(0, at(0));
        server.count_request();
        server.allow_no_more(1);
        assert!(!room(&server));
        server.allow_no_more(1);
        assert!(room(&server));
    }
}
