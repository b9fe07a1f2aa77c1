//! Makes tracers, finds the one that a call is for, and releases them.

use super::Registry;
use crate::core::id_map::NOTHING;
use crate::core::log::warn;
use crate::core::open_tracers::Only;
use crate::core::options::Options;
use crate::core::outbox::{Part, PartKind};
use crate::core::outcome::TracerInfo;
use crate::core::relay::ticket::{is_for, session_of};
use crate::core::session::{Description, SessionId, SessionOrigin, Start, Target};
use crate::core::settings;
use crate::core::time::Now;
use crate::core::timers::Timer;
use crate::core::tracer::Tracer;

impl Registry {
    /// Makes a tracer, and starts its session. A tracer that cannot send is disabled, and the log says why. `None` if
    /// there is no id for its session. An enabled tracer is busy from the beginning, which [`Registry::next_busy`]
    /// does not report.
    ///
    /// `json` is an object as [`Options`] describes it.
    pub fn init(&mut self, json: &str, scope: u64, now: Now) -> Option<TracerInfo> {
        let now = self.clock.advance(now);
        let options = &Options::of(json, self.numerals);
        let mut log = Vec::new();
        let parent = self.tracers.get(options.number("parent").unwrap_or_default() as u64);
        let is_child = parent.is_some();
        let settings = match parent {
            Some(parent) => parent.settings.clone(),
            None => self.shared.settings(options, self.servers.place(), &mut log),
        };
        let named = settings::session_id(options, &mut log);
        let mut named = named.and_then(|name| self.session_named(name, Some(&settings)));
        let destination = settings.destination.as_ref();
        let ticket = destination.filter(|it| it.is_ticket).map(|it| it.key());
        let ticket = ticket.as_deref();
        if let Some(of_ticket) = ticket.filter(|_| !is_child).and_then(session_of) {
            if named.as_ref().is_some_and(|named| *named != of_ticket) {
                let what = "`sessionId` is left out: the ticket is for another session";
                warn(&mut log, what);
            }
            named = Some(of_ticket);
        }
        let origin = if named.is_some() { SessionOrigin::Named } else { SessionOrigin::New };
        let mut session_id = named.or_else(|| SessionId::new(options.text("newSessionId")?))?;
        let lacking = destination.filter(|it| it.lacks_ticket());
        if let Some(lacking) = lacking.filter(|_| named.is_none()) {
            session_id = lacking.credential.borrow_mut().placeholder_or(session_id);
        }
        let name = settings::session_name(options, &mut log).map(|name| {
            let redaction = settings.redaction.as_ref();
            redaction.map_or(name.into(), |redaction| redaction.text(name)).into()
        });
        let description = Description {
            name: name.unwrap_or_else(|| settings.session_name.clone()),
            source: settings.source.clone(),
            project: settings.project.clone(),
            start_time: now.unix_ms,
        };
        for line in log {
            self.reports.log(settings.log_level, line);
        }
        let target = Target::Session(session_id);
        let (mut server, mut outbox) = (NOTHING, NOTHING);
        if let Some(to) = destination {
            server = self.servers.use_server(&to.server, settings.transport);
            outbox = self.open_outbox(to, &settings, target);
        }
        let name = description.name.clone();
        let tracer = Tracer::new(settings.clone(), (server, outbox), session_id, name, scope);
        let tracer = self.tracers.insert(tracer);
        if let Some(made) = self.tracers.get(tracer) {
            self.open_tracers.add(tracer, made);
        }
        let enabled = outbox != NOTHING;
        let awaits_ticket = lacking.is_some_and(|to| {
            self.ask_for_ticket(to, tracer, settings.timeout_ms, now);
            to.credential.borrow().is_asked()
        });
        let info = TracerInfo {
            tracer,
            session_id,
            description: description.clone(),
            enabled,
            awaits_ticket,
        };
        if !enabled {
            return Some(info);
        }
        let is_reading = self.is_reading(outbox);
        if let Some(outbox) = self.outboxes.get_mut(outbox) {
            outbox.schedule.hold();
            // In a page no tracer is made again.
            if let Some(totals) = options.text("totals").filter(|_| cfg!(feature = "reading")) {
                outbox.totals.restore(totals, self.numerals);
            } else if origin == SessionOrigin::Named && !is_reading && !outbox.unsent.has_work() {
                // Others may have added to the session since its last tracer in this process.
                outbox.doubt_totals();
            }
            if let Some(at_most) = settings.max_concurrency
                && let Some(server) = self.servers.get_mut(server)
            {
                server.health.allow(at_most);
            }
        }
        // The holder of a ticket may neither name nor create a session.
        let start = ticket.is_none().then_some(Start { origin, description: Some(description) });
        self.take_leftovers(tracer, scope, now);
        let fields = options.text("start").filter(|fields| !fields.is_empty() && *fields != "{}");
        // A ticket for events starts no session.
        if fields.is_none() && ticket.is_some_and(|ticket| !is_for(ticket, session_id)) && !is_child
        {
            self.tell_if_idle(tracer);
            return Some(info);
        }
        let part = self.part(PartKind::Start, tracer, scope, now);
        let read = self.read(part, fields.unwrap_or("{}").to_owned(), now);
        let part = read.and_then(|part| self.with_room(part, None, now));
        let part = part.unwrap_or_else(|| self.part(PartKind::Start, tracer, scope, now));
        if start.is_none() && part.enrichment().is_empty() {
            // Nothing is sent before the first call.
            self.tell_if_idle(tracer);
            return Some(info);
        }
        self.start(outbox, start, part, now);
        Some(info)
    }

