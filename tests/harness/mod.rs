//! A core on a bench: its network is plain facts, its clock goes as far as it is told.

#![allow(dead_code, reason = "each test uses what it needs of it")]

use honeyhive_edge::core::json::Numerals;
use honeyhive_edge::core::outcome::{Outcome, Output, Reason, TracerInfo};
use honeyhive_edge::core::registry::{Registry, Turn};
use honeyhive_edge::core::time::Now;
use honeyhive_edge::core::wire::{Answer, Request};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The server that its tracers are given.
pub const SERVER: &str = "https://hive.example";

/// A core, the time, and what was sent, settled and said.
pub struct Bench {
    pub registry: Registry,
    pub now: Now,
    /// What the server makes of a request.
    pub answer: Box<dyn FnMut(&Request) -> Answer>,
    pub requests: Vec<Request>,
    on_the_way: Vec<(u64, u64, Answer)>,
    /// Milliseconds after which a request is answered.
    pub latency_ms: u64,
    /// Whether requests are not answered at all, and end at their timeout.
    pub hangs: bool,
    /// Requests on their way at the same time, at most.
    pub most_at_once: usize,
    /// Requests that were to be aborted.
    pub aborted: usize,
    pub settled: Vec<(u64, Outcome)>,
    /// What `onDrop` was told, as JSON.
    pub drops: Vec<String>,
    pub lines: Vec<String>,
    /// Tracers that were said to be idle, each time.
    pub idle: Vec<u64>,
    /// Tracers that have work, as the core has said: whose `fetch` and `onDrop` can be called.
    pub busy: BTreeSet<u64>,
    /// What was sent or told for a tracer whose functions the shell did not hold any more.
    pub unreachable: Vec<String>,
    /// What a browser's store holds, under the numbers of one page; and what earlier pages left.
    pub store: BTreeMap<i64, String>,
    /// Whether each request was to outlive the page.
    pub keepalive: Vec<bool>,
    /// Whether each request was to use none of the site's connections.
    pub is_apart: Vec<bool>,
    /// The number of the `fetch` that each request was sent with.
    pub sent_with: Vec<u32>,
    /// Those that reach no server.
    pub broken: BTreeSet<u32>,
    /// Tracers that were made, each with a session of its own.
    inits: u32,
    /// The `fetch` of those that came with one.
    transports: BTreeMap<u64, u32>,
    /// What a function that gives tickets comes to, if it answers at all.
    pub give: Box<dyn FnMut(Now) -> Option<Result<String, String>>>,
    /// Milliseconds that it takes.
    pub gives_after_ms: u64,
    /// How often it was asked.
    pub asked: usize,
    given: Vec<(u64, u64, Result<String, String>)>,
}

/// An answer that says so much.
pub fn status(status: u16, body: &str) -> Answer {
    Answer::Http { status, retry_after: None, body: body.into() }
}

impl Bench {
    pub fn new(answer: impl FnMut(&Request) -> Answer + 'static) -> Bench {
        Bench {
            registry: Registry::new(1, Numerals::STD),
            now: Now { mono_ms: 1_000, unix_ms: 1_700_000_000_000 },
            answer: Box::new(answer),
            requests: Vec::new(),
            on_the_way: Vec::new(),
            latency_ms: 5,
            hangs: false,
            most_at_once: 0,
            aborted: 0,
            settled: Vec::new(),
            drops: Vec::new(),
            lines: Vec::new(),
            idle: Vec::new(),
            busy: BTreeSet::new(),
            unreachable: Vec::new(),
            store: BTreeMap::new(),
            keepalive: Vec::new(),
            is_apart: Vec::new(),
            sent_with: Vec::new(),
            broken: BTreeSet::new(),
            inits: 0,
            transports: BTreeMap::new(),
            give: Box::new(|_| None),
            gives_after_ms: 3,
            asked: 0,
            given: Vec::new(),
        }
    }

