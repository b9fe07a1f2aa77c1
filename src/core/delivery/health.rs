//! The health of one backend server: how many requests it can handle at once, whether it is failing, and how long it
//! has asked clients to stay away.
//!
//! While a server is failing, one request probes it and the others wait (a half-open circuit breaker), so that a
//! thousand sessions do not hammer a backend that is down.

use super::limits::last_try_at;
use crate::core::concurrency::{Concurrency, Place};
use crate::core::policy::{FAILING_AFTER, GENERAL_REFUSAL, PAGE_SLOW_MS};
use crate::core::retry::backoff_ms;
use crate::core::time::Now;
use crate::core::wire::{Answer, Verdict};

/// What is known of the health of one server.
#[derive(Debug)]
pub struct Health {
    concurrency: Concurrency,
    /// The values of `maxConcurrency` of open tracers, each with the number of tracers that set it. There are at most
    /// [`MOST_AT_ONCE`](crate::core::policy::MOST_AT_ONCE) values.
    allowed: Vec<(usize, usize)>,
    in_flight: usize,
    /// Rounds of requests that failed since the last success.
    failures: u32,
    /// The number of the last request that had been sent when a failure was counted. Requests up to it belong to the
    /// same round of failures.
    failed_round_ends: u64,
    /// When the next probe of a failing server may be sent.
    probe_at: u64,
    /// Until when the server has asked clients to stay away.
    paused_until: u64,
    /// How many single enrichments in a row the server refused, of any session, with nothing stored in between.
    refused_singles: u32,
    /// When the server last answered well, or was sent the first request after that, on the forward clock. Until
    /// then nobody waited for it.
    worked_at: u64,
    /// Why the last request failed since then; empty if none did.
    why: String,
    /// Whether the server left an earlier request unanswered and has not answered any since.
    is_doubtful: bool,
    /// Whether the server has ever answered.
    has_answered: bool,
    /// Whether the server's last answer said that it is overloaded.
    is_busy: bool,
}

/// What [`Health`] has to know of a request when its answer arrives.
#[derive(Clone, Copy, Debug)]
pub struct SentRequest {
    /// Its number, which tells whether it was sent before or after a failure.
    number: u64,
    /// When it was sent, on the forward clock.
    sent_at: u64,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u64,
    /// Whether its timeout is shorter than usual because a deadline is near.
    is_cut_short: bool,
}

impl SentRequest {
    /// Whether it was aborted earlier than a request usually is, so that its failure says nothing of the server.
    fn was_cut_short(&self, answer: &Answer, now: Now) -> bool {
        let took_ms = now.mono_ms.saturating_sub(self.sent_at);
        self.is_cut_short && took_ms >= self.timeout_ms && matches!(answer, Answer::None { .. })
    }

    /// Whether it has been open for so long that the server may never answer.
    pub fn is_slow(&self, now: Now) -> bool {
        now.mono_ms.saturating_sub(self.sent_at) >= PAGE_SLOW_MS
    }
}

/// How an answer changed a server's health, for everything that waits for that server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthChange {
    /// The server was failing and works again.
    WorksAgain,
    /// The server may next be asked at this time, which has changed.
    ResumesAt(u64),
    /// Nothing changed.
    None,
}

impl Health {
    /// The health of a server that was never asked.
    pub fn new(place: Place) -> Health {
        Health {
            concurrency: Concurrency::new(place),
            allowed: Vec::new(),
            in_flight: 0,
            failures: 0,
            failed_round_ends: 0,
            probe_at: 0,
            paused_until: 0,
            refused_singles: 0,
            worked_at: 0,
            why: String::new(),
            is_doubtful: false,
            has_answered: false,
            is_busy: false,
        }
    }

    /// Adds the limit of a tracer that was opened: `at_most` requests at once.
    pub fn allow(&mut self, at_most: usize) {
        match self.allowed.iter_mut().find(|(value, _)| *value == at_most) {
            Some((_, tracers)) => *tracers += 1,
            None => self.allowed.push((at_most, 1)),
        }
    }

    /// Withdraws the limit of a tracer that was closed.
    pub fn withdraw_limit(&mut self, at_most: usize) {
        if let Some(place) = self.allowed.iter().position(|(value, _)| *value == at_most) {
            self.allowed[place].1 -= 1;
            if self.allowed[place].1 == 0 {
                self.allowed.swap_remove(place);
            }
        }
    }

    /// Whether the server has failed so often in a row that it is only probed.
    pub fn is_failing(&self) -> bool {
        self.failures >= FAILING_AFTER
    }

    /// The earliest time at which the next request may be sent, whatever else is in flight; `None` if any time will do.
    pub fn resumes_at(&self) -> Option<u64> {
        let probe_at = if self.is_failing() { self.probe_at } else { 0 };
        Some(probe_at.max(self.paused_until)).filter(|at| *at > 0)
    }

    /// Whether the server can be expected to answer soon, if only with a refusal. One failure alone does not change
    /// that: browsers fail requests in flight when a page is about to be left.
    pub fn is_trusted(&self) -> bool {
        !self.is_failing() && !self.is_doubtful
    }

