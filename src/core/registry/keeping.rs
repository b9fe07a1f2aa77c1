//! What a browser keeps of unsent enrichments, so that they outlive the page: told to the shell when
//! one is given and when it has ended, and taken back from what earlier pages left.

use std::rc::Rc;

use super::Registry;
use crate::core::json::{elements, text};
use crate::core::kept::{Kept, KeptFate, write_entry};
use crate::core::outbox::{Kind, Part};
use crate::core::outcome::{Output, Reason};
use crate::core::session::{Description, SessionOrigin, Start};
use crate::core::settings::Settings;
use crate::core::time::Now;

/// Something that an earlier page left, under the number by which the shell knows it.
#[derive(Debug)]
pub(super) struct Leftover {
    id: i64,
    kept: Kept,
    /// Whether the store was told to let go of it.
    is_forgotten: bool,
}

/// In boxes: to move a number is less code.
pub(super) type Leftovers = Vec<Box<Leftover>>;

impl Registry {
    /// There is a store to keep enrichments in. `entries`, a JSON list of texts, are what earlier
    /// pages left there; the shell counts them -1, -2 … over all calls. Each goes out with the first
    /// tracer that may send it.
    pub fn restore(&mut self, entries: &str, scope: u64, now: Now) {
        let now = self.clock.advance(now);
        self.keeps = true;
        for entry in elements(entries).unwrap_or_default() {
            self.last_leftover -= 1;
            let id = self.last_leftover;
            let Some(json) = text(entry) else {
                self.outputs.push_back(Output::Forget { ids: vec![id] });
                continue;
            };
            match Kept::read(&json, self.numerals) {
                Some(kept) => {
                    // Those of one page come in order; those of several go by their clocks.
                    let place = self.leftovers.iter().position(|it| it.kept.at > kept.at);
                    let place = place.unwrap_or(self.leftovers.len());
                    let leftover = Leftover { id, kept, is_forgotten: false };
                    self.leftovers.insert(place, Box::new(leftover));
                }
                None if Kept::is_for_later_version(&json, self.numerals, now.unix_ms) => {}
                None => self.outputs.push_back(Output::Forget { ids: vec![id] }),
            }
        }
        let mut tracers = Vec::new();
        for (tracer, _) in self.tracers.iter() {
            tracers.push(tracer);
        }
        // The oldest first: each takes what it may send.
        tracers.sort_unstable();
        for tracer in tracers {
            self.take_leftovers(tracer, scope, now);
        }
        self.forget_old_leftovers(now);
    }

    /// What is too old to be sent, and of a key or server that no tracer here has, may never find one that
    /// has: later pages are not to read it again. A tracer that comes yet tells of it.
    fn forget_old_leftovers(&mut self, now: Now) {
        for leftover in &mut self.leftovers {
            if leftover.kept.is_over(now.unix_ms)
                && !std::mem::replace(&mut leftover.is_forgotten, true)
            {
                self.outputs.push_back(Output::Forget { ids: vec![leftover.id] });
            }
        }
    }

    /// Gives the tracer what was left that it may send.
    pub(super) fn take_leftovers(&mut self, tracer: u64, scope: u64, now: Now) {
        let settings = self.tracers.get(tracer).filter(|tracer| tracer.is_open());
        let Some(settings) = settings.map(|tracer| tracer.settings.clone()) else { return };
        let Some(destination) = settings.destination.as_ref().filter(|_| settings.persist) else {
            return;
        };
        for leftover in std::mem::take(&mut self.leftovers) {
            let fate = leftover.kept.fate(destination, now.unix_ms);
            if fate == KeptFate::Leave {
                self.leftovers.push(leftover);
                continue;
            }
            let Leftover { id, kept, is_forgotten } = &*leftover;
            if !is_forgotten {
                self.outputs.push_back(Output::Forget { ids: vec![*id] });
            }
            let mut part = self.part(Kind::Enrichment, tracer, scope, now);
            part.given_unix_ms = kept.at;
            part.left_by = kept.by;
            self.take_over(part, kept, &fate, &settings, now);
        }
    }

