//! The other end of the queue: delivers a batch of messages. Sessions are delivered side by side, and the messages of
//! one session in their order: in one request those that [may be merged](super::merging), and the others one by one.
//! As in a tracer, an [`Outbox`] decides how a session is sent, and [`Health`] how much the backend bears. The queue
//! decides how often a message comes again.
//!
//! A queue does not keep messages in order: it brings a message that failed after newer ones. So the consumer
//! remembers what it delivered, for at least as long as a message may wait. If an earlier message of a session comes
//! after later ones, the later ones are sent again after it, and the session ends as if all had come in order. The
//! memory is that of one isolate. The backend puts in order what several isolates deliver, by the timestamps of the
//! requests. So each request carries the time of the latest message in it, whatever was sent for other sessions
//! before.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use super::merging::{Entry, Order, SentStamps, few_of, have_several_sources, runs, unreplaced};
use super::message::Message;
use super::policy::{
    BATCH_PATIENCE_MS, BATCH_SENDS_MS, CLOCKS_DIFFER_MS, CONSUMER_LIMIT, LONGEST_WAIT_S,
    REMEMBERED_MESSAGES_BYTES, REMEMBERED_MESSAGES_MS,
};
use super::redelivery::wait_s;
use super::settings::RelaySettings;
use crate::core::concurrency::Place;
use crate::core::delivery::health::{Health, SentRequest};
use crate::core::enrichment::Enrichment;
use crate::core::log::{Line, error};
use crate::core::outbox::{CallTime, Outbox, Part, PartKind, Parts, Progress, Stamps};
use crate::core::session::{SessionId, Start, Target};
use crate::core::settings::Destination;
use crate::core::time::{ForwardClock, Now};
use crate::core::wire::{self, Answer, Request, Routes, Verdict};

/// A message, as the queue brings it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// The text of the message.
    pub text: String,
    /// How often the queue has brought it, including this time; 0 if the queue does not count.
    pub attempts: u32,
}

/// What the queue is told about a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is stored, so the queue may forget it.
    Stored,
    /// The queue is to bring it again, or to move it to the dead letters after its last attempt.
    Again {
        /// The least number of seconds to wait; `None` for the queue's own delay.
        after_s: Option<u64>,
    },
}

/// What the shell is to do next for a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchAction {
    /// Send this request of a session. Other requests may be in flight.
    Send {
        /// The index of the session in the batch.
        session: usize,
        /// The request to send.
        request: Request,
    },
    /// Wait until a request in flight is answered.
    Answer,
    /// Wait for this many milliseconds, because the backend fails or has asked clients to wait.
    Wait(u64),
    /// Nothing: the batch is complete.
    Over,
}

/// What a consumer remembers between batches.
#[derive(Debug, Default)]
pub struct Consumer {
    routes: Routes,
    clock: ForwardClock,
    /// Whether the last batch was given up. Then the next one probes the backend with a single request.
    probes: bool,
    known: BTreeMap<SessionId, Known>,
    /// The number of the last batch.
    batches: u64,
}

/// What is remembered of a session.
#[derive(Debug, Default)]
struct Known {
    /// What was delivered lately, in order.
    delivered: Vec<Entry>,
    /// The timestamps under which values may be stored that were made earlier.
    stamps: SentStamps,
    /// The place from which on delivered messages have to be sent again, because an earlier one may have overwritten
    /// them.
    undone_from: Option<Order>,
    /// Until when a message of the session that was told to wait may come.
    awaited_until_ms: u64,
    /// The last batch that contained a message of the session, and its time.
    batch: u64,
    at_ms: u64,
}

impl Known {
    fn bytes(&self) -> usize {
        let delivered: usize =
            self.delivered.iter().map(|it| it.enrichment.bytes() + size_of::<Entry>()).sum();
        size_of::<(SessionId, Known)>() + delivered + self.stamps.bytes()
    }

    /// Remembers a delivered message. It may come twice, and is remembered once.
    fn remember(&mut self, entry: Entry) {
        let order = entry.order();
        let place = self.delivered.partition_point(|other| other.order() <= order);
        let same = self.delivered[..place].iter().rev().take_while(|other| other.order() == order);
        if !same.map(|it| &it.enrichment).any(|it| *it == entry.enrichment) {
            self.delivered.insert(place, entry);
        }
    }
}

