//! Ends: every enrichment is told to be delivered or dropped, once; flushes and closes wait for it.

use std::rc::Rc;

use super::Registry;
use crate::core::json::Object;
use crate::core::outbox::{Kind, Outbox, Part};
use crate::core::outcome::{Outcome, Output, Reason};
use crate::core::session::SessionId;
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
    pub(super) fn deliver(&mut self, parts: Vec<Part>, session_id: &SessionId, now: Now) {
        let outcome = Outcome::Delivered { session_id: session_id.as_str().into() };
        self.settle(parts, &outcome, now);
    }

    /// Tells those who wait for `parts`, all of one session, that they were given up.
    pub(super) fn give_up(
        &mut self,
        parts: Vec<Part>,
        session_id: Option<Rc<str>>,
        reason: Reason,
        message: &str,
        now: Now,
    ) {
        for part in parts.iter().filter(|part| part.kind == Kind::Enrichment) {
            let what = ["an enrichment was dropped (", reason.code(), ")"].concat();
            self.log_because(part.tracer, reason.level(), &what, message);
            if self.tracers.get(part.tracer).is_some_and(|tracer| tracer.settings.on_drop) {
                let mut json = String::new();
                let mut object = Object::open(&mut json);
                if let Some(session_id) = &session_id {
                    object.text("sessionId", session_id);
                }
                object.text("reason", reason.code());
                object.text("message", message);
                object.value("enrichment").push_str(&part.enrichment.to_json());
                object.close();
                self.outputs.push_back(Output::Dropped { tracer: part.tracer, json });
            }
        }
        let outcome = Outcome::Dropped { session_id, reason, message: message.into() };
        self.settle(parts, &outcome, now);
    }

    fn settle(&mut self, parts: Vec<Part>, outcome: &Outcome, now: Now) {
        let delivered = matches!(outcome, Outcome::Delivered { .. });
        self.forget(&parts);
        let mut by_scope: Vec<(u64, Vec<u64>)> = Vec::new();
        let mut tracers = Vec::new();
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
                continue;
            }
            match by_scope.iter_mut().find(|(scope, _)| *scope == part.scope) {
                Some((_, ids)) => ids.push(part.id),
                None => by_scope.push((part.scope, vec![part.id])),
            }
            for counts in [tracer.map(|tracer| &mut tracer.counts), Some(&mut self.counts)]
                .into_iter()
                .flatten()
            {
                counts.pending -= 1;
                *(if delivered { &mut counts.delivered } else { &mut counts.dropped }) += 1;
            }
        }
        for (scope, ids) in by_scope {
            self.scopes.tell(scope, Output::Settled { ids, outcome: outcome.clone() });
        }
        self.end_waits(|wait| wait.left == 0, now);
        for tracer in tracers {
            self.tell_if_idle(tracer);
            self.let_go_of_tracer(tracer, now);
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
            None => {
                self.counts.pending
                    + self.tracers.iter().map(|(_, tracer)| tracer.starting).sum::<u64>()
            }
        };
        let until = now.mono_ms.saturating_add(timeout_ms);
        self.timers.set(until, Timer::Wait(id));
        self.waits.push(Wait { id, scope, until, tracer, left, closes });
        self.enter(scope, now);
        self.scopes.give(scope, None);
        for outbox in self.busy.clone() {
            self.change(outbox, now, Outbox::hurry);
        }
        self.end_waits(|wait| wait.left == 0, now);
        id
    }

    pub(super) fn end_waits(&mut self, is_over: impl Fn(&Wait) -> bool, now: Now) {
        let (over, waits) = std::mem::take(&mut self.waits).into_iter().partition(is_over);
        self.waits = waits;
        let over: Vec<Wait> = over;
        for wait in over {
            if let (true, Some(tracer)) = (wait.closes, wait.tracer) {
                self.drop_rest_of(tracer, now);
            }
            let counts = match wait.tracer {
                Some(tracer) => {
                    self.tracers.get(tracer).map_or(Counts::default(), |tracer| tracer.counts)
                }
                None => self.counts,
            };
            self.scopes.leave(wait.scope);
            self.scopes.tell(
                wait.scope,
                Output::Settled { ids: vec![wait.id], outcome: Outcome::Flushed(counts) },
            );
            let Some(tracer) = wait.tracer else { continue };
            if wait.closes {
                self.remove_tracer(tracer, now);
            }
            self.tell_if_idle(tracer);
        }
    }

    /// Tells that nothing of the tracer's is left to wait for. Of one that is closed nothing is.
    fn tell_if_idle(&mut self, tracer: u64) {
        if self.tracers.get(tracer).is_none_or(|tracer| tracer.unsettled() == 0) {
            self.outputs.push_back(Output::Idle { tracer });
        }
    }

    /// Drops what a closed tracer could not send in time.
    fn drop_rest_of(&mut self, tracer: u64, now: Now) {
        if self.tracers.get(tracer).is_none_or(|tracer| tracer.unsettled() == 0) {
            return;
        }
        for id in self.busy.clone() {
            let taken = self.change(id, now, |outbox| outbox.take_all_of(tracer));
            if taken.is_empty() {
                continue;
            }
            let session_id = self.outboxes.get(id).map(|outbox| outbox.id().as_str().into());
            self.give_up(
                taken,
                session_id,
                Reason::Closed,
                "the tracer was closed before it could be sent: give close() more time",
                now,
            );
        }
    }
}
