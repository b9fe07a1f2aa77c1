//! One simulated life of the core: tracers, enrichments, a network with faults, clocks that jump.
//! Everything follows from the seed, so that a failure can be replayed.

use std::collections::{BTreeMap, BTreeSet};

use honeyhive_edge::core::json::Numerals;
use honeyhive_edge::core::outcome::{Outcome, Output, Reason};
use honeyhive_edge::core::registry::Registry;
use honeyhive_edge::core::retry::RetryAfter;
use honeyhive_edge::core::time::Now;
use honeyhive_edge::core::wire::{Answer, Request};
use serde_json::{Value, json};

use super::backend::Backend;
use super::bugs::Bug;

/// Bytes that the simulated tracers may hold together.
const BUDGET: u64 = 200_000;

/// Requests of one life: more are a loop.
const MOST_REQUESTS: usize = 50_000;

/// One enrichment as its caller knows it.
#[derive(Debug)]
pub struct Said {
    pub key: String,
    pub session: String,
    pub fields: Value,
    pub end: Option<Result<String, Reason>>,
}

struct Tracer {
    number: u64,
    key: String,
    session: String,
    is_open: bool,
    totals: BTreeMap<String, f64>,
}

struct OnTheWay {
    flight: u64,
    scope: u64,
    session: (String, String),
    answer_at: u64,
    answer: Answer,
}

/// The simulated world.
pub struct World {
    random: fastrand::Rng,
    registry: Registry,
    backend: Backend,
    now: Now,
    tracers: Vec<Tracer>,
    pub said: BTreeMap<u64, Said>,
    flushes: BTreeSet<u64>,
    on_the_way: Vec<OnTheWay>,
    /// The request scopes that live; 0 alone where there are none.
    scopes: Vec<u64>,
    last_scope: u64,
    /// Whether scopes are torn down now and then, and others come.
    scopes_die: bool,
    /// When the loop of a scope runs next.
    wakes: BTreeMap<u64, u64>,
    /// Of a hundred requests, so many go wrong.
    fault_rate: u32,
    is_healed: bool,
    bug: Option<Bug>,
    swallowed: u64,
    last_bodies: BTreeMap<(String, String), String>,
    /// Method, path, timestamp and body of requests, by session.
    set_aside: BTreeMap<(String, String), (&'static str, String, u64, String)>,
    pub requests: usize,
}

impl World {
    pub fn new(seed: u64, bug: Option<Bug>) -> World {
        let mut random = fastrand::Rng::with_seed(seed);
        let backend = Backend { is_legacy: random.u8(..5) == 0, ..Backend::default() };
        let scopes = if random.bool() { vec![0] } else { vec![1, 2, 3, 4] };
        World {
            registry: Registry::new(random.u64(..), Numerals::STD),
            backend,
            now: Now { mono_ms: random.u64(..10_000), unix_ms: 1_700_000_000_000 },
            tracers: Vec::new(),
            said: BTreeMap::new(),
            flushes: BTreeSet::new(),
            on_the_way: Vec::new(),
            last_scope: scopes.len() as u64,
            scopes_die: scopes.len() > 1 && random.bool(),
            scopes,
            wakes: BTreeMap::new(),
            fault_rate: [0, 10, 30, 60, 90][random.usize(..5)],
            is_healed: false,
            bug,
            swallowed: 0,
            last_bodies: BTreeMap::new(),
            set_aside: BTreeMap::new(),
            requests: 0,
            random,
        }
    }

    /// Lives for `steps` steps, heals, comes to rest, and is checked.
    pub fn live(&mut self, steps: usize) -> Result<(), String> {
        for _ in 0..steps {
            self.step()?;
        }
        self.is_healed = true;
        self.fault_rate = 0;
        let mut patience = 0;
        while self.registry.scopes() > 0 || !self.on_the_way.is_empty() {
            self.pump()?;
            let next = self.on_the_way.iter().map(|sent| sent.answer_at).min();
            let next = next.into_iter().chain(self.wakes.values().copied()).min();
            let next = match next {
                Some(next) => next,
                None if self.registry.scopes() == 0 => break,
                // What torn down scopes left waits for the next request that comes.
                None if self.scopes_die => {
                    self.replace_scope(0);
                    self.wakes.insert(self.last_scope, 0);
                    self.now.mono_ms + 1_000
                }
                None => return Err("it is busy, but waits for nothing".into()),
            };
            self.now.mono_ms = self.now.mono_ms.max(next);
            patience += 1;
            if patience > 100_000 {
                return Err("it never comes to rest".into());
            }
        }
        self.check()
    }