/// A batch that is being delivered.
#[derive(Debug)]
pub struct Delivery {
    sessions: Vec<SessionDelivery>,
    places: BTreeMap<SessionId, usize>,
    /// The state of each message, in the order of the batch.
    messages: Vec<MessageState>,
    retry_delay_s: u64,
    health: Health,
    random: fastrand::Rng,
    in_flight: usize,
    /// The index of the session to look at next.
    next: usize,
    opened_ms: u64,
    /// When the backend last answered properly, or when the batch came.
    patient_from_ms: u64,
    /// Whether only one request is sent at a time, because it is unknown whether the backend works again.
    probes: bool,
    /// Whether nothing more is sent.
    is_over: bool,
    log: Vec<Line>,
}

/// The state of a message in a batch.
#[derive(Clone, Debug)]
struct MessageState {
    attempts: u32,
    is_stored: bool,
    /// The seconds that the backend asked clients to wait.
    asked_s: Option<u64>,
}

#[derive(Debug)]
struct SessionDelivery {
    /// What is sent next, or is in flight.
    outbox: Outbox,
    /// What is sent afterwards: messages by their numbers, in order. Those of one run are merged.
    waiting: VecDeque<Vec<(u64, Entry)>>,
    /// The messages in the batch, with the index of each.
    messages: Vec<(u64, Entry)>,
    /// What was delivered before and is later than the earliest message of the batch, with the values that the batch may
    /// overwrite.
    delivered_later: Vec<Entry>,
    /// How many of those have not been stored again yet.
    unrepeated: usize,
    /// Whether those wait until the batch's own enrichments are stored, because a request with both was refused.
    repeats_separately: bool,
    /// Whether all messages that are known of the session are from one isolate of the relay.
    has_one_source: bool,
    flight: Option<SessionRequest>,
    /// The timestamp of the last request.
    stamp_ns: u64,
    /// Whether an enrichment of the batch that overwrites later ones may be stored.
    may_undo: bool,
    is_over: bool,
}

/// A request of one session that has not been answered yet.
#[derive(Clone, Copy, Debug)]
struct SessionRequest {
    is_start: bool,
    routes: Routes,
    sent: SentRequest,
}

/// Marks the number of a part that was delivered before and is no message of this batch: the rest of the number is
/// its index in `delivered_later`. A batch has a hundred messages.
const LATER: u64 = 1 << 31;

fn is_later(id: u64) -> bool {
    id & LATER != 0
}

impl SessionDelivery {
    /// The place of the earliest message of the batch.
    fn first(&self) -> Option<Order> {
        self.messages.iter().map(|(_, entry)| entry.order()).min()
    }

    /// Whether there is anything to send.
    fn has_work(&self) -> bool {
        self.outbox.unsent.has_work() || !self.waiting.is_empty()
    }

    /// Sends these messages, by their numbers, in the order in which they were made.
    fn plan(&mut self, mut entries: Vec<(u64, Entry)>) {
        // The sort is stable: what was delivered before comes first, then messages of one place in the order of the
        // batch.
        entries.sort_by_key(|(id, it)| (it.order(), !is_later(*id)));
        // What was delivered before and is not to be sent again only tells that no message is missing there.
        let is_sent = |(id, entry): &(u64, Entry)| !is_later(*id) || !entry.enrichment.is_empty();
        let mut waiting = runs(entries, self.has_one_source);
        waiting.iter_mut().for_each(|run| run.retain(is_sent));
        waiting.retain(|run| !run.is_empty());
        self.waiting = few_of(waiting);
    }

    /// Sends all messages of the batch, and again what was delivered before and is later.
    fn plan_all(&mut self) {
        let mut entries = self.messages.clone();
        entries.extend(self.later());
        self.plan(entries);
    }

    /// What was delivered before and is to be sent again.
    fn repeated(&self) -> impl Iterator<Item = &Entry> {
        self.delivered_later.iter().filter(|entry| !entry.enrichment.is_empty())
    }

