//! The totals of a session that existed before. The registry reads the session's metrics from the backend once, before it
//! sends the first total. Other enrichments of the session do not wait for the read.

use super::Registry;
use super::sending::Flight;
use crate::core::deadline::DeadlineClock;
use crate::core::delivery::limits::request_timeout_ms;
use crate::core::enrichment::Enrichment;
use crate::core::id_map::{IdMap, NOTHING};
use crate::core::json::{Object, any_members, find};
use crate::core::log::Line;
use crate::core::outbox::{Outbox, Part, Parts, held_by};
use crate::core::outcome::{Output, Reason};
use crate::core::policy::LEASE_GRACE_MS;
use crate::core::reading::{self, READS, ReadFailure, ReadRoute, Reading};
use crate::core::retry::backoff_ms;
use crate::core::settings::Settings;
use crate::core::time::{NEVER, Now};
use crate::core::timers::Timer;
use crate::core::tracer::Tracer;
use crate::core::wire::Answer;

/// Logged if a page's totals begin with 0 although the session may have totals.
const THROUGH_RELAY: &str = "addMetrics begins with 0 in this page, because a ticket cannot read the session's totals: add on your server, or set a total of your own with enrichSession({ metrics })";

/// Additions that wait for a read of their session's metrics.
#[derive(Debug)]
pub(super) struct Continuing {
    parts: Parts,
    /// The request on its way, or [`NOTHING`].
    flight: u64,
    way: ReadRoute,
    /// When the next one may go, on the forward clock.
    at: u64,
    failures: u32,
    /// On which the deadlines of the parts are: waiting for a turn behind a server that answers costs nothing.
    clock: DeadlineClock,
    /// Whether a scope that stopped polling gave some of the parts.
    is_left: bool,
    why: String,
}

impl Continuing {
    /// Whether the next read may be sent from `at` on.
    pub(super) fn is_from(&self, at: u64) -> bool {
        self.at == at
    }

    /// The server as the `fetch` of the first addition's tracer reaches it.
    fn first_server(&self, tracers: &IdMap<Tracer>) -> u64 {
        let tracer = self.parts.first().and_then(|part| tracers.get(part.tracer()));
        tracer.map_or(NOTHING, |tracer| tracer.server)
    }

    /// The first deadline of the parts, on the clock.
    fn first_deadline(&self) -> u64 {
        self.parts.iter().map(|part| part.deadline()).min().unwrap_or(NEVER)
    }

    /// Brings the clock up to date. Nobody waited for the server until `worked_at`.
    fn tell_clock(&mut self, worked_at: u64, now: Now) {
        if self.flight == NOTHING && self.at <= now.mono_ms {
            self.clock.wait_for_turn(self.at, now.mono_ms);
        }
        if self.clock.server_worked(worked_at) {
            self.shorten_deadlines();
        }
    }

    /// Records that what was waited for until now was not the server.
    fn forgive(&mut self, now: Now) {
        self.clock.own_request_worked(now.mono_ms);
        self.shorten_deadlines();
    }

    /// Nobody has more time than given, though part of it was forgiven before the addition came.
    fn shorten_deadlines(&mut self) {
        for part in &mut self.parts {
            part.shorten_deadline(self.clock);
        }
    }
}

impl Registry {
    /// Whether the totals that `increments` add to must be read first.
    pub(super) fn is_to_be_read(
        &mut self,
        id: u64,
        part: &Part,
        increments: &[(&str, f64)],
    ) -> bool {
        let Some(outbox) = self.outboxes.get(id) else { return false };
        let is_known = increments.iter().all(|(key, _)| outbox.totals.is_known(key));
        if is_known || !outbox.is_unread() {
            return false;
        }
        if outbox.destination.is_ticket {
            self.log(part.tracer(), Line::warn(THROUGH_RELAY));
            return false;
        }
        READS
    }

