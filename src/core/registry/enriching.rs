//! Takes enrichments: masks, parses and checks them, and puts them into their outbox.

use super::Registry;
use crate::core::enrichment::{Enrichment, Invalid};
use crate::core::id_map::NOTHING;
use crate::core::json::{Object, any_members, is_nested, quoted};
use crate::core::log::Line;
use crate::core::outbox::{CallTime, Outbox, Part, PartKind, held_by};
use crate::core::outcome::Reason;
use crate::core::policy::{LARGE_ENRICHMENT_BYTES, MAX_REQUEST_BYTES, REQUEST_OVERHEAD_BYTES};
use crate::core::redact::MASK;
use crate::core::session::Target;
use crate::core::time::Now;
use crate::core::timers::Timer;

const NO_EVENT_ID: &str = "enrichEvent takes the event's id first, as in enrichEvent(eventId, { feedback: { rating: 5 } })";
const NOTHING_OF_EVENT: &str = "the call has no data about the event: pass fields, as in enrichEvent(eventId, { feedback: { rating: 5 } })";

impl Registry {
    /// Enriches the session `session_id`, or else the session of `tracer`. Tracer 0 stands for the only open one. If
    /// the caller did not name the tracer, and another open tracer has the session, that tracer is used. `json` is
    /// the snapshot of the arguments. Returns the number of the call, under which its outcome is reported.
    pub fn enrich(
        &mut self,
        tracer: u64,
        session_id: Option<&str>,
        json: String,
        scope: u64,
        names_tracer: bool,
        now: Now,
    ) -> u64 {
        let now = self.clock.advance(now);
        let settings = self.tracers.get(tracer).map(|tracer| tracer.settings.clone());
        let named = session_id.and_then(|name| self.session_named(name, settings.as_deref()));
        self.enrich_target(tracer, named.map(Target::Session), json, scope, names_tracer, now)
    }

    /// Enriches the event `event_id` with the key and server of `tracer`, in the same way as [`Registry::enrich`]. An
    /// event is never started: if the backend does not have it, it refuses the enrichment.
    pub fn enrich_event(
        &mut self,
        tracer: u64,
        event_id: &str,
        json: String,
        scope: u64,
        names_tracer: bool,
        now: Now,
    ) -> u64 {
        let now = self.clock.advance(now);
        let settings = self.tracers.get(tracer).map(|tracer| tracer.settings.clone());
        let Some(named) = self.session_named(event_id, settings.as_deref()) else {
            let part = self.part(PartKind::Enrichment, tracer, scope, now);
            let id = part.id();
            self.refuse(part, None, Reason::Invalid, NO_EVENT_ID, now);
            return id;
        };
        self.enrich_target(tracer, Some(Target::Event(named)), json, scope, names_tracer, now)
    }

    fn enrich_target(
        &mut self,
        tracer: u64,
        target: Option<Target>,
        json: String,
        scope: u64,
        names_tracer: bool,
        now: Now,
    ) -> u64 {
        let named = target.filter(|_| !names_tracer);
        let of_session = named.and_then(|target| self.tracer_of(target.id(), tracer));
        let part = self.part(PartKind::Enrichment, of_session.unwrap_or(tracer), scope, now);
        let id = part.id();
        if let Some(part) = self.assign_tracer(part, target.is_some(), now)
            && let json = self.masked_for(part.tracer(), tracer, json)
            && let Some(part) = self.read(part, json, now)
            && let Some(part) = self.for_target(part, target, now)
            && let Some((outbox, part)) = self.outbox_for(part, target, now)
        {
            self.accept(outbox, part, None, now);
        }
        id
    }

    /// Returns `part`, unless it is empty and for an event: only a session can be created by an empty enrichment.
    fn for_target(
        &mut self,
        part: Box<Part>,
        target: Option<Target>,
        now: Now,
    ) -> Option<Box<Part>> {
        let is_event = target.is_some_and(Target::is_event);
        if is_event && part.enrichment().is_empty() {
            self.refuse(part, target, Reason::Invalid, NOTHING_OF_EVENT, now);
            return None;
        }
        Some(part)
    }