    /// What was delivered before, by its numbers.
    fn later(&self) -> impl Iterator<Item = (u64, Entry)> {
        let later = self.delivered_later.iter().cloned().enumerate();
        later.map(|(place, it)| (LATER | place as u64, it))
    }

    /// Takes back what was delivered before, and sends only the messages of the batch.
    fn withdraw_later(&mut self) {
        let taken = self.outbox.take_those(false, &|_| true);
        let waiting = self.waiting.iter().flatten().map(|(id, _)| *id);
        let unsent: BTreeSet<u64> = taken.iter().map(|part| part.id()).chain(waiting).collect();
        let own = self.messages.iter().filter(|(id, _)| unsent.contains(id));
        self.plan(own.cloned().collect());
    }

    /// Passes the next messages to the outbox, if it has none.
    fn feed_outbox(&mut self) {
        if self.outbox.unsent.has_work() {
            return;
        }
        for (id, entry) in self.waiting.pop_front().unwrap_or_default() {
            let called_at = CallTime { unix_ms: entry.made_ns / 1_000_000, nth: 0 };
            let mut part = Part::new(id, PartKind::Enrichment, 0, called_at, 0);
            part.fill(entry.enrichment);
            self.outbox.accept(part);
        }
    }

    /// The time at which a part was made, in nanoseconds.
    fn made_ns(&self, part: &Part) -> u64 {
        let entry = match is_later(part.id()) {
            true => self.delivered_later.get((part.id() & !LATER) as usize),
            false => self.messages.iter().find(|(id, _)| *id == part.id()).map(|(_, it)| it),
        };
        entry.map_or(0, |entry| entry.made_ns)
    }

    /// The next request. Its timestamp is the time of the latest message in it, unless an earlier value may be stored
    /// with a later timestamp.
    fn next_request(&mut self, routes: Routes, known: &mut Known, now: Now) -> (Request, bool) {
        self.feed_outbox();
        self.outbox.freeze_first();
        let parts = self.outbox.unsent.first_parts();
        // The values that no later part overwrites, with the time at which each was made.
        let mut values = BTreeMap::new();
        for part in parts.iter().rev() {
            for key in part.enrichment().keys() {
                values.entry(key).or_insert_with(|| self.made_ns(part));
            }
        }
        let latest_ns = parts.last().map_or(0, |part| self.made_ns(part));
        let stamp_ns = latest_ns.max(known.stamps.latest_before(&values));
        // An update that follows the start it needed gets a later timestamp than the start.
        let is_second = stamp_ns == self.stamp_ns;
        let last_ns = if is_second { stamp_ns } else { stamp_ns.saturating_sub(1) };
        known.stamps.note(&values, last_ns + 1);
        self.outbox.stamps().go_on_after(last_ns);
        let (request, is_start) = self.outbox.next_request(routes, false, now);
        self.stamp_ns = self.outbox.stamps().last_ns();
        (request, is_start)
    }
}

