//! Sends requests: chooses the outbox that sends next, and acts on its answer.

use super::Registry;
use crate::core::concurrency::Place;
use crate::core::delivery::health::{HealthChange, SentRequest};
use crate::core::log::Level;
use crate::core::outbox::{PartKind, Parts, Progress};
use crate::core::outcome::{Output, Reason};
use crate::core::policy::{LEASE_GRACE_MS, REQUEST_OVERHEAD_BYTES, TIMERS_AT_ONCE};
use crate::core::reading::READS;
use crate::core::retry::backoff_ms;
use crate::core::session::Target;
use crate::core::time::Now;
use crate::core::timers::Timer;
use crate::core::wire::{self, Answer, RefusalReason, Routes, Verdict};

/// The advice about an event that the backend does not have.
const EVENT_COMES: &str = "export the event's span first";

/// A request in flight.
#[derive(Debug)]
pub(super) struct Flight {
    /// The request scope that sent it.
    pub(super) scope: u64,
    pub(super) outbox: u64,
    pub(super) server: u64,
    pub(super) sent: SentRequest,
    is_start: bool,
    /// The version of its destination's credential that it carried.
    pub(super) credential_version: u32,
    /// Whether it reads the totals of a session's metrics.
    is_read: bool,
    /// The routes that it used.
    routes: Routes,
    /// Its size in bytes, if it may outlive the page.
    pub(super) keepalive: Option<u64>,
    /// Whether it was sent without cookies, to spare the site's connections.
    is_apart: bool,
    /// Whether its lease has ended once.
    is_overdue: bool,
}

impl Flight {
    /// A request that reads the totals of the metrics of the outbox's session.
    pub(super) fn read(scope: u64, outbox: u64, server: u64, sent: SentRequest) -> Flight {
        Flight {
            scope,
            outbox,
            server,
            sent,
            is_start: false,
            credential_version: 0,
            is_read: true,
            routes: Routes::V1,
            keepalive: None,
            is_apart: false,
            is_overdue: false,
        }
    }

    fn reads(&self) -> bool {
        READS && self.is_read
    }

    /// Whether to send it once more, as a request that ends with the page. A browser refuses a request that may outlive
    /// the page at once if others use up the quota, and no server received it. A site may refuse a request without cookies
    /// because it wants them from whoever asks.
    fn is_to_be_repeated(&self, answer: &Answer, now: Now) -> bool {
        match answer {
            Answer::None { .. } => self.keepalive.is_some() && !self.sent.is_slow(now),
            Answer::Http { status, .. } => self.is_apart && matches!(status, 0 | 300..=403),
            Answer::Unusable { .. } => false,
        }
    }
}

/// What may be sent next.
#[derive(Debug)]
enum Ready {
    /// The next request of an outbox.
    Outbox(u64),
    /// The read that additions to the metrics of an outbox's session wait for, by this server.
    Read(u64, u64),
}

impl Registry {
    /// The next action in `scope`; `None` if nothing is left to do now.
    pub fn poll(&mut self, scope: u64, now: Now) -> Option<Output> {
        let now = self.clock.advance(now);
        self.scopes.mark_alive(scope);
        for id in self.outboxes.take_fresh() {
            if let Some(outbox) = self.outboxes.get_mut(id) {
                outbox.let_start_wait(now);
            }
            self.schedule(id, now);
        }
        self.fire_timers(now);
        while let Some(timer) = self.scopes.next_look(scope, now.mono_ms) {
            if let Timer::Outbox(id) = timer {
                self.look_across(scope, id, now);
            }
        }
        // A bundled page has hardly any other scope than that outside of requests, which plans no looks.
        if cfg!(feature = "reading") {
            self.forget_old_looks(scope, now);
        }
        if self.timers.need_purge() {
            self.forget_old_timers();
        }
        if let Some(output) = self.reports.next() {
            return Some(output);
        }
        while let Some(tracer) = self.reports.next_idle() {
            if self.becomes_idle(tracer) {
                return Some(Output::Idle { tracer });
            }
        }
        self.scopes.next_report(scope).or_else(|| self.send(scope, now))
    }

    fn fire_timers(&mut self, now: Now) {
        // Further timers fire at the next poll, which the shell may delay a little.
        for _ in 0..TIMERS_AT_ONCE {
            let Some((at, timer)) = self.timers.take_due(now.mono_ms) else { return };
            match timer {
                Timer::Outbox(id) => self.outbox_is_due(id, at, now),
                Timer::Lease(flight) => self.lease_ends(flight, now),
                Timer::Probe(_) => {}
                Timer::Read(id) => self.read_is_due(id, now),
                Timer::Wait(id) => self.time_out_wait(id, now),
                Timer::Scope(scope) => self.check_scope(scope, now),
            }
        }
    }

