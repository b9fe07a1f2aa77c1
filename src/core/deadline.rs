//! The clock of deadlines, which counts only the time for which a server fails: while a request is tried and fails, and
//! while its server answers no request well. Waiting for a turn at a server that answers costs an enrichment nothing.
//!
//! Each outbox has such a clock. It measures stretches of time: one from each request on, through its failures and the
//! waits before retries, and one while the session waits for its turn. A stretch that ends well is forgiven, as if it
//! had never been. A stretch of trying ends well with an answer to the session's own request, a stretch of waiting with
//! an answer to any request. So no deadline runs down while a server answers, and a server that hangs or fails is given
//! up `deadlineMs` after it started to, also by sessions that never had their turn.

use super::time::NEVER;

/// The milliseconds counted so far, and the current stretch, which counts unless it is forgiven.
#[derive(Clone, Copy, Debug)]
pub struct DeadlineClock {
    counted: u64,
    /// When the stretch begins, on the forward clock. That may be in the future.
    from: u64,
    /// Whether the stretch is one of trying: a request is in flight, or waits for its retry.
    is_trying: bool,
}

impl DeadlineClock {
    /// A clock that has not counted anything.
    pub const START: DeadlineClock = DeadlineClock { counted: 0, from: 0, is_trying: false };

    /// The clock's reading at `at_ms` on the forward clock.
    pub fn reading(&self, at_ms: u64) -> u64 {
        self.counted.saturating_add(at_ms.saturating_sub(self.from))
    }

    /// The reading at which something accepted at `given_ms` is given up, if it may take `deadline_ms`.
    pub fn deadline(&self, given_ms: u64, deadline_ms: u64) -> u64 {
        self.reading(given_ms).saturating_add(deadline_ms)
    }

    /// When the clock reads `deadline` if all time from now on counts, on the forward clock; [`NEVER`] if it already
    /// does.
    pub fn reaches(&self, deadline: u64, now_ms: u64) -> u64 {
        match deadline.checked_sub(self.reading(now_ms)) {
            None | Some(0) => NEVER,
            Some(left) if deadline < NEVER => now_ms.max(self.from).saturating_add(left),
            Some(_) => NEVER,
        }
    }

    /// Begins a stretch of trying: a request is sent.
    pub fn begin_try(&mut self, now_ms: u64) {
        self.end_stretch(now_ms);
        self.is_trying = true;
    }

    /// Begins a stretch of waiting at `at_ms`, when something that failed may be retried.
    pub fn wait_for_turn(&mut self, at_ms: u64, now_ms: u64) {
        if std::mem::take(&mut self.is_trying) {
            self.end_stretch(at_ms.clamp(self.from.min(now_ms), now_ms));
        }
        self.from = self.from.min(now_ms);
    }

    /// Stops the clock until `at_ms`, because nothing is due before.
    pub fn rest_until(&mut self, at_ms: u64) {
        if !self.is_trying {
            self.from = self.from.max(at_ms);
        }
    }

    /// Records that the server answered any request well at `at_ms`. Returns whether that forgave a stretch of waiting.
    pub fn server_worked(&mut self, at_ms: u64) -> bool {
        let is_forgiven = !self.is_trying && at_ms > self.from;
        if is_forgiven {
            self.from = at_ms;
        }
        is_forgiven
    }

    /// Records that the session's own request was answered well.
    pub fn own_request_worked(&mut self, now_ms: u64) {
        self.is_trying = false;
        self.from = now_ms;
    }

    fn end_stretch(&mut self, at_ms: u64) {
        self.counted = self.reading(at_ms);
        self.from = at_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failing_tries_and_the_waits_between_them_count() {
        let mut clock = DeadlineClock::START;
        clock.own_request_worked(100);
        let deadline = clock.deadline(100, 1_000);
        clock.begin_try(100);
        assert_eq!(clock.reaches(deadline, 300), 1_100, "it failed at 300");
        clock.wait_for_turn(500, 500);
        clock.begin_try(500);
        assert_eq!(clock.reaches(deadline, 900), 1_100);
        assert_eq!(clock.reaches(deadline, 1_100), NEVER);
        assert_eq!(clock.reading(1_100), deadline);
    }

    #[test]
    fn waiting_behind_a_server_that_answers_does_not_count() {
        let mut clock = DeadlineClock::START;
        clock.own_request_worked(0);
        let deadline = clock.deadline(0, 1_000);
        assert!(clock.server_worked(900));
        assert_eq!(clock.reaches(deadline, 900), 1_900);
        assert!(clock.server_worked(1_500));
        clock.begin_try(1_600);
        assert!(!clock.server_worked(1_700), "what answers others does not answer it");
        assert_eq!(clock.reading(2_000), 500);
    }

    #[test]
    fn waiting_behind_a_server_that_answers_nothing_counts() {
        let mut clock = DeadlineClock::START;
        clock.own_request_worked(0);
        let deadline = clock.deadline(0, 1_000);
        assert_eq!(clock.reaches(deadline, 400), 1_000);
        clock.begin_try(400);
        assert_eq!(clock.reaches(deadline, 600), 1_000);
    }

    #[test]
    fn a_window_does_not_count() {
        let mut clock = DeadlineClock::START;
        clock.own_request_worked(0);
        clock.rest_until(5_000);
        let deadline = clock.deadline(3_000, 1_000);
        assert_eq!(clock.reaches(deadline, 4_000), 6_000);
        clock.wait_for_turn(0, 4_500);
        assert_eq!(clock.reaches(deadline, 4_500), 5_500, "somebody was in a hurry");
    }

    #[test]
    fn what_program_stood_still_for_after_a_wait_is_waiting_for_its_turn() {
        let mut clock = DeadlineClock::START;
        clock.begin_try(0);
        clock.wait_for_turn(200, 60_000);
        assert!(clock.server_worked(59_000));
        assert_eq!(clock.reading(60_000), 1_200);
    }
}
