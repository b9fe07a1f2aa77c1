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

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::id_map::{FixedMap, NOTHING};
use super::outcome::Output;
use super::policy::{
    LOOK_ACROSS_MAX_MS, LOOK_ACROSS_MS, SCOPE_ABSENT_AFTER, SCOPE_GONE_AFTER, SCOPE_SILENCE_MS,
};
use super::time::NEVER;

/// In place of a time: an outbox stands in a line of those that may be sent as soon as there is room.
const IN_LINE: u64 = 0;

/// A time that has passed.
const NOW: u64 = 1;

#[derive(Debug, Default)]
struct Scope {
    unsettled: u64,
    told: VecDeque<Output>,
    /// The outboxes that something of it was put into, each with when to look at it, or [`IN_LINE`]. From some it
    /// may have left again, which is seen at the next look.
    outboxes: FixedMap<u64, u64>,
    /// The looks by their times, with some that were put forward since.
    looks: BinaryHeap<Reverse<(u64, u64)>>,
    /// Those that may be sent, by the server that they are for, in turns.
    lines: VecDeque<(u64, VecDeque<u64>)>,
    /// The servers that its requests are on their way to, once for each request.
    flights: Vec<u64>,
    /// Its flushes and closes that wait: until when, and their numbers. Sorted, as times mostly go up.
    waits: VecDeque<(u64, u64)>,
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

impl Scope {
    /// The outbox is looked at no later than `at`.
    fn look_at(&mut self, outbox: u64, at: u64) {
        if let Some(before) = self.outboxes.get_mut(&outbox).filter(|before| **before > at) {
            *before = at;
            self.looks.push(Reverse((at, outbox)));
        }
    }
}

/// The scopes in which anything goes on, by number: one, or as many as a Worker serves requests at a time. In boxes,
/// as a map has more room than it has scopes.
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

    /// Something was given in `scope` that will end; `outbox` is where it was put, or [`NOTHING`].
    /// Outside of requests that is not remembered: all outboxes are looked at there.
    pub fn give(&mut self, scope: u64, outbox: u64) {
        let Some(of) = self.find_mut(scope) else { return };
        of.unsettled += 1;
        if scope != 0 && outbox != NOTHING {
            of.outboxes.entry(outbox).or_insert(NEVER);
            of.look_at(outbox, NOW);
        }
    }

    /// The outbox, if something of `scope` is in it, is looked at there no later than `at`; with 0 as soon as the
    /// scope looks.
    pub fn look_at(&mut self, scope: u64, outbox: u64, at: u64) {
        if let Some(of) = self.find_mut(scope) {
            of.look_at(outbox, at.max(NOW));
        }
    }

    /// The next outbox of `scope` that is to be looked at now.
    pub fn next_look(&mut self, scope: u64, now_ms: u64) -> Option<u64> {
        let of = self.find_mut(scope)?;
        while let Some(Reverse((at, outbox))) = of.looks.peek().copied() {
            let stands = of.outboxes.get_mut(&outbox).filter(|stands| **stands == at);
            if stands.is_some() && at > now_ms {
                return None;
            }
            of.looks.pop();
            if let Some(stands) = stands {
                *stands = NEVER;
                return Some(outbox);
            }
        }
        None
    }

    /// When an outbox of `scope` is to be looked at next, after [`Scopes::next_look`] found none.
    pub fn next_look_at(&self, scope: u64) -> u64 {
        let first = self.find(scope).and_then(|of| of.looks.peek());
        first.map_or(NEVER, |Reverse((at, _))| *at)
    }

    /// The outbox may be sent to `server`, and stands in line for it in `scope`.
    pub fn stand_in_line(&mut self, scope: u64, server: u64, outbox: u64) {
        let Some(of) = self.find_mut(scope) else { return };
        let Some(look) = of.outboxes.get_mut(&outbox).filter(|look| **look != IN_LINE) else {
            return;
        };
        *look = IN_LINE;
        match of.lines.iter_mut().find(|(to, _)| *to == server) {
            Some((_, line)) => line.push_back(outbox),
            None => of.lines.push_back((server, VecDeque::from([outbox]))),
        }
    }

    /// The servers for which outboxes stand in line in `scope`.
    pub fn lines(&self, scope: u64) -> impl Iterator<Item = u64> {
        self.find(scope).into_iter().flat_map(|of| of.lines.iter().map(|(server, _)| *server))
    }

    /// How many lines there are in `scope`.
    pub fn count_lines(&self, scope: u64) -> usize {
        self.find(scope).map_or(0, |of| of.lines.len())
    }

    /// The server of the first line of `scope`, and the first outboxes in it, at most `count`. The next line comes
    /// first then.
    pub fn turn_lines(&mut self, scope: u64, count: usize) -> Option<(u64, Vec<u64>)> {
        let of = self.find_mut(scope)?;
        of.lines.rotate_left(1.min(of.lines.len()));
        let (server, line) = of.lines.back()?;
        Some((*server, line.iter().take(count).copied().collect()))
    }

