//! One session's unsent enrichments: what waits, what is on its way, what to send next.
//!
//! A state machine in three steps. Enrichments are accepted into the *queue*. When the session
//! may send, the queue is frozen into a *batch*, which is one request (a start or an update) or
//! two (a start, then an update with what a start does not take), and stays as it is through
//! every retry, so that a request which was stored but whose answer was lost is repeated to the
//! letter. When the batch has ended, the next one is frozen. So one session has one request in
//! flight, and its enrichments reach the backend in order. A batch that the backend refuses is
//! halved until the one to blame is alone: bad input costs nobody anything but itself.

mod batch;
mod line;
mod part;
mod stamps;
mod summary;

use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use crate::core::deadline::DeadlineClock;
use crate::core::delivery::halving::Halving;
use crate::core::delivery::limits::{RetryWait, last_try_at, request_timeout_ms};
use crate::core::enrichment::{Field, InputsPlace, Merged};
use crate::core::id_map::NOTHING;
use crate::core::json::any_members;
use crate::core::number_set::NumberSet;
use crate::core::policy::{MAX_REQUEST_BYTES, REQUEST_OVERHEAD_BYTES, START_WAITS_MS};
use crate::core::session::{Description, SessionId, SessionOrigin, Start, Target};
use crate::core::settings::{Destination, Settings};
use crate::core::time::{NEVER, Now};
use crate::core::totals::Totals;
use crate::core::wire::{self, Request, Routes};

use batch::Batch;
use line::Line;
use part::merged;
pub use part::{Part, PartKind, Parts, held_by};
pub use stamps::Stamps;

/// How a batch goes on after a request of it was stored.
#[derive(Debug)]
pub enum Progress {
    /// Its second request is to be sent.
    GoesOn,
    /// It is done: these are stored.
    Done(Parts),
}

/// What there is to send, and when.
#[derive(Debug)]
struct Unsent {
    /// All that waits.
    line: Line,
    /// On which its deadlines are.
    clock: DeadlineClock,
    /// When the first batch is tried again.
    retry_at: u64,
    /// Until when the server has asked to be left alone, when a request last failed.
    asked_until: u64,
}

impl Unsent {
    const NOTHING: Unsent =
        Unsent { line: Line::EMPTY, clock: DeadlineClock::START, retry_at: 0, asked_until: 0 };
}

/// Takes room from when something is written to it until [`Outbox::rest`]: most of its life a session has
/// nothing to send, and a server keeps thousands of sessions.
#[derive(Debug, Default)]
struct Work(Option<Box<Unsent>>);

impl Deref for Work {
    type Target = Unsent;

    fn deref(&self) -> &Unsent {
        self.0.as_deref().unwrap_or(const { &Unsent::NOTHING })
    }
}

impl DerefMut for Work {
    fn deref_mut(&mut self) -> &mut Unsent {
        self.0.get_or_insert_with(|| Box::new(Unsent::NOTHING))
    }
}

