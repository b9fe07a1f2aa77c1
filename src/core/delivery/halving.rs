//! A batch that is refused, of which one part may be to blame: it goes in two halves.
//!
//! A thousand enrichments with a bad one among them are twenty requests more, and none but that one is lost.
//! Where all are refused it would be two requests for each. So it ends early once refusal is plainly general:
//! so many singles were refused in a row, and nothing was stored in between. From then on pieces that were
//! refused are refused as they are, down to a sixteenth of the batch. Nothing is refused that was not asked
//! for; and if what comes later in the batch is sound again, it is lost at most to the end of the sixteenth
//! that has something bad in it.

use crate::core::policy::{GENERAL_REFUSAL, GENERAL_REFUSAL_AGAIN, SMALLEST_PIECE};

/// A batch that was refused, or a piece of one.
#[derive(Clone, Copy, Debug)]
pub struct Halving {
    /// How many parts it is.
    pub len: usize,
    /// How many parts the batch was before it was halved.
    pub whole_len: usize,
    /// Single parts that were refused in a row, nothing being stored in between.
    pub refused_singles: u32,
    /// Whether the server refuses all, of others as well: it has given its evidence before, and a few
    /// singles will do.
    pub refuses_all: bool,
}

impl Halving {
    /// How many parts the first half is; nothing where the piece is to be refused as it is.
    pub fn first_half(self) -> Option<usize> {
        let enough = if self.refuses_all { GENERAL_REFUSAL_AGAIN } else { GENERAL_REFUSAL };
        let is_general = self.refused_singles >= enough;
        let is_small = self.len * SMALLEST_PIECE <= self.whole_len;
        (self.len > 1 && !(is_general && is_small)).then_some(self.len / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_halved_until_it_is_single_or_refusal_is_general() {
        let piece = Halving { len: 5, whole_len: 100, refused_singles: 0, refuses_all: false };
        assert_eq!(piece.first_half(), Some(2));
        assert_eq!(Halving { len: 1, ..piece }.first_half(), None);
        let general = Halving { refused_singles: GENERAL_REFUSAL, ..piece };
        assert_eq!(general.first_half(), None);
        assert_eq!(Halving { len: 50, ..general }.first_half(), Some(25), "large pieces are asked");
        let again = Halving { refused_singles: GENERAL_REFUSAL_AGAIN, refuses_all: true, ..piece };
        assert_eq!(again.first_half(), None);
    }
}
