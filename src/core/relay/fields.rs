//! What a ticket may allow: the fields of an enrichment, by the names that `enrichSession` has for
//! them, and what of a request each one covers.

/// A field of an enrichment, as a ticket names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Allowance {
    /// All of `metadata`, and every key that is no field.
    Metadata,
    /// A start's `inputs`; later `metadata.inputs`.
    Inputs,
    /// `outputs`.
    Outputs,
    /// `config`.
    Config,
    /// `feedback`.
    Feedback,
    /// `metrics`.
    Metrics,
    /// `user_properties`.
    UserProperties,
    /// `duration`.
    Duration,
    /// `end_time`.
    EndTime,
    /// `metadata.error`.
    Error,
}

impl Allowance {
    /// Every one, in the order in which tickets name them.
    pub const ALL: [Allowance; 10] = [
        Allowance::Metadata,
        Allowance::Inputs,
        Allowance::Outputs,
        Allowance::Config,
        Allowance::Feedback,
        Allowance::Metrics,
        Allowance::UserProperties,
        Allowance::Duration,
        Allowance::EndTime,
        Allowance::Error,
    ];

    /// The name in JavaScript, which a ticket carries.
    pub fn name(self) -> &'static str {
        match self {
            Allowance::Metadata => "metadata",
            Allowance::Inputs => "inputs",
            Allowance::Outputs => "outputs",
            Allowance::Config => "config",
            Allowance::Feedback => "feedback",
            Allowance::Metrics => "metrics",
            Allowance::UserProperties => "userProperties",
            Allowance::Duration => "duration",
            Allowance::EndTime => "endTime",
            Allowance::Error => "error",
        }
    }

    /// The field called `name`, in JavaScript's or Python's spelling, which is the backend's.
    pub fn named(name: &str) -> Option<Allowance> {
        match name {
            "user_properties" => Some(Allowance::UserProperties),
            "end_time" => Some(Allowance::EndTime),
            _ => Allowance::ALL.into_iter().find(|field| field.name() == name),
        }
    }

    /// The field that covers a key of `metadata` beside `metadata` itself: what an update cannot
    /// carry under its own name is stored there.
    pub fn of_metadata_key(key: &str) -> Allowance {
        match key {
            "inputs" => Allowance::Inputs,
            "error" => Allowance::Error,
            _ => Allowance::Metadata,
        }
    }
}

/// A set of fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed(u16);

impl Allowed {
    /// This set and `field`.
    #[must_use]
    pub fn with(self, field: Allowance) -> Allowed {
        Allowed(self.0 | 1 << field as u16)
    }

    /// Whether `field` is in it.
    pub fn has(self, field: Allowance) -> bool {
        self.0 & 1 << field as u16 != 0
    }

    /// Whether nothing is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The fields in it, in their order.
    pub fn fields(self) -> impl Iterator<Item = Allowance> {
        Allowance::ALL.into_iter().filter(move |field| self.has(*field))
    }
}
