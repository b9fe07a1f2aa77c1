//! The parts that wait in an outbox: enrichments, and the fields that sessions start with.

use super::Said;
use crate::core::enrichment::{Enrichment, InputsPlace, Merged};
use crate::core::policy::PART_OVERHEAD_BYTES;

/// The kinds of part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// The fields that `initTracer` was given for the session. Nobody waits for their delivery.
    Start,
    /// A start that was given up once. It is sent with the next enrichment, so that a server that refuses it is not
    /// asked again and again.
    WaitingStart,
    /// A call of `enrichSession` or `addMetrics`.
    Enrichment,
}

/// One accepted enrichment.
#[derive(Debug)]
pub struct Part {
    /// Its number, which increases in the order in which parts are accepted.
    pub id: u64,
    /// Its kind.
    pub kind: PartKind,
    /// The tracer of the call.
    pub tracer: u64,
    /// The request scope of the call.
    pub scope: u64,
    /// When the call was made, by the wall clock.
    pub said: Said,
    /// When the call was made, in milliseconds on the forward clock.
    pub given_ms: u64,
    /// How long it is retried, in milliseconds.
    pub deadline_ms: u64,
    /// When it is given up, on the [`DeadlineClock`](crate::core::deadline::DeadlineClock) of its outbox.
    pub deadline: u64,
    /// Whether the browser keeps it until it has ended.
    pub is_kept: bool,
    /// The number of the page, and of the part of its life, in which it was made; 0 for the current one.
    pub chapter: u32,
    /// Whether an earlier page left it.
    pub is_left: bool,
    /// Its content.
    pub enrichment: Enrichment,
}

impl Part {
    /// The bytes that it takes. The details of a start count for its tracer, and starts that were given up are few.
    pub fn bytes(&self) -> u64 {
        match self.kind {
            PartKind::Enrichment => held_by(&self.enrichment),
            PartKind::Start | PartKind::WaitingStart => self.enrichment.bytes() as u64,
        }
    }

    /// Whether it may change a stored value. A start may be empty.
    pub(super) fn says_something(&self) -> bool {
        self.kind == PartKind::Enrichment || !self.enrichment.is_empty()
    }
}

/// Parts in their order. They are boxed, so that a list of them moves pointers.
pub type Parts = Vec<Box<Part>>;

/// The bytes that `enrichment` takes.
pub fn held_by(enrichment: &Enrichment) -> u64 {
    (enrichment.held_bytes() + PART_OVERHEAD_BYTES) as u64
}

/// The content of `parts`, merged.
pub(super) fn merged(parts: &[Box<Part>], inputs: InputsPlace) -> Merged<'_> {
    Merged::of(parts.iter().map(|part| &part.enrichment), inputs)
}

/// When the last enrichment among `parts` was made, or the first start if there is none.
pub(super) fn last_said(parts: &[Box<Part>]) -> Said {
    let last = parts.iter().rfind(|part| part.kind == PartKind::Enrichment);
    last.or(parts.first()).map_or(Said::default(), |part| part.said)
}

/// Whether `goes` is true for all of `parts` that have content, and there is one.
fn all_said(parts: &[Box<Part>], goes: fn(&Part) -> bool) -> bool {
    let mut said = parts.iter().filter(|part| part.says_something()).peekable();
    said.peek().is_some() && said.all(|part| goes(part))
}

/// Whether earlier pages left all of `parts` that have content.
pub(super) fn were_left(parts: &[Box<Part>]) -> bool {
    all_said(parts, |part| part.is_left)
}

/// Whether all of `parts` that have content were made before this page rested, or in an earlier page.
pub(super) fn have_rested(parts: &[Box<Part>]) -> bool {
    all_said(parts, |part| part.chapter != 0)
}
