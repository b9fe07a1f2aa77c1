//! The browser's store, as far as the core knows it: the entries that earlier pages left there, and the chapter of the
//! page's life under which new entries are kept.

use crate::core::kept::Kept;

/// An entry that an earlier page left, with the shell's number for it.
#[derive(Debug)]
pub(super) struct Leftover {
    id: i64,
    kept: Kept,
    /// Whether the shell was told to remove it.
    is_forgotten: bool,
}

impl Leftover {
    /// The shell's number for it.
    pub(super) fn id(&self) -> i64 {
        self.id
    }

    /// Whether the shell was told to remove it.
    pub(super) fn is_forgotten(&self) -> bool {
        self.is_forgotten
    }

    /// Its content.
    pub(super) fn kept(&self) -> &Kept {
        &self.kept
    }
}

/// Boxed, because moving a pointer takes less code.
pub(super) type Leftovers = Vec<Box<Leftover>>;

/// The entries of the store.
#[derive(Debug)]
pub(super) struct EntryStore {
    /// Whether there is a store to keep enrichments in.
    is_connected: bool,
    /// Identifies the page, and the part of its life, in which something is kept; never 0.
    chapter: u32,
    /// The entries of earlier pages that no tracer has taken over yet, the earliest first.
    leftovers: Leftovers,
    last_leftover: i64,
}

impl EntryStore {
    /// No store yet. `seed` determines the number of the first chapter.
    pub(super) fn new(seed: u64) -> EntryStore {
        EntryStore {
            is_connected: false,
            chapter: (seed ^ (seed >> 32)) as u32 | 1,
            leftovers: Vec::new(),
            last_leftover: 0,
        }
    }

    /// Records that there is a store.
    pub(super) fn connect(&mut self) {
        self.is_connected = true;
    }

    /// Whether there is a store.
    pub(super) fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// The chapter under which new entries are kept.
    pub(super) fn chapter(&self) -> u32 {
        self.chapter
    }

    /// Separates the entries that are kept from now on from those kept before, because in between this page sends
    /// something that is not kept, or other pages may have sent something.
    pub(super) fn begin_chapter(&mut self) {
        self.chapter = self.chapter.wrapping_add(1).max(1);
    }

    /// The number of the next entry of an earlier page. The shell numbers them -1, -2 … over all calls.
    pub(super) fn number_leftover(&mut self) -> i64 {
        self.last_leftover -= 1;
        self.last_leftover
    }

    /// The number of the last entry of an earlier page.
    pub(super) fn last_leftover(&self) -> i64 {
        self.last_leftover
    }

    /// Adds an entry of an earlier page. The entries of one page are in order; those of several pages are ordered by
    /// their clocks.
    pub(super) fn add_leftover(&mut self, id: i64, kept: Kept) {
        let place =
            self.leftovers.iter().position(|it| it.kept.called_at.unix_ms > kept.called_at.unix_ms);
        let place = place.unwrap_or(self.leftovers.len());
        self.leftovers.insert(place, Box::new(Leftover { id, kept, is_forgotten: false }));
    }

    /// Removes and returns the entries of earlier pages.
    pub(super) fn take_leftovers(&mut self) -> Leftovers {
        std::mem::take(&mut self.leftovers)
    }

    /// Returns an entry that is for another tracer, after those that were returned before.
    pub(super) fn leave(&mut self, leftover: Box<Leftover>) {
        self.leftovers.push(leftover);
    }

    /// The entries that are too old to be sent and that no tracer has taken over, because there may never be a tracer
    /// with their key and server. They leave the store, and stay in memory so that a later tracer can report them.
    pub(super) fn forget_old_leftovers(&mut self, unix_ms: u64) -> Vec<i64> {
        let mut forgotten = Vec::new();
        for leftover in &mut self.leftovers {
            if leftover.kept.is_over(unix_ms)
                && !std::mem::replace(&mut leftover.is_forgotten, true)
            {
                forgotten.push(leftover.id);
            }
        }
        forgotten
    }

    /// Lets go of the entries of earlier pages up to the number `last` that are not `still` there, because other pages
    /// have taken them over.
    pub(super) fn keep_only(&mut self, still: &[i64], last: i64) {
        self.leftovers.retain(|it| it.id < last || still.contains(&it.id));
    }
}
