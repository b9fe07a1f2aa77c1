//! The tracers that take calls, as a call finds them that names none.

use std::collections::{BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use super::id_map::FixedMap;
use super::session::SessionId;
use super::settings::Destination;
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
#[derive(Debug, Default)]
pub struct OpenTracers {
    /// Those that send, by session.
    by_session: BTreeSet<(SessionId, u64)>,
    /// By the request scope that each was made in.
    by_scope: FixedMap<u64, OfScope>,
}

/// The open tracers that were made in one request scope.
#[derive(Debug, Default)]
struct OfScope {
    /// Sorted: their numbers go up.
    tracers: VecDeque<u64>,
    /// Where they send, and how many to each place.
    destinations: FixedMap<Place, usize>,
}

/// Where a tracer sends, if it does.
#[derive(Clone, Debug, Eq)]
struct Place(Option<Rc<Destination>>);

impl Place {
    fn identity(&self) -> Option<&str> {
        self.0.as_ref().map(|destination| destination.identity.as_str())
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Place) -> bool {
        self.identity() == other.identity()
    }
}

impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl OpenTracers {
    /// Adds the tracer `id`.
    pub fn add(&mut self, id: u64, tracer: &Tracer) {
        let place = Place(tracer.settings.destination.clone());
        if place.0.is_some() {
            self.by_session.insert((tracer.session_id, id));
        }
        let of_scope = self.by_scope.entry(tracer.scope).or_default();
        if let Err(index) = of_scope.tracers.binary_search(&id) {
            of_scope.tracers.insert(index, id);
            *of_scope.destinations.entry(place).or_default() += 1;
        }
    }

    /// Takes out the tracer `id`, if it is there.
    pub fn remove(&mut self, id: u64, tracer: &Tracer) {
        self.by_session.remove(&(tracer.session_id, id));
        let Some(of_scope) = self.by_scope.get_mut(&tracer.scope) else { return };
        let Ok(index) = of_scope.tracers.binary_search(&id) else { return };
        of_scope.tracers.remove(index);
        let place = Place(tracer.settings.destination.clone());
        if let Some(count) = of_scope.destinations.get_mut(&place) {
            *count -= 1;
            if *count == 0 {
                of_scope.destinations.remove(&place);
            }
        }
        if of_scope.tracers.is_empty() {
            self.by_scope.remove(&tracer.scope);
        }
    }

    /// A tracer of the session that sends: `preferred` if it is one, else the first.
    pub fn of_session(&self, session_id: SessionId, preferred: u64) -> Option<u64> {
        if self.by_session.contains(&(session_id, preferred)) {
            return Some(preferred);
        }
        let all = (session_id, u64::MIN)..=(session_id, u64::MAX);
        self.by_session.range(all).next().map(|(_, id)| *id)
    }

    /// The only tracer that `scope` may know: those made in it, and outside of any.
    pub fn only(&self, scope: u64) -> Only {
        let mut scopes = vec![scope];
        if scope != 0 {
            scopes.push(0);
        }
        let known: Vec<&OfScope> =
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
