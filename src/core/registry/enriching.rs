//! The way in: what is said of a session is masked, read, judged and put into its outbox.

use super::Registry;
use crate::core::enrichment::{Enrichment, Invalid};
use crate::core::json::{Object, decimal, fill, members};
use crate::core::log::Line;
use crate::core::outbox::{Kind, Part, held_by};
use crate::core::outcome::Reason;
use crate::core::policy::{LARGE_ENRICHMENT_BYTES, MAX_REQUEST_BYTES, REQUEST_OVERHEAD_BYTES};
use crate::core::session::SessionId;
use crate::core::time::Now;

/// A call that gives something: its number, whom it is given to, where and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub id: u64,
    pub tracer: u64,
    pub scope: u64,
    pub now: Now,
    /// A start of a session, or an enrichment.
    pub kind: Kind,
}

impl Registry {
    /// Enriches a session: the one named, else that of `tracer`; tracer 0 is the only open one.
    /// Where the caller does not name the tracer, a session that another open tracer has is that
    /// tracer's. `json` is the snapshot of the arguments. Returns the number under which the outcome is told.
    pub fn enrich(
        &mut self,
        tracer: u64,
        session_id: Option<&str>,
        json: String,
        scope: u64,
        names_tracer: bool,
        now: Now,
    ) -> u64 {
        let session_id = session_id.and_then(SessionId::new);
        let named = session_id.as_ref().filter(|_| !names_tracer);
        let of_session = named.and_then(|session_id| self.tracer_of(session_id, tracer));
        let tracer = of_session.unwrap_or(tracer);
        let (call, is_clear) = self.call(tracer, scope, session_id.is_some(), now);
        if is_clear
            && let Some(enrichment) = self.read(&call, json)
            && let Some((outbox, enrichment)) = self.outbox_for(&call, session_id, enrichment)
        {
            self.accept(&call, outbox, enrichment, None);
        }
        call.id
    }

    /// Adds to metrics of the tracer's session. `json` is an object of numbers.
    pub fn add_metrics(&mut self, tracer: u64, json: &str, scope: u64, now: Now) -> u64 {
        let (call, is_clear) = self.call(tracer, scope, false, now);
        if is_clear && let Some((outbox, _)) = self.outbox_for(&call, None, Enrichment::default()) {
            let json = self.masked(call.tracer, json.to_owned());
            self.add(&call, outbox, &json);
        }
        call.id
    }

    fn add(&mut self, call: &Call, outbox: u64, json: &str) {
        let mut increments = Vec::new();
        let mut fields = String::from("{\"metrics\":");
        let mut metrics = Object::open(&mut fields);
        let mut wrong = None;
        for (key, value) in members(json).unwrap_or_default() {
            let Some(increment) = self.numerals.number(value) else {
                let what =
                    "addMetrics adds numbers: {} is none, or masked by `redact`, and was left out";
                self.log(call.tracer, Line::warn(what, &[key]));
                continue;
            };
            let totals = self.outboxes.get(outbox).map(|outbox| &outbox.totals);
            let total = totals.map_or(0.0, |totals| totals.with(key, increment));
            if !total.is_finite() {
                wrong = Some("a total of addMetrics went beyond what a number holds");
            }
            metrics.member(key, &(self.numerals.write)(total));
            increments.push((key, increment));
        }
        metrics.close();
        let totals = self.outboxes.get(outbox).map(|outbox| &outbox.totals);
        if increments.is_empty() {
            wrong = Some("addMetrics takes an object of numbers, as in addMetrics({ tokens: 12 })");
        } else if !totals.is_some_and(|totals| totals.have_room_for(&increments)) {
            wrong =
                Some("too many different metrics in one session: addMetrics is for a few totals");
        }
        fields.push('}');
        if let Some(wrong) = wrong {
            return self.refuse(call, None, Reason::Invalid, wrong, Enrichment::default());
        }
        let enrichment = Enrichment::parse(fields).map(|(enrichment, _)| enrichment);
        self.accept(call, outbox, enrichment.unwrap_or_default(), Some(&increments));
    }

    /// A call of an application's, with the only open tracer where it is of none. Says whether that is
    /// clear; if not, the call is refused.
    fn call(&mut self, tracer: u64, scope: u64, names_session: bool, now: Now) -> (Call, bool) {
        let mut call = Call { id: self.number(), tracer, scope, now, kind: Kind::Enrichment };
        if tracer == 0 {
            match self.only_tracer(scope, names_session) {
                Ok(only) => call.tracer = only,
                Err(why) => {
                    self.refuse(&call, None, Reason::NoSession, why, Enrichment::default());
                    return (call, false);
                }
            }
        }
        (call, true)
    }

    /// Masks and reads what was said; where that is of no use, it is refused.
    pub(super) fn read(&mut self, call: &Call, json: String) -> Option<Enrichment> {
        let json = self.masked(call.tracer, json);
        let bytes = json.len();
        let (enrichment, left_out) = match Enrichment::parse(json) {
            Ok(read) => read,
            Err(invalid) => {
                let what = match invalid {
                    Invalid::NoObject => "enrichSession takes an object",
                    Invalid::NothingUsable => {
                        "nothing in the enrichment can be stored: its fields are objects"
                    }
                };
                let why = fill("{}, as in enrichSession({ metadata: { plan: \"pro\" } })", &[what]);
                self.refuse(call, None, Reason::Invalid, &why, Enrichment::default());
                return None;
            }
        };
        for line in left_out {
            self.log(call.tracer, line);
        }
        if bytes > MAX_REQUEST_BYTES - 2 * REQUEST_OVERHEAD_BYTES {
            let why = fill(
                "an enrichment of {} bytes is more than the backend takes in one request (5 MB): send less, or store it elsewhere and enrich with its address",
                &[&decimal(bytes as u64)],
            );
            self.refuse(call, None, Reason::TooLarge, &why, enrichment);
            return None;
        }
        if bytes > LARGE_ENRICHMENT_BYTES {
            let what = "an enrichment is over 100 KB: the backend asks to keep each below that";
            self.log(call.tracer, Line::warn(what, &[]));
        }
        Some(enrichment)
    }

