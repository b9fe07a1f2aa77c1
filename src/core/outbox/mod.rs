//! The outbox of one session: its unsent enrichments, the request in flight, and what to send next.
//!
//! It is a state machine in three steps. Enrichments are accepted into the *queue*. When the session may send, the
//! queue is frozen into a *batch*. A batch is one request (a start or an update) or two (a start, and then an update
//! with what a start does not store). It keeps its content through every retry, so that a request that was stored,
//! but whose answer was lost, is repeated exactly. When the batch has ended, the next one is frozen. So a session has
//! one request in flight, and its enrichments reach the backend in order. A batch that the backend refuses is halved
//! until the part to blame is alone: bad input costs only itself.

mod backlog;
mod batch;
mod part;
mod schedule;
mod stamps;
mod summary;
mod unsent;

use std::rc::Rc;

use crate::core::delivery::halving::Halving;
use crate::core::delivery::limits::{last_try_at, request_timeout_ms};
use crate::core::enrichment::{Field, InputsPlace, Merged};
use crate::core::id_map::NOTHING;
use crate::core::json::any_members;
use crate::core::policy::{MAX_REQUEST_BYTES, REQUEST_OVERHEAD_BYTES, START_WAITS_MS};
use crate::core::session::{Description, SessionId, SessionOrigin, Start, Target};
use crate::core::settings::{Destination, Settings};
use crate::core::time::Now;
use crate::core::totals::Totals;
use crate::core::wire::{self, Request, Routes};

use batch::Batch;
use part::merged;
pub use part::{Part, PartKind, Parts, held_by};
pub use schedule::Schedule;
pub use stamps::{CallTime, Stamps};
pub use unsent::Unsent;

/// What follows after a request of a batch was stored.
#[derive(Debug)]
pub enum Progress {
    /// The batch has a second request to send.
    GoesOn,
    /// The batch has ended, and these parts are stored.
    Done(Parts),
}

/// The outbox of one session, or of another event, at one destination.
#[derive(Debug)]
pub struct Outbox {
    /// The server and credential.
    pub destination: Rc<Destination>,
    /// Its place among all outboxes.
    pub schedule: Schedule,
    /// What it has to send.
    pub unsent: Unsent,
    /// The totals of its metrics.
    pub totals: Totals,
    /// Whether the backend may have metrics of the session that `totals` do not include.
    is_unread: bool,
    /// The settings of the tracer that enriched it last, whose time limits apply to the next request.
    settings: Rc<Settings>,
    /// The session or event that its requests write to. An event is never started.
    target: Target,
    /// The number of the request in flight, or [`NOTHING`].
    flight: u64,
    /// How often the batch has failed in a row.
    failures: u32,
    /// How many single enrichments in a row were refused, with nothing stored in between.
    refused_singles: u32,
    window_until: u64,
    stamps: Stamps,
    hurried: bool,
    /// Whether the batch was refused with one ticket and is tried with another.
    was_renewed: bool,
    /// Whether the request in flight was sent without a start that it would normally follow.
    left_out_start: bool,
    /// Whether the server has stored something of the session.
    is_known: bool,
    /// Whether a request of the batch was refused because it lacked a start, which is then sent.
    needs_start: bool,
    /// When a start is sent at the latest.
    start_at: u64,
    /// The start that the session still needs. Boxed, because mostly there is none.
    start: Option<Box<Start>>,
}

impl Outbox {
    /// An empty outbox of a session or event that is assumed to exist, and that sends to `server`. The timestamps of its
    /// requests continue `stamps`.
    pub fn new(
        destination: Rc<Destination>,
        settings: Rc<Settings>,
        server: u64,
        target: Target,
        stamps: Stamps,
    ) -> Outbox {
        Outbox {
            destination,
            schedule: Schedule::new(server),
            unsent: Unsent::default(),
            totals: Totals::default(),
            is_unread: false,
            settings,
            target,
            flight: NOTHING,
            failures: 0,
            refused_singles: 0,
            window_until: 0,
            stamps,
            hurried: false,
            was_renewed: false,
            left_out_start: false,
            is_known: false,
            needs_start: false,
            start_at: 0,
            start: None,
        }
    }

    /// The session or event that its requests write to.
    pub fn target(&self) -> Target {
        self.target
    }

    /// The id of the session or event.
    pub fn session_id(&self) -> SessionId {
        self.target.id()
    }

