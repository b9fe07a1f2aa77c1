//! The single pass over a JSON text. It passes strings to the [`Finder`], masks values under names of secrets and card
//! numbers, and copies everything else as it was written.

use std::ops::Range;

use super::keys::{self, Class};
use super::patterns::Finder;
use super::plain::plain_end;
use super::reader::is_alnum;
use super::{MASK, Redaction, cards};
use crate::core::id_map::TextMap;
use crate::core::json;

/// How deeply JSON inside strings is masked as JSON: JSON within JSON within JSON.
const MAX_JSON_DEPTH: u8 = 3;

/// The result of scanning a JSON string.
#[derive(Clone, Copy, Debug)]
struct ScannedString {
    /// The position after its closing quote.
    end: usize,
    /// Whether it contains escapes.
    has_escapes: bool,
    /// Whether it escapes characters that need no escape, as in `\u0073` for `s`. A secret may be hidden that way.
    has_redundant_escapes: bool,
}

/// Masks one JSON text.
struct Masker<'a> {
    json: &'a str,
    redaction: &'a Redaction,
    finder: Finder<'a>,
    /// The masked text so far.
    masked: String,
    /// How many bytes of `json` are already in `masked`.
    copied: usize,
    /// How many strings contain the text: see [`MAX_JSON_DEPTH`].
    depth: u8,
    /// How many objects and lists are open.
    open: usize,
    /// For each open object with masked keys: its value of `open`, and how often each masked key occurred.
    keys: Vec<(usize, TextMap<u64>)>,
}

/// Masks the secrets in `json`; `None` if there are none.
pub fn mask_json(json: &str, redaction: &Redaction, depth: u8) -> Option<String> {
    let finder = Finder::new(json, redaction);
    let (masked, keys) = (String::new(), Vec::new());
    let mut masker = Masker { json, redaction, finder, masked, copied: 0, depth, open: 0, keys };
    masker.run();
    if masker.copied == 0 {
        return None;
    }
    masker.masked.push_str(&json[masker.copied..]);
    Some(masker.masked)
}

