//! The way in: what is said of a session is masked, read, judged and put into its outbox.

use super::Registry;
use crate::core::enrichment::{Enrichment, Invalid};
use crate::core::json::{Object, decimal, members};
use crate::core::log::Line;
use crate::core::outbox::{Kind, Part, held_by};
use crate::core::outcome::{Reason, Refused};
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
    /// Whether the caller named the tracer; else it was found in the context.
    pub names_tracer: bool,
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
        let call = Call { id: self.number(), tracer, scope, now, names_tracer };
        let session_id = session_id.and_then(SessionId::new);
        match self.of_a_tracer(call, session_id.as_ref()) {
            Err(refused) => self.refuse(call, refused),
            Ok(call) => {
                if let Err(refused) = self.try_enrich(call, session_id, json) {
                    self.refuse(call, refused);
                }
            }
        }
        call.id
    }

    /// Adds to metrics of the tracer's session. `json` is an object of numbers.
    pub fn add_metrics(&mut self, tracer: u64, json: &str, scope: u64, now: Now) -> u64 {
        let call = Call { id: self.number(), tracer, scope, now, names_tracer: true };
        match self.of_a_tracer(call, None) {
            Err(refused) => self.refuse(call, refused),
            Ok(call) => {
                if let Err(refused) = self.try_add_metrics(call, json) {
                    self.refuse(call, refused);
                }
            }
        }
        call.id
    }

    fn try_enrich(
        &mut self,
        call: Call,
        session_id: Option<SessionId>,
        json: String,
    ) -> Result<(), Refused> {
        let enrichment = self.read(call.tracer, json)?;
        let outbox = self
            .outbox_for(call, session_id)
            .map_err(|refused| Refused { enrichment: enrichment.clone(), ..refused })?;
        self.accept(call, outbox, enrichment, None)
    }

    fn try_add_metrics(&mut self, call: Call, json: &str) -> Result<(), Refused> {
        let tracer = call.tracer;
        let outbox = self.outbox_for(call, None)?;
        let json = self.masked(tracer, json.to_owned());
        let given = members(&json).unwrap_or_default();
        let mut increments = Vec::with_capacity(given.len());
        for (key, value) in given {
            match self.numerals.number(value) {
                Some(increment) => increments.push((key, increment)),
                None => self.log(
                    tracer,
                    Line::warn(&[
                        "addMetrics adds numbers: ",
                        key,
                        " is none, or masked by `redact`, and was left out",
                    ]),
                ),
            }
        }
        if increments.is_empty() {
            return Err(Refused::new(
                Reason::Invalid,
                &["addMetrics takes an object of numbers, as in addMetrics({ tokens: 12 })"],
            ));
        }
        let totals = self.outboxes.get(outbox).and_then(|outbox| outbox.totals_with(&increments));
        let Some(totals) = totals else {
            return Err(Refused::new(
                Reason::Invalid,
                &["too many different metrics in one session: addMetrics is for a few totals"],
            ));
        };
        if totals.iter().any(|total| !total.is_finite()) {
            return Err(Refused::new(
                Reason::Invalid,
                &["a total of addMetrics went beyond what a number holds"],
            ));
        }
        let mut json = String::from("{\"metrics\":");
        let mut metrics = Object::open(&mut json);
        for ((key, _), total) in increments.iter().zip(&totals) {
            metrics.member(key, &(self.numerals.write)(*total));
        }
        metrics.close();
        json.push('}');
        let enrichment = Enrichment::parse(json).map(|(enrichment, _)| enrichment);
        let enrichment = enrichment.unwrap_or_default();
        self.accept(call, outbox, enrichment, Some(&increments))
    }

    /// `call` with the tracer that is meant where none is named: the one whose session is named,
    /// else that of the context, else the only one.
    fn of_a_tracer(&self, call: Call, session: Option<&SessionId>) -> Result<Call, Refused> {
        let named = session.filter(|_| !call.names_tracer);
        if let Some(tracer) = named.and_then(|session| self.tracer_of(session, call.tracer)) {
            return Ok(Call { tracer, ..call });
        }
        match call.tracer {
            0 => Ok(Call { tracer: self.only_tracer(call.scope, session.is_some())?, ..call }),
            _ => Ok(call),
        }
    }

    /// Masks and reads what was said.
    pub(super) fn read(&mut self, tracer: u64, json: String) -> Result<Enrichment, Refused> {
        let json = self.masked(tracer, json);
        let bytes = json.len();
        let (enrichment, left_out) = Enrichment::parse(json).map_err(|invalid| {
            Refused::new(
                Reason::Invalid,
                &[
                    match invalid {
                        Invalid::NoObject => "enrichSession takes an object",
                        Invalid::NothingUsable => {
                            "nothing in the enrichment can be stored: its fields are objects"
                        }
                    },
                    ", as in enrichSession({ metadata: { plan: \"pro\" } })",
                ],
            )
        })?;
        left_out.into_iter().for_each(|line| self.log(tracer, line));
        if bytes > MAX_REQUEST_BYTES - 2 * REQUEST_OVERHEAD_BYTES {
            let message = [
                "an enrichment of ",
                &decimal(bytes as u64),
                " bytes is more than the backend takes in one request (5 MB): send less, or store it elsewhere and enrich with its address",
            ];
            return Err(Refused { enrichment, ..Refused::new(Reason::TooLarge, &message) });
        }
        if bytes > LARGE_ENRICHMENT_BYTES {
            self.log(
                tracer,
                Line::warn(&[
                    "an enrichment is over 100 KB: the backend asks to keep each below that",
                ]),
            );
        }
        Ok(enrichment)
    }

    /// `json` without what the tracer is to keep to itself.
    fn masked(&self, tracer: u64, json: String) -> String {
        let tracer = self.tracers.get(tracer);
        match tracer.and_then(|tracer| tracer.settings.redaction.as_ref()) {
            Some(redaction) => redaction.apply(json),
            None => json,
        }
    }

    /// The outbox of the session named, else of the tracer's own.
    fn outbox_for(&mut self, call: Call, session_id: Option<SessionId>) -> Result<u64, Refused> {
        let refused = |reason, message: &str| Err(Refused::new(reason, &[message]));
        let Some(tracer) = self.tracers.get(call.tracer).filter(|tracer| !tracer.is_closing) else {
            return refused(
                Reason::Closed,
                "the tracer is closed: call initTracer() for a new one",
            );
        };
        let settings = tracer.settings.clone();
        let (Some(own), Some(destination)) = (tracer.outbox, &settings.destination) else {
            return refused(
                Reason::Disabled,
                "the tracer is disabled: it has no usable API key or server, or was told to send nothing",
            );
        };
        match session_id {
            Some(session_id) if session_id != tracer.session_id => {
                Ok(self.open_outbox(destination, &settings, session_id))
            }
            _ => Ok(own),
        }
    }

    pub(super) fn part(&self, call: Call, kind: Kind, enrichment: Enrichment) -> Part {
        let Call { id, tracer, scope, now, .. } = call;
        let deadline_ms = self.tracers.get(tracer).map_or(0, |tracer| tracer.settings.deadline_ms);
        Part {
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
        }
    }

    /// Whether `enrichment` fits into the byte budget.
    pub(super) fn has_room_for(&self, enrichment: &Enrichment, tracer: u64) -> Result<(), Refused> {
        let limit = self.tracers.get(tracer).map_or(0, |tracer| tracer.settings.max_queue_bytes);
        if self.held + held_by(enrichment) > limit {
            let message = [
                "more than maxQueueBytes (",
                &decimal(limit),
                ") is waiting to be sent: the backend is not keeping up, or enrichments are too large",
            ];
            return Err(Refused::new(Reason::QueueFull, &message));
        }
        Ok(())
    }

    /// Puts an enrichment into its outbox. `increments` are what it adds to the running totals.
    fn accept(
        &mut self,
        call: Call,
        outbox: u64,
        enrichment: Enrichment,
        increments: Option<&[(&str, f64)]>,
    ) -> Result<(), Refused> {
        let is_touch = enrichment.is_empty();
        if let Err(refused) = self.has_room_for(&enrichment, call.tracer) {
            let session_id = self.outboxes.get(outbox).map(|outbox| outbox.id().clone());
            return Err(Refused { session_id, enrichment, ..refused });
        }
        let part = self.part(call, Kind::Enrichment, enrichment);
        let part = self.keep(outbox, part, None);
        let settings = self.tracers.get(call.tracer).map(|tracer| tracer.settings.clone());
        let numerals = self.numerals;
        self.change(outbox, call.now, |outbox| {
            if is_touch {
                outbox.touch();
            }
            if let Some(settings) = settings {
                outbox.settings = settings;
            }
            match increments {
                Some(increments) => outbox.add_to_totals(increments),
                None => outbox.remember_metrics(&part.enrichment, numerals),
            }
            outbox.accept(part);
        });
        self.given(call, Some(outbox));
        Ok(())
    }

    /// Something was given that will end, and put into `outbox`.
    pub(super) fn given(&mut self, call: Call, outbox: Option<u64>) {
        if let Some(tracer) = self.tracers.get_mut(call.tracer) {
            tracer.counts.pending += 1;
        }
        self.counts.pending += 1;
        self.enter(call.scope, call.now);
        self.scopes.give(call.scope, outbox);
    }

    /// Tells of an enrichment that was not accepted.
    pub(super) fn refuse(&mut self, call: Call, refused: Refused) {
        self.given(call, None);
        let session_id = refused.session_id.as_ref().map(|id| id.as_str().into());
        let part = self.part(call, Kind::Enrichment, refused.enrichment);
        self.give_up(vec![part], session_id, refused.reason, &refused.message, call.now);
    }
}
