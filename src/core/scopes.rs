//! Request scopes: what was given in each and has not ended, and what is to be told in it.
//!
//! On Workers nothing of one request may be continued in another, so a request sends what it
//! queued itself, and is told the outcome itself, whichever request sent it. Scope 0 is outside
//! of any request: what is queued there goes out with whoever looks first. Everywhere but on
//! Workers and Vercel it is the only one.
//!
//! A runtime may tear a request down at any time, and tells nobody. A scope in which something
//! goes on comes to look every now and then. What one that does not has left unsent, others may
//! send. It may yet come, where a busy machine made it late; when nothing of it is unsettled any
//! more and it was silent for long, it is gone for good.

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
    unsettled: u64,
    told: VecDeque<Output>,
    /// The outboxes with something of it that may send, in one line for each server. Some may have been sent since.
    lines: Vec<(u64, VecDeque<u64>)>,
    /// When it is to look at its outboxes and waits. Some of these times count no more: a look too many harms nobody.
    looks: Timers,
    /// The servers that its requests are on their way to, once for each request.
    flights: Vec<u64>,
    /// How many of its flushes and closes wait.
    waits: usize,
    /// When it is asked for next whether it came.
    ask_at: u64,
    came: bool,
    /// How often in a row it had not come when it was asked for.
    silences: u32,
}

/// What became of a scope that was asked for.
#[derive(Debug)]
pub enum Found {
    /// It ended, or is asked for at another time.
    Nothing,
    /// It is asked for again then.
    AskAgain(u64),
    /// As above; and what it left, others may send.
    Absent(u64),
    /// It is gone, with what was to be told in it.
    Gone(VecDeque<Output>),
}

/// The scopes in which anything goes on, by number: one, or as many as a Worker serves requests at a time. They are boxed,
/// because a map has more room than it has scopes.
#[derive(Debug, Default)]
pub struct Scopes(FixedMap<u64, Box<Scope>>);

impl Scopes {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Something goes on in `scope`. Says when to ask whether it came, where nothing went on in it
    /// before.
    pub fn enter(&mut self, scope: u64, now_ms: u64) -> Option<u64> {
        if let Some(known) = self.find_mut(scope) {
            known.came = true;
            return None;
        }
        let ask_at = now_ms.saturating_add(SCOPE_SILENCE_MS);
        self.0.insert(scope, Box::new(Scope { ask_at, ..Scope::default() }));
        (scope != 0).then_some(ask_at)
    }

    /// Something was given in `scope` that will end. The scope looks at it at `at`.
    pub fn give(&mut self, scope: u64, at: u64, timer: Timer) {
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

    /// Something that was given in `scope` has ended.
    pub fn leave(&mut self, scope: u64) {
        if let Some(scope) = self.find_mut(scope) {
            scope.unsettled = scope.unsettled.saturating_sub(1);
        }
    }

    /// `output` is to be told in `scope`.
    pub fn tell(&mut self, scope: u64, output: Output) {
        if let Some(scope) = self.find_mut(scope) {
            scope.told.push_back(output);
        }
    }

    /// A request to `server` is on its way in `scope`.
    pub fn sent(&mut self, scope: u64, server: u64) {
        if let Some(scope) = self.find_mut(scope) {
            scope.flights.push(server);
        }
    }

    /// A request to `server` is on its way in `scope` no more.
    pub fn landed(&mut self, scope: u64, server: u64) {
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

    /// `scope` came to look.
    pub fn came(&mut self, scope: u64) {
        if let Some(scope) = self.find_mut(scope) {
            scope.came = true;
        }
    }

    /// What is to be told in `scope` next, or outside of any. With nothing more to tell, a scope
    /// in which nothing goes on is let go.
    pub fn next_told(&mut self, scope: u64) -> Option<Output> {
        for number in [scope, 0] {
            let Some(of) = self.find_mut(number) else { continue };
            if let Some(told) = of.told.pop_front() {
                return Some(told);
            }
            if of.unsettled == 0 && of.flights.is_empty() {
                self.0.remove(&number);
            }
        }
        None
    }

    /// Whether anything given in `scope` has not ended, or its end was not told yet.
    pub fn is_busy(&self, scope: u64) -> bool {
        self.find(scope).is_some_and(|scope| {
            scope.unsettled > 0 || !scope.told.is_empty() || !scope.flights.is_empty()
        })
    }

    /// Milliseconds until a request looks again at what another one does on its behalf. The more
    /// there are, the less often each looks.
    pub fn look_across_ms(&self) -> u64 {
        (self.0.len() as u64).clamp(LOOK_ACROSS_MS, LOOK_ACROSS_MAX_MS)
    }

    /// When `scope` is asked for next.
    pub fn asks_at(&self, scope: u64) -> Option<u64> {
        self.find(scope).map(|scope| scope.ask_at)
    }

    /// Asks for `scope`.
    pub fn ask_for(&mut self, scope: u64, now_ms: u64) -> Found {
        let Some(of) = self.find_mut(scope).filter(|of| of.ask_at <= now_ms) else {
            return Found::Nothing;
        };
        of.silences = if std::mem::take(&mut of.came) { 0 } else { of.silences + 1 };
        if of.silences >= SCOPE_GONE_AFTER && of.unsettled == 0 {
            let told = std::mem::take(&mut of.told);
            self.0.remove(&scope);
            return Found::Gone(told);
        }
        of.ask_at = now_ms.saturating_add(SCOPE_SILENCE_MS);
        match of.silences {
            SCOPE_ABSENT_AFTER => Found::Absent(of.ask_at),
            _ => Found::AskAgain(of.ask_at),
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
