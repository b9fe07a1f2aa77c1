//! The way out: which outbox sends next, and what its answer means for it.

use super::Registry;
use crate::core::log::Level;
use crate::core::outbox::{Kind, Parts, Progress};
use crate::core::outcome::{Output, Reason};
use crate::core::policy::{LEASE_GRACE_MS, PAGE_SLOW_MS, REQUEST_OVERHEAD_BYTES};
use crate::core::retry::backoff_ms;
use crate::core::server::Server;
use crate::core::session::SessionId;
use crate::core::slab::NOTHING;
use crate::core::text::fill;
use crate::core::time::{NEVER, Now};
use crate::core::timers::Timer;
use crate::core::wire::{self, Answer, Refusal, Routes, Verdict};

/// A request on its way.
#[derive(Debug)]
pub(super) struct Flight {
    /// The request scope that sent it.
    pub(super) scope: u64,
    pub(super) outbox: u64,
    pub(super) server: u64,
    is_start: bool,
    /// The routes that the server was taken to have.
    routes: Routes,
    /// Its bytes, where it may outlive the page.
    pub(super) keepalive: Option<u64>,
    /// When it was sent, on the forward clock.
    pub(super) sent_at: u64,
    /// Whether its lease has run out once.
    is_overdue: bool,
}

impl Flight {
    /// Whether it is open for so long that the server may never answer.
    pub(super) fn is_slow(&self, now: Now) -> bool {
        now.mono_ms.saturating_sub(self.sent_at) >= PAGE_SLOW_MS
    }
}

impl Registry {
    /// What is to be done next, in `scope`; nothing where all is done for now.
    pub fn poll(&mut self, scope: u64, now: Now) -> Option<Output> {
        self.scopes.came(scope);
        for id in std::mem::take(&mut self.fresh) {
            if let Some(outbox) = self.outboxes.get_mut(id) {
                outbox.let_start_wait(now);
            }
            self.schedule(id, now);
        }
        self.fire_timers(now);
        if self.timers.are_many() {
            self.forget_old_timers();
        }
        while let Some(output) = self.outputs.pop() {
            if let Output::Idle { tracer } = &output
                && !self.becomes_idle(*tracer)
            {
                continue;
            }
            return Some(output);
        }
        self.scopes.next_told(scope).or_else(|| self.send(scope, now))
    }

    fn fire_timers(&mut self, now: Now) {
        while let Some((at, timer)) = self.timers.take_due(now.mono_ms) {
            match timer {
                Timer::Outbox(id) => self.outbox_is_due(id, at, now),
                Timer::Lease(flight) => self.lease_ends(flight, now),
                Timer::Probe(_) => {}
                Timer::Wait(_) => self.end_waits(now),
                Timer::Scope(scope) => self.ask_for_scope(scope, now),
            }
        }
    }

    fn outbox_is_due(&mut self, id: u64, at: u64, now: Now) {
        let Some(outbox) = self.outboxes.get(id).filter(|outbox| outbox.timer == at) else {
            return;
        };
        let (server, scopes) = (outbox.server, outbox.scopes());
        self.schedule(id, now);
        // Where there is room it goes now: a program that was busy past the deadline has its try.
        let has_room = scopes.iter().any(|scope| self.may_send(*scope, server, now));
        let Some(outbox) = self.outboxes.get_mut(id) else { return };
        if !has_room || outbox.is_to_wait(now) {
            let session_id = outbox.id().clone();
            let expired = outbox.expire(now);
            self.schedule(id, now);
            self.exhausted(expired, &session_id, "the server is failing or busy", now);
        }
    }

    fn send(&mut self, scope: u64, now: Now) -> Option<Output> {
        if self.page.is_resting {
            return None;
        }
        let leaving = self.next_leaving(now);
        let id = match leaving {
            Some(id) => id,
            None if self.page.is_leaving() => return None,
            None => self.next_of(scope, now).or_else(|| self.next_in_line(scope, now))?,
        };
        self.enter(scope, now);
        let outbox = self.outboxes.get_mut(id)?;
        let server_id = outbox.server;
        let server = self.servers.get_mut(server_id)?;
        server.sent();
        self.scopes.sent(scope, server_id);
        outbox.is_ready = false;
        outbox.timer = NEVER;
        let (request, is_start) =
            outbox.next_request(server.routes, leaving.is_some(), &mut self.last_stamp_ns, now);
        let timeout_ms = outbox.settings.timeout_ms;
        let transport = outbox.destination.transport;
        let lease_until = now.mono_ms.saturating_add(timeout_ms).saturating_add(LEASE_GRACE_MS);
        let routes = server.routes;
        let bytes = (request.body.len() + REQUEST_OVERHEAD_BYTES) as u64;
        let keepalive = leaving.map(|_| bytes);
        if let Some(bytes) = keepalive {
            self.page.sent(bytes);
        }
        let server = server_id;
        let is_overdue = false;
        let sent_at = now.mono_ms;
        let flight =
            Flight { scope, outbox: id, server, is_start, routes, keepalive, sent_at, is_overdue };
        let flight = self.flights.insert(flight);
        outbox.flight = flight;
        self.timers.set(lease_until, Timer::Lease(flight));
        let keepalive = keepalive.is_some();
        let request = Box::new(request);
        Some(Output::Send { flight, transport, timeout_ms, keepalive, request })
    }