    /// `json` without what the tracer is to keep to itself.
    fn masked(&self, tracer: u64, json: String) -> String {
        let tracer = self.tracers.get(tracer);
        match tracer.and_then(|tracer| tracer.settings.redaction.as_ref()) {
            Some(redaction) => redaction.apply(json),
            None => json,
        }
    }

    /// The outbox of the session named, else of the tracer's own, for `enrichment`, which is refused
    /// where there is none.
    fn outbox_for(
        &mut self,
        call: &Call,
        session_id: Option<SessionId>,
        enrichment: Enrichment,
    ) -> Option<(u64, Enrichment)> {
        let tracer = self.tracers.get(call.tracer).filter(|tracer| !tracer.is_closing);
        let (reason, why) = match tracer {
            None => (Reason::Closed, "the tracer is closed: call initTracer() for a new one"),
            Some(tracer) => {
                if let (Some(own), Some(destination)) =
                    (tracer.outbox, &tracer.settings.destination)
                {
                    let other = session_id.filter(|session_id| *session_id != tracer.session_id);
                    let Some(other) = other else { return Some((own, enrichment)) };
                    let (destination, settings) = (destination.clone(), tracer.settings.clone());
                    return Some((self.open_outbox(&destination, &settings, other), enrichment));
                }
                (
                    Reason::Disabled,
                    "the tracer is disabled: it has no usable API key or server, or was told to send nothing",
                )
            }
        };
        self.refuse(call, None, reason, why, enrichment);
        None
    }

    /// What was said in a call, ready for an outbox.
    pub(super) fn part(&self, call: &Call, enrichment: Enrichment) -> Box<Part> {
        let Call { id, tracer, scope, now, kind } = *call;
        let deadline_ms = self.tracers.get(tracer).map_or(0, |tracer| tracer.settings.deadline_ms);
        Box::new(Part {
            id,
            kind,
            tracer,
            scope,
            given_unix_ms: now.unix_ms,
            deadline: match self.page.is_offline {
                true => u64::MAX,
                false => now.mono_ms.saturating_add(deadline_ms),
            },
            is_kept: false,
            enrichment,
        })
    }

    /// `enrichment`, if it fits into the byte budget; else it is refused.
    pub(super) fn with_room(
        &mut self,
        call: &Call,
        session_id: Option<&SessionId>,
        enrichment: Enrichment,
    ) -> Option<Enrichment> {
        let tracer = self.tracers.get(call.tracer);
        let limit = tracer.map_or(0, |tracer| tracer.settings.max_queue_bytes);
        if self.held + held_by(&enrichment) <= limit {
            return Some(enrichment);
        }
        let why = fill(
            "more than maxQueueBytes ({}) is waiting to be sent: the backend is not keeping up, or enrichments are too large",
            &[&decimal(limit)],
        );
        self.refuse(call, session_id, Reason::QueueFull, &why, enrichment);
        None
    }

    /// Puts an enrichment into its outbox. `increments` are what it adds to the running totals.
    fn accept(
        &mut self,
        call: &Call,
        id: u64,
        enrichment: Enrichment,
        increments: Option<&[(&str, f64)]>,
    ) {
        let session_id = self.outboxes.get(id).map(|outbox| outbox.id().clone());
        let Some(enrichment) = self.with_room(call, session_id.as_ref(), enrichment) else {
            return;
        };
        let is_touch = enrichment.is_empty();
        let part = self.part(call, enrichment);
        let part = self.keep(id, part, None);
        let settings = self.tracers.get(call.tracer).map(|tracer| tracer.settings.clone());
        if let (Some(outbox), Some(settings)) = (self.outboxes.get_mut(id), settings) {
            if is_touch {
                outbox.touch();
            }
            outbox.settings = settings;
            match increments {
                Some(increments) => outbox.totals.add(increments),
                None => outbox.totals.set_by(&part.enrichment, self.numerals),
            }
            outbox.accept(part);
        }
        self.schedule(id, call.now);
        self.given(call, Some(id));
    }

    /// Something was given that will end, and put into `outbox`.
    pub(super) fn given(&mut self, call: &Call, outbox: Option<u64>) {
        if let Some(tracer) = self.tracers.get_mut(call.tracer) {
            tracer.counts.pending += 1;
        }
        self.counts.pending += 1;
        self.enter(call.scope, call.now);
        self.scopes.give(call.scope, outbox);
    }

    /// Tells of an enrichment that was not accepted. A session starts without it.
    pub(super) fn refuse(
        &mut self,
        call: &Call,
        session_id: Option<&SessionId>,
        reason: Reason,
        why: &str,
        enrichment: Enrichment,
    ) {
        if call.kind == Kind::Start {
            let line = Line::warn("the session starts without its first fields: {}", &[&why]);
            return self.log(call.tracer, line);
        }
        self.given(call, None);
        let part = self.part(call, enrichment);
        let session_id = session_id.cloned();
        self.give_up(vec![part], session_id, reason, &why, call.now);
    }
}
