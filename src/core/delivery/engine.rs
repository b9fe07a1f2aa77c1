//! Delivers units that share requests: queue, freeze, send, judge, retry, halve, settle.
//!
//! Each request scope has a lane of its own, because nothing of one request may be continued in another. The units
//! of a lane are frozen into batches. A batch is one request and keeps its content through every retry. [`Health`]
//! decides how many requests are in flight at once, and when a failing server is only probed.

use std::collections::BTreeMap;

use super::batch::{FrozenBatch, QueuedUnit};
use super::halving::Halving;
use super::health::{Health, HealthChange, SentRequest};
use super::lane::Lane;
use super::limits::{Limits, RetryWait, request_timeout_ms};
use super::unit::{Loss, Unit};
use crate::core::concurrency::Place;
use crate::core::outcome::Reason;
use crate::core::policy::{
    LEASE_GRACE_MS, LOOK_ACROSS_MAX_MS, LOOK_ACROSS_MS, MAX_REQUEST_BYTES, REQUEST_OVERHEAD_BYTES,
};
use crate::core::retry::backoff_ms;
use crate::core::time::{NEVER, Now};
use crate::core::wire::{Answer, RefusalReason, Verdict};

/// How long the shell may stay silent, in milliseconds after it was expected, before a lane's request counts as torn
/// down by the runtime, timers included.
const TORN_DOWN_AFTER_MS: u64 = 30_000;

/// What the shell has to do next in a scope.
#[derive(Clone, Debug, PartialEq)]
pub enum DeliveryStep {
    /// Send a request with the units of [`Engine::units`], and report its answer to [`Engine::finish_request`].
    Send {
        /// The number of the request.
        flight: u64,
        /// Milliseconds after which to abort the request.
        timeout_ms: u64,
        /// The batch's timestamp in nanoseconds, unique to the batch and equal in all of its tries.
        stamp_ns: u64,
    },
    /// Report that all units of a call have ended.
    Ended {
        /// The number of the call.
        call: u64,
        /// Why units were given up: the first loss, if there was any.
        loss: Option<Loss>,
    },
    /// Ask again after this many milliseconds, or earlier after an answer or a call. `None` waits for those alone.
    Wait(Option<u64>),
    /// The scope has nothing left to do.
    Rest,
}

/// The receipt for a call's units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The number under which the end of the call is reported.
    pub call: u64,
    /// Whether the shell has to call [`Engine::next`] for the scope now, which is earlier than it planned.
    pub needs_poll: bool,
}

#[derive(Debug)]
struct Call {
    /// How many of its units have not ended.
    unfinished: usize,
    loss: Option<Loss>,
}

/// A request in flight.
#[derive(Debug)]
struct BatchInFlight<U> {
    scope: u64,
    sent: SentRequest,
    batch: FrozenBatch<U>,
    /// When the shell has to have reported the answer, on the forward clock.
    lease_until: u64,
    /// Whether a lease has passed already.
    is_overdue: bool,
}

/// The bytes of all units that have not ended. Data that units share counts once.
#[derive(Debug, Default)]
struct HeldBytes {
    bytes: u64,
    /// How many units use each piece of shared data, by its number.
    common: BTreeMap<u64, usize>,
}

impl HeldBytes {
    /// The bytes that `unit` would add.
    fn added_bytes(&self, unit: &impl Unit) -> u64 {
        let new = unit.common().filter(|(number, _)| !self.common.contains_key(number));
        (unit.bytes() + new.map(|(_, bytes)| bytes).sum::<usize>()) as u64
    }

    fn add(&mut self, unit: &impl Unit) {
        self.bytes += self.added_bytes(unit);
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

/// Delivers units to one server.
#[derive(Debug)]
pub struct Engine<U> {
    limits: Limits,
    random: fastrand::Rng,
    health: Health,
    lanes: BTreeMap<u64, Lane<U>>,
    flights: BTreeMap<u64, BatchInFlight<U>>,
    last_flight: u64,
    calls: BTreeMap<u64, Call>,
    last_call: u64,
    held: HeldBytes,
    /// The timestamp of the last new batch, nanoseconds since the Unix epoch.
    last_stamp_ns: u64,
    /// How many units in a row were refused in a request of their own, with nothing stored in between.
    refused_singles: u32,
    /// Losses since the last [`Engine::take_losses`].
    losses: Vec<Loss>,
}

impl<U: Unit> Engine<U> {
    /// An engine with nothing to deliver. `seed` determines its random waits.
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
            calls: BTreeMap::new(),
            last_call: 0,
            held: HeldBytes::default(),
            last_stamp_ns: 0,
            refused_singles: 0,
            losses: Vec::new(),
        }
    }

