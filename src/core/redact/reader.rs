//! Reads a text byte by byte: classes of bytes, and runs of one alphabet, each of which is measured only once.
//!
//! The whole search for secrets reads through [`Reader`]. Debug builds count the bytes read, so that a test can check
//! that every text takes a constant number of reads per byte.

#[cfg(debug_assertions)]
use std::cell::Cell;

const LOWER: u16 = 1;
const UPPER: u16 = 2;
/// A digit.
pub const DIGIT: u16 = 4;
const UNDERSCORE: u16 = 8;
const DASH: u16 = 16;
const DOT: u16 = 32;
/// A character of Base64 other than letters and digits.
const BASE64: u16 = 64;
const TILDE: u16 = 128;
/// A letter that is a hexadecimal digit.
const HEX_LETTER: u16 = 256;
/// A character that an unquoted value in an assignment may contain.
const VALUE: u16 = 512;
/// A character outside of words that the scan of a string has to examine.
pub const MARK: u16 = 1024;
/// The end of the text.
pub const END: u16 = 2048;
/// An ASCII letter or digit, of which words consist.
pub const ALNUM: u16 = LOWER | UPPER | DIGIT;

const CLASSES: [u16; 256] = {
    let mut classes = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        let mut class = match byte {
            b'a'..=b'z' => LOWER,
            b'A'..=b'Z' => UPPER,
            b'0'..=b'9' => DIGIT,
            b'_' => UNDERSCORE,
            b'-' => DASH,
            b'.' => DOT,
            b'+' | b'/' | b'=' => BASE64,
            b'~' => TILDE,
            _ => 0,
        };
        if matches!(byte, b'a'..=b'f' | b'A'..=b'F') {
            class |= HEX_LETTER;
        }
        if byte > b' '
            && byte != 0x7f
            && !matches!(
                byte,
                b'"' | b'\''
                    | b'`'
                    | b'&'
                    | b';'
                    | b','
                    | b'<'
                    | b'>'
                    | b'\\'
                    | b'('
                    | b')'
                    | b'['
                    | b']'
                    | b'{'
                    | b'}'
            )
        {
            class |= VALUE;
        }
        if matches!(byte, b'"' | b'\\' | b'%' | b'[' | b'-' | b':' | b'=' | b'~') {
            class |= MARK;
        }
        classes[at] = class;
        at += 1;
    }
    classes
};

/// Whether `byte` is an ASCII letter or digit.
pub fn is_alnum(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & ALNUM != 0
}

/// The characters that the body of a secret consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// `[A-Za-z0-9]`
    Alnum,
    /// `[0-9A-Fa-f]`
    Hex,
    /// `[A-Z0-9]`
    Upper,
    /// `[A-Za-z0-9_-]`, Base64 for URLs (RFC 4648, section 5)
    Url,
    /// `[A-Za-z0-9_.-]`
    Dotted,
    /// `[A-Za-z0-9+/=_-]`, Base64 in both variants
    Base64,
    /// The characters of a bearer token (RFC 6750, section 2.1).
    Token,
    /// `[A-Za-z0-9_.~-]`
    Unreserved,
    /// The characters of an unquoted value in an assignment: no space, quote, bracket or `& ; , < > \`.
    Value,
}

const ALPHABETS: usize = 9;

impl Alphabet {
    fn classes(self) -> u16 {
        match self {
            Alphabet::Alnum => ALNUM,
            Alphabet::Hex => DIGIT | HEX_LETTER,
            Alphabet::Upper => UPPER | DIGIT,
            Alphabet::Url => ALNUM | UNDERSCORE | DASH,
            Alphabet::Dotted => ALNUM | UNDERSCORE | DASH | DOT,
            Alphabet::Base64 => ALNUM | BASE64 | UNDERSCORE | DASH,
            Alphabet::Token => ALNUM | UNDERSCORE | DASH | DOT | BASE64 | TILDE,
            Alphabet::Unreserved => ALNUM | UNDERSCORE | DASH | DOT | TILDE,
            Alphabet::Value => VALUE,
        }
    }
}