impl Consumer {
    /// Begins to deliver a batch.
    pub fn open(
        &mut self,
        settings: &RelaySettings,
        batch: Vec<Incoming>,
        now_ms: u64,
    ) -> Delivery {
        let now = self.now(now_ms);
        let mut health = Health::new(Place::ServerProcess);
        health.allow(CONSUMER_LIMIT);
        let state =
            |it: &Incoming| MessageState { attempts: it.attempts, is_stored: false, asked_s: None };
        let mut delivery = Delivery {
            sessions: Vec::new(),
            places: BTreeMap::new(),
            messages: batch.iter().map(state).collect(),
            retry_delay_s: settings.retry_delay_s,
            health,
            random: fastrand::Rng::with_seed(now_ms),
            in_flight: 0,
            next: 0,
            opened_ms: now.mono_ms,
            patient_from_ms: now.mono_ms,
            probes: self.probes,
            is_over: false,
            log: Vec::new(),
        };
        let Some(destination) = settings.destination() else { return delivery };
        // The relay's clock may be ahead of this one. A message from further in the future was not written by the
        // relay, and its timestamp could keep later messages from being stored.
        let now_ns = now_ms.saturating_mul(1_000_000);
        let latest_ns = now_ms.saturating_add(CLOCKS_DIFFER_MS).saturating_mul(1_000_000);
        let made_ns = |stamp_ns| if stamp_ns > latest_ns { now_ns } else { stamp_ns };
        for (place, Incoming { text, .. }) in batch.into_iter().enumerate() {
            let read = Message::read(&text).and_then(|message| {
                let (enrichment, _) = Enrichment::parse(message.fields).ok()?;
                let made_ns = made_ns(message.stamp_ns);
                Some((message.target, Entry { made_ns, link: message.link, enrichment }))
            });
            let Some((target, entry)) = read else {
                error(
                    &mut delivery.log,
                    "the queue has a message that the relay did not write: it moves to the dead letters",
                );
                continue;
            };
            let messages = &mut delivery.of(target, settings, destination).messages;
            messages.push((place as u64, entry));
        }
        for session in &mut delivery.sessions {
            let mut first = session.first().unwrap_or_default();
            let known = self.known.get(&session.outbox.session_id());
            let delivered = known.iter().flat_map(|it| &it.delivered);
            let all = session.messages.iter().map(|(_, entry)| entry).chain(delivered);
            session.has_one_source = !have_several_sources(all);
            match known.filter(|it| !it.delivered.is_empty()) {
                Some(known) => {
                    first = first.min(known.undone_from.unwrap_or(first));
                    let from = known.delivered.partition_point(|it| it.order() <= first);
                    let own = known.undone_from.is_none().then_some(&session.messages[..]);
                    session.delivered_later = unreplaced(&known.delivered[from..], own);
                    session.unrepeated = session.repeated().count();
                }
                None if session.outbox.is_event() => {}
                None => {
                    // The message that starts the session may come later, or never.
                    let description = settings.description(first.made_ns / 1_000_000);
                    let start = Start { description, ..Start::touch() };
                    session.outbox.begin_with(Some(start));
                }
            }
            session.plan_all();
        }
        delivery
    }

    /// What is to be done for the batch now.
    pub fn next(&mut self, delivery: &mut Delivery, now_ms: u64) -> BatchAction {
        let now = self.now(now_ms);
        let is_late = now.mono_ms.saturating_sub(delivery.opened_ms) > BATCH_SENDS_MS;
        let place = match delivery.is_over || is_late {
            true => None,
            false => delivery.next_place(),
        };
        let Some(place) = place else {
            return if delivery.in_flight > 0 { BatchAction::Answer } else { BatchAction::Over };
        };
        let must_wait = delivery.probes && delivery.in_flight > 0;
        if must_wait || !delivery.health.has_room(0, now) {
            if delivery.in_flight > 0 {
                return BatchAction::Answer;
            }
            let resumes_at = delivery.health.resumes_at().unwrap_or(now.mono_ms);
            if resumes_at > delivery.patient_from_ms.saturating_add(BATCH_PATIENCE_MS) {
                (delivery.is_over, self.probes) = (true, true);
                return BatchAction::Over;
            }
            return BatchAction::Wait(resumes_at.saturating_sub(now.mono_ms).max(1));
        }
        delivery.next = place + 1;
        delivery.in_flight += 1;
        let session = &mut delivery.sessions[place];
        let timeout_ms = session.outbox.settings().timeout_ms;
        let sent = delivery.health.send_request(timeout_ms, timeout_ms, now);
        let routes = session.outbox.routes_to_try(self.routes);
        let known = self.known.entry(session.outbox.session_id()).or_default();
        known.at_ms = now.mono_ms;
        let (request, is_start) = session.next_request(routes, known, now);
        session.flight = Some(SessionRequest { is_start, routes, sent });
        BatchAction::Send { session: place, request }
    }