    /// Puts `part`, the beginning of a tracer's session, into its outbox. Without a `start` it is an update.
    fn start(&mut self, outbox: u64, start: Option<Start>, part: Box<Part>, now: Now) {
        let (tracer, scope) = (part.tracer(), part.scope());
        let description = start.as_ref().and_then(|start| start.description.as_ref());
        let part = self.dated(outbox, part);
        let part = self.keep(outbox, part, description);
        if let Some(outbox) = self.outboxes.get_mut(outbox) {
            outbox.begin_with(start);
            outbox.accept(part);
        }
        if let Some(tracer) = self.tracers.get_mut(tracer) {
            tracer.ledger.begin_start();
            tracer.give_to(outbox);
            self.ledger.begin_start();
        }
        self.mark_busy(tracer);
        self.enter(scope, now);
        self.scopes.begin_call(scope, now.mono_ms, Timer::Outbox(outbox));
        self.schedule(outbox, now);
        self.outboxes.add_fresh(outbox);
    }

    /// The totals of the metrics of the tracer's session, as JSON; empty if there are none. [`Registry::init`] takes
    /// them if a tracer was released to save memory and is made again.
    pub fn totals_of(&self, tracer: u64) -> String {
        let outbox = self.tracers.get(tracer).and_then(|tracer| self.outboxes.get(tracer.outbox()));
        outbox.map_or(String::new(), |outbox| outbox.totals.to_json(self.numerals))
    }

    /// Releases a tracer that JavaScript has no reference to. Its enrichments are still sent.
    pub fn release(&mut self, tracer: u64, now: Now) {
        let now = self.clock.advance(now);
        if let Some(released) = self.tracers.get_mut(tracer) {
            released.release();
            self.open_tracers.remove(tracer, released);
            self.let_go_of_tracer(tracer, now);
        }
    }

    /// Forgets a tracer that is released and has no work.
    pub(super) fn let_go_of_tracer(&mut self, id: u64, now: Now) {
        if self.tracers.get(id).is_some_and(Tracer::is_over) {
            self.leave_outbox(id, now);
            self.tell_if_idle(id);
            if let Some(tracer) = self.tracers.remove(id) {
                self.servers.remove_user(tracer.server);
            }
        }
    }

    /// Closes the tracer. Its counts are kept until it is released, so that a later call is refused as too late, and
    /// a later report counts the earlier enrichments.
    pub(super) fn finish_close(&mut self, id: u64, now: Now) {
        self.leave_outbox(id, now);
        self.let_go_of_tracer(id, now);
    }

    /// Detaches the tracer from its session's outbox.
    fn leave_outbox(&mut self, id: u64, now: Now) {
        let Some(tracer) = self.tracers.get_mut(id) else { return };
        let outbox_id = tracer.leave_outbox();
        // Its remaining starts may still be sent with its `fetch`.
        let server_id = tracer.server;
        let max_concurrency = tracer.settings.max_concurrency;
        if let Some(outbox) = self.outboxes.get_mut(outbox_id) {
            outbox.schedule.let_go();
            if let Some(at_most) = max_concurrency
                && let Some(server) = self.servers.get_mut(server_id)
            {
                server.health.withdraw_limit(at_most);
            }
            self.schedule(outbox_id, now);
        }
    }

    /// The tracer that a call is given to if it names only a session, where `active` is the active tracer: an open
    /// tracer of that session, or else `active`, or else the only open one. 0 if there is none, or if several could
    /// be meant.
    ///
    /// The shell asks before it makes such a call, because it masks with that tracer's own function.
    pub fn resolve_tracer(&self, active: u64, session_id: &str, scope: u64) -> u64 {
        let session_id = (self.id_of)(session_id);
        let owner = session_id.and_then(|session_id| self.tracer_of(session_id, active));
        match owner.unwrap_or(active) {
            0 => self.only_tracer(scope, session_id.is_some()).unwrap_or(0),
            tracer => tracer,
        }
    }

    /// An open tracer of the session with any key and server; `preferred` if that is one.
    pub(super) fn tracer_of(&self, session_id: SessionId, preferred: u64) -> Option<u64> {
        self.open_tracers.of_session(session_id, preferred)
    }

    /// The tracer for a call that names none: the only open one that this scope may use. `Err` says why there is
    /// none.
    pub(super) fn only_tracer(&self, scope: u64, names_session: bool) -> Result<u64, &'static str> {
        match self.open_tracers.only(scope) {
            Only::One(only) => Ok(only),
            Only::Alike(first) if names_session => Ok(first),
            Only::None => {
                Err("no session is active here: call initTracer() first, or pass { tracer }")
            }
            Only::Different if names_session => Err(
                "several tracers with different keys or servers are open: pass { tracer } beside the session's id",
            ),
            Only::Alike(_) | Only::Different => Err(
                "several sessions are open and none is active here: call tracer.enrichSession(), pass { tracer } or { sessionId }, or run this inside tracer.run()",
            ),
        }
    }
}
