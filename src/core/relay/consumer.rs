//! The other end of the queue: a batch of messages, delivered session by session, those of one
//! session merged and in their order. How a session is sent is its [`Outbox`]'s affair, as in a
//! tracer; how often and when a message comes again is the queue's.
//!
//! A queue keeps no order, and brings what failed after what came later. So the consumer remembers
//! for a while what it delivered: where an earlier message of a session comes after later ones,
//! those are said again after it, and the session ends as if each had come in its turn. It
//! remembers in the memory of one isolate; what another one delivered is put in order by the
//! backend, which goes by the timestamps.

use std::rc::Rc;

use super::message::Message;
use super::policy::{LONGEST_WAIT_S, REMEMBERED_MESSAGES_BYTES, REMEMBERED_MESSAGES_MS};
use super::settings::RelaySettings;
use crate::core::enrichment::Enrichment;
use crate::core::log::{Line, error};
use crate::core::outbox::{Kind, Outbox, Part, Parts, Progress};
use crate::core::session::{SessionId, Start, Target};
use crate::core::settings::Destination;
use crate::core::time::{NEVER, Now};
use crate::core::wire::{self, Answer, Request, Routes, Verdict};

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is stored: the queue may forget it.
    Stored,
    /// It is to come again, or to the dead letters when it came often enough.
    Again {
        /// Seconds after which at the earliest, where the backend says so.
        after_s: Option<u64>,
    },
}

/// What a consumer remembers from one batch to the next.
#[derive(Debug, Default)]
pub struct Consumer {
    routes: Routes,
    last_stamp_ns: u64,
    /// In the order of their sessions.
    delivered: Vec<Delivered>,
    /// Bytes of these.
    held: usize,
    /// The number of the last batch.
    batches: u64,
}

/// What was delivered of a session lately.
#[derive(Debug)]
struct Delivered {
    session: SessionId,
    /// When it was made, and what it says.
    said: Vec<(u64, Enrichment)>,
    /// The last batch that had something of it, and when that was.
    batch: u64,
    at_ms: u64,
}

impl Delivered {
    fn bytes(&self) -> usize {
        let said: usize =
            self.said.iter().map(|(_, it)| it.bytes() + size_of::<Enrichment>()).sum();
        size_of::<Delivered>() + said
    }
}

/// A batch on its way.
#[derive(Debug)]
pub struct Delivery {
    sessions: Vec<SessionDelivery>,
    /// What becomes of its messages, in their order.
    fates: Vec<Fate>,
    log: Vec<Line>,
}

#[derive(Debug)]
struct SessionDelivery {
    outbox: Outbox,
    /// What the batch has of it: place in the batch, when it was made, what it says.
    said: Vec<(u64, u64, Enrichment)>,
    /// The request on its way is a start, and was sent to these routes.
    flight: Option<(bool, Routes)>,
    is_over: bool,
}

/// The number of a part that is no message of the batch, but was said before.
const NO_MESSAGE: u64 = u64::MAX;

impl Consumer {
    /// Takes a batch: the texts of its messages.
    pub fn open(&self, settings: &RelaySettings, batch: Vec<String>) -> Delivery {
        let fates = vec![Fate::Again { after_s: None }; batch.len()];
        let mut delivery = Delivery { sessions: Vec::new(), fates, log: Vec::new() };
        let Some(destination) = settings.destination() else { return delivery };
        for (place, text) in batch.into_iter().enumerate() {
            let read = Message::read(&text).and_then(|message| {
                let (enrichment, _) = Enrichment::parse(message.fields).ok()?;
                Some((message.target, message.stamp_ns, enrichment))
            });
            let Some((target, stamp_ns, enrichment)) = read else {
                error(
                    &mut delivery.log,
                    "the queue has a message that is none of the relay's: it goes to the dead letters",
                );
                continue;
            };
            let said = &mut delivery.of(target, settings, destination).said;
            said.push((place as u64, stamp_ns, enrichment));
        }
        for session in &mut delivery.sessions {
            let first = session.said.iter().map(|(_, stamp_ns, _)| *stamp_ns).min();
            let before = match self.place_of(session.outbox.session_id) {
                Ok(place) => self.delivered[place].said.as_slice(),
                Err(_) if session.outbox.is_event => &[],
                Err(_) => {
                    // The message that starts it may come later, or never.
                    let description = settings.description(first.unwrap_or_default() / 1_000_000);
                    session.outbox.start_with(Start { description, ..Start::touch() });
                    &[]
                }
            };
            let later = before.iter().filter(|(stamp_ns, _)| Some(*stamp_ns) > first);
            let again = later.map(|(stamp_ns, it)| (NO_MESSAGE, *stamp_ns, it.clone()));
            let mut parts: Vec<_> = session.said.iter().cloned().chain(again).collect();
            // Stable: what was made at one time stays in the order of the batch.
            parts.sort_by_key(|(_, stamp_ns, _)| *stamp_ns);
            for (id, stamp_ns, enrichment) in parts {
                session.outbox.accept(Box::new(Part {
                    id,
                    kind: Kind::Enrichment,
                    tracer: 0,
                    scope: 0,
                    given_unix_ms: stamp_ns / 1_000_000,
                    given_ms: 0,
                    deadline_ms: NEVER,
                    deadline: NEVER,
                    is_kept: false,
                    is_left: false,
                    enrichment,
                }));
            }
        }
        delivery
    }

