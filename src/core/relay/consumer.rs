//! The other end of the queue: a batch of messages, delivered session by session, those of one
//! session merged and in their order. How a session is sent is its [`Outbox`]'s affair, and what the
//! backend bears is its [`Health`]'s, as in a tracer; how often a message comes again is the queue's.
//!
//! A queue keeps no order, and brings what failed after what came later. So the consumer remembers
//! what it delivered, at least as long as a message may wait: where an earlier message of a session comes
//! after later ones, those are said again with it, and the session ends as if each had come in its turn. It
//! remembers in the memory of one isolate; what another one delivered is put in order by the
//! backend, which goes by the timestamps. So a request carries the time of its own latest message,
//! whatever was sent of other sessions before.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

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
use crate::core::outbox::{Outbox, Part, PartKind, Parts, Progress, Stamps};
use crate::core::session::{SessionId, Start, Target};
use crate::core::settings::Destination;
use crate::core::time::{ForwardClock, NEVER, Now};
use crate::core::wire::{self, Answer, Request, Routes, Verdict};

/// A message as the queue brings it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Its text.
    pub text: String,
    /// How often the queue has brought it, this time included; 0 where the queue does not say.
    pub attempts: u32,
}

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is stored: the queue may forget it.
    Stored,
    /// It is to come again, or to the dead letters when it came often enough.
    Again {
        /// Seconds after which at the earliest; nothing where that is the queue's own delay.
        after_s: Option<u64>,
    },
}

/// What is to be done for a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchAction {
    /// This request of a session is to be sent, whatever else is on its way.
    Send {
        /// The session's place in the batch.
        session: usize,
        /// Its request.
        request: Request,
    },
    /// Nothing, until one of the requests on their way is answered.
    Answer,
    /// Nothing for so many milliseconds: the backend has trouble, or asked to be left alone.
    Wait(u64),
    /// Nothing more: the batch is over.
    Over,
}

/// What a consumer remembers from one batch to the next.
#[derive(Debug, Default)]
pub struct Consumer {
    routes: Routes,
    clock: ForwardClock,
    /// Whether the last batch was given up: the next one probes the backend with one request.
    probes: bool,
    known: BTreeMap<SessionId, Known>,
    /// The number of the last batch.
    batches: u64,
}

/// What is known of a session.
#[derive(Debug, Default)]
struct Known {
    /// What was delivered of it lately: when it was made, and what it says; the earliest first.
    said: Vec<(u64, Enrichment)>,
    /// For when something was made, the latest timestamp that it was sent with, if that is another: something
    /// later was said with it. It may be stored with that though no answer said so.
    stamps: BTreeMap<u64, u64>,
    /// From when on what was delivered has to be said again: an earlier message may have undone it.
    undone_from_ns: Option<u64>,
    /// Until when a message of it may come that was told to wait.
    awaited_until_ms: u64,
    /// The last batch that had something of it, and when that was.
    batch: u64,
    at_ms: u64,
}

impl Known {
    fn bytes(&self) -> usize {
        let said: usize =
            self.said.iter().map(|(_, it)| it.bytes() + size_of::<Enrichment>()).sum();
        size_of::<(SessionId, Known)>() + said + self.stamps.len() * size_of::<(u64, u64)>()
    }

    /// Remembers what was delivered. A message that comes twice is remembered once.
    fn remember(&mut self, made_ns: u64, enrichment: Enrichment) {
        let place = self.said.partition_point(|(other_ns, _)| *other_ns <= made_ns);
        let same = self.said[..place].iter().rev().take_while(|(other_ns, _)| *other_ns == made_ns);
        if !same.map(|(_, it)| it).any(|it| *it == enrichment) {
            self.said.insert(place, (made_ns, enrichment));
        }
    }
}

