//! Mistakes that a core or a face could make, planted around them to see that the simulation finds them.

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
    /// A bare call is masked as the tracer of its context has it, and not the one that it is given to.
    MasksForTheWrongTracer,
    /// Functions are let go of when one call of a tracer's was refused, whatever else it has to send.
    LetsGoWithWorkLeft,
    /// Functions of a tracer that the core gives work by itself are not held.
    HoldsCallersOnly,
    /// One 404 to an update is the end of it, and nobody looks whether the session is there.
    TakesOneAnswerForRefusal,
    /// A flush ends before what was said before it.
    FlushesTooEarly,
    /// Each tracer of a session adds up by itself.
    SplitsTotals,
    /// What an earlier page left is stamped as if it was said now.
    StampsLeftoversAnew,
    /// What a page said before it rested is stamped as if it was said when it is back.
    StampsWhatRestedAnew,
    /// A report after the close is of zeros.
    ForgetsItsCounts,
    /// What is kept while a page that rested comes back is taken for delivered by others.
    OverlooksWhatIsKept,
    /// What was taken over from earlier pages stays in the store.
    KeepsForEver,
    /// A tracer's enrichment is given up at the deadline of another one.
    GivesUpEarly,
    /// A request is repeated before the time that its server asked for.
    IgnoresRetryAfter,
    /// Enrichments are refused for a budget that is not spent.
    SeesAFullBudget,
    /// The limit on requests at once never shrinks: the core does not hear that they were too many.
    NeverShrinksItsLimit,
    /// To wait for one's turn behind a server that answers counts against the deadline.
    CountsWaitsAgainstDeadlines,
}

impl Bug {
    /// All of them.
    pub const ALL: [Bug; 23] = [
        Bug::MergesOutputs,
        Bug::RetriesOutOfOrder,
        Bug::ForgetsWhatCameInFlight,
        Bug::EndsTwice,
        Bug::TellsNobody,
        Bug::NewTimestampOnRetry,
        Bug::WrongKey,
        Bug::MasksForTheWrongTracer,
        Bug::LetsGoWithWorkLeft,
        Bug::HoldsCallersOnly,
        Bug::TakesOneAnswerForRefusal,
        Bug::FlushesTooEarly,
        Bug::SplitsTotals,
        Bug::StampsLeftoversAnew,
        Bug::StampsWhatRestedAnew,
        Bug::ForgetsItsCounts,
        Bug::OverlooksWhatIsKept,
        Bug::KeepsForEver,
        Bug::GivesUpEarly,
        Bug::IgnoresRetryAfter,
        Bug::SeesAFullBudget,
        Bug::NeverShrinksItsLimit,
        Bug::CountsWaitsAgainstDeadlines,
    ];
}
