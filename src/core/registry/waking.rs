//! When each request scope is to look again, and what becomes of one that looks no more.

use super::Registry;
use super::continuing::READS;
use crate::core::outcome::Output;
use crate::core::policy::LOOK_ACROSS_MAX_MS;
use crate::core::scopes::Found;
use crate::core::time::{NEVER, Now};
use crate::core::timers::Timer;

impl Registry {
    /// When to poll again in `scope` at the latest, on the runtime's clock; [`NEVER`]
    /// where only an answer or a new enrichment can change anything.
    pub fn wake_at(&self, scope: u64, now: Now) -> u64 {
        let mono_ms = self.clock.read(now);
        match self.next_look(scope, Now { mono_ms, ..now }) {
            NEVER => NEVER,
            at => self.clock.on_runtime(at, now),
        }
    }

    fn next_look(&self, scope: u64, now: Now) -> u64 {
        if scope == 0 {
            return self.timers.next_at();
        }
        let soon = now.mono_ms.saturating_add(self.scopes.look_across_ms());
        // At the latest then: a scope that does not come to look counts as gone.
        let mut at = now.mono_ms.saturating_add(LOOK_ACROSS_MAX_MS);
        at = at.min(self.next_read_at(scope).max(soon));
        for id in self.scopes.outboxes(scope) {
            let Some(outbox) = self.outboxes.get(*id).filter(|outbox| outbox.concerns(scope))
            else {
                continue;
            };
            let flight = self.flights.get(outbox.flight);
            if flight.is_some_and(|flight| flight.scope != scope) {
                at = at.min(soon);
            }
            if outbox.is_ready {
                let server = self.servers.get(outbox.server);
                at = at.min(server.and_then(|it| it.health.resumes_at()).unwrap_or(0).max(soon));
            }
            at = at.min(outbox.timer);
        }
        if let Some(until) = self.scopes.next_wait_until(scope) {
            at = at.min(until);
            // What it waits for may be another scope's doing; an answer of its own wakes it.
            if !self.scopes.has_flights(scope) {
                at = at.min(soon);
            }
        }
        at
    }

    /// Lets go of the timers that nobody waits for any more: else a session's deadline would be held
    /// long after the session.
    pub(super) fn forget_old_timers(&mut self) {
        let Registry { continuing, timers, outboxes, flights, servers, waits, scopes, .. } = self;
        timers.purge(|at, timer| match timer {
            Timer::Outbox(id) => outboxes.get(id).is_some_and(|outbox| outbox.timer == at),
            Timer::Read(id) => READS && continuing.contains_key(&id),
            Timer::Lease(flight) => flights.get(flight).is_some(),
            Timer::Probe(server) => {
                servers.get(server).and_then(|it| it.health.resumes_at()) == Some(at)
            }
            Timer::Wait(id) => waits.contains_key(&id),
            Timer::Scope(scope) => scopes.asks_at(scope) == Some(at),
        });
    }

    /// Whether anything given in `scope` has not ended, or its end was not told yet, or a request
    /// is on its way in it.
    pub fn is_busy(&self, scope: u64) -> bool {
        self.scopes.is_busy(scope)
    }

    /// Something goes on in `scope`.
    pub(super) fn enter(&mut self, scope: u64, now: Now) {
        if let Some(ask_at) = self.scopes.enter(scope, now.mono_ms) {
            self.timers.set(ask_at, Timer::Scope(scope));
        }
    }

    /// Asks whether `scope` still comes to look. What a request left behind that was torn down,
    /// others carry on.
    pub(super) fn ask_for_scope(&mut self, scope: u64, now: Now) {
        match self.scopes.ask_for(scope, now.mono_ms) {
            Found::Nothing => {}
            Found::AskAgain(at) => self.timers.set(at, Timer::Scope(scope)),
            Found::Absent(at, outboxes) => {
                self.timers.set(at, Timer::Scope(scope));
                for id in outboxes {
                    self.leave_read(id, scope);
                    let Some(outbox) = self.outboxes.get_mut(id) else { continue };
                    outbox.is_left |= outbox.concerns(scope);
                    self.schedule(id, now);
                }
            }
            Found::Gone(told) => {
                let mut gone = Vec::new();
                for output in &told {
                    if let Output::Settled { ids, .. } = output {
                        gone.extend_from_slice(ids);
                    }
                }
                self.outputs.push_back(Output::TornDown { scope, ids: gone });
                for output in told {
                    self.outputs.push_back(output);
                }
            }
        }
    }
}
