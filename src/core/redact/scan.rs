//! The one pass over a JSON text: strings are handed to the [`Finder`], values under the names of secrets
//! and numbers of cards are masked, everything else is copied as it was written.

use std::collections::HashMap;
use std::ops::Range;

use super::keys::{self, Class};
use super::patterns::Finder;
use super::reader::{ALNUM, DIGIT, END, MARK, class_at, is_alnum, word_end};
use super::rules::{may_begin, may_go_on};
use super::{MASK, Redaction, cards};
use crate::core::json;

/// So often a string is read as the JSON that it holds: JSON within JSON within JSON.
const DEEPEST: u8 = 3;

/// A JSON string that was looked through.
#[derive(Clone, Copy, Debug)]
struct Scanned {
    /// Where it ends: after its closing quote.
    end: usize,
    /// Something in it is escaped.
    has_escapes: bool,
    /// Something is that need not be, as `s` in `\u0073`: a secret may be spelled so.
    is_spelled_out: bool,
}

/// The JSON text that is masked, and what of it is written so far.
struct Scan<'a> {
    json: &'a str,
    redaction: &'a Redaction,
    finder: Finder<'a>,
    masked: String,
    copied: usize,
    depth: u8,
    /// Objects and lists that are open.
    open: usize,
    /// For objects that are open and have keys that were masked: the how manieth of the open ones it is, and
    /// how often each of its keys came.
    keys: Vec<(usize, HashMap<String, u64>)>,
}

/// `json` with its secrets masked; nothing where there is none.
pub fn masked(json: &str, redaction: &Redaction, depth: u8) -> Option<String> {
    let finder = Finder::new(json, redaction);
    let (masked, keys) = (String::new(), Vec::new());
    let mut scan = Scan { json, redaction, finder, masked, copied: 0, depth, open: 0, keys };
    scan.run();
    if scan.copied == 0 {
        return None;
    }
    scan.masked.push_str(&json[scan.copied..]);
    Some(scan.masked)
}

