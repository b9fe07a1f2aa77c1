//! Mistakes that a core could make, planted around it to see that the simulation finds them.

/// A planted mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// `outputs` are merged by key instead of replaced.
    MergesOutputs,
    /// A failed request is repeated behind those that came after it.
    RetriesOutOfOrder,
    /// What is said while a request is on its way is reported as delivered and forgotten.
    ForgetsWhatCameInFlight,
    /// An enrichment is told to have ended twice.
    EndsTwice,
    /// An enrichment's end is told to nobody.
    TellsNobody,
    /// A retry is stamped anew.
    NewTimestampOnRetry,
    /// A request carries another tracer's key.
    WrongKey,
}

impl Bug {
    /// All of them.
    pub const ALL: [Bug; 7] = [
        Bug::MergesOutputs,
        Bug::RetriesOutOfOrder,
        Bug::ForgetsWhatCameInFlight,
        Bug::EndsTwice,
        Bug::TellsNobody,
        Bug::NewTimestampOnRetry,
        Bug::WrongKey,
    ];
}
