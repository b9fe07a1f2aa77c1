//! The exporter of spans with a model of the face around it: random lives of servers' processes, Workers and pages,
//! on a network that loses requests and answers, before a backend that fails in every way and says every
//! `Retry-After`. Each export's end is told once and truly, nothing of one request is sent in another, and once all
//! has ended nothing is held.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use honeyhive_edge::core::concurrency::Place;
use honeyhive_edge::core::json::Numerals;
use honeyhive_edge::core::retry::RetryAfter;
use honeyhive_edge::core::spans::exporter::{ExportAction, Exporter};
use honeyhive_edge::core::time::Now;
use honeyhive_edge::core::wire::{Answer, Request};
use serde_json::{Value, json};

const STATUSES: [u16; 24] = [
    0, 200, 202, 204, 301, 307, 400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 425, 429, 500,
    501, 502, 503, 504, 599,
];

/// How the backend is for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Well,
    /// Only what may pass, now and then.
    Shaky,
    /// Anything.
    Mad,
    /// No answer comes.
    Silent,
}

/// A request on its way.
struct Flight {
    scope: u64,
    flight: u64,
    /// When its answer comes; never, where its request was torn down.
    at: u64,
    answer: Answer,
}

struct Export {
    scope: u64,
    names: Vec<String>,
    /// Whether a further span of it could not be read.
    has_unreadable: bool,
    /// `Some(None)` where it was told that all of it is stored.
    end: Option<Option<String>>,
    ended_at: u64,
    given_at: u64,
}

/// One life.
pub struct Life {
    random: fastrand::Rng,
    exporter: Exporter,
    place: Place,
    now: Now,
    mood: Mood,
    is_mild: bool,
    deadline_ms: u64,
    timeout_ms: u64,
    /// When the face runs the loop of each scope again.
    loops: BTreeMap<u64, u64>,
    flights: Vec<Flight>,
    exports: BTreeMap<u64, Export>,
    /// The export that each span was in.
    owners: HashMap<String, u64>,
    stored: BTreeSet<String>,
    torn_down: BTreeSet<u64>,
    spans: u64,
    last_scope: u64,
    /// Requests that were sent.
    pub requests: usize,
    /// Exports, by how they ended.
    pub ends: BTreeMap<String, usize>,
}

/// The names of the spans in a request.
fn names(request: &Request) -> Vec<String> {
    let after = request.body.split("\"name\":\"").skip(1);
    after.filter_map(|text| Some(text.split_once('"')?.0.to_owned())).collect()
}

impl Life {
    /// The life of this seed, before anything has happened.
    pub fn new(seed: u64) -> Life {
        let mut random = fastrand::Rng::with_seed(seed);
        let place = [Place::ServerProcess, Place::EdgeRequest, Place::Page][random.usize(..3)];
        // Nothing but short trouble that may pass, room and time enough: nothing may be lost.
        let is_mild = random.bool();
        let deadline_ms =
            if is_mild { 600_000 } else { [0, 300, 3_000, 30_000][random.usize(..4)] };
        let timeout_ms = [100, 1_000, 5_000][random.usize(..3)];
        let max_queue_bytes =
            if is_mild { 1 << 30 } else { [0, 1_000, 20_000, 1 << 30][random.usize(..4)] };
        let window_ms = [0, 200, 2_000][random.usize(..3)];
        let at_once = [1, 3, 256][random.usize(..3)];
        let options = json!({
            "apiKey": "sekret", "serverUrl": "https://hive.example", "deadlineMs": deadline_ms,
            "timeoutMs": timeout_ms, "maxQueueBytes": max_queue_bytes,
            "mergeWindowMs": window_ms,
            "maxConcurrency": at_once,
        });
        let exporter = Exporter::new(&options.to_string(), Numerals::STD, place, seed);
        Life {
            random,
            exporter,
            place,
            now: Now { mono_ms: 1_000, unix_ms: 1_700_000_000_000 },
            mood: Mood::Well,
            is_mild,
            deadline_ms,
            timeout_ms,
            loops: BTreeMap::new(),
            flights: Vec::new(),
            exports: BTreeMap::new(),
            owners: HashMap::new(),
            stored: BTreeSet::new(),
            torn_down: BTreeSet::new(),
            spans: 0,
            last_scope: 0,
            requests: 0,
            ends: BTreeMap::new(),
        }
    }

