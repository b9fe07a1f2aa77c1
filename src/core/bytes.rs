//! What each byte of a JSON text may be, looked up in one table: every byte of an enrichment is looked
//! at twice, to mask what is secret and to find the values, and nothing else in the core costs as much.

/// A byte that is part of a word.
pub const WORD: u8 = 1;

/// A byte that a secret may start with: the first ones of what `redact::secret_at` knows.
pub const STARTS: u8 = 2;

/// A dash: together with [`WORD`], base64url.
pub const DASH: u8 = 4;

/// What a token may have beside that (RFC 6750).
pub const TOKEN: u8 = 8;

/// A space.
pub const SPACE: u8 = 16;

/// What stands for itself in a JSON string: no quote, no backslash, no control character.
pub const PLAIN: u8 = 32;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        let mut class = 0;
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            class |= PLAIN;
        }
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            class |= WORD;
        }
        if matches!(byte, b'b' | b'B' | b's' | b'h' | b'e' | b'2'..=b'6') {
            class |= STARTS;
        }
        class |= match byte {
            b'-' => DASH,
            b'.' | b'~' | b'+' | b'/' | b'=' => TOKEN,
            b' ' => SPACE,
            _ => 0,
        };
        classes[at] = class;
        at += 1;
    }
    classes
};

/// All that `byte` may be.
pub fn class(byte: u8) -> u8 {
    CLASSES[usize::from(byte)]
}

/// The end of the stretch from `at` on whose bytes are all of a class in `classes`.
#[inline(always)]
pub fn run(bytes: &[u8], mut at: usize, classes: u8) -> usize {
    while bytes.get(at).is_some_and(|byte| class(*byte) & classes != 0) {
        at += 1;
    }
    at
}
