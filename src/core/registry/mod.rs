//! The state of the module: all tracers, outboxes and servers, and the actions that are due.
//!
//! It puts the whole core behind a few calls. The shell reports events (`init`, `enrich`, `finish_request` …) with
//! the time of each, and then calls [`Registry::poll`] until nothing is left to do. [`Registry::wake_at`] says when
//! to poll again.

mod continuing;
mod enriching;
mod keeping;
mod outboxes;
mod page;
#[cfg(feature = "reading")]
mod reading;
mod renewing;
mod reports;
mod scheduling;
mod sending;
mod servers;
mod settling;
mod sharing;
mod store;
mod tracers;
mod waking;

use std::collections::BTreeMap;

use super::concurrency::Place;
use super::id_map::{FixedMap, IdMap};
use super::json::Numerals;
use super::ledger::Ledger;
use super::log::{Level, Line};
use super::open_tracers::OpenTracers;
use super::outbox::Stamps;
use super::policy::LONGEST_NAME;
use super::scopes::Scopes;
use super::session::SessionId;
use super::settings::Settings;
use super::time::ForwardClock;
use super::timers::Timers;
use super::tracer::Tracer;

use outboxes::Outboxes;
use page::Page;
pub use page::Turn;
#[cfg(feature = "reading")]
pub use reading::Read;
use reports::Reports;
use sending::Flight;
use servers::Servers;
use settling::Wait;
use sharing::SharedSettings;
use store::EntryStore;

/// All state of the module.
#[derive(Debug)]
pub struct Registry {
    random: fastrand::Rng,
    numerals: Numerals,
    id_of: fn(&str) -> Option<SessionId>,
    clock: ForwardClock,
    /// The last number given to an enrichment, a flush or a close. The numbers only increase.
    last_number: u64,
    /// The latest timestamps of the requests of all sessions.
    stamps: Stamps,
    tracers: IdMap<Tracer>,
    open_tracers: OpenTracers,
    outboxes: Outboxes,
    servers: Servers,
    /// Metrics that wait until the totals of their session were read, by outbox.
    continuing: BTreeMap<u64, continuing::Continuing>,
    flights: IdMap<Flight>,
    shared: SharedSettings,
    timers: Timers,
    /// The flushes and closes that wait, by number.
    waits: FixedMap<u64, Box<Wait>>,
    scopes: Scopes,
    /// What any scope may report to the shell.
    reports: Reports,
    /// The calls of all tracers.
    ledger: Ledger,
    page: Page,
    store: EntryStore,
}

impl Registry {
    /// An empty registry. `seed` determines its random waits, and `numerals` reads and writes numbers.
    pub fn new(seed: u64, numerals: Numerals) -> Registry {
        Registry {
            random: fastrand::Rng::with_seed(seed),
            numerals,
            id_of: SessionId::new,
            clock: ForwardClock::default(),
            last_number: 0,
            stamps: Stamps::default(),
            tracers: IdMap::default(),
            open_tracers: OpenTracers::new(seed),
            outboxes: Outboxes::new(seed),
            servers: Servers::default(),
            continuing: BTreeMap::new(),
            flights: IdMap::default(),
            shared: SharedSettings::default(),
            timers: Timers::default(),
            waits: FixedMap::default(),
            scopes: Scopes::default(),
            reports: Reports::default(),
            ledger: Ledger::default(),
            page: Page::default(),
            store: EntryStore::new(seed),
        }
    }

    /// Replaces the function that finds the id for a text or name.
    pub fn with_names(mut self, id_of: fn(&str) -> Option<SessionId>) -> Registry {
        self.id_of = id_of;
        self
    }

    /// Sets the kind of place that the core runs in. The default is a server process.
    pub fn in_place(mut self, place: Place) -> Registry {
        self.servers.set_place(place);
        self
    }

    /// The number of tracers.
    pub fn tracers(&self) -> usize {
        self.tracers.len()
    }

    /// The number of outboxes.
    pub fn outboxes(&self) -> usize {
        self.outboxes.len()
    }

    /// How often a tracer, an outbox, a server or a request was looked up. Tests of growth count these.
    #[cfg(debug_assertions)]
    pub fn lookups(&self) -> u64 {
        self.tracers.lookups()
            + self.outboxes.lookups()
            + self.servers.lookups()
            + self.flights.lookups()
    }

    /// The number of request scopes.
    pub fn scopes(&self) -> usize {
        self.scopes.len()
    }

    /// How many times the request scopes are to look at something.
    pub fn looks(&self) -> usize {
        self.scopes.looks()
    }

    /// The bytes of unsent enrichments.
    pub fn held(&self) -> u64 {
        self.outboxes.held()
    }

    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn log(&mut self, tracer: u64, line: Line) {
        self.reports.log(self.level_of(tracer), line);
    }

    /// The tracer's log level.
    fn level_of(&self, tracer: u64) -> Level {
        self.tracers.get(tracer).map_or(Level::Warn, |tracer| tracer.settings.log_level)
    }

    /// Logs that something happened because of `why`, once for each reason, whatever else has the same cause.
    fn log_because(&mut self, tracer: u64, level: Level, what: &str, why: &str) {
        let line = Line { level, message: format!("{what}: {why}") };
        if !self.reports.has_logged(why) {
            self.log(tracer, line);
        }
    }

    /// The session or event that `name` refers to; `None` if it is blank. If the name is not a UUID, one line at
    /// [`Level::Info`] says which UUID it stands for. The key and other secrets in the name are masked.
    fn session_named(&mut self, name: &str, settings: Option<&Settings>) -> Option<SessionId> {
        let session_id = (self.id_of)(name)?;
        let level = settings.map_or(Level::Warn, |settings| settings.log_level);
        if level >= Level::Info && session_id.stands_for(name) {
            let destination = settings.and_then(|settings| settings.destination.as_ref());
            let shown = destination.map_or(name.to_owned(), |it| it.without_key(name));
            let shown: String = shown.trim_ascii().chars().take(LONGEST_NAME).collect();
            let message = format!(
                "the id \"{shown}\" is no UUID: it stands for {session_id}, the same in every service",
            );
            self.reports.log(level, Line { level: Level::Info, message });
        }
        Some(session_id)
    }
}