    /// Whether the server has ever answered.
    pub fn has_answered(&self) -> bool {
        self.has_answered
    }

    /// Whether the server has answered, and nothing has happened since that would let one expect no further answer.
    pub fn is_proven(&self) -> bool {
        self.has_answered && self.is_trusted()
    }

    /// Marks the server as one that may not answer, until it answers.
    pub fn doubt(&mut self) {
        self.is_doubtful = true;
    }

    /// Whether a request may be sent now from a scope that has `of_scope` requests to the server in flight.
    pub fn has_room(&self, of_scope: usize, now: Now) -> bool {
        let at_most = self.allowed.iter().map(|(value, _)| *value).min().unwrap_or(usize::MAX);
        self.resumes_at().is_none_or(|at| at <= now.mono_ms)
            && !(self.is_failing() && self.in_flight > 0)
            && self.concurrency.has_room(self.in_flight, of_scope, at_most)
    }

    /// Lets the next probe be sent at once, because there is reason to think that the server works again.
    pub fn allow_probe(&mut self) {
        self.probe_at = 0;
    }

    /// Whether the server's last answer said that it is overloaded. A network that comes back does not change that.
    pub fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// When something that waits for its turn and is given up at `gives_up_at` needs attention: at that time, or, where
    /// the server has asked clients to stay away for longer, early enough for one try. Once the time for that try has
    /// come, the pause ends: without that, the entry would be given up untried.
    pub fn try_or_give_up_at(
        &mut self,
        gives_up_at: u64,
        timeout_ms: u64,
        deadline_ms: u64,
        now: Now,
    ) -> u64 {
        let last_try_at = last_try_at(gives_up_at, timeout_ms, deadline_ms);
        if self.paused_until <= last_try_at {
            return gives_up_at;
        }
        if last_try_at > now.mono_ms {
            return last_try_at;
        }
        self.end_pause();
        gives_up_at
    }

    /// Ends the time for which the server has asked clients to stay away. Otherwise an enrichment would be given up
    /// without a try.
    pub fn end_pause(&mut self) {
        self.paused_until = 0;
    }

    /// Records that the server is about to be sent a request. If none was on its way and none had failed, nobody
    /// waited for the server until now, but for something else, such as the page's connections.
    pub fn begin_to_ask(&mut self, now: Now) {
        self.worked_at = self.nobody_waited_until(now);
    }

    /// Records that a request is sent. It may take `timeout_ms`; without a near deadline it would have `granted_ms`.
    pub fn send_request(&mut self, timeout_ms: u64, granted_ms: u64, now: Now) -> SentRequest {
        self.in_flight += 1;
        SentRequest {
            number: self.concurrency.count_request(),
            sent_at: now.mono_ms,
            timeout_ms,
            is_cut_short: timeout_ms < granted_ms,
        }
    }

    /// Records the answer to a request and its `verdict`. The pause that a server may ask for is capped at
    /// `deadline_ms`. If the request was cut short, the verdict gets the reason of an earlier failure, because its own
    /// explains nothing.
    pub fn finish_request(
        &mut self,
        sent: &SentRequest,
        answer: &Answer,
        verdict: &mut Verdict,
        deadline_ms: u64,
        now: Now,
        random: &mut fastrand::Rng,
    ) -> HealthChange {
        self.is_doubtful |= matches!(verdict, Verdict::Retry { .. }) && sent.is_slow(now);
        self.is_busy = answer.is_overload() && matches!(answer, Answer::Http { .. });
        match verdict {
            // The server had less time than usual: its silence proves nothing.
            Verdict::Retry { why, .. } if sent.was_cut_short(answer, now) => {
                if !self.why.is_empty() {
                    self.why.clone_into(why);
                }
                self.lose_request();
            }
            Verdict::Retry { after_ms, .. } => {
                let failure = FailedRequest {
                    request: sent.number,
                    is_overload: answer.is_overload(),
                    // A server may ask for a year.
                    after_ms: after_ms.map(|ms| ms.min(deadline_ms)),
                };
                let before = self.resumes_at();
                self.record_failure(&failure, now, random);
                if let Some(at) = self.resumes_at().filter(|at| Some(*at) != before) {
                    return HealthChange::ResumesAt(at);
                }
            }
            _ => {
                // A server that took more than half of the timeout would have been too late with twice the load,
                // so the limit does not grow.
                let took_ms = now.mono_ms.saturating_sub(sent.sent_at);
                if self.record_success(2 * took_ms <= sent.timeout_ms, now) {
                    return HealthChange::WorksAgain;
                }
            }
        }
        HealthChange::None
    }