    /// Takes the answer to the request of a session.
    pub fn answered(
        &mut self,
        delivery: &mut Delivery,
        place: usize,
        answer: &Answer,
        now_ms: u64,
    ) {
        let now = self.now(now_ms);
        let Some(session) = delivery.sessions.get_mut(place) else { return };
        let Some(flight) = session.flight.take() else { return };
        delivery.in_flight -= 1;
        let SessionRequest { is_start, routes, .. } = flight;
        let outbox = &mut session.outbox;
        let mut verdict = wire::judge(answer, is_start, routes, Some(&outbox.destination), now);
        let (health, random) = (&mut delivery.health, &mut delivery.random);
        health.finish_request(&flight.sent, answer, &mut verdict, u64::MAX, now, random);
        if !matches!(verdict, Verdict::Retry { .. }) {
            delivery.patient_from_ms = now.mono_ms;
            (delivery.probes, self.probes) = (false, false);
        }
        match verdict {
            Verdict::Stored { inputs, .. } => {
                session.may_undo = true;
                delivery.health.note_stored();
                self.routes = if routes.are_legacy() { Routes::Legacy } else { Routes::V1 };
                if let Progress::Done(parts) = outbox.stored(is_start, inputs.as_deref()) {
                    delivery.stored(place, &parts);
                }
            }
            Verdict::TryRoutes(other) => {
                if self.routes == routes {
                    self.routes = other;
                }
                outbox.try_other_route();
            }
            Verdict::Retry { after_ms, .. } => {
                (session.may_undo, session.is_over) = (true, true);
                let asked_s = after_ms.map(|ms| ms.div_ceil(1_000).min(LONGEST_WAIT_S));
                let tried = outbox.take_all_of(0);
                let waiting = session.waiting.drain(..).flatten().map(|(id, _)| id);
                let ids = tried.iter().map(|part| part.id()).chain(waiting);
                for id in ids.filter(|id| !is_later(*id)) {
                    delivery.messages[id as usize].asked_s = asked_s;
                }
            }
            // The route may be missing, and not the event.
            Verdict::NoSession(_)
                if outbox.is_event() && routes == Routes::Unknown && !outbox.try_other_route() => {}
            Verdict::NoSession(refusal) => {
                // A 400 may also concern the content of the request.
                let unless_known =
                    matches!(refusal, wire::RefusalReason::Request { status: 400, .. });
                if !outbox.make_sure(unless_known, &|_, _| None) {
                    self.refused(delivery, place, routes, &refusal);
                }
            }
            Verdict::Refused(refusal) | Verdict::Ticket { refusal, .. } => {
                self.refused(delivery, place, routes, &refusal);
            }
        }
        delivery.repeat_later(place);
    }

    fn refused(
        &mut self,
        delivery: &mut Delivery,
        place: usize,
        routes: Routes,
        refusal: &wire::RefusalReason,
    ) {
        let session = &mut delivery.sessions[place];
        let outbox = &mut session.outbox;
        if let wire::RefusalReason::NoHoneyHive { .. } = refusal {
            // An answer for another session spoke against the new routes, so this session tries them itself.
            if routes == Routes::TryLegacy && !outbox.try_other_route() {
                if self.routes == routes {
                    self.routes = Routes::Unknown;
                }
                return;
            }
            self.routes = Routes::Unknown;
        }
        let has_later = outbox.unsent.first_parts().iter().any(|part| is_later(part.id()));
        if refusal.may_be_one_of_many() && has_later {
            // What was stored before is not to blame, so it is not halved together with the new messages. It is sent
            // again when the cause is found. If it is refused by itself, the cause is another one, and the messages
            // before it come again.
            session.repeats_separately =
                outbox.unsent.first_parts().iter().any(|part| !is_later(part.id()));
            session.unrepeated = session.repeated().count();
            session.withdraw_later();
            return;
        }
        if refusal.may_be_one_of_many() && outbox.halve(delivery.health.refuses_all()) {
            return;
        }
        let destination = &session.outbox.destination;
        let message = destination.without_key(&refusal.message(&destination.server));
        error(&mut delivery.log, format!("the queue's consumer: {message}"));
        match refusal {
            // Other sessions may be accepted.
            wire::RefusalReason::Request { .. } => {
                if session.outbox.refused(true).len() == 1 {
                    delivery.health.note_refused_single();
                }
            }
            // This concerns everything that is sent from here.
            _ => delivery.is_over = true,
        }
    }