    fn outbox_is_due(&mut self, id: u64, at: u64, now: Now) {
        let Some(outbox) = self.outboxes.get(id).filter(|outbox| outbox.schedule.timer() == at)
        else {
            return;
        };
        let (server_id, scopes) =
            (outbox.schedule.server(), outbox.unsent.scopes().collect::<Vec<u64>>());
        let Some(server) = self.servers.get(server_id) else { return };
        let (worked_at, why) =
            (server.health.nobody_waited_until(now), server.health.why().to_owned());
        if let Some(outbox) = self.outboxes.get_mut(id) {
            outbox.unsent.server_worked(worked_at);
        }
        self.schedule(id, now);
        // If there is room, it is sent now: if the program was too busy to send before the deadline, the outbox still
        // gets one try.
        let was_busy = now.mono_ms.saturating_sub(at) > LEASE_GRACE_MS || why.is_empty();
        if was_busy
            && self.outboxes.get(id).is_some_and(|outbox| outbox.unsent.is_overdue(now))
            && let Some(server) = self.servers.get_mut(server_id)
        {
            server.health.end_pause();
        }
        let has_room = was_busy && scopes.iter().any(|scope| self.may_send(*scope, server_id, now));
        let Some(outbox) = self.outboxes.get_mut(id) else { return };
        let target = outbox.target();
        if outbox.destination.waits_for_ticket(now) {
            self.expire_without_ticket(id, now);
        } else if !has_room || outbox.unsent.is_to_wait(now) {
            let expired = outbox.expire(now);
            self.schedule(id, now);
            let why = if why.is_empty() { "it has not answered" } else { &why };
            self.exhausted(expired, target, why, now);
        }
    }

    pub(super) fn send(&mut self, scope: u64, now: Now) -> Option<Output> {
        if self.page.is_resting {
            return None;
        }
        let leaving = self.next_leaving(now);
        let id = match leaving {
            Some(id) => id,
            None if self.page.is_leaving() => return None,
            None => match self.next_of(scope, now).or_else(|| self.next_in_line(scope, now))? {
                Ready::Outbox(id) => id,
                Ready::Read(id, server) => return self.send_read(id, server, scope, now),
            },
        };
        self.enter(scope, now);
        let outbox = self.outboxes.get(id)?;
        let (to, sender) = (outbox.destination.clone(), outbox.unsent.sender());
        let credential_version = to.credential.borrow().version();
        if to.credential.borrow().is_to_be_renewed(now) {
            self.ask_for_ticket(&to, sender, outbox.settings().timeout_ms, now);
        }
        let outbox = self.outboxes.get_mut(id)?;
        let server_id = outbox.schedule.server();
        let server = self.servers.get_mut(server_id)?;
        self.scopes.begin_flight(scope, server_id);
        outbox.schedule.reset();
        outbox.unsent.server_worked(server.health.nobody_waited_until(now));
        let routes = outbox.routes_to_try(server.routes());
        let (request, is_start) = outbox.next_request(routes, leaving.is_some(), now);
        self.stamps.join(*outbox.stamps());
        let timeout_ms = outbox.timeout_ms(now);
        server.health.begin_to_ask(now);
        let sent = server.health.send_request(timeout_ms, outbox.settings().timeout_ms, now);
        let transport = server.transport;
        let lease_until = now.mono_ms.saturating_add(timeout_ms).saturating_add(LEASE_GRACE_MS);
        let bytes = (request.body.len() + REQUEST_OVERHEAD_BYTES) as u64;
        let keepalive = leaving.map(|_| bytes);
        let is_apart =
            keepalive.is_some() && !self.page.keeps(outbox) && !server.health.is_proven();
        if let Some(bytes) = keepalive {
            self.page.sent(bytes);
        }
        let flight = self.flights.insert(Flight {
            scope,
            outbox: id,
            server: server_id,
            sent,
            is_start,
            credential_version,
            is_read: false,
            routes,
            keepalive,
            is_apart,
            is_overdue: false,
        });
        outbox.begin_flight(flight);
        self.timers.set(lease_until, Timer::Lease(flight));
        let keepalive = keepalive.is_some();
        let request = Box::new(request);
        Some(Output::Send { flight, transport, timeout_ms, keepalive, is_apart, request })
    }