    /// Records an answer that shows the server at work; `in_time` unless it was nearly too late. Returns whether the
    /// server had been failing, so that everything that waits for it may go on.
    fn record_success(&mut self, in_time: bool, now: Now) -> bool {
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

    /// Records that the server stored something.
    pub fn note_stored(&mut self) {
        self.refused_singles = 0;
    }

    /// Records that the server refused a single enrichment.
    pub fn note_refused_single(&mut self) {
        self.refused_singles = self.refused_singles.saturating_add(1);
    }

    /// Whether the server plainly refuses everything: see [`Halving`](super::halving::Halving).
    pub fn refuses_all(&self) -> bool {
        self.refused_singles >= GENERAL_REFUSAL
    }

    /// Until when nobody waited for the server, on the forward clock: when it last answered well, or was sent the
    /// first request after that.
    pub fn worked_at(&self) -> u64 {
        self.worked_at
    }

    /// As [`Health::worked_at`]; until now if none of its requests is on its way and none has failed.
    pub fn nobody_waited_until(&self, now: Now) -> u64 {
        match self.in_flight == 0 && self.why.is_empty() {
            true => now.mono_ms,
            false => self.worked_at,
        }
    }

    /// Why the last request failed since the server last answered well; empty if none did.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// Records why a request failed.
    pub fn note_failure(&mut self, why: &str) {
        why.clone_into(&mut self.why);
    }

    /// Records that the runtime tore a request down, which says nothing of the server.
    pub fn lose_request(&mut self) {
        self.in_flight -= 1;
    }

    /// Records a failure that a retry may overcome.
    fn record_failure(&mut self, failure: &FailedRequest, now: Now, random: &mut fastrand::Rng) {
        self.in_flight -= 1;
        if failure.is_overload {
            self.concurrency.halve(failure.request, failure.after_ms.is_some(), now.mono_ms);
        }
        if let Some(after_ms) = failure.after_ms {
            self.paused_until = self.paused_until.max(now.mono_ms.saturating_add(after_ms));
        }
        if failure.request > self.failed_round_ends {
            self.failed_round_ends = self.concurrency.last_sent();
            self.failures = self.failures.saturating_add(1);
            self.probe_at = now.mono_ms.saturating_add(match failure.after_ms {
                Some(_) => 0,
                None => backoff_ms(self.failures, random),
            });
        }
    }
}

/// A request that failed.
#[derive(Clone, Copy, Debug)]
struct FailedRequest {
    /// Its number, see [`SentRequest`].
    request: u64,
    /// Whether the server cannot handle what it was sent: 429, 503, or no answer.
    is_overload: bool,
    /// How long the server asks clients to stay away, in milliseconds.
    after_ms: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono_ms: u64) -> Now {
        Now { mono_ms, unix_ms: 0 }
    }

    fn server() -> Health {
        Health::new(Place::ServerProcess)
    }

    fn count_request(server: &mut Health) -> u64 {
        server.send_request(5_000, 5_000, at(0)).number
    }

    fn overload(request: u64, after_ms: Option<u64>) -> FailedRequest {
        FailedRequest { request, is_overload: true, after_ms }
    }

    #[test]
    fn a_failing_server_gets_one_probe_at_a_time_and_heals_at_once() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut server = server();
        for round in 0..2 {
            let sent: Vec<u64> = (0..3).map(|_| count_request(&mut server)).collect();
            for request in sent {
                server.record_failure(&overload(request, Some(1_000)), at(10), &mut random);
            }
            assert_eq!(server.is_failing(), round == 1);
        }
        assert!(!server.has_room(0, at(1_009)), "it asked for a second");
        assert!(server.has_room(0, at(1_010)));
        count_request(&mut server);
        assert!(!server.has_room(0, at(5_000)), "one probe at a time");
        assert!(server.record_success(true, at(5_000)), "those who waited are to be told");
        assert!(server.has_room(0, at(5_000)));
    }

    #[test]
    fn what_fails_together_is_one_failure() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut server = server();
        let sent: Vec<u64> = (0..10).map(|_| count_request(&mut server)).collect();
        for request in sent {
            assert!(!server.is_failing());
            server.record_failure(&overload(request, None), at(0), &mut random);
        }
        assert!(!server.is_failing());
    }

    #[test]
    fn one_failure_between_successes_is_chance() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut server = server();
        for _ in 0..10 {
            let request = count_request(&mut server);
            server.record_failure(&overload(request, None), at(0), &mut random);
            assert!(!server.is_failing());
            count_request(&mut server);
            assert!(!server.record_success(true, at(0)));
        }
    }

    #[test]
    fn who_asks_to_be_left_alone_is_whatever_else_is_known() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut server = server();
        let (first, _) = (count_request(&mut server), count_request(&mut server));
        server.record_failure(&overload(first, Some(2_000)), at(0), &mut random);
        assert!(!server.record_success(true, at(1)));
        server.allow_probe();
        assert!(!server.has_room(0, at(1_999)));
        assert!(server.has_room(0, at(2_000)));
    }

    #[test]
    fn the_lowest_max_concurrency_of_open_tracers_counts() {
        let mut server = server();
        server.allow(3);
        server.allow(1);
        server.allow(1);
        let room = |server: &Health| server.has_room(0, at(0));
        count_request(&mut server);
        server.withdraw_limit(1);
        assert!(!room(&server));
        server.withdraw_limit(1);
        assert!(room(&server));
    }
}
