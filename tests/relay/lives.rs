//! The consumer in simulated lives: pages that say something, a relay that puts it into a queue, which keeps no order and
//! brings again what was acknowledged, up to three isolates that hold different messages of one session at once and may
//! have different clocks and API keys of one project, a backend that fails before and after storing and may refuse one
//! of the keys; deterministic from a seed.
//! Once all is well, each session is as if its messages had been sent one by one, in the order in which they were
//! made; and what the queue was told of a message on the way was true.
//!
//! `make simulation` lives a hundred thousand lives; a seed that fails is printed, and replayed with
//! `QUEUE_SEED=17 cargo test --test relay lives`.

use std::collections::BTreeMap;
use std::rc::Rc;

use honeyhive_edge::core::relay::consumer::{BatchAction, Consumer, Delivery, Fate, Incoming};
use honeyhive_edge::core::relay::message::Message;
use honeyhive_edge::core::relay::sequence::{Link, Sequences};
use honeyhive_edge::core::relay::settings::RelaySettings;
use honeyhive_edge::core::retry::RetryAfter;
use honeyhive_edge::core::session::{SessionId, Target};
use honeyhive_edge::core::wire::{Answer, Request};
use serde_json::{Value, json};

use crate::backend::Backend;
use crate::harness::status;
use crate::{NOW_MS, relay};

/// Seeds in an ordinary run.
const SEEDS: u64 = 1_000;

/// Requests that a batch has on their way at most.
const AT_ONCE: usize = 24;

/// What pages set. A start contains some of them.
const FIELDS: [&str; 7] =
    ["feedback", "metrics", "metadata", "outputs", "config", "duration", "user_properties"];

/// A message on its way through the queue.
#[derive(Clone, Debug)]
struct Waiting {
    /// Its place among all that was said.
    said: usize,
    /// How often it was brought.
    attempts: u32,
    /// When it may be brought.
    from_ms: u64,
}

/// What a page said.
#[derive(Debug)]
struct Said {
    session: usize,
    stamp_ns: u64,
    fields: Value,
    /// Its place in the order of its session.
    link: Option<Link>,
    is_poison: bool,
    is_stored: bool,
}

/// A request on its way.
#[derive(Debug)]
struct OnTheWay {
    session: usize,
    answer: Answer,
    at_ms: u64,
}

/// A batch that an isolate works at.
#[derive(Debug)]
struct Working {
    batch: Vec<Waiting>,
    delivery: Delivery,
    on_the_way: Vec<OnTheWay>,
    /// Until when it waits.
    wakes_ms: u64,
    is_waiting: bool,
}

#[derive(Debug, Default)]
struct Isolate {
    consumer: Consumer,
    working: Option<Working>,
    /// Whether it was made of the deployment that has the new API key.
    has_new_key: bool,
}

/// What came of many lives.
#[derive(Debug, Default)]
struct Sum {
    requests: usize,
    messages: usize,
    /// Messages that came again after they were told to be stored.
    returned: usize,
    /// How often what was delivered before was said again.
    refusals: usize,
    /// Requests whose API key was refused.
    refused_keys: usize,
}

/// The API keys before and after a new one is rolled out. Both are of the same project.
const KEYS: [&str; 2] = ["sekret", "sekret-2"];