    /// Whether it belongs to an event, which is never started.
    pub fn is_event(&self) -> bool {
        self.target.is_event()
    }

    /// Records that it is used for `target`: an event that is used as a session counts as a session from then on.
    pub fn use_for(&mut self, target: Target) {
        if !target.is_event() {
            self.target = Target::Session(self.target.id());
        }
    }

    /// Lets the session that a first ticket names be its session.
    pub fn rename_session(&mut self, session_id: SessionId) {
        self.target = match self.target {
            Target::Session(_) => Target::Session(session_id),
            Target::Event(_) => Target::Event(session_id),
        };
    }

    /// The settings of the tracer that enriched it last, whose time limits apply to the next request.
    pub fn settings(&self) -> &Rc<Settings> {
        &self.settings
    }

    /// Replaces those settings.
    pub fn use_settings(&mut self, settings: Rc<Settings>) {
        self.settings = settings;
    }

    /// The number of the request in flight, or [`NOTHING`].
    pub fn flight(&self) -> u64 {
        self.flight
    }

    /// Records the number of a request that is sent.
    pub fn begin_flight(&mut self, flight: u64) {
        self.flight = flight;
    }

    /// Records that no request is in flight any more.
    pub fn end_flight(&mut self) {
        self.flight = NOTHING;
    }

    /// How often the batch has failed in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether the batch was refused with one ticket before, which is recorded for the next time.
    pub fn renew(&mut self) -> bool {
        std::mem::replace(&mut self.was_renewed, true)
    }

    /// Whether the backend may have metrics of the session that its totals do not include.
    pub fn is_unread(&self) -> bool {
        self.is_unread
    }

    /// Records that others may have added to the metrics of its session.
    pub fn doubt_totals(&mut self) {
        self.is_unread = true;
        self.totals.rebase();
    }

    /// Records that the totals include what the backend has.
    pub fn trust_totals(&mut self) {
        self.is_unread = false;
    }

    /// The routes for the next request to a server that is assumed to have `routes`. If nothing is known of the
    /// server and an event was not found on the new route, it may be found on the old one. For an event, no start
    /// would tell.
    pub fn routes_to_try(&self, routes: Routes) -> Routes {
        let tried = self.unsent.backlog().first_batch().is_some_and(Batch::tried_other_route);
        if self.is_event() && tried && routes == Routes::Unknown {
            Routes::TryLegacy
        } else {
            routes
        }
    }

    /// Lets the session begin with its next request. If there is a `start`, that request starts it: the one of its
    /// first enrichment, or one that is sent some time after [`Outbox::let_start_wait`] was called.
    pub fn begin_with(&mut self, start: Option<Start>) {
        self.start_at = u64::MAX;
        if let Some(start) = start {
            self.want_start(start);
        }
    }

    /// Lets a start without enrichments wait a moment from now, so that enrichments can join it. The time counts from
    /// the first poll and not from the call, because on a busy machine it would have passed by then.
    pub fn let_start_wait(&mut self, now: Now) {
        self.start_at = now.mono_ms + START_WAITS_MS;
    }

    /// Lets the next request start the session, unless a start with more details is planned.
    pub fn want_start(&mut self, start: Start) {
        if self.start.as_ref().is_none_or(|start| start.is_touch()) {
            self.start = Some(Box::new(start));
        }
    }

    /// Lets the next request ensure that the session exists. If it does not, it is created with `description`.
    pub fn touch(&mut self, description: Option<Description>) {
        let start = || Box::new(Start { origin: SessionOrigin::Named, description });
        self.start.get_or_insert_with(start);
    }

    /// The timestamps of its requests.
    pub fn stamps(&mut self) -> &mut Stamps {
        &mut self.stamps
    }

    /// Takes `part` into the queue. Values that it replaces stay until it is stored: if the backend refuses `part`,
    /// the values before it are still sent.
    pub fn accept(&mut self, mut part: Box<Part>) {
        self.admit(&mut part);
        self.unsent.backlog_mut().push(part);
    }

    /// Takes a part that an earlier page left, and puts it before the parts made since.
    pub fn accept_in_time(&mut self, mut part: Box<Part>) {
        self.admit(&mut part);
        self.unsent.backlog_mut().insert_in_time(part);
    }