    /// A tracer with these options beside the usual ones.
    pub fn init(&mut self, more: Value) -> TracerInfo {
        let mut options = json!({"apiKey": "sekret", "serverUrl": SERVER, "onDrop": true});
        self.inits += 1;
        options["newSessionId"] = json!(format!("00000000-0000-4000-8000-{:012}", self.inits));
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let info = self.registry.init(&options.to_string(), 0, self.now).unwrap();
        if info.enabled {
            self.busy.insert(info.tracer);
        }
        if let Some(transport) = options["transport"].as_u64() {
            self.transports.insert(info.tracer, transport as u32);
        }
        self.hear_busy();
        info
    }

    /// A call of `enrichSession`; tracer 0 is a bare one.
    pub fn enrich(&mut self, tracer: u64, session: Option<&str>, fields: Value) -> u64 {
        let id =
            self.registry.enrich(tracer, session, fields.to_string(), 0, tracer != 0, self.now);
        self.hear_busy();
        id
    }

    /// A call of `enrichEvent`; tracer 0 is a bare one.
    pub fn enrich_event(&mut self, tracer: u64, event: &str, fields: Value) -> u64 {
        let json = fields.to_string();
        let id = self.registry.enrich_event(tracer, event, json, 0, tracer != 0, self.now);
        self.hear_busy();
        id
    }

    /// Holds what came with the tracers that have work, as the shell does at the end of each call.
    pub fn hear_busy(&mut self) {
        while let Some(tracer) = self.registry.next_busy() {
            assert!(self.busy.insert(tracer), "{tracer} is busy twice");
        }
    }

    /// Whether a tracer with this `fetch` has work.
    fn reaches(&self, transport: u32) -> bool {
        let has_it = |(tracer, of): (&u64, &u32)| *of == transport && self.busy.contains(tracer);
        transport == 0 || self.transports.iter().any(has_it)
    }

    /// Does what the core wants, each request answered after the latency, for `ms`.
    pub fn run(&mut self, ms: u64) {
        let end = self.now.mono_ms + ms;
        loop {
            self.hear_busy();
            while let Some(output) = self.registry.poll(0, self.now) {
                match output {
                    Output::Send {
                        flight,
                        request,
                        keepalive,
                        is_apart,
                        transport,
                        timeout_ms,
                    } => {
                        if !self.reaches(transport) {
                            self.unreachable.push(request.body.clone());
                        }
                        self.keepalive.push(keepalive);
                        self.is_apart.push(is_apart);
                        self.sent_with.push(transport);
                        let late = format!("no answer within {timeout_ms} ms");
                        let (answer, after_ms) = match self.broken.contains(&transport) {
                            true => (
                                Answer::None { why: "this fetch is broken".into() },
                                self.latency_ms,
                            ),
                            false if self.hangs => (Answer::None { why: late }, timeout_ms),
                            false => ((self.answer)(&request), self.latency_ms),
                        };
                        let at = self.now.mono_ms + after_ms;
                        self.on_the_way.push((at, flight, answer));
                        self.most_at_once = self.most_at_once.max(self.on_the_way.len());
                        self.requests.push(*request);
                    }
                    Output::Abort { flight } => {
                        self.on_the_way.retain(|(_, it, _)| *it != flight);
                        self.aborted += 1;
                    }
                    Output::Settled { ids, outcome } => {
                        self.settled.extend(ids.into_iter().map(|id| (id, (*outcome).clone())));
                    }
                    Output::Dropped { tracer, json } => {
                        if !self.busy.contains(&tracer) {
                            self.unreachable.push(json.clone());
                        }
                        self.drops.push(json);
                    }
                    Output::Keep { id, json } => {
                        self.store.insert(id as i64, json);
                    }
                    Output::Forget { ids } => {
                        for id in ids {
                            assert!(self.store.remove(&id).is_some(), "{id} is forgotten twice");
                        }
                    }
                    Output::Log(line) => self.lines.push(line.message),
                    Output::Idle { tracer } => {
                        assert!(self.busy.remove(&tracer), "{tracer} is idle twice");
                        self.idle.push(tracer);
                    }
                    Output::AskTicket { tracer, timeout_ms } => {
                        self.asked += 1;
                        if !self.busy.contains(&tracer) {
                            self.unreachable.push("ticket".into());
                        }
                        let given = (self.give)(self.now);
                        let (after_ms, given) = match given {
                            Some(given) => (self.gives_after_ms, given),
                            None => (timeout_ms, Err(format!("no ticket within {timeout_ms} ms"))),
                        };
                        self.given.push((self.now.mono_ms + after_ms, tracer, given));
                    }
                    Output::TornDown { .. } => {}
                }
            }
            let wake_at = self.registry.wake_at(0, self.now);
            let next = self.on_the_way.iter().map(|(at, ..)| *at).fold(wake_at, u64::min);
            let next = self.given.iter().map(|(at, ..)| *at).fold(next, u64::min);
            if next > end {
                break;
            }
            self.wait(next.saturating_sub(self.now.mono_ms));
            while let Some(place) = self.given.iter().position(|(at, ..)| *at <= self.now.mono_ms) {
                let (_, tracer, given) = self.given.remove(place);
                let given = given.as_deref().map_err(|why| why.as_str());
                self.registry.set_ticket(tracer, given, true, 0, self.now);
            }
            while let Some(place) =
                self.on_the_way.iter().position(|(at, ..)| *at <= self.now.mono_ms)
            {
                let (_, flight, answer) = self.on_the_way.remove(place);
                self.registry.finish_request(flight, &answer, self.now);
            }
        }
        self.wait(end - self.now.mono_ms);
    }

