//! Reports outcomes: every enrichment ends once, as delivered or dropped. Flushes and closes wait for that.

use std::rc::Rc;

use super::Registry;
use crate::core::json::Object;
use crate::core::ledger::{Counts, Ledger};
use crate::core::number_set::NumberSet;
use crate::core::outbox::{PartKind, Parts};
use crate::core::outcome::{Outcome, Output, Reason};
use crate::core::session::Target;
use crate::core::time::Now;
use crate::core::timers::Timer;

/// A flush or close that waits for all enrichments made before it.
#[derive(Debug)]
pub(super) struct Wait {
    scope: u64,
    /// When it ends at the latest, on the forward clock.
    until: u64,
    tracer: Option<u64>,
    closes: bool,
}

impl Registry {
    /// Reports that the backend has stored `parts`, which are all for `target`.
    pub(super) fn deliver(&mut self, parts: Parts, target: Target, now: Now) {
        let outcome = Outcome::Delivered { target };
        self.settle(parts, outcome, now);
    }

    /// Reports that `parts`, which are all for `target`, were given up.
    pub(super) fn give_up(
        &mut self,
        parts: Parts,
        target: Option<Target>,
        reason: Reason,
        message: &str,
        now: Now,
    ) {
        for part in parts.iter().filter(|part| part.kind() == PartKind::Enrichment) {
            let what = format!("an enrichment was dropped ({})", reason.code());
            self.log_because(part.tracer(), reason.level(), &what, message);
            if self.tracers.get(part.tracer()).is_some_and(|tracer| tracer.settings.on_drop) {
                let mut json = String::new();
                let mut object = Object::open(&mut json);
                if let Some(target) = target {
                    target.write(&mut object);
                }
                object.text("reason", reason.code());
                object.text("message", message);
                object.json("enrichment", &part.enrichment().to_json());
                object.close();
                self.reports.add(Output::Dropped { tracer: part.tracer(), json });
            }
        }
        let outcome = Outcome::Dropped { target, reason, message: message.to_owned() };
        self.settle(parts, outcome, now);
    }

    fn settle(&mut self, parts: Parts, outcome: Outcome, now: Now) {
        let delivered = matches!(outcome, Outcome::Delivered { .. });
        let outcome = Rc::new(outcome);
        self.forget(&parts);
        // Most parts belong to one scope and one tracer.
        let mut settled = (0, Vec::new());
        let mut tracers = NumberSet::NONE;
        for part in &parts {
            if part.kind() == PartKind::WaitingStart {
                continue;
            }
            self.scopes.end_call(part.scope());
            tracers.add(part.tracer());
            let end = |ledger: &mut Ledger| match part.kind() {
                PartKind::Start => ledger.end_start(part.id()),
                _ => ledger.end_enrichment(part.id(), delivered),
            };
            if let Some(tracer) = self.tracers.get_mut(part.tracer()) {
                end(&mut tracer.ledger);
            }
            end(&mut self.ledger);
            if part.kind() == PartKind::Start {
                continue;
            }
            if settled.0 != part.scope() {
                self.report_settled(settled, &outcome);
                settled = (part.scope(), Vec::new());
            }
            settled.1.push(part.id());
        }
        self.report_settled(settled, &outcome);
        self.end_waits(None, now);
        for tracer in tracers.iter() {
            self.end_waits(Some(tracer), now);
            self.tell_if_idle(tracer);
            self.let_go_of_tracer(tracer, now);
        }
    }

    fn report_settled(&mut self, (scope, ids): (u64, Vec<u64>), outcome: &Rc<Outcome>) {
        if !ids.is_empty() {
            self.scopes.report(scope, Output::Settled { ids, outcome: outcome.clone() });
        }
    }

    /// Sends everything accepted so far without waiting for merge windows. The call ends when all of it has ended, or
    /// after `timeout_ms`. Tracer 0 stands for all tracers.
    pub fn flush(&mut self, tracer: u64, timeout_ms: u64, scope: u64, now: Now) -> u64 {
        let now = self.clock.advance(now);
        self.wait_for((tracer != 0).then_some(tracer), timeout_ms, false, scope, now)
    }

    /// Flushes like [`Registry::flush`]. Afterwards the tracer's remaining enrichments are dropped, and it is closed.
    pub fn close(&mut self, tracer: u64, timeout_ms: u64, scope: u64, now: Now) -> u64 {
        let now = self.clock.advance(now);
        if let Some(closing) = self.tracers.get_mut(tracer) {
            closing.close();
            self.open_tracers.remove(tracer, closing);
        }
        self.wait_for(Some(tracer), timeout_ms, true, scope, now)
    }

    fn wait_for(
        &mut self,
        tracer: Option<u64>,
        timeout_ms: u64,
        closes: bool,
        scope: u64,
        now: Now,
    ) -> u64 {
        let id = self.number();
        let until = now.mono_ms.saturating_add(timeout_ms);
        self.timers.set(until, Timer::Wait(id));
        self.waits.insert(id, Box::new(Wait { scope, until, tracer, closes }));
        self.enter(scope, now);
        self.scopes.begin_call(scope, until, Timer::Wait(id));
        self.scopes.begin_wait(scope);
        match tracer {
            None => {
                self.ledger.begin_wait(id);
                self.hurry_all(now);
            }
            Some(number) => match self.tracers.get_mut(number) {
                Some(tracer) => {
                    tracer.ledger.begin_wait(id);
                    self.hurry(number, now);
                }
                // There is nothing to wait for.
                None => self.finish_wait(id, now),
            },
        }
        self.end_waits(tracer, now);
        self.time_out_wait(id, now);
        id
    }