    /// What may be sent next of what was given in the request `scope`.
    fn next_of(&mut self, scope: u64, now: Now) -> Option<Ready> {
        let mut without_room = 0;
        while without_room < self.scopes.lines(scope).len() {
            let (server, line) = self.scopes.lines(scope).first()?;
            let (server, id) = (*server, *line.front()?);
            let outbox = self
                .outboxes
                .get(id)
                .filter(|it| it.schedule.is_ready() && it.unsent.concerns(scope));
            let ready = match outbox.map(|outbox| outbox.schedule.server()) {
                // If a tracer of this scope sends it to another server, it stands in the line of that one now.
                Some(to) if self.send_by_own(id, scope, now).is_none() && to == server => {
                    Some(Ready::Outbox(id))
                }
                _ => self
                    .may_read(id, server, now, &|part| part.scope() == scope)
                    .then_some(Ready::Read(id, server)),
            };
            let waits = ready.is_some() && !self.may_send(scope, server, now);
            self.scopes.turn_lines(scope, !waits);
            if waits {
                without_room += 1;
            } else if ready.is_some() {
                return ready;
            } else {
                self.look_across(scope, id, now);
            }
        }
        None
    }

    /// Lets a tracer of this `scope` send the outbox, if its `fetch` reaches the server. Returns its server if that
    /// is another one.
    fn send_by_own(&mut self, id: u64, scope: u64, now: Now) -> Option<u64> {
        let outbox = self.outboxes.get_mut(id)?;
        let own = outbox.unsent.sender_in(scope);
        let server = self.tracers.get(own)?.server;
        if server == outbox.schedule.server() || self.servers.get(server)?.health.is_failing() {
            return None;
        }
        outbox.unsent.set_sender(own);
        self.schedule(id, now);
        Some(server)
    }

    /// What any scope may send next. Servers take turns, so that one which has reached its limit does not delay the others.
    fn next_in_line(&mut self, scope: u64, now: Now) -> Option<Ready> {
        for _ in 0..self.servers.turns() {
            let server_id = self.servers.take_turn()?;
            let has_room = self.may_send(scope, server_id, now);
            let mut next = None;
            while has_room
                && next.is_none()
                && let Some(id) = self.servers.next_in_line(server_id)
            {
                // Its content may have been sent by a request or given up, or the outbox may send to another server
                // now.
                let outbox =
                    self.outboxes.get_mut(id).filter(|it| it.schedule.server() == server_id);
                let is_ready = outbox.is_some_and(|outbox| {
                    outbox.schedule.leave_line();
                    outbox.schedule.is_ready() && outbox.is_for_anyone()
                });
                if is_ready {
                    next = Some(Ready::Outbox(id));
                } else if self.may_read(id, server_id, now, &|part| part.scope() == 0) {
                    next = Some(Ready::Read(id, server_id));
                }
            }
            self.servers.end_turn(server_id);
            if next.is_some() {
                return next;
            }
        }
        None
    }

    pub(super) fn may_send(&self, scope: u64, server: u64, now: Now) -> bool {
        let Some(to) = self.servers.get(server) else { return false };
        // Counted by origin, so that a server that hangs takes no connections from others, whichever `fetch` reaches
        // it. Only on the edge does a scope have connections of its own, and it has few requests in flight.
        let of_scope = match self.servers.place() {
            Place::EdgeRequest => self.scopes.in_flight(scope).iter(),
            Place::Page | Place::ServerProcess => [].iter(),
        };
        let to_same = of_scope.filter(|other| {
            **other == server
                || self.servers.get(**other).is_some_and(|other| other.has_origin_of(to))
        });
        self.page_has_room(server, now) && to.health.has_room(to_same.count(), now)
    }

    /// Handles a request whose answer was not reported in time: the runtime has torn down the request scope that sent
    /// it. The whole program may also have stood still, and the answer be about to be reported, so only the second
    /// time counts.
    fn lease_ends(&mut self, id: u64, now: Now) {
        let Some(flight) = self.flights.get_mut(id) else {
            return;
        };
        if !std::mem::replace(&mut flight.is_overdue, true) {
            return self.timers.set(now.mono_ms + LEASE_GRACE_MS, Timer::Lease(id));
        }
        let Some(flight) = self.take_flight(id) else {
            return;
        };
        if let Some(server) = self.servers.get_mut(flight.server) {
            server.health.lose_request();
        }
        if flight.reads() {
            return self.totals_answered(&flight, None, now);
        }
        if let Some(outbox) = self.outboxes.get_mut(flight.outbox) {
            outbox.end_flight();
            outbox.start_after_all();
        }
        self.try_again(&flight, Some(0), "the runtime ended the request that sent it", now);
    }

