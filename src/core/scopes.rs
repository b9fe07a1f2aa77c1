//! Request scopes: the calls of each that have not ended, and what is to be reported in it.
//!
//! On Workers nothing of one request may be continued in another. So a request sends what was queued in it, and gets the
//! reports about that, whichever request sent it. Scope 0 is outside of any request: what is queued there is sent by
//! the scope that polls first. Everywhere but on Workers and Vercel it is the only one.
//!
//! A runtime may tear a request down at any time, without telling anyone. A scope with unfinished calls polls now and
//! then. If it stops polling, other scopes may send its queued updates. It may only be late, because the machine is
//! busy. If all of its calls have ended and it stays silent for long, it is gone for good.

use std::collections::VecDeque;

use super::id_map::FixedMap;
use super::outcome::Output;
use super::policy::{
    LOOK_ACROSS_MAX_MS, LOOK_ACROSS_MS, SCOPE_ABSENT_AFTER, SCOPE_GONE_AFTER, SCOPE_SILENCE_MS,
};
use super::time::NEVER;
use super::timers::{Timer, Timers};

#[derive(Debug, Default)]
struct Scope {
    /// How many of its calls have not ended.
    unsettled: u64,
    /// What is to be reported in it, the next one first.
    reports: VecDeque<Output>,
    /// The outboxes with something of it that may send, in one line for each server. Some may have been sent since.
    lines: Vec<(u64, VecDeque<u64>)>,
    /// When it is to look at its outboxes and waits. Some of these times count no more: a look too many harms nobody, and
    /// they are purged before they outnumber the others.
    looks: Timers,
    /// The servers that its requests are on their way to, once for each request.
    flights: Vec<u64>,
    /// How many of its flushes and closes wait.
    waits: usize,
    /// When it is checked next for missed polls.
    check_at: u64,
    /// Whether it has polled since the last check.
    has_polled: bool,
    /// How many checks in a row it has missed.
    silences: u32,
}

/// The result of checking a scope for missed polls.
#[derive(Debug)]
pub enum ScopeCheck {
    /// It has ended, or is to be checked at another time.
    NotDue,
    /// It is to be checked again at this time.
    Again(u64),
    /// It has stopped polling, so other scopes may send what it left. It is to be checked again at this time.
    Absent(u64),
    /// It is gone, with these reports.
    Gone(VecDeque<Output>),
}

/// The scopes with unfinished calls, reports or requests, by number: one, or as many as a Worker serves requests at a time. They are boxed,
/// because a map has more room than it has scopes.
#[derive(Debug, Default)]
pub struct Scopes(FixedMap<u64, Box<Scope>>);