    /// Sends the tracer's enrichments without waiting for merge windows.
    fn hurry(&mut self, tracer: u64, now: Now) {
        let Some(given_to) = self.tracers.get(tracer).map(|it| it.given_to().clone()) else {
            return;
        };
        for id in given_to.iter() {
            if let Some(outbox) =
                self.outboxes.get_mut(id).filter(|it| it.unsent.holds_any_of(tracer))
            {
                outbox.hurry();
                self.schedule(id, now);
            } else if let Some(tracer) = self.tracers.get_mut(tracer) {
                tracer.take_from(id);
            }
        }
    }

    /// Sends all enrichments without waiting for merge windows.
    fn hurry_all(&mut self, now: Now) {
        for id in self.outboxes.take_unhurried().iter() {
            if let Some(outbox) =
                self.outboxes.get_mut(id).filter(|outbox| outbox.unsent.has_work())
            {
                outbox.hurry();
                self.schedule(id, now);
            }
        }
    }

    /// Ends the tracer's flushes and closes, and those of all tracers, that have nothing left to wait for.
    fn end_waits(&mut self, tracer: Option<u64>, now: Now) {
        loop {
            let over = self.ledger_of(tracer).and_then(Ledger::take_ended_wait);
            let Some(over) = over else { break };
            self.finish_wait(over, now);
        }
    }

    /// The ledger of the tracer, or that of all tracers.
    fn ledger_of(&mut self, tracer: Option<u64>) -> Option<&mut Ledger> {
        match tracer {
            None => Some(&mut self.ledger),
            Some(tracer) => self.tracers.get_mut(tracer).map(|tracer| &mut tracer.ledger),
        }
    }

    /// Ends the flush or close `id` if it still waits and its time has passed.
    pub(super) fn time_out_wait(&mut self, id: u64, now: Now) {
        let Some(wait) = self.waits.get(&id).filter(|wait| wait.until <= now.mono_ms) else {
            return;
        };
        let tracer = wait.tracer;
        if let Some(ledger) = self.ledger_of(tracer) {
            ledger.give_up_wait(id);
        }
        self.finish_wait(id, now);
    }

    fn finish_wait(&mut self, id: u64, now: Now) {
        let Some(wait) = self.waits.remove(&id) else { return };
        let mut counts = self.ledger.counts();
        if let Some(tracer) = wait.tracer {
            if wait.closes {
                self.drop_rest_of(tracer, now);
            }
            let tracer = self.tracers.get(tracer);
            counts = tracer.map_or(Counts::default(), |tracer| tracer.ledger.counts());
        }
        self.scopes.end_call(wait.scope);
        self.scopes.end_wait(wait.scope);
        self.report_settled((wait.scope, vec![id]), &Rc::new(Outcome::Flushed(counts)));
        if let Some(tracer) = wait.tracer.filter(|_| wait.closes) {
            self.finish_close(tracer, now);
        }
    }

    /// The next tracer that had no work and got some. The shell asks at the end of each call, so that it keeps the
    /// options of that tracer until [`Output::Idle`] says that the work is done.
    pub fn next_busy(&mut self) -> Option<u64> {
        self.reports.next_busy()
    }

    /// Records that the tracer has work.
    pub(super) fn mark_busy(&mut self, id: u64) {
        if let Some(tracer) = self.tracers.get_mut(id)
            && tracer.begin_work()
        {
            self.reports.add_busy(id);
        }
    }

    /// Records that the tracer may have no more work. The shell is told later, if that is still true then.
    pub(super) fn tell_if_idle(&mut self, id: u64) {
        if let Some(tracer) = self.tracers.get_mut(id)
            && tracer.queue_idle()
        {
            self.reports.add_idle(id);
        }
    }

    /// Whether the tracer has no work at the moment when that is to be reported. A tracer that is gone has none.
    pub(super) fn becomes_idle(&mut self, id: u64) -> bool {
        let Some(tracer) = self.tracers.get_mut(id) else { return true };
        tracer.end_work()
    }

    /// Drops the enrichments that a closed tracer could not send in time.
    fn drop_rest_of(&mut self, tracer: u64, now: Now) {
        let Some(closed) = self.tracers.get_mut(tracer) else { return };
        let (given_to, own) = (closed.take_given_to(), closed.outbox());
        let why = "the tracer was closed before it could be sent: give close() more time";
        self.drop_additions_of(tracer, own, why, now);
        for id in given_to.iter() {
            let Some(outbox) = self.outboxes.get_mut(id) else { continue };
            let taken = outbox.take_all_of(tracer);
            if taken.is_empty() {
                continue;
            }
            let target = Some(outbox.target());
            self.schedule(id, now);
            self.give_up(taken, target, Reason::Closed, why, now);
        }
    }
}
