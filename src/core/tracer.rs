//! One tracer: its settings, its session, and the counts of its enrichments.

use std::rc::Rc;

use super::number_set::NumberSet;
use super::session::{Description, SessionId};
use super::settings::Settings;
use super::unsettled::Unsettled;

/// A tracer that `initTracer` or `startSession` made.
#[derive(Debug)]
pub struct Tracer {
    /// The tracer's settings.
    pub settings: Rc<Settings>,
    /// The outbox of its session; [`NOTHING`](super::id_map::NOTHING) if it is disabled.
    pub outbox: u64,
    /// Its server, as its `fetch` reaches it; [`NOTHING`](super::id_map::NOTHING) if it is disabled.
    pub server: u64,
    /// Its session.
    pub session_id: SessionId,
    /// The name of sessions that are started for its enrichments.
    pub session_name: Rc<str>,
    /// The request scope in which it was made.
    pub scope: u64,
    /// Whether it is being closed and takes no more calls.
    pub is_closing: bool,
    /// Whether JavaScript has no reference to it any more.
    pub is_released: bool,
    /// The counts of its enrichments.
    pub counts: Counts,
    /// How many starts of its session are unfinished.
    pub starting: u32,
    /// The outboxes that may hold enrichments of this tracer.
    pub given_to: NumberSet,
    /// Its waiting flushes and closes. Boxed, because mostly there are none.
    pub waits: Option<Box<Unsettled>>,
    /// Whether the shell knows that the tracer has work.
    pub is_busy: bool,
    /// Whether the report that it has no more work is queued.
    pub is_idle_queued: bool,
}

impl Tracer {
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

    /// How many of its enrichments and starts have not ended.
    pub fn unsettled(&self) -> u64 {
        self.counts.pending + u64::from(self.starting)
    }
}

/// How many enrichments ended in which way: `FlushReport` in JavaScript.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Enrichments that the backend stored.
    pub delivered: u64,
    /// Enrichments that were given up.
    pub dropped: u64,
    /// Enrichments that have not ended.
    pub pending: u64,
}

impl Counts {
    /// Moves one pending enrichment to `delivered` or `dropped`.
    pub fn settle_one(&mut self, delivered: bool) {
        self.pending -= 1;
        *(if delivered { &mut self.delivered } else { &mut self.dropped }) += 1;
    }
}