impl Scopes {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// How many looks they have planned.
    pub fn looks(&self) -> usize {
        self.0.values().map(|scope| scope.looks.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Records that `scope` polls or is given a call. Returns when to check it for missed polls, if it was not known
    /// before.
    pub fn enter(&mut self, scope: u64, now_ms: u64) -> Option<u64> {
        if let Some(known) = self.find_mut(scope) {
            known.has_polled = true;
            return None;
        }
        let check_at = now_ms.saturating_add(SCOPE_SILENCE_MS);
        self.0.insert(scope, Box::new(Scope { check_at, ..Scope::default() }));
        (scope != 0).then_some(check_at)
    }

    /// Records a call in `scope`, whose end will be reported. The scope looks at it at `at`.
    pub fn begin_call(&mut self, scope: u64, at: u64, timer: Timer) {
        if let Some(scope) = self.find_mut(scope) {
            scope.unsettled += 1;
        }
        self.look_at(scope, at, timer);
    }

    /// `scope` is to look at the outbox or wait of `timer` at `at`. Outside of requests the registry's own timers do that.
    pub fn look_at(&mut self, scope: u64, at: u64, timer: Timer) {
        if scope != 0
            && at < NEVER
            && let Some(scope) = self.find_mut(scope)
        {
            scope.looks.set(at, timer);
        }
    }

    /// What `scope` is to look at next, if it is due.
    pub fn next_look(&mut self, scope: u64, now_ms: u64) -> Option<Timer> {
        Some(self.find_mut(scope)?.looks.take_due(now_ms)?.1)
    }

    /// When `scope` is to look next.
    pub fn looks_at(&self, scope: u64) -> u64 {
        self.find(scope).map_or(NEVER, |scope| scope.looks.next_at())
    }

    /// Removes the looks of `scope` for which `is_current` returns false, if there are too many.
    pub fn purge_looks(&mut self, scope: u64, is_current: &dyn Fn(u64, Timer) -> bool) {
        if let Some(scope) = self.find_mut(scope).filter(|scope| scope.looks.need_purge()) {
            scope.looks.purge(is_current);
        }
    }

    /// Puts an outbox with something of `scope` in line for `server`. Outside of requests the servers have lines of their
    /// own.
    pub fn line_up(&mut self, scope: u64, server: u64, outbox: u64) {
        let Some(scope) = self.find_mut(scope).filter(|_| scope != 0) else { return };
        match scope.lines.iter_mut().find(|(to, _)| *to == server) {
            Some((_, line)) => line.push_back(outbox),
            None => scope.lines.push((server, VecDeque::from([outbox]))),
        }
    }

    /// The lines of `scope`: each with its server, and with the outboxes that stand in it. The first line has its turn.
    pub fn lines(&self, scope: u64) -> &[(u64, VecDeque<u64>)] {
        self.find(scope).map_or(&[], |scope| &scope.lines)
    }

    /// Gives the turn to the next line of `scope`. If the first outbox of the line that had its turn was sent or is not
    /// ready, it `leaves` the line.
    pub fn turn_lines(&mut self, scope: u64, leaves: bool) {
        let Some(lines) = self.find_mut(scope).map(|scope| &mut scope.lines) else { return };
        let (server, mut line) = lines.remove(0);
        if leaves {
            line.pop_front();
        }
        if !line.is_empty() {
            lines.push((server, line));
        }
    }

    /// A flush or close begins to wait in `scope`.
    pub fn begin_wait(&mut self, scope: u64) {
        if let Some(scope) = self.find_mut(scope) {
            scope.waits += 1;
        }
    }

    /// A flush or close waits in `scope` no more.
    pub fn end_wait(&mut self, scope: u64) {
        if let Some(scope) = self.find_mut(scope) {
            scope.waits -= 1;
        }
    }

    /// Whether a flush or close waits in `scope`.
    pub fn has_waits(&self, scope: u64) -> bool {
        self.find(scope).is_some_and(|scope| scope.waits > 0)
    }

    /// Records that a call in `scope` has ended.
    pub fn end_call(&mut self, scope: u64) {
        if let Some(scope) = self.find_mut(scope) {
            scope.unsettled = scope.unsettled.saturating_sub(1);
        }
    }

    /// Adds `output` to the reports of `scope`.
    pub fn report(&mut self, scope: u64, output: Output) {
        if let Some(scope) = self.find_mut(scope) {
            scope.reports.push_back(output);
        }
    }

    /// Records that a request to `server` is sent in `scope`.
    pub fn begin_flight(&mut self, scope: u64, server: u64) {
        if let Some(scope) = self.find_mut(scope) {
            scope.flights.push(server);
        }
    }

    /// Records that a request to `server` is in flight in `scope` no more.
    pub fn end_flight(&mut self, scope: u64, server: u64) {
        if let Some(scope) = self.find_mut(scope) {
            remove_one(&mut scope.flights, server);
        }
    }

    /// The servers that requests of `scope` are on their way to, once for each request.
    pub fn in_flight(&self, scope: u64) -> &[u64] {
        self.find(scope).map_or(&[], |scope| &scope.flights)
    }

    /// Whether `scope` waits for an answer, which will wake it.
    pub fn has_flights(&self, scope: u64) -> bool {
        !self.in_flight(scope).is_empty()
    }

    /// Records that `scope` has polled.
    pub fn mark_alive(&mut self, scope: u64) {
        if let Some(scope) = self.find_mut(scope) {
            scope.has_polled = true;
        }
    }

    /// Removes and returns the next report of `scope`, or else of those outside of any scope. A scope without reports and
    /// unfinished calls is forgotten.
    pub fn next_report(&mut self, scope: u64) -> Option<Output> {
        for number in [scope, 0] {
            let Some(of) = self.find_mut(number) else { continue };
            if let Some(report) = of.reports.pop_front() {
                return Some(report);
            }
            if of.unsettled == 0 && of.flights.is_empty() {
                self.0.remove(&number);
            }
        }
        None
    }

    /// Whether `scope` has unfinished calls, reports, or requests in flight.
    pub fn is_busy(&self, scope: u64) -> bool {
        self.find(scope).is_some_and(|scope| {
            scope.unsettled > 0 || !scope.reports.is_empty() || !scope.flights.is_empty()
        })
    }

    /// Milliseconds until a request looks again at what another one does on its behalf. The more
    /// there are, the less often each looks.
    pub fn look_across_ms(&self) -> u64 {
        (self.0.len() as u64).clamp(LOOK_ACROSS_MS, LOOK_ACROSS_MAX_MS)
    }

    /// When `scope` is checked next.
    pub fn checks_at(&self, scope: u64) -> Option<u64> {
        self.find(scope).map(|scope| scope.check_at)
    }

    /// Checks `scope` for missed polls.
    pub fn check(&mut self, scope: u64, now_ms: u64) -> ScopeCheck {
        let Some(of) = self.find_mut(scope).filter(|of| of.check_at <= now_ms) else {
            return ScopeCheck::NotDue;
        };
        of.silences = if std::mem::take(&mut of.has_polled) { 0 } else { of.silences + 1 };
        if of.silences >= SCOPE_GONE_AFTER && of.unsettled == 0 {
            let reports = std::mem::take(&mut of.reports);
            self.0.remove(&scope);
            return ScopeCheck::Gone(reports);
        }
        of.check_at = now_ms.saturating_add(SCOPE_SILENCE_MS);
        match of.silences {
            SCOPE_ABSENT_AFTER => ScopeCheck::Absent(of.check_at),
            _ => ScopeCheck::Again(of.check_at),
        }
    }

    fn find(&self, number: u64) -> Option<&Scope> {
        self.0.get(&number).map(Box::as_ref)
    }

    fn find_mut(&mut self, number: u64) -> Option<&mut Scope> {
        self.0.get_mut(&number).map(Box::as_mut)
    }
}

/// Removes `number` once from `numbers`, whose order does not matter.
fn remove_one(numbers: &mut Vec<u64>, number: u64) {
    if let Some(place) = numbers.iter().position(|it| *it == number) {
        numbers.swap_remove(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_of_requests_no_session_is_remembered() {
        let mut scopes = Scopes::default();
        for scope in [0, 1] {
            scopes.enter(scope, 0);
            for outbox in 1..=100 {
                scopes.look_at(scope, 5, Timer::Outbox(outbox));
                scopes.line_up(scope, 9, outbox);
            }
        }
        assert!(
            scopes.looks_at(0) == NEVER && scopes.lines(0).is_empty(),
            "nobody asks for them, and nobody would forget them"
        );
        assert_eq!((scopes.looks_at(1), scopes.lines(1)[0].1.len()), (5, 100));
    }

    #[test]
    fn servers_take_turns() {
        let mut scopes = Scopes::default();
        scopes.enter(1, 0);
        for (server, outbox) in [(7, 1), (7, 2), (7, 3), (8, 4), (8, 5)] {
            scopes.line_up(1, server, outbox);
        }
        let mut next = |leaves| {
            let (server, line) = scopes.lines(1).first()?;
            let next = (*server, line[0]);
            scopes.turn_lines(1, leaves);
            Some(next)
        };
        assert_eq!((next(false), next(false)), (Some((7, 1)), Some((8, 4))));
        let all = std::iter::from_fn(|| next(true));
        assert!(all.eq([(7, 1), (8, 4), (7, 2), (8, 5), (7, 3)]));
    }
}