    /// Gives `part`, which is not kept, a time after the kept parts: if another page delivers those, it stamps them
    /// as the later ones of the same millisecond.
    pub fn date_after_kept(&mut self, part: &mut Part) {
        let last = self.unsent.backlog().parts().last().filter(|last| last.is_kept());
        if last.is_some_and(|last| last.called_at().unix_ms == part.called_at().unix_ms) {
            self.stamps.take_over(part.called_at().unix_ms);
            part.date(self.stamps.date_call(0));
        }
    }

    /// Lets starts that were given up once, and are alone now, wait for an enrichment. Nothing is in flight, and
    /// nobody waits for them, so nothing would send them.
    pub fn let_starts_wait(&mut self) {
        if !self.unsent.backlog().summary().tracers().is_empty() {
            return;
        }
        self.unfreeze();
    }

    /// Puts the parts of all batches back into the queue.
    fn unfreeze(&mut self) {
        while let Some(start) = self.unsent.backlog_mut().pop_batch() {
            if let Some(start) = start {
                self.want_start_again(start);
            }
        }
    }

    /// Frees memory, because there is nothing to do for a while.
    pub fn rest(&mut self) {
        self.schedule.rest();
        self.unsent.rest();
    }

    /// Ends the wait before a retry early enough for parts that came since the last try to get a try before their
    /// deadline.
    pub fn try_in_time(&mut self, now: Now) {
        if self.unsent.is_to_wait(now) && self.last_try_at(now) <= now.mono_ms {
            self.unsent.end_wait();
        }
    }

    /// When those parts get their own try at the latest, on the forward clock.
    fn last_try_at(&self, now: Now) -> u64 {
        let Settings { timeout_ms, deadline_ms, .. } = *self.settings;
        let gives_up_at = self.unsent.untried_gives_up_at(now);
        last_try_at(gives_up_at, timeout_ms, deadline_ms)
    }

    /// When to look at an outbox that waits for a retry: at the retry, at the first deadline, or at the last try
    /// before it.
    pub fn looks_at(&self, now: Now) -> u64 {
        self.due().min(self.unsent.gives_up_at(now)).min(self.last_try_at(now))
    }

    /// When the next request may be sent: after the wait before a retry, or else after the merge window. A start
    /// without enrichments waits a moment for one.
    pub fn due(&self) -> u64 {
        if self.unsent.backlog().has_batch() {
            return self.unsent.retry_at();
        }
        if self.hurried {
            return 0;
        }
        self.window_until.max(if self.unsent.backlog().summary().is_enriched() {
            0
        } else {
            self.start_at
        })
    }

    /// Whether the session has nothing to send now, and would have to wait before it sends again.
    pub fn window_until(&self) -> u64 {
        self.window_until
    }

    /// Lets the queue skip the merge window.
    pub fn hurry(&mut self) {
        self.hurried = true;
    }

    /// Whether the queue skips the merge window.
    pub fn is_hurried(&self) -> bool {
        self.hurried
    }

    /// Lets its clock know that the outbox may send, and waits for its turn from now on. The merge window before does
    /// not count, unless the server `is_failing`.
    pub fn tell_clock(&mut self, is_failing: bool, now: Now) {
        self.unsent.tell_clock(self.due(), is_failing, now);
    }

    /// Prepares for `part`, which enters the queue, and sets its deadline.
    fn admit(&mut self, part: &mut Part) {
        if !self.unsent.concerns(part.scope()) {
            // Its scope does not know yet when the outbox may send.
            self.schedule.reset();
        }
        self.unsent.begin_deadline(part);
    }

    /// Whether any scope may send it: a part was made outside of request scopes, or in one that stopped polling.
    pub fn is_for_anyone(&self) -> bool {
        self.schedule.is_left() || self.unsent.concerns(0)
    }

    /// How long the next request may take, in milliseconds: its time limit, or the time to the first deadline of its
    /// parts. A batch whose deadline passed because the program stood still gets one full try.
    pub fn timeout_ms(&self, now: Now) -> u64 {
        request_timeout_ms(self.settings.timeout_ms, self.unsent.batch_left_ms(now))
    }