    /// Lives, and checks what has to be true at each step and at the end.
    pub fn live(&mut self) -> Result<(), String> {
        for _ in 0..self.random.usize(1..60) {
            match self.random.u8(..10) {
                0..5 => self.export(),
                5 if self.is_mild => self.mood = [Mood::Well, Mood::Shaky][self.random.usize(..2)],
                5 => {
                    let moods = [Mood::Well, Mood::Shaky, Mood::Mad, Mood::Silent];
                    self.mood = moods[self.random.usize(..4)];
                }
                6 => self.hurry(),
                7 if !self.is_mild => self.tear_down(),
                _ => {}
            }
            let pause = [0, 1, 30, 250, 4_000][self.random.usize(..5)];
            self.pass(pause)?;
        }
        self.end()
    }

    fn scope(&mut self) -> u64 {
        if self.place != Place::EdgeRequest {
            return 0;
        }
        if self.last_scope == 0 || self.random.u8(..3) == 0 {
            self.last_scope += 1;
        }
        self.last_scope
    }

    fn export(&mut self) {
        let scope = self.scope();
        let names: Vec<String> = (0..self.random.usize(..6))
            .map(|_| {
                self.spans += 1;
                let is_bad = !self.is_mild && self.random.u8(..20) == 0;
                let kind = if is_bad { "bad" } else { "good" };
                format!("{kind} {}", self.spans)
            })
            .collect();
        let length = [1, 50, 3_000, 20_000, 400_000]
            [[0, 1, 2, 1, 3, 0, 1, 2, 1, 4][self.random.usize(..10)]];
        let text = "x".repeat(length);
        let resources = self.random.usize(1..3);
        let spans: Vec<Value> = names
            .iter()
            .map(|name| {
                let resource = self.random.usize(..resources);
                json!({"resource": resource, "scope": 0, "name": name, "attributes": {"text": text}})
            })
            .collect();
        let all: Vec<Value> =
            (0..resources).map(|at| json!({"attributes": {"r": "r".repeat(at * 500)}})).collect();
        let origins = json!({"resources": all, "scopes": [{}]});
        let (mut part, mut items) = (0, vec![origins.clone()]);
        for span in spans {
            if self.random.u8(..8) == 0 {
                part = self.exporter.give(part, &Value::from(items).to_string());
                items = vec![origins.clone()];
            }
            let mut parts = vec![Value::Null; 21];
            for (place, name) in [(0, "resource"), (1, "scope"), (16, "name"), (18, "attributes")] {
                parts[place] = span[name].clone();
            }
            items.push(Value::from(parts));
        }
        let has_unreadable = self.random.u8(..30) == 0;
        if has_unreadable {
            items.insert(self.random.usize(1..=items.len()), "it throws".into());
        }
        let last = Value::from(items).to_string();
        let accepted = self.exporter.export(part, &last, scope, self.now);
        let (given_at, ended_at) = (self.now.mono_ms, 0);
        self.owners.extend(names.iter().map(|name| (name.clone(), accepted.call)));
        let export = Export { scope, names, has_unreadable, end: None, ended_at, given_at };
        self.exports.insert(accepted.call, export);
        if accepted.needs_poll {
            self.loops.insert(scope, self.now.mono_ms);
        }
    }

    fn hurry(&mut self) {
        if self.exporter.hurry(self.last_scope, self.now) {
            self.loops.insert(self.last_scope, self.now.mono_ms);
        }
    }

    /// The runtime ends a request with all that it had: nobody tells of its answers any more.
    fn tear_down(&mut self) {
        let scope = self.last_scope;
        if scope == 0 {
            return;
        }
        self.last_scope += 1;
        self.torn_down.insert(scope);
        self.loops.remove(&scope);
        self.flights.retain(|flight| flight.scope != scope);
    }

    /// So many milliseconds pass, with all that happens in them.
    fn pass(&mut self, ms: u64) -> Result<(), String> {
        let end = self.now.mono_ms + ms;
        loop {
            let answer_at = self.flights.iter().map(|it| it.at).min();
            let loop_at = self.loops.values().copied().min();
            let Some(at) = answer_at.into_iter().chain(loop_at).min().filter(|at| *at <= end)
            else {
                self.go_to(end);
                return Ok(());
            };
            self.go_to(at);
            let due: Vec<Flight> = self.flights.extract_if(.., |it| it.at <= at).collect();
            for Flight { scope, flight, answer, .. } in due {
                self.exporter.answered(flight, &answer, self.now);
                self.loops.insert(scope, at);
            }
            let due: Vec<u64> =
                self.loops.extract_if(.., |_, it| *it <= at).map(|it| it.0).collect();
            for scope in due {
                self.run(scope)?;
            }
        }
    }