impl Masker<'_> {
    fn run(&mut self) {
        let mut at = 0;
        while let Some(byte) = self.finder.reader.get(at) {
            at = match byte {
                b'"' => self.pass_string(at),
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
                b'0'..=b'9' | b'-' => self.pass_number(at),
                _ => at + 1,
            };
        }
    }

    /// Replaces the text between `from` and `to` with `mask`.
    #[cfg_attr(feature = "otel", inline(never))]
    fn replace(&mut self, from: usize, to: usize, mask: &str) {
        self.masked.push_str(&self.json[self.copied..from]);
        self.masked.push_str(mask);
        self.copied = to;
    }

    /// Masks the string at `quote`; if it is the key of a secret, also its value. Returns the position to continue at.
    fn pass_string(&mut self, quote: usize) -> usize {
        let string = self.scan_string(quote, self.redaction.patterns);
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
                self.replace(value, end, &json::quoted(MASK));
                end
            }
            _ if self.finder.reader.get(value) == Some(b'[') => {
                self.open += 1;
                self.pass_list(value + 1, class)
            }
            _ => self.pass_value(value, class),
        }
    }

    /// Masks the value at `at` under the name of a secret, if it is a string or, for a card, a number. Returns the
    /// position to continue at.
    #[cfg_attr(feature = "otel", inline(never))]
    fn pass_value(&mut self, at: usize, class: Class) -> usize {
        match self.finder.reader.get(at) {
            Some(b'"') => {
                let end = self.scan_string(at, false).end;
                let text = self.finder.reader.slice(at + 1, end.max(at + 2) - 1);
                if !keys::is_secret(class, text) {
                    return self.pass_string(at);
                }
                self.replace(at, end, &json::quoted(MASK));
                end
            }
            Some(b'0'..=b'9') if class == Class::Card => {
                let end = self.number_end(at);
                self.replace(at, end, &json::quoted(MASK));
                end
            }
            _ => at,
        }
    }

    /// Masks the strings at the beginning of a list under the name of a secret, because the values of headers are lists.
    /// Returns the position to continue at.
    #[cfg_attr(feature = "otel", inline(never))]
    fn pass_list(&mut self, mut at: usize, class: Class) -> usize {
        loop {
            at = self.skip_space(at);
            if self.finder.reader.get(at) != Some(b'"') {
                return at;
            }
            at = self.pass_value(at, class);
            at = self.skip_space(at);
            if self.finder.reader.get(at) != Some(b',') {
                return at;
            }
            at += 1;
        }
    }

    /// Masks the secrets in the string at `quote`, which is not a key.
    fn mask_text(&mut self, quote: usize, string: ScannedString) {
        if self.mask_json_within(quote, string) {
            return;
        }
        if string.has_redundant_escapes && self.redaction.patterns {
            let Some(plain) = json::text(&self.json[quote..string.end]) else { return };
            if let Some(masked) = mask_json(&json::quoted(&plain), self.redaction, self.depth) {
                self.replace(quote, string.end, &masked);
            }
            return;
        }
        for Range { start, end } in self.finder.take_found() {
            self.replace(start, end, MASK);
        }
    }

    /// If the string at `quote` contains a JSON object or list, masks it so that the result is JSON as well. Returns
    /// whether it does.
    #[cfg_attr(feature = "otel", inline(never))]
    fn mask_json_within(&mut self, quote: usize, string: ScannedString) -> bool {
        let reader = &self.finder.reader;
        let mut first = quote + 1;
        while reader.get(first) == Some(b' ') {
            first += 1;
        }
        let may_be = match reader.get(first) {
            Some(b'{' | b'[') => true,
            // Escaped white space may come before the JSON.
            Some(b'\\') => reader.is(first + 1, |it| matches!(it, b'n' | b'r' | b't' | b'u')),
            _ => false,
        };
        if !may_be || self.depth == MAX_JSON_DEPTH {
            return false;
        }
        let Some(text) = json::text(&self.json[quote..string.end]) else { return false };
        if !json::is_nested(text.trim_ascii_start()) || !json::is_valid(&text) {
            return false;
        }
        if let Some(masked) = mask_json(&text, self.redaction, self.depth + 1) {
            self.replace(quote, string.end, &json::quoted(&masked));
        }
        true
    }

    /// Masks the secrets in the key at `quote`. Keys of one object remain distinct.
    #[cfg_attr(feature = "otel", inline(never))]
    fn mask_key(&mut self, quote: usize, string: ScannedString) {
        let found = self.finder.take_found();
        let key = &self.json[quote..string.end];
        let mut masked_key = String::new();
        if string.has_redundant_escapes && self.redaction.patterns {
            let Some(plain) = json::text(key) else { return };
            match mask_json(&json::quoted(&plain), self.redaction, MAX_JSON_DEPTH) {
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
            self.keys.push((self.open, TextMap::default()));
        }
        if let Some((_, keys)) = self.keys.last_mut() {
            let count = keys.entry(masked_key.clone()).or_default();
            *count += 1;
            if *count > 1 {
                masked_key.pop();
                masked_key.push_str(&format!(" {count}\""));
            }
        }
        self.replace(quote, string.end, &masked_key);
    }

    fn class_of(&self, quote: usize, string: ScannedString) -> Class {
        let key = &self.json[quote..string.end];
        if string.has_escapes
            && let Some(text) = json::text(key)
        {
            return self.redaction.class_of(text.as_bytes());
        }
        let key = self.finder.reader.slice(quote + 1, string.end.max(quote + 2) - 1);
        self.redaction.class_of(key)
    }

    /// Scans the string whose opening quote is at `quote`; if `finds`, also for secrets.
    fn scan_string(&mut self, quote: usize, finds: bool) -> ScannedString {
        let finder = &mut self.finder;
        finder.begin_string();
        let mut string = ScannedString {
            end: finder.reader.len(),
            has_escapes: false,
            has_redundant_escapes: false,
        };
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
                    let end = pass_escape(finder, at, &mut string);
                    finder.note_escape(end);
                    // A letter after an escaped backslash may be an escape of JSON within this string.
                    let is_after_backslash =
                        finds && end == at + 2 && finder.reader.get(at + 1) == Some(b'\\');
                    match is_after_backslash && finder.reader.is(end, is_alnum) {
                        true => finder.find_in_word(end),
                        false => end,
                    }
                }
                _ if is_alnum(byte) && !finds => finder.reader.word_end(at),
                _ if !finds => at + 1,
                _ if is_alnum(byte) => finder.find_in_word(at),
                b':' | b'=' => finder.find_at_separator(at),
                b'%' => finder.find_at_percent(at),
                b'[' => finder.pass_bracket(at),
                b'-' => finder.find_at_dashes(at),
                _ => finder.find_at_tilde(at),
            };
        }
        string.end = string.end.min(finder.reader.len());
        string
    }

    /// Masks the number at `at` if it is a card's. Returns its end.
    fn pass_number(&mut self, at: usize) -> usize {
        let end = self.number_end(at);
        if self.redaction.patterns && matches!(end - at, 15 | 16) {
            let digits = self.finder.reader.slice(at, end);
            if digits.iter().all(u8::is_ascii_digit) && cards::is_card(digits) {
                self.replace(at, end, &json::quoted(MASK));
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

    /// The end of the JSON value at `start`.
    fn value_end(&mut self, start: usize) -> usize {
        let mut depth = 0_usize;
        let mut at = start;
        while let Some(byte) = self.finder.reader.get(at) {
            match byte {
                b'"' => at = self.scan_string(at, false).end - 1,
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

/// Returns the end of the escape at `at`, and records redundant escapes in `string`.
fn pass_escape(finder: &Finder<'_>, at: usize, string: &mut ScannedString) -> usize {
    match finder.reader.get(at + 1) {
        Some(b'u') => {
            let Some((high, low)) = finder.reader.hex(at + 2).zip(finder.reader.hex(at + 4)) else {
                return at + 2;
            };
            // Only control characters, which no secret contains, have to be escaped this way.
            string.has_redundant_escapes |= high != 0 || low >= b' ';
            at + 6
        }
        Some(b'/') => {
            string.has_redundant_escapes = true;
            at + 2
        }
        _ => at + 2,
    }
}
