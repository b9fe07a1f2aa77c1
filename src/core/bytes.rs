//! Bytes of JSON texts: every byte of an enrichment is looked at to find its values.

#[cfg(target_feature = "simd128")]
use core::arch::wasm32::{i8x16_bitmask, u8x16_eq, u8x16_lt, u8x16_splat, u64x2, v128, v128_or};

/// The end of the run of bytes from `at` on that stand for themselves in a JSON string: neither quote, backslash nor
/// control character.
#[inline(always)]
pub fn plain_end(bytes: &[u8], at: usize) -> usize {
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    let mut at = end_in_blocks(bytes, at);
    while bytes.get(at).is_some_and(|byte| is_plain(*byte)) {
        at += 1;
    }
    at
}

/// The end of the run if there is a whole block around it; else the beginning of the last bytes, which are no block.
#[cfg(target_feature = "simd128")]
#[inline(always)]
fn end_in_blocks(bytes: &[u8], mut at: usize) -> usize {
    while let Some(Ok(block)) = bytes.get(at..at + 16).map(<&[u8; 16]>::try_from) {
        let these = vector(block, 0);
        let is = |byte: u8| u8x16_eq(these, u8x16_splat(byte));
        let ends = v128_or(u8x16_lt(these, u8x16_splat(b' ')), v128_or(is(b'"'), is(b'\\')));
        match i8x16_bitmask(ends) {
            0 => at += 16,
            ends => return at + ends.trailing_zeros() as usize,
        }
    }
    at
}

/// The end of the run if there is a whole block around it; else the beginning of the last bytes, which are no block.
#[cfg(not(target_feature = "simd128"))]
#[inline(always)]
fn end_in_blocks(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHEST: u64 = u64::from_ne_bytes([0x80; 8]);
    // Eight bytes at a time: subtracting a greater byte borrows the highest bit, and at least the lowest byte with a
    // borrow is found correctly.
    while let Some(Ok(eight)) = bytes.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let word = u64::from_le_bytes(eight);
        let below = |word: u64, least: u8| word.wrapping_sub(ONES * u64::from(least)) & !word;
        let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
        let ends = (below(word, b' ') | is(b'"') | is(b'\\')) & HIGHEST;
        if ends != 0 {
            return at + ends.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at
}

/// The sixteen bytes of `bytes` from `at` on.
#[cfg(target_feature = "simd128")]
#[inline(always)]
pub fn vector<const LENGTH: usize>(bytes: &[u8; LENGTH], at: usize) -> v128 {
    let half = |from: usize| {
        let mut half = [0; 8];
        half.copy_from_slice(&bytes[from..from + 8]);
        u64::from_le_bytes(half)
    };
    u64x2(half(at), half(at + 8))
}

#[cfg(test)]
mod tests {
    use super::plain_end;

    #[test]
    fn the_end_is_the_first_byte_that_is_not_plain() {
        for length in 0..20 {
            for place in 0..=length {
                for byte in 0..=255_u8 {
                    for around in [b'a', b' ', b'!', b'#', 0x7f, 0x80, 0xff] {
                        let mut bytes = vec![around; length];
                        if let Some(it) = bytes.get_mut(place) {
                            *it = byte;
                        }
                        let is_end = |it: &u8| *it < b' ' || *it == b'"' || *it == b'\\';
                        let end = bytes.iter().position(is_end).unwrap_or(length);
                        assert_eq!(plain_end(&bytes, 0), end, "{bytes:?}");
                    }
                }
            }
        }
    }
}