/// The outbox of one session, or of another event, at one destination.
#[derive(Debug)]
pub struct Outbox {
    /// Where the session is.
    pub destination: Rc<Destination>,
    /// How its last tracer works: its time limits hold for the next request.
    pub settings: Rc<Settings>,
    /// The number in the registry of the server, as the `fetch` of the sender reaches it.
    pub server: u64,
    /// The session, or the event.
    pub session_id: SessionId,
    /// Whether it is an event's, which is never started.
    pub is_event: bool,
    /// Open tracers of this session.
    pub holders: u32,
    /// The request on its way, or [`NOTHING`].
    pub flight: u64,
    /// Whether a scope that does not come any more left something in it.
    pub is_left: bool,
    /// Whether it may send, as far as it is concerned.
    pub is_ready: bool,
    /// Whether it stands in its server's line.
    pub in_line: bool,
    /// When the timer set for it fires, on the forward clock.
    pub timer: u64,
    /// Its place in the registry's list of those with work.
    pub busy_place: Option<usize>,
    /// Failures of the batch in a row.
    pub failures: u32,
    /// Single enrichments that were refused in a row, nothing being stored in between.
    refused_singles: u32,
    window_until: u64,
    /// Whether deadlines stand still, as there is no network or the page rests.
    pub is_paused: bool,
    stamps: Stamps,
    hurried: bool,
    /// Whether the batch was refused with one ticket, and is tried with another.
    pub was_renewed: bool,
    /// Whether the request on its way leaves out a start.
    left_out_start: bool,
    /// Whether the server has stored something of the session.
    is_known: bool,
    /// Whether a request of the batch was refused for want of a start, which is not left out again.
    needs_start: bool,
    /// When a start goes at the latest.
    start_at: u64,
    /// What the session is still to be started with. Apart, as most of its life there is nothing.
    start: Option<Box<Start>>,
    work: Work,
    /// What of it the registry has in its sum.
    pub counted: u64,
    /// What its metrics add up to.
    pub totals: Totals,
    /// Whether the backend may have metrics of it that the totals do not begin with.
    pub is_unread: bool,
}

impl Outbox {
    /// The empty outbox of a session that is taken to exist. Its requests' timestamps go on after `stamps`.
    pub fn new(
        destination: Rc<Destination>,
        settings: Rc<Settings>,
        server: u64,
        session_id: SessionId,
        stamps: Stamps,
    ) -> Outbox {
        Outbox {
            destination,
            settings,
            server,
            session_id,
            is_event: false,
            holders: 0,
            flight: NOTHING,
            is_left: false,
            is_ready: false,
            in_line: false,
            timer: NEVER,
            busy_place: None,
            failures: 0,
            refused_singles: 0,
            window_until: 0,
            is_paused: false,
            stamps,
            hurried: false,
            was_renewed: false,
            left_out_start: false,
            is_known: false,
            needs_start: false,
            start_at: 0,
            start: None,
            work: Work::default(),
            counted: 0,
            totals: Totals::default(),
            is_unread: false,
        }
    }

    /// What is written to.
    pub fn target(&self) -> Target {
        match self.is_event {
            true => Target::Event(self.session_id),
            false => Target::Session(self.session_id),
        }
    }

    /// The routes for the next request, where the server is taken to have `routes`. An event that was not found on
    /// the new route of a server that nobody knows may be found on the old one; no start would tell.
    pub fn routes_to_try(&self, routes: Routes) -> Routes {
        let tried = self.work.line.first_batch().is_some_and(Batch::tried_other_route);
        if self.is_event && tried && routes == Routes::Unknown { Routes::TryLegacy } else { routes }
    }

    /// Bytes of unsent enrichments.
    pub fn held(&self) -> u64 {
        self.work.line.summary().held()
    }

    /// The session begins with its next request, and with `start` is to be started by that: with the request of
    /// its first enrichment, or some time after [`Outbox::let_start_wait`] was called.
    pub fn begin_with(&mut self, start: Option<Start>) {
        self.start_at = u64::MAX;
        if let Some(start) = start {
            self.want_start(start);
        }
    }

    /// A start that stands alone waits a moment from now for company. Counted from the first look
    /// at it, not from its being given: on a busy machine that moment is long over by then.
    pub fn let_start_wait(&mut self, now: Now) {
        self.start_at = now.mono_ms + START_WAITS_MS;
    }

    /// The session is to be started with its next request, unless more is known of its start.
    pub fn want_start(&mut self, start: Start) {
        if self.start.as_ref().is_none_or(|start| start.is_touch()) {
            self.start = Some(Box::new(start));
        }
    }

    /// Makes sure with the next request that the session exists; should it not, `description` is how it shows.
    pub fn touch(&mut self, description: Option<Description>) {
        let start = || Box::new(Start { origin: SessionOrigin::Named, description });
        self.start.get_or_insert_with(start);
    }

    /// The timestamps of its requests.
    pub fn stamps(&mut self) -> &mut Stamps {
        &mut self.stamps
    }

