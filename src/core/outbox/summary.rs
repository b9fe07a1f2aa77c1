//! A summary of the parts in an outbox, so that not every question looks at each of them.

use super::part::{Part, PartKind};
use crate::core::id_map::NOTHING;
use crate::core::number_set::NumberSet;
use crate::core::time::NEVER;

/// The summary of the parts in an outbox's backlog. A new part is added to it. If parts are removed or changed, it is
/// made anew. Every call and every poll reads it.
#[derive(Debug)]
pub(super) struct Summary {
    held: u64,
    /// The tracers and request scopes of the parts, without starts that were given up.
    tracers: NumberSet,
    scopes: NumberSet,
    sender: u64,
    is_enriched: bool,
    deadline: u64,
    start_deadline: u64,
    /// The number of the last part that came, and the same at the time when a request was last sent.
    last_id: u64,
    tried_id: u64,
    untried_deadline: u64,
}

impl Summary {
    /// The summary of no parts.
    pub(super) const NOTHING: Summary = Summary {
        held: 0,
        tracers: NumberSet::NONE,
        scopes: NumberSet::NONE,
        sender: NOTHING,
        is_enriched: false,
        deadline: NEVER,
        start_deadline: NEVER,
        last_id: 0,
        tried_id: 0,
        untried_deadline: NEVER,
    };

    /// Adds a part.
    pub(super) fn add(&mut self, part: &Part) {
        self.held += part.bytes();
        self.last_id = part.id().max(self.last_id);
        match part.kind() {
            PartKind::Enrichment => {
                self.deadline = part.deadline().min(self.deadline);
                if part.id() > self.tried_id {
                    self.untried_deadline = part.deadline().min(self.untried_deadline);
                }
            }
            PartKind::Start => self.start_deadline = part.deadline().min(self.start_deadline),
            // Its end is not reported to anyone, so the options of its tracer that stay in JavaScript may be gone.
            PartKind::WaitingStart => return,
        }
        self.is_enriched |= part.kind() == PartKind::Enrichment;
        self.tracers.add(part.tracer());
        self.scopes.add(part.scope());
        if self.sender == NOTHING {
            self.sender = part.tracer();
        }
    }

    /// Makes the summary of `parts`. The sender stays the same if a part of it is among them.
    pub(super) fn recount(&mut self, parts: &[Box<Part>]) {
        let sender = std::mem::replace(&mut self.sender, NOTHING);
        self.held = 0;
        self.deadline = NEVER;
        self.start_deadline = NEVER;
        self.untried_deadline = NEVER;
        self.is_enriched = false;
        self.tracers.clear();
        self.scopes.clear();
        parts.iter().for_each(|part| self.add(part));
        if self.tracers.has(sender) {
            self.sender = sender;
        }
    }

    /// Records that a request is sent, so that its parts get a try.
    pub(super) fn begin_try(&mut self) {
        self.tried_id = self.last_id;
        self.untried_deadline = NEVER;
    }

    /// The bytes of the parts.
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// Whether any part is an enrichment.
    pub(super) fn is_enriched(&self) -> bool {
        self.is_enriched
    }

    /// The earliest deadline, on the outbox's clock. A start has a deadline only if it is alone.
    pub(super) fn first_deadline(&self) -> u64 {
        if self.deadline < NEVER { self.deadline } else { self.start_deadline }
    }

    /// The earliest deadline of the enrichments that came since a request was last sent.
    pub(super) fn untried_deadline(&self) -> u64 {
        self.untried_deadline
    }

    /// The tracers of the parts.
    pub(super) fn tracers(&self) -> &NumberSet {
        &self.tracers
    }

    /// The request scopes of the parts.
    pub(super) fn scopes(&self) -> &NumberSet {
        &self.scopes
    }

    /// The tracer among them whose `fetch` carries the next request, or [`NOTHING`].
    pub(super) fn sender(&self) -> u64 {
        self.sender
    }

    /// Makes `tracer` the sender of the next request.
    pub(super) fn set_sender(&mut self, tracer: u64) {
        self.sender = tracer;
    }
}
