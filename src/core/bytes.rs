//! Bytes of JSON texts: every byte of an enrichment is looked at to find its values.

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHEST: u64 = u64::from_ne_bytes([0x80; 8]);

/// The end of the run of bytes from `at` on that stand for themselves in a JSON string: neither quote, backslash nor
/// control character.
#[inline(always)]
pub fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
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
    while bytes.get(at).is_some_and(|byte| is_plain(*byte)) {
        at += 1;
    }
    at
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
