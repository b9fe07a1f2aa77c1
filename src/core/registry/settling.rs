//! Ends: every enrichment is told to be delivered or dropped, once; flushes and closes wait for it.

use std::rc::Rc;

use super::Registry;
use crate::core::json::Object;
use crate::core::outbox::{Kind, Outbox, Parts};
use crate::core::outcome::{Outcome, Output, Reason};
use crate::core::session::SessionId;
use crate::core::slab::NOTHING;
use crate::core::text::fill;
use crate::core::time::Now;
use crate::core::timers::Timer;
use crate::core::tracer::{Counts, Tracer};

/// A flush or close that waits for all that was given before it.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) id: u64,
    pub(super) scope: u64,
    /// When it is over at the latest, on the forward clock.
    pub(super) until: u64,
    tracer: Option<u64>,
    /// What was given before it and has not ended.
    left: u64,
    closes: bool,
}

impl Registry {
    /// Tells those who wait for `parts`, all of one session, that the backend has them.
    pub(super) fn deliver(&mut self, parts: Parts, session_id: &SessionId, now: Now) {
        let outcome = Outcome::Delivered { session_id: session_id.clone() };
        self.settle(parts, outcome, now);
    }

    /// Tells those who wait for `parts`, all of one session, that they were given up.
    pub(super) fn give_up(
        &mut self,
        parts: Parts,
        session_id: Option<SessionId>,
        reason: Reason,
        message: &str,
        now: Now,
    ) {
        for part in parts.iter().filter(|part| part.kind == Kind::Enrichment) {
            let what = fill("an enrichment was dropped ({})", &[reason.code()]);
            self.log_because(part.tracer, reason.level(), &what, message);
            if self.tracers.get(part.tracer).is_some_and(|tracer| tracer.settings.on_drop) {
                let mut json = String::new();
                let mut object = Object::open(&mut json);
                if let Some(session_id) = &session_id {
                    object.text("sessionId", session_id.as_str());
                }
                object.text("reason", reason.code());
                object.text("message", message);
                object.json("enrichment", &part.enrichment.to_json());
                object.close();
                self.outputs.push(Output::Dropped { tracer: part.tracer, json });
            }
        }
        let outcome = Outcome::Dropped { session_id, reason, message: message.to_owned() };
        self.settle(parts, outcome, now);
    }

    fn settle(&mut self, parts: Parts, outcome: Outcome, now: Now) {
        let delivered = matches!(outcome, Outcome::Delivered { .. });
        let outcome = Rc::new(outcome);
        self.forget(&parts);
        // Of one scope mostly, and one tracer.
        let mut told = (0, Vec::new());
        let mut tracers: Vec<u64> = Vec::new();
        for part in &parts {
            if part.kind == Kind::WaitingStart {
                continue;
            }
            self.scopes.leave(part.scope);
            for wait in &mut self.waits {
                if part.id < wait.id && wait.tracer.is_none_or(|tracer| tracer == part.tracer) {
                    wait.left -= 1;
                }
            }
            if !tracers.contains(&part.tracer) {
                tracers.push(part.tracer);
            }
            let tracer = self.tracers.get_mut(part.tracer);
            if part.kind == Kind::Start {
                if let Some(tracer) = tracer {
                    tracer.starting -= 1;
                }
                self.starting -= 1;
                continue;
            }
            if let Some(tracer) = tracer {
                tracer.counts.settled(delivered);
            }
            self.counts.settled(delivered);
            if told.0 != part.scope {
                self.tell_settled(told, &outcome);
                told = (part.scope, Vec::new());
            }
            told.1.push(part.id);
        }
        self.tell_settled(told, &outcome);
        self.end_waits(now);
        for tracer in tracers {
            self.tell_if_idle(tracer);
            self.let_go_of_tracer(tracer, now);
        }
    }

    fn tell_settled(&mut self, (scope, ids): (u64, Vec<u64>), outcome: &Rc<Outcome>) {
        if !ids.is_empty() {
            self.scopes.tell(scope, Output::Settled { ids, outcome: outcome.clone() });
        }
    }

