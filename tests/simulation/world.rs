//! One simulated life: programs with a core and a face each, their users, servers, a network with faults, clocks
//! that jump. Everything follows from the seed, so that a failure can be replayed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use honeyhive_edge::core::concurrency::Place;

use super::backend::{Backend, Stored};
use super::bugs::Bug;
use super::calls::Name;
use super::capacity::Capacity;
use super::clock::{Clock, Forward};
use super::page::Store;
use super::program::{LEASE_MS, Program};
use super::users::EVENTS;

/// The servers of every life.
pub const URLS: [&str; 2] = ["https://hive.example", "https://old.example"];

/// For chance of its own, so that lives whose servers have no limits are what they were before there were any: those
/// that showed a bug once are among them.
const LIMITS_SEED: u64 = 8;

/// The simulated world.
pub struct World {
    pub random: fastrand::Rng,
    pub place: Place,
    pub clock: Clock,
    /// By their place in [`URLS`].
    pub servers: [Backend; 2],
    /// What each of them bears.
    pub capacities: [Capacity; 2],
    /// For what is particular to lives with servers that have limits; nothing where they have none.
    pub of_limits: Option<fastrand::Rng>,
    /// All that there were, in the order of their beginning. Those of a browser share the store.
    pub programs: Vec<Program>,
    /// The place of the one that runs.
    pub here: usize,
    pub store: Store,
    /// How many things users have done.
    pub order: u64,
    pub last_marker: u32,
    /// The program and number of each call that has a number of its own in its fields.
    pub markers: BTreeMap<u32, (usize, u64)>,
    /// The numbers of secrets that have to be masked.
    pub secrets: BTreeSet<u32>,
    /// Sessions of which earlier pages said metrics.
    pub inherited_totals: BTreeSet<String>,
    /// Of a hundred requests, so many go wrong.
    pub fault_rate: u32,
    pub is_healed: bool,
    pub bug: Option<Bug>,
    pub last_outputs: BTreeMap<Name, String>,
    /// Method, path, timestamp and body of requests, by session.
    pub set_aside: BTreeMap<Name, (String, String, u64, String)>,
    pub requests: usize,
    /// Whether everything that the core does is printed: `SIMULATION_TRACE=1`.
    pub is_traced: bool,
}

impl World {
    pub fn new(seed: u64, bug: Option<Bug>) -> World {
        let mut random = fastrand::Rng::with_seed(seed);
        let place = [Place::ServerProcess, Place::EdgeRequest, Place::Page][random.usize(..3)];
        let mut server = || {
            let is_legacy = random.u8(..4) == 0;
            let is_lenient = random.u8(..4) == 0;
            let event = |key: &str| ((key.to_owned(), EVENTS[0].to_owned()), Stored::default());
            let sessions = ["alpha", "beta"].map(event).into();
            Backend { is_legacy, is_lenient, sessions }
        };
        let servers = [server(), server()];
        let mut of_limits = fastrand::Rng::with_seed(!(seed ^ LIMITS_SEED));
        let is_limited = of_limits.u8(..4) == 0;
        let capacities = [(); 2].map(|()| Capacity::new(of_limits.fork(), is_limited));
        World {
            programs: vec![Program::new(&mut random, place)],
            clock: Clock::new(&mut random),
            fault_rate: [0, 10, 30, 60, 90][random.usize(..5)],
            random,
            place,
            servers,
            capacities,
            of_limits: is_limited.then_some(of_limits),
            here: 0,
            store: Store::default(),
            order: 0,
            last_marker: 0,
            markers: BTreeMap::new(),
            secrets: BTreeSet::new(),
            inherited_totals: BTreeSet::new(),
            is_healed: false,
            bug,
            last_outputs: BTreeMap::new(),
            set_aside: BTreeMap::new(),
            requests: 0,
            is_traced: std::env::var_os("SIMULATION_TRACE").is_some(),
        }
    }

    /// Prints what happens in the program that runs, if this life is traced.
    pub fn trace(&self, what: &dyn Debug) {
        if self.is_traced {
            eprintln!("{} {}: {what:?}", self.clock.now().mono_ms, self.here);
        }
    }