    fn take_over(
        &mut self,
        part: Box<Part>,
        kept: &Kept,
        fate: &KeptFate,
        settings: &Rc<Settings>,
        now: Now,
    ) {
        let Kept { target, fields, description, .. } = kept;
        let Some(part) = self.read(part, fields.clone(), now) else { return };
        let destination = match fate {
            KeptFate::Send(destination) => destination,
            KeptFate::Leave => return,
            KeptFate::Expired(why) => {
                let reason = Reason::RetriesExhausted;
                return self.refuse(part, Some(*target), reason, why, now);
            }
        };
        let Some(part) = self.with_room(part, Some(*target), now) else { return };
        let id = self.open_outbox(destination, settings, *target);
        let (tracer, scope) = (part.tracer, part.scope);
        let part = self.keep(id, part, description.as_ref());
        if let Some(outbox) = self.outboxes.get_mut(id) {
            // It may have been the session's beginning that did not get through, which is not a ticket's to say.
            let description = description.clone();
            if !target.is_event() && !outbox.destination.is_ticket {
                outbox.want_start(Start { origin: SessionOrigin::Named, description });
            }
            outbox.stamps().take_over(part.given_unix_ms);
            outbox.totals.set_from_earlier_page(&part.enrichment, self.numerals);
            outbox.accept_in_time(part);
        }
        self.schedule(id, now);
        self.given(tracer, scope, id, now);
    }

    /// `part`, kept in the store until it has ended, if its tracer wants that.
    pub(super) fn keep(
        &mut self,
        outbox: u64,
        mut part: Box<Part>,
        description: Option<&Description>,
    ) -> Box<Part> {
        let persists = self.tracers.get(part.tracer).is_some_and(|it| it.settings.persist);
        if let Some(outbox) = self.outboxes.get(outbox).filter(|_| self.keeps && persists) {
            let Part { given_unix_ms, left_by, enrichment, .. } = &*part;
            let (destination, target) = (&outbox.destination, outbox.target());
            // What an earlier page left stays that one's.
            let by = if *left_by == 0 { self.chapter } else { *left_by };
            let json =
                write_entry(destination, target, (*given_unix_ms, by), enrichment, description);
            self.outputs.push_back(Output::Keep { id: part.id, json });
            part.is_kept = true;
        } else {
            self.begin_chapter();
        }
        part
    }

    /// What is kept from now on goes apart from what was kept before: in between something is said that this page
    /// sends itself, or other pages may have said something.
    pub(super) fn begin_chapter(&mut self) {
        self.chapter = self.chapter.wrapping_add(1).max(1);
    }

    /// Lets go of what was kept of `parts`, which have ended.
    pub(super) fn forget(&mut self, parts: &[Box<Part>]) {
        let mut ids = Vec::new();
        for part in parts {
            if part.is_kept && part.kind != Kind::WaitingStart {
                ids.push(part.id as i64);
            }
        }
        if !ids.is_empty() {
            self.outputs.push_back(Output::Forget { ids });
        }
    }

    /// The page was away, and others may have taken over what it kept: `still` is what they left. The
    /// rest is theirs to deliver; but not what was said since the page went, which the list may be too old for.
    ///
    /// `still` has numbers of enrichments, and of what earlier pages left and [`Registry::restore`] was given: also
    /// that is another page's now, if no tracer had taken it over before.
    pub fn only_kept(&mut self, still: &[i64], now: Now) {
        let now = self.clock.advance(now);
        let rested_at = self.page.rested_at;
        let last_leftover = self.page.last_leftover;
        self.leftovers.retain(|it| it.id < last_leftover || still.contains(&it.id));
        for id in self.busy.clone() {
            let Some(outbox) = self.outboxes.get_mut(id) else { continue };
            let target = outbox.target();
            let mut taken = outbox.take_those(&|part| {
                part.is_kept && part.id <= rested_at && !still.contains(&(part.id as i64))
            });
            self.schedule(id, now);
            for part in &mut taken {
                part.is_kept = false;
            }
            self.deliver(taken, target, now);
        }
    }
}