    fn step(&mut self) -> Result<(), String> {
        if self.scopes_die && self.random.u8(..20) == 0 {
            let place = self.random.usize(..self.scopes.len());
            self.replace_scope(place);
        }
        match self.random.u8(..100) {
            0..4 => self.open(),
            4..60 => self.enrich(),
            60..66 => self.add_metrics(),
            66..69 => {
                let tracer = self.some_tracer().map_or(0, |tracer| self.tracers[tracer].number);
                let scope = self.scope();
                let timeout = self.random.u64(..60_000);
                let id = self.registry.flush(tracer, timeout, scope, self.now);
                self.flushes.insert(id);
            }
            69..70 => self.close(),
            70..72 => {
                // The wall clock jumps, back as well as forth.
                let jump = self.random.u64(..7_200_000);
                self.now.unix_ms = (self.now.unix_ms + jump).saturating_sub(3_600_000);
            }
            72..80 => self.pass(self.random.clone().u64(..3_000)),
            _ => self.pass(self.random.clone().u64(..50)),
        }
        self.pump()?;
        if self.registry.held() > BUDGET {
            return Err(format!("{} bytes are held", self.registry.held()));
        }
        Ok(())
    }

    fn pass(&mut self, ms: u64) {
        self.random.u64(..);
        self.now.mono_ms += ms;
        self.now.unix_ms += ms;
    }

    /// Where a call comes from; the loop of that scope is to run.
    fn scope(&mut self) -> u64 {
        let scope = self.scopes[self.random.usize(..self.scopes.len())];
        self.wakes.insert(scope, 0);
        scope
    }

    /// One request is torn down, together with all it waits for, and another one comes.
    fn replace_scope(&mut self, place: usize) {
        self.last_scope += 1;
        let dead = std::mem::replace(&mut self.scopes[place], self.last_scope);
        self.wakes.remove(&dead);
        self.on_the_way.retain(|sent| sent.scope != dead);
    }

    fn some_tracer(&mut self) -> Option<usize> {
        let open: Vec<usize> =
            (0..self.tracers.len()).filter(|place| self.tracers[*place].is_open).collect();
        (!open.is_empty()).then(|| open[self.random.usize(..open.len())])
    }

    fn open(&mut self) {
        let key = ["alpha", "beta"][self.random.usize(..2)];
        let named = match self.random.u8(..6) {
            0 => Some(format!("11111111-1111-4111-8111-11111111111{}", self.random.u8(..3))),
            1 => Some(format!("conversation {}", self.random.u8(..3))),
            _ => None,
        };
        let mut options = json!({
            "apiKey": key, "serverUrl": "https://hive.example", "redact": false,
            "maxQueueBytes": BUDGET, "logLevel": "silent", "onDrop": true,
            "deadlineMs": if self.random.u8(..10) == 0 { 5_000 } else { 100_000_000 },
            "mergeWindowMs": self.random.u64(..400),
            "start": json!({"inputs": {"first": self.random.u8(..)}, "config": {"at start": 1}}).to_string(),
        });
        if let Some(named) = &named {
            options["sessionId"] = json!(named);
            options["start"] = json!("{}");
        }
        let scope = self.scope();
        let info = self.registry.init(&options.to_string(), scope, self.now);
        self.tracers.push(Tracer {
            number: info.tracer,
            key: key.into(),
            session: info.session_id,
            is_open: true,
            totals: BTreeMap::new(),
        });
    }

    fn close(&mut self) {
        let Some(tracer) = self.some_tracer() else { return };
        let scope = self.scope();
        if self.random.bool() {
            self.registry.release(self.tracers[tracer].number, self.now);
        } else {
            let timeout = self.random.u64(..30_000);
            let id = self.registry.close(self.tracers[tracer].number, timeout, scope, self.now);
            self.flushes.insert(id);
        }
        self.tracers[tracer].is_open = false;
    }