    pub(super) fn take_flight(&mut self, flight: u64) -> Option<Box<Flight>> {
        let flight = self.flights.remove(flight)?;
        self.scopes.end_flight(flight.scope, flight.server);
        if let Some(bytes) = flight.keepalive {
            self.page.landed(bytes);
        }
        Some(flight)
    }

    /// Takes the answer to a request. The answer to a request that already counts as lost changes nothing.
    pub fn finish_request(&mut self, flight: u64, answer: &Answer, now: Now) {
        let now = self.clock.advance(now);
        let Some(flight) = self.take_flight(flight) else {
            return;
        };
        self.scopes.mark_alive(flight.scope);
        if flight.is_to_be_repeated(answer, now) {
            return self.repeat_without_keepalive(&flight, now);
        }
        let outbox = self.outboxes.get(flight.outbox);
        let destination = outbox.map(|outbox| &*outbox.destination);
        let deadline_ms = outbox.map_or(0, |outbox| outbox.settings().deadline_ms);
        let mut verdict = wire::judge(answer, flight.is_start, flight.routes, destination, now);
        if flight.reads() && !matches!(verdict, Verdict::Retry { .. }) {
            // A server without this route still works.
            verdict = Verdict::Stored { inputs: None };
        }
        if let Some(server) = self.servers.get_mut(flight.server) {
            let sent = &flight.sent;
            let random = &mut self.random;
            match server.health.finish_request(sent, answer, &mut verdict, deadline_ms, now, random)
            {
                HealthChange::WorksAgain => self.go_on(flight.server, now),
                HealthChange::ResumesAt(at) => self.timers.set(at, Timer::Probe(flight.server)),
                HealthChange::None => {}
            }
        }
        if flight.reads() {
            return self.totals_answered(&flight, Some(answer), now);
        }
        self.act_on(&flight, verdict, now);
    }

    /// Sends the request again as one that ends with the page. The first failure counts for nothing. If the server is
    /// down, the second request fails as well.
    fn repeat_without_keepalive(&mut self, flight: &Flight, now: Now) {
        self.page.refused();
        if let Some(server) = self.servers.get_mut(flight.server) {
            server.health.lose_request();
        }
        if let Some(outbox) = self.outboxes.get_mut(flight.outbox) {
            outbox.end_flight();
        }
        self.schedule(flight.outbox, now);
    }

    fn act_on(&mut self, flight: &Flight, mut verdict: Verdict, now: Now) {
        let Some(outbox) = self.outboxes.get_mut(flight.outbox) else {
            return;
        };
        outbox.end_flight();
        let may_pass = matches!(verdict, Verdict::Retry { .. } | Verdict::Ticket { .. });
        if !may_pass {
            outbox.unsent.request_worked(now);
        }
        let target = outbox.target();
        if !matches!(verdict, Verdict::Stored { .. }) && outbox.start_after_all() && !may_pass {
            verdict = Verdict::Retry { after_ms: Some(0), why: "the session was not there".into() };
        }
        match &verdict {
            Verdict::Stored { inputs } => {
                self.learn_routes(flight);
                let Some(outbox) = self.outboxes.get_mut(flight.outbox) else { return };
                outbox.destination.credential.borrow_mut().work();
                let done = match outbox.stored(flight.is_start, inputs.as_deref()) {
                    Progress::GoesOn => Vec::new(),
                    Progress::Done(parts) => parts,
                };
                self.schedule(flight.outbox, now);
                self.deliver(done, target, now);
            }
            Verdict::TryRoutes(routes) => {
                outbox.try_other_route();
                if let Some(server) = self.servers.get_mut(flight.server) {
                    server.change_routes(flight.routes, *routes);
                }
                self.schedule(flight.outbox, now);
            }
            Verdict::Retry { after_ms, why } => {
                let why = outbox.destination.without_key(why);
                if let Some(server) = self.servers.get_mut(flight.server) {
                    server.health.note_failure(&why);
                }
                self.try_again(flight, *after_ms, &why, now);
            }
            Verdict::Ticket { is_over, refusal } => {
                let to = outbox.destination.clone();
                match self.is_to_be_renewed(flight, *is_over, now) {
                    true => self.schedule_all_to(&to, now),
                    false => self.refused(flight, refusal, now),
                }
            }
            // While nothing is known of the server, the route may be missing, and not the event.
            Verdict::NoSession(_)
                if target.is_event()
                    && flight.routes == Routes::Unknown
                    && !outbox.try_other_route() =>
            {
                self.schedule(flight.outbox, now);
            }
            Verdict::NoSession(refusal) => {
                // A 400 may also concern the content of the request.
                let unless_known = matches!(refusal, RefusalReason::Request { status: 400, .. });
                let tracers = &self.tracers;
                let describe = |tracer, at| tracers.get(tracer)?.description(at);
                if outbox.make_sure(unless_known, &describe) {
                    self.schedule(flight.outbox, now);
                } else {
                    self.refused(flight, refusal, now);
                }
            }
            // An answer for another session spoke against the new routes, so this session tries them itself.
            Verdict::Refused(RefusalReason::NoHoneyHive { .. })
                if flight.routes == Routes::TryLegacy && !outbox.try_other_route() =>
            {
                if let Some(server) = self.servers.get_mut(flight.server) {
                    server.change_routes(flight.routes, Routes::Unknown);
                }
                self.schedule(flight.outbox, now);
            }
            Verdict::Refused(refusal) => self.refused(flight, refusal, now),
        }
    }

