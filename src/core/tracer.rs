//! One tracer: how it works, which session it speaks of, and what became of what it was given.

use std::rc::Rc;

use super::id_map::FixedSet;
use super::session::{Description, SessionId};
use super::settings::Settings;
use super::unsettled::Unsettled;

/// A tracer that `initTracer` or `startSession` made.
#[derive(Debug)]
pub struct Tracer {
    /// How it works.
    pub settings: Rc<Settings>,
    /// Its session's outbox; [`NOTHING`](super::id_map::NOTHING) where it is disabled.
    pub outbox: u64,
    /// Its server, as its `fetch` reaches it; nothing where it is disabled.
    pub server: u64,
    /// Its session.
    pub session_id: SessionId,
    /// How it calls sessions that are made for what it is given.
    pub session_name: Rc<str>,
    /// The request scope that it was made in.
    pub scope: u64,
    /// It takes nothing more.
    pub is_closing: bool,
    /// Nobody refers to it any more.
    pub is_released: bool,
    /// What became of its enrichments.
    pub counts: Counts,
    /// Starts of its session that are on their way.
    pub starting: u32,
    /// Outboxes that may hold something of what it was given.
    pub given_to: FixedSet<u64>,
    /// Its flushes and closes that wait: apart, as mostly there are none.
    pub waits: Option<Box<Unsettled>>,
    /// Whether the shell was told that it has work, and not yet that it has none any more.
    pub is_busy: bool,
    /// Whether the shell is about to be told that it has no work.
    pub is_idle_queued: bool,
}

impl Tracer {
    /// How a session shows that is made for what it was given at `given_unix_ms`. What the session of a ticket is
    /// called is the relay's to say.
    pub fn description(&self, given_unix_ms: u64) -> Option<Description> {
        let is_ticket = self.settings.destination.as_ref().is_some_and(|it| it.is_ticket);
        (!is_ticket).then(|| Description {
            name: self.session_name.clone(),
            source: self.settings.source.clone(),
            project: self.settings.project.clone(),
            start_time: given_unix_ms,
        })
    }

    /// Whether it takes calls.
    pub fn is_open(&self) -> bool {
        !self.is_closing && !self.is_released
    }

    /// How many enrichments and starts have not ended.
    pub fn unsettled(&self) -> u64 {
        self.counts.pending + u64::from(self.starting)
    }
}

/// What became of enrichments: `FlushReport`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Stored by the backend.
    pub delivered: u64,
    /// Given up.
    pub dropped: u64,
    /// Neither yet.
    pub pending: u64,
}

impl Counts {
    /// One of those that are pending has ended.
    pub fn settled(&mut self, delivered: bool) {
        self.pending -= 1;
        *(if delivered { &mut self.delivered } else { &mut self.dropped }) += 1;
    }
}