    /// Adds to metrics of the tracer's session. `json` is an object of numbers.
    pub fn add_metrics(&mut self, tracer: u64, json: &str, scope: u64, now: Now) -> u64 {
        let now = self.clock.advance(now);
        let part = self.part(PartKind::Enrichment, tracer, scope, now);
        let id = part.id();
        if let Some(part) = self.assign_tracer(part, false, now)
            && let Some((outbox, part)) = self.outbox_for(part, None, now)
        {
            let json = self.masked(part.tracer(), json.to_owned());
            self.add(outbox, part, &json, now);
        }
        id
    }

    fn add(&mut self, outbox: u64, mut part: Box<Part>, json: &str, now: Now) {
        let mut increments = Vec::new();
        let mut fields = String::from("{\"metrics\":");
        let mut metrics = Object::open(&mut fields);
        let mut wrong = None;
        for (key, value) in any_members(json) {
            let Some(increment) = self.numerals.number(value) else {
                let what = format!(
                    "addMetrics adds numbers: {key} was left out, because it is no number or `redact` masked it"
                );
                self.log(part.tracer(), Line::warn(what));
                continue;
            };
            let totals = self.outboxes.get(outbox).map(|outbox| &outbox.totals);
            let total = totals.map_or(0.0, |totals| totals.with(key, increment));
            if !total.is_finite() {
                wrong = Some("a total of addMetrics is larger than a number can be");
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
            return self.refuse(part, None, Reason::Invalid, wrong, now);
        }
        if let Ok((enrichment, _)) = Enrichment::parse(fields) {
            part.fill(enrichment);
        }
        if self.is_to_be_read(outbox, &part, &increments) {
            return self.await_totals(outbox, part, &increments, now);
        }
        self.accept(outbox, part, Some(&increments), now);
    }

    /// A part for a new call, with the next number and without content.
    pub(super) fn part(&mut self, kind: PartKind, tracer: u64, scope: u64, now: Now) -> Box<Part> {
        let called_at = CallTime { unix_ms: now.unix_ms, nth: 0 };
        let mut part = Part::new(self.number(), kind, scope, called_at, now.mono_ms);
        part.assign_to(tracer, self.deadline_ms(tracer));
        part
    }

    /// Assigns `part` to the only open tracer if it has none. Refuses it if it is unclear which tracer is meant.
    fn assign_tracer(
        &mut self,
        mut part: Box<Part>,
        names_session: bool,
        now: Now,
    ) -> Option<Box<Part>> {
        if part.tracer() == 0 {
            match self.only_tracer(part.scope(), names_session) {
                Ok(only) => {
                    part.assign_to(only, self.deadline_ms(only));
                }
                Err(why) => {
                    self.refuse(part, None, Reason::NoSession, why, now);
                    return None;
                }
            }
        }
        Some(part)
    }

    /// Masks and parses the content of `part`. Refuses it if nothing in it is usable.
    pub(super) fn read(
        &mut self,
        mut part: Box<Part>,
        json: String,
        now: Now,
    ) -> Option<Box<Part>> {
        if json.len() > MAX_REQUEST_BYTES {
            self.refuse_large(part, json.len(), now);
            return None;
        }
        let json = self.masked(part.tracer(), json);
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
                let why =
                    format!("{what}, as in enrichSession({{ metadata: {{ plan: \"pro\" }} }})");
                self.refuse(part, None, Reason::Invalid, &why, now);
                return None;
            }
        };
        part.fill(enrichment);
        for line in left_out {
            self.log(part.tracer(), line);
        }
        if bytes > MAX_REQUEST_BYTES - 2 * REQUEST_OVERHEAD_BYTES {
            self.refuse_large(part, bytes, now);
            return None;
        }
        if bytes > LARGE_ENRICHMENT_BYTES {
            let what = "an enrichment is over 100 KB: keep each one smaller";
            self.log(part.tracer(), Line::warn(what));
        }
        Some(part)
    }

    /// Checks that the masking of `json` is right for `tracer`. The shell has masked it for the tracer `asked`. If
    /// `tracer` is another one with a masking function of its own, nothing has called that function, so everything is
    /// masked.
    fn masked_for(&self, tracer: u64, asked: u64, json: String) -> String {
        let tracer = self.tracers.get(tracer).filter(|_| tracer != asked);
        if tracer.is_some_and(|tracer| tracer.settings.has_redactor) {
            return mask_all(&json);
        }
        json
    }

    fn refuse_large(&mut self, part: Box<Part>, bytes: usize, now: Now) {
        let why = format!(
            "an enrichment of {bytes} bytes is more than the backend takes in one request (5 MB): send less, or store it elsewhere and enrich with its address"
        );
        self.refuse(part, None, Reason::TooLarge, &why, now);
    }

    /// Masks `json` by the rules of the tracer.
    fn masked(&self, tracer: u64, json: String) -> String {
        let tracer = self.tracers.get(tracer);
        match tracer.and_then(|tracer| tracer.settings.redaction.as_ref()) {
            Some(redaction) => redaction.apply(json),
            None => json,
        }
    }

    /// The outbox of `target`, or of the tracer's own session. Refuses `part` if there is none.
    fn outbox_for(
        &mut self,
        part: Box<Part>,
        target: Option<Target>,
        now: Now,
    ) -> Option<(u64, Box<Part>)> {
        let tracer = self.tracers.get(part.tracer()).filter(|tracer| tracer.is_open());
        let (reason, why) = match tracer {
            None => (Reason::Closed, "the tracer is closed: call initTracer() for a new one"),
            Some(tracer) => {
                if tracer.outbox() != NOTHING
                    && let Some(destination) = &tracer.settings.destination
                {
                    let other = target.filter(|target| target.id() != tracer.session_id());
                    let Some(other) = other else { return Some((tracer.outbox(), part)) };
                    let (destination, settings) = (destination.clone(), tracer.settings.clone());
                    return Some((self.open_outbox(&destination, &settings, other), part));
                }
                (
                    Reason::Disabled,
                    "the tracer is disabled: it has no usable API key or server, or `disabled` is set",
                )
            }
        };
        self.refuse(part, None, reason, why, now);
        None
    }

    /// Returns `part` if it fits into the byte budget, and refuses it otherwise.
    pub(super) fn with_room(
        &mut self,
        part: Box<Part>,
        target: Option<Target>,
        now: Now,
    ) -> Option<Box<Part>> {
        let tracer = self.tracers.get(part.tracer());
        let limit = tracer.map_or(0, |tracer| tracer.settings.max_queue_bytes);
        if self.outboxes.held() + held_by(part.enrichment()) > limit {
            let why = format!(
                "the queue is full (maxQueueBytes, {limit}): the backend is too slow, or the enrichments are too large"
            );
            self.refuse(part, target, Reason::QueueFull, &why, now);
            return None;
        }
        Some(part)
    }

    /// The deadline of enrichments that `tracer` is given now, in milliseconds.
    fn deadline_ms(&self, tracer: u64) -> u64 {
        let tracer = self.tracers.get(tracer);
        tracer.map_or(u64::MAX, |tracer| tracer.settings.deadline_ms)
    }

    /// Puts `part` into its outbox. `increments` are added to the totals of its session's metrics.
    fn accept(&mut self, id: u64, part: Box<Part>, increments: Option<&[(&str, f64)]>, now: Now) {
        let target = self.outboxes.get(id).map(Outbox::target);
        let Some(part) = self.with_room(part, target, now) else {
            // The outbox may have been opened for this part.
            return self.schedule(id, now);
        };
        let part = self.dated(id, part);
        let part = self.keep(id, part, None);
        let (tracer, scope) = (part.tracer(), part.scope());
        if let (Some(outbox), Some(given_to)) =
            (self.outboxes.get_mut(id), self.tracers.get(tracer))
        {
            if part.enrichment().is_empty() {
                outbox.touch(given_to.description(part.called_at().unix_ms));
            }
            outbox.use_settings(given_to.settings.clone());
            match increments {
                Some(increments) => outbox.totals.add(increments),
                None => outbox.totals.set_from(part.enrichment(), self.numerals),
            }
            outbox.accept(part);
        }
        self.record_pending(tracer, scope, id, now);
        self.schedule(id, now);
    }

    /// Gives `part` the time that its outbox counts as the time of the call.
    pub(super) fn dated(&mut self, outbox: u64, mut part: Box<Part>) -> Box<Part> {
        if let Some(outbox) = self.outboxes.get_mut(outbox) {
            part.date(outbox.stamps().date_call(part.called_at().unix_ms));
        }
        part
    }

    /// Records that an enrichment, whose outcome will be reported, was put into `outbox`.
    pub(super) fn record_pending(&mut self, tracer: u64, scope: u64, outbox: u64, now: Now) {
        if let Some(tracer) = self.tracers.get_mut(tracer) {
            tracer.ledger.begin_enrichment();
            if outbox != NOTHING {
                tracer.give_to(outbox);
            }
        }
        self.ledger.begin_enrichment();
        self.mark_busy(tracer);
        self.enter(scope, now);
        self.scopes.begin_call(scope, now.mono_ms, Timer::Outbox(outbox));
    }

    /// Reports that `part` was not accepted. A session starts without the fields of a start that was refused.
    pub(super) fn refuse(
        &mut self,
        part: Box<Part>,
        target: Option<Target>,
        reason: Reason,
        why: &str,
        now: Now,
    ) {
        if part.kind() == PartKind::Start {
            let line = Line::warn(format!("the session starts without its first fields: {why}"));
            return self.log(part.tracer(), line);
        }
        self.record_pending(part.tracer(), part.scope(), NOTHING, now);
        self.give_up(vec![part], target, reason, why, now);
    }
}