    /// Takes `part` into the queue. What it replaces there stays until it is stored: should the
    /// backend refuse `part`, the value before it is the one that counts.
    pub fn accept(&mut self, mut part: Box<Part>) {
        self.set_deadline_of(&mut part);
        self.work.line.push(part);
    }

    /// Takes in what an earlier page left, before what was given since then.
    pub fn accept_in_time(&mut self, mut part: Box<Part>) {
        self.set_deadline_of(&mut part);
        self.work.line.insert_in_time(part);
    }

    /// Dates `part`, which is not kept, after what is kept: another page that delivers that stamps it as the later of
    /// the two where they are of one millisecond.
    pub fn date_after_kept(&mut self, part: &mut Part) {
        let last = self.work.line.parts().last().filter(|last| last.is_kept);
        if last.is_some_and(|last| last.given_unix_ms == part.given_unix_ms) {
            self.stamps.take_over(part.given_unix_ms);
            part.given_unix_ms = self.stamps.say(0);
        }
    }

    /// Starts that were given up once and are alone again wait for company, with nothing on its
    /// way: nobody waits for them, so nobody would send them.
    pub fn let_starts_wait(&mut self) {
        if !self.work.line.summary().tracers().is_empty() {
            return;
        }
        while let Some(start) = self.work.line.pop_batch() {
            if let Some(start) = start {
                self.want_start_again(start);
            }
        }
    }

    /// There is nothing to do for a while: what was made room for is given back.
    pub fn rest(&mut self) {
        if self.work.line.is_empty() {
            self.work = Work::default();
        } else {
            self.work.line.shrink();
        }
    }

    /// Whether something failed that is to be tried again, and other than at once.
    pub fn is_to_wait(&self, now: Now) -> bool {
        self.work.line.has_batch() && self.work.retry_at > now.mono_ms
    }

    /// A wait before a retry ends where what was given since the last try would have none before its deadline.
    pub fn try_in_time(&mut self, now: Now) {
        if self.is_to_wait(now) && self.last_try_at(now) <= now.mono_ms {
            self.work.asked_until = 0;
            self.wait_no_longer();
        }
    }

    /// When what was given since the last try has its own at the latest, on the forward clock.
    fn last_try_at(&self, now: Now) -> u64 {
        let Settings { timeout_ms, deadline_ms, .. } = *self.settings;
        let gives_up_at =
            self.work.clock.reaches(self.work.line.summary().untried_deadline(), now.mono_ms);
        last_try_at(gives_up_at, timeout_ms, deadline_ms)
    }

    /// When to look again at what waits for a retry: then, or when the first is given up, or has its last try.
    pub fn looks_at(&self, now: Now) -> u64 {
        self.due().min(self.gives_up_at(now)).min(self.last_try_at(now))
    }

    /// Whether there is anything to send.
    pub fn has_work(&self) -> bool {
        self.work.line.has_batch() || !self.work.line.summary().tracers().is_empty()
    }

    /// Whether the browser keeps all that waits.
    pub fn is_kept(&self) -> bool {
        self.work.line.parts().iter().all(|part| part.kind != PartKind::Enrichment || part.is_kept)
    }

    /// When the next request may go: after the wait before a retry, else after the merge window;
    /// a start without any enrichment waits for one a little.
    pub fn due(&self) -> u64 {
        if self.work.line.has_batch() {
            return self.work.retry_at;
        }
        if self.hurried {
            return 0;
        }
        self.window_until.max(if self.work.line.summary().is_enriched() {
            0
        } else {
            self.start_at
        })
    }

    /// Whether the session would have to wait before it sends again, with nothing to send now.
    pub fn window_until(&self) -> u64 {
        self.window_until
    }

    /// What is queued does not wait for the merge window.
    pub fn hurry(&mut self) {
        self.hurried = true;
    }

