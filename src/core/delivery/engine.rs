//! Delivery of units that go out together as they come: queue, freeze, send, judge, retry, halve, settle.
//!
//! Units wait in a lane for each request scope, as nothing of one request may be continued in another. What
//! waits in a lane is frozen into batches; a batch is one request, and stays as it is through every retry. How
//! many are on their way at once, and when a server is only probed, says its [`Health`].

use std::collections::{BTreeMap, HashMap};

use super::halving::Halving;
use super::health::{Change, Health, SentRequest};
use super::lane::{Batch, Entry, Lane};
use super::limits::{Limits, RetryWait, request_timeout_ms};
use super::unit::{Loss, Unit};
use crate::core::concurrency::Place;
use crate::core::outcome::Reason;
use crate::core::policy::{
    LEASE_GRACE_MS, LOOK_ACROSS_MAX_MS, LOOK_ACROSS_MS, MAX_REQUEST_BYTES, REQUEST_OVERHEAD_BYTES,
};
use crate::core::retry::backoff_ms;
use crate::core::time::{NEVER, Now};
use crate::core::wire::{Answer, Refusal, Verdict};

/// Milliseconds past the time at which the shell should have asked again after which a lane's request counts
/// as torn down by the runtime, timers and all.
const GONE_AFTER_MS: u64 = 30_000;

/// What the shell is to do next in a scope.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Send a request with the units of [`Engine::units`], and report what comes of it with [`Engine::answered`].
    Send {
        /// By which it is known.
        flight: u64,
        /// When to abort it.
        timeout_ms: u64,
        /// The same in each try, and other in each batch.
        stamp_ns: u64,
    },
    /// Tell that all units of a call have ended, and why one was given up, if one was.
    Ended {
        /// The number it was given.
        call: u64,
        /// Of the first that was.
        loss: Option<Loss>,
    },
    /// Ask again after so many milliseconds; or after an answer or a call.
    Wait(Option<u64>),
    /// Nothing is left.
    Rest,
}

/// What was accepted of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The number by which its end is told.
    pub call: u64,
    /// Whether the shell has to ask [`Engine::next`] for its scope, earlier than it would.
    pub is_to_look: bool,
}

#[derive(Debug)]
struct Call {
    /// Units that have not ended.
    left: usize,
    loss: Option<Loss>,
}

/// A request on its way.
#[derive(Debug)]
struct Flight<U> {
    scope: u64,
    sent: SentRequest,
    batch: Batch<U>,
    /// Until when its end is to be told.
    lease_until: u64,
    /// Whether that has passed once.
    is_overdue: bool,
}

/// Bytes of what has not ended. What units have in common counts once.
#[derive(Debug, Default)]
struct Held {
    bytes: u64,
    /// How many units have it, by number.
    common: HashMap<u64, usize>,
}

impl Held {
    /// Bytes that holding `unit` would take beside what is held.
    fn bytes_more(&self, unit: &impl Unit) -> u64 {
        let new = unit.common().filter(|(number, _)| !self.common.contains_key(number));
        (unit.bytes() + new.map(|(_, bytes)| bytes).sum::<usize>()) as u64
    }

    fn add(&mut self, unit: &impl Unit) {
        self.bytes += self.bytes_more(unit);
        for (number, _) in unit.common() {
            *self.common.entry(number).or_default() += 1;
        }
    }

    fn remove(&mut self, unit: &impl Unit) {
        self.bytes -= unit.bytes() as u64;
        for (number, bytes) in unit.common() {
            let Some(units) = self.common.get_mut(&number) else { continue };
            *units -= 1;
            if *units == 0 {
                self.common.remove(&number);
                self.bytes -= bytes as u64;
            }
        }
    }
}