    /// Ends the batch. Returns what the queue is to be told about each message, in their order, and the lines to log.
    pub fn close(&mut self, mut delivery: Delivery, now_ms: u64) -> (Vec<Fate>, Vec<Line>) {
        let now = self.now(now_ms);
        self.batches += 1;
        self.probes |= delivery.health.is_failing();
        for session in &delivery.sessions {
            // A message that has overwritten later ones is not finished until those are stored again.
            let undone = session.repeated().last().filter(|_| session.unrepeated > 0);
            for (place, entry) in &session.messages {
                if undone.is_some_and(|later| entry.order() < later.order()) {
                    delivery.messages[*place as usize].is_stored = false;
                }
            }
        }
        let retry_delay_s = delivery.retry_delay_s;
        let fate_of = |message: &MessageState| match message {
            MessageState { is_stored: true, .. } => Fate::Stored,
            MessageState { attempts, asked_s, .. } => {
                Fate::Again { after_s: wait_s(*attempts, *asked_s, retry_delay_s) }
            }
        };
        let fates: Vec<Fate> = delivery.messages.iter().map(fate_of).collect();
        for session in delivery.sessions {
            self.remember(session, &fates, now.mono_ms);
        }
        self.forget(now.mono_ms);
        (fates, delivery.log)
    }

    /// Remembers the messages of a session and their fates.
    fn remember(&mut self, session: SessionDelivery, fates: &[Fate], now_ms: u64) {
        let id = session.outbox.session_id();
        let known = self.known.entry(id).or_default();
        (known.batch, known.at_ms) = (self.batches, now_ms);
        let first = session.first();
        if session.unrepeated == 0 {
            known.undone_from = None;
        } else if session.may_undo {
            known.undone_from = first.min(known.undone_from.or(first));
        }
        for (place, entry) in session.messages {
            match &fates[place as usize] {
                Fate::Stored => known.remember(entry),
                Fate::Again { after_s } => {
                    let wait_ms = after_s.unwrap_or_default().saturating_mul(1_000);
                    let until_ms = now_ms.saturating_add(wait_ms + REMEMBERED_MESSAGES_MS);
                    known.awaited_until_ms = known.awaited_until_ms.max(until_ms);
                }
            }
        }
    }

    /// The approximate bytes of memory that are in use.
    fn held(&self) -> usize {
        self.known.values().map(Known::bytes).sum()
    }

    /// Forgets sessions that are old and not awaited. If the memory is full, it also forgets the half that was heard
    /// of longest ago, first those of which no message is expected again.
    fn forget(&mut self, now_ms: u64) {
        let is_awaited = |known: &Known| known.awaited_until_ms > now_ms;
        let mut last = (false, 0);
        if self.held() > REMEMBERED_MESSAGES_BYTES {
            let key = |known: &Known| (is_awaited(known), known.batch);
            let mut keys: Vec<_> = self.known.values().map(key).collect();
            keys.sort_unstable();
            last = keys[keys.len() / 2];
        }
        let is_new = |known: &Known| now_ms.saturating_sub(known.at_ms) < REMEMBERED_MESSAGES_MS;
        self.known.retain(|_, known| {
            (is_awaited(known), known.batch) > last && (is_new(known) || is_awaited(known))
        });
    }

    fn now(&mut self, now_ms: u64) -> Now {
        self.clock.advance(Now { mono_ms: now_ms, unix_ms: now_ms })
    }
}

impl Delivery {
    fn of(
        &mut self,
        target: Target,
        settings: &RelaySettings,
        destination: &Rc<Destination>,
    ) -> &mut SessionDelivery {
        let (id, sessions) = (target.id(), &mut self.sessions);
        let place = *self.places.entry(id).or_insert_with(|| {
            let (destination, settings) = (destination.clone(), settings.tracer.clone());
            let outbox = Outbox::new(destination, settings, 0, target, Stamps::default());
            sessions.push(SessionDelivery {
                outbox,
                waiting: VecDeque::new(),
                messages: Vec::new(),
                delivered_later: Vec::new(),
                unrepeated: 0,
                repeats_separately: false,
                has_one_source: true,
                flight: None,
                stamp_ns: 0,
                may_undo: false,
                is_over: false,
            });
            sessions.len() - 1
        });
        let session = &mut sessions[place];
        session.outbox.use_for(target);
        session
    }