impl Scan<'_> {
    fn run(&mut self) {
        let mut at = 0;
        while let Some(byte) = self.finder.reader.get(at) {
            at = match byte {
                b'"' => self.string(at),
                b'{' | b'[' => {
                    self.open += 1;
                    at + 1
                }
                b'}' | b']' => {
                    self.open = self.open.saturating_sub(1);
                    while self.keys.last().is_some_and(|(open, _)| *open > self.open) {
                        self.keys.pop();
                    }
                    at + 1
                }
                b'0'..=b'9' | b'-' => self.number(at),
                _ => at + 1,
            };
        }
    }

    /// Puts `mask` in the place of what is between `from` and `to`.
    fn put(&mut self, from: usize, to: usize, mask: &str) {
        self.masked.push_str(&self.json[self.copied..from]);
        self.masked.push_str(mask);
        self.copied = to;
    }

    /// Goes past the string at `quote`, and past its value where it is a key that has one of its own rules.
    fn string(&mut self, quote: usize) -> usize {
        let string = self.scan(quote, self.redaction.patterns);
        let colon = self.skip_space(string.end);
        if self.finder.reader.get(colon) != Some(b':') {
            self.mask_text(quote, string);
            return string.end;
        }
        let class = self.class_of(quote, string);
        self.mask_key(quote, string);
        let value = self.skip_space(colon + 1);
        match class {
            Class::Open => value,
            Class::Own => {
                let end = self.value_end(value);
                self.put(value, end, &json::quoted(MASK));
                end
            }
            _ if self.finder.reader.get(value) == Some(b'[') => {
                self.open += 1;
                self.texts_of_list(value + 1, class)
            }
            _ => self.value(value, class),
        }
    }

    /// Goes past the value at `at` under the name of a secret, where it is a text or, of a card, a number.
    fn value(&mut self, at: usize, class: Class) -> usize {
        match self.finder.reader.get(at) {
            Some(b'"') => {
                let end = self.scan(at, false).end;
                let text = self.finder.reader.slice(at + 1, end.max(at + 2) - 1);
                if !keys::is_secret(class, text) {
                    return self.string(at);
                }
                self.put(at, end, &json::quoted(MASK));
                end
            }
            Some(b'0'..=b'9') if class == Class::Card => {
                let end = self.number_end(at);
                self.put(at, end, &json::quoted(MASK));
                end
            }
            _ => at,
        }
    }

    /// Goes past the texts that a list under the name of a secret begins with, as headers have lists.
    fn texts_of_list(&mut self, mut at: usize, class: Class) -> usize {
        loop {
            at = self.skip_space(at);
            if self.finder.reader.get(at) != Some(b'"') {
                return at;
            }
            at = self.value(at, class);
            at = self.skip_space(at);
            if self.finder.reader.get(at) != Some(b',') {
                return at;
            }
            at += 1;
        }
    }

    /// Masks what was found in the string at `quote`, which is no key.
    fn mask_text(&mut self, quote: usize, string: Scanned) {
        if self.mask_json_within(quote, string) {
            self.finder.found.clear();
            return;
        }
        if string.is_spelled_out && self.redaction.patterns {
            self.finder.found.clear();
            let Some(plain) = json::text(&self.json[quote..string.end]) else { return };
            if let Some(masked) = masked(&json::quoted(&plain), self.redaction, self.depth) {
                self.put(quote, string.end, &masked);
            }
            return;
        }
        for Range { start, end } in std::mem::take(&mut self.finder.found) {
            self.put(start, end, MASK);
        }
    }

    /// Masks the string at `quote` as the JSON that it holds, if it holds an object or a list, so that it
    /// holds one afterwards. Whether it does.
    fn mask_json_within(&mut self, quote: usize, string: Scanned) -> bool {
        let reader = &self.finder.reader;
        let mut first = quote + 1;
        while reader.get(first) == Some(b' ') {
            first += 1;
        }
        let may_be = match reader.get(first) {
            Some(b'{' | b'[') => true,
            // White space may be escaped before it.
            Some(b'\\') => reader.is(first + 1, |it| matches!(it, b'n' | b'r' | b't' | b'u')),
            _ => false,
        };
        if !may_be || self.depth == DEEPEST {
            return false;
        }
        let Some(text) = json::text(&self.json[quote..string.end]) else { return false };
        if !text.trim_ascii_start().starts_with(['{', '[']) || !json::is_valid(&text) {
            return false;
        }
        if let Some(masked) = masked(&text, self.redaction, self.depth + 1) {
            self.put(quote, string.end, &json::quoted(&masked));
        }
        true
    }

    /// Masks what was found in the key at `quote`. Two keys of one object stay two.
    fn mask_key(&mut self, quote: usize, string: Scanned) {
        let found = std::mem::take(&mut self.finder.found);
        let key = &self.json[quote..string.end];
        let mut masked_key = String::new();
        if string.is_spelled_out && self.redaction.patterns {
            let Some(plain) = json::text(key) else { return };
            match masked(&json::quoted(&plain), self.redaction, DEEPEST) {
                Some(masked) => masked_key = masked,
                None => return,
            }
        } else {
            let mut copied = quote;
            for Range { start, end } in found {
                masked_key.push_str(&self.json[copied..start]);
                masked_key.push_str(MASK);
                copied = end;
            }
            if copied == quote {
                return;
            }
            masked_key.push_str(&self.json[copied..string.end]);
        }
        if self.keys.last().is_none_or(|(open, _)| *open != self.open) {
            self.keys.push((self.open, HashMap::new()));
        }
        if let Some((_, keys)) = self.keys.last_mut() {
            let count = keys.entry(masked_key.clone()).or_default();
            *count += 1;
            if *count > 1 {
                masked_key.pop();
                masked_key.push_str(&format!(" {count}\""));
            }
        }
        self.put(quote, string.end, &masked_key);
    }

    fn class_of(&self, quote: usize, string: Scanned) -> Class {
        let key = &self.json[quote..string.end];
        if string.has_escapes
            && let Some(text) = json::text(key)
        {
            return self.redaction.class_of(text.as_bytes());
        }
        let key = self.finder.reader.slice(quote + 1, string.end.max(quote + 2) - 1);
        self.redaction.class_of(key)
    }

    /// Looks through the string whose opening quote is at `quote`, and, if it is to, for secrets in it.
    fn scan(&mut self, quote: usize, finds: bool) -> Scanned {
        let finder = &mut self.finder;
        finder.found.clear();
        let mut string =
            Scanned { end: finder.reader.len(), has_escapes: false, is_spelled_out: false };
        let mut at = quote + 1;
        loop {
            at = plain_end(finder.reader.bytes(), at);
            let Some(byte) = finder.reader.get(at) else { break };
            at = match byte {
                b'"' => {
                    string.end = at + 1;
                    break;
                }
                b'\\' => {
                    string.has_escapes = true;
                    let end = escape_end(finder, at, &mut string);
                    // A letter after a backslash may be an escape of JSON within this.
                    let is_after_backslash =
                        finds && end == at + 2 && finder.reader.get(at + 1) == Some(b'\\');
                    match is_after_backslash && finder.reader.is(end, is_alnum) {
                        true => finder.word(end),
                        false => end,
                    }
                }
                _ if is_alnum(byte) && !finds => finder.reader.word_end(at),
                _ if !finds => at + 1,
                _ if is_alnum(byte) => finder.word(at),
                b':' | b'=' => finder.separator(at),
                b'%' => finder.percent(at),
                b'[' => finder.bracket(at),
                b'-' => finder.dashes(at),
                _ => finder.tilde(at),
            };
        }
        string.end = string.end.min(finder.reader.len());
        string
    }

    /// Goes past the number at `at`, and masks it if it is a card's.
    fn number(&mut self, at: usize) -> usize {
        let end = self.number_end(at);
        if self.redaction.patterns && matches!(end - at, 15 | 16) {
            let digits = self.finder.reader.slice(at, end);
            if digits.iter().all(u8::is_ascii_digit) && cards::is_card(digits) {
                self.put(at, end, &json::quoted(MASK));
            }
        }
        end
    }

    fn number_end(&self, mut at: usize) -> usize {
        let is_of_number =
            |it: u8| it.is_ascii_digit() || matches!(it, b'.' | b'e' | b'E' | b'+' | b'-');
        while self.finder.reader.is(at, is_of_number) {
            at += 1;
        }
        at
    }

    fn skip_space(&self, mut at: usize) -> usize {
        while self.finder.reader.is(at, |it| it.is_ascii_whitespace()) {
            at += 1;
        }
        at
    }

    /// The end of the JSON value that starts at `start`.
    fn value_end(&mut self, start: usize) -> usize {
        let mut depth = 0_usize;
        let mut at = start;
        while let Some(byte) = self.finder.reader.get(at) {
            match byte {
                b'"' => at = self.scan(at, false).end - 1,
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth == 0 => return at,
                b'}' | b']' => depth -= 1,
                b',' if depth == 0 => return at,
                _ => {}
            }
            at += 1;
            if depth == 0 && matches!(byte, b'"' | b'}' | b']') {
                break;
            }
        }
        at.min(self.json.len())
    }
}

/// The place of the first byte from `at` on that is to be looked at: a word in which a secret may begin, or
/// a mark. Apart, so that the loop over every byte has all registers.
#[inline(never)]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
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

/// Whether a secret may begin with the letters at `at`.
#[inline(always)]
fn begins(bytes: &[u8], at: usize) -> bool {
    match (bytes.get(at), bytes.get(at + 1), bytes.get(at + 2)) {
        (Some(first), Some(second), Some(third)) => {
            may_begin(*first, *second) && may_go_on(*first, *second, *third)
        }
        _ => false,
    }
}

/// The end of the escape at `at`, and what it tells of its string.
fn escape_end(finder: &Finder<'_>, at: usize, string: &mut Scanned) -> usize {
    match finder.reader.get(at + 1) {
        Some(b'u') => {
            let Some((high, low)) = finder.reader.hex(at + 2).zip(finder.reader.hex(at + 4)) else {
                return at + 2;
            };
            // A control character, which is in no secret, has to be escaped.
            string.is_spelled_out |= high != 0 || low >= b' ';
            at + 6
        }
        Some(b'/') => {
            string.is_spelled_out = true;
            at + 2
        }
        _ => at + 2,
    }
}