    /// The next request of a session of the batch; nothing where it is over.
    pub fn next(
        &mut self,
        delivery: &mut Delivery,
        session: usize,
        now_ms: u64,
    ) -> Option<Request> {
        let session = delivery.sessions.get_mut(session)?;
        if session.is_over || session.flight.is_some() || !session.outbox.has_work() {
            return None;
        }
        let now = Now { mono_ms: now_ms, unix_ms: now_ms };
        let routes = session.outbox.routes_to_try(self.routes);
        let (request, is_start) =
            session.outbox.next_request(routes, false, &mut self.last_stamp_ns, now);
        session.flight = Some((is_start, routes));
        Some(request)
    }

    /// What the backend answered to the last request of a session.
    pub fn answered(
        &mut self,
        delivery: &mut Delivery,
        place: usize,
        answer: &Answer,
        now_ms: u64,
    ) {
        let Some(session) = delivery.sessions.get_mut(place) else { return };
        let Some((is_start, routes)) = session.flight.take() else { return };
        let now = Now { mono_ms: now_ms, unix_ms: now_ms };
        let outbox = &mut session.outbox;
        match wire::judge(answer, is_start, routes, Some(&outbox.destination), now) {
            Verdict::Stored { inputs, .. } => {
                self.routes = if routes.are_legacy() { Routes::Legacy } else { Routes::V1 };
                if let Progress::Done(parts) = outbox.stored(is_start, inputs.as_deref()) {
                    delivery.settle(parts, &Fate::Stored);
                }
            }
            Verdict::TryRoutes(other) => {
                if self.routes == routes {
                    self.routes = other;
                }
                outbox.try_other_route();
            }
            Verdict::Retry { after_ms, .. } => {
                session.is_over = true;
                let after_s = after_ms.map(|ms| ms.div_ceil(1_000).min(LONGEST_WAIT_S));
                let parts = outbox.take_all_of(0);
                delivery.settle(parts, &Fate::Again { after_s });
            }
            Verdict::NoSession(_) if outbox.make_sure(false) => {}
            // It may be the route that is not there, and not the event.
            Verdict::NoSession(_)
                if outbox.is_event && routes == Routes::Unknown && !outbox.try_other_route() => {}
            Verdict::Refused(refusal) | Verdict::NoSession(refusal) => {
                if refusal.may_be_one_of_many() && outbox.halve(false) {
                    return;
                }
                let destination = &outbox.destination;
                let message = destination.without_key(&refusal.message(&destination.server));
                error(&mut delivery.log, format!("the queue's consumer: {message}"));
                match &refusal {
                    // The rest may be better.
                    wire::Refusal::Request { .. } => drop(outbox.refused(true)),
                    wire::Refusal::NoHoneyHive { .. } => {
                        self.routes = Routes::Unknown;
                        session.is_over = true;
                    }
                    _ => session.is_over = true,
                }
            }
        }
    }

