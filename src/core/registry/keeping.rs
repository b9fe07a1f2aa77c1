//! Keeps unsent enrichments in the browser's store, so that they outlive the page: tells the shell what to store and what
//! to remove, and takes over the entries that earlier pages left.

use std::rc::Rc;

use super::Registry;
use crate::core::json::{elements, text};
use crate::core::kept::{Kept, KeptFate, write_entry};
use crate::core::number_set::NumberSet;
use crate::core::outbox::{Part, PartKind};
use crate::core::outcome::{Output, Reason};
use crate::core::session::{Description, SessionOrigin, Start};
use crate::core::settings::Settings;
use crate::core::time::Now;

impl Registry {
    /// Connects a store for enrichments. `entries`, a JSON list of strings, are the entries that earlier pages left there;
    /// the shell numbers them -1, -2 … over all calls. Each entry is sent by the first tracer that may send it.
    pub fn restore(&mut self, entries: &str, scope: u64, now: Now) {
        let now = self.clock.advance(now);
        self.store.connect();
        for entry in elements(entries).unwrap_or_default() {
            let id = self.store.number_leftover();
            match text(entry).and_then(|json| Kept::read(&json, self.numerals)) {
                Some(kept) => self.store.add_leftover(id, kept),
                None => self.forget_entries(vec![id]),
            }
        }
        let mut tracers = NumberSet::NONE;
        for (tracer, _) in self.tracers.iter() {
            tracers.add(tracer);
        }
        // The oldest tracer comes first. Each takes the entries that it may send.
        for tracer in tracers.iter() {
            self.take_leftovers(tracer, scope, now);
        }
        let ids = self.store.forget_old_leftovers(now.unix_ms);
        self.forget_entries(ids);
    }

    /// Has the shell remove entries from the store.
    fn forget_entries(&mut self, ids: Vec<i64>) {
        if !ids.is_empty() {
            self.reports.add(Output::Forget { ids });
        }
    }

    /// Gives the tracer the entries of earlier pages that it may send.
    pub(super) fn take_leftovers(&mut self, tracer: u64, scope: u64, now: Now) {
        let settings = self.tracers.get(tracer).filter(|tracer| tracer.is_open());
        let Some(settings) = settings.map(|tracer| tracer.settings.clone()) else { return };
        let destination = settings.destination.as_ref();
        let able = destination.filter(|it| settings.persist && !it.lacks_ticket());
        let Some(destination) = able else { return };
        for leftover in self.store.take_leftovers() {
            let kept = leftover.kept();
            let fate = kept.fate(destination, now.unix_ms);
            if fate == KeptFate::Leave {
                self.store.leave(leftover);
                continue;
            }
            if !leftover.is_forgotten() {
                self.forget_entries(vec![leftover.id()]);
            }
            let mut part = self.part(PartKind::Enrichment, tracer, scope, now);
            part.take_over(kept.called_at, kept.by);
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
            KeptFate::Send(destination) => self.shared.destination(destination.clone()),
            KeptFate::Leave => return,
            KeptFate::Expired(why) => {
                let reason = Reason::RetriesExhausted;
                return self.refuse(part, Some(*target), reason, why, now);
            }
        };
        let Some(part) = self.with_room(part, Some(*target), now) else { return };
        let id = self.open_outbox(&destination, settings, *target);
        let (tracer, scope) = (part.tracer(), part.scope());
        let part = self.keep(id, part, description.as_ref());
        if let Some(outbox) = self.outboxes.get_mut(id) {
            // The session's start may not have been delivered. A tracer with a ticket cannot start a session.
            let description = description.clone();
            if !target.is_event() && !outbox.destination.is_ticket {
                outbox.want_start(Start { origin: SessionOrigin::Named, description });
            }
            outbox.stamps().take_over(part.called_at().unix_ms);
            outbox.totals.set_from_earlier_page(part.enrichment(), self.numerals);
            outbox.accept_in_time(part);
        }
        self.schedule(id, now);
        self.record_pending(tracer, scope, id, now);
    }

    /// Stores `part` until it has ended, if its tracer is set to persist.
    pub(super) fn keep(
        &mut self,
        outbox: u64,
        mut part: Box<Part>,
        description: Option<&Description>,
    ) -> Box<Part> {
        match self.entry(outbox, &part, description) {
            Some(entry) => {
                self.reports.add(entry);
                part.keep();
            }
            None => {
                self.store.begin_chapter();
                if let Some(outbox) = self.outboxes.get_mut(outbox) {
                    outbox.date_after_kept(&mut part);
                }
            }
        }
        part
    }

    /// Stores what waits in the outbox with the ticket that it has now, the only one that a later page can send it with.
    pub(super) fn keep_again(&mut self, id: u64) {
        let Some(outbox) = self.outboxes.get(id) else { return };
        let mut kept = NumberSet::NONE;
        let mut entries = Vec::new();
        for part in outbox.unsent.parts() {
            if part.kind() != PartKind::WaitingStart
                && let Some(entry) = self.entry(id, part, None)
            {
                kept.add(part.id());
                entries.push(entry);
            }
        }
        for entry in entries {
            self.reports.add(entry);
        }
        if let Some(outbox) = self.outboxes.get_mut(id) {
            outbox.unsent.note_kept(&kept);
        }
    }

    /// What is to be stored of `part`, if there is a store and its tracer is set to persist. Without a ticket, no page
    /// could send it.
    fn entry(&self, id: u64, part: &Part, description: Option<&Description>) -> Option<Output> {
        let outbox = self.outboxes.get(id)?;
        let persists = self.tracers.get(part.tracer()).is_some_and(|it| it.settings.persist);
        if !self.store.is_connected() || !persists || outbox.destination.lacks_ticket() {
            return None;
        }
        // An entry of an earlier page remains that page's.
        let by = if part.chapter() == 0 { self.store.chapter() } else { part.chapter() };
        let (destination, target) = (&outbox.destination, outbox.target());
        let json = write_entry(
            destination,
            target,
            (part.called_at(), by),
            part.enrichment(),
            description,
        );
        Some(Output::Keep { id: part.id(), json })
    }

    /// Removes the entries of `parts`, which have ended, from the store.
    pub(super) fn forget(&mut self, parts: &[Box<Part>]) {
        let mut ids = Vec::new();
        for part in parts {
            if part.is_kept() {
                ids.push(part.id() as i64);
            }
        }
        self.forget_entries(ids);
    }

    /// Reports that the page was away, and that other pages may have taken over the entries it kept, except `still`. The
    /// others are delivered by those pages. Enrichments made since the page went away are not affected, because the list
    /// may be older than they are.
    ///
    /// `still` contains numbers of enrichments, and of entries of earlier pages that [`Registry::restore`] was given:
    /// those also belong to other pages now, unless a tracer had taken them over before.
    pub fn only_kept(&mut self, still: &[i64], now: Now) {
        let now = self.clock.advance(now);
        let rested_at = self.page.rested_at;
        let last_leftover = self.page.last_leftover;
        self.store.keep_only(still, last_leftover);
        for id in self.outboxes.busy().to_vec() {
            let Some(outbox) = self.outboxes.get_mut(id) else { continue };
            let target = outbox.target();
            let mut taken = outbox.take_those(true, &|part| {
                part.is_kept() && part.id() <= rested_at && !still.contains(&(part.id() as i64))
            });
            if !taken.is_empty() {
                outbox.part_around(&taken);
            }
            self.schedule(id, now);
            for part in &mut taken {
                part.leave_to_others();
            }
            self.deliver(taken, target, now);
        }
    }
}
