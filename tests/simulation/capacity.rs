//! Servers that bear only so much, which changes; and how many requests at once a program may send to one
//! that said that they were too many.

use std::collections::{BTreeMap, VecDeque};

use honeyhive_edge::core::policy::{FIRST_LIMIT, MOST_AT_ONCE, REMEMBERED_SERVERS};
use honeyhive_edge::core::retry::RetryAfter;
use honeyhive_edge::core::time::Now;
use honeyhive_edge::core::wire::Answer;

/// What a server does with a request that is one too many.
#[derive(Clone, Copy, Debug)]
enum Excess {
    /// It answers with this status, and some servers say when to come back.
    Refused { status: u16, says_when: bool },
    /// It takes it, and answers late.
    Slow,
}

/// How much a server bears.
#[derive(Clone, Copy, Debug)]
enum Most {
    Anything,
    AtOnce(usize),
    InAnySecond(usize),
}

/// What becomes of a request at a server with limits.
#[derive(Debug)]
pub enum Takes {
    /// It is served, after the usual time.
    Soon,
    /// It is served, after so many milliseconds if they are not more than its sender waits.
    After(u64),
    /// It is answered so, and nothing of it is stored.
    Refuses(Answer),
}

/// What a server bears, and what it took.
#[derive(Debug)]
pub struct Capacity {
    random: fastrand::Rng,
    most: Most,
    excess: Excess,
    taken_ms: VecDeque<u64>,
}

impl Capacity {
    /// A server with limits, or one without.
    pub fn new(random: fastrand::Rng, is_limited: bool) -> Capacity {
        let mut capacity = Capacity {
            random,
            most: Most::Anything,
            excess: Excess::Slow,
            taken_ms: VecDeque::new(),
        };
        if is_limited {
            capacity.change();
        }
        capacity
    }

    /// It bears more than before, or less.
    pub fn change(&mut self) {
        let random = &mut self.random;
        self.most = match random.u8(..5) {
            0 => Most::Anything,
            1 | 2 => Most::InAnySecond(random.usize(1..8)),
            _ => Most::AtOnce(random.usize(1..5)),
        };
        self.excess = match random.u8(..3) {
            0 => Excess::Slow,
            _ => {
                Excess::Refused { status: [429, 503][random.usize(..2)], says_when: random.bool() }
            }
        };
    }

    /// It bears whatever comes.
    pub fn heal(&mut self) {
        self.most = Most::Anything;
    }

    /// What it makes of a request that comes now, with `beside` others on their way to it.
    pub fn take(&mut self, beside: usize, now: Now, awake_ms: u64) -> Takes {
        while self.taken_ms.front().is_some_and(|at| *at + 1_000 <= awake_ms) {
            self.taken_ms.pop_front();
        }
        let is_too_much = match self.most {
            Most::Anything => false,
            Most::AtOnce(most) => beside >= most,
            Most::InAnySecond(most) => self.taken_ms.len() >= most,
        };
        match self.excess {
            _ if !is_too_much => {
                self.taken_ms.push_back(awake_ms);
                Takes::Soon
            }
            Excess::Slow => Takes::After(self.random.u64(1_000..6_000)),
            Excess::Refused { status, says_when } => {
                let seconds = self.random.u64(1..4);
                let retry_after = says_when.then(|| match self.random.bool() {
                    true => RetryAfter::Seconds(seconds),
                    false => RetryAfter::At(now.unix_ms + 1_000 * seconds),
                });
                Takes::Refuses(Answer::Http { status, retry_after, body: "slow down".into() })
            }
        }
    }
}

/// How many requests may be on their way at once to each server as each `fetch` reaches it. That is more than the
/// core's own limit, and shrinks whenever that one has to.
#[derive(Debug, Default)]
pub struct Limits {
    servers: BTreeMap<(usize, u32), Limit>,
}

#[derive(Debug)]
struct Limit {
    most: f64,
    /// Requests that were sent, and those that were until it last shrank.
    sent: u64,
    shrunk_after: u64,
}

impl Limits {
    /// One more request is sent where `at_once` are on their way. Gives its number, or nothing where it is one
    /// too many.
    pub fn send(&mut self, server: (usize, u32), at_once: usize) -> Option<u64> {
        // Those that are not used are forgotten when there are more.
        let is_remembered = self.servers.len() <= REMEMBERED_SERVERS;
        let limit = self.servers.entry(server).or_insert(Limit {
            most: FIRST_LIMIT,
            sent: 0,
            shrunk_after: 0,
        });
        limit.sent += 1;
        let has_room = (at_once as f64) < limit.most.round();
        (has_room || !is_remembered).then_some(limit.sent)
    }

    /// The request with this number is answered.
    pub fn hear(&mut self, server: (usize, u32), number: u64, answer: &Answer) {
        let Some(limit) = self.servers.get_mut(&server) else { return };
        match answer {
            Answer::Http { status: 429 | 503, .. } if number > limit.shrunk_after => {
                limit.shrunk_after = limit.sent;
                limit.most = (limit.most / 2.0).max(1.0);
            }
            Answer::Http { status: 429 | 503, .. } => {}
            Answer::Http { .. } => limit.most = (limit.most + 1.0).min(MOST_AT_ONCE),
            Answer::None { .. } | Answer::Unusable { .. } => {}
        }
    }
}