    /// The next request, and whether it is a start. Freezes the queue if there is no batch.
    ///
    /// A page that is being left has no time for a second request. With `no_second`, the request contains as much as
    /// possible, and it is not one that only ensures that the session exists: see [`Outbox::start_after_all`].
    pub fn next_request(&mut self, routes: Routes, no_second: bool, now: Now) -> (Request, bool) {
        self.window_until = now.mono_ms.saturating_add(self.settings.merge_window_ms);
        self.unsent.begin_try(now);
        if !self.unsent.backlog().has_batch() {
            self.freeze(no_second);
        }
        let Some((batch, parts)) = self.unsent.backlog_mut().first_mut() else {
            unreachable!("a batch was frozen")
        };
        if batch.wants_start() {
            let mut start = self.start.take().map(|start| *start);
            // An update takes no inputs. The holder of a ticket starts nothing, because the site does.
            if start.is_none()
                && self.destination.is_ticket
                && !self.is_known
                && merged(parts, InputsPlace::Start).has(Field::Inputs)
            {
                start = Some(Start::touch());
            }
            batch.begin_with(start);
        }
        if no_second
            && !self.needs_start
            && batch.is_touch()
            && wire::needs_update(&merged(parts, InputsPlace::Metadata), None)
        {
            batch.begin_with(None);
            self.left_out_start = true;
        }
        let stamp_ns = batch.stamp(parts, &mut self.stamps);
        let id = self.target.id();
        let request = match batch.start() {
            Some(start) => {
                let merged = merged(parts, InputsPlace::Start);
                // With a ticket, the relay describes the session.
                let project = self.settings.project.as_deref();
                let project = project.filter(|_| !self.destination.is_ticket);
                wire::start(&self.destination, routes, id, start, project, &merged, stamp_ns)
            }
            None => {
                let merged = merged(parts, InputsPlace::Metadata);
                wire::update(&self.destination, routes, id, &merged, batch.started(), stamp_ns)
            }
        };
        (request, batch.start().is_some())
    }

    /// Takes the request in flight back, because the page is left. It is repeated exactly. If it only ensures that
    /// the session exists, the parts that waited for it wait no longer.
    pub fn take_back_request(&mut self) {
        self.flight = NOTHING;
        let first = self.unsent.backlog_mut().first_mut();
        if first.is_some_and(|(batch, parts)| batch.stores_nothing(parts))
            && let Some(start) = self.unsent.backlog_mut().unfreeze_first()
        {
            self.want_start(start);
        }
    }

    /// Whether the request in flight was sent without ensuring that the session exists. Since it was not stored, that
    /// is done now.
    pub fn start_after_all(&mut self) -> bool {
        let left_out = std::mem::take(&mut self.left_out_start);
        if left_out && let Some((batch, _)) = self.unsent.backlog_mut().first_mut() {
            batch.begin_with(Some(Start::touch()));
            self.needs_start = true;
        }
        left_out
    }

    /// Freezes the parts of the next request, if there is no batch.
    pub fn freeze_first(&mut self) {
        if !self.unsent.backlog().has_batch() {
            self.freeze(false);
        }
    }

    /// Makes a batch of the queue, as far as one request takes it.
    ///
    /// Parts of an earlier page, or of this page before it rested, are sent with the time at which they were made, so
    /// not together with later parts or with those of another page. Otherwise an early value would get a late
    /// timestamp. Its page may have delivered more while it was left, which it had no time to keep, and a third page
    /// may have delivered something in between. A page that `is_leaving` has time for one request: that contains the
    /// page's own parts, and what earlier pages left stays kept for the next page.
    fn freeze(&mut self, is_leaving: bool) {
        let limit = (MAX_REQUEST_BYTES - REQUEST_OVERHEAD_BYTES) as u64;
        let mut bytes = self.start.as_ref().map_or(0, |start| start.bytes());
        let mut count = 0;
        let mut first = None;
        if is_leaving {
            self.unsent.backlog_mut().put_own_first();
        }
        let parts = self.unsent.backlog().parts();
        for part in parts {
            bytes += part.enrichment().bytes() as u64;
            let chapter = if is_leaving && !part.is_left() { 0 } else { part.chapter() };
            let is_apart = part.has_fields() && *first.get_or_insert(chapter) != chapter;
            if is_apart || (bytes > limit && count > 0) {
                break;
            }
            count += 1;
        }
        self.hurried &= count < parts.len();
        self.unsent.retry_now();
        self.unsent.backlog_mut().freeze(count);
    }