    fn go_to(&mut self, at: u64) {
        let ms = at.saturating_sub(self.now.mono_ms);
        self.now = Now { mono_ms: self.now.mono_ms + ms, unix_ms: self.now.unix_ms + ms };
    }

    /// Runs the loop of a scope until it waits.
    fn run(&mut self, scope: u64) -> Result<(), String> {
        for _ in 0..100_000 {
            match self.exporter.next(scope, self.now) {
                ExportAction::Rest => return Ok(()),
                ExportAction::Wait(ms) => {
                    let at = ms.map_or(u64::MAX, |ms| self.now.mono_ms + ms);
                    if at == u64::MAX && !self.flights.iter().any(|it| it.scope == scope) {
                        return Err(format!("scope {scope} waits for an answer that nobody gives"));
                    }
                    self.loops.insert(scope, at);
                    return Ok(());
                }
                ExportAction::Log(line) => {
                    if line.message.contains("sekret") {
                        return Err(format!("the key is in the log: {}", line.message));
                    }
                }
                ExportAction::Ended { call, why } => self.ended(call, why)?,
                ExportAction::Send { flight, timeout_ms, request, .. } => {
                    self.send(scope, flight, timeout_ms, &request)?;
                }
            }
        }
        Err(format!("scope {scope} never rests"))
    }

    fn ended(&mut self, call: u64, why: Option<String>) -> Result<(), String> {
        let (now_ms, is_mild) = (self.now.mono_ms, self.is_mild);
        let export = self.exports.get_mut(&call).ok_or("an end of nothing")?;
        if export.end.is_some() {
            return Err(format!("the end of {call} was told twice"));
        }
        let is_stored = export.names.iter().all(|name| self.stored.contains(name));
        let told = why.as_deref().unwrap_or_default();
        let tells_unreadable = told == "invalid: a span could not be read: it throws";
        if tells_unreadable != export.has_unreadable {
            return Err(format!("of a span of {call} that could not be read: {why:?}"));
        }
        if why.is_none() && !is_stored {
            return Err(format!("{call} was told as stored, and is not"));
        }
        if let Some(why) = &why {
            // The others of an export with one that could not be read are delivered like any.
            let loss_is_right = (!is_mild || tells_unreadable && is_stored)
                && (!why.starts_with("rejected")
                    || why.contains("refused the API key")
                    || why.contains("redirects")
                    || why.contains("rejected the request")
                    || why.contains("does not answer as HoneyHive"));
            if !loss_is_right {
                return Err(format!("{call} was given up: {why}"));
            }
        }
        let code = why.as_deref().map_or("stored", |why| why.split(':').next().unwrap_or(""));
        *self.ends.entry(code.to_owned()).or_default() += 1;
        export.end = Some(why);
        export.ended_at = now_ms;
        Ok(())
    }

    fn send(
        &mut self,
        scope: u64,
        flight: u64,
        timeout_ms: u64,
        request: &Request,
    ) -> Result<(), String> {
        self.requests += 1;
        let sent = names(request);
        let distinct: BTreeSet<&String> = sent.iter().collect();
        if distinct.len() != sent.len() || sent.is_empty() {
            return Err("a span is in a request twice, or none is".into());
        }
        if self.requests.is_multiple_of(16) && serde_json::from_str::<Value>(&request.body).is_err()
        {
            return Err("a body is no JSON".into());
        }
        if request.body.len() > 5_000_000 {
            return Err("a request is larger than the backend takes".into());
        }
        if timeout_ms > self.timeout_ms {
            return Err(format!("a request may take {timeout_ms} ms"));
        }
        for name in &sent {
            let export = self.owners.get(name).and_then(|call| self.exports.get(call));
            let Some(export) = export else { return Err("a span of nobody".into()) };
            if export.scope != scope {
                return Err(format!("scope {scope} sends a span of scope {}", export.scope));
            }
            if export.end.is_some() && export.names.len() == 1 {
                return Err("what was told as ended is sent".into());
            }
        }
        let most = match self.place {
            Place::Page => 2,
            Place::EdgeRequest => 6,
            Place::ServerProcess => 256,
        };
        let of_scope = self.flights.iter().filter(|it| it.scope == scope).count();
        if of_scope + 1 > most {
            return Err(format!("{} requests at once", of_scope + 1));
        }
        let (is_stored, status) = self.fate(&sent);
        if is_stored {
            self.stored.extend(sent);
        }
        let latency = [1, 20, 100, 300][self.random.usize(..4)].min(timeout_ms);
        let (ms, answer) = match status {
            None => (timeout_ms, Answer::None { why: "no answer".into() }),
            Some(status) => (latency, self.http(status)),
        };
        self.flights.push(Flight { scope, flight, at: self.now.mono_ms + ms, answer });
        Ok(())
    }

