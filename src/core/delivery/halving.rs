//! Halves a refused batch to find the part that is to blame.
//!
//! With one bad enrichment among a thousand this takes twenty more requests, and only the bad one is lost. If the
//! server refused everything, it would take two requests for each enrichment. So halving stops early once refusal is
//! plainly general: many single parts were refused in a row and nothing was stored in between. From then on a refused
//! piece is no longer halved if it is at most a sixteenth of the batch. Every part is still sent at least once, and if
//! the server accepts later parts again, the only sound parts lost are those in the same sixteenth as a bad one.

use crate::core::policy::{GENERAL_REFUSAL, GENERAL_REFUSAL_AGAIN, SMALLEST_PIECE};

/// A refused batch, or a refused piece of one.
#[derive(Clone, Copy, Debug)]
pub struct Halving {
    /// How many parts it has.
    pub len: usize,
    /// How many parts the batch had before it was first halved.
    pub original_len: usize,
    /// How many single parts in a row were refused, with nothing stored in between.
    pub refused_singles: u32,
    /// Whether the server has already been seen to refuse everything, so that fewer single parts are needed as
    /// evidence.
    pub refuses_all: bool,
}

impl Halving {
    /// The number of parts in the first half; `None` if the piece is not halved and counts as refused.
    pub fn first_half(self) -> Option<usize> {
        let enough = if self.refuses_all { GENERAL_REFUSAL_AGAIN } else { GENERAL_REFUSAL };
        let is_general = self.refused_singles >= enough;
        let is_small = self.len * SMALLEST_PIECE <= self.original_len;
        (self.len > 1 && !(is_general && is_small)).then_some(self.len / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_halved_until_it_is_single_or_refusal_is_general() {
        let piece = Halving { len: 5, original_len: 100, refused_singles: 0, refuses_all: false };
        assert_eq!(piece.first_half(), Some(2));
        assert_eq!(Halving { len: 1, ..piece }.first_half(), None);
        let general = Halving { refused_singles: GENERAL_REFUSAL, ..piece };
        assert_eq!(general.first_half(), None);
        assert_eq!(Halving { len: 50, ..general }.first_half(), Some(25), "large pieces are asked");
        let again = Halving { refused_singles: GENERAL_REFUSAL_AGAIN, refuses_all: true, ..piece };
        assert_eq!(again.first_half(), None);
    }
}