    /// The index of the next session that has something to send, in turns.
    fn next_place(&self) -> Option<usize> {
        let (before, from) = self.sessions.split_at(self.next.min(self.sessions.len()));
        let places = (self.next..).zip(from).chain((0..).zip(before));
        let sends = |session: &SessionDelivery| {
            !session.is_over && session.flight.is_none() && session.has_work()
        };
        places.filter(|(_, session)| sends(session)).map(|(place, _)| place).next()
    }

    fn stored(&mut self, place: usize, parts: &Parts) {
        for part in parts {
            match is_later(part.id()) {
                true => self.sessions[place].unrepeated -= 1,
                false => self.messages[part.id() as usize].is_stored = true,
            }
        }
    }

    /// Sends again what was delivered before, if it waited for the batch's own messages and one of them that is
    /// earlier has been stored.
    fn repeat_later(&mut self, place: usize) {
        let session = &mut self.sessions[place];
        if !session.repeats_separately || session.is_over || session.has_work() {
            return;
        }
        session.repeats_separately = false;
        let Some(last) = session.repeated().last().map(Entry::order) else { return };
        let stored =
            session.messages.iter().filter(|(id, _)| self.messages[*id as usize].is_stored);
        let own: Vec<Entry> = stored.map(|(_, entry)| entry.clone()).collect();
        if own.iter().any(|entry| entry.order() < last) {
            // Stored messages of the batch itself are sent again among them, in order.
            session.delivered_later.extend(own);
            session.delivered_later.sort_by_key(Entry::order);
            session.delivered_later = unreplaced(&session.delivered_later, None);
            session.unrepeated = session.repeated().count();
            session.plan(session.later().collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::json::Numerals;

    fn enrichment(bytes: usize) -> Enrichment {
        let json = ["{\"metadata\":{\"a\":\"", &"x".repeat(bytes), "\"}}"].concat();
        Enrichment::parse(json).unwrap().0
    }

    fn session(number: u64) -> SessionId {
        SessionId::new(&number.to_string()).unwrap()
    }

    /// Lets the consumer deliver a message of a session at `now_ms`, with this fate.
    fn tell(consumer: &mut Consumer, number: u64, fate: Fate, now_ms: u64) {
        let settings = super::super::settings::of_json("{\"apiKey\":\"k\"}", Numerals::STD).0;
        let destination = settings.destination().unwrap();
        let mut delivery = consumer.open(&settings, Vec::new(), now_ms);
        let entry = Entry { made_ns: number, link: None, enrichment: enrichment(500) };
        let target = Target::Session(session(number));
        delivery.of(target, &settings, destination).messages.push((0, entry));
        consumer.batches += 1;
        consumer.remember(delivery.sessions.remove(0), &[fate], now_ms);
        consumer.forget(now_ms);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_latest_stays() {
        let mut consumer = Consumer::default();
        for number in 0..20_000_u64 {
            tell(&mut consumer, number % 15_000, Fate::Stored, number);
            assert!(consumer.held() <= REMEMBERED_MESSAGES_BYTES);
        }
        assert!(consumer.known.len() > 1_000);
        assert!(consumer.known.contains_key(&session(4_999)));
        consumer.forget(20_000 + REMEMBERED_MESSAGES_MS);
        assert!(consumer.known.is_empty());
    }

    #[test]
    fn what_is_awaited_is_remembered_as_long_as_it_may_come_and_before_others() {
        let mut consumer = Consumer::default();
        tell(&mut consumer, 7, Fate::Stored, 0);
        tell(&mut consumer, 7, Fate::Again { after_s: Some(LONGEST_WAIT_S) }, 0);
        for number in 0..20_000_u64 {
            tell(&mut consumer, 10 + number % 15_000, Fate::Stored, number);
        }
        consumer.forget(LONGEST_WAIT_S * 1_000 + REMEMBERED_MESSAGES_MS - 1);
        assert_eq!(consumer.known.keys().copied().collect::<Vec<_>>(), [session(7)]);
        consumer.forget(LONGEST_WAIT_S * 1_000 + REMEMBERED_MESSAGES_MS);
        assert!(consumer.known.is_empty());
    }
}