    /// Whether what is sent is stored, and how that is answered.
    fn fate(&mut self, sent: &[String]) -> (bool, Option<u16>) {
        let is_bad = sent.iter().any(|name| name.starts_with("bad"));
        let refusal = [400, 413, 422][self.random.usize(..3)];
        let chance = self.random.u8(..100);
        match self.mood {
            Mood::Silent => (self.random.bool() && !is_bad, None),
            Mood::Mad if chance < 80 => {
                let status = STATUSES[self.random.usize(..STATUSES.len())];
                ((200..300).contains(&status), Some(status))
            }
            // Stored, and the answer is lost.
            Mood::Shaky | Mood::Mad if chance < 10 && !is_bad => (true, None),
            Mood::Shaky if chance < 35 => {
                (false, Some([408, 425, 429, 500, 503][self.random.usize(..5)]))
            }
            _ if is_bad => (false, Some(refusal)),
            _ => (true, Some(200)),
        }
    }

    fn http(&mut self, status: u16) -> Answer {
        let unix_ms = self.now.unix_ms;
        let retry_after = match self.random.u8(..8) {
            0 => Some(RetryAfter::Seconds(0)),
            1 => Some(RetryAfter::Seconds(1)),
            2 if !self.is_mild => Some(RetryAfter::Seconds(7)),
            3 if !self.is_mild => Some(RetryAfter::Seconds(3_600)),
            4 if !self.is_mild => Some(RetryAfter::At(unix_ms + 90_000)),
            5 => Some(RetryAfter::At(unix_ms - 90_000)),
            _ => None,
        };
        Answer::Http { status, retry_after, body: "{}".into() }
    }

    /// The backend is well, or silent for ever; time passes, and all that was given has ended.
    fn end(&mut self) -> Result<(), String> {
        let is_silent = !self.is_mild && self.random.bool();
        self.mood = if is_silent { Mood::Silent } else { Mood::Well };
        let from = self.now.mono_ms;
        self.pass(10 * 60_000)?;
        // What was torn down is told in a request that lives.
        self.last_scope += 1;
        self.mood = Mood::Well;
        let scope = if self.place == Place::EdgeRequest { self.last_scope } else { 0 };
        let accepted = self.exporter.export(0, "[{}]", scope, self.now);
        let (given_at, names) = (self.now.mono_ms, Vec::new());
        let export =
            Export { scope, names, has_unreadable: false, end: None, ended_at: 0, given_at };
        self.exports.insert(accepted.call, export);
        self.loops.insert(scope, self.now.mono_ms);
        self.pass(60_000)?;
        for (call, export) in &self.exports {
            if export.end.is_none() {
                return Err(format!("{call} of scope {} never ended", export.scope));
            }
            // With nothing well, no wait is forgiven: what is left of a deadline is all there is.
            let limit =
                from.max(export.given_at) + self.deadline_ms + self.timeout_ms.min(100) + 3_000;
            let is_alive = !self.torn_down.contains(&export.scope);
            if is_silent
                && is_alive
                && self.deadline_ms > 0
                && export.ended_at > limit + self.timeout_ms
            {
                let late = export.ended_at - limit;
                return Err(format!("{call} ended {late} ms after its deadline"));
            }
        }
        if self.exporter.held_bytes() != 0 || !self.exporter.is_idle() {
            return Err(format!("{} bytes are held at the end", self.exporter.held_bytes()));
        }
        Ok(())
    }
}