struct Life {
    random: fastrand::Rng,
    /// The settings with each of the [`KEYS`].
    settings: [Rc<RelaySettings>; 2],
    /// Whether some isolates have the new key by now.
    is_rolling_out: bool,
    /// Which of the [`KEYS`] the backend refuses: a new one that it does not know yet, or an old one that was revoked.
    refused_key: Option<usize>,
    sessions: Vec<String>,
    said: Vec<Said>,
    queue: Vec<Waiting>,
    isolates: Vec<Isolate>,
    backend: Backend,
    /// Whether the backend goes by the timestamps, and else by the order in which requests come.
    goes_by_stamps: bool,
    /// Whether one isolate delivers everything. It remembers what it delivered.
    is_remembered: bool,
    /// Whether each message of a session says something of the same keys.
    same_keys: bool,
    /// The order of the messages that each isolate of the relay writes. There are several at once only where the
    /// consumer remembers, because one of them does not know of what another one writes.
    relays: Vec<Sequences>,
    /// Whether messages tell their order, which earlier versions of the package did not write.
    has_links: bool,
    /// How many timestamps pages have given to messages of this millisecond, apart from the first.
    nth: u64,
    /// By how many milliseconds the pages' clocks differ.
    clocks_differ_ms: u64,
    /// Of a hundred requests, so many go wrong; of a hundred messages, so many are poison.
    fault_rate: u32,
    poison_rate: u32,
    /// Of a hundred acknowledgements, so many are lost.
    lost_rate: u32,
    queue_delay_ms: u64,
    now_ms: u64,
    /// By how much the isolates' clock is set back.
    behind_ms: u64,
    sum: Sum,
}

impl Life {
    fn new(seed: u64) -> Life {
        let mut random = fastrand::Rng::with_seed(seed);
        let isolates = 1 + random.usize(..3);
        // Only the backend can put in order what different isolates deliver.
        let goes_by_stamps = isolates > 1 || random.bool();
        let is_legacy = random.u8(..4) == 0;
        let is_remembered = !goes_by_stamps || (isolates == 1 && random.bool());
        let same_keys = random.u8(..4) == 0;
        let relays = 1 + if is_remembered { random.usize(..3) } else { 0 };
        let retry_delay = random.u64(0..20);
        Life {
            settings: KEYS.map(|key| relay(json!({"apiKey": key, "retryDelay": retry_delay}))),
            is_rolling_out: false,
            refused_key: None,
            sessions: (0..random.usize(1..5))
                .map(|number| format!("0a0a0a0a-0000-4000-8000-{number:012}"))
                .collect(),
            said: Vec::new(),
            queue: Vec::new(),
            isolates: (0..isolates).map(|_| Isolate::default()).collect(),
            backend: Backend { is_legacy, is_lenient: random.bool(), ..Backend::default() },
            goes_by_stamps,
            is_remembered,
            same_keys,
            relays: (0..relays).map(|_| Sequences::new(random.u32(..))).collect(),
            has_links: !(is_remembered || same_keys) || random.u8(..4) > 0,
            nth: 0,
            clocks_differ_ms: if is_remembered { [1, 5_000][random.usize(..2)] } else { 1 },
            fault_rate: [0, 10, 40, 80][random.usize(..4)],
            poison_rate: if same_keys { 0 } else { [0, 5, 25][random.usize(..3)] },
            lost_rate: [0, 5, 30][random.usize(..3)],
            queue_delay_ms: random.u64(1..30_000),
            now_ms: NOW_MS,
            behind_ms: 0,
            sum: Sum::default(),
            random,
        }
    }

    fn chance(&mut self, of_a_hundred: u32) -> bool {
        self.random.u32(..100) < of_a_hundred
    }

    fn live(&mut self, steps: usize) -> Result<(), String> {
        for _ in 0..steps {
            match self.random.u8(..10) {
                0..3 => self.say(),
                3 => self.now_ms += self.random.u64(1..5_000),
                4 if self.random.u8(..20) == 0 => self.now_ms += 900_000,
                4 => self.behind_ms = self.random.u64(..60_000),
                5 if self.random.u8(..10) == 0 => self.break_off(),
                6 if !self.is_remembered && self.random.u8(..30) == 0 => self.replace_isolate(),
                7 if !self.is_remembered && self.random.u8(..40) == 0 => self.roll_out(),
                _ => self.work()?,
            }
        }
        self.heal()
    }

