//! The numbers that stand for something in calls between JavaScript and the core. The face has the same under the same names,
//! in `pkg-template/src/boundary.js`.

/// In place of a status: no answer came, for a reason that may pass.
pub const NO_ANSWER: f64 = -1.0;
/// In place of a status: no answer came in time.
pub const LATE: f64 = -2.0;
/// In place of a status: no request can be sent, or no answer understood.
pub const UNUSABLE: f64 = -3.0;

/// What happens to a page.
#[cfg(feature = "tracer")]
pub mod turns {
    use crate::core::registry::Turn;

    /// A worker resumes.
    pub const WORKER_GOES_ON: u8 = 0;
    /// A document resumes.
    pub const DOCUMENT_GOES_ON: u8 = 1;
    /// The page is frozen or left.
    pub const LEAVES: u8 = 2;
    /// There is no network.
    pub const OFFLINE: u8 = 3;
    /// The page is in the browser's back-forward cache.
    pub const RESTS: u8 = 4;
    /// The page is hidden.
    pub const HIDES: u8 = 5;
    /// The page begins while other pages have had entries unsent for longer than they should.
    pub const DOUBTS: u8 = 6;
    /// The page is about to be hidden or left, and its store cannot be written.
    pub const STORE_FAILS: u8 = 7;

    /// The turn with this number; `None` for any other number.
    pub fn turn(number: u8) -> Option<Turn> {
        match number {
            WORKER_GOES_ON => Some(Turn::GoesOn { in_document: false }),
            DOCUMENT_GOES_ON => Some(Turn::GoesOn { in_document: true }),
            LEAVES => Some(Turn::Leaves),
            OFFLINE => Some(Turn::Offline),
            RESTS => Some(Turn::Rests),
            HIDES => Some(Turn::Hides),
            DOUBTS => Some(Turn::Doubts),
            STORE_FAILS => Some(Turn::StoreFails),
            _ => None,
        }
    }
}
