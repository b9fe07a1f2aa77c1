//! When each request scope is to poll again, and what becomes of one that has stopped polling.

use super::Registry;
use crate::core::id_map::NOTHING;
use crate::core::outbox::Outbox;
use crate::core::outcome::Output;
use crate::core::policy::LOOK_ACROSS_MAX_MS;
use crate::core::reading::READS;
use crate::core::scopes::ScopeCheck;
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
        // At the latest then, because a scope that stops polling counts as gone.
        let mut at = now.mono_ms.saturating_add(LOOK_ACROSS_MAX_MS);
        at = at.min(self.scopes.looks_at(scope));
        for (server, _) in self.scopes.lines(scope) {
            let server = self.servers.get(*server);
            at = at.min(server.and_then(|it| it.health.resumes_at()).unwrap_or(0).max(soon));
        }
        // What a flush waits for may be another scope's doing; an answer of its own wakes this one.
        if self.scopes.has_waits(scope) && !self.scopes.has_flights(scope) {
            at = at.min(soon);
        }
        at
    }

    /// Lets `scope` look again soon, if another scope has sent what it has in the outbox, or the read that it waits for: no
    /// answer wakes this one.
    pub(super) fn look_across(&mut self, scope: u64, id: u64, now: Now) {
        let outbox = self.outboxes.get(id).filter(|outbox| outbox.unsent.concerns(scope));
        let flights = [outbox.map_or(NOTHING, Outbox::flight), self.read_of(id, scope)];
        let sent_by = |id: &u64| self.flights.get(*id).map(|flight| flight.scope);
        if flights.iter().filter_map(sent_by).any(|sender| sender != scope) {
            let soon = now.mono_ms.saturating_add(self.scopes.look_across_ms());
            self.scopes.look_at(scope, soon, Timer::Outbox(id));
        }
    }

    /// Removes the looks of `scope` that are far off and that nobody waits for any more, if there are too many.
    pub(super) fn forget_old_looks(&mut self, scope: u64, now: Now) {
        let soon = now.mono_ms.saturating_add(LOOK_ACROSS_MAX_MS);
        let Registry { continuing, outboxes, waits, scopes, .. } = self;
        scopes.purge_looks(scope, &|at, timer| match timer {
            _ if at <= soon => true,
            Timer::Outbox(id) => {
                outboxes.get(id).is_some_and(|outbox| outbox.schedule.timer() == at)
                    || continuing.get(&id).is_some_and(|reading| reading.is_from(at))
            }
            Timer::Wait(id) => waits.contains_key(&id),
            _ => false,
        });
    }

    /// Removes the timers that nobody waits for any more. Otherwise a session's deadline would stay long after the session.
    pub(super) fn forget_old_timers(&mut self) {
        let Registry { continuing, timers, outboxes, flights, servers, waits, scopes, .. } = self;
        timers.purge(&|at, timer| match timer {
            Timer::Outbox(id) => {
                outboxes.get(id).is_some_and(|outbox| outbox.schedule.timer() == at)
            }
            Timer::Read(id) => READS && continuing.contains_key(&id),
            Timer::Lease(flight) => flights.get(flight).is_some(),
            Timer::Probe(server) => {
                servers.get(server).and_then(|it| it.health.resumes_at()) == Some(at)
            }
            Timer::Wait(id) => waits.contains_key(&id),
            Timer::Scope(scope) => scopes.checks_at(scope) == Some(at),
        });
    }

    /// Whether `scope` has unfinished calls, reports, or requests in flight.
    pub fn is_busy(&self, scope: u64) -> bool {
        self.scopes.is_busy(scope)
    }

    /// Records that `scope` is given a call, or sends a request.
    pub(super) fn enter(&mut self, scope: u64, now: Now) {
        if let Some(ask_at) = self.scopes.enter(scope, now.mono_ms) {
            self.timers.set(ask_at, Timer::Scope(scope));
        }
    }

    /// Checks `scope` for missed polls. If the runtime has torn its request down, other scopes send what it left.
    pub(super) fn check_scope(&mut self, scope: u64, now: Now) {
        match self.scopes.check(scope, now.mono_ms) {
            ScopeCheck::NotDue => {}
            ScopeCheck::Again(at) => self.timers.set(at, Timer::Scope(scope)),
            ScopeCheck::Absent(at) => {
                self.timers.set(at, Timer::Scope(scope));
                self.leave_reads(scope, now);
                for id in self.outboxes.busy().to_vec() {
                    let outbox = self.outboxes.get_mut(id).filter(|it| it.unsent.concerns(scope));
                    if let Some(outbox) = outbox {
                        outbox.schedule.leave();
                        self.schedule(id, now);
                    }
                }
            }
            ScopeCheck::Gone(reports) => {
                let mut gone = Vec::new();
                for output in &reports {
                    if let Output::Settled { ids, .. } = output {
                        gone.extend_from_slice(ids);
                    }
                }
                self.reports.add(Output::TornDown { scope, ids: gone });
                for output in reports {
                    self.reports.add(output);
                }
            }
        }
    }
}
