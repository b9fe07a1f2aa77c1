//! Servers that take their time, bear only so much, or hang, and everything that a busy process says to
//! them. In simulated time: what is judged is the core, not the machine.
//!
//! `limited_servers_of_many_kinds` lives a life from each seed: `SIMULATION_SEEDS=100000` for more of them,
//! `SIMULATION_SEED=17` for one again.

#![cfg(not(target_arch = "wasm32"))]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use honeyhive_edge::core::concurrency::Place;
use honeyhive_edge::core::json::Numerals;
use honeyhive_edge::core::outcome::{Outcome, Output, Reason};
use honeyhive_edge::core::registry::Registry;
use honeyhive_edge::core::retry::RetryAfter;
use honeyhive_edge::core::time::Now;
use honeyhive_edge::core::wire::Answer;
use serde_json::{Value, json};

/// How a server counts what it was sent.
#[derive(Clone, Copy)]
enum Cap {
    None,
    /// So many in each second of its clock.
    Window(usize),
    /// So many in any second.
    Sliding(usize),
    /// So many at a time.
    AtOnce(usize),
    /// Nothing at all is answered.
    Hangs,
}

/// Mistakes of the rules that are planted around the core, to see that they are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    /// The limit on requests at once never shrinks: the core does not hear that there were too many.
    NeverShrinks,
    /// Waiting for one's turn counts against the deadline.
    WaitCounts,
}

/// A process with sessions, and the server they are about.
struct Busy {
    bug: Option<Bug>,
    registry: Registry,
    now: Now,
    latency_ms: u64,
    cap: Cap,
    /// Whether it says when to come back.
    says_when: bool,
    taken: VecDeque<u64>,
    /// Answers on their way: when, and to which request.
    answers: BinaryHeap<Reverse<(u64, u64, u16)>>,
    in_flight: usize,
    most_in_flight: usize,
    requests: usize,
    refused: usize,
    /// When each enrichment was given, and when and how it ended.
    given: BTreeMap<u64, u64>,
    ended: BTreeMap<u64, (u64, Outcome)>,
    sessions: u32,
}

impl Busy {
    fn new(latency_ms: u64, cap: Cap) -> Busy {
        Busy {
            bug: None,
            registry: Registry::new(1, Numerals::STD).in_place(Place::ServerProcess),
            now: Now { mono_ms: 1_000, unix_ms: 1_700_000_000_000 },
            latency_ms,
            cap,
            says_when: true,
            taken: VecDeque::new(),
            answers: BinaryHeap::new(),
            in_flight: 0,
            most_in_flight: 0,
            requests: 0,
            refused: 0,
            given: BTreeMap::new(),
            ended: BTreeMap::new(),
            sessions: 0,
        }
    }

    fn init(&mut self, more: Value) -> u64 {
        self.sessions += 1;
        let id = format!("00000000-0000-4000-8000-{:012}", self.sessions);
        let mut options = json!({"apiKey": "k", "serverUrl": "https://hive.example",
            "logLevel": "silent", "newSessionId": id, "maxQueueBytes": 1 << 30});
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.registry.init(&options.to_string(), 0, self.now).unwrap().tracer
    }

    fn enrich(&mut self, tracer: u64, session: Option<&str>) -> u64 {
        let fields = r#"{"metadata":{"plan":"pro"}}"#.to_owned();
        let id = self.registry.enrich(tracer, session, fields, 0, true, self.now);
        self.given.insert(id, self.now.mono_ms);
        id
    }

    fn take(&mut self) -> u16 {
        let now = self.now.mono_ms;
        let (since, most) = match self.cap {
            Cap::None | Cap::Hangs => return 200,
            Cap::AtOnce(most) => {
                let is_over = self.in_flight > most;
                self.refused += usize::from(is_over);
                return if is_over { 503 } else { 200 };
            }
            Cap::Window(most) => (now - now % 1_000, most),
            Cap::Sliding(most) => ((now + 1).saturating_sub(1_000), most),
        };
        while self.taken.front().is_some_and(|at| *at < since) {
            self.taken.pop_front();
        }
        if self.taken.len() >= most {
            self.refused += 1;
            return 429;
        }
        self.taken.push_back(now);
        200
    }

    fn look(&mut self) {
        while let Some(output) = self.registry.poll(0, self.now) {
            match output {
                Output::Send { flight, timeout_ms, .. } => {
                    self.requests += 1;
                    self.in_flight += 1;
                    self.most_in_flight = self.most_in_flight.max(self.in_flight);
                    let status = self.take();
                    let hangs = matches!(self.cap, Cap::Hangs);
                    let late = hangs || timeout_ms < self.latency_ms;
                    let (after, status) =
                        if late { (timeout_ms, 0) } else { (self.latency_ms, status) };
                    self.answers.push(Reverse((self.now.mono_ms + after, flight, status)));
                }
                Output::Settled { ids, outcome } => {
                    for id in ids {
                        let given = self.given.get(&id).copied().unwrap_or(self.now.mono_ms);
                        let mut end = (*outcome).clone();
                        if self.bug == Some(Bug::WaitCounts) && self.now.mono_ms - given > 30_000 {
                            let (target, message) = (None, String::new());
                            let reason = Reason::RetriesExhausted;
                            end = Outcome::Dropped { target, reason, message };
                        }
                        self.ended.insert(id, (self.now.mono_ms, end));
                    }
                }
                _ => {}
            }
        }
    }

