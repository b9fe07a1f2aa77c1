//! What users said and asked for, as they know it: the numbers that a model keeps.

use honeyhive_edge::core::outcome::Reason;
use serde_json::Value;

/// A session, wherever it is spoken of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// The place of its server among [`URLS`](super::world::URLS).
    pub server: usize,
    pub key: String,
    pub id: String,
}

/// When something happened, by two clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moment {
    pub awake_ms: u64,
    /// As the program read its forward clock.
    pub mono_ms: u64,
}

/// What became of a call: the session that it was stored in, or why it was given up.
pub type End = Result<String, Reason>;

/// A call of `enrichSession` or `addMetrics`, or what a session was started with.
#[derive(Debug)]
pub struct Call {
    /// Its place among everything that was said in this life.
    pub order: u64,
    /// The tracer that it is given to by the rules, in its program; nothing where it is refused, or where
    /// several would do.
    pub tracer: Option<usize>,
    /// Nothing where it is refused at the door.
    pub session: Option<Name>,
    pub fields: Value,
    /// The reason for which it has to be refused at the door.
    pub refusal: Option<Reason>,
    /// A number that is in no other call, and in this one's fields.
    pub marker: Option<u32>,
    pub given: Moment,
    pub deadline_ms: u64,
    /// Bytes that were held when it was given, and how many may be.
    pub room: (u64, u64),
    /// Whether a page keeps it until it has ended.
    pub is_kept: bool,
    /// Whether a later page took it over, which has told or will tell its end.
    pub is_handed_over: bool,
    /// Whether its promise has settled.
    pub is_told: bool,
    pub end: Option<End>,
}

impl Call {
    pub fn is_delivered(&self) -> bool {
        matches!(self.end, Some(Ok(_)))
    }

    /// Bytes that it holds at most while it waits.
    pub fn most_bytes(&self) -> u64 {
        2 * self.fields.to_string().len() as u64 + 1_000
    }
}

/// A flush or a close.
#[derive(Debug)]
pub struct Flush {
    /// Nothing for all.
    pub tracer: Option<usize>,
    /// What was said before this place is waited for.
    pub order: u64,
    /// When it is over at the latest, by the program's forward clock.
    pub until_ms: u64,
    pub closes: bool,
}

/// Counts of a report, by the model: delivered, dropped, pending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    pub delivered: u64,
    pub dropped: u64,
    pub pending: u64,
}

impl Numbers {
    /// Those of `calls`.
    pub fn of<'a>(calls: impl Iterator<Item = &'a Call>) -> Numbers {
        let mut numbers = Numbers::default();
        for call in calls {
            match call.end {
                None => numbers.pending += 1,
                Some(Ok(_)) => numbers.delivered += 1,
                Some(Err(_)) => numbers.dropped += 1,
            }
        }
        numbers
    }
}

/// The numbers by which calls are known again in `text`: [`Call::marker`].
pub fn markers_in(text: &str) -> impl Iterator<Item = u32> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter(|run| run.len() == 7)
        .filter_map(|run| run.parse().ok())
}
