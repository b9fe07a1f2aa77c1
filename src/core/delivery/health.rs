//! The health of one backend server: how many requests it bears at once, whether it fails, and until when it
//! has asked to be left alone.
//!
//! While a server fails, one request probes and the others wait (a half-open circuit breaker), so that a
//! thousand sessions do not hammer a backend that is down.

use crate::core::concurrency::{Concurrency, Place};
use crate::core::policy::{FAILING_AFTER, GENERAL_REFUSAL, PAGE_SLOW_MS};
use crate::core::retry::backoff_ms;
use crate::core::time::{NEVER, Now};
use crate::core::wire::{Answer, Verdict};

/// What is known of the health of one server.
#[derive(Debug)]
pub struct Health {
    concurrency: Concurrency,
    /// The values of `maxConcurrency` that open tracers have, each with how many have it. There are no more
    /// values than [`MOST_AT_ONCE`](crate::core::policy::MOST_AT_ONCE).
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
    /// Whether it last answered that it has too much to do.
    is_busy: bool,
}

/// A request that was sent to the server, as its health remembers it.
#[derive(Clone, Copy, Debug)]
pub struct SentRequest {
    /// Its number, by which it is known whether it was sent before or after a failure.
    number: u64,
    /// When it was sent, on the forward clock.
    sent_at: u64,
    /// Milliseconds that it may take.
    pub timeout_ms: u64,
    /// Whether that is less than a request is granted else: a deadline is near.
    is_cut_short: bool,
}

impl SentRequest {
    /// Whether it was given up before a request of that server usually is.
    fn was_cut_short(&self, answer: &Answer, now: Now) -> bool {
        let took_ms = now.mono_ms.saturating_sub(self.sent_at);
        self.is_cut_short && took_ms >= self.timeout_ms && matches!(answer, Answer::None { .. })
    }

    /// Whether it is open for so long that the server may never answer.
    pub fn is_slow(&self, now: Now) -> bool {
        now.mono_ms.saturating_sub(self.sent_at) >= PAGE_SLOW_MS
    }
}

/// What an answer changed for those who wait for the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It failed, and works again: those who waited may go on.
    WorksAgain,
    /// It may be asked again at this time, which is another than before.
    ResumesAt(u64),
    /// Nothing.
    None,
}