    /// Holds an addition until the totals that it adds to are read.
    pub(super) fn await_totals(
        &mut self,
        id: u64,
        part: Box<Part>,
        increments: &[(&str, f64)],
        now: Now,
    ) {
        let target = self.outboxes.get(id).map(Outbox::target);
        let Some(part) = self.with_room(part, target, now) else { return self.schedule(id, now) };
        let (tracer, scope) = (part.tracer(), part.scope());
        self.outboxes.hold(held_by(part.enrichment()));
        if let Some(outbox) = self.outboxes.get_mut(id) {
            outbox.totals.add(increments);
        }
        if !self.continuing.contains_key(&id) {
            // The outbox must not be dropped during the read.
            if let Some(outbox) = self.outboxes.get_mut(id) {
                outbox.schedule.hold();
            }
            let mut clock = DeadlineClock::START;
            clock.own_request_worked(now.mono_ms);
            let reading = Continuing {
                parts: Vec::new(),
                flight: NOTHING,
                way: ReadRoute::ById,
                at: now.mono_ms,
                failures: 0,
                clock,
                is_left: false,
                why: String::new(),
            };
            self.continuing.insert(id, reading);
        }
        let mut from = 0;
        if let Some(reading) = self.continuing.get_mut(&id) {
            let mut part = part;
            part.begin_deadline(reading.clock);
            from = reading.parts.len();
            reading.parts.push(part);
        }
        self.time_read(id, now);
        self.record_pending(tracer, scope, id, now);
        self.line_up_read(id, from, now);
    }

    /// Whether additions wait for a read of the outbox's session.
    pub(super) fn is_reading(&self, id: u64) -> bool {
        READS && self.continuing.contains_key(&id)
    }

    /// The read on its way that additions of `scope` wait for, or [`NOTHING`].
    pub(super) fn read_of(&self, id: u64, scope: u64) -> u64 {
        if !READS {
            return NOTHING;
        }
        let reading =
            self.continuing.get(&id).filter(|it| it.parts.iter().any(|it| it.scope() == scope));
        reading.map_or(NOTHING, |reading| reading.flight)
    }

    /// Has the scopes of the additions that wait for a read, without the first `from` of them, look when it may be sent. If it
    /// may be sent now, it stands in line with them, for each server as the `fetch` of their tracers reaches it.
    fn line_up_read(&mut self, id: u64, from: usize, now: Now) {
        let Some(reading) = self.continuing.get(&id).filter(|it| it.flight == NOTHING) else {
            return;
        };
        let place = |part: &Part| Some((part.scope(), self.tracers.get(part.tracer())?.server));
        let mut last = from.checked_sub(1).and_then(|before| place(&reading.parts[before]));
        for part in &reading.parts[from..] {
            let Some((scope, server_id)) = place(part) else { continue };
            if last.replace((scope, server_id)) == Some((scope, server_id)) {
                continue;
            }
            if reading.at > now.mono_ms {
                self.scopes.look_at(scope, reading.at, Timer::Outbox(id));
                continue;
            }
            self.scopes.line_up(scope, server_id, id);
            if reading.is_left || scope == 0 {
                self.servers.line_up(server_id, id);
            }
        }
    }

    /// Whether the read may be sent to `server` by the tracer of one of the additions that wait for it and for which `goes`
    /// returns true. That tracer's `fetch` is held.
    pub(super) fn may_read(
        &self,
        id: u64,
        server: u64,
        now: Now,
        goes: &dyn Fn(&Part) -> bool,
    ) -> bool {
        if !READS {
            return false;
        }
        let is_due = |it: &&Continuing| it.flight == NOTHING && it.at <= now.mono_ms;
        let Some(reading) = self.continuing.get(&id).filter(is_due) else { return false };
        let reaches = |tracer| self.tracers.get(tracer).is_some_and(|it| it.server == server);
        reading.parts.iter().any(|part| (reading.is_left || goes(part)) && reaches(part.tracer()))
    }

    /// Sends the read to `server_id`.
    pub(super) fn send_read(
        &mut self,
        id: u64,
        server_id: u64,
        scope: u64,
        now: Now,
    ) -> Option<Output> {
        if !READS {
            return None;
        }
        let server = self.servers.get(server_id)?;
        if server.routes().are_legacy() {
            self.go_on_without_read(id, "the server has only the older routes", now);
            // The additions may be sent now, and no timer would poll for them.
            return self.reports.next().or_else(|| self.send(scope, now));
        }
        self.enter(scope, now);
        let outbox = self.outboxes.get(id)?;
        let server = self.servers.get_mut(server_id)?;
        let stamp_ns = now.unix_ms.saturating_mul(1_000_000);
        let reading = self.continuing.get_mut(&id)?;
        reading.tell_clock(server.health.nobody_waited_until(now), now);
        reading.clock.begin_try(now.mono_ms);
        let left_ms = reading.first_deadline().saturating_sub(reading.clock.reading(now.mono_ms));
        let request =
            reading::request(&outbox.destination, outbox.session_id(), reading.way, stamp_ns);
        let granted_ms = outbox.settings().timeout_ms;
        let timeout_ms = request_timeout_ms(granted_ms, left_ms);
        server.health.begin_to_ask(now);
        let sent = server.health.send_request(timeout_ms, granted_ms, now);
        let transport = server.transport;
        self.scopes.begin_flight(scope, server_id);
        let flight = self.flights.insert(Flight::read(scope, id, server_id, sent));
        reading.flight = flight;
        let lease_until = now.mono_ms.saturating_add(timeout_ms).saturating_add(LEASE_GRACE_MS);
        self.timers.set(lease_until, Timer::Lease(flight));
        let request = Box::new(request);
        let (keepalive, is_apart) = (false, false);
        Some(Output::Send { flight, transport, timeout_ms, keepalive, is_apart, request })
    }