    /// A page says something of its session.
    fn say(&mut self) {
        // Some are said in one go.
        let passed_ms = if self.random.u8(..4) == 0 { 0 } else { self.random.u64(1..200) };
        self.now_ms += passed_ms;
        let session = self.random.usize(..self.sessions.len());
        let marker = self.said.len();
        let is_poison = self.chance(self.poison_rate);
        let value = if is_poison { json!("poison") } else { json!(marker) };
        let mut fields = json!({});
        if self.same_keys {
            fields["feedback"]["rating"] = value;
            fields["outputs"]["o"] = json!(marker);
            fields["metadata"]["m"] = json!(marker);
        } else {
            for _ in 0..self.random.usize(1..4) {
                let field = FIELDS[self.random.usize(..FIELDS.len())];
                match field {
                    "duration" => fields[field] = json!(marker),
                    _ => fields[field][format!("k{}", self.random.u8(..3))] = json!(marker),
                }
            }
            if is_poison {
                // A start contains some fields, and is refused then.
                let field = ["metrics", "metadata", "user_properties"][self.random.usize(..3)];
                fields = json!({field: {"p": value}});
            }
        }
        let stamp_ms = self.now_ms - self.random.u64(..self.clocks_differ_ms);
        let mut stamp_ns = stamp_ms * 1_000_000;
        if self.is_remembered || !self.has_links {
            // Relays that do not know of each other leave each message room for the requests that it may need.
            stamp_ns += marker as u64 * 100;
        } else {
            // A page numbers what it sends of one millisecond.
            self.nth = if passed_ms > 0 { 0 } else { self.nth + self.random.u64(..2) };
            stamp_ns += self.nth;
        }
        let relay = self.random.usize(..self.relays.len());
        if passed_ms > 0 && self.random.u8(..50) == 0 {
            self.relays[relay] = Sequences::new(self.random.u32(..));
        }
        let id = SessionId::new(&self.sessions[session]).unwrap();
        let mut link = None;
        if self.has_links {
            let (written_ns, written) = self.relays[relay].next(id, stamp_ns);
            (stamp_ns, link) = (written_ns, Some(written));
        }
        self.said.push(Said { session, stamp_ns, fields, link, is_poison, is_stored: false });
        let from_ms = self.now_ms + self.random.u64(..10_000);
        self.queue.push(Waiting { said: marker, attempts: 0, from_ms });
    }

    fn text_of(&self, said: usize) -> String {
        let Said { session, stamp_ns, fields, link, .. } = &self.said[said];
        let target = Target::Session(SessionId::new(&self.sessions[*session]).unwrap());
        let fields = fields.to_string();
        Message { target, stamp_ns: *stamp_ns, fields, link: *link }.write()
    }

    fn clock(&self) -> u64 {
        self.now_ms - self.behind_ms
    }

    /// An isolate goes on with what it does, or takes a batch.
    fn work(&mut self) -> Result<(), String> {
        let here = self.random.usize(..self.isolates.len());
        match self.isolates[here].working.take() {
            None => self.take_batch(here),
            Some(working) => self.go_on(here, working)?,
        }
        Ok(())
    }

    fn take_batch(&mut self, here: usize) {
        let size = self.random.usize(1..12);
        let mut batch = Vec::new();
        while batch.len() < size {
            let due: Vec<usize> = (0..self.queue.len())
                .filter(|place| self.queue[*place].from_ms <= self.now_ms)
                .collect();
            // What was brought before comes within the hour for which the consumer remembers.
            let is_overdue = |place: &usize| self.queue[*place].from_ms + 1_200_000 < self.now_ms;
            let overdue = due.iter().copied().find(is_overdue);
            let Some(place) = overdue.or_else(|| self.random.choice(due)) else { break };
            let mut message = self.queue.swap_remove(place);
            message.attempts += 1;
            batch.push(message);
        }
        if batch.is_empty() {
            self.now_ms += self.random.u64(1..2_000);
            return;
        }
        let incoming = batch
            .iter()
            .map(|it| Incoming { text: self.text_of(it.said), attempts: it.attempts })
            .collect();
        let clock = self.clock();
        let isolate = &mut self.isolates[here];
        let settings = &self.settings[usize::from(isolate.has_new_key)];
        let delivery = isolate.consumer.open(settings, incoming, clock);
        let on_the_way = Vec::new();
        isolate.working =
            Some(Working { batch, delivery, on_the_way, wakes_ms: 0, is_waiting: false });
    }

