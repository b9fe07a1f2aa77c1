//! One program with the package in it: a server's process, a Worker's isolate, or a page. A core, the face
//! around it, and what it waits for.

use std::collections::{BTreeMap, BTreeSet};

use honeyhive_edge::core::concurrency::Place;
use honeyhive_edge::core::json::Numerals;
use honeyhive_edge::core::registry::Registry;
use honeyhive_edge::core::time::Now;
use honeyhive_edge::core::wire::Answer;

use super::calls::{Call, Flush, Name};
use super::capacity::Limits;
use super::face::Face;
use super::page::Page;

/// Milliseconds, and more than those, for which the core waits for an answer that does not come.
pub const LEASE_MS: u64 = 7_000;

/// An answer on its way back.
pub struct Sent {
    pub flight: u64,
    /// The request scope that sent it.
    pub scope: u64,
    /// The number of the `fetch` that it was sent with.
    pub transport: u32,
    pub session: Name,
    /// Its number among those to its server with that `fetch`.
    pub number: u64,
    /// When it arrives, in the time that the machine is awake.
    pub answer_at: u64,
    pub answer: Answer,
    /// The core has given up on it, or has another answer already.
    pub is_stray: bool,
    /// The core has aborted it or has another answer already, and so takes no notice of this one.
    pub is_ignored: bool,
    /// Whether it reads what a session's metrics add up to.
    pub is_read: bool,
    /// Whether it makes sure that the session is there.
    pub is_start: bool,
    pub body: String,
}

/// An answer that was no success, as the program got it.
#[derive(Debug)]
pub struct Failure {
    pub session: Name,
    /// The number of the `fetch` that it was sent with.
    pub transport: u32,
    /// When the program found out at the latest, in the time that the machine is awake.
    pub known_ms: u64,
    /// Nothing where there was no answer.
    pub status: Option<u16>,
    /// Whether the request made sure that the session is there.
    pub is_start: bool,
    /// Of the request.
    pub body: String,
}

/// A program.
pub struct Program {
    pub registry: Registry,
    pub place: Place,
    pub face: Face,
    /// By the core's numbers.
    pub calls: BTreeMap<u64, Call>,
    /// What sessions were started with. Nobody is told what becomes of it.
    pub starts: Vec<Call>,
    pub flushes: BTreeMap<u64, Flush>,
    pub on_the_way: Vec<Sent>,
    pub limits: Limits,
    pub failures: Vec<Failure>,
    /// When each server last answered as it should, with each `fetch`: in the time that the machine is awake, and after
    /// how many failures.
    pub worked: BTreeMap<(usize, u32), (u64, usize)>,
    /// The same for each session's own requests.
    pub worked_for: BTreeMap<Name, (u64, usize)>,
    /// Sessions that were made sure of.
    pub started: BTreeSet<Name>,
    /// Requests that are not to be repeated before a time on the forward clock: the server said so.
    pub told_to_wait: BTreeMap<Name, (String, u64)>,
    /// When request scopes were torn down.
    pub deaths: Vec<u64>,
    /// The request scopes that live; 0 alone where there are none.
    pub scopes: Vec<u64>,
    pub last_scope: u64,
    /// Whether scopes are torn down now and then, and others come.
    pub scopes_die: bool,
    /// When the loop of a scope runs next.
    pub wakes: BTreeMap<u64, u64>,
    /// The browser's page that it is, if it is one.
    pub page: Option<Page>,
    /// What it has of earlier pages, by its new number: the program and number of the call, if it was one.
    pub inherited: BTreeMap<u64, Option<(usize, u64)>>,
    /// Records of earlier pages that the core was told of, and how many of them have ended.
    pub leftovers: (usize, usize),
    /// Whether another page took something of it over.
    pub has_handed_over: bool,
    pub is_dead: bool,
}

impl Program {
    pub fn new(random: &mut fastrand::Rng, place: Place) -> Program {
        // A page has one scope, an edge runtime one for each request. A server has one, or some where the
        // application brings its own `waitUntil`.
        let has_scopes =
            place == Place::EdgeRequest || (place == Place::ServerProcess && random.u8(..4) == 0);
        let scopes = if has_scopes { vec![1, 2, 3, 4] } else { vec![0] };
        Program {
            registry: Registry::new(random.u64(..), Numerals::STD).in_place(place),
            place,
            face: Face::default(),
            calls: BTreeMap::new(),
            starts: Vec::new(),
            flushes: BTreeMap::new(),
            on_the_way: Vec::new(),
            limits: Limits::default(),
            failures: Vec::new(),
            worked: BTreeMap::new(),
            worked_for: BTreeMap::new(),
            started: BTreeSet::new(),
            told_to_wait: BTreeMap::new(),
            deaths: Vec::new(),
            last_scope: scopes.len() as u64,
            scopes_die: scopes.len() > 1 && random.bool(),
            scopes,
            wakes: BTreeMap::new(),
            page: (place == Place::Page).then(Page::default),
            inherited: BTreeMap::new(),
            leftovers: (0, 0),
            has_handed_over: false,
            is_dead: false,
        }
    }

    /// Whether everything happens in one scope, so that what is told is told in order.
    pub fn is_in_order(&self) -> bool {
        self.scopes == [0]
    }

    /// Whether the model knows all that counts in its reports.
    pub fn is_counted(&self) -> bool {
        self.is_in_order() && self.leftovers.0 == 0 && !self.has_handed_over
    }

    /// The calls that a report about `tracer` counts.
    pub fn counted(&self, tracer: Option<usize>) -> impl Iterator<Item = &Call> {
        self.calls.values().filter(move |call| tracer.is_none() || call.tracer == tracer)
    }

    /// Notes how long the server of an answer wants to be left alone. One that works again is asked at once.
    pub fn wait_as_told(&mut self, sent: &Sent, now: Now) {
        match &sent.answer {
            Answer::Http { retry_after: Some(retry_after), .. } if !sent.is_stray => {
                let until = now.mono_ms + retry_after.wait_ms(now);
                self.told_to_wait.insert(sent.session.clone(), (sent.body.clone(), until));
            }
            Answer::Http { status: 408 | 425 | 429 | 500..=599, .. }
            | Answer::None { .. }
            | Answer::Unusable { .. } => {}
            Answer::Http { .. } => {
                self.told_to_wait.retain(|session, _| session.server != sent.session.server)
            }
        }
    }
}