    /// Handles the answer to a read; `None` if the request that sent it was torn down.
    pub(super) fn totals_answered(&mut self, flight: &Flight, answer: Option<&Answer>, now: Now) {
        let id = flight.outbox;
        let Some(outbox) = self.outboxes.get(id) else { return };
        let Some(continuing) = self.continuing.get_mut(&id) else { return };
        continuing.flight = NOTHING;
        let (to, session) = (&*outbox.destination, outbox.session_id());
        let lost = || Reading::failed(ReadFailure::Unreachable, "the request was torn down");
        match answer.map_or_else(lost, |it| reading::judge(it, continuing.way, session, to)) {
            Reading::Found(event) => {
                let event = any_members(&event);
                let metrics = find(&event, "metrics").unwrap_or("{}").to_owned();
                self.read_is_over(id, Some(&metrics), now);
            }
            Reading::SearchNext => {
                continuing.forgive(now);
                continuing.way = ReadRoute::BySearch;
                continuing.at = now.mono_ms;
                self.line_up_read(id, 0, now);
            }
            Reading::Failed(ReadFailure::NotFound, _) => self.read_is_over(id, None, now),
            Reading::Failed(ReadFailure::Unreachable, why) => {
                if let Some(server) =
                    self.servers.get_mut(flight.server).filter(|_| answer.is_some())
                {
                    server.health.note_failure(&why);
                }
                continuing.failures += 1;
                continuing.why = why;
                let wait_ms = backoff_ms(continuing.failures, &mut self.random);
                continuing.at = now.mono_ms.saturating_add(wait_ms);
                self.timers.set(continuing.at, Timer::Read(id));
                self.give_up_overdue_reads(id, now);
                self.time_read(id, now);
                self.line_up_read(id, 0, now);
            }
            Reading::Failed(_, why) => self.go_on_without_read(id, &why, now),
        }
    }

    /// Begins the totals with 0, and logs the reason.
    fn go_on_without_read(&mut self, id: u64, why: &str, now: Now) {
        let Some(reading) = self.continuing.get(&id) else { return };
        let tracer = reading.parts.first().map_or(0, |part| part.tracer());
        let line = format!(
            "addMetrics begins with 0, because the session's totals cannot be read ({why}): if others add to the session, set a total of your own with enrichSession({{ metrics }})"
        );
        self.log(tracer, Line::warn(line));
        self.read_is_over(id, None, now);
    }

    /// Ends the read with the backend's `metrics` (JSON), if it has any, and queues the additions that waited.
    fn read_is_over(&mut self, id: u64, metrics: Option<&str>, now: Now) {
        let Some(reading) = self.continuing.remove(&id) else { return };
        if let Some(outbox) = self.outboxes.get_mut(id) {
            if let Some(metrics) = metrics {
                outbox.totals.read(metrics, self.numerals);
            }
            outbox.trust_totals();
            // Whether the scope still polls is not checked again.
            if reading.is_left {
                outbox.schedule.leave();
            }
        }
        for mut part in reading.parts {
            self.outboxes.let_go(held_by(part.enrichment()));
            part.fill(self.current_totals(id, part.enrichment()));
            let part = self.dated(id, part);
            let part = self.keep(id, part, None);
            // A flush may have forgotten this outbox, because it held no part of the tracer until now.
            if let Some(tracer) = self.tracers.get_mut(part.tracer()) {
                tracer.give_to(id);
            }
            if let Some(outbox) = self.outboxes.get_mut(id) {
                outbox.accept(part);
            }
        }
        self.stop_reading(id, now);
    }

    /// The current totals of the metrics in `addition`.
    fn current_totals(&self, id: u64, addition: &Enrichment) -> Enrichment {
        let Some(outbox) = self.outboxes.get(id) else { return addition.clone() };
        let mut fields = String::from("{\"metrics\":");
        let mut metrics = Object::open(&mut fields);
        let given = addition.to_json();
        let given = any_members(&given);
        for (key, _) in given.iter().flat_map(|(_, metrics)| any_members(metrics)) {
            let total = outbox.totals.with(key, 0.0);
            if total.is_finite() {
                metrics.member(key, &(self.numerals.write)(total));
            }
        }
        metrics.close();
        fields.push('}');
        Enrichment::parse(fields).map_or_else(|_| addition.clone(), |it| it.0)
    }