    fn enrich(&mut self) {
        let Some(tracer) = self.some_tracer() else { return };
        let value = self.random.u32(..1_000);
        let key = ["a", "b", "c", "d"][self.random.usize(..4)];
        let fields = match self.random.u8(..14) {
            0..4 => json!({"metadata": {key: value}}),
            4 => json!({"outputs": {key: value}}),
            5 => json!({"outputs": [value]}),
            6 => json!({"config": {key: {"deep": value}}, "metadata": {"x": value}}),
            7 => json!({"feedback": {key: "x".repeat(value as usize)}}),
            8 => json!({"metrics": {key: value}, "duration": value}),
            9 => json!({"userProperties": {key: value}, "endTime": value}),
            10 => json!({"inputs": {key: value}}),
            11 => json!({"error": {"message": value}, "stray": value}),
            12 if self.random.u8(..8) == 0 => json!({"metadata": {"poison": value}}),
            _ => json!({}),
        };
        // Sometimes a session is named, by another tracer of the same key.
        let of_same_key = |other: &&Tracer| other.key == self.tracers[tracer].key;
        let others: Vec<String> =
            self.tracers.iter().filter(of_same_key).map(|other| other.session.clone()).collect();
        let named =
            (self.random.u8(..5) == 0).then(|| others[self.random.usize(..others.len())].clone());
        let scope = self.scope();
        let Tracer { number, key, session, .. } = &self.tracers[tracer];
        let session = named.clone().unwrap_or_else(|| session.clone());
        let in_flight = self.on_the_way.iter().any(|sent| sent.session.1 == session);
        let said = Said { key: key.clone(), session, fields: fields.clone(), end: None };
        if self.bug == Some(Bug::ForgetsWhatCameInFlight) && in_flight {
            self.swallowed += 1;
            let end = Some(Ok(said.session.clone()));
            self.said.insert(u64::MAX - self.swallowed, Said { end, ..said });
            return;
        }
        let id = self.registry.enrich(
            *number,
            named.as_deref(),
            fields.to_string(),
            scope,
            true,
            self.now,
        );
        self.said.insert(id, said);
    }

    fn add_metrics(&mut self) {
        let Some(place) = self.some_tracer() else { return };
        // Totals belong to a session: with two tracers of one session neither knows the sum.
        let session = &self.tracers[place].session;
        if self.tracers.iter().filter(|other| other.session == *session).count() > 1 {
            return;
        }
        let scope = self.scope();
        let increment = f64::from(self.random.u16(..100)) / 8.0;
        let tracer = &mut self.tracers[place];
        let json = json!({ "tokens": increment }).to_string();
        let id = self.registry.add_metrics(tracer.number, &json, scope, self.now);
        let total = tracer.totals.entry("tokens".into()).or_default();
        let before = *total;
        *total += increment;
        let said = Said {
            key: tracer.key.clone(),
            session: tracer.session.clone(),
            fields: json!({"metrics": {"tokens": *total}}),
            end: None,
        };
        self.said.insert(id, said);
        // What was refused at the door adds nothing.
        let _ = self.pump();
        if matches!(self.said[&id].end, Some(Err(Reason::QueueFull))) {
            self.tracers[place].totals.insert("tokens".into(), before);
        }
    }

    /// Lets the core do what it wants in the scopes that have a reason to look, and the network
    /// what it does.
    fn pump(&mut self) -> Result<(), String> {
        loop {
            let has_arrived = |sent: &OnTheWay| sent.answer_at <= self.now.mono_ms;
            while let Some(place) = self.on_the_way.iter().position(has_arrived) {
                let sent = self.on_the_way.remove(place);
                self.registry.answered(sent.flight, &sent.answer, self.now);
                self.wakes.insert(sent.scope, 0);
            }
            let is_due = |(_, at): &(&u64, &u64)| **at <= self.now.mono_ms;
            let Some(scope) = self.wakes.iter().find(is_due).map(|(scope, _)| *scope) else {
                return Ok(());
            };
            while let Some(output) = self.registry.poll(scope, self.now) {
                self.carry_out(output, scope)?;
            }
            self.wakes.remove(&scope);
            if self.registry.is_busy(scope)
                && let Some(at) = self.registry.wake_at(scope, self.now)
            {
                if at <= self.now.mono_ms {
                    return Err(format!("{scope} looks again and again"));
                }
                self.wakes.insert(scope, at);
            }
        }
    }