impl Health {
    /// The health of a server of which nothing is known.
    pub fn new(place: Place) -> Health {
        Health {
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
            is_busy: false,
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

    /// Whether it last answered that it has too much to do: that a network is back changes nothing of that.
    pub fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// When what waits for its turn is to be looked at again, where it is given up at `gives_up_at`: then, or
    /// where the server has asked to be left alone for longer, in time for one try. When that time has come, the
    /// server is spared no longer: else what waits would be given up without a try.
    pub fn try_or_give_up_at(
        &mut self,
        gives_up_at: u64,
        timeout_ms: u64,
        deadline_ms: u64,
        now: Now,
    ) -> u64 {
        let last_try_at = gives_up_at.saturating_sub(timeout_ms.min(deadline_ms / 2));
        if gives_up_at == NEVER || self.spared_until <= last_try_at {
            return gives_up_at;
        }
        if last_try_at > now.mono_ms {
            return last_try_at;
        }
        self.spared_until = 0;
        gives_up_at
    }

    /// A request is sent that may take `timeout_ms`, of the `granted_ms` that a request is granted where no
    /// deadline is near.
    pub fn send_request(&mut self, timeout_ms: u64, granted_ms: u64, now: Now) -> SentRequest {
        self.in_flight += 1;
        SentRequest {
            number: self.concurrency.count_request(),
            sent_at: now.mono_ms,
            timeout_ms,
            is_cut_short: timeout_ms < granted_ms,
        }
    }

    /// The request was answered by `answer`, which comes to `verdict`. Nobody waits for the server longer than
    /// `deadline_ms`, whatever it asks for.
    pub fn finish_request(
        &mut self,
        sent: &SentRequest,
        answer: &Answer,
        verdict: &Verdict,
        deadline_ms: u64,
        now: Now,
        random: &mut fastrand::Rng,
    ) -> Change {
        self.is_doubtful |= matches!(verdict, Verdict::Retry { .. }) && sent.is_slow(now);
        self.is_busy = answer.is_overload() && matches!(answer, Answer::Http { .. });
        match verdict {
            // It had less time than a server is granted.
            Verdict::Retry { .. } if sent.was_cut_short(answer, now) => self.lose_request(),
            Verdict::Retry { after_ms, .. } => {
                let failure = Failure {
                    request: sent.number,
                    is_overload: answer.is_overload(),
                    // A server may ask for a year.
                    after_ms: after_ms.map(|ms| ms.min(deadline_ms)),
                };
                let before = self.resumes_at();
                self.fail(&failure, now, random);
                if let Some(at) = self.resumes_at().filter(|at| Some(*at) != before) {
                    return Change::ResumesAt(at);
                }
            }
            _ => {
                // After more than half of the time a server that had twice as much to do would have been
                // too late.
                let took_ms = now.mono_ms.saturating_sub(sent.sent_at);
                if self.work(2 * took_ms <= sent.timeout_ms, now) {
                    return Change::WorksAgain;
                }
            }
        }
        Change::None
    }

    /// A request came back with an answer that shows the server at work, `in_time` or barely so. Says
    /// whether it had been failing: then those who waited may go on.
    fn work(&mut self, in_time: bool, now: Now) -> bool {
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
    pub fn note_stored(&mut self) {
        self.refused_singles = 0;
    }

    /// It refused a single enrichment.
    pub fn note_refused_single(&mut self) {
        self.refused_singles = self.refused_singles.saturating_add(1);
    }

    /// Whether it refuses plainly all, see [`Halving`](super::halving::Halving).
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
    pub fn lose_request(&mut self) {
        self.in_flight -= 1;
    }

    /// A request failed in a way that may pass.
    fn fail(&mut self, failure: &Failure, now: Now, random: &mut fastrand::Rng) {
        self.in_flight -= 1;
        if failure.is_overload {
            self.concurrency.halve(failure.request, failure.after_ms.is_some(), now.mono_ms);
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
struct Failure {
    /// Its number, see [`SentRequest`].
    request: u64,
    /// Whether it shows that the server bears less than it was sent: 429, 503, or no answer.
    is_overload: bool,
    /// Milliseconds for which the server asks to be left alone.
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

    fn overload(request: u64, after_ms: Option<u64>) -> Failure {
        Failure { request, is_overload: true, after_ms }
    }

    #[test]
    fn a_failing_server_gets_one_probe_at_a_time_and_heals_at_once() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut server = server();
        for round in 0..2 {
            let sent: Vec<u64> = (0..3).map(|_| count_request(&mut server)).collect();
            for request in sent {
                server.fail(&overload(request, Some(1_000)), at(10), &mut random);
            }
            assert_eq!(server.is_failing(), round == 1);
        }
        assert!(!server.has_room(0, at(1_009)), "it asked for a second");
        assert!(server.has_room(0, at(1_010)));
        count_request(&mut server);
        assert!(!server.has_room(0, at(5_000)), "one probe at a time");
        assert!(server.work(true, at(5_000)), "those who waited are to be told");
        assert!(server.has_room(0, at(5_000)));
    }

    #[test]
    fn what_fails_together_is_one_failure() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut server = server();
        let sent: Vec<u64> = (0..10).map(|_| count_request(&mut server)).collect();
        for request in sent {
            assert!(!server.is_failing());
            server.fail(&overload(request, None), at(0), &mut random);
        }
        assert!(!server.is_failing());
    }

    #[test]
    fn one_failure_between_successes_is_chance() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut server = server();
        for _ in 0..10 {
            let request = count_request(&mut server);
            server.fail(&overload(request, None), at(0), &mut random);
            assert!(!server.is_failing());
            count_request(&mut server);
            assert!(!server.work(true, at(0)));
        }
    }

    #[test]
    fn who_asks_to_be_left_alone_is_whatever_else_is_known() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut server = server();
        let (first, _) = (count_request(&mut server), count_request(&mut server));
        server.fail(&overload(first, Some(2_000)), at(0), &mut random);
        assert!(!server.work(true, at(1)));
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
        let room = |server: &Health| server.has_room(0, at(0));
        count_request(&mut server);
        server.allow_no_more(1);
        assert!(!room(&server));
        server.allow_no_more(1);
        assert!(room(&server));
    }
}