    /// Whether anything in it was given to `tracer`.
    pub fn holds_any_of(&self, tracer: u64) -> bool {
        self.work.line.parts().iter().any(|part| part.tracer == tracer)
    }

    /// Whether it does not wait for the merge window.
    pub fn is_hurried(&self) -> bool {
        self.hurried
    }

    /// A wait before a retry ends now: the server works again.
    /// Not a wait that the server asked for.
    pub fn wait_no_longer(&mut self) {
        self.work.retry_at = self.work.asked_until;
    }

    /// Whether the server has asked to be left alone for longer.
    pub fn is_asked_to_wait(&self, now: Now) -> bool {
        self.work.line.has_batch() && self.work.asked_until > now.mono_ms
    }

    /// There is no network, or the page rests: deadlines stand still.
    pub fn pause_deadlines(&mut self) {
        self.is_paused = true;
        self.work.line.change_each(|part| part.deadline = NEVER);
    }

    /// The network or the page is back: each may be tried for as long as it was given, from now on.
    pub fn resume_deadlines(&mut self, now: Now) {
        self.is_paused = false;
        let Unsent { line, clock, .. } = &mut *self.work;
        line.change_each(|part| {
            part.given_ms = now.mono_ms;
            part.deadline = clock.deadline(now.mono_ms, part.deadline_ms);
        });
    }

    /// The server has answered somebody well at `at_ms`: what waited for its turn until then has
    /// as much time as before.
    pub fn server_worked(&mut self, at_ms: u64) {
        if self.work.clock.server_worked(at_ms) {
            self.shorten_deadlines();
        }
    }

    /// The request on its way was answered, and not in a way that may pass; or it was taken back, which is not the
    /// server's doing.
    pub fn request_worked(&mut self, now: Now) {
        self.work.clock.own_request_worked(now.mono_ms);
        self.shorten_deadlines();
    }

    /// Sees to its clock: where it may send, it waits for its turn from now on. The window before that is
    /// nobody's fault, unless the server `is_failing` meanwhile.
    pub fn tell_clock(&mut self, is_failing: bool, now: Now) {
        let due = self.due();
        if due <= now.mono_ms {
            let tried_until = if due == 0 { now.mono_ms } else { due };
            self.work.clock.wait_for_turn(tried_until, now.mono_ms);
        } else if !self.work.line.has_batch() && due < NEVER && !is_failing {
            self.work.clock.rest_until(due);
        }
    }

    /// There is no ticket to send it with: until there is one, time counts. Returns when to give up the first of it.
    pub fn wait_for_ticket(&mut self, now: Now) -> u64 {
        self.work.retry_at = 0;
        self.work.clock.begin_try(now.mono_ms);
        self.gives_up_at(now)
    }

    /// All that waits.
    pub fn parts(&self) -> &[Box<Part>] {
        self.work.line.parts()
    }

    /// Notes that the browser keeps the parts with these numbers.
    pub fn note_kept(&mut self, ids: &NumberSet) {
        self.work.line.change_each(|part| part.is_kept |= ids.has(part.id));
    }

    /// Nobody has more time than given, though part of it was forgiven before it came.
    fn shorten_deadlines(&mut self) {
        if self.is_paused {
            return;
        }
        let Unsent { line, clock, .. } = &mut *self.work;
        line.change_each(|part| {
            let given = clock.deadline(part.given_ms, part.deadline_ms);
            part.deadline = part.deadline.min(given);
        });
    }

    fn set_deadline_of(&mut self, part: &mut Part) {
        if self.work.line.parts().is_empty() {
            self.work.clock.own_request_worked(part.given_ms);
        }
        part.deadline = match self.is_paused {
            true => NEVER,
            false => self.work.clock.deadline(part.given_ms, part.deadline_ms),
        };
    }

    /// Whether something that waits in it was given in `scope`.
    pub fn concerns(&self, scope: u64) -> bool {
        self.work.line.summary().scopes().has(scope)
    }