    /// Lives until `end_ms` from now.
    fn run(&mut self, ms: u64) {
        let end = self.now.mono_ms + ms;
        loop {
            self.look();
            let answer_at = self.answers.peek().map_or(u64::MAX, |Reverse((at, ..))| *at);
            let next = self.registry.wake_at(0, self.now).min(answer_at);
            let next = next.max(self.now.mono_ms).min(end);
            self.now.unix_ms += next - self.now.mono_ms;
            self.now.mono_ms = next;
            while let Some(Reverse((at, flight, status))) = self.answers.peek().copied()
                && at <= next
            {
                self.answers.pop();
                self.in_flight -= 1;
                let is_refused = matches!(status, 429 | 503);
                let is_unheard = is_refused && self.bug == Some(Bug::NeverShrinks);
                let status = if is_unheard { 500 } else { status };
                let retry_after = (matches!(status, 429 | 503) && self.says_when)
                    .then_some(RetryAfter::Seconds(1));
                let answer = match status {
                    0 => Answer::None { why: "no answer in time".into() },
                    _ => Answer::Http { status, retry_after, body: "{}".into() },
                };
                self.registry.finish_request(flight, &answer, self.now);
            }
            if next == end {
                self.look();
                return;
            }
        }
    }

    /// So many sessions a second, three enrichments each, for so long.
    fn serve(&mut self, sessions_a_second: u64, seconds: u64) {
        let mut talking: VecDeque<(u64, u64, u32)> = VecDeque::new();
        for ms in 0..seconds * 1_000 + 200 {
            let due = (ms + 1) * sessions_a_second / 1_000;
            while ms < seconds * 1_000 && u64::from(self.sessions) < due {
                let tracer = self.init(json!({}));
                talking.push_back((ms, tracer, 0));
            }
            for _ in 0..talking.len() {
                let (at, tracer, said) = talking.pop_front().unwrap();
                if at > ms {
                    talking.push_back((at, tracer, said));
                    continue;
                }
                self.enrich(tracer, None);
                if said < 2 {
                    talking.push_back((ms + 50, tracer, said + 1));
                } else {
                    self.registry.release(tracer, self.now);
                }
            }
            self.run(1);
        }
    }

    fn waits(&self) -> Vec<u64> {
        let mut waits: Vec<u64> =
            self.ended.iter().map(|(id, (at, _))| at - self.given.get(id).unwrap_or(at)).collect();
        waits.sort_unstable();
        waits
    }

    fn delivered(&self) -> usize {
        let is_delivered = |(_, end): &&(u64, Outcome)| matches!(end, Outcome::Delivered { .. });
        self.ended.values().filter(is_delivered).count()
    }
}

#[test]
fn everything_an_ordinary_server_says_arrives_soon() {
    for (latency_ms, sessions) in [(20, 400), (100, 100), (100, 400), (200, 400)] {
        let mut busy = Busy::new(latency_ms, Cap::None);
        busy.serve(sessions, 5);
        busy.run(2_000);
        let waits = busy.waits();
        assert_eq!(busy.delivered() as u64, 3 * 5 * sessions);
        let (p50, p99) = (waits[waits.len() / 2], waits[waits.len() * 99 / 100]);
        // What comes while a request is on its way waits for the window, and then for its own.
        assert!(p50 <= 200 + latency_ms && p99 <= 200 + 4 * latency_ms, "{p50} {p99}");
    }
}

#[test]
fn a_nightly_job_is_sent_as_fast_as_the_server_answers() {
    let mut busy = Busy::new(100, Cap::None);
    let tracer = busy.init(json!({}));
    for n in 0..10_000 {
        busy.enrich(tracer, Some(&format!("11111111-1111-4111-8111-{n:012}")));
    }
    busy.run(6_000);
    assert_eq!(busy.delivered(), 10_000);
    assert_eq!(busy.most_in_flight, 256);
}

#[test]
fn waiting_behind_a_server_that_answers_costs_no_deadline() {
    let mut busy = Busy::new(1_000, Cap::None);
    for _ in 0..60 {
        let tracer = busy.init(json!({"maxConcurrency": 1, "deadlineMs": 5_000}));
        busy.enrich(tracer, None);
    }
    busy.run(70_000);
    assert_eq!((busy.delivered(), busy.most_in_flight), (60, 1));
}

