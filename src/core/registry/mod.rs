//! Module state: all tracers, all sessions' outboxes, all servers, and what is to be done next.
//!
//! The whole core behind a handful of calls. The shell reports facts (`init`, `enrich`,
//! `answered` …, each with the time) and then asks [`Registry::poll`] until it has nothing more
//! to do; [`Registry::wake_at`] says when to ask again.

mod enriching;
mod keeping;
mod outboxes;
mod page;
mod sending;
mod settling;
mod tracers;
mod waking;

use std::rc::Weak;

use super::index::Index;
use super::json::Numerals;
use super::log::{Level, Line};
use super::outbox::Outbox;
use super::outcome::Output;
use super::policy::REMEMBERED_LINES;
use super::queue::Queue;
use super::scopes::Scopes;
use super::server::Server;
use super::session::SessionId;
use super::settings::Settings;
use super::slab::Slab;
use super::text::fill;
use super::timers::Timers;
use super::tracer::{Counts, Tracer};

use keeping::Leftovers;
use page::Page;
pub use page::Turn;
use sending::Flight;
use settling::Wait;

/// All state of the module.
#[derive(Debug)]
pub struct Registry {
    random: fastrand::Rng,
    numerals: Numerals,
    /// The last number given to an enrichment, a flush or a close: they only go up.
    last_number: u64,
    /// The timestamp of the last new request, nanoseconds since the Unix epoch.
    last_stamp_ns: u64,
    tracers: Slab<Tracer>,
    outboxes: Slab<Outbox>,
    servers: Slab<Server>,
    flights: Slab<Flight>,
    /// Outboxes by session, one for each destination; twice for a session with two names.
    outbox_ids: Index,
    /// Sessions that the backend has under another id than they are named by, and that id; by
    /// destination, for when the session is named again after all of its tracers are gone.
    renamed: Vec<(String, SessionId)>,
    /// Settings of tracers, with the options that they were made of, the latest last.
    settings: Vec<(String, Weak<Settings>)>,
    /// Outboxes with a start that was not looked at yet.
    fresh: Vec<u64>,
    /// Outboxes with something to send or on its way.
    busy: Vec<u64>,
    timers: Timers,
    waits: Vec<Wait>,
    scopes: Scopes,
    /// What is to be done in whichever scope asks first.
    outputs: Queue<Output>,
    /// Tracers that got work, which the shell is to be told of.
    newly_busy: Queue<u64>,
    /// Bytes of unsent enrichments.
    held: u64,
    counts: Counts,
    /// Starts that are on their way, of all tracers.
    starting: u64,
    /// Log lines that were said, so that they are said once.
    said: Vec<String>,
    page: Page,
    /// Whether there is a store to keep enrichments in.
    keeps: bool,
    /// What earlier pages left there that no tracer has taken over yet, the earliest first.
    leftovers: Leftovers,
    last_leftover: i64,
}

impl Registry {
    /// An empty registry, whose waits are drawn from `seed` and whose numbers are read and
    /// written by `numerals`.
    pub fn new(seed: u64, numerals: Numerals) -> Registry {
        Registry {
            random: fastrand::Rng::with_seed(seed),
            numerals,
            last_number: 0,
            last_stamp_ns: 0,
            tracers: Slab::default(),
            outboxes: Slab::default(),
            servers: Slab::default(),
            flights: Slab::default(),
            outbox_ids: Index::default(),
            renamed: Vec::new(),
            settings: Vec::new(),
            fresh: Vec::new(),
            busy: Vec::new(),
            timers: Timers::default(),
            waits: Vec::new(),
            scopes: Scopes::default(),
            outputs: Queue::default(),
            newly_busy: Queue::default(),
            held: 0,
            counts: Counts::default(),
            starting: 0,
            said: Vec::new(),
            page: Page::default(),
            keeps: false,
            leftovers: Vec::new(),
            last_leftover: 0,
        }
    }

    /// How many tracers are held.
    pub fn tracers(&self) -> usize {
        self.tracers.len()
    }

    /// How many sessions' outboxes are held.
    pub fn outboxes(&self) -> usize {
        self.outboxes.len()
    }

    /// How many request scopes are held.
    pub fn scopes(&self) -> usize {
        self.scopes.len()
    }

    /// Bytes of unsent enrichments held.
    pub fn held(&self) -> u64 {
        self.held
    }

    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn log(&mut self, tracer: u64, line: Line) {
        let level =
            self.tracers.get(tracer).map_or(Level::Warn, |tracer| tracer.settings.log_level);
        self.log_at(level, line);
    }

    /// Logs that something happened because of `why`: once for each reason, whatever else happens
    /// because of it.
    fn log_because(&mut self, tracer: u64, level: Level, what: &str, why: &str) {
        let line = Line { level, message: fill("{}: {}", &[what, why]) };
        if !self.said.iter().any(|said| said.ends_with(why)) {
            self.log(tracer, line);
        }
    }

    /// Logs `line` if `level` lets it through, and once: an application that makes a tracer a
    /// request would else be told the same with each.
    fn log_at(&mut self, level: Level, line: Line) {
        if line.level > level || self.said.contains(&line.message) {
            return;
        }
        if self.said.len() >= REMEMBERED_LINES {
            self.said.clear();
        }
        self.said.push(line.message.clone());
        self.outputs.push(Output::Log(line));
    }
}