    fn carry_out(&mut self, output: Output, scope: u64) -> Result<(), String> {
        match output {
            Output::Send { flight, timeout_ms, request, .. } => {
                self.send((flight, scope), timeout_ms, request)
            }
            Output::Gone { scope, .. } if self.scopes.contains(&scope) => {
                Err(format!("{scope} is alive, and counts as gone"))
            }
            Output::Settled { ids, outcome } => {
                ids.into_iter().try_for_each(|id| self.settle(id, &outcome))
            }
            Output::Dropped { json, .. } => {
                serde_json::from_str::<Value>(&json).map(|_| ()).map_err(|error| error.to_string())
            }
            Output::Adopted { .. } | Output::Idle { .. } | Output::Gone { .. } | Output::Log(_) => {
                Ok(())
            }
        }
    }

    fn settle(&mut self, id: u64, outcome: &Outcome) -> Result<(), String> {
        if let Outcome::Flushed(_) = outcome {
            return if self.flushes.remove(&id) {
                Ok(())
            } else {
                Err(format!("flush {id} ended twice"))
            };
        }
        let Some(said) = self.said.get_mut(&id) else {
            return Err(format!("{id} was never said"));
        };
        if said.end.is_some() && self.bug != Some(Bug::TellsNobody) {
            return Err(format!("{id} ended twice"));
        }
        said.end = match outcome {
            _ if self.bug == Some(Bug::TellsNobody) && id.is_multiple_of(17) => None,
            Outcome::Delivered { session_id } => Some(Ok(session_id.to_string())),
            Outcome::Dropped { reason, .. } => Some(Err(*reason)),
            Outcome::Flushed(_) => None,
        };
        if self.bug == Some(Bug::EndsTwice) && id.is_multiple_of(11) {
            self.bug = None;
            return self.settle(id, outcome);
        }
        Ok(())
    }