/// The delivery of units to one server.
#[derive(Debug)]
pub struct Engine<U> {
    limits: Limits,
    random: fastrand::Rng,
    health: Health,
    lanes: BTreeMap<u64, Lane<U>>,
    flights: BTreeMap<u64, Flight<U>>,
    last_flight: u64,
    calls: HashMap<u64, Call>,
    last_call: u64,
    held: Held,
    /// The timestamp of the last new batch, nanoseconds since the Unix epoch.
    last_stamp_ns: u64,
    /// Units refused in a row, each alone, nothing being stored in between.
    refused_singles: u32,
    /// What was given up since it was last asked.
    losses: Vec<Loss>,
}

impl<U: Unit> Engine<U> {
    /// An engine with nothing to deliver, whose waits are drawn from `seed`.
    pub fn new(limits: Limits, place: Place, seed: u64) -> Engine<U> {
        let mut health = Health::new(place);
        health.allow(limits.max_concurrency);
        Engine {
            limits,
            random: fastrand::Rng::with_seed(seed),
            health,
            lanes: BTreeMap::new(),
            flights: BTreeMap::new(),
            last_flight: 0,
            calls: HashMap::new(),
            last_call: 0,
            held: Held::default(),
            last_stamp_ns: 0,
            refused_singles: 0,
            losses: Vec::new(),
        }
    }

