//! What has to hold: of each end that is told, of each report, and of what is stored once a simulated life has
//! come to rest.

use std::collections::BTreeMap;

use honeyhive_edge::core::ledger::Counts;
use honeyhive_edge::core::outcome::Reason;
use serde_json::{Value, json};

use super::backend::Stored;
use super::bugs::Bug;
use super::calls::{Call, Flush, Name, Numbers, markers_in};
use super::clock::Forward;
use super::face::Tracer;
use super::program::{Failure, Sent};
use super::users::{LONG_DEADLINE_MS, is_event};
use super::world::World;

/// Milliseconds of a flush that ends because its time is over.
const FLUSH_TIMEOUT_MS: u64 = 10_000;

impl World {
    /// What no request may carry.
    pub fn check_sent(&self, sent: &Sent) -> Result<(), String> {
        for found in sent.body.split("secret-").skip(1) {
            let number = markers_in(&found[..7.min(found.len())]).next();
            if number.is_some_and(|number| self.secrets.contains(&number)) {
                return Err(format!("a secret goes out in clear: {}", sent.body));
            }
        }
        let now = self.clock.now();
        let program = &self.programs[self.here];
        // At its deadline there is a last try.
        let has_short_deadline = |it: &Tracer| {
            it.session.server == sent.session.server && it.deadline_ms < LONG_DEADLINE_MS
        };
        if let Some((body, until)) = program.told_to_wait.get(&sent.session)
            && (body == &sent.body && now.mono_ms < *until)
            // An id has such numbers as well.
            && markers_in(body).any(|marker| marker <= self.last_marker)
            && self.clock.forward != Forward::Missing
            && !program.face.tracers.iter().any(has_short_deadline)
            && !program.page.as_ref().is_some_and(|page| page.is_left)
        {
            return Err(format!("the server wants to be left alone until {until}: {body}"));
        }
        Ok(())
    }

    /// What an `onDrop` may be told: of what its own tracer was given, masked.
    pub fn check_dropped(&self, place: usize, json: &str) -> Result<(), String> {
        serde_json::from_str::<Value>(json).map_err(|error| error.to_string())?;
        let program = &self.programs[self.here];
        for marker in markers_in(json) {
            let whose = self.markers.get(&marker).filter(|(page, _)| *page == self.here);
            let call = whose.and_then(|(_, id)| program.calls.get(id));
            let call = call.filter(|call| !call.is_handed_over);
            if let Some(tracer) = call.and_then(|call| call.tracer).filter(|it| *it != place) {
                return Err(format!("the onDrop of {place} is told of what {tracer} was given"));
            }
        }
        Ok(())
    }