    /// The next outbox that may send what was given in the request `scope`.
    fn next_of(&mut self, scope: u64, now: Now) -> Option<u64> {
        let mut place = 0;
        while scope != 0
            && let Some(&id) = self.scopes.outboxes(scope).get(place)
        {
            match self.outboxes.get(id).filter(|outbox| outbox.concerns(scope)) {
                None => self.scopes.forget_outbox(scope, place),
                Some(outbox) if outbox.is_ready && self.may_send(scope, outbox.server, now) => {
                    self.scopes.had_its_turn(scope, place);
                    return Some(id);
                }
                Some(_) => place += 1,
            }
        }
        None
    }

    /// The next outbox in line that any scope may send.
    fn next_in_line(&mut self, scope: u64, now: Now) -> Option<u64> {
        // In most there is no line: an application may have a `fetch`, and so a server, a request.
        let has_line = |server: &Server| !server.ready.is_empty();
        loop {
            let (server, _) = self
                .servers
                .iter()
                .find(|(id, server)| has_line(server) && self.may_send(scope, *id, now))?;
            let id = self.servers.get_mut(server)?.ready.pop()?;
            // What waited in it may have been sent by a request, or given up.
            if let Some(outbox) = self.outboxes.get_mut(id) {
                outbox.in_line = false;
                if outbox.is_ready && outbox.is_for_anyone() {
                    return Some(id);
                }
            }
        }
    }

    fn may_send(&self, scope: u64, server: u64, now: Now) -> bool {
        self.scopes.has_room(scope, server)
            && self.page_has_room(server, now)
            && self.servers.get(server).is_some_and(|server| server.has_room(now))
    }

    /// Nobody told the end of a request: the runtime has torn down the one that sent it. Or the whole program
    /// stood still, and the answer is about to be told: so only the second time.
    fn lease_ends(&mut self, id: u64, now: Now) {
        let Some(flight) = self.flights.get_mut(id) else {
            return;
        };
        if !std::mem::replace(&mut flight.is_overdue, true) {
            return self.timers.set(now.mono_ms + LEASE_GRACE_MS, Timer::Lease(id));
        }
        let Some(flight) = self.landed(id) else {
            return;
        };
        if let Some(server) = self.servers.get_mut(flight.server) {
            server.lost();
        }
        let why = "the request that sent it was torn down".into();
        self.act_on(&flight, Verdict::Retry { after_ms: Some(0), why }, now);
    }

    pub(super) fn landed(&mut self, flight: u64) -> Option<Box<Flight>> {
        let flight = self.flights.remove(flight)?;
        self.scopes.landed(flight.scope, flight.server);
        if let Some(bytes) = flight.keepalive {
            self.page.landed(bytes);
        }
        Some(flight)
    }

    /// What came of a request. An answer to one that counts as lost already changes nothing.
    pub fn answered(&mut self, flight: u64, answer: &Answer, now: Now) {
        let Some(flight) = self.landed(flight) else {
            return;
        };
        self.scopes.came(flight.scope);
        if Registry::is_refused_by_browser(&flight, answer, now) {
            return self.repeat_without_keepalive(&flight, now);
        }
        let outbox = self.outboxes.get(flight.outbox);
        let is_ticket = outbox.is_some_and(|outbox| outbox.destination.is_ticket);
        let deadline_ms = outbox.map_or(0, |outbox| outbox.settings.deadline_ms);
        let verdict = wire::judge(answer, flight.is_start, flight.routes, is_ticket, now);
        if let Some(server) = self.servers.get_mut(flight.server) {
            match &verdict {
                Verdict::Retry { after_ms, .. } => {
                    // A server may ask for a year; nobody here waits longer than to the deadline.
                    server.failed(now, after_ms.map(|ms| ms.min(deadline_ms)), &mut self.random);
                    if flight.is_slow(now) {
                        server.doubt();
                    }
                    if let Some(at) = server.probe_at() {
                        self.timers.set(at, Timer::Probe(flight.server));
                    }
                }
                _ => {
                    if server.worked() {
                        self.go_on(flight.server, now);
                    }
                }
            }
        }
        self.act_on(&flight, verdict, now);
    }

    /// Whether no server has seen a request that was to outlive the page: browsers refuse such a one at once
    /// where others hold what they allow of them.
    fn is_refused_by_browser(flight: &Flight, answer: &Answer, now: Now) -> bool {
        flight.keepalive.is_some() && matches!(answer, Answer::None { .. }) && !flight.is_slow(now)
    }

    /// Sends the same again as a request that ends with the page. That the first one failed is nobody's
    /// failure; a server that is down fails the second one as well.
    fn repeat_without_keepalive(&mut self, flight: &Flight, now: Now) {
        self.page.refused();
        if let Some(server) = self.servers.get_mut(flight.server) {
            server.lost();
        }
        if let Some(outbox) = self.outboxes.get_mut(flight.outbox) {
            outbox.flight = NOTHING;
        }
        self.schedule(flight.outbox, now);
    }

