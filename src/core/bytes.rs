//! What a byte of a JSON text may be, looked up in a table: the bytes of every enrichment are looked at
//! one by one to find its values.

/// What stands for itself in a JSON string: no quote, no backslash, no control character.
pub const PLAIN: u8 = 1;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            classes[at] = PLAIN;
        }
        at += 1;
    }
    classes
};

/// The end of the stretch from `at` on whose bytes are all of a class in `classes`.
#[inline(always)]
pub fn run(bytes: &[u8], mut at: usize, classes: u8) -> usize {
    while bytes.get(at).is_some_and(|byte| CLASSES[usize::from(*byte)] & classes != 0) {
        at += 1;
    }
    at
}