    /// The scopes in which what waits in it was given.
    pub fn scopes(&self) -> impl Iterator<Item = u64> + '_ {
        self.work.line.summary().scopes().iter()
    }

    /// The tracer whose `fetch` carries the next request, as something of it waits; or [`NOTHING`].
    pub fn sender(&self) -> u64 {
        self.work.line.summary().sender()
    }

    /// Lets the next of the tracers that have something in it send, for which `suits` holds, if any does
    /// among the next `looks`; the one that does now comes last.
    pub fn change_sender(&mut self, looks: usize, suits: &dyn Fn(u64) -> bool) {
        let summary = self.work.line.summary();
        let others = summary.tracers().after(summary.sender());
        let next = others.take(looks).find(|tracer| suits(*tracer));
        if let Some(next) = next {
            self.work.line.set_sender(next);
        }
    }

    /// The tracer that is to send in `scope`: the sender, unless only others have something in it that was
    /// given there. The `fetch` of another request may not be called in this one.
    pub fn sender_in(&self, scope: u64) -> u64 {
        let sender = self.work.line.summary().sender();
        if self.work.line.summary().tracers().iter().nth(1).is_none() {
            return sender;
        }
        let parts = self.work.line.parts();
        let waits_there =
            parts.iter().filter(|part| part.scope == scope && part.kind != PartKind::WaitingStart);
        let mut of_scope = waits_there.map(|part| part.tracer);
        let first = of_scope.next().unwrap_or(sender);
        if first == sender || of_scope.any(|tracer| tracer == sender) { sender } else { first }
    }

    /// Lets `tracer` send, which has something in it.
    pub fn set_sender(&mut self, tracer: u64) {
        self.work.line.set_sender(tracer);
    }

    /// Whether any scope may send it: something in it was given outside of any, or in one that
    /// does not come to look any more.
    pub fn is_for_anyone(&self) -> bool {
        self.is_left || self.concerns(0)
    }

    /// When the first of what waits is to be given up if the server does not answer well until then,
    /// on the forward clock; [`NEVER`] where that has passed.
    pub fn gives_up_at(&self, now: Now) -> u64 {
        self.work.clock.reaches(self.first_deadline(), now.mono_ms)
    }

    /// Whether the first deadline has passed of what waits.
    pub fn is_overdue(&self, now: Now) -> bool {
        let first = self.first_deadline();
        first < NEVER && first <= self.work.clock.reading(now.mono_ms)
    }

    /// On its clock. A start has a deadline only where it is left alone.
    fn first_deadline(&self) -> u64 {
        self.work.line.summary().first_deadline()
    }

    /// Milliseconds that the next request may take: to the end of its time limit, or to the first deadline
    /// of what is in it. Of what is over already, because the program stood still, there is one try.
    pub fn timeout_ms(&self, now: Now) -> u64 {
        let left = self.batch_deadline().saturating_sub(self.work.clock.reading(now.mono_ms));
        request_timeout_ms(self.settings.timeout_ms, left)
    }

    /// The first deadline in the batch that is tried, on its clock.
    fn batch_deadline(&self) -> u64 {
        let parts = self.work.line.first_parts();
        let said = parts.iter().filter(|part| part.kind == PartKind::Enrichment);
        let starts = parts.iter().filter(|part| part.kind == PartKind::Start);
        let of_starts = || starts.map(|part| part.deadline).min();
        said.map(|part| part.deadline).min().or_else(of_starts).unwrap_or(NEVER)
    }

    /// The next request, and whether it is a start. Freezes the queue if no batch waits.
    ///
    /// Where the page is left there may be no second request. With `no_second` it takes all that
    /// it can, and is none that only makes sure that the session exists, see
    /// [`Outbox::start_after_all`].
    pub fn next_request(&mut self, routes: Routes, no_second: bool, now: Now) -> (Request, bool) {
        self.window_until = now.mono_ms.saturating_add(self.settings.merge_window_ms);
        self.work.clock.begin_try(now.mono_ms);
        self.work.line.begin_try();
        if !self.work.line.has_batch() {
            self.freeze(no_second);
        }
        let Some((batch, parts)) = self.work.line.first_mut() else {
            unreachable!("a batch was frozen")
        };
        if batch.wants_start() {
            let mut start = self.start.take().map(|start| *start);
            // An update takes no inputs. Else the holder of a ticket starts nothing: the site does.
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
        let id = self.session_id;
        let request = match batch.start() {
            Some(start) => {
                let merged = merged(parts, InputsPlace::Start);
                // With a ticket, what a session is called is the relay's to say.
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

    /// The request on its way is taken back, as the page is left. It is repeated to the letter; but where it
    /// only makes sure that the session exists, what waits for that waits no longer.
    pub fn take_back_request(&mut self) {
        self.flight = NOTHING;
        let first = self.work.line.first_mut();
        if first.is_some_and(|(batch, parts)| batch.stores_nothing(parts))
            && let Some(start) = self.work.line.unfreeze_first()
        {
            self.want_start(start);
        }
    }

    /// Whether the request on its way was sent without making sure that the session exists. Then,
    /// as it was not stored, that is done now.
    pub fn start_after_all(&mut self) -> bool {
        let left_out = std::mem::take(&mut self.left_out_start);
        if left_out && let Some((batch, _)) = self.work.line.first_mut() {
            batch.begin_with(Some(Start::touch()));
            self.needs_start = true;
        }
        left_out
    }

    /// Freezes what the next request takes, if no batch waits.
    pub fn freeze_first(&mut self) {
        if !self.work.line.has_batch() {
            self.freeze(false);
        }
    }

    /// The parts of the batch that is sent next, or is on its way.
    pub fn first_parts(&self) -> &[Box<Part>] {
        self.work.line.first_parts()
    }

    /// Makes a batch of what is queued, as far as one request takes it.
    ///
    /// What an earlier page left, or this one before it rested, is sent as of when it was said, so without what is
    /// said since and without what another page left: else an early value would go with a later timestamp. Its page
    /// may have said more, which got through while it was left, and which it had no time to keep; or a third one, in
    /// between. A page that `is_leaving` has time for one request: what it said itself goes in that, and what was left
    /// stays kept for the next page.
    fn freeze(&mut self, is_leaving: bool) {
        let limit = (MAX_REQUEST_BYTES - REQUEST_OVERHEAD_BYTES) as u64;
        let mut bytes = self.start.as_ref().map_or(0, |start| start.bytes());
        let mut count = 0;
        let mut first = None;
        if is_leaving {
            self.work.line.put_own_first();
        }
        let parts = self.work.line.parts();
        for part in parts {
            bytes += part.enrichment.bytes() as u64;
            let chapter = if is_leaving && !part.is_left { 0 } else { part.chapter };
            let is_apart = part.says_something() && *first.get_or_insert(chapter) != chapter;
            if is_apart || (bytes > limit && count > 0) {
                break;
            }
            count += 1;
        }
        self.hurried &= count < parts.len();
        self.work.retry_at = 0;
        self.work.line.freeze(count);
    }

    /// The request was stored. `answer_inputs` is the session's inputs in the answer to a start.
    pub fn stored(&mut self, was_start: bool, answer_inputs: Option<&str>) -> Progress {
        self.failures = 0;
        self.work.retry_at = 0;
        self.left_out_start = false;
        self.was_renewed = false;
        self.refused_singles = 0;
        self.is_known = true;
        self.needs_start = false;
        let Some((batch, parts)) = self.work.line.first_mut() else {
            return Progress::Done(Vec::new());
        };
        if let Some(start) = batch.take_start() {
            let sent = merged(parts, InputsPlace::Start);
            // To a new session a backend that does not say what it stored is believed.
            let is_told = start.origin != SessionOrigin::New || answer_inputs.is_some();
            let ignored = is_told && ignores_inputs(&sent, answer_inputs);
            let origin = if ignored { SessionOrigin::Existing } else { start.origin };
            if batch.goes_on(parts, was_start.then_some(origin)) {
                return Progress::GoesOn;
            }
        }
        let (_, parts) = self.work.line.take_first();
        self.work.line.recount();
        Progress::Done(parts)
    }

    /// The update on its way was refused, maybe because there is no such session: it is sent again, after
    /// a start that makes the session if it is missing. Once, and with `unless_known` not of a session that
    /// took something already. Says whether it is.
    ///
    /// `describe` gives how the session shows, should it be missing: for the tracer that was given what is refused,
    /// and when that was, Unix milliseconds.
    pub fn make_sure(
        &mut self,
        unless_known: bool,
        describe: &dyn Fn(u64, u64) -> Option<Description>,
    ) -> bool {
        let is_known = self.is_known && unless_known;
        let Some((batch, parts)) = self.work.line.first_mut() else { return false };
        if self.is_event || is_known || !batch.make_sure() {
            return false;
        }
        let first = parts.first();
        let description = first.and_then(|part| describe(part.tracer, part.given_unix_ms));
        batch.begin_with(Some(Start { origin: SessionOrigin::Named, description }));
        self.needs_start = true;
        self.work.retry_at = 0;
        true
    }

    /// The server does not know the route; the request is sent again to the other one. Says whether that
    /// was done for it before.
    pub fn try_other_route(&mut self) -> bool {
        self.forget_empty_batches();
        self.work.retry_at = 0;
        self.work.line.first_mut().is_some_and(|(batch, _)| batch.try_other_route())
    }

    /// The request failed in a way that may pass, and is tried again after `wait_ms`, if that is what
    /// the server `asked` for; else a little earlier, where the last try would have no time before the
    /// deadline. Returns those whose deadline has passed.
    pub fn failed(&mut self, now: Now, wait_ms: u64, asked: bool) -> Parts {
        self.failures = self.failures.saturating_add(1);
        let expired = self.expire(now);
        let reading = self.work.clock.reading(now.mono_ms);
        let left = self.batch_deadline().saturating_sub(reading);
        // By then all of the batch is given up.
        let last = self.work.line.first_parts().iter().map(|part| part.deadline).max().unwrap_or(0);
        let wait_ms = RetryWait {
            wait_ms,
            is_asked: asked,
            left_ms: left,
            last_left_ms: last.saturating_sub(reading),
            timeout_ms: self.settings.timeout_ms,
        }
        .milliseconds();
        self.work.retry_at = now.mono_ms.saturating_add(wait_ms);
        self.work.asked_until = if asked { self.work.retry_at } else { 0 };
        expired
    }

    /// Takes out what has reached its deadline. A start among it is put back: see
    /// [`PartKind::WaitingStart`].
    pub fn expire(&mut self, now: Now) -> Parts {
        let reading = self.work.clock.reading(now.mono_ms);
        let expired = self.take_out(false, &|part| {
            part.kind != PartKind::WaitingStart && part.deadline <= reading
        });
        self.put_starts_back(expired)
    }

    /// Takes out all that `tracer` was given, on its way or not.
    pub fn take_all_of(&mut self, tracer: u64) -> Parts {
        self.take_those(false, &|part| part.tracer == tracer)
    }

    /// Takes out all that `goes`, on its way or not. From a batch a start goes only with the last enrichment, if not
    /// `starts_go`.
    pub fn take_those(&mut self, starts_go: bool, goes: &dyn Fn(&Part) -> bool) -> Parts {
        let mut gone = Vec::new();
        for part in self.take_out(starts_go, goes) {
            // A start that waits goes along with its batch, and is to go with another one now.
            if goes(&part) { gone.push(part) } else { self.work.line.put_start_back(*part) }
        }
        self.work.line.recount();
        gone
    }

    fn take_out(&mut self, starts_go: bool, goes: &dyn Fn(&Part) -> bool) -> Parts {
        let taken = self.work.line.take_out(self.flight != NOTHING, starts_go, goes);
        self.forget_empty_batches();
        taken
    }

    /// What was to be started by a batch without parts is to be started by the next one. What is
    /// on its way stays, for its answer to find.
    fn forget_empty_batches(&mut self) {
        if let Some(start) = self.work.line.forget_empty_batches(self.flight != NOTHING) {
            self.want_start_again(start);
        }
    }

    /// The page rests, and other pages may say something now, with what was kept or of their own. What was said in
    /// this `chapter` of its life goes apart from what is said then. A start that comes later is ignored in most of
    /// what it says, which then goes in an update. Nothing is given up that another page may deliver.
    pub fn end_chapter(&mut self, chapter: u32) {
        self.is_paused = true;
        self.stamps.rest();
        self.work.line.change_each(|part| {
            part.deadline = NEVER;
            if part.chapter == 0 {
                part.chapter = chapter;
            }
        });
        if let Some(start) = &mut self.start
            && start.origin == SessionOrigin::New
        {
            start.origin = SessionOrigin::Named;
        }
        self.work.line.may_be_started_by_others();
    }

    /// A start that was tried and given up: the backend may have the session all the same.
    fn want_start_again(&mut self, start: Start) {
        self.want_start(Start { origin: SessionOrigin::Named, ..start });
    }

    /// The batch was refused for good, and is returned. A start among it is put back, unless it
    /// is `to_blame` itself, or was put back before and is now refused alone: else it would be
    /// refused again with each half of a batch, and those halved again, without end.
    pub fn refused(&mut self, to_blame: bool) -> Parts {
        self.was_renewed = false;
        self.failures = 0;
        self.work.retry_at = 0;
        if !self.work.line.has_batch() {
            return Vec::new();
        }
        let (mut batch, parts) = self.work.line.take_first();
        self.refused_singles += u32::from(parts.len() == 1);
        if let Some(start) = batch.take_start() {
            self.want_start_again(start);
        }
        if to_blame || parts.iter().all(|part| part.kind == PartKind::WaitingStart) {
            self.work.line.recount();
            return parts;
        }
        self.put_starts_back(parts)
    }

    /// Puts the starts among `parts` back before what was said after them, and returns `parts`
    /// without what the starts say.
    fn put_starts_back(&mut self, mut parts: Parts) -> Parts {
        for part in &mut parts {
            if part.kind == PartKind::Enrichment {
                continue;
            }
            let enrichment = std::mem::take(&mut part.enrichment);
            // Its end is told in its scope; what is said once more, whoever comes may say.
            let kind = PartKind::WaitingStart;
            let start = Part { kind, scope: 0, is_kept: false, enrichment, ..**part };
            self.work.line.put_start_back(start);
        }
        self.work.line.recount();
        parts
    }

    /// The batch was refused, and one part of it may be to blame: it goes in two halves, if its
    /// [`Halving`] allows that. Says whether it does, or is to be sent again.
    pub fn halve(&mut self, refuses_all: bool) -> bool {
        let Some(batch) = self.work.line.first_batch() else {
            return false;
        };
        let (len, original_len) = (batch.len(), batch.whole_len());
        // What is left of a batch whose parts were given up in part, while it was on its way, goes as it is: one
        // of those may have been to blame.
        let goes_as_it_is = !batch.is_repeated() && len > 0;
        self.failures = 0;
        self.work.retry_at = 0;
        if goes_as_it_is {
            return true;
        }
        let refused_singles = self.refused_singles;
        let half = Halving { len, original_len, refused_singles, refuses_all }.first_half();
        if let Some(half) = half {
            self.work.line.halve_first(half, &mut self.stamps);
        }
        half.is_some()
    }
}

/// Whether the session in the answer to a start has other inputs than were sent: it had been
/// started before, with inputs of its own.
fn ignores_inputs(sent: &Merged<'_>, answer_inputs: Option<&str>) -> bool {
    let stored = any_members(answer_inputs.unwrap_or_default());
    !sent.has_inputs_of(&stored)
}