    fn go_on(&mut self, here: usize, mut working: Working) -> Result<(), String> {
        let next = working.on_the_way.iter().enumerate().min_by_key(|(_, it)| it.at_ms);
        let next = next.map(|(place, it)| (place, it.at_ms));
        if working.is_waiting || self.random.u8(..3) == 0 {
            let is_due = next.is_some_and(|(_, at_ms)| at_ms <= self.now_ms);
            if let Some((place, at_ms)) = next
                && (is_due || working.is_waiting)
            {
                self.now_ms = self.now_ms.max(at_ms);
                let OnTheWay { session, answer, .. } = working.on_the_way.swap_remove(place);
                let (clock, consumer) = (self.clock(), &mut self.isolates[here].consumer);
                consumer.answered(&mut working.delivery, session, &answer, clock);
                working.is_waiting = false;
            }
        }
        self.now_ms = self.now_ms.max(working.wakes_ms);
        let clock = self.clock();
        let consumer = &mut self.isolates[here].consumer;
        match consumer.next(&mut working.delivery, clock) {
            BatchAction::Send { session, request } => {
                if working.on_the_way.iter().any(|it| it.session == session) {
                    return Err("two requests of one session at once".into());
                }
                let (answer, took_ms) = self.send(&request);
                let at_ms = self.now_ms + took_ms;
                working.on_the_way.push(OnTheWay { session, answer, at_ms });
                if working.on_the_way.len() > AT_ONCE {
                    return Err("too many requests at once".into());
                }
            }
            BatchAction::Answer if working.on_the_way.is_empty() => {
                return Err("it waits for no answer".into());
            }
            BatchAction::Answer => working.is_waiting = true,
            BatchAction::Wait(ms) if ms > 20_000 => return Err(format!("it waits {ms} ms")),
            BatchAction::Wait(ms) => working.wakes_ms = self.now_ms + ms,
            BatchAction::Over => return self.close(here, working),
        }
        self.isolates[here].working = Some(working);
        Ok(())
    }

    fn close(&mut self, here: usize, working: Working) -> Result<(), String> {
        let Working { batch, delivery, on_the_way, .. } = working;
        if !on_the_way.is_empty() {
            return Err("it is over before all answers came".into());
        }
        let clock = self.clock();
        let (fates, _) = self.isolates[here].consumer.close(delivery, clock);
        if fates.len() != batch.len() {
            return Err(format!("{} fates of {} messages", fates.len(), batch.len()));
        }
        for (message, fate) in batch.into_iter().zip(fates) {
            let after_ms = match fate {
                Fate::Stored => {
                    self.is_true_that_it_is_stored(message.said)?;
                    self.said[message.said].is_stored = true;
                    if !self.chance(self.lost_rate) {
                        continue;
                    }
                    self.sum.returned += 1;
                    self.queue_delay_ms
                }
                Fate::Again { after_s: None } => self.queue_delay_ms,
                Fate::Again { after_s: Some(0) } => return Err("it comes again at once".into()),
                Fate::Again { after_s: Some(seconds) } => seconds * 1_000,
            };
            let from_ms = self.now_ms + after_ms;
            self.queue.push(Waiting { from_ms, ..message });
        }
        Ok(())
    }

    /// Whether the backend has what the message says, or something later in its place.
    fn is_true_that_it_is_stored(&self, said: usize) -> Result<(), String> {
        let Said { session, fields, is_poison, .. } = &self.said[said];
        if *is_poison {
            return Err(format!("{fields} is told to be stored"));
        }
        let place = ("sekret".to_owned(), self.sessions[*session].clone());
        let Some(stored) = self.backend.sessions.get(&place) else {
            return Err(format!("there is no session for {fields}"));
        };
        for (field, value) in fields.as_object().unwrap() {
            let stored = stored.fields.get(field);
            let keys = value.as_object().map(|it| it.keys()).into_iter().flatten();
            // A later `outputs` has other keys.
            let has_all = keys.clone().all(|key| stored.is_some_and(|it| it.get(key).is_some()));
            if stored.is_none() || !(has_all || field == "outputs") {
                return Err(format!("{fields} is told to be stored, and there is {stored:?}"));
            }
        }
        Ok(())
    }