    /// Whether all it was given has ended, and was told.
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty() && self.lanes.is_empty()
    }

    /// Bytes of what has not ended.
    pub fn held_bytes(&self) -> u64 {
        self.held.bytes
    }

    /// Why units were given up since this was last asked.
    pub fn take_losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.losses)
    }

    /// Takes the units of a call made in `scope`, one by one: those for which there is no room are given up.
    pub fn accept(&mut self, units: Vec<U>, scope: u64, now: Now) -> Accepted {
        let call = self.begin_call(units.len(), scope, now);
        let Limits { deadline_ms, max_queue_bytes, .. } = self.limits;
        // What one request holds has room wherever nothing waits.
        let one_request = MAX_REQUEST_BYTES as u64;
        let waited = self.held.bytes > 0;
        let limit = if waited { max_queue_bytes } else { max_queue_bytes.max(one_request) };
        let (mut too_large, mut no_room) = (0, 0);
        for unit in units {
            let bytes = unit.bytes() + unit.common().map(|(_, bytes)| bytes).sum::<usize>();
            if bytes > MAX_REQUEST_BYTES - REQUEST_OVERHEAD_BYTES {
                too_large += 1;
            } else if self.held.bytes + self.held.bytes_more(&unit) > limit {
                no_room += 1;
            } else if let Some(lane) = self.lanes.get_mut(&scope) {
                self.held.add(&unit);
                lane.push(call, unit, deadline_ms, !self.health.why().is_empty(), now);
            }
        }
        if no_room > 0 {
            let why = match self.health.why() {
                "" if !waited => "this one call is more than that".to_owned(),
                "" => "the backend is not keeping up".to_owned(),
                why => format!("the backend does not take them ({why})"),
            };
            let message =
                format!("more than maxQueueBytes ({max_queue_bytes}) would wait to be sent: {why}");
            self.lose(scope, no_room, call, Loss { reason: Reason::QueueFull, message });
        }
        if too_large > 0 {
            let message = format!(
                "one alone is more than the backend takes in a request ({MAX_REQUEST_BYTES} bytes)"
            );
            self.lose(scope, too_large, call, Loss { reason: Reason::TooLarge, message });
        }
        Accepted { call, is_to_look: self.is_to_look(scope, now) }
    }

    /// A call of so many units made in `scope`, of which none is taken.
    pub fn refuse(&mut self, units: usize, loss: Loss, scope: u64, now: Now) -> Accepted {
        let call = self.begin_call(units, scope, now);
        if units > 0 {
            self.lose(scope, units, call, loss);
        }
        Accepted { call, is_to_look: self.is_to_look(scope, now) }
    }

    /// What waits in `scope` is sent without waiting for the merge window. Says whether the shell has to ask
    /// [`Engine::next`] for it.
    pub fn hurry(&mut self, scope: u64, now: Now) -> bool {
        if let Some(lane) = self.lanes.get_mut(&scope) {
            lane.hurry();
        }
        self.is_to_look(scope, now)
    }

    fn begin_call(&mut self, units: usize, scope: u64, now: Now) -> u64 {
        self.lanes.entry(scope).or_insert_with(|| Lane::new(now));
        self.give_up_torn_down(scope, now);
        self.last_call += 1;
        self.calls.insert(self.last_call, Call { left: units, loss: None });
        if units == 0 {
            self.end(scope, self.last_call, 0, None);
        }
        self.last_call
    }

    fn is_to_look(&self, scope: u64, now: Now) -> bool {
        let Some(lane) = self.lanes.get(&scope) else { return false };
        let has_room = self.health.has_room(lane.in_flight, now);
        !lane.ended.is_empty() || lane.next_look(has_room, &self.limits, now) < lane.looks_at
    }

    /// Whether anything of `scope` has not ended, or its end was not told.
    pub fn has_work(&self, scope: u64) -> bool {
        self.lanes.contains_key(&scope)
    }

    /// What to do next in `scope`.
    pub fn next(&mut self, scope: u64, now: Now) -> Step {
        let Some(lane) = self.lanes.get_mut(&scope) else { return Step::Rest };
        if let Some((call, loss)) = lane.ended.pop_front() {
            return Step::Ended { call, loss };
        }
        self.end_leases(now);
        let Some(lane) = self.lanes.get_mut(&scope) else { return Step::Rest };
        lane.server_worked(self.health.worked_at(), &self.limits, now);
        let retry_look = lane.look_again_at(&mut self.health, &self.limits, now);
        let why = self.health.why();
        // A program that was busy past the deadline has its try.
        let was_busy = now.mono_ms.saturating_sub(lane.looks_at) > LEASE_GRACE_MS || why.is_empty();
        let has_room = self.health.has_room(lane.in_flight, now);
        if !(was_busy && has_room) {
            let late = lane.take_late(now);
            if !late.is_empty() {
                let why = if why.is_empty() { "it has not answered" } else { why };
                let message = exhausted(why);
                self.give_up(scope, late, Loss { reason: Reason::RetriesExhausted, message });
                return self.next(scope, now);
            }
        }
        if has_room && let Some(batch) = lane.take_ready(&self.limits, &mut self.last_stamp_ns, now)
        {
            return self.send(scope, batch, now);
        }
        if lane.is_empty() {
            if lane.in_flight > 0 {
                lane.looks_at = NEVER;
                return Step::Wait(None);
            }
            self.lanes.remove(&scope);
            return Step::Rest;
        }
        let lanes = self.lanes.len() as u64;
        let Some(lane) = self.lanes.get_mut(&scope) else { return Step::Rest };
        let mut at = retry_look;
        if lane.has_ready(&self.limits, now) {
            at = at.min(self.health.resumes_at().filter(|at| *at > now.mono_ms).unwrap_or(NEVER));
            if lane.in_flight == 0 {
                // What it waits for is another scope's, and nothing can tell of it across requests.
                let soon = (LOOK_ACROSS_MS * lanes).min(LOOK_ACROSS_MAX_MS);
                at = at.min(now.mono_ms.saturating_add(soon));
            }
        }
        lane.looks_at = at;
        Step::Wait((at < NEVER).then(|| at.saturating_sub(now.mono_ms).max(1)))
    }

    fn send(&mut self, scope: u64, mut batch: Batch<U>, now: Now) -> Step {
        let Limits { timeout_ms: granted_ms, .. } = self.limits;
        let timeout_ms = request_timeout_ms(granted_ms, batch.left_ms(now));
        let sent = self.health.send_request(timeout_ms, granted_ms, now);
        batch.clock.begin_try(now.mono_ms);
        let lease_until = now.mono_ms.saturating_add(timeout_ms).saturating_add(LEASE_GRACE_MS);
        if let Some(lane) = self.lanes.get_mut(&scope) {
            lane.in_flight += 1;
            lane.due_at = lane.due_at.max(lease_until);
        }
        self.last_flight += 1;
        let stamp_ns = batch.stamp_ns;
        let flight = Flight { scope, sent, batch, lease_until, is_overdue: false };
        self.flights.insert(self.last_flight, flight);
        Step::Send { flight: self.last_flight, timeout_ms, stamp_ns }
    }

    /// The units of a request that is on its way.
    pub fn units(&self, flight: u64) -> impl Iterator<Item = &U> {
        let flight = self.flights.get(&flight);
        flight.into_iter().flat_map(|flight| flight.batch.entries.iter().map(|entry| &entry.unit))
    }

    /// What came of a request: `verdict` says what `answer` means, and `describe` a refusal in words. An answer
    /// to a request that counts as lost already changes nothing.
    pub fn answered(
        &mut self,
        flight: u64,
        answer: &Answer,
        verdict: Verdict,
        describe: impl FnOnce(&Refusal) -> String,
        now: Now,
    ) {
        let Some(Flight { scope, sent, mut batch, .. }) = self.land(flight) else { return };
        let Limits { deadline_ms, timeout_ms, .. } = self.limits;
        let random = &mut self.random;
        let change = self.health.finish_request(&sent, answer, &verdict, deadline_ms, now, random);
        if change == Change::WorksAgain {
            self.lanes.values_mut().for_each(Lane::wait_no_longer);
        }
        if !matches!(verdict, Verdict::Retry { .. }) {
            batch.worked(deadline_ms, now);
        }
        match verdict {
            Verdict::Stored { .. } => {
                self.health.note_stored();
                self.refused_singles = 0;
                for entry in batch.entries {
                    self.held.remove(&entry.unit);
                    self.end(scope, entry.call, 1, None);
                }
            }
            Verdict::Retry { why, after_ms } => {
                self.health.note_failure(&why);
                batch.failures = batch.failures.saturating_add(1);
                let late = batch.take_late(now);
                let left_ms = batch.left_ms(now);
                // What the server asks for holds for all, and its health sees to it until the last try. That
                // was this one, where there is no time for another.
                let was_last = left_ms <= timeout_ms.min(deadline_ms / 2);
                let asked_ms = after_ms.filter(|_| was_last);
                let drawn_ms = backoff_ms(batch.failures, &mut self.random);
                let wait_ms = RetryWait {
                    wait_ms: asked_ms.unwrap_or(0).max(drawn_ms),
                    is_asked: asked_ms.is_some(),
                    left_ms,
                    last_left_ms: batch.last_left_ms(now),
                    timeout_ms,
                }
                .milliseconds();
                batch.retry_at = now.mono_ms.saturating_add(wait_ms);
                self.put_back(scope, batch);
                let message = exhausted(&why);
                self.give_up(scope, late, Loss { reason: Reason::RetriesExhausted, message });
            }
            Verdict::Refused(refusal) | Verdict::NoSession(refusal) => {
                if refusal.may_be_one_of_many() {
                    let Batch { whole_len, .. } = batch;
                    let (len, refused_singles) = (batch.entries.len(), self.refused_singles);
                    let refuses_all = self.health.refuses_all();
                    let halving = Halving { len, whole_len, refused_singles, refuses_all };
                    if let Some(half) = halving.first_half() {
                        let second = batch.split_off(half, &mut self.last_stamp_ns, now);
                        self.put_back(scope, second);
                        self.put_back(scope, batch);
                        return;
                    }
                    if len == 1 {
                        self.health.note_refused_single();
                        self.refused_singles += 1;
                    }
                }
                let message = describe(&refusal);
                self.give_up(scope, batch.entries, Loss { reason: Reason::Rejected, message });
            }
            Verdict::TryRoutes(_) => {
                let message = describe(&Refusal::NoHoneyHive { why: "no route".into() });
                self.give_up(scope, batch.entries, Loss { reason: Reason::Rejected, message });
            }
        }
    }

    /// The runtime allows the shell no timer in `scope`: what waits there for a time is given up.
    pub fn no_timer(&mut self, scope: u64) {
        let Some(lane) = self.lanes.get_mut(&scope) else { return };
        let entries = lane.take_all();
        let message = "the runtime allows no timer here".to_owned();
        self.give_up(scope, entries, Loss { reason: Reason::RetriesExhausted, message });
    }

    fn land(&mut self, flight: u64) -> Option<Flight<U>> {
        let flight = self.flights.remove(&flight)?;
        if let Some(lane) = self.lanes.get_mut(&flight.scope) {
            lane.in_flight -= 1;
        }
        Some(flight)
    }

    /// What is tried again goes before what was not tried yet. What nothing is left of is forgotten.
    fn put_back(&mut self, scope: u64, batch: Batch<U>) {
        if !batch.entries.is_empty()
            && let Some(lane) = self.lanes.get_mut(&scope)
        {
            lane.put_back(batch);
        }
    }

    /// Nobody told the end of a request: the runtime has torn down the one that sent it. Or the whole program
    /// stood still, and the answer is about to be told: so only the second time.
    fn end_leases(&mut self, now: Now) {
        let mut ended = Vec::new();
        for (number, flight) in &mut self.flights {
            if flight.lease_until > now.mono_ms {
                continue;
            }
            flight.lease_until = now.mono_ms.saturating_add(LEASE_GRACE_MS);
            if std::mem::replace(&mut flight.is_overdue, true) {
                ended.push(*number);
            }
        }
        for number in ended {
            let Some(flight) = self.land(number) else { continue };
            self.health.lose_request();
            let failures = flight.batch.failures.saturating_add(1);
            let batch = Batch { failures, retry_at: now.mono_ms, ..flight.batch };
            self.put_back(flight.scope, batch);
        }
    }

    /// Gives up the lanes of which the shell never spoke again; `scope`, which lives, is told.
    fn give_up_torn_down(&mut self, scope: u64, now: Now) {
        let is_gone = |(&other, lane): (&u64, &Lane<U>)| {
            let gone_at = lane.due_at.saturating_add(GONE_AFTER_MS);
            (other != 0 && other != scope && gone_at < now.mono_ms).then_some(other)
        };
        let gone: Vec<u64> = self.lanes.iter().filter_map(is_gone).collect();
        for other in gone {
            let Some(mut lane) = self.lanes.remove(&other) else { continue };
            let mut entries = lane.take_all();
            let flights = self.flights.extract_if(.., |_, flight| flight.scope == other);
            for (_, flight) in flights {
                self.health.lose_request();
                entries.extend(flight.batch.entries);
            }
            if let Some(alive) = self.lanes.get_mut(&scope) {
                alive.ended.append(&mut lane.ended);
            }
            let message = "the runtime ended the request they came from".to_owned();
            self.give_up(scope, entries, Loss { reason: Reason::RetriesExhausted, message });
        }
    }

    fn give_up(&mut self, scope: u64, entries: Vec<Entry<U>>, loss: Loss) {
        if entries.is_empty() {
            return;
        }
        self.losses.push(loss.clone());
        for entry in entries {
            self.held.remove(&entry.unit);
            self.end(scope, entry.call, 1, Some(&loss));
        }
    }

    /// So many units of a call were not taken.
    fn lose(&mut self, scope: u64, units: usize, call: u64, loss: Loss) {
        self.end(scope, call, units, Some(&loss));
        self.losses.push(loss);
    }

    /// So many units of a call have ended; with the last of them the call has, which is told in `scope`.
    fn end(&mut self, scope: u64, call: u64, units: usize, loss: Option<&Loss>) {
        let Some(known) = self.calls.get_mut(&call) else { return };
        known.left -= units;
        if known.loss.is_none() {
            known.loss = loss.cloned();
        }
        if known.left == 0
            && let Some(Call { loss, .. }) = self.calls.remove(&call)
            && let Some(lane) = self.lanes.get_mut(&scope)
        {
            lane.ended.push_back((call, loss));
        }
    }
}

fn exhausted(why: &str) -> String {
    format!("it kept failing until deadlineMs was over: {why}")
}