    fn act_on(&mut self, flight: &Flight, mut verdict: Verdict, now: Now) {
        let Some(outbox) = self.outboxes.get_mut(flight.outbox) else {
            return;
        };
        outbox.flight = NOTHING;
        let id = outbox.id().clone();
        if !matches!(verdict, Verdict::Stored { .. })
            && outbox.start_after_all()
            && !matches!(verdict, Verdict::Retry { .. })
        {
            verdict = Verdict::Retry { after_ms: Some(0), why: "the session was not there".into() };
        }
        match &verdict {
            Verdict::Stored { session_id, inputs } => {
                self.learn_routes(flight);
                let id = session_id.as_ref().filter(|_| flight.is_start).unwrap_or(&id);
                let other = self.adopt(flight.outbox, id);
                let Some(outbox) = self.outboxes.get_mut(flight.outbox) else { return };
                let done = match outbox.stored(flight.is_start, inputs.as_deref()) {
                    Progress::GoesOn => Vec::new(),
                    Progress::Done(parts) => parts,
                };
                self.schedule(flight.outbox, now);
                self.unite(flight.outbox, other, now);
                self.deliver(done, id, now);
            }
            Verdict::TryLegacy => {
                outbox.try_other_route();
                if let Some(server) = self.servers.get_mut(flight.server)
                    && !server.routes.are_legacy()
                {
                    server.routes = Routes::TryLegacy;
                }
                self.schedule(flight.outbox, now);
            }
            Verdict::Retry { after_ms, why } => {
                let why = outbox.destination.without_key(why);
                let wait =
                    after_ms.unwrap_or_else(|| backoff_ms(outbox.failures + 1, &mut self.random));
                let expired = outbox.failed(now, now.mono_ms.saturating_add(wait));
                self.schedule(flight.outbox, now);
                self.exhausted(expired, &id, &why, now);
            }
            Verdict::Refused(refusal) => self.refused(flight, refusal, now),
        }
    }

    fn learn_routes(&mut self, flight: &Flight) {
        if let Some(server) = self.servers.get_mut(flight.server) {
            server.routes = match flight.routes {
                Routes::Unknown | Routes::V1 => Routes::V1,
                Routes::TryLegacy | Routes::Legacy => Routes::Legacy,
            };
        }
    }

    /// The backend has the session under an id of its own: both names reach it from now on.
    /// Returns another outbox that has this name already, or [`NOTHING`].
    fn adopt(&mut self, id: u64, session_id: &SessionId) -> u64 {
        let outbox = self.outboxes.get(id).filter(|outbox| outbox.id() != session_id);
        let Some(outbox) = outbox else { return NOTHING };
        let other = self.outbox_called(&outbox.destination, session_id);
        if other == NOTHING {
            self.outbox_ids.insert(session_id.as_str(), id);
        }
        if let Some(outbox) = self.outboxes.get_mut(id)
            && let Some(old) = outbox.adopted_id.replace(session_id.clone())
        {
            self.outbox_ids.remove(old.as_str(), id);
        }
        for (tracer, _) in self.tracers.iter().filter(|(_, tracer)| tracer.outbox == id) {
            let session_id = session_id.clone();
            self.outputs.push(Output::Adopted { tracer, session_id });
        }
        other
    }

    /// A server works again: all who waited for it go on.
    fn go_on(&mut self, server: u64, now: Now) {
        self.for_each_busy(now, &mut |outbox| {
            if outbox.server == server {
                outbox.wait_no_longer();
            }
        });
    }

    fn exhausted(&mut self, expired: Parts, session_id: &SessionId, why: &str, now: Now) {
        if !expired.is_empty() {
            let message = fill("the backend could not be reached until the deadline ({})", &[why]);
            self.give_up(
                expired,
                Some(session_id.clone()),
                Reason::RetriesExhausted,
                &message,
                now,
            );
        }
    }

    fn refused(&mut self, flight: &Flight, refusal: &Refusal, now: Now) {
        let Some(outbox) = self.outboxes.get_mut(flight.outbox) else {
            return;
        };
        let to_blame = refusal.may_be_one_of_many();
        if to_blame && outbox.halve() {
            return self.schedule(flight.outbox, now);
        }
        let session_id = outbox.id().clone();
        let message = refusal.message(&outbox.destination.server);
        let message = outbox.destination.without_key(&message);
        let parts = outbox.refused(to_blame);
        if let (Refusal::NoHoneyHive { .. }, Some(server)) =
            (refusal, self.servers.get_mut(flight.server))
        {
            server.routes = Routes::Unknown;
        }
        self.schedule(flight.outbox, now);
        // With an enrichment in it, its drop says the same.
        if parts.iter().all(|part| part.kind != Kind::Enrichment) {
            for part in &parts {
                let what = "the session could not be started";
                self.log_because(part.tracer, Level::Error, what, &message);
            }
        }
        self.give_up(parts, Some(session_id), Reason::Rejected, &message, now);
    }
}
