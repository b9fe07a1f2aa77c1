//! What stands around the core in JavaScript: tracers as users hold them, and whose functions (`fetch`,
//! `onDrop`, `redact`) are held. They are held while there is work for the tracer, and not a moment longer: an
//! `onDrop` may refer to its tracer, which then could never be collected.

use std::collections::{BTreeMap, BTreeSet};

use honeyhive_edge::core::outcome::Reason;
use honeyhive_edge::core::redact::MASK;
use serde_json::Value;

use super::calls::Name;

/// What a tracer masks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redact {
    /// `redact: false`.
    Nothing,
    /// The default keys, which the core masks.
    Keys,
    /// A function of the user's own, which the face calls before the core hears of anything.
    Function,
}

/// A tracer as its user holds it.
#[derive(Clone, Debug)]
pub struct Tracer {
    /// The core's number.
    pub number: u64,
    pub session: Name,
    /// The request scope that it was made in.
    pub scope: u64,
    /// The number of its own `fetch`; 0 for the runtime's.
    pub transport: u32,
    pub has_on_drop: bool,
    pub redact: Redact,
    pub persists: bool,
    pub is_disabled: bool,
    pub deadline_ms: u64,
    pub max_queue_bytes: u64,
    pub is_closed: bool,
    /// Its user refers to it no more.
    pub is_forgotten: bool,
    /// The core was told so.
    pub is_released: bool,
    /// Whether the model knows all that it was given.
    pub is_counted: bool,
}

impl Tracer {
    fn is_open(&self) -> bool {
        !self.is_closed && !self.is_released
    }

    /// Where its requests go, how, and what is masked: two that agree in this are as good as one.
    fn way(&self) -> (usize, &str, Redact, bool, bool) {
        let Tracer { session, redact, persists, is_disabled, .. } = self;
        (session.server, &session.key, *redact, *persists, *is_disabled)
    }
}

/// Whom a call is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// This tracer.
    Tracer(usize),
    /// One of several that are alike.
    AnyOf(Vec<usize>),
    /// Nobody.
    Refused(Reason),
    /// More than one way to read the rules.
    Doubtful,
}

/// The face of one program.
#[derive(Debug, Default)]
pub struct Face {
    pub tracers: Vec<Tracer>,
    /// Those whose functions are held.
    held: BTreeSet<usize>,
    /// What the metrics of sessions add up to, as far as that can be known.
    pub totals: BTreeMap<Name, Option<f64>>,
}

impl Face {
    /// The place of the tracer that the core knows by `number`.
    pub fn place(&self, number: u64) -> Option<usize> {
        self.tracers.iter().rposition(|tracer| tracer.number == number)
    }

    pub fn hold(&mut self, tracer: usize) {
        self.held.insert(tracer);
    }

    pub fn let_go(&mut self, tracer: usize) {
        self.held.remove(&tracer);
    }

    pub fn holds(&self, tracer: usize) -> bool {
        self.held.contains(&tracer)
    }

    pub fn holds_any(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether the `fetch` numbered `transport` is at hand.
    pub fn lends(&self, transport: u32) -> bool {
        transport == 0 || self.held.iter().any(|place| self.tracers[*place].transport == transport)
    }

    /// The open tracers, by their places.
    pub fn open(&self) -> Vec<usize> {
        let places = 0..self.tracers.len();
        places
            .filter(|place| self.tracers[*place].is_open() && !self.tracers[*place].is_forgotten)
            .collect()
    }

    /// Whom a call in `scope` is for: `active` is the tracer of the context that it is made in, `named` the id
    /// of a session.
    pub fn target(&self, active: Option<usize>, named: Option<&str>, scope: u64) -> Target {
        let open = |place: &usize| self.tracers[*place].is_open();
        let has_it = |place: &usize| {
            let tracer = &self.tracers[*place];
            open(place) && !tracer.is_disabled && Some(tracer.session.id.as_str()) == named
        };
        if let Some(active) = active.filter(has_it) {
            return Target::Tracer(active);
        }
        let owners: Vec<usize> = (0..self.tracers.len()).filter(has_it).collect();
        if !owners.is_empty() {
            return self.one_of(owners);
        }
        if let Some(active) = active {
            return Target::Tracer(active);
        }
        let visible = |place: &usize| [0, scope].contains(&self.tracers[*place].scope);
        let visible: Vec<usize> = (0..self.tracers.len()).filter(open).filter(visible).collect();
        let keys: BTreeSet<_> = visible
            .iter()
            .map(|place| &self.tracers[*place])
            .map(|it| (!it.is_disabled).then_some((it.session.server, &it.session.key)))
            .collect();
        match (visible.len(), named) {
            (0, _) => Target::Refused(Reason::NoSession),
            (1, _) => Target::Tracer(visible[0]),
            (_, None) => Target::Refused(Reason::NoSession),
            (_, Some(_)) if keys.len() > 1 => Target::Refused(Reason::NoSession),
            _ => self.one_of(visible),
        }
    }

    fn one_of(&self, places: Vec<usize>) -> Target {
        let way = self.tracers[places[0]].way();
        match places[..] {
            [only] => Target::Tracer(only),
            _ if places.iter().all(|place| self.tracers[*place].way() == way) => {
                Target::AnyOf(places)
            }
            _ => Target::Doubtful,
        }
    }
}

/// `fields` as a function of the user's own masks them, and as the core does by default.
pub fn masked(fields: &Value) -> Value {
    let mut fields = fields.clone();
    for field in fields.as_object_mut().into_iter().flat_map(|fields| fields.values_mut()) {
        if let Some(secret) = field.get_mut("password") {
            *secret = MASK.into();
        }
    }
    fields
}
