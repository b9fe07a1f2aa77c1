//! One tracer: its settings, its session, and the state of its work.

use std::rc::Rc;

use super::id_map::NOTHING;
use super::ledger::Ledger;
use super::number_set::NumberSet;
use super::session::{Description, SessionId};
use super::settings::Settings;

/// A tracer that `initTracer` or `startSession` made.
#[derive(Debug)]
pub struct Tracer {
    /// The tracer's settings.
    pub settings: Rc<Settings>,
    /// Its server, as its `fetch` reaches it; [`NOTHING`] if it is disabled.
    pub server: u64,
    /// The request scope in which it was made.
    pub scope: u64,
    /// Its calls.
    pub ledger: Ledger,
    /// The outbox of its session; [`NOTHING`] if it is disabled or closed.
    outbox: u64,
    session_id: SessionId,
    /// The name of sessions that are started for its enrichments.
    session_name: Rc<str>,
    /// Whether it is being closed and takes no more calls.
    is_closing: bool,
    /// Whether JavaScript has no reference to it any more.
    is_released: bool,
    /// The outboxes that may hold enrichments of this tracer.
    given_to: NumberSet,
    /// Whether the shell knows that the tracer has work.
    is_busy: bool,
    /// Whether the report that it has no more work is queued.
    is_idle_queued: bool,
}

impl Tracer {
    /// A tracer that was made in the request `scope`. One with an outbox has work from the beginning: it may have a
    /// start.
    pub fn new(
        settings: Rc<Settings>,
        (server, outbox): (u64, u64),
        session_id: SessionId,
        session_name: Rc<str>,
        scope: u64,
    ) -> Tracer {
        Tracer {
            settings,
            server,
            scope,
            ledger: Ledger::default(),
            outbox,
            session_id,
            session_name,
            is_closing: false,
            is_released: false,
            given_to: NumberSet::NONE,
            is_busy: outbox != NOTHING,
            is_idle_queued: false,
        }
    }

    /// The outbox of its session; [`NOTHING`] if it is disabled or closed.
    pub fn outbox(&self) -> u64 {
        self.outbox
    }

    /// Its session.
    pub fn session_id(&self) -> SessionId {
        self.session_id
    }

    /// Lets the session that its first ticket names be its session.
    pub fn rename_session(&mut self, session_id: SessionId) {
        self.session_id = session_id;
    }

    /// The description of a session that is started for an enrichment made at `given_unix_ms`. The session of a ticket
    /// has none, because the relay names it.
    pub fn description(&self, given_unix_ms: u64) -> Option<Description> {
        let is_ticket = self.settings.destination.as_ref().is_some_and(|it| it.is_ticket);
        (!is_ticket).then(|| Description {
            name: self.session_name.clone(),
            source: self.settings.source.clone(),
            project: self.settings.project.clone(),
            start_time: given_unix_ms,
        })
    }

    /// Whether the tracer takes calls.
    pub fn is_open(&self) -> bool {
        !self.is_closing && !self.is_released
    }

    /// Lets it take no more calls.
    pub fn close(&mut self) {
        self.is_closing = true;
    }

    /// Records that JavaScript has no reference to it any more.
    pub fn release(&mut self) {
        self.is_released = true;
    }

    /// Whether it can be forgotten: JavaScript has no reference to it, and all of its calls have ended.
    pub fn is_over(&self) -> bool {
        self.is_released && self.ledger.unsettled() == 0
    }

    /// Detaches it from its session's outbox, which is returned.
    pub fn leave_outbox(&mut self) -> u64 {
        std::mem::replace(&mut self.outbox, NOTHING)
    }

    /// The outboxes that may hold enrichments of it.
    pub fn given_to(&self) -> &NumberSet {
        &self.given_to
    }

    /// Records that an enrichment of it was put into `outbox`.
    pub fn give_to(&mut self, outbox: u64) {
        self.given_to.add(outbox);
    }

    /// Records that `outbox` holds no enrichment of it.
    pub fn take_from(&mut self, outbox: u64) {
        self.given_to.remove(outbox);
    }

    /// Removes and returns the outboxes that may hold enrichments of it.
    pub fn take_given_to(&mut self) -> NumberSet {
        std::mem::take(&mut self.given_to)
    }

    /// Records that it has work. Returns whether the shell does not know that yet.
    pub fn begin_work(&mut self) -> bool {
        !std::mem::replace(&mut self.is_busy, true)
    }

    /// Whether the report that it has no more work is to be queued, which is recorded: the shell knows that it had work,
    /// and all of its calls have ended.
    pub fn queue_idle(&mut self) -> bool {
        self.is_busy
            && self.ledger.unsettled() == 0
            && !std::mem::replace(&mut self.is_idle_queued, true)
    }

    /// Whether it has no work, now that this is to be reported.
    pub fn end_work(&mut self) -> bool {
        self.is_idle_queued = false;
        self.is_busy = self.ledger.unsettled() > 0;
        if !self.is_busy {
            // An empty set keeps its memory, and each open tracer would have one.
            self.given_to = NumberSet::NONE;
        }
        !self.is_busy
    }
}
