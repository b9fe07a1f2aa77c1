//! Passes over the text of strings that no secret is in, which is most of all text.

use super::reader::{ALNUM, DIGIT, END, MARK, class_at, word_end};
use super::rules::{may_begin_with, may_begin_with_pair};

#[cfg(target_feature = "simd128")]
pub use simd::plain_end;
#[cfg(not(target_feature = "simd128"))]
pub use word_by_word as plain_end;

/// The position of the first byte from `at` on that has to be examined: a word with which a secret may begin, or a mark.
/// Not inlined, so that the loop over every byte has all registers.
#[inline(never)]
pub fn word_by_word(bytes: &[u8], mut at: usize) -> usize {
    loop {
        let class = class_at(bytes, at);
        if class & ALNUM == 0 {
            if class & (MARK | END) != 0 {
                return at;
            }
            at += 1;
            continue;
        }
        if class & DIGIT != 0 || begins(bytes, at) {
            return at;
        }
        at = word_end(bytes, at + 1);
    }
}

/// Whether a secret may begin with the word at `at`.
#[inline(always)]
fn begins(bytes: &[u8], at: usize) -> bool {
    match (bytes.get(at), bytes.get(at + 1), bytes.get(at + 2)) {
        (Some(first), Some(second), Some(third)) => {
            may_begin_with_pair(*first, *second) && may_begin_with(*first, *second, *third)
        }
        _ => false,
    }
}

/// The same for sixteen bytes at a time, with the vector instructions of WebAssembly.
#[cfg(target_feature = "simd128")]
mod simd {
    use core::arch::wasm32::{
        i8x16_bitmask, u8x16_ge, u8x16_gt, u8x16_shr, u8x16_splat, u8x16_sub, u8x16_swizzle, v128,
        v128_and, v128_or,
    };

    use super::super::reader::{MARK, class_at, word_end};
    use super::super::rules::continuations;
    use super::{begins, word_by_word};
    use crate::core::bytes::vector;

    /// What a byte is, as one bit. The greater ones belong to words.
    const DIGIT: u8 = 0x80;
    /// A letter of the first half of the alphabet, and of the second.
    const A_TO_O: u8 = 0x40;
    const P_TO_Z: u8 = 0x20;
    /// The marks `"%-`, `:=`, `[\` and `~`, which have the upper half of their bytes in common.
    const MARKS_2: u8 = 0x10;
    const MARKS_3: u8 = 0x08;
    const MARKS_5: u8 = 0x04;
    const MARKS_7: u8 = 0x02;

    /// The bits that a byte may have by its lower half, and by its upper half. It has the one that is in both.
    const BY_LOWER: [u8; 16] = {
        let mut bits = [A_TO_O; 16];
        bits[0] = 0;
        let mut lower = 0;
        while lower < 16 {
            bits[lower] |= if lower <= 9 { DIGIT } else { 0 };
            bits[lower] |= if lower <= 10 { P_TO_Z } else { 0 };
            bits[lower] |= if matches!(lower, 0x2 | 0x5 | 0xd) { MARKS_2 } else { 0 };
            bits[lower] |= if matches!(lower, 0xa | 0xd) { MARKS_3 } else { 0 };
            bits[lower] |= if matches!(lower, 0xb | 0xc) { MARKS_5 } else { 0 };
            bits[lower] |= if lower == 0xe { MARKS_7 } else { 0 };
            lower += 1;
        }
        bits
    };
    const BY_UPPER: [u8; 16] = {
        let mut bits = [0; 16];
        bits[2] = MARKS_2;
        bits[3] = DIGIT | MARKS_3;
        bits[4] = A_TO_O;
        bits[5] = P_TO_Z | MARKS_5;
        bits[6] = A_TO_O;
        bits[7] = P_TO_Z | MARKS_7;
        bits
    };

    /// Secrets are in eight groups by the last five bits of their first letters. Any grouping finds all of them; with this
    /// one, which was found by trial, few words of English look like a secret at first.
    const GROUPS: [u8; 32] = {
        let letters: [&[u8]; 8] = [b"ce", b"apx", b"ghi", b"s", b"dfjy", b"bkr", b"otw", b"lnvz"];
        let mut groups = [0; 32];
        let mut group = 0;
        while group < letters.len() {
            let mut at = 0;
            while at < letters[group].len() {
                groups[letters[group][at] as usize & 31] = group as u8;
                at += 1;
            }
            group += 1;
        }
        groups
    };

    /// By the last five bits of a byte: the groups of the secrets that have it in the first, second or third place. Three
    /// bytes that have no group in common begin no secret.
    const FIRST: [u8; 32] = groups_with(&continuations(0));
    const SECOND: [u8; 32] = groups_with(&continuations(1));
    const THIRD: [u8; 32] = groups_with(&continuations(2));

    const fn groups_with(bytes: &[u32; 128]) -> [u8; 32] {
        let mut groups = [0; 32];
        let mut first = 0;
        while first < bytes.len() {
            let mut byte = 0;
            while byte < groups.len() {
                let has = bytes[first] >> byte & 1 != 0;
                groups[byte] |= if has { 1 << GROUPS[first & 31] } else { 0 };
                byte += 1;
            }
            first += 1;
        }
        groups
    }

    /// See [`word_by_word`].
    #[inline(never)]
    pub fn plain_end(bytes: &[u8], mut at: usize) -> usize {
        // Marks often follow each other, as backslashes do in JSON within JSON.
        if class_at(bytes, at) & MARK != 0 {
            return at;
        }
        // Whether the word before `at` goes on there.
        let mut goes_on = 0;
        while let Some(Ok(block)) = bytes.get(at..at + 18).map(<&[u8; 18]>::try_from) {
            let these = vector(block, 0);
            let lower = u8x16_swizzle(vector(&BY_LOWER, 0), v128_and(these, u8x16_splat(15)));
            let upper = u8x16_swizzle(vector(&BY_UPPER, 0), u8x16_shr(these, 4));
            let kinds = v128_and(lower, upper);
            let digits = i8x16_bitmask(kinds);
            let words = i8x16_bitmask(u8x16_ge(kinds, u8x16_splat(P_TO_Z)));
            let marks = i8x16_bitmask(u8x16_gt(kinds, u8x16_splat(0))) & !words;
            let pairs =
                v128_and(by_five_bits(&FIRST, these), by_five_bits(&SECOND, vector(block, 1)));
            let triples = v128_and(pairs, by_five_bits(&THIRD, vector(block, 2)));
            let triples = i8x16_bitmask(u8x16_gt(triples, u8x16_splat(0)));
            let starts = words & !(words << 1 | goes_on);
            let certain = marks | starts & digits;
            let mut found = certain | starts & triples;
            while found != 0 {
                let place = found.trailing_zeros();
                if certain >> place & 1 != 0 || begins(bytes, at + place as usize) {
                    return at + place as usize;
                }
                found &= found - 1;
            }
            goes_on = words >> 15;
            at += 16;
        }
        word_by_word(bytes, if goes_on == 0 { at } else { word_end(bytes, at) })
    }

    fn by_five_bits(table: &[u8; 32], bytes: v128) -> v128 {
        let places = v128_and(bytes, u8x16_splat(31));
        // A place beyond the sixteen of a vector finds 0.
        let above = u8x16_sub(places, u8x16_splat(16));
        v128_or(u8x16_swizzle(vector(table, 0), places), u8x16_swizzle(vector(table, 16), above))
    }
}
