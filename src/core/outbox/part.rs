//! The parts that wait in an outbox: enrichments, and the fields that sessions start with.

use super::stamps::CallTime;
use crate::core::deadline::DeadlineClock;
use crate::core::enrichment::{Enrichment, InputsPlace, Merged};
use crate::core::id_map::NOTHING;
use crate::core::policy::PART_OVERHEAD_BYTES;
use crate::core::time::NEVER;

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
    id: u64,
    kind: PartKind,
    tracer: u64,
    scope: u64,
    called_at: CallTime,
    deadline_from_ms: u64,
    /// How long it is retried, in milliseconds.
    deadline_ms: u64,
    deadline: u64,
    is_kept: bool,
    chapter: u32,
    is_left: bool,
    enrichment: Enrichment,
}

impl Part {
    /// A part without content and without a deadline: the call with the number `id`, which was made in a request `scope`
    /// at the time `called_at`. Its deadline counts from `deadline_from_ms` on the forward clock.
    pub fn new(
        id: u64,
        kind: PartKind,
        scope: u64,
        called_at: CallTime,
        deadline_from_ms: u64,
    ) -> Box<Part> {
        Box::new(Part {
            id,
            kind,
            tracer: NOTHING,
            scope,
            called_at,
            deadline_from_ms,
            deadline_ms: NEVER,
            deadline: NEVER,
            is_kept: false,
            chapter: 0,
            is_left: false,
            enrichment: Enrichment::default(),
        })
    }

    /// Its number, which increases in the order in which parts are accepted.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Its kind.
    pub fn kind(&self) -> PartKind {
        self.kind
    }

    /// The tracer of the call, or [`NOTHING`].
    pub fn tracer(&self) -> u64 {
        self.tracer
    }

    /// The request scope of the call.
    pub fn scope(&self) -> u64 {
        self.scope
    }

    /// When the call was made, by the wall clock of its page.
    pub fn called_at(&self) -> CallTime {
        self.called_at
    }

    /// From when its deadline counts, in milliseconds on the forward clock: when the call was made, or when the page came
    /// back since.
    pub fn deadline_from_ms(&self) -> u64 {
        self.deadline_from_ms
    }

    /// When it is given up, on the [`DeadlineClock`] of its outbox.
    pub fn deadline(&self) -> u64 {
        self.deadline
    }

    /// Whether the browser keeps it until it has ended.
    pub fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// The number of the page, and of the part of its life, in which it was made; 0 for the current one.
    pub fn chapter(&self) -> u32 {
        self.chapter
    }

    /// Whether an earlier page left it.
    pub fn is_left(&self) -> bool {
        self.is_left
    }

    /// Its content.
    pub fn enrichment(&self) -> &Enrichment {
        &self.enrichment
    }

    /// Assigns it to `tracer`, whose enrichments are retried for `deadline_ms`.
    pub fn assign_to(&mut self, tracer: u64, deadline_ms: u64) {
        (self.tracer, self.deadline_ms) = (tracer, deadline_ms);
    }

    /// Gives it content.
    pub fn fill(&mut self, enrichment: Enrichment) {
        self.enrichment = enrichment;
    }

    /// Sets the time that counts as the time of the call.
    pub fn date(&mut self, called_at: CallTime) {
        self.called_at = called_at;
    }

    /// Records that an earlier page left it, which made it at the time `called_at` in this `chapter`.
    pub fn take_over(&mut self, called_at: CallTime, chapter: u32) {
        (self.called_at, self.chapter, self.is_left) = (called_at, chapter, true);
    }

    /// Records that the browser keeps it.
    pub fn keep(&mut self) {
        self.is_kept = true;
    }

    /// Records that the browser's entry belongs to another page now.
    pub fn leave_to_others(&mut self) {
        self.is_kept = false;
    }

    /// Sets its deadline on `clock`.
    pub fn begin_deadline(&mut self, clock: DeadlineClock) {
        self.deadline = clock.deadline(self.deadline_from_ms, self.deadline_ms);
    }

    /// Lets its time begin anew at `now_ms`.
    pub(super) fn begin_deadline_anew(&mut self, clock: DeadlineClock, now_ms: u64) {
        self.deadline_from_ms = now_ms;
        self.begin_deadline(clock);
    }

    /// Caps its deadline at the time that it was given, because part of that time may have been forgiven before it came.
    pub fn shorten_deadline(&mut self, clock: DeadlineClock) {
        self.deadline = self.deadline.min(clock.deadline(self.deadline_from_ms, self.deadline_ms));
    }

    /// Lets it have no deadline for a while.
    pub(super) fn stop_deadline(&mut self) {
        self.deadline = NEVER;
    }

    /// Records that it was made in this `chapter`, which has ended.
    pub(super) fn end_chapter(&mut self, chapter: u32) {
        if self.chapter == 0 {
            self.chapter = chapter;
        }
    }

    /// Moves it to a chapter of its own, the one after as many others, if this page made it before it rested.
    pub(super) fn set_apart(&mut self, others: u32) {
        if self.chapter != 0 && !self.is_left {
            self.chapter = self.chapter.wrapping_add(others).max(1);
        }
    }

    /// Takes its content out, as a start that waits for another enrichment. The end of the start is reported in its own
    /// scope. Its content may be sent by any scope.
    pub(super) fn take_start(&mut self) -> Part {
        let enrichment = std::mem::take(&mut self.enrichment);
        let kind = PartKind::WaitingStart;
        Part { kind, scope: 0, is_kept: false, enrichment, ..*self }
    }

    /// Adds what a later start says.
    pub(super) fn add_later(&mut self, later: &Part) {
        self.enrichment = self.enrichment.merged_with(&later.enrichment);
    }

    /// Adds what an earlier start says, whose number it gets.
    pub(super) fn add_earlier(&mut self, earlier: &Part) {
        self.enrichment = earlier.enrichment.merged_with(&self.enrichment);
        self.id = earlier.id;
    }

    /// The bytes that it takes. The details of a start count for its tracer, and starts that were given up are few.
    pub fn bytes(&self) -> u64 {
        match self.kind {
            PartKind::Enrichment => held_by(&self.enrichment),
            PartKind::Start | PartKind::WaitingStart => self.enrichment.bytes() as u64,
        }
    }

    /// Whether it may change a stored value. A start may be empty.
    pub(super) fn has_fields(&self) -> bool {
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
pub(super) fn last_call_time(parts: &[Box<Part>]) -> CallTime {
    let last = parts.iter().rfind(|part| part.kind == PartKind::Enrichment);
    last.or(parts.first()).map_or(CallTime::default(), |part| part.called_at)
}

/// Whether `goes` is true for all of `parts` that have content, and there is one.
fn all_with_fields(parts: &[Box<Part>], goes: fn(&Part) -> bool) -> bool {
    let mut enrichments = parts.iter().filter(|part| part.has_fields()).peekable();
    enrichments.peek().is_some() && enrichments.all(|part| goes(part))
}

/// Whether earlier pages left all of `parts` that have content.
pub(super) fn were_left(parts: &[Box<Part>]) -> bool {
    all_with_fields(parts, |part| part.is_left)
}

/// Whether all of `parts` that have content were made before this page rested, or in an earlier page.
pub(super) fn have_rested(parts: &[Box<Part>]) -> bool {
    all_with_fields(parts, |part| part.chapter != 0)
}
