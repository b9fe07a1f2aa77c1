//! The tracers that take calls, as a call finds them that names none.

use std::collections::{HashMap, VecDeque};

use super::id_map::FixedMap;
use super::session::SessionId;
use super::session_index::SessionIndex;
use super::tracer::Tracer;

/// What a bare call means, or why it means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// There is none.
    None,
    /// This one.
    One(u64),
    /// This one is the first of several that send to the same place with the same key.
    Alike(u64),
    /// Several that do not.
    Different,
}

/// All open tracers. Found in the same time however many there are.
#[derive(Debug)]
pub struct OpenTracers {
    /// Those that send, by session.
    by_session: SessionIndex,
    /// By the request scope that each was made in.
    by_scope: FixedMap<u64, Box<OfScope>>,
}

/// The open tracers that were made in one request scope.
#[derive(Debug, Default)]
struct OfScope {
    /// Sorted: their numbers go up.
    tracers: VecDeque<u64>,
    /// The identities of where they send, empty for those that do not, and how many send there.
    destinations: HashMap<String, u64>,
}

impl OpenTracers {
    /// None at all; their sessions are spread by `seed`.
    pub fn new(seed: u64) -> OpenTracers {
        OpenTracers { by_session: SessionIndex::new(seed), by_scope: FixedMap::default() }
    }

    /// Adds the tracer `id`.
    pub fn add(&mut self, id: u64, tracer: &Tracer) {
        if tracer.settings.destination.is_some() {
            self.by_session.add(tracer.session_id, id);
        }
        let of_scope = self.by_scope.entry(tracer.scope).or_default();
        if let Err(index) = of_scope.tracers.binary_search(&id) {
            of_scope.tracers.insert(index, id);
            *of_scope.destinations.entry(identity(tracer).to_owned()).or_default() += 1;
        }
    }

    /// Takes out the tracer `id`, if it is there.
    pub fn remove(&mut self, id: u64, tracer: &Tracer) {
        self.by_session.remove(tracer.session_id, id);
        let Some(of_scope) = self.by_scope.get_mut(&tracer.scope) else { return };
        let Ok(index) = of_scope.tracers.binary_search(&id) else { return };
        of_scope.tracers.remove(index);
        let identity = identity(tracer);
        if let Some(count) = of_scope.destinations.get_mut(identity) {
            *count -= 1;
            if *count == 0 {
                of_scope.destinations.remove(identity);
            }
        }
        if of_scope.tracers.is_empty() {
            self.by_scope.remove(&tracer.scope);
        }
    }

    /// A tracer of the session that sends: `preferred` if it is one, else the first.
    pub fn of_session(&self, session_id: SessionId, preferred: u64) -> Option<u64> {
        let all = self.by_session.of(session_id);
        let is_one = all.binary_search(&preferred).is_ok();
        if is_one { Some(preferred) } else { all.first().copied() }
    }

    /// The only tracer that `scope` may know: those made in it, and outside of any.
    pub fn only(&self, scope: u64) -> Only {
        let mut scopes = vec![scope];
        if scope != 0 {
            scopes.push(0);
        }
        let known: Vec<&Box<OfScope>> =
            scopes.iter().filter_map(|scope| self.by_scope.get(scope)).collect();
        let first = known.iter().filter_map(|of_scope| of_scope.tracers.front()).min();
        let Some(first) = first else { return Only::None };
        if known.iter().map(|of_scope| of_scope.tracers.len()).sum::<usize>() == 1 {
            return Only::One(*first);
        }
        let mut places = known.iter().flat_map(|of_scope| of_scope.destinations.keys());
        let place = places.next();
        match places.all(|other| Some(other) == place) {
            true => Only::Alike(*first),
            false => Only::Different,
        }
    }
}

/// The identity of where the tracer sends; empty where it does not.
fn identity(tracer: &Tracer) -> &str {
    tracer.settings.destination.as_ref().map_or("", |destination| &destination.identity)
}
