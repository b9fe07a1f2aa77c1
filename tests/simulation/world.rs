//! One simulated life of the core: tracers, enrichments, a network with faults, clocks that jump.
//! Everything follows from the seed, so that a failure can be replayed.

use std::collections::{BTreeMap, BTreeSet};

use honeyhive_edge::core::concurrency::Place;
use honeyhive_edge::core::json::Numerals;
use honeyhive_edge::core::outcome::Reason;
use honeyhive_edge::core::registry::Registry;
use honeyhive_edge::core::session::SessionId;
use honeyhive_edge::core::time::Now;
use honeyhive_edge::core::wire::Answer;
use serde_json::{Value, json};

use super::backend::Backend;
use super::bugs::Bug;

/// Bytes that the simulated tracers may hold together.
const BUDGET: u64 = 100_000;

/// One enrichment as its caller knows it.
#[derive(Debug)]
pub struct Said {
    pub key: String,
    pub session: String,
    pub fields: Value,
    pub end: Option<Result<String, Reason>>,
}

pub struct Tracer {
    number: u64,
    key: String,
    session: String,
    pub is_open: bool,
    totals: BTreeMap<String, f64>,
}

/// An answer on its way back.
pub struct OnTheWay {
    pub flight: u64,
    /// Where it was sent.
    pub scope: u64,
    pub session: (String, String),
    pub answer_at: u64,
    pub answer: Answer,
    /// The core has given up on it, or has another answer already.
    pub is_stray: bool,
}

/// The simulated world.
pub struct World {
    pub random: fastrand::Rng,
    /// Decides how a session's id is written. By itself, so that older seeds live on.
    aliases: fastrand::Rng,
    pub registry: Registry,
    pub place: Place,
    pub backend: Backend,
    pub now: Now,
    pub tracers: Vec<Tracer>,
    pub said: BTreeMap<u64, Said>,
    /// What sessions were started with, each after which enrichment.
    pub starts: Vec<(u64, Said)>,
    pub flushes: BTreeSet<u64>,
    pub on_the_way: Vec<OnTheWay>,
    /// The request scopes that live; 0 alone where there are none.
    pub scopes: Vec<u64>,
    pub last_scope: u64,
    /// Whether scopes are torn down now and then, and others come.
    pub scopes_die: bool,
    /// When the loop of a scope runs next.
    pub wakes: BTreeMap<u64, u64>,
    /// Of a hundred requests, so many go wrong.
    pub fault_rate: u32,
    pub is_healed: bool,
    /// Some runtimes have only a wall clock, for windows and deadlines as well.
    pub has_forward_clock: bool,
    pub bug: Option<Bug>,
    pub swallowed: u64,
    pub last_bodies: BTreeMap<(String, String), String>,
    /// Method, path, timestamp and body of requests, by session.
    pub set_aside: BTreeMap<(String, String), (&'static str, String, u64, String)>,
    pub requests: usize,
}

impl World {
    pub fn new(seed: u64, bug: Option<Bug>) -> World {
        let mut random = fastrand::Rng::with_seed(seed);
        let backend = Backend { is_legacy: random.u8(..5) == 0, ..Backend::default() };
        let scopes = if random.bool() { vec![0] } else { vec![1, 2, 3, 4] };
        // A page has one scope, an edge runtime one for each request. A server has one, or some where the
        // application brings its own `waitUntil`.
        let server = fastrand::Rng::with_seed(seed.rotate_left(7)).bool();
        let place = match scopes.len() {
            _ if server => Place::ServerProcess,
            1 => Place::Page,
            _ => Place::EdgeRequest,
        };
        World {
            registry: Registry::new(random.u64(..), Numerals::STD).in_place(place),
            place,
            backend,
            now: Now { mono_ms: random.u64(..10_000), unix_ms: 1_700_000_000_000 },
            tracers: Vec::new(),
            said: BTreeMap::new(),
            starts: Vec::new(),
            flushes: BTreeSet::new(),
            on_the_way: Vec::new(),
            last_scope: scopes.len() as u64,
            scopes_die: scopes.len() > 1 && random.bool(),
            scopes,
            wakes: BTreeMap::new(),
            fault_rate: [0, 10, 30, 60, 90][random.usize(..5)],
            is_healed: false,
            has_forward_clock: random.u8(..8) != 0,
            bug,
            swallowed: 0,
            last_bodies: BTreeMap::new(),
            set_aside: BTreeMap::new(),
            requests: 0,
            aliases: fastrand::Rng::with_seed(!seed),
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
        // What nobody holds is let go when somebody looks.
        self.now.mono_ms += 3_600_000;
        while let Some(output) = self.registry.poll(0, self.now) {
            self.carry_out(output, 0)?;
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
                if !self.has_forward_clock {
                    self.set_clock((self.now.mono_ms + jump / 100).saturating_sub(36_000));
                }
            }
            72..80 => {
                let ms = self.random.u64(..3_000);
                self.pass(ms);
            }
            // The lid is closed for an hour.
            80 if self.random.u8(..20) == 0 => self.pass(3_600_000),
            _ => {
                let ms = self.random.u64(..50);
                self.pass(ms);
            }
        }
        if self.registry.held() > BUDGET {
            return Err(format!("{} bytes are held", self.registry.held()));
        }
        self.pump()
    }

