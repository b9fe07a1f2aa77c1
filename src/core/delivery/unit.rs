//! The units that the engine delivers, and why some are given up.

use crate::core::outcome::Reason;

/// Something that is delivered as a whole or not at all.
pub trait Unit {
    /// The bytes that the unit takes in a request, without the data it shares with other units.
    fn bytes(&self) -> usize;

    /// The data that the unit shares with others, which a request contains only once: the number of each piece, and its
    /// bytes.
    fn common(&self) -> impl Iterator<Item = (u64, usize)>;
}

/// Why units were given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The reason as a code.
    pub reason: Reason,
    /// The reason in words, for the application.
    pub message: String,
}
