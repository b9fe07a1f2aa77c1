//! The time that counts against deadlines: while a request is tried and fails, and while its server answers
//! nothing well. To wait for one's turn behind a server that answers costs an enrichment nothing.
//!
//! Each outbox has such a clock. It runs in stretches: one from each sending on, through failures and the
//! waits before retries; one while the session waits for its turn. A stretch that ends well (with an
//! answer to the session's own request; for one that waited, with an answer to anybody's) is forgiven
//! as if it had not been. So a server that answers keeps nobody's deadline running, and one that hangs
//! or fails is given up `deadlineMs` after it began to, by those as well who never had their turn.

use super::time::NEVER;

/// Milliseconds that counted so far, and the stretch that may come to count.
#[derive(Clone, Copy, Debug)]
pub struct DeadlineClock {
    counted: u64,
    /// When the stretch began, on the forward clock; it may be to come.
    from: u64,
    /// Whether it is one of a request that is on its way, or waits to be tried again.
    is_trying: bool,
}

impl DeadlineClock {
    /// Before anything has counted.
    pub const START: DeadlineClock = DeadlineClock { counted: 0, from: 0, is_trying: false };

    /// What it says at `at_ms` on the forward clock.
    pub fn reading(&self, at_ms: u64) -> u64 {
        self.counted.saturating_add(at_ms.saturating_sub(self.from))
    }

    /// What it says at the deadline of something given at `given_ms` that has `deadline_ms`.
    pub fn deadline(&self, given_ms: u64, deadline_ms: u64) -> u64 {
        self.reading(given_ms).saturating_add(deadline_ms)
    }

    /// When it comes to `deadline` if all that is to come counts, on the forward clock; [`NEVER`] where it
    /// has come to that.
    pub fn reaches(&self, deadline: u64, now_ms: u64) -> u64 {
        match deadline.checked_sub(self.reading(now_ms)) {
            None | Some(0) => NEVER,
            Some(left) if deadline < NEVER => now_ms.max(self.from).saturating_add(left),
            Some(_) => NEVER,
        }
    }

    /// A request is sent.
    pub fn begin_try(&mut self, now_ms: u64) {
        self.end_stretch(now_ms);
        self.is_trying = true;
    }

    /// What failed may be tried again from `at_ms` on: from then it waits for its turn.
    pub fn wait_for_turn(&mut self, at_ms: u64, now_ms: u64) {
        if std::mem::take(&mut self.is_trying) {
            self.end_stretch(at_ms.clamp(self.from.min(now_ms), now_ms));
        }
        self.from = self.from.min(now_ms);
    }

    /// Nothing is to be sent before `at_ms`, which is nobody's fault.
    pub fn rest_until(&mut self, at_ms: u64) {
        if !self.is_trying {
            self.from = self.from.max(at_ms);
        }
    }

    /// The server has answered somebody well at `at_ms`. Says whether a wait was forgiven.
    pub fn server_worked(&mut self, at_ms: u64) -> bool {
        let is_forgiven = !self.is_trying && at_ms > self.from;
        if is_forgiven {
            self.from = at_ms;
        }
        is_forgiven
    }

    /// The session's own request was answered well.
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