    /// Whether the end that was told of a call can be believed.
    pub fn check_end(&mut self, id: u64) -> Result<(), String> {
        let now = self.clock.now();
        let program = &self.programs[self.here];
        let call = &program.calls[&id];
        let end = match &call.end {
            Some(Err(reason)) => Some(*reason),
            _ => None,
        };
        let at_the_door = [Reason::NoSession, Reason::Disabled, Reason::Invalid, Reason::TooLarge];
        if call.is_delivered() && self.store.keeps(self.here, id) {
            return Err(format!("it is delivered, and still kept to be sent: {call:?}"));
        }
        if call.refusal.is_some() && end != call.refusal
            || call.refusal.is_none() && end.is_some_and(|end| at_the_door.contains(&end))
        {
            return Err(format!("it should end as {:?}: {call:?}", call.refusal));
        }
        let since = |failure: &&Failure| failure.known_ms >= call.given.awake_ms;
        let own = |failure: &&Failure| Some(&failure.session) == call.session.as_ref();
        let mut failures = program.failures.iter().filter(since);
        match end {
            Some(Reason::QueueFull) => {
                let (held, limit) = call.room;
                let is_full = held + call.most_bytes() > limit;
                if !is_full || self.bug == Some(Bug::SeesAFullBudget) {
                    return Err(format!("queue_full with {held} of {limit} bytes: {call:?}"));
                }
            }
            Some(Reason::Rejected) => {
                let refusals: Vec<_> = failures.filter(own).filter(is_refusal).collect();
                let is_named = refusals.iter().any(|it| match it.status {
                    Some(400 | 413 | 422) => names(it, call),
                    // What an event is, nobody here could say: its refusal is the end of it.
                    Some(404 | 405) => {
                        let id = &it.session.id;
                        !it.is_start && (is_event(id) || program.started.contains(&it.session))
                    }
                    _ => true,
                });
                // The route may be the wrong one, or the session not be there: both can be mended once.
                let unknown = |it: &&&Failure| matches!(it.status, Some(400 | 404 | 405));
                if !is_named && refusals.iter().filter(unknown).count() < 2 {
                    return Err(format!("nobody rejected {call:?}: {refusals:?}"));
                }
            }
            Some(Reason::RetriesExhausted) => {
                let server = call.session.as_ref().map_or(0, |session| session.server);
                // Two answers of one millisecond are in the order in which the program got them. A wait before a retry
                // counts for what is said then as well, whatever the server answers to others.
                let fails = |(place, it): (usize, &Failure)| {
                    let is_after = |worked: Option<&(u64, usize)>| {
                        worked.is_none_or(|worked| (it.known_ms, place) >= *worked)
                    };
                    let is_own = Some(&it.session) == call.session.as_ref();
                    it.session.server == server
                        && (is_after(program.worked.get(&(server, it.transport)))
                            || (is_own && is_after(program.worked_for.get(&it.session))))
                };
                let has_failed = failures.any(|failure| failure.session.server == server)
                    || program.failures.iter().enumerate().any(fails);
                let died = program.deaths.iter().any(|at| *at >= call.given.awake_ms);
                if !has_failed && !died {
                    return Err(format!("no server failed for {call:?}"));
                }
                let is_late = now.mono_ms >= call.given.mono_ms + call.deadline_ms;
                if !is_late && self.clock.forward != Forward::Missing {
                    return Err(format!("at {} it is too early to give up {call:?}", now.mono_ms));
                }
                if program.page.as_ref().is_some_and(|page| page.is_offline) {
                    return Err(format!("without a network nothing is given up: {call:?}"));
                }
            }
            Some(Reason::Closed) if call.refusal.is_none() => {
                let tracer = call.tracer.map(|place| &program.face.tracers[place]);
                if tracer.is_some_and(|tracer| !tracer.is_closed) {
                    return Err(format!("its tracer is open: {call:?}"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether a report is true, and came when it was due.
    pub fn check_report(&mut self, id: u64, flush: &Flush, counts: Counts) -> Result<(), String> {
        let program = &self.programs[self.here];
        if !program.is_counted()
            || flush.tracer.is_some_and(|it| !program.face.tracers[it].is_counted)
        {
            return Ok(());
        }
        let mut told = Numbers {
            delivered: counts.delivered,
            dropped: counts.dropped,
            pending: counts.pending,
        };
        let is_closed = flush.tracer.is_some_and(|it| program.face.tracers[it].is_closed);
        if self.bug == Some(Bug::ForgetsItsCounts) && is_closed && !flush.closes {
            told = Numbers::default();
        }
        let expected = Numbers::of(program.counted(flush.tracer));
        // What comes too late, the face may count by itself.
        let too_late = |call: &&Call| call.refusal == Some(Reason::Closed);
        let too_late = program.counted(flush.tracer).filter(too_late).count() as u64;
        let dropped = expected.dropped - too_late..=expected.dropped;
        let is_true = told.delivered == expected.delivered
            && told.pending == expected.pending
            && dropped.contains(&told.dropped);
        if !is_true {
            return Err(format!("{id} reports {told:?}, and it is {expected:?}: {flush:?}"));
        }
        let is_over = self.clock.now().mono_ms >= flush.until_ms;
        let mut before = program.counted(flush.tracer).filter(|call| call.order < flush.order);
        let waits = before.any(|call| call.end.is_none());
        let is_early = waits && (!is_over || flush.closes);
        if is_early && self.clock.forward != Forward::Missing {
            return Err(format!("{id} ended too early: {flush:?}"));
        }
        Ok(())
    }

    /// A flush has to end when all that it waits for has.
    pub fn no_flush_waits_for_nothing(&self) -> Result<(), String> {
        let program = &self.programs[self.here];
        if !program.is_in_order() || self.is_resting() {
            return Ok(());
        }
        for (id, flush) in &program.flushes {
            let waits = match flush.tracer {
                Some(place) => program.face.holds(place),
                None => program.face.holds_any(),
            };
            if !waits {
                return Err(format!("flush {id} waits for nothing: {flush:?}"));
            }
        }
        Ok(())
    }

    /// Once all is at rest, everybody asks once more.
    pub fn check_last_reports(&mut self) -> Result<(), String> {
        let tracers = 0..self.programs[self.here].face.tracers.len();
        let face = &self.programs[self.here].face;
        let asked = tracers.filter(|it| {
            let tracer = &face.tracers[*it];
            !tracer.is_forgotten
        });
        let asked: Vec<_> = asked.map(Some).chain([None]).collect();
        for tracer in asked {
            self.flush_in_time(tracer, FLUSH_TIMEOUT_MS)?;
        }
        self.pump()?;
        let program = &self.programs[self.here];
        match program.flushes.keys().next() {
            Some(id) => Err(format!("flush {id} never ended")),
            None => Ok(()),
        }
    }

    /// The promises, once all is at rest.
    pub fn check(&self) -> Result<(), String> {
        let here = &self.programs[self.here];
        let (held, outboxes) = (here.registry.held(), here.registry.outboxes());
        if (held, outboxes) != (0, 0) {
            return Err(format!("{held} bytes in {outboxes} outboxes are held for nobody"));
        }
        if here.registry.tracers() > here.face.tracers.iter().filter(|it| it.is_closed).count() {
            return Err(format!("{} tracers are held for nobody", here.registry.tracers()));
        }
        if self.store.len() > 0 {
            return Err(format!("{} records are kept for ever", self.store.len()));
        }
        if here.leftovers.0 != here.leftovers.1 {
            let (taken, ended) = here.leftovers;
            return Err(format!("of {taken} records that were taken over, {ended} ended"));
        }
        for (place, program) in self.programs.iter().enumerate() {
            let told = |call: &Call| call.is_told || (program.is_dead && !call.is_kept);
            let ended = |call: &Call| told(call) || call.end.is_some() || call.is_handed_over;
            if let Some((id, call)) = program.calls.iter().find(|(_, call)| !ended(call)) {
                return Err(format!("{id} of program {place} never ended: {call:?}"));
            }
        }
        let mut sessions: BTreeMap<&Name, Vec<&Call>> = BTreeMap::new();
        let mut all: Vec<&Call> = self
            .programs
            .iter()
            .flat_map(|program| program.calls.values().chain(&program.starts))
            .collect();
        all.sort_by_key(|call| call.order);
        for call in all {
            if let Some(session) = &call.session {
                sessions.entry(session).or_default().push(call);
            }
        }
        for (session, said) in &sessions {
            let place = (session.key.clone(), session.id.clone());
            let stored = self.servers[session.server].sessions.get(&place);
            check_session(stored, said).map_err(|why| format!("{session:?}: {why}"))?;
        }
        for server in &self.servers {
            for (session, stored) in &server.sessions {
                self.check_history(stored).map_err(|why| format!("{session:?}: {why}"))?;
            }
        }
        Ok(())
    }

    /// Whether requests came in the order of their timestamps, each of which stands for one body. What an
    /// earlier page left comes late, with the time at which it was said.
    fn check_history(&self, stored: &Stored) -> Result<(), String> {
        let mut last = (0, "");
        let mut bodies: BTreeMap<u64, &str> = BTreeMap::new();
        for (stamp, body) in &stored.history {
            let is_ordered = *stamp > last.0 || (*stamp == last.0 && body == last.1);
            if !is_ordered && self.programs.len() == 1 {
                return Err(format!(
                    "requests out of the order of their timestamps: {last:?}, then {stamp} {body}"
                ));
            }
            if self.programs.len() == 1 && bodies.insert(*stamp, body).is_some_and(|it| it != body)
            {
                return Err(format!("{stamp} stands for two requests: {body}"));
            }
            // The same body under a new timestamp is a retry that hides that it is one.
            if body == last.1 && *stamp != last.0 && self.bug == Some(Bug::NewTimestampOnRetry) {
                return Err("a retry has a timestamp of its own".into());
            }
            last = (*stamp, body);
        }
        Ok(())
    }
}

fn is_refusal(failure: &&Failure) -> bool {
    !matches!(failure.status, None | Some(408 | 425 | 429 | 500..=599))
}

/// Whether a refused request had something of `call` in it. What says nothing may have been in any; and
/// before the session is there, nothing of it is stored.
fn names(refused: &Failure, call: &Call) -> bool {
    let comes_first = refused.is_start && !refused.body.contains("\"poison\"");
    let mut named = markers_in(&refused.body);
    comes_first || call.marker.is_none_or(|marker| named.any(|found| found == marker))
}

/// Whether the session is what sending each enrichment by itself, in order, makes of it.
fn check_session(stored: Option<&Stored>, said: &[&Call]) -> Result<(), String> {
    let Some(stored) = stored else {
        return match said.iter().find(|call| call.is_delivered()) {
            Some(call) => Err(format!("delivered to no session: {call:?}")),
            None => Ok(()),
        };
    };
    // For each place the values that were written to it, in order, and whether delivered.
    let mut written: BTreeMap<(String, String), Vec<(Value, bool)>> = BTreeMap::new();
    // A page that takes a secret over masks it by its own rules as well.
    let is_secret = |call: &&&Call| call.fields["metadata"].get("password").is_some();
    let masks_more = said.iter().filter(is_secret).any(|call| call.is_handed_over);
    for call in said {
        let delivered = call.is_delivered();
        for (field, value) in call.fields.as_object().into_iter().flatten() {
            let mut write = |field: &str, key: &str, value: &Value| {
                let place = (field.to_owned(), key.to_owned());
                written.entry(place).or_default().push((value.clone(), delivered));
            };
            match (field.as_str(), value) {
                ("outputs", Value::Array(_)) => write("outputs", "", &json!({ "value": value })),
                ("outputs" | "duration", _) => write(field, "", value),
                ("endTime", _) => write("end_time", "", value),
                ("inputs", _) => {}
                ("metadata" | "config" | "feedback" | "metrics", Value::Object(members)) => {
                    members.iter().for_each(|(key, value)| write(field, key, value));
                }
                ("userProperties", Value::Object(members)) => {
                    members.iter().for_each(|(key, value)| write("user_properties", key, value));
                }
                _ => write("metadata", field, value),
            }
        }
    }
    for ((field, key), values) in &written {
        if masks_more && key == "password" {
            continue;
        }
        let stored = stored.fields.get(field);
        let stored = if key.is_empty() { stored } else { stored.and_then(|field| field.get(key)) };
        let last = values.iter().rposition(|(_, delivered)| *delivered);
        // What was dropped may have been stored all the same: its answer was lost.
        let possible = &values[last.unwrap_or(0)..];
        let is_stored = values.iter().any(|(_, delivered)| *delivered);
        let fits = match stored {
            Some(stored) => possible.iter().any(|(value, _)| same(value, stored)),
            None => !is_stored,
        };
        if !fits {
            return Err(format!(
                "{field}.{key} is {stored:?}, and one by one makes it {possible:?}"
            ));
        }
    }
    check_inputs(stored, said)
}

/// Inputs are in the session's start, or, if they came later, in `metadata.inputs`, which the
/// next late ones replace.
fn check_inputs(stored: &Stored, said: &[&Call]) -> Result<(), String> {
    let late = stored.fields.get("metadata").and_then(|metadata| metadata.get("inputs"));
    // What was dropped may have been stored all the same, and replaced what came before.
    let inputs: Vec<(&Value, bool)> = said
        .iter()
        .filter_map(|call| Some((call.fields.get("inputs")?, call.is_delivered())))
        .collect();
    let late_from = inputs.iter().rposition(|(inputs, _)| Some(*inputs) == late);
    for (place, (given, _)) in inputs.iter().enumerate().filter(|(_, (_, delivered))| *delivered) {
        let replaced = late_from.is_some_and(|late| place <= late);
        let started = given.as_object().into_iter().flatten().all(|(key, value)| {
            let overwritten = inputs[place + 1..].iter().any(|(later, _)| later.get(key).is_some());
            overwritten
                || stored.fields.get("inputs").and_then(|inputs| inputs.get(key)) == Some(value)
        });
        if !replaced && !started {
            return Err(format!("inputs {given} are lost: {:?}", stored.fields));
        }
    }
    Ok(())
}

/// Equal, with whole numbers equal to their floating twins.
fn same(a: &Value, b: &Value) -> bool {
    a == b || (a.is_number() && a.as_f64() == b.as_f64())
}