/// A batch on its way.
#[derive(Debug)]
pub struct Delivery {
    sessions: Vec<SessionDelivery>,
    places: BTreeMap<SessionId, usize>,
    /// Of its messages, in their order.
    messages: Vec<Ticked>,
    retry_delay_s: u64,
    health: Health,
    random: fastrand::Rng,
    in_flight: usize,
    /// The place of the session that is looked at next.
    next: usize,
    opened_ms: u64,
    /// When the backend last answered well, or else when the batch came.
    patient_from_ms: u64,
    /// Whether there is one request at a time, as nobody knows whether the backend works again.
    probes: bool,
    /// Whether nothing more is sent.
    is_over: bool,
    log: Vec<Line>,
}

/// A message of a batch.
#[derive(Clone, Debug)]
struct Ticked {
    attempts: u32,
    is_stored: bool,
    /// Seconds that the backend asked to wait.
    asked_s: Option<u64>,
}

#[derive(Debug)]
struct SessionDelivery {
    outbox: Outbox,
    /// What the batch has of it: place in the batch, when it was made, what it says.
    said: Vec<(u64, u64, Enrichment)>,
    /// What was delivered before and is later than the first of these.
    later: Vec<(u64, Enrichment)>,
    /// How many of these are not stored again yet.
    unsaid: usize,
    /// Whether these wait until what the batch has is stored: with it they were refused.
    is_later_apart: bool,
    flight: Option<SessionRequest>,
    /// When the batch came, Unix milliseconds: no request is stamped with a later time.
    now_ms: u64,
    /// The timestamp of the last request.
    stamp_ns: u64,
    /// Whether something of the batch may be stored that undoes what was delivered before.
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

/// The number of a part that is no message of the batch, but was delivered before: this, and its place
/// among those. Batches have a hundred messages.
const LATER: u64 = 1 << 31;

fn is_later(part: &Part) -> bool {
    part.id & LATER != 0
}

impl SessionDelivery {
    fn accept(&mut self, id: u64, stamp_ns: u64, enrichment: Enrichment) {
        self.outbox.accept(Box::new(Part {
            id,
            kind: PartKind::Enrichment,
            tracer: 0,
            scope: 0,
            given_unix_ms: (stamp_ns / 1_000_000).min(self.now_ms),
            given_ms: 0,
            deadline_ms: NEVER,
            deadline: NEVER,
            is_kept: false,
            left_by: 0,
            enrichment,
        }));
    }

    /// Takes all of it into the outbox, in the order in which it was made.
    fn accept_all(&mut self) {
        let own = self.said.iter().cloned();
        let later = self.later.iter().cloned().enumerate();
        let later = later.map(|(place, (made_ns, it))| (LATER | place as u64, made_ns, it));
        let mut parts: Vec<_> = own.chain(later).collect();
        // Stable: what was made at one time stays in the order of the batch, after what was delivered before.
        parts.sort_by_key(|(id, stamp_ns, _)| (*stamp_ns, id & LATER == 0));
        for (id, stamp_ns, enrichment) in parts {
            self.accept(id, stamp_ns, enrichment);
        }
    }

    /// What was delivered before is said again by itself.
    fn accept_later(&mut self) {
        self.unsaid = self.later.len();
        for (place, (made_ns, enrichment)) in self.later.clone().into_iter().enumerate() {
            self.accept(LATER | place as u64, made_ns, enrichment);
        }
    }

    /// When a part was made.
    fn made_ns(&self, part: &Part) -> u64 {
        let made = match is_later(part) {
            true => self.later.get((part.id & !LATER) as usize).map(|(made_ns, _)| *made_ns),
            false => self.said.iter().find(|(place, ..)| *place == part.id).map(|(_, it, _)| *it),
        };
        made.unwrap_or_default()
    }