/// `json` with every field masked as a whole, as if `redact` had failed. The result is an object only if `json` is
/// one.
fn mask_all(json: &str) -> String {
    if !json.trim_ascii_start().starts_with("{") {
        return "null".to_owned();
    }
    let mut masked = String::new();
    let mut object = Object::open(&mut masked);
    for (key, value) in any_members(json) {
        if is_nested(value) {
            // A field must remain an object to be stored.
            object.member(key, &format!("{{\"redacted\":{}}}", quoted(MASK)));
        } else {
            object.member(key, &quoted(MASK));
        }
    }
    object.close();
    masked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::enrichment::{Field, Shape};
    use serde_json::{Map, Value, json};

    #[test]
    fn what_is_masked_as_a_whole_keeps_its_fields_and_none_of_their_values() {
        for field in Field::ALL {
            let value = match field.shape() {
                Shape::MergedObject | Shape::Object | Shape::Anything => {
                    json!({"secret": "secret"})
                }
                Shape::Number => json!(1_000),
            };
            let given = Map::from_iter([(field.name().to_owned(), value)]);
            let masked = Enrichment::parse(mask_all(&Value::from(given).to_string()));
            // A text is no number of milliseconds, so nothing is left of one.
            if field.shape() == Shape::Number {
                assert!(masked.is_err());
                continue;
            }
            let (masked, warnings) = masked.unwrap();
            let stored = masked.to_json();
            assert!(warnings.is_empty() && stored.contains(MASK), "{field:?}: {stored}");
            assert!(!stored.contains("secret"), "{stored}");
        }
    }
}