    /// The runtime ends a consumer in the middle; all of its batch comes again.
    fn break_off(&mut self) {
        let here = self.random.usize(..self.isolates.len());
        let Some(working) = self.isolates[here].working.take() else { return };
        let from_ms = self.now_ms + self.queue_delay_ms;
        self.queue.extend(working.batch.into_iter().map(|it| Waiting { from_ms, ..it }));
    }

    /// The runtime puts a new isolate in an old one's place.
    fn replace_isolate(&mut self) {
        self.break_off();
        let here = self.random.usize(..self.isolates.len());
        if self.isolates[here].working.is_none() {
            let has_new_key = self.is_rolling_out && self.random.bool();
            self.isolates[here] = Isolate { has_new_key, ..Isolate::default() };
        }
    }

    /// A deployment with a new API key reaches the isolates one after the other, and the backend refuses one of the keys
    /// for a while.
    fn roll_out(&mut self) {
        self.is_rolling_out = true;
        self.refused_key = [None, Some(0), Some(1)][self.random.usize(..3)];
        self.replace_isolate();
    }

    /// The deployment has reached all isolates, and the old key is revoked.
    fn finish_rollout(&mut self) {
        self.refused_key = Some(0);
        for here in 0..self.isolates.len() {
            while self.isolates[here].working.is_some() {
                self.break_off();
            }
            self.isolates[here] = Isolate { has_new_key: true, ..Isolate::default() };
        }
    }