    /// Lives for `steps` steps, heals, comes to rest, and is checked.
    pub fn live(&mut self, steps: usize) -> Result<(), String> {
        if self.place == Place::Page {
            self.open_page()?;
        }
        for _ in 0..steps {
            self.step()?;
        }
        self.is_healed = true;
        self.fault_rate = 0;
        self.capacities.iter_mut().for_each(Capacity::heal);
        if self.is_resting() {
            self.come_back()?;
        }
        self.go_online()?;
        self.rest()?;
        if self.place == Place::Page {
            // Whoever comes last finds all that was left.
            self.programs.iter_mut().for_each(|program| program.is_dead = true);
            self.kill_here()?;
            self.open_page()?;
            self.open_for_leftovers()?;
            self.rest()?;
        }
        self.check_last_reports()?;
        self.release_all()?;
        self.check()
    }

    fn step(&mut self) -> Result<(), String> {
        let program = &self.programs[self.here];
        if program.scopes_die && self.random.u8(..20) == 0 {
            let place = self.random.usize(..self.programs[self.here].scopes.len());
            self.replace_scope(place);
        }
        if self.random.u16(..600) == 0 {
            let server = &mut self.servers[self.random.usize(..2)];
            server.is_legacy ^= true;
        }
        if let Some(random) = &mut self.of_limits
            && random.u8(..50) == 0
        {
            self.capacities[random.usize(..2)].change();
        }
        match self.random.u8(..100) {
            _ if self.is_frozen() => self.page_step()?,
            0..35 if self.is_resting() => self.user_step()?,
            _ if self.is_resting() => self.page_step()?,
            0..70 => self.user_step()?,
            70..75 if self.place == Place::Page => self.page_step()?,
            73..75 => {
                self.clock.set_wall(&mut self.random);
                if self.clock.forward == Forward::Missing {
                    self.no_answer_is_in_time();
                }
            }
            75..80 => self.clock.pass(self.random.u64(..3_000)),
            // The lid is closed for an hour.
            80 if self.random.u8(..20) == 0 => self.sleep(3_600_000),
            // The program stands still for an hour.
            81 if self.random.u8(..20) == 0 => self.clock.pass(3_600_000),
            _ => self.clock.pass(self.random.u64(..50)),
        }
        let held = self.programs[self.here].registry.held();
        if held > 100 * super::users::BUDGET {
            return Err(format!("{held} bytes are held"));
        }
        self.pump()
    }

    /// The machine sleeps.
    pub fn sleep(&mut self, ms: u64) {
        self.clock.sleep(ms);
        if self.clock.forward != Forward::Stalls {
            self.no_answer_is_in_time();
        }
    }

    /// The clock jumped: what is on its way may be taken for lost.
    fn no_answer_is_in_time(&mut self) {
        let awake_ms = self.clock.awake_ms;
        let program = &mut self.programs[self.here];
        let lost = program.on_the_way.iter().map(|sent| sent.copy().lost(awake_ms + LEASE_MS));
        program.failures.extend(lost);
        program.on_the_way.iter_mut().for_each(|sent| sent.is_stray = true);
    }

    /// Lets time pass until nothing is left to do.
    fn rest(&mut self) -> Result<(), String> {
        let mut patience = 0;
        loop {
            self.pump()?;
            let program = &self.programs[self.here];
            if program.registry.scopes() == 0 && program.on_the_way.is_empty() {
                return Ok(());
            }
            let next = program.on_the_way.iter().map(|sent| sent.answer_at).min();
            let next = next.into_iter().chain(program.wakes.values().copied()).min();
            let next = match next {
                Some(next) => next,
                None if program.registry.scopes() == 0 => return Ok(()),
                // What torn down scopes left waits for the next request that comes.
                None if program.scopes_die => {
                    self.replace_scope(0);
                    let program = &mut self.programs[self.here];
                    program.wakes.insert(program.last_scope, 0);
                    self.clock.awake_ms + 1_000
                }
                None => return Err("it is busy, but waits for nothing".into()),
            };
            self.clock.awake_ms = self.clock.awake_ms.max(next);
            patience += 1;
            if patience > 100_000 {
                return Err("it never comes to rest".into());
            }
        }
    }

    /// Everybody goes, and what nobody holds is let go when somebody looks.
    fn release_all(&mut self) -> Result<(), String> {
        let program = &mut self.programs[self.here];
        if program.face.holds_any() {
            return Err("functions are held, and there is nothing to do".into());
        }
        program.face.tracers.iter_mut().for_each(|tracer| tracer.is_forgotten = true);
        self.collect();
        self.clock.pass(3_600_000);
        let now = self.clock.now();
        while let Some(output) = self.programs[self.here].registry.poll(0, now) {
            self.carry_out(output, 0)?;
        }
        Ok(())
    }
}