    /// The only clock is set to another time. Where it is set back, what is on its way takes as long as before.
    fn set_clock(&mut self, mono_ms: u64) {
        let before = std::mem::replace(&mut self.now.mono_ms, mono_ms);
        let back = before.saturating_sub(mono_ms);
        let moved = |at: u64| at.saturating_sub(back);
        for sent in &mut self.on_the_way {
            sent.answer_at = moved(sent.answer_at);
        }
        for at in self.wakes.values_mut().filter(|at| **at > 0) {
            *at = moved(*at);
        }
    }

    fn pass(&mut self, ms: u64) {
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
        });
        let (high, low) = (self.random.u32(..), self.random.u64(..1 << 48));
        options["newSessionId"] = json!(format!("{high:08x}-0000-4000-8000-{low:012x}"));
        let named = named.map(|named| self.spelling(named));
        if let Some(named) = &named {
            options["sessionId"] = json!(named);
        }
        let value = self.random.u8(..);
        let fields = match self.random.u8(..3) {
            0 => json!({}),
            1 => json!({"inputs": {"first": value}, "config": {"a": value}}),
            _ => json!({"metadata": {"a": value, "x": value}, "userProperties": {"b": value}}),
        };
        options["start"] = json!(fields.to_string());
        let scope = self.scope();
        let info = self.registry.init(&options.to_string(), scope, self.now).unwrap();
        let after = self.said.range(..u64::MAX / 2).next_back().map_or(0, |(id, _)| *id);
        let (key_of, session) = (key.into(), info.session_id.to_string());
        // Nobody is told what becomes of it.
        let end = Some(Err(Reason::Closed));
        self.starts.push((after, Said { key: key_of, session, fields, end }));
        self.tracers.push(Tracer {
            number: info.tracer,
            key: key.into(),
            session: info.session_id.to_string(),
            is_open: true,
            totals: BTreeMap::new(),
        });
    }

    /// A way to write the session's id: in upper case, or as the name that it stands for.
    fn spelling(&mut self, session: String) -> String {
        let names = (0..3).map(|number| format!("conversation {number}"));
        let stands_for =
            |name: &String| SessionId::new(name).is_some_and(|id| id.to_string() == session);
        match self.aliases.u8(..3) {
            0 if SessionId::from_uuid(&session).is_some() => session.to_uppercase(),
            1 => names.into_iter().find(stands_for).unwrap_or(session),
            _ => session,
        }
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
        let spelled = named.clone().map(|named| self.spelling(named));
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
            spelled.as_deref(),
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
}
