//! The open tracers, and the search for the one that a call without a tracer is for.

use std::collections::VecDeque;

use super::id_map::{FixedMap, TextMap};
use super::session::SessionId;
use super::session_index::SessionIndex;
use super::tracer::Tracer;

/// The tracer that a call without a tracer is for, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// No tracer is open.
    None,
    /// Only this tracer is open.
    One(u64),
    /// This tracer is the first of several that send to the same server with the same key.
    Alike(u64),
    /// Several tracers are open that send to different places.
    Different,
}

/// The open tracers. The time of a lookup does not depend on how many there are.
#[derive(Debug)]
pub struct OpenTracers {
    /// The tracers that send, by session.
    by_session: SessionIndex,
    /// All tracers, by the request scope in which they were made.
    by_scope: FixedMap<u64, Box<OfScope>>,
}

/// The open tracers that were made in one request scope.
#[derive(Debug, Default)]
struct OfScope {
    /// Their numbers in ascending order.
    tracers: VecDeque<u64>,
    /// The identity of each destination, with the number of tracers that send there. It is empty for tracers that do not
    /// send.
    destinations: TextMap<u64>,
}

impl OpenTracers {
    /// No open tracers. `seed` is the hash seed of their sessions.
    pub fn new(seed: u64) -> OpenTracers {
        OpenTracers { by_session: SessionIndex::new(seed), by_scope: FixedMap::default() }
    }

    /// Adds the tracer `id`.
    pub fn add(&mut self, id: u64, tracer: &Tracer) {
        if tracer.settings.destination.is_some() {
            self.by_session.add(tracer.session_id(), id);
        }
        let of_scope = self.by_scope.entry(tracer.scope).or_default();
        if let Err(index) = of_scope.tracers.binary_search(&id) {
            of_scope.tracers.insert(index, id);
            *of_scope.destinations.entry(identity(tracer).to_owned()).or_default() += 1;
        }
    }

    /// Removes the tracer `id`, if it is open.
    pub fn remove(&mut self, id: u64, tracer: &Tracer) {
        self.by_session.remove(tracer.session_id(), id);
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

    /// A tracer of the session that sends: `preferred` if it is one of them, else the first.
    pub fn of_session(&self, session_id: SessionId, preferred: u64) -> Option<u64> {
        let all = self.by_session.of(session_id);
        let is_one = all.binary_search(&preferred).is_ok();
        if is_one { Some(preferred) } else { all.first().copied() }
    }

    /// The only tracer that is visible in `scope`. Visible are the tracers made in it and those made outside of any
    /// scope.
    pub fn only(&self, scope: u64) -> Only {
        let here = self.of_scope(scope);
        let outside = if scope == 0 { (Only::None, None) } else { self.of_scope(0) };
        match (here, outside) {
            ((only, _), (Only::None, _)) | ((Only::None, _), (only, _)) => only,
            ((Only::One(a) | Only::Alike(a), here), (Only::One(b) | Only::Alike(b), outside))
                if here == outside =>
            {
                Only::Alike(a.min(b))
            }
            _ => Only::Different,
        }
    }

    /// The only tracer that was made in this scope, and the identity of a destination.
    fn of_scope(&self, scope: u64) -> (Only, Option<&String>) {
        let of_scope = self.by_scope.get(&scope);
        let only = of_scope.map_or(Only::None, |of_scope| of_scope.only());
        (only, of_scope.and_then(|of_scope| of_scope.destinations.keys().next()))
    }
}

impl OfScope {
    /// The only tracer among these.
    fn only(&self) -> Only {
        match self.tracers.front() {
            None => Only::None,
            Some(only) if self.tracers.len() == 1 => Only::One(*only),
            Some(first) if self.destinations.len() == 1 => Only::Alike(*first),
            Some(_) => Only::Different,
        }
    }
}

/// The identity of the tracer's destination; empty if it does not send.
fn identity(tracer: &Tracer) -> &str {
    tracer.settings.destination.as_ref().map_or("", |destination| &destination.identity)
}
