//! The parts that wait in an outbox: enrichments, and what sessions start with.

use crate::core::enrichment::{Enrichment, InputsPlace, Merged};
use crate::core::policy::PART_OVERHEAD_BYTES;

/// What a part of a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// What `initTracer` was given for the session. Nobody waits for its delivery.
    Start,
    /// A start that was given up once. It goes along with the next enrichment, so that a server that refuses it is
    /// not asked again and again.
    WaitingStart,
    /// A call of `enrichSession` or `addMetrics`.
    Enrichment,
}

/// One accepted enrichment.
#[derive(Debug)]
pub struct Part {
    /// Its number, in the order in which all were accepted.
    pub id: u64,
    /// What it is.
    pub kind: PartKind,
    /// The tracer that it was given to.
    pub tracer: u64,
    /// The request scope that it was given in.
    pub scope: u64,
    /// When it was given, in Unix milliseconds.
    pub given_unix_ms: u64,
    /// When it was given, in milliseconds on the forward clock.
    pub given_ms: u64,
    /// How long it may be tried, in milliseconds.
    pub deadline_ms: u64,
    /// When it is given up, on the [`DeadlineClock`](crate::core::deadline::DeadlineClock) of its outbox.
    pub deadline: u64,
    /// Whether the browser keeps it until it has ended.
    pub is_kept: bool,
    /// The number of the page, and of the part of that page's life, in which it was said; 0 if that goes on.
    pub chapter: u32,
    /// Whether an earlier page left it.
    pub is_left: bool,
    /// What it says.
    pub enrichment: Enrichment,
}

impl Part {
    /// The bytes that it holds. What is noted about a start counts as its tracer's, and few starts that were given up
    /// wait apart.
    pub fn bytes(&self) -> u64 {
        match self.kind {
            PartKind::Enrichment => held_by(&self.enrichment),
            PartKind::Start | PartKind::WaitingStart => self.enrichment.bytes() as u64,
        }
    }

    /// Whether it may change what is stored. A start may say nothing.
    pub(super) fn says_something(&self) -> bool {
        self.kind == PartKind::Enrichment || !self.enrichment.is_empty()
    }
}

/// Parts in their order. They are boxed, because it takes less code to move a pointer than to move a part.
pub type Parts = Vec<Box<Part>>;

/// The bytes that holding `enrichment` takes.
pub fn held_by(enrichment: &Enrichment) -> u64 {
    (enrichment.held_bytes() + PART_OVERHEAD_BYTES) as u64
}

/// What `parts` say together.
pub(super) fn merged(parts: &[Box<Part>], inputs: InputsPlace) -> Merged<'_> {
    Merged::of(parts.iter().map(|part| &part.enrichment), inputs)
}

/// When the last enrichment among `parts` was given, or if there is none the first start, in Unix milliseconds.
pub(super) fn said_unix_ms(parts: &[Box<Part>]) -> u64 {
    let mut said = 0;
    for part in parts {
        if said == 0 || part.kind == PartKind::Enrichment {
            said = part.given_unix_ms;
        }
    }
    said
}

/// Whether all that `parts` say `goes` so, and they say something.
fn all_said(parts: &[Box<Part>], goes: fn(&Part) -> bool) -> bool {
    let mut said = parts.iter().filter(|part| part.says_something()).peekable();
    said.peek().is_some() && said.all(|part| goes(part))
}

/// Whether earlier pages left all that `parts` say.
pub(super) fn were_left(parts: &[Box<Part>]) -> bool {
    all_said(parts, |part| part.is_left)
}

/// Whether all that `parts` say was said before this page rested, or in an earlier one.
pub(super) fn have_rested(parts: &[Box<Part>]) -> bool {
    all_said(parts, |part| part.chapter != 0)
}