    /// Whether every call has ended and was reported.
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty() && self.lanes.is_empty()
    }

    /// The bytes of all units that have not ended.
    pub fn held_bytes(&self) -> u64 {
        self.held.bytes
    }

    /// The losses since the last call of this function.
    pub fn take_losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.losses)
    }

    /// Queues the units of a call made in `scope`. Units for which there is no room are given up one by one. `lost` says
    /// why further units of the call were lost before, one by one.
    #[inline(never)]
    pub fn accept(&mut self, units: Vec<U>, lost: Vec<Loss>, scope: u64, now: Now) -> Accepted {
        let call = self.begin_call(units.len() + lost.len(), scope, now);
        for loss in lost {
            self.reject_units(scope, 1, call, loss);
        }
        let Limits { deadline_ms, max_queue_bytes, .. } = self.limits;
        // An empty queue takes at least as much as one request holds.
        let one_request = MAX_REQUEST_BYTES as u64;
        let waited = self.held.bytes > 0;
        let limit = if waited { max_queue_bytes } else { max_queue_bytes.max(one_request) };
        let (mut too_large, mut no_room) = (0, 0);
        for unit in units {
            let bytes = unit.bytes() + unit.common().map(|(_, bytes)| bytes).sum::<usize>();
            if bytes > MAX_REQUEST_BYTES - REQUEST_OVERHEAD_BYTES {
                too_large += 1;
            } else if self.held.bytes + self.held.added_bytes(&unit) > limit {
                no_room += 1;
            } else if let Some(lane) = self.lanes.get_mut(&scope) {
                self.held.add(&unit);
                lane.push(call, unit, deadline_ms, !self.health.why().is_empty(), now);
            }
        }
        if no_room > 0 {
            let why = match self.health.why() {
                "" if !waited => "this one call is more than that".to_owned(),
                "" => "the backend is too slow".to_owned(),
                why => format!("the backend fails ({why})"),
            };
            let message = format!("the queue is full (maxQueueBytes, {max_queue_bytes}): {why}");
            self.reject_units(scope, no_room, call, Loss { reason: Reason::QueueFull, message });
        }
        if too_large > 0 {
            let message = format!(
                "one alone is more than the backend takes in a request ({MAX_REQUEST_BYTES} bytes)"
            );
            self.reject_units(scope, too_large, call, Loss { reason: Reason::TooLarge, message });
        }
        Accepted { call, needs_poll: self.needs_poll(scope, now) }
    }

    /// Lets the units that wait in `scope` skip the merge window. Returns whether the shell has to call
    /// [`Engine::next`] for the scope now.
    pub fn hurry(&mut self, scope: u64, now: Now) -> bool {
        if let Some(lane) = self.lanes.get_mut(&scope) {
            lane.hurry();
        }
        self.needs_poll(scope, now)
    }

    fn begin_call(&mut self, units: usize, scope: u64, now: Now) -> u64 {
        self.lanes.entry(scope).or_insert_with(|| Lane::new(now));
        self.give_up_torn_down_lanes(scope, now);
        self.last_call += 1;
        self.calls.insert(self.last_call, Call { unfinished: units, loss: None });
        if units == 0 {
            self.finish_units(scope, self.last_call, 0, None);
        }
        self.last_call
    }

    #[inline(never)]
    fn needs_poll(&self, scope: u64, now: Now) -> bool {
        let Some(lane) = self.lanes.get(&scope) else { return false };
        lane.needs_poll(self.health.has_room(lane.in_flight(), now), &self.limits, now)
    }

    /// Whether `scope` has units that have not ended, or calls whose end was not reported.
    pub fn has_work(&self, scope: u64) -> bool {
        self.lanes.contains_key(&scope)
    }

    /// What to do next in `scope`.
    #[inline(never)]
    pub fn next(&mut self, scope: u64, now: Now) -> DeliveryStep {
        let Some(lane) = self.lanes.get_mut(&scope) else { return DeliveryStep::Rest };
        if let Some((call, loss)) = lane.take_finished_call() {
            return DeliveryStep::Ended { call, loss };
        }
        self.expire_leases(now);
        let Some(lane) = self.lanes.get_mut(&scope) else { return DeliveryStep::Rest };
        lane.server_worked(self.health.worked_at(), &self.limits, now);
        let next_event_at = lane.next_event_at(&mut self.health, &self.limits, now);
        let why = self.health.why();
        // If the program was too busy to send before the deadline, its units still get one try.
        let was_busy =
            now.mono_ms.saturating_sub(lane.polls_at()) > LEASE_GRACE_MS || why.is_empty();
        let has_room = self.health.has_room(lane.in_flight(), now);
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
            if lane.in_flight() > 0 {
                lane.poll_at(NEVER);
                return DeliveryStep::Wait(None);
            }
            self.lanes.remove(&scope);
            return DeliveryStep::Rest;
        }
        let lanes = self.lanes.len() as u64;
        let Some(lane) = self.lanes.get_mut(&scope) else { return DeliveryStep::Rest };
        let mut at = next_event_at;
        if lane.has_ready(&self.limits, now) {
            at = at.min(self.health.resumes_at().filter(|at| *at > now.mono_ms).unwrap_or(NEVER));
            if lane.in_flight() == 0 {
                // The lane waits for another scope's request, and no promise can cross requests: poll.
                let soon = (LOOK_ACROSS_MS * lanes).min(LOOK_ACROSS_MAX_MS);
                at = at.min(now.mono_ms.saturating_add(soon));
            }
        }
        lane.poll_at(at);
        DeliveryStep::Wait((at < NEVER).then(|| at.saturating_sub(now.mono_ms).max(1)))
    }

    #[inline(never)]
    fn send(&mut self, scope: u64, mut batch: FrozenBatch<U>, now: Now) -> DeliveryStep {
        let Limits { timeout_ms: granted_ms, .. } = self.limits;
        let timeout_ms = request_timeout_ms(granted_ms, batch.left_ms(now));
        let sent = self.health.send_request(timeout_ms, granted_ms, now);
        batch.begin_try(now);
        let lease_until = now.mono_ms.saturating_add(timeout_ms).saturating_add(LEASE_GRACE_MS);
        if let Some(lane) = self.lanes.get_mut(&scope) {
            lane.begin_request(lease_until);
        }
        self.last_flight += 1;
        let stamp_ns = batch.stamp_ns();
        let flight = BatchInFlight { scope, sent, batch, lease_until, is_overdue: false };
        self.flights.insert(self.last_flight, flight);
        DeliveryStep::Send { flight: self.last_flight, timeout_ms, stamp_ns }
    }

    /// The units of a request in flight.
    pub fn units(&self, flight: u64) -> impl Iterator<Item = &U> {
        let flight = self.flights.get(&flight);
        flight.into_iter().flat_map(|flight| flight.batch.units())
    }

    /// Records the answer to a request. `verdict` is what `answer` means, `describe` puts a refusal into words. The
    /// answer to a request that already counts as lost is ignored.
    #[inline(never)]
    pub fn finish_request(
        &mut self,
        flight: u64,
        answer: &Answer,
        mut verdict: Verdict,
        describe: impl FnOnce(&RefusalReason) -> String,
        now: Now,
    ) {
        let Some(BatchInFlight { scope, sent, mut batch, .. }) = self.take_flight(flight) else {
            return;
        };
        let Limits { deadline_ms, timeout_ms, .. } = self.limits;
        let random = &mut self.random;
        let change =
            self.health.finish_request(&sent, answer, &mut verdict, deadline_ms, now, random);
        if change == HealthChange::WorksAgain {
            self.lanes.values_mut().for_each(Lane::retry_now);
        }
        if !matches!(verdict, Verdict::Retry { .. }) {
            batch.record_success(deadline_ms, now);
        }
        match verdict {
            Verdict::Stored { .. } => {
                self.health.note_stored();
                self.refused_singles = 0;
                for entry in batch.into_entries() {
                    self.held.remove(entry.unit());
                    self.finish_units(scope, entry.call(), 1, None);
                }
            }
            Verdict::Retry { why, after_ms } => {
                self.health.note_failure(&why);
                let failures = batch.count_failure();
                let late = batch.take_late(now);
                let left_ms = batch.left_ms(now);
                // `Health` keeps every request back for as long as the server asked, except for a batch's last
                // try. If this was the last try, the batch itself has to keep the wait.
                let was_last = left_ms <= timeout_ms.min(deadline_ms / 2);
                let asked_ms = after_ms.filter(|_| was_last);
                let drawn_ms = backoff_ms(failures, &mut self.random);
                let wait_ms = RetryWait {
                    wait_ms: asked_ms.unwrap_or(0).max(drawn_ms),
                    is_asked: asked_ms.is_some(),
                    left_ms,
                    last_left_ms: batch.last_left_ms(now),
                    timeout_ms,
                }
                .milliseconds();
                batch.retry_after(wait_ms, now);
                self.put_back(scope, batch);
                let message = exhausted(&why);
                self.give_up(scope, late, Loss { reason: Reason::RetriesExhausted, message });
            }
            Verdict::Refused(refusal)
            | Verdict::NoSession(refusal)
            | Verdict::Ticket { refusal, .. } => {
                if refusal.may_be_one_of_many() {
                    let (len, original_len) = (batch.len(), batch.original_len());
                    let refused_singles = self.refused_singles;
                    let refuses_all = self.health.refuses_all();
                    let halving = Halving { len, original_len, refused_singles, refuses_all };
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
                self.give_up(
                    scope,
                    batch.into_entries(),
                    Loss { reason: Reason::Rejected, message },
                );
            }
            Verdict::TryRoutes(_) => {
                let message = describe(&RefusalReason::NoHoneyHive { why: "no route".into() });
                self.give_up(
                    scope,
                    batch.into_entries(),
                    Loss { reason: Reason::Rejected, message },
                );
            }
        }
    }

    /// Gives up everything that waits in `scope`, because the runtime allows the shell no timer there.
    pub fn no_timer(&mut self, scope: u64) {
        let Some(lane) = self.lanes.get_mut(&scope) else { return };
        let entries = lane.take_all();
        let message = "the runtime allows no timer here".to_owned();
        self.give_up(scope, entries, Loss { reason: Reason::RetriesExhausted, message });
    }

    fn take_flight(&mut self, flight: u64) -> Option<BatchInFlight<U>> {
        let flight = self.flights.remove(&flight)?;
        if let Some(lane) = self.lanes.get_mut(&flight.scope) {
            lane.end_request();
        }
        Some(flight)
    }

    /// Returns a batch to its lane for its next try. An empty batch is dropped.
    fn put_back(&mut self, scope: u64, batch: FrozenBatch<U>) {
        if !batch.is_empty()
            && let Some(lane) = self.lanes.get_mut(&scope)
        {
            lane.put_back(batch);
        }
    }

    /// Retries requests whose answer the shell never reported, because the runtime has torn down the request that sent
    /// them. Only the second missed lease counts: after the first the whole program may have stood still, and the
    /// answer be about to arrive.
    #[inline(never)]
    fn expire_leases(&mut self, now: Now) {
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
            let Some(BatchInFlight { scope, mut batch, .. }) = self.take_flight(number) else {
                continue;
            };
            self.health.lose_request();
            batch.count_failure();
            batch.retry_after(0, now);
            self.put_back(scope, batch);
        }
    }

    /// Gives up the lanes of requests that the runtime has torn down: the shell has stopped asking for them. The end
    /// of their calls is reported in `scope`, which is alive.
    #[inline(never)]
    fn give_up_torn_down_lanes(&mut self, scope: u64, now: Now) {
        let is_gone = |(&other, lane): (&u64, &Lane<U>)| {
            let gone_at = lane.expected_by().saturating_add(TORN_DOWN_AFTER_MS);
            (other != 0 && other != scope && gone_at < now.mono_ms).then_some(other)
        };
        let gone: Vec<u64> = self.lanes.iter().filter_map(is_gone).collect();
        for other in gone {
            let Some(mut lane) = self.lanes.remove(&other) else { continue };
            let mut entries = lane.take_all();
            let flights = self.flights.extract_if(.., |_, flight| flight.scope == other);
            for (_, flight) in flights {
                self.health.lose_request();
                entries.extend(flight.batch.into_entries());
            }
            if let Some(alive) = self.lanes.get_mut(&scope) {
                alive.report_calls_of(&mut lane);
            }
            let message = "the runtime ended the request they came from".to_owned();
            self.give_up(scope, entries, Loss { reason: Reason::RetriesExhausted, message });
        }
    }

    #[inline(never)]
    fn give_up(&mut self, scope: u64, entries: Vec<QueuedUnit<U>>, loss: Loss) {
        if entries.is_empty() {
            return;
        }
        self.losses.push(loss.clone());
        for entry in entries {
            self.held.remove(entry.unit());
            self.finish_units(scope, entry.call(), 1, Some(&loss));
        }
    }

    /// Records that `units` units of a call were not accepted.
    fn reject_units(&mut self, scope: u64, units: usize, call: u64, loss: Loss) {
        self.finish_units(scope, call, units, Some(&loss));
        self.losses.push(loss);
    }

    /// Records the end of `units` units of a call. When the last one ends, the end of the call is reported in `scope`.
    fn finish_units(&mut self, scope: u64, call: u64, units: usize, loss: Option<&Loss>) {
        let Some(state) = self.calls.get_mut(&call) else { return };
        state.unfinished -= units;
        if state.loss.is_none() {
            state.loss = loss.cloned();
        }
        if state.unfinished == 0
            && let Some(Call { loss, .. }) = self.calls.remove(&call)
            && let Some(lane) = self.lanes.get_mut(&scope)
        {
            lane.finish_call(call, loss);
        }
    }
}

fn exhausted(why: &str) -> String {
    format!("it kept failing until deadlineMs was over: {why}")
}