    /// Records that the request was stored. `answer_inputs` are the session's inputs in the answer to a start.
    pub fn stored(&mut self, was_start: bool, answer_inputs: Option<&str>) -> Progress {
        self.failures = 0;
        self.unsent.retry_now();
        self.left_out_start = false;
        self.was_renewed = false;
        self.refused_singles = 0;
        self.is_known = true;
        self.needs_start = false;
        let Some((batch, parts)) = self.unsent.backlog_mut().first_mut() else {
            return Progress::Done(Vec::new());
        };
        if let Some(start) = batch.take_start() {
            let sent = merged(parts, InputsPlace::Start);
            // If the session is new, a backend that does not say what it stored is believed.
            let is_told = start.origin != SessionOrigin::New || answer_inputs.is_some();
            let ignored = is_told && ignores_inputs(&sent, answer_inputs);
            let origin = if ignored { SessionOrigin::Existing } else { start.origin };
            if batch.goes_on(parts, was_start.then_some(origin)) {
                return Progress::GoesOn;
            }
        }
        let (_, parts) = self.unsent.backlog_mut().take_first();
        self.unsent.backlog_mut().recount();
        Progress::Done(parts)
    }

    /// Removes and returns the parts of a batch that needs no further request: its start was stored, and the parts that
    /// it did not store were given up.
    pub fn take_stored(&mut self) -> Parts {
        let Some(started) = self.unsent.backlog().first_batch().and_then(Batch::started) else {
            return Vec::new();
        };
        let parts = merged(self.unsent.backlog().first_parts(), InputsPlace::Metadata);
        if wire::needs_update(&parts, Some(started)) {
            return Vec::new();
        }
        let (_, parts) = self.unsent.backlog_mut().take_first();
        self.unsent.backlog_mut().recount();
        parts
    }

    /// Handles the refusal of an update, which may mean that the session does not exist. The update is sent again,
    /// after a start that creates the session if it is missing. That is done once, and with `unless_known` not for a
    /// session that has stored something. Returns whether it is done.
    ///
    /// `describe` returns the description for a session that is missing, for the tracer whose part was refused and
    /// the Unix time in milliseconds at which that was made.
    pub fn make_sure(
        &mut self,
        unless_known: bool,
        describe: &dyn Fn(u64, u64) -> Option<Description>,
    ) -> bool {
        let is_known = self.is_known && unless_known;
        let Some((batch, parts)) = self.unsent.backlog_mut().first_mut() else { return false };
        if self.target.is_event() || is_known || !batch.make_sure() {
            return false;
        }
        let first = parts.first();
        let description = first.and_then(|part| describe(part.tracer(), part.called_at().unix_ms));
        batch.begin_with(Some(Start { origin: SessionOrigin::Named, description }));
        self.needs_start = true;
        self.unsent.retry_now();
        true
    }

    /// Sends the request again to the other kind of routes, because the server does not know this one. Returns
    /// whether that was done before.
    pub fn try_other_route(&mut self) -> bool {
        self.forget_empty_batches();
        self.unsent.retry_now();
        self.unsent.backlog_mut().first_mut().is_some_and(|(batch, _)| batch.try_other_route())
    }

    /// Records a failure that may be temporary. The request is retried after `wait_ms` if the server `asked` for
    /// that; otherwise a little earlier if the last try would have no time before the deadline. Returns the parts
    /// whose deadline has passed.
    pub fn failed(&mut self, now: Now, wait_ms: u64, asked: bool) -> Parts {
        self.failures = self.failures.saturating_add(1);
        let expired = self.expire(now);
        self.unsent.retry_after(wait_ms, asked, self.settings.timeout_ms, now);
        expired
    }

    /// Removes and returns the parts whose deadline has passed. A start among them is put back: see
    /// [`PartKind::WaitingStart`].
    pub fn expire(&mut self, now: Now) -> Parts {
        let reading = self.unsent.reading(now);
        let expired = self.take_out(false, &|part| {
            part.kind() != PartKind::WaitingStart && part.deadline() <= reading
        });
        self.put_starts_back(expired)
    }

    /// Removes and returns all parts of `tracer`, even in flight.
    pub fn take_all_of(&mut self, tracer: u64) -> Parts {
        self.take_those(false, &|part| part.tracer() == tracer)
    }

    /// Removes and returns all parts for which `goes` returns true, even in flight. A start leaves a batch only with
    /// its last enrichment, unless `starts_go`.
    pub fn take_those(&mut self, starts_go: bool, goes: &dyn Fn(&Part) -> bool) -> Parts {
        let mut gone = Vec::new();
        for part in self.take_out(starts_go, goes) {
            // A waiting start goes with its batch, and has to go with another one now.
            if goes(&part) {
                gone.push(part)
            } else {
                self.unsent.backlog_mut().put_start_back(*part)
            }
        }
        self.unsent.backlog_mut().recount();
        gone
    }