    /// The batch is over: what is to be said to the queue of each message, in their order, and what
    /// is to be logged.
    pub fn close(&mut self, delivery: Delivery, now_ms: u64) -> (Vec<Fate>, Vec<Line>) {
        let Delivery { sessions, fates, log } = delivery;
        self.batches += 1;
        for session in sessions {
            let stored = |place: u64| fates.get(place as usize) == Some(&Fate::Stored);
            let said = session.said.into_iter().filter(|(place, ..)| stored(*place));
            let said: Vec<_> = said.map(|(_, stamp_ns, it)| (stamp_ns, it)).collect();
            if !said.is_empty() {
                self.remember(session.outbox.session_id, said, now_ms);
            }
        }
        self.forget(now_ms);
        (fates, log)
    }

    fn place_of(&self, session: SessionId) -> Result<usize, usize> {
        self.delivered.binary_search_by(|delivered| delivered.session.cmp(&session))
    }

    fn remember(&mut self, session: SessionId, mut said: Vec<(u64, Enrichment)>, now_ms: u64) {
        let (batch, at_ms) = (self.batches, now_ms);
        match self.place_of(session) {
            Ok(place) => {
                let known = &mut self.delivered[place];
                self.held -= known.bytes();
                known.said.append(&mut said);
                (known.batch, known.at_ms) = (batch, at_ms);
                self.held += known.bytes();
            }
            Err(place) => {
                let new = Delivered { session, said, batch, at_ms };
                self.held += new.bytes();
                self.delivered.insert(place, new);
            }
        }
    }

    /// Lets go of what is old, and, where it is too much, of the half that was not heard of for longer.
    fn forget(&mut self, now_ms: u64) {
        let mut batch = 0;
        if self.held > REMEMBERED_MESSAGES_BYTES {
            let mut batches: Vec<u64> = self.delivered.iter().map(|it| it.batch).collect();
            batches.sort_unstable();
            batch = batches[batches.len() / 2];
        }
        let is_new = |at_ms: u64| now_ms.saturating_sub(at_ms) < REMEMBERED_MESSAGES_MS;
        self.delivered.retain(|it| it.batch > batch && is_new(it.at_ms));
        self.held = self.delivered.iter().map(Delivered::bytes).sum();
    }
}

impl Delivery {
    /// How many sessions the batch is about.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    fn of(
        &mut self,
        target: Target,
        settings: &RelaySettings,
        destination: &Rc<Destination>,
    ) -> &mut SessionDelivery {
        let id = target.id();
        let known = self.sessions.iter().position(|session| session.outbox.session_id == id);
        let place = known.unwrap_or_else(|| {
            let (destination, settings) = (destination.clone(), settings.tracer.clone());
            let mut outbox = Outbox::new(destination, settings, 0, id);
            outbox.is_event = true;
            let session =
                SessionDelivery { outbox, said: Vec::new(), flight: None, is_over: false };
            self.sessions.push(session);
            self.sessions.len() - 1
        });
        let session = &mut self.sessions[place];
        session.outbox.is_event &= target.is_event();
        session
    }

    fn settle(&mut self, parts: Parts, fate: &Fate) {
        for part in parts {
            if let Some(settled) = self.fates.get_mut(part.id as usize) {
                *settled = fate.clone();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enrichment(bytes: usize) -> Enrichment {
        let json = ["{\"metadata\":{\"a\":\"", &"x".repeat(bytes), "\"}}"].concat();
        Enrichment::parse(json).unwrap().0
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_latest_stays() {
        let mut consumer = Consumer::default();
        for number in 0..20_000_u64 {
            consumer.batches = number + 1;
            let id = SessionId::new(&(number % 15_000).to_string()).unwrap();
            consumer.remember(id, vec![(number, enrichment(500))], number);
            consumer.forget(number);
            assert!(consumer.held <= REMEMBERED_MESSAGES_BYTES);
        }
        assert!(consumer.delivered.len() > 1_000);
        assert!(consumer.place_of(SessionId::new("4999").unwrap()).is_ok());
        assert!(consumer.delivered.is_sorted_by(|a, b| a.session < b.session));
        let held: usize = consumer.delivered.iter().map(Delivered::bytes).sum();
        assert_eq!(held, consumer.held);
        consumer.forget(20_000 + REMEMBERED_MESSAGES_MS);
        assert_eq!((consumer.delivered.len(), consumer.held), (0, 0));
    }
}
