//! A table of byte classes for scanning JSON text, because every byte of every enrichment is scanned.

/// A byte that stands for itself in a JSON string: neither quote, backslash nor control character.
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

/// The end of the run of bytes from `at` on that all belong to one of `classes`.
#[inline(always)]
pub fn run(bytes: &[u8], mut at: usize, classes: u8) -> usize {
    while bytes.get(at).is_some_and(|byte| CLASSES[usize::from(*byte)] & classes != 0) {
        at += 1;
    }
    at
}