    /// The next request, stamped with when the latest of what it says was made. What was made before that may be
    /// stored with a later timestamp, see [`Known::stamps`]: then with that.
    fn next_request(&mut self, routes: Routes, known: &mut Known, now: Now) -> (Request, bool) {
        self.outbox.freeze_first();
        let parts = self.outbox.first_parts();
        // Of when that is made of which something is sent, and not what is later said of the same.
        let mut made = Vec::new();
        let mut keys = BTreeSet::new();
        for part in parts.iter().rev() {
            let new = part.enrichment.keys().filter(|key| keys.insert(key.clone())).count();
            if new > 0 {
                made.push(self.made_ns(part));
            }
        }
        let latest_ns = parts.last().map_or(0, |part| self.made_ns(part));
        let earlier = known.stamps.range(..latest_ns).map(|(_, stamp_ns)| *stamp_ns);
        let stamp_ns = earlier.fold(latest_ns, u64::max);
        let stamp_ns = stamp_ns.min(self.now_ms.saturating_mul(1_000_000));
        // An update goes after the start that it needed.
        let is_second = stamp_ns == self.stamp_ns;
        let last_ns = if is_second { stamp_ns } else { stamp_ns.saturating_sub(1) };
        self.outbox.stamps().go_on_after(last_ns);
        let (request, is_start) = self.outbox.next_request(routes, false, now);
        let last_ns = self.outbox.stamps().last_ns();
        self.stamp_ns = last_ns;
        for made_ns in made.into_iter().filter(|made_ns| *made_ns < last_ns) {
            let stamp_ns = known.stamps.entry(made_ns).or_default();
            *stamp_ns = last_ns.max(*stamp_ns);
        }
        (request, is_start)
    }
}

impl Consumer {
    /// Takes a batch.
    pub fn open(
        &mut self,
        settings: &RelaySettings,
        batch: Vec<Incoming>,
        now_ms: u64,
    ) -> Delivery {
        let now = self.now(now_ms);
        let mut health = Health::new(Place::ServerProcess);
        health.allow(CONSUMER_LIMIT);
        let ticked =
            |it: &Incoming| Ticked { attempts: it.attempts, is_stored: false, asked_s: None };
        let mut delivery = Delivery {
            sessions: Vec::new(),
            places: BTreeMap::new(),
            messages: batch.iter().map(ticked).collect(),
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
        // The relay's clock may be ahead of this one. A message from the future is none of the relay's, and could keep
        // later ones from counting.
        let now_ns = now_ms.saturating_mul(1_000_000);
        let latest_ns = now_ms.saturating_add(CLOCKS_DIFFER_MS).saturating_mul(1_000_000);
        let made_ns = |stamp_ns| if stamp_ns > latest_ns { now_ns } else { stamp_ns };
        for (place, Incoming { text, .. }) in batch.into_iter().enumerate() {
            let read = Message::read(&text).and_then(|message| {
                let (enrichment, _) = Enrichment::parse(message.fields).ok()?;
                Some((message.target, made_ns(message.stamp_ns), enrichment))
            });
            let Some((target, stamp_ns, enrichment)) = read else {
                error(
                    &mut delivery.log,
                    "the queue has a message that the relay did not write: it moves to the dead letters",
                );
                continue;
            };
            let said = &mut delivery.of(target, settings, destination).said;
            said.push((place as u64, stamp_ns, enrichment));
        }
        for session in &mut delivery.sessions {
            let made = session.said.iter().map(|(_, stamp_ns, _)| *stamp_ns);
            let mut first_ns = made.min().unwrap_or_default();
            match self.known.get(&session.outbox.session_id).filter(|it| !it.said.is_empty()) {
                Some(known) => {
                    first_ns = first_ns.min(known.undone_from_ns.unwrap_or(first_ns));
                    let later = known.said.iter().filter(|(made_ns, _)| *made_ns > first_ns);
                    session.later = later.cloned().collect();
                    session.unsaid = session.later.len();
                }
                None if session.outbox.is_event => {}
                None => {
                    // The message that starts it may come later, or never.
                    let description = settings.description(first_ns / 1_000_000);
                    let start = Start { description, ..Start::touch() };
                    session.outbox.begin_with(Some(start));
                }
            }
            session.now_ms = now_ms;
            session.accept_all();
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
        let timeout_ms = session.outbox.settings.timeout_ms;
        let sent = delivery.health.send_request(timeout_ms, timeout_ms, now);
        let routes = session.outbox.routes_to_try(self.routes);
        let known = self.known.entry(session.outbox.session_id).or_default();
        known.at_ms = now.mono_ms;
        let (request, is_start) = session.next_request(routes, known, now);
        session.flight = Some(SessionRequest { is_start, routes, sent });
        BatchAction::Send { session: place, request }
    }

    /// What the backend answered to the request of a session on its way.
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
        let verdict = wire::judge(answer, is_start, routes, Some(&outbox.destination), now);
        let (health, random) = (&mut delivery.health, &mut delivery.random);
        health.finish_request(&flight.sent, answer, &verdict, u64::MAX, now, random);
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
                for part in outbox.take_all_of(0).iter().filter(|part| !is_later(part)) {
                    delivery.messages[part.id as usize].asked_s = asked_s;
                }
            }
            // It may be the route that is not there, and not the event.
            Verdict::NoSession(_)
                if outbox.is_event && routes == Routes::Unknown && !outbox.try_other_route() => {}
            Verdict::NoSession(refusal) => {
                // A 400 may be for what was said as well.
                let unless_known =
                    matches!(refusal, wire::RefusalReason::Request { status: 400, .. });
                if !outbox.make_sure(unless_known, &|_, _| None) {
                    self.refused(delivery, place, routes, &refusal);
                }
            }
            Verdict::Refused(refusal) => self.refused(delivery, place, routes, &refusal),
        }
        delivery.say_later(place);
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
            // What another session was answered spoke against the new routes: this one tries them itself.
            if routes == Routes::TryLegacy && !outbox.try_other_route() {
                if self.routes == routes {
                    self.routes = Routes::Unknown;
                }
                return;
            }
            self.routes = Routes::Unknown;
        }
        let has_later = outbox.first_parts().iter().any(|part| is_later(part));
        if refusal.may_be_one_of_many() && has_later {
            // What was stored before is not to blame, and is not halved with what may be: it is said again
            // when the rest is found out. Alone it was refused for some other reason, and the messages that it
            // follows come again.
            session.is_later_apart = outbox.first_parts().iter().any(|part| !is_later(part));
            session.unsaid = session.later.len();
            outbox.take_those(&|part| is_later(part));
            outbox.halve(false);
            return;
        }
        if refusal.may_be_one_of_many() && outbox.halve(delivery.health.refuses_all()) {
            return;
        }
        let destination = &session.outbox.destination;
        let message = destination.without_key(&refusal.message(&destination.server));
        error(&mut delivery.log, format!("the queue's consumer: {message}"));
        match refusal {
            // The rest may be better.
            wire::RefusalReason::Request { .. } => {
                if session.outbox.refused(true).len() == 1 {
                    delivery.health.note_refused_single();
                }
            }
            // It is so for all that is sent from here.
            _ => delivery.is_over = true,
        }
    }

    /// The batch is over: what is to be said to the queue of each message, in their order, and what
    /// is to be logged.
    pub fn close(&mut self, mut delivery: Delivery, now_ms: u64) -> (Vec<Fate>, Vec<Line>) {
        let now = self.now(now_ms);
        self.batches += 1;
        self.probes |= delivery.health.is_failing();
        for session in &delivery.sessions {
            // What undid later messages is not done before those are stored again.
            let undone_ns = session.later.last().filter(|_| session.unsaid > 0);
            for (place, stamp_ns, _) in &session.said {
                if undone_ns.is_some_and(|(later_ns, _)| stamp_ns < later_ns) {
                    delivery.messages[*place as usize].is_stored = false;
                }
            }
        }
        let retry_delay_s = delivery.retry_delay_s;
        let fate_of = |message: &Ticked| match message {
            Ticked { is_stored: true, .. } => Fate::Stored,
            Ticked { attempts, asked_s, .. } => {
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

    /// Remembers what a batch had of a session, and what became of it.
    fn remember(&mut self, session: SessionDelivery, fates: &[Fate], now_ms: u64) {
        let id = session.outbox.session_id;
        let known = self.known.entry(id).or_default();
        (known.batch, known.at_ms) = (self.batches, now_ms);
        let first_ns = session.said.iter().map(|(_, stamp_ns, _)| *stamp_ns).min();
        if session.unsaid == 0 {
            known.undone_from_ns = None;
        } else if session.may_undo {
            known.undone_from_ns = first_ns.min(known.undone_from_ns.or(first_ns));
        }
        for (place, made_ns, enrichment) in session.said {
            match &fates[place as usize] {
                Fate::Stored => known.remember(made_ns, enrichment),
                Fate::Again { after_s } => {
                    let wait_ms = after_s.unwrap_or_default().saturating_mul(1_000);
                    let until_ms = now_ms.saturating_add(wait_ms + REMEMBERED_MESSAGES_MS);
                    known.awaited_until_ms = known.awaited_until_ms.max(until_ms);
                }
            }
        }
    }

    /// Bytes of what is remembered.
    fn held(&self) -> usize {
        self.known.values().map(Known::bytes).sum()
    }

    /// Lets go of what is old and not awaited, and, where it is too much, of the half that was not heard of
    /// for longer: first of those of which no message is to come again.
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
            let mut outbox = Outbox::new(destination, settings, 0, id, Stamps::default());
            outbox.is_event = true;
            sessions.push(SessionDelivery {
                outbox,
                said: Vec::new(),
                later: Vec::new(),
                unsaid: 0,
                is_later_apart: false,
                flight: None,
                now_ms: 0,
                stamp_ns: 0,
                may_undo: false,
                is_over: false,
            });
            sessions.len() - 1
        });
        let session = &mut sessions[place];
        session.outbox.is_event &= target.is_event();
        session
    }

    /// The place of the next session that has something to send, in turns.
    fn next_place(&self) -> Option<usize> {
        let (before, from) = self.sessions.split_at(self.next.min(self.sessions.len()));
        let places = (self.next..).zip(from).chain((0..).zip(before));
        let sends = |session: &SessionDelivery| {
            !session.is_over && session.flight.is_none() && session.outbox.has_work()
        };
        places.filter(|(_, session)| sends(session)).map(|(place, _)| place).next()
    }

    fn stored(&mut self, place: usize, parts: &Parts) {
        for part in parts {
            match is_later(part) {
                true => self.sessions[place].unsaid -= 1,
                false => self.messages[part.id as usize].is_stored = true,
            }
        }
    }

    /// Has what was delivered before said again, where it waited for the session's messages and one of them is
    /// stored that it follows.
    fn say_later(&mut self, place: usize) {
        let session = &mut self.sessions[place];
        if !session.is_later_apart || session.is_over || session.outbox.has_work() {
            return;
        }
        session.is_later_apart = false;
        let Some(last_ns) = session.later.last().map(|(made_ns, _)| *made_ns) else { return };
        let messages = &self.messages;
        let is_undone = |(place, stamp_ns, _): &(u64, u64, Enrichment)| {
            *stamp_ns < last_ns && messages[*place as usize].is_stored
        };
        if session.said.iter().any(is_undone) {
            // What the batch has itself and is stored is said again among them, in its turn.
            let own = session.said.iter().filter(|(place, ..)| messages[*place as usize].is_stored);
            session.later.extend(own.map(|(_, made_ns, it)| (*made_ns, it.clone())));
            session.later.sort_by_key(|(made_ns, _)| *made_ns);
            session.accept_later();
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

    /// A message of a session that was delivered at `now_ms`, or is to come again.
    fn tell(consumer: &mut Consumer, number: u64, fate: Fate, now_ms: u64) {
        let settings = super::super::settings::of_json("{\"apiKey\":\"k\"}", Numerals::STD).0;
        let destination = settings.destination().unwrap();
        let mut delivery = consumer.open(&settings, Vec::new(), now_ms);
        delivery.of(Target::Session(session(number)), &settings, destination).said.push((
            0,
            number,
            enrichment(500),
        ));
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