/// The longest sequence of characters of one alphabet from some position on.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    start: usize,
    end: usize,
    /// The position after its last digit; 0 if it has none.
    digit: usize,
    /// The position after its last lower-case letter; 0 if it has none.
    lower: usize,
    /// The position after its last upper-case letter; 0 if it has none.
    upper: usize,
    /// Whether it is known that no part of it looks random: see [`Reader::looks_random`].
    is_plain: bool,
}

/// The end of a run, and the kinds of characters in it.
#[derive(Clone, Copy, Debug)]
pub struct RunSummary {
    /// The position of its first byte.
    pub start: usize,
    /// The position after its last byte.
    pub end: usize,
    /// Whether it contains a digit.
    pub has_digit: bool,
    /// Whether it contains a lower-case letter.
    pub has_lower: bool,
    /// Whether it contains an upper-case letter.
    pub has_upper: bool,
}

impl RunSummary {
    /// The number of its bytes.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether it contains a letter.
    pub fn has_letter(&self) -> bool {
        self.has_lower || self.has_upper
    }
}

#[cfg(debug_assertions)]
thread_local! {
    static READS: Cell<u64> = const { Cell::new(0) };
}

/// How many bytes this thread has read so far in the search for secrets. Debug builds only.
#[cfg(debug_assertions)]
pub fn reads() -> u64 {
    READS.get()
}

/// The classes of the byte at `at`.
#[inline(always)]
pub fn class_at(bytes: &[u8], at: usize) -> u16 {
    #[cfg(debug_assertions)]
    READS.set(READS.get() + 1);
    match bytes.get(at) {
        Some(byte) => CLASSES[usize::from(*byte)],
        None => END,
    }
}

/// The end of the word (letters and digits) at `at`.
#[inline(always)]
pub fn word_end(bytes: &[u8], mut at: usize) -> usize {
    while class_at(bytes, at) & ALNUM != 0 {
        at += 1;
    }
    at
}

/// A reader of one text, which remembers the last run of each alphabet.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    runs: [Run; ALPHABETS],
}

impl<'a> Reader<'a> {
    /// A reader of `text`.
    pub fn new(text: &'a str) -> Reader<'a> {
        Reader { bytes: text.as_bytes(), runs: [Run::default(); ALPHABETS] }
    }

    /// The length of the text in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The byte at `at`; `None` after the end of the text.
    #[inline(always)]
    pub fn get(&self, at: usize) -> Option<u8> {
        #[cfg(debug_assertions)]
        READS.set(READS.get() + 1);
        self.bytes.get(at).copied()
    }

    /// The text's bytes, for [`class_at`].
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The byte before `at`; 0 at the beginning.
    pub fn before(&self, at: usize) -> u8 {
        at.checked_sub(1).and_then(|at| self.get(at)).unwrap_or(0)
    }

    /// Whether a word begins at `at`: the byte before is not a letter or digit, or it is the letter of an escape such as
    /// `\n`.
    pub fn begins_at(&self, at: usize) -> bool {
        let before = self.before(at);
        let is_escape = matches!(before, b'b' | b'f' | b'n' | b'r' | b't');
        !is_alnum(before) || is_escape && self.before(at - 1) == b'\\'
    }

    /// Whether there is a byte at `at` and it `fits`.
    pub fn is(&self, at: usize, fits: impl FnOnce(u8) -> bool) -> bool {
        self.get(at).is_some_and(fits)
    }

    /// Whether the text has `prefix` at `at`.
    pub fn has(&self, at: usize, prefix: &str) -> bool {
        prefix.bytes().enumerate().all(|(place, byte)| self.get(at + place) == Some(byte))
    }

    /// Whether the text has `word` at `at`, ignoring case. `word` must be in lower case.
    pub fn has_word(&self, at: usize, word: &str) -> bool {
        word.bytes()
            .enumerate()
            .all(|(place, byte)| self.is(at + place, |it| it.to_ascii_lowercase() == byte))
    }

    /// The bytes from `from` to `to`, which all count as read.
    pub fn slice(&self, from: usize, to: usize) -> &'a [u8] {
        #[cfg(debug_assertions)]
        READS.set(READS.get() + (to - from) as u64);
        &self.bytes[from..to]
    }

