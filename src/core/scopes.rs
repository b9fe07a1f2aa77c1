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

use super::id_map::NOTHING;
use super::outcome::Output;
use super::policy::{
    LOOK_ACROSS_MAX_MS, LOOK_ACROSS_MS, SCOPE_ABSENT_AFTER, SCOPE_GONE_AFTER, SCOPE_SILENCE_MS,
};

#[derive(Debug, Default)]
struct Scope {
    unsettled: u64,
    told: VecDeque<Output>,
    /// Those that something of it was put into; of some it may have left again.
    outboxes: Vec<u64>,
    /// The servers that its requests are on their way to, once for each request.
    flights: Vec<u64>,
    /// Until when each of its flushes and closes waits.
    waits: Vec<u64>,
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
    /// As above; and what it left in these outboxes, others may send.
    Absent(u64, Vec<u64>),
    /// It is gone, with what was to be told in it.
    Gone(VecDeque<Output>),
}

/// The scopes in which anything goes on, by number: one, or as many as a Worker serves requests
/// at a time. A sorted list, as numbers mostly go up.
#[derive(Debug, Default)]
pub struct Scopes(Vec<(u64, Scope)>);

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
        let place = match self.place(scope) {
            Ok(place) => {
                self.0[place].1.came = true;
                return None;
            }
            Err(place) => place,
        };
        let ask_at = now_ms.saturating_add(SCOPE_SILENCE_MS);
        self.0.insert(place, (scope, Scope { ask_at, ..Scope::default() }));
        (scope != 0).then_some(ask_at)
    }

    /// Something was given in `scope` that will end; `outbox` is where it was put, or [`NOTHING`].
    /// Outside of requests that is not remembered: all outboxes are looked at there.
    pub fn give(&mut self, scope: u64, outbox: u64) {
        if let Some(of) = self.find_mut(scope) {
            of.unsettled += 1;
        }
        if let Some(of) = self.find_mut(scope).filter(|_| scope != 0)
            && outbox != NOTHING
            && !of.outboxes.contains(&outbox)
        {
            of.outboxes.push(outbox);
        }
    }

    /// A flush or close begins to wait in `scope` until `until`. Outside of requests that is not remembered: there the
    /// timers of all waits fire.
    pub fn begin_wait(&mut self, scope: u64, until: u64) {
        if let Some(scope) = self.find_mut(scope).filter(|_| scope != 0) {
            scope.waits.push(until);
        }
    }

    /// A flush or close that waited until `until` waits in `scope` no more.
    pub fn end_wait(&mut self, scope: u64, until: u64) {
        if let Some(scope) = self.find_mut(scope) {
            remove_one(&mut scope.waits, until);
        }
    }

    /// When the first of the flushes and closes that wait in `scope` is over at the latest.
    pub fn next_wait_until(&self, scope: u64) -> Option<u64> {
        self.find(scope)?.waits.iter().copied().min()
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
            let Ok(place) = self.place(number) else { continue };
            let of = &mut self.0[place].1;
            if let Some(told) = of.told.pop_front() {
                return Some(told);
            }
            if of.unsettled == 0 && of.flights.is_empty() {
                self.0.remove(place);
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

    /// The outboxes that may hold something of `scope`.
    pub fn outboxes(&self, scope: u64) -> &[u64] {
        self.find(scope).map_or(&[], |scope| &scope.outboxes)
    }

    /// The outbox at `place` of `scope` had its turn, and goes behind the others.
    pub fn had_its_turn(&mut self, scope: u64, place: usize) {
        if let Some(scope) = self.find_mut(scope) {
            let outbox = scope.outboxes.remove(place);
            scope.outboxes.push(outbox);
        }
    }

    /// The outbox at `place` of `scope` holds nothing of it any more.
    pub fn forget_outbox(&mut self, scope: u64, place: usize) {
        if let Some(scope) = self.find_mut(scope) {
            scope.outboxes.remove(place);
        }
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
        let Ok(place) = self.place(scope) else {
            return Found::Nothing;
        };
        let of = &mut self.0[place].1;
        if of.ask_at > now_ms {
            return Found::Nothing;
        }
        of.silences = if std::mem::take(&mut of.came) { 0 } else { of.silences + 1 };
        if of.silences >= SCOPE_GONE_AFTER && of.unsettled == 0 {
            return Found::Gone(self.0.remove(place).1.told);
        }
        of.ask_at = now_ms.saturating_add(SCOPE_SILENCE_MS);
        if of.silences == SCOPE_ABSENT_AFTER {
            return Found::Absent(of.ask_at, of.outboxes.clone());
        }
        Found::AskAgain(of.ask_at)
    }

    fn place(&self, number: u64) -> Result<usize, usize> {
        self.0.binary_search_by_key(&number, |(number, _)| *number)
    }

    fn find(&self, number: u64) -> Option<&Scope> {
        self.place(number).ok().map(|place| &self.0[place].1)
    }

    fn find_mut(&mut self, number: u64) -> Option<&mut Scope> {
        self.place(number).ok().map(|place| &mut self.0[place].1)
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
                scopes.give(scope, outbox);
            }
        }
        assert!(
            scopes.outboxes(0).is_empty(),
            "nobody asks for them, and nobody would forget them"
        );
        assert_eq!(scopes.outboxes(1).len(), 100);
    }
}
