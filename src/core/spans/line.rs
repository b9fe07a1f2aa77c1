//! The spans that wait in one request scope, and what of them goes out next.

use std::collections::VecDeque;
use std::mem::take;

use super::exporter::Next;
use super::otlp::Span;

/// Bytes from which on a request takes no further span: what a retry repeats stays small.
const FULL_REQUEST_BYTES: usize = 1_000_000;

/// What waits in one scope, what of it is in flight, and when what is left may go.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) scope: u64,
    /// What its shell is to be told.
    pub(super) ended: VecDeque<Next>,
    pub(super) queued: Vec<Item>,
    /// What is sent before, each as it is: it failed before, or is a part of what was refused.
    pub(super) again: VecDeque<Batch>,
    pub(super) flight: Option<Batch>,
    pub(super) failures: u32,
    /// What the last failure was.
    pub(super) why: String,
    /// When the next request may go.
    pub(super) ready_at: u64,
    /// When the shell has to have asked again, or its request is gone, and all that was in it.
    pub(super) due_at: u64,
}

/// A span that waits.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) call: u64,
    pub(super) deadline: u64,
    pub(super) span: Span,
}

/// What goes out in one request, through every retry.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) items: Vec<Item>,
    /// The same in each try: the backend orders a client's requests by it.
    pub(super) stamp_ns: u64,
}

impl Item {
    pub(super) fn bytes(&self) -> u64 {
        self.span.bytes() as u64
    }
}

impl Line {
    /// All that waits or is in flight.
    pub(super) fn items(&self) -> impl Iterator<Item = &Item> {
        let batches = self.again.iter().chain(&self.flight);
        self.queued.iter().chain(batches.flat_map(|batch| &batch.items))
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.queued.is_empty() && self.again.is_empty()
    }

    /// Takes what goes out next; something waits.
    pub(super) fn next_batch(&mut self, stamp_ns: u64) -> Batch {
        if let Some(batch) = self.again.pop_front() {
            return batch;
        }
        let mut bytes = 0;
        let fits = self.queued.iter().take_while(|item| {
            bytes += item.span.bytes();
            bytes <= FULL_REQUEST_BYTES
        });
        let count = fits.count().max(1);
        Batch { items: self.queued.drain(..count).collect(), stamp_ns }
    }

    /// Takes what waits and has no time left at `mono_ms`.
    pub(super) fn take_late(&mut self, mono_ms: u64) -> Vec<Item> {
        let mut late = Vec::new();
        let mut keep = |items: &mut Vec<Item>| {
            let (kept, ended): (_, Vec<Item>) =
                take(items).into_iter().partition(|item| item.deadline > mono_ms);
            *items = kept;
            late.extend(ended);
        };
        keep(&mut self.queued);
        self.again.iter_mut().for_each(|batch| keep(&mut batch.items));
        self.again.retain(|batch| !batch.items.is_empty());
        late
    }

    /// Takes all there is.
    pub(super) fn into_items(self) -> Vec<Item> {
        let batches = self.again.into_iter().chain(self.flight);
        batches.flat_map(|batch| batch.items).chain(self.queued).collect()
    }
}