    /// Sends a request: what is answered, after how many milliseconds.
    fn send(&mut self, request: &Request) -> (Answer, u64) {
        self.sum.requests += 1;
        let took_ms = self.random.u64(1..400);
        let refused = self.refused_key.map(|key| ["Bearer ", KEYS[key]].concat());
        if refused.is_some() && refused == header(request, "authorization") {
            self.sum.refused_keys += 1;
            return (status(401, r#"{"message":"Unauthorized"}"#), took_ms);
        }
        if !self.chance(self.fault_rate) {
            return (self.store(request), took_ms);
        }
        let lost = || Answer::None { why: "lost".into() };
        let answer = match self.random.u8(..10) {
            0 => lost(),
            1 => {
                self.store(request);
                lost()
            }
            2 => {
                self.store(request);
                status(503, "")
            }
            3 => status([408, 425, 429, 500, 502, 503, 504][self.random.usize(..7)], ""),
            4..7 => {
                let at_ms = self.clock() + self.random.u64(..2_000_000);
                let retry_after = [
                    RetryAfter::Seconds(0),
                    RetryAfter::Seconds(self.random.u64(..20)),
                    RetryAfter::Seconds(self.random.u64(..50_000)),
                    RetryAfter::At(at_ms.saturating_sub(1_000_000)),
                ][self.random.usize(..4)];
                let body = String::new();
                Answer::Http { status: 503, retry_after: Some(retry_after), body }
            }
            7 => status(self.random.u16(300..600), r#"{"message":"no"}"#),
            8 => status([0, 400, 401, 403, 404, 413, 422][self.random.usize(..7)], "<html>"),
            _ => {
                let bodies = [
                    "<html>sign in",
                    "Sign in first",
                    "[]",
                    r#"{"success":false}"#,
                    r#"{"success":false,"#,
                ];
                status(200, bodies[self.random.usize(..5)])
            }
        };
        (answer, took_ms)
    }

    fn store(&mut self, request: &Request) -> Answer {
        let path = request.url.trim_start_matches("https://hive.example");
        let stamp = match self.goes_by_stamps {
            true => header(request, "hh-client-timestamp").unwrap().parse().unwrap(),
            false => 1,
        };
        let (code, body) = self.backend.take(request.method, path, "sekret", stamp, &request.body);
        self.sum.refusals += usize::from(code == 422 || code == 400);
        status(code, &body)
    }

    /// All works again, and everything that waits is brought.
    fn heal(&mut self) -> Result<(), String> {
        (self.fault_rate, self.lost_rate) = (0, 0);
        if self.is_rolling_out {
            self.finish_rollout();
        }
        for _ in 0..100_000 {
            // What is refused for good is among the dead letters by then.
            let said = &self.said;
            self.queue.retain(|it| !(said[it.said].is_poison && it.attempts > 3));
            let is_idle = self.isolates.iter().all(|isolate| isolate.working.is_none());
            if self.queue.is_empty() && is_idle {
                return self.check();
            }
            if is_idle && self.queue.iter().all(|it| it.from_ms > self.now_ms) {
                let next = self.queue.iter().map(|it| it.from_ms).min();
                self.now_ms = next.unwrap_or(self.now_ms);
            }
            self.work()?;
        }
        Err("it never comes to rest".into())
    }

    fn check(&mut self) -> Result<(), String> {
        self.sum.messages = self.said.len();
        let mut expected = Backend::default();
        for session in &self.sessions {
            let start = json!({"session_id": session}).to_string();
            expected.take("POST", "/v1/sessions", "sekret", 1, &start);
        }
        self.said.sort_by_key(|said| said.stamp_ns);
        for said in self.said.iter().filter(|said| !said.is_poison) {
            if !said.is_stored {
                return Err(format!("{} is never stored", said.fields));
            }
            let path = ["/v1/events/", &self.sessions[said.session]].concat();
            expected.take("PUT", &path, "sekret", 1, &said.fields.to_string());
        }
        for (place, expected) in expected.sessions {
            let Some(found) = self.backend.sessions.get(&place) else {
                if self.said.iter().all(|it| it.is_poison || self.sessions[it.session] != place.1) {
                    continue;
                }
                return Err(format!("{} is missing", place.1));
            };
            if found.fields != expected.fields {
                let (found, expected) = (json!(found.fields), json!(expected.fields));
                let history = &self.backend.sessions[&place].history;
                return Err(format!("{} is {found}, not {expected}, after {history:#?}", place.1));
            }
        }
        Ok(())
    }
}

fn header(request: &Request, name: &str) -> Option<String> {
    let headers: BTreeMap<String, String> = serde_json::from_str(&request.headers).unwrap();
    headers.get(name).cloned()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn live(seed: u64, sum: &mut Sum) {
    let mut life = Life::new(seed);
    let steps = if seed.is_multiple_of(50) { 2_000 } else { 120 };
    life.live(steps).unwrap_or_else(|why| panic!("QUEUE_SEED={seed}: {why}"));
    sum.requests += life.sum.requests;
    sum.messages += life.sum.messages;
    sum.returned += life.sum.returned;
    sum.refusals += life.sum.refusals;
    sum.refused_keys += life.sum.refused_keys;
}

#[test]
fn lives_of_the_consumer_end_as_if_each_message_had_been_sent_in_its_turn() {
    let mut sum = Sum::default();
    if let Some(seed) = number("QUEUE_SEED") {
        return live(seed, &mut sum);
    }
    let seeds = number("QUEUE_SEEDS").unwrap_or(SEEDS);
    (0..seeds).for_each(|seed| live(seed, &mut sum));
    println!("{seeds} lives: {sum:?}");
    assert!(sum.returned > 0 && sum.refusals > 0 && sum.messages > sum.requests / 4, "{sum:?}");
    assert!(sum.refused_keys > 0, "{sum:?}");
}

/// Without the order that messages tell, the consumer merges messages between which another isolate has one.
#[test]
fn lives_find_messages_that_are_merged_around_one_that_another_isolate_has() {
    let ends_wrong = |seed: &u64| {
        let mut life = Life::new(*seed);
        life.has_links = false;
        life.live(120).is_err()
    };
    let wrong = (0..100).filter(ends_wrong).count();
    assert!(wrong > 10, "{wrong} of 100 lives end wrong");
}