    fn send(
        &mut self,
        flight: (u64, u64),
        timeout_ms: u64,
        request: Request,
    ) -> Result<(), String> {
        self.requests += 1;
        if self.requests > MOST_REQUESTS {
            return Err("it sends without end".into());
        }
        let headers: Value =
            serde_json::from_str(&request.headers).map_err(|_| "headers that are no JSON")?;
        let header = |name: &str| headers[name].as_str().unwrap_or_default();
        let key = header("authorization").trim_start_matches("Bearer ").to_owned();
        let mut stamp: u64 = header("hh-client-timestamp").parse().map_err(|_| "no timestamp")?;
        let path = request.url.trim_start_matches("https://hive.example").to_owned();
        let session = (key.clone(), session_of(&request, &path, &self.backend));
        if self.on_the_way.iter().any(|sent| sent.session == session) {
            return Err(format!("two requests of {session:?} are on their way"));
        }
        let mut body = request.body;
        match self.bug {
            Some(Bug::MergesOutputs) => body = self.merge_outputs(&session, body),
            Some(Bug::NewTimestampOnRetry) => {
                stamp = stamp.wrapping_add(self.random.u64(..1_000_000_000))
            }
            Some(Bug::WrongKey) if self.random.u8(..20) == 0 => {
                let (status, body) = self.backend.take(request.method, &path, "beta", stamp, &body);
                self.answer_later(flight, session, 5, http(status, body));
                return Ok(());
            }
            _ => {}
        }
        let delay = 1 + self.random.u64(..if self.is_healed { 50 } else { timeout_ms - 1 });
        let fault = self.random.u32(..100) < self.fault_rate;
        let answer = match if fault { self.random.u8(..7) } else { u8::MAX } {
            0 => Answer::None { why: "connection refused".into() },
            1 => http([500, 502, 503, 408][self.random.usize(..4)], String::new()),
            2 => Answer::Http {
                status: [429, 503][self.random.usize(..2)],
                retry_after: Some(RetryAfter::Seconds(self.random.u64(..4))),
                body: "<html>slow down".into(),
            },
            // Cut after the server has stored; told to have failed after it has stored.
            3 | 4 => {
                self.backend.take(request.method, &path, &key, stamp, &body);
                if fault && self.random.bool() {
                    Answer::None { why: "cut".into() }
                } else {
                    http(500, String::new())
                }
            }
            // Arrives twice.
            5 => {
                self.backend.take(request.method, &path, &key, stamp, &body);
                let (status, body) = self.backend.take(request.method, &path, &key, stamp, &body);
                http(status, body)
            }
            // Never answered: its lease runs out.
            6 => return Ok(()),
            _ => {
                let (status, body) = self.backend.take(request.method, &path, &key, stamp, &body);
                http(status, body)
            }
        };
        if self.bug == Some(Bug::RetriesOutOfOrder) {
            // A failed request goes aside, and is sent again behind the next one that is stored.
            if matches!(answer, Answer::None { .. }) {
                self.set_aside.insert(session.clone(), (request.method, path, stamp, body));
                let (status, body) = (200, format!(r#"{{"session_id":"{}"}}"#, session.1));
                self.answer_later(flight, session, delay, http(status, body));
                return Ok(());
            }
            if let Some((method, path, stamp, body)) = self.set_aside.remove(&session) {
                self.backend.take(method, &path, &key, stamp, &body);
            }
        }
        self.answer_later(flight, session, delay, answer);
        Ok(())
    }

    fn answer_later(
        &mut self,
        (flight, scope): (u64, u64),
        session: (String, String),
        delay: u64,
        answer: Answer,
    ) {
        let answer_at = self.now.mono_ms + delay;
        self.on_the_way.push(OnTheWay { flight, scope, session, answer_at, answer });
    }

    fn merge_outputs(&mut self, session: &(String, String), body: String) -> String {
        let Ok(mut given) = serde_json::from_str::<Value>(&body) else { return body };
        if let Some(outputs) = given.get_mut("outputs").and_then(Value::as_object_mut) {
            let last = self.last_bodies.entry(session.clone()).or_default();
            if let Ok(Value::Object(before)) = serde_json::from_str(last) {
                before.into_iter().for_each(|(key, value)| {
                    outputs.entry(key).or_insert(value);
                });
            }
            *last = Value::Object(outputs.clone()).to_string();
        }
        given.to_string()
    }

    /// The promises, once all is at rest.
    fn check(&self) -> Result<(), String> {
        if self.registry.held() != 0 && self.tracers.iter().all(|tracer| !tracer.is_open) {
            return Err(format!("{} bytes are held for nobody", self.registry.held()));
        }
        if let Some(id) = self.flushes.first() {
            return Err(format!("flush {id} never ended"));
        }
        let mut sessions: BTreeMap<(String, String), Vec<&Said>> = BTreeMap::new();
        for (id, said) in &self.said {
            if said.end.is_none() {
                return Err(format!("{id} never ended: {said:?}"));
            }
            let session = self.backend.renamed.get(&said.session).unwrap_or(&said.session);
            sessions.entry((said.key.clone(), session.clone())).or_default().push(said);
        }
        for (session, said) in &sessions {
            self.check_session(session, said).map_err(|why| format!("{session:?}: {why}"))?;
        }
        for (session, stored) in &self.backend.sessions {
            let mut last = (0, "");
            for (stamp, body) in &stored.history {
                if *stamp < last.0 || (*stamp == last.0 && body != last.1) {
                    return Err(format!(
                        "{session:?}: requests out of the order of their timestamps: {last:?}, then {stamp} {body}"
                    ));
                }
                // The same body under a new timestamp is a retry that hides that it is one.
                if body == last.1 && *stamp != last.0 && self.bug == Some(Bug::NewTimestampOnRetry)
                {
                    return Err(format!("{session:?}: a retry has a timestamp of its own"));
                }
                last = (*stamp, body);
            }
        }
        Ok(())
    }

    /// Whether the session is what sending each enrichment by itself, in order, makes of it.
    fn check_session(&self, session: &(String, String), said: &[&Said]) -> Result<(), String> {
        let Some(stored) = self.backend.sessions.get(session) else {
            return match said.iter().find(|said| matches!(said.end, Some(Ok(_)))) {
                Some(said) => Err(format!("delivered to no session: {said:?}")),
                None => Ok(()),
            };
        };
        // For each place the values that were written to it, in order, and whether delivered.
        let mut written: BTreeMap<(String, String), Vec<(Value, bool)>> = BTreeMap::new();
        for said in said {
            let delivered = matches!(said.end, Some(Ok(_)));
            for (field, value) in said.fields.as_object().into_iter().flatten() {
                let mut write = |field: &str, key: &str, value: &Value| {
                    let place = (field.to_owned(), key.to_owned());
                    written.entry(place).or_default().push((value.clone(), delivered));
                };
                match (field.as_str(), value) {
                    ("outputs", Value::Array(_)) => {
                        write("outputs", "", &json!({ "value": value }))
                    }
                    ("outputs" | "duration", _) => write(field, "", value),
                    ("endTime", _) => write("end_time", "", value),
                    ("inputs", _) => {}
                    ("metadata" | "config" | "feedback" | "metrics", Value::Object(members)) => {
                        members.iter().for_each(|(key, value)| write(field, key, value));
                    }
                    ("userProperties", Value::Object(members)) => {
                        members
                            .iter()
                            .for_each(|(key, value)| write("user_properties", key, value));
                    }
                    _ => write("metadata", field, value),
                }
            }
        }
        for ((field, key), values) in &written {
            let stored = stored.fields.get(field);
            let stored =
                if key.is_empty() { stored } else { stored.and_then(|field| field.get(key)) };
            let last = values.iter().rposition(|(_, delivered)| *delivered);
            // What was dropped may have been stored all the same: its answer was lost.
            let possible = &values[last.unwrap_or(0)..];
            let fits = match stored {
                Some(stored) => possible.iter().any(|(value, _)| same(value, stored)),
                None => last.is_none(),
            };
            if !fits {
                return Err(format!(
                    "{field}.{key} is {stored:?}, and one by one makes it {possible:?}"
                ));
            }
        }
        self.check_inputs(stored, said)
    }

    /// Inputs are in the session's start, or, if they came later, in `metadata.inputs`, which the
    /// next late ones replace.
    fn check_inputs(&self, stored: &super::backend::Stored, said: &[&Said]) -> Result<(), String> {
        let late = stored.fields.get("metadata").and_then(|metadata| metadata.get("inputs"));
        // What was dropped may have been stored all the same, and replaced what came before.
        let inputs: Vec<(&Value, bool)> = said
            .iter()
            .filter_map(|said| Some((said.fields.get("inputs")?, matches!(said.end, Some(Ok(_))))))
            .collect();
        let late_from = inputs.iter().rposition(|(inputs, _)| Some(*inputs) == late);
        for (place, (given, _)) in
            inputs.iter().enumerate().filter(|(_, (_, delivered))| *delivered)
        {
            let replaced = late_from.is_some_and(|late| place <= late);
            let started = given.as_object().into_iter().flatten().all(|(key, value)| {
                let overwritten =
                    inputs[place + 1..].iter().any(|(later, _)| later.get(key).is_some());
                overwritten
                    || stored.fields.get("inputs").and_then(|inputs| inputs.get(key)) == Some(value)
            });
            if !replaced && !started {
                return Err(format!("inputs {given} are lost: {:?}", stored.fields));
            }
        }
        Ok(())
    }
}

fn http(status: u16, body: String) -> Answer {
    Answer::Http { status, retry_after: None, body }
}

/// Equal, with whole numbers equal to their floating twins.
fn same(a: &Value, b: &Value) -> bool {
    a == b || (a.is_number() && a.as_f64() == b.as_f64())
}

fn session_of(request: &Request, path: &str, backend: &Backend) -> String {
    let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
    let id = [&body["session"]["session_id"], &body["session_id"], &body["event_id"]]
        .into_iter()
        .find_map(Value::as_str)
        .unwrap_or_else(|| path.trim_start_matches("/v1/events/"));
    backend.renamed.get(id).cloned().unwrap_or_else(|| id.to_owned())
}
