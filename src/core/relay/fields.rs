//! The fields that a ticket may allow, by the names that `enrichSession` has for them, and the parts of a request
//! that each one covers.

use crate::core::enrichment::Field;

/// A field that a ticket can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// A field of an enrichment. `metadata` also covers every key that is not a field, and `inputs` covers those of a
    /// start and `metadata.inputs` afterwards.
    Of(Field),
    /// `metadata.error`.
    Error,
}

impl Allowance {
    /// All of them, in the order in which tickets name them.
    pub const ALL: [Allowance; Field::ALL.len() + 1] = {
        let mut all = [Allowance::Error; Field::ALL.len() + 1];
        let mut place = 0;
        while place < Field::ALL.len() {
            all[place] = Allowance::Of(Field::ALL[place]);
            place += 1;
        }
        all
    };

    /// The name in JavaScript, which tickets contain.
    pub fn name(self) -> &'static str {
        match self {
            Allowance::Of(field) => field.name(),
            Allowance::Error => "error",
        }
    }

    /// The one with this name, in JavaScript's or Python's spelling. The backend uses Python's.
    pub fn named(name: &str) -> Option<Allowance> {
        if name == "error" {
            return Some(Allowance::Error);
        }
        Field::named(name).map(Allowance::Of)
    }

    fn place(self) -> u16 {
        match self {
            Allowance::Of(field) => field as u16,
            Allowance::Error => Field::ALL.len() as u16,
        }
    }

    /// The field that covers a key of `metadata` besides `metadata` itself: values that an update has no field for
    /// are stored there.
    pub fn of_metadata_key(key: &str) -> Allowance {
        match key {
            "inputs" => Allowance::Of(Field::Inputs),
            "error" => Allowance::Error,
            _ => Allowance::Of(Field::Metadata),
        }
    }
}

/// A set of fields that a ticket allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed(u16);

impl Allowed {
    /// This set with `field` added.
    #[must_use]
    pub fn with(self, field: Allowance) -> Allowed {
        Allowed(self.0 | 1 << field.place())
    }

    /// Whether `field` is in it.
    pub fn has(self, field: Allowance) -> bool {
        self.0 & 1 << field.place() != 0
    }

    /// Whether it is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The fields in it, in their order.
    pub fn fields(self) -> impl Iterator<Item = Allowance> {
        Allowance::ALL.into_iter().filter(move |field| self.has(*field))
    }
}