    /// The first outboxes in the line for `server` in `scope`, at most `count`.
    pub fn first_in_line(&self, scope: u64, server: u64, count: usize) -> Vec<u64> {
        let lines = self.find(scope).into_iter().flat_map(|of| &of.lines);
        let of_server = lines.filter(|(to, _)| *to == server).flat_map(|(_, line)| line);
        of_server.take(count).copied().collect()
    }

    /// The outbox stands in the line of `server` in `scope` no more.
    pub fn leave_line(&mut self, scope: u64, server: u64, outbox: u64) {
        let Some(of) = self.find_mut(scope) else { return };
        let Some(place) = of.lines.iter().position(|(to, _)| *to == server) else { return };
        let line = &mut of.lines[place].1;
        // It is among the first.
        if let Some(place) = line.iter().position(|it| *it == outbox) {
            line.remove(place);
        }
        if line.is_empty() {
            of.lines.remove(place);
        }
        if let Some(look) = of.outboxes.get_mut(&outbox) {
            *look = NEVER;
        }
    }

    /// A flush or close begins to wait in `scope`.
    pub fn begin_wait(&mut self, scope: u64, until: u64, number: u64) {
        let Some(scope) = self.find_mut(scope) else { return };
        if let Err(place) = scope.waits.binary_search(&(until, number)) {
            scope.waits.insert(place, (until, number));
        }
    }

    /// A flush or close waits in `scope` no more.
    pub fn end_wait(&mut self, scope: u64, until: u64, number: u64) {
        let Some(scope) = self.find_mut(scope) else { return };
        if let Ok(place) = scope.waits.binary_search(&(until, number)) {
            scope.waits.remove(place);
        }
    }

    /// When the first of the flushes and closes that wait in `scope` is over at the latest.
    pub fn next_wait_until(&self, scope: u64) -> Option<u64> {
        self.find(scope)?.waits.front().map(|(until, _)| *until)
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
        let Some(scope) = self.find_mut(scope) else { return };
        if let Some(place) = scope.flights.iter().position(|to| *to == server) {
            scope.flights.swap_remove(place);
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

    /// Nothing of `scope` is in the outbox any more.
    pub fn forget_outbox(&mut self, scope: u64, outbox: u64) {
        if let Some(of) = self.find_mut(scope) {
            of.outboxes.remove(&outbox);
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
        let Some(of) = self.find_mut(scope).filter(|of| of.ask_at <= now_ms) else {
            return Found::Nothing;
        };
        of.silences = if std::mem::take(&mut of.came) { 0 } else { of.silences + 1 };
        if of.silences >= SCOPE_GONE_AFTER && of.unsettled == 0 {
            return Found::Gone(std::mem::take(&mut of.told));
        }
        of.ask_at = now_ms.saturating_add(SCOPE_SILENCE_MS);
        if of.silences == SCOPE_ABSENT_AFTER {
            let mut outboxes: Vec<u64> = of.outboxes.keys().copied().collect();
            outboxes.sort_unstable();
            return Found::Absent(of.ask_at, outboxes);
        }
        Found::AskAgain(of.ask_at)
    }

    /// `scope` is gone.
    pub fn remove(&mut self, scope: u64) {
        self.0.remove(&scope);
    }

    fn find(&self, number: u64) -> Option<&Scope> {
        self.0.get(&number).map(Box::as_ref)
    }

    fn find_mut(&mut self, number: u64) -> Option<&mut Scope> {
        self.0.get_mut(&number).map(Box::as_mut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_of_requests_no_session_is_remembered() {
        let mut scopes = Scopes::default();
        let mut looked_at = [0, 1].map(|scope| {
            scopes.enter(scope, 0);
            (1..=100).for_each(|outbox| scopes.give(scope, outbox));
            std::iter::from_fn(|| scopes.next_look(scope, NOW)).collect::<Vec<u64>>()
        });
        assert!(looked_at[0].is_empty(), "nobody asks for them, and nobody would forget them");
        looked_at[1].sort_unstable();
        assert!(looked_at[1].iter().copied().eq(1..=100));
    }

    #[test]
    fn an_outbox_is_looked_at_once_and_at_the_earliest_time() {
        let mut scopes = Scopes::default();
        scopes.enter(1, 0);
        scopes.give(1, 5);
        assert_eq!(scopes.next_look(1, 10), Some(5));
        for at in [300, 200, 250] {
            scopes.look_at(1, 5, at);
            scopes.look_at(1, 6, at);
        }
        assert_eq!(scopes.next_look_at(1), 200, "of another outbox nothing is known here");
        assert_eq!((scopes.next_look(1, 199), scopes.next_look(1, 400)), (None, Some(5)));
        assert_eq!((scopes.next_look(1, 400), scopes.next_look_at(1)), (None, NEVER));
        scopes.stand_in_line(1, 7, 5);
        scopes.stand_in_line(1, 7, 5);
        scopes.look_at(1, 5, 500);
        assert_eq!(scopes.next_look_at(1), NEVER, "who stands in line needs no look");
        assert_eq!(scopes.turn_lines(1, 8), Some((7, vec![5])));
        scopes.leave_line(1, 7, 5);
        assert_eq!(scopes.turn_lines(1, 8), None);
    }
}