    /// Releases the outbox after a read.
    fn stop_reading(&mut self, id: u64, now: Now) {
        if let Some(outbox) = self.outboxes.get_mut(id) {
            outbox.schedule.let_go();
        }
        self.schedule(id, now);
    }

    /// Lets other scopes send the reads that additions of `scope` wait for.
    pub(super) fn leave_reads(&mut self, scope: u64, now: Now) {
        if !READS {
            return;
        }
        let mut left = Vec::new();
        for (id, reading) in &mut self.continuing {
            if reading.parts.iter().any(|part| part.scope() == scope) {
                reading.is_left = true;
                left.push(*id);
            }
        }
        left.into_iter().for_each(|id| self.line_up_read(id, 0, now));
    }

    /// Looks at the additions that wait for a read, at a deadline or when a retry is due. A request on its way may
    /// still be answered.
    pub(super) fn read_is_due(&mut self, id: u64, now: Now) {
        if !READS {
            return;
        }
        let Some(reading) = self.continuing.get_mut(&id) else { return };
        if self.page.stands_still() {
            reading.forgive(now);
        } else if reading.flight == NOTHING {
            let server = self.servers.get(reading.first_server(&self.tracers));
            let worked_at = server.map_or(0, |server| server.health.nobody_waited_until(now));
            reading.tell_clock(worked_at, now);
            self.give_up_overdue_reads(id, now);
        }
        self.time_read(id, now);
        self.line_up_read(id, 0, now);
    }

    /// Has a look taken at the first deadline of the additions that wait for a read, or where the server has asked to be
    /// left alone for longer, early enough for one try.
    fn time_read(&mut self, id: u64, now: Now) {
        let Some(reading) = self.continuing.get(&id) else { return };
        let Some(outbox) = self.outboxes.get(id) else { return };
        let Settings { timeout_ms, deadline_ms, .. } = **outbox.settings();
        let mut at = reading.clock.reaches(reading.first_deadline(), now.mono_ms);
        if let Some(server) = self.servers.get_mut(reading.first_server(&self.tracers)) {
            at = server.health.try_or_give_up_at(at, timeout_ms, deadline_ms, now);
        }
        if at < NEVER {
            self.timers.set(at, Timer::Read(id));
        }
    }

    /// Gives up the additions whose deadline has passed.
    fn give_up_overdue_reads(&mut self, id: u64, now: Now) {
        let Some(reading) = self.continuing.get(&id) else { return };
        let reads = reading.clock.reading(now.mono_ms);
        let why = if reading.why.is_empty() { "it has not answered" } else { &reading.why };
        let message = format!("the session's totals could not be read until the deadline ({why})");
        let is_over = |part: &Part| part.deadline() <= reads;
        self.give_up_reads(id, &is_over, Reason::RetriesExhausted, &message, now);
    }

    /// Begins the deadlines of all additions that wait for a read anew: the page stood still.
    pub(super) fn resume_reads(&mut self, now: Now) {
        if READS {
            self.continuing.values_mut().for_each(|reading| reading.forgive(now));
        }
    }

    /// Drops a closed tracer's additions to its own session, `outbox`, that wait for a read.
    pub(super) fn drop_additions_of(&mut self, tracer: u64, outbox: u64, why: &str, now: Now) {
        if READS {
            let is_its_own = |part: &Part| part.tracer() == tracer;
            self.give_up_reads(outbox, &is_its_own, Reason::Closed, why, now);
        }
    }

    fn give_up_reads(
        &mut self,
        id: u64,
        goes: &dyn Fn(&Part) -> bool,
        reason: Reason,
        why: &str,
        now: Now,
    ) {
        let Some(reading) = self.continuing.get_mut(&id) else { return };
        let (gone, left): (Parts, Parts) =
            std::mem::take(&mut reading.parts).into_iter().partition(|part| goes(part));
        let is_over = left.is_empty();
        reading.parts = left;
        if gone.is_empty() {
            return;
        }
        for part in &gone {
            self.outboxes.let_go(held_by(part.enrichment()));
        }
        let target = self.outboxes.get(id).map(Outbox::target);
        if is_over {
            self.continuing.remove(&id);
            self.stop_reading(id, now);
        }
        self.give_up(gone, target, reason, why, now);
    }
}