    /// Retries a request that failed because of `why`: `after_ms` from now if the server asked for that, or else
    /// after a random wait.
    fn try_again(&mut self, flight: &Flight, after_ms: Option<u64>, why: &str, now: Now) {
        let Registry { outboxes, servers, tracers, random, .. } = self;
        let Some(outbox) = outboxes.get_mut(flight.outbox) else { return };
        if let Some(server) = servers.get_mut(flight.server) {
            server.add_retrying(flight.outbox);
        }
        let target = outbox.target();
        let asked = after_ms.is_some();
        let wait = after_ms.unwrap_or_else(|| backoff_ms(outbox.failures() + 1, random));
        let expired = outbox.failed(now, wait, asked);
        // The `fetch` of one tracer may fail while another tracer's reaches the server.
        let server = |tracer| tracers.get(tracer).map(|tracer| tracer.server);
        outbox.unsent.change_sender(usize::MAX, &|tracer| server(tracer) != Some(flight.server));
        self.schedule(flight.outbox, now);
        self.exhausted(expired, target, why, now);
    }

    fn learn_routes(&mut self, flight: &Flight) {
        if let Some(server) = self.servers.get_mut(flight.server) {
            server.health.note_stored();
            server.learn_routes(flight.routes);
        }
    }

    /// Lets all outboxes that wait for a server go on, because it works again.
    fn go_on(&mut self, server: u64, now: Now) {
        let Some(server) = self.servers.get_mut(server) else { return };
        for id in server.take_retrying().iter() {
            if let Some(outbox) = self.outboxes.get_mut(id) {
                outbox.unsent.wait_no_longer();
                self.schedule(id, now);
            }
        }
    }

    fn exhausted(&mut self, expired: Parts, target: Target, why: &str, now: Now) {
        if !expired.is_empty() {
            let message = format!("the backend could not be reached until the deadline ({why})");
            self.give_up(expired, Some(target), Reason::RetriesExhausted, &message, now);
        }
    }

    fn refused(&mut self, flight: &Flight, refusal: &RefusalReason, now: Now) {
        let Some(outbox) = self.outboxes.get_mut(flight.outbox) else {
            return;
        };
        let to_blame = refusal.may_be_one_of_many();
        let server = self.servers.get_mut(flight.server);
        if to_blame && outbox.halve(server.is_some_and(|server| server.health.refuses_all())) {
            return self.schedule(flight.outbox, now);
        }
        let target = outbox.target();
        let server_url = &outbox.destination.server;
        let mut message = refusal.message(server_url);
        if let (Target::Event(id), RefusalReason::Request { status, .. }) = (target, refusal) {
            match status {
                // If two routes were tried, the server's message about the second one does not help.
                404 | 405 => message = format!("{server_url} has no event {id}: {EVENT_COMES}"),
                400 => message.push_str(&format!(" ({EVENT_COMES})")),
                _ => {}
            }
        }
        let mut message = outbox.destination.without_key(&message);
        let parts = outbox.refused(to_blame);
        if to_blame && parts.len() > 1 {
            message.push_str(
                "; it was not tried by itself, as the server refused all that were before it",
            );
        }
        if to_blame
            && parts.len() == 1
            && let Some(server) = self.servers.get_mut(flight.server)
        {
            server.health.note_refused_single();
        }
        if let (RefusalReason::NoHoneyHive { .. }, Some(server)) =
            (refusal, self.servers.get_mut(flight.server))
        {
            server.forget_routes();
        }
        self.schedule(flight.outbox, now);
        // If the parts include an enrichment, its drop says the same.
        if parts.iter().all(|part| part.kind() != PartKind::Enrichment) {
            for part in &parts {
                let what = "the session could not be started";
                self.log_because(part.tracer(), Level::Error, what, &message);
            }
        }
        self.give_up(parts, Some(target), Reason::Rejected, &message, now);
    }
}