#[test]
fn a_server_that_hangs_is_given_up_at_the_deadline_by_all() {
    for timeout_ms in [900, 5_000, 20_000] {
        let mut busy = Busy::new(0, Cap::Hangs);
        for n in 0..300 {
            let tracer = busy.init(json!({"deadlineMs": 12_000, "timeoutMs": timeout_ms}));
            busy.enrich(tracer, None);
            busy.run(u64::from(n % 7 == 0));
        }
        busy.run(12_100);
        assert_eq!(busy.ended.len(), 300);
        assert_eq!(busy.delivered(), 0);
        assert!(busy.waits().iter().all(|wait| *wait == 12_000), "{:?}", busy.waits());
    }
}

#[test]
fn a_limited_server_is_used_to_most_of_its_limit_and_nothing_is_lost() {
    let caps = [Cap::Window(50), Cap::Sliding(50)];
    for (latency_ms, cap) in [20, 100, 200].into_iter().flat_map(|ms| caps.map(|cap| (ms, cap))) {
        for (says_when, seed) in
            [true, false].into_iter().flat_map(|says| (1..6).map(move |seed| (says, seed)))
        {
            let mut busy = Busy::new(latency_ms, cap);
            busy.registry = Registry::new(seed, Numerals::STD).in_place(Place::ServerProcess);
            busy.says_when = says_when;
            let tracer = busy.init(json!({}));
            for n in 0..6_000 {
                busy.enrich(tracer, Some(&format!("11111111-1111-4111-8111-{n:012}")));
            }
            busy.run(60_000);
            let delivered = busy.delivered();
            assert!(delivered >= 60 * 50 * 8 / 10, "{latency_ms} {says_when} {seed} {delivered}");
            assert!(20 * busy.refused < busy.requests, "it hears little that it refuses");
            busy.run(120_000);
            assert_eq!(busy.delivered(), 6_000);
        }
    }
}

#[test]
fn a_batch_at_a_capped_server_makes_use_of_its_cap_from_the_beginning() {
    let mut all = Vec::new();
    for latency_ms in [20, 100, 200] {
        for cap in [Cap::Window(50), Cap::Sliding(50)] {
            for offset_ms in [0, 150, 300, 450, 600, 750, 900] {
                let mut busy = Busy::new(latency_ms, cap);
                busy.run(offset_ms);
                let tracer = busy.init(json!({}));
                let start = busy.now.mono_ms;
                for n in 0..1_000 {
                    busy.enrich(tracer, Some(&format!("11111111-1111-4111-8111-{n:012}")));
                }
                busy.run(40_000);
                assert_eq!(busy.delivered(), 1_000);
                let end = busy.ended.values().map(|(at, _)| *at).max().unwrap();
                all.push(1_000.0 / 50.0 / ((end - start) as f64 / 1_000.0));
            }
        }
    }
    all.sort_by(f64::total_cmp);
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    assert!(mean >= 0.85 && all[0] >= 0.75, "{mean} {all:?}");
}

/// A process that says more than its server bears, which changes now and then.
fn live(seed: u64, bug: Option<Bug>) -> Result<(), String> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut busy = Busy::new(random.u64(5..250), Cap::None);
    busy.bug = bug;
    busy.says_when = random.bool();
    let tracer = busy.init(json!({}));
    let mut last = 0;
    let phases = 1 + random.usize(..4);
    for _ in 0..phases {
        let most = random.usize(20..120);
        busy.cap = match random.u8(..4) {
            0 => Cap::Window(most),
            1 => Cap::Sliding(most),
            2 => Cap::AtOnce(1 + most / 10),
            _ => Cap::None,
        };
        for _ in 0..random.u32(200..2_500) {
            last += 1;
            busy.enrich(tracer, Some(&format!("11111111-1111-4111-8111-{last:012}")));
            if random.u8(..50) == 0 {
                busy.run(random.u64(..500));
            }
        }
        busy.run(random.u64(1_000..40_000));
    }
    let (refused, requests) = (busy.refused, busy.requests);
    busy.cap = Cap::None;
    busy.run(300_000);
    let lost = busy.given.len() - busy.delivered();
    if lost > 0 {
        return Err(format!("{lost} of {} are lost", busy.given.len()));
    }
    if busy.in_flight > 0 || busy.registry.held() > 0 {
        return Err("something is left".into());
    }
    // A limit is felt for by running into it; each time it falls that costs what was on its way.
    if refused > requests / 4 + 256 * phases {
        return Err(format!("{refused} of {requests} requests were too many"));
    }
    Ok(())
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn limited_servers_of_many_kinds() {
    let one = number("SIMULATION_SEED");
    let first = one.unwrap_or(0);
    let seeds = one.map_or_else(|| number("SIMULATION_SEEDS").unwrap_or(100), |_| 1);
    for seed in first..first + seeds {
        live(seed, None).unwrap_or_else(|why| panic!("SIMULATION_SEED={seed}: {why}"));
    }
}

#[test]
fn planted_bugs_of_the_rules_are_found() {
    for bug in [Bug::NeverShrinks, Bug::WaitCounts] {
        let found = (0..100).find(|seed| live(*seed, Some(bug)).is_err());
        assert!(found.is_some(), "{bug:?} was not found");
    }
}