    fn wait(&mut self, ms: u64) {
        self.now.mono_ms += ms;
        self.now.unix_ms += ms;
    }

    pub fn end_of(&self, id: u64) -> Option<&Outcome> {
        self.settled.iter().find(|(settled, _)| *settled == id).map(|(_, outcome)| outcome)
    }

    pub fn reason_of(&self, id: u64) -> Option<Reason> {
        match self.end_of(id)? {
            Outcome::Dropped { reason, .. } => Some(*reason),
            _ => None,
        }
    }

    pub fn is_delivered(&self, id: u64) -> bool {
        matches!(self.end_of(id), Some(Outcome::Delivered { .. }))
    }

    /// How many requests are on their way.
    pub fn in_flight(&self) -> usize {
        self.on_the_way.len()
    }

    /// What the request with this number said.
    pub fn body(&self, request: usize) -> Value {
        serde_json::from_str(&self.requests[request].body).unwrap()
    }
}

/// A server that stores everything.
pub fn stores(_: &Request) -> Answer {
    status(200, r#"{"success":true}"#)
}

/// No network.
pub fn gone(_: &Request) -> Answer {
    Answer::None { why: "Failed to fetch".into() }
}

/// A page with a store, in which `left` is what earlier pages left.
pub fn page(answer: impl FnMut(&Request) -> Answer + 'static, left: &[String]) -> Bench {
    let mut bench = Bench::new(answer);
    for (place, json) in left.iter().enumerate() {
        bench.store.insert(-1 - place as i64, json.clone());
    }
    bench.registry.restore(&json!(left).to_string(), 0, bench.now);
    bench.registry.turn(Turn::GoesOn { in_document: true }, bench.now);
    bench
}

/// What a page that was killed left of `store`.
pub fn left(bench: &Bench) -> Vec<String> {
    bench.store.values().cloned().collect()
}

/// Nanoseconds since the Unix epoch.
pub fn stamp(request: &Request) -> u64 {
    let headers: Value = serde_json::from_str(&request.headers).unwrap();
    headers["hh-client-timestamp"].as_str().unwrap().parse().unwrap()
}
