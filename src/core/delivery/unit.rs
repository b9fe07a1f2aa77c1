//! What is delivered, and how it ends where it is not.

use crate::core::outcome::Reason;

/// What is delivered.
pub trait Unit {
    /// Bytes that it takes in a request, beside what it has in common with others.
    fn bytes(&self) -> usize;

    /// What it has in common with others, which stands in a request once: a number for each, and its bytes.
    fn common(&self) -> impl Iterator<Item = (u64, usize)>;
}

/// Why units were given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// As a code.
    pub reason: Reason,
    /// In words.
    pub message: String,
}