    /// The end of the word (letters and digits) at `at`.
    pub fn word_end(&self, at: usize) -> usize {
        word_end(self.bytes, at)
    }

    /// How many digits follow from `at` on, up to `most`.
    pub fn digits(&self, at: usize, most: usize) -> usize {
        (0..most).take_while(|place| self.is(at + place, |it| it.is_ascii_digit())).count()
    }

    /// The value of the two hexadecimal digits at `at`.
    pub fn hex(&self, at: usize) -> Option<u8> {
        let digit = |at| char::from(self.get(at)?).to_digit(16);
        Some((digit(at)? << 4 | digit(at + 1)?) as u8)
    }

    /// The longest sequence of characters of `alphabet` from `at` on. A run that was measured is not read again.
    pub fn run(&mut self, at: usize, alphabet: Alphabet) -> RunSummary {
        let known = self.runs[alphabet as usize];
        let run =
            if known.start <= at && at < known.end { known } else { self.measure(at, alphabet) };
        RunSummary {
            start: at,
            end: run.end,
            has_digit: run.digit > at,
            has_lower: run.lower > at,
            has_upper: run.upper > at,
        }
    }

    fn measure(&mut self, at: usize, alphabet: Alphabet) -> Run {
        let classes = alphabet.classes();
        let mut run = Run { start: at, end: at, ..Run::default() };
        while let Some(byte) = self.get(run.end) {
            let class = CLASSES[usize::from(byte)];
            if class & classes == 0 {
                break;
            }
            run.end += 1;
            match class & ALNUM {
                DIGIT => run.digit = run.end,
                LOWER => run.lower = run.end,
                UPPER => run.upper = run.end,
                _ => {}
            }
        }
        self.runs[alphabet as usize] = run;
        run
    }

    /// Whether the run of `alphabet` at `at` has a part (between `-`, `_` and `.`) that occurs in no word, version or
    /// date: a random one by [`is_random`], 24 characters, or ten digits.
    ///
    /// A run without such a part is remembered, because no end of it has such a part either.
    pub fn looks_random(&mut self, at: usize, alphabet: Alphabet) -> bool {
        let body = self.run(at, alphabet);
        if self.runs[alphabet as usize].is_plain {
            return false;
        }
        let text = self.slice(body.start, body.end);
        let is_long = |part: &[u8]| {
            part.len() >= 24 || part.len() >= 10 && part.iter().all(u8::is_ascii_digit)
        };
        let is_random = is_random(text) || text.split(|byte| !is_alnum(*byte)).any(is_long);
        self.runs[alphabet as usize].is_plain = !is_random;
        is_random
    }
}

/// Whether any part of `text` (between characters other than letters and digits) looks random: sixteen characters that
/// mix letters and digits; eight that change between the two three times, or that have digits and letters in both cases;
/// or eighteen whose letters change case eight times.
pub fn is_random(text: &[u8]) -> bool {
    text.split(|byte| !is_alnum(*byte)).any(|part| {
        let kind = |byte: &u8| CLASSES[usize::from(*byte)] & ALNUM;
        let (mut digits, mut lower, mut upper, mut changes, mut cases) = (0, 0, 0, 0, 0);
        let mut last = 0;
        for kind in part.iter().map(kind) {
            match kind {
                DIGIT => digits += 1,
                LOWER => lower += 1,
                _ => upper += 1,
            }
            if last != 0 && (kind == DIGIT) != (last == DIGIT) {
                changes += 1;
            } else if last != 0 && kind != last {
                cases += 1;
            }
            last = kind;
        }
        let letters = lower + upper;
        (digits > 0 && letters > 0 && part.len() >= 16)
            || (part.len() >= 8 && changes >= 3)
            || (part.len() >= 8 && digits > 0 && lower > 0 && upper > 0 && changes + cases >= 3)
            || (part.len() >= 18 && lower > 0 && upper > 0 && cases >= 8)
    })
}