    /// Sends what was given so far without waiting for windows, and reports when all of it has
    /// ended, or after `timeout_ms`. Tracer 0 means all.
    pub fn flush(&mut self, tracer: u64, timeout_ms: u64, scope: u64, now: Now) -> u64 {
        self.wait_for((tracer != 0).then_some(tracer), timeout_ms, false, scope, now)
    }

    /// As [`Registry::flush`]; then what is left of the tracer is dropped, and it is let go.
    pub fn close(&mut self, tracer: u64, timeout_ms: u64, scope: u64, now: Now) -> u64 {
        if let Some(tracer) = self.tracers.get_mut(tracer) {
            tracer.is_closing = true;
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
        let left = match tracer {
            Some(tracer) => self.tracers.get(tracer).map_or(0, Tracer::unsettled),
            None => self.counts.pending + self.starting,
        };
        let until = now.mono_ms.saturating_add(timeout_ms);
        self.timers.set(until, Timer::Wait(id));
        self.waits.push(Wait { id, scope, until, tracer, left, closes });
        self.enter(scope, now);
        self.scopes.give(scope, NOTHING);
        self.for_each_busy(now, &mut Outbox::hurry);
        self.end_waits(now);
        id
    }

    /// Ends the flushes and closes for which nothing is left to wait, or no time.
    pub(super) fn end_waits(&mut self, now: Now) {
        let is_over = |wait: &Wait| wait.left == 0 || wait.until <= now.mono_ms;
        while let Some(place) = self.waits.iter().position(is_over) {
            let wait = self.waits.remove(place);
            let mut counts = self.counts;
            if let Some(tracer) = wait.tracer {
                if wait.closes {
                    self.drop_rest_of(tracer, now);
                }
                let tracer = self.tracers.get(tracer);
                counts = tracer.map_or(Counts::default(), |tracer| tracer.counts);
            }
            self.scopes.leave(wait.scope);
            self.tell_settled((wait.scope, vec![wait.id]), &Rc::new(Outcome::Flushed(counts)));
            if let Some(tracer) = wait.tracer.filter(|_| wait.closes) {
                self.finish_close(tracer, now);
            }
        }
    }

    /// The next tracer that got work and had none. The shell asks at the end of each call, so that whatever
    /// the tracer came with is there when its work is done; [`Output::Idle`] says when that is over.
    pub fn next_busy(&mut self) -> Option<u64> {
        self.newly_busy.pop()
    }

    /// The tracer has work.
    pub(super) fn mark_busy(&mut self, id: u64) {
        if let Some(tracer) = self.tracers.get_mut(id)
            && !std::mem::replace(&mut tracer.is_busy, true)
        {
            self.newly_busy.push(id);
        }
    }

    /// The tracer may have no work any more, which is told if it is still so when its turn comes.
    pub(super) fn tell_if_idle(&mut self, id: u64) {
        if let Some(tracer) = self.tracers.get_mut(id)
            && tracer.is_busy
            && tracer.unsettled() == 0
            && !std::mem::replace(&mut tracer.is_idle_queued, true)
        {
            self.outputs.push(Output::Idle { tracer: id });
        }
    }

    /// Whether the tracer still has no work, now that this is about to be told. One that is gone has none.
    pub(super) fn becomes_idle(&mut self, id: u64) -> bool {
        let Some(tracer) = self.tracers.get_mut(id) else { return true };
        tracer.is_idle_queued = false;
        tracer.is_busy = tracer.unsettled() > 0;
        !tracer.is_busy
    }

    /// Drops what a closed tracer could not send in time.
    fn drop_rest_of(&mut self, tracer: u64, now: Now) {
        if self.tracers.get(tracer).is_none_or(|tracer| tracer.unsettled() == 0) {
            return;
        }
        for id in self.busy.clone() {
            let Some(outbox) = self.outboxes.get_mut(id) else { continue };
            let taken = outbox.take_all_of(tracer);
            if taken.is_empty() {
                continue;
            }
            let session_id = Some(outbox.id().clone());
            self.schedule(id, now);
            let why = "the tracer was closed before it could be sent: give close() more time";
            self.give_up(taken, session_id, Reason::Closed, why, now);
        }
    }
}