    /// Sends what was made before and after the `taken` parts apart, each with its own time, because other pages deliver
    /// those with theirs.
    pub fn part_around(&mut self, taken: &[Box<Part>]) {
        // An update after its start goes on, because it tells what the start did not store.
        if self.unsent.backlog().first_batch().is_some_and(|batch| batch.started().is_none()) {
            self.unfreeze();
        }
        self.unsent.backlog_mut().change_each(|part| {
            let taken_before = taken.partition_point(|it| it.id() < part.id()) as u32;
            part.set_apart(taken_before);
        });
    }

    fn take_out(&mut self, starts_go: bool, goes: &dyn Fn(&Part) -> bool) -> Parts {
        let taken = self.unsent.backlog_mut().take_out(self.flight != NOTHING, starts_go, goes);
        self.forget_empty_batches();
        taken
    }

    /// Removes batches without parts. The next batch gets their start. A batch in flight stays until its answer
    /// arrives.
    fn forget_empty_batches(&mut self) {
        if let Some(start) = self.unsent.backlog_mut().forget_empty_batches(self.flight != NOTHING)
        {
            self.want_start_again(start);
        }
    }

    /// Handles a page that rests: other pages may now send what it kept, or enrich the session themselves. Parts made
    /// in this `chapter` of the page's life are sent apart from those made later. A start that is sent later is
    /// ignored for the most part, and an update repeats its content. No part is given up, because another page may
    /// deliver it.
    pub fn end_chapter(&mut self, chapter: u32) {
        self.stamps.rest();
        self.unsent.end_chapter(chapter);
        if let Some(start) = &mut self.start {
            start.may_be_started_by_others();
        }
    }

    /// Plans a start again that was tried and given up. The backend may have the session by now.
    fn want_start_again(&mut self, start: Start) {
        self.want_start(Start { origin: SessionOrigin::Named, ..start });
    }

    /// Removes and returns the batch, because it was refused permanently. A start among its parts is put back, unless
    /// it is `to_blame` itself, or was put back before and is refused alone now. Otherwise it would be refused again
    /// with each half of a batch, without end.
    pub fn refused(&mut self, to_blame: bool) -> Parts {
        self.was_renewed = false;
        self.failures = 0;
        self.unsent.retry_now();
        if !self.unsent.backlog().has_batch() {
            return Vec::new();
        }
        let (mut batch, parts) = self.unsent.backlog_mut().take_first();
        self.refused_singles += u32::from(parts.len() == 1);
        if let Some(start) = batch.take_start() {
            self.want_start_again(start);
        }
        if to_blame || parts.iter().all(|part| part.kind() == PartKind::WaitingStart) {
            self.unsent.backlog_mut().recount();
            return parts;
        }
        self.put_starts_back(parts)
    }

    /// Puts the starts among `parts` back before later parts, and returns `parts` without the content of the starts.
    fn put_starts_back(&mut self, mut parts: Parts) -> Parts {
        for part in &mut parts {
            if part.kind() == PartKind::Enrichment {
                continue;
            }
            let start = part.take_start();
            self.unsent.backlog_mut().put_start_back(start);
        }
        self.unsent.backlog_mut().recount();
        parts
    }

    /// Handles the refusal of a batch of which one part may be to blame: splits it in two, if [`Halving`] allows
    /// that. Returns whether it is sent again.
    pub fn halve(&mut self, refuses_all: bool) -> bool {
        let Some(batch) = self.unsent.backlog().first_batch() else {
            return false;
        };
        let (len, original_len) = (batch.len(), batch.whole_len());
        // If some parts of the batch were given up while it was in flight, the rest is sent as it is, because one of
        // those may have been to blame.
        let goes_as_it_is = !batch.is_repeated() && len > 0;
        self.failures = 0;
        self.unsent.retry_now();
        if goes_as_it_is {
            return true;
        }
        let refused_singles = self.refused_singles;
        let half = Halving { len, original_len, refused_singles, refuses_all }.first_half();
        if let Some(half) = half {
            self.unsent.backlog_mut().halve_first(half, &mut self.stamps);
        }
        half.is_some()
    }
}

/// Whether the answer to a start contains other inputs than were sent: the session existed, with inputs of its own.
fn ignores_inputs(sent: &Merged<'_>, answer_inputs: Option<&str>) -> bool {
    let stored = any_members(answer_inputs.unwrap_or_default());
    !sent.has_inputs_of(&stored)
}
