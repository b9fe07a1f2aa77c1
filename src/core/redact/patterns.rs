//! Finds secrets inside a string: those in the table of rules, and those recognised by the text around them.
//!
//! The text is a JSON string as it was written, so a line break is `\n` here, and `\\n` if the string itself contains
//! JSON. A function that finds nothing has read a bounded number of bytes, or a run that [`Reader`] remembers, so the
//! whole scan takes linear time.

use std::ops::Range;

use super::Redaction;
use super::cards;
use super::keys::{self, Class};
use super::reader::{Alphabet, Reader, is_alnum, is_random};
use super::rules::{Needs, Rule, rules_starting_with};

/// How many bytes of a name before `=` or `:` are examined.
const LONGEST_NAME: usize = 80;

/// The most bytes between a word such as `Bearer` and its token.
const LONGEST_GAP: usize = 16;

/// How many bytes of a token are examined to distinguish it from a word.
const TOKEN_SAMPLE: usize = 48;

/// How many bytes of Base64 are decoded to find the colon after a user name.
const CREDENTIALS_SAMPLE: usize = 256;

/// The most bytes of a PEM block's label, as in `-----BEGIN OPENSSH PRIVATE KEY-----`.
const LONGEST_LABEL: usize = 60;

/// Parameters of signed URLs. Their names do not sound like secrets, but they grant access.
const SIGNATURES: [&[u8]; 4] = [b"sig", b"signature", b"x-amz-signature", b"x-goog-signature"];

/// The attributes of a cookie in `Set-Cookie`.
const COOKIE_ATTRIBUTES: [&[u8]; 7] =
    [b"path", b"domain", b"expires", b"max-age", b"samesite", b"priority", b"version"];

/// The schemes that may stand between `Authorization:` and the credentials.
const SCHEMES: [&str; 7] = ["bearer", "basic", "token", "apikey", "api-key", "bot", "key"];

/// Finds secrets in the strings of one JSON text.
#[derive(Debug)]
pub struct Finder<'a> {
    /// The reader of the text.
    pub reader: Reader<'a>,
    /// The ranges of the secrets found in the current string.
    found: Vec<Range<usize>>,
    redaction: &'a Redaction,
    /// The position before which no JSON web token begins.
    next_web_token_at: usize,
    /// The end of the last escape. What begins within one cannot be replaced: half of an escape would be left.
    escape_end: usize,
}

impl<'a> Finder<'a> {
    /// A finder of the secrets in `text` that `redaction` masks.
    pub fn new(text: &'a str, redaction: &'a Redaction) -> Finder<'a> {
        let reader = Reader::new(text);
        Finder { reader, found: Vec::new(), redaction, next_web_token_at: 0, escape_end: 0 }
    }

    /// Forgets the secrets that were found, because another string begins.
    pub fn begin_string(&mut self) {
        self.found.clear();
    }

    /// Removes and returns the ranges of the secrets found in the current string.
    pub fn take_found(&mut self) -> Vec<Range<usize>> {
        std::mem::take(&mut self.found)
    }

    /// Records that an escape ends at `end`.
    pub fn note_escape(&mut self, end: usize) {
        self.escape_end = end;
    }

    /// Records a secret. Returns the position after it.
    fn mask(&mut self, from: usize, to: usize) -> Option<usize> {
        self.found.push(from..to);
        Some(to)
    }

    /// Looks for a secret that begins with the word at `at`. Returns the end of the secret or of the word.
    #[inline(never)]
    pub fn find_in_word(&mut self, at: usize) -> usize {
        if let Some(end) = self.secret(at) {
            return end;
        }
        // After a backslash that is not part of an escape of this JSON, a letter may be an escape of JSON within it.
        if self.reader.before(at) == b'\\' {
            let (escape, length) = match self.reader.get(at) {
                Some(b'b' | b'f' | b'n' | b'r' | b't') => (true, 1),
                Some(b'u') => (self.reader.hex(at + 1).and(self.reader.hex(at + 3)).is_some(), 5),
                Some(b'x') => (self.reader.hex(at + 1).is_some(), 3),
                _ => (false, 0),
            };
            if escape {
                self.escape_end = at + length;
                return self.escape_end;
            }
        }
        self.reader.word_end(at)
    }

    /// The end of the secret that begins with the word at `at`; `None` if none does.
    fn secret(&mut self, at: usize) -> Option<usize> {
        let first = self.reader.get(at)?;
        let second = self.reader.get(at + 1);
        for rule in rules_starting_with(first) {
            if rule.prefix.as_bytes().get(1).copied() == second
                && self.reader.has(at, rule.prefix)
                && let Some(end) = self.match_rule(at, rule)
            {
                return Some(end);
            }
        }
        match first {
            b'0'..=b'9' => self.number(at),
            b'e' => self.web_token(at),
            b'p' | b's' => self.dotted_token(at),
            b'a' | b'A' => self.authorization(at),
            b'b' | b'B' => self.scheme(at),
            b'c' | b'C' => self.cookie(at),
            _ => None,
        }
    }

    #[cfg_attr(feature = "otel", inline(never))]
    fn match_rule(&mut self, at: usize, rule: &Rule) -> Option<usize> {
        let body_at = at + rule.prefix.len();
        let body = self.reader.run(body_at, rule.alphabet);
        let mut end = if rule.is_exact { body.end.min(body_at + rule.shortest) } else { body.end };
        if rule.is_exact && self.reader.is(end, is_alnum) {
            return None;
        }
        end = match rule.keeps_prefix {
            true => self.trim_marks(body_at, end),
            false => self.trim_token(at, end, rule.alphabet),
        };
        let fits = end >= body_at + rule.shortest
            && match rule.needs {
                Needs::Length => true,
                Needs::Digit => body.has_digit,
                Needs::Random => self.reader.looks_random(body_at, rule.alphabet),
            };
        let from = if rule.keeps_prefix { body_at } else { at };
        if fits { self.mask(from, end) } else { None }
    }

    /// Moves `end` before full stops, and before underscores that close an `_emphasis_` opened before `at`.
    fn trim_token(&self, at: usize, mut end: usize, alphabet: Alphabet) -> usize {
        if matches!(alphabet, Alphabet::Dotted | Alphabet::Token | Alphabet::Unreserved) {
            while end > at && self.reader.before(end) == b'.' {
                end -= 1;
            }
        }
        for marks in 1..=3 {
            if at < marks
                || self.reader.get(at - marks) != Some(b'_')
                || self.reader.before(end) != b'_'
            {
                break;
            }
            end -= 1;
        }
        end
    }

    /// Moves `end` before trailing full stops and Markdown marks of the value that begins at `from`.
    fn trim_marks(&self, from: usize, mut end: usize) -> usize {
        while end > from && matches!(self.reader.before(end), b'.' | b'_' | b'*') {
            end -= 1;
        }
        end
    }

    /// Finds a card number, or the token of a Telegram bot: the bot's number, a colon, and 35 bytes.
    #[cfg_attr(feature = "otel", inline(never))]
    fn number(&mut self, at: usize) -> Option<usize> {
        let last = self.found.last().map_or(0, |found| found.end);
        if let Some(end) = cards::card_at(&self.reader, at, last) {
            return self.mask(at, end);
        }
        let colon = at + self.reader.digits(at, 11);
        if !(at + 8..=at + 10).contains(&colon) || self.reader.get(colon) != Some(b':') {
            return None;
        }
        let body = self.reader.run(colon + 1, Alphabet::Url);
        let is_token = (34..=37).contains(&body.len()) && body.has_letter() && body.has_digit;
        let end = self.trim_token(at, body.end, Alphabet::Url);
        if is_token { self.mask(at, end) } else { None }
    }

    /// Finds a JSON web token: a header, which begins with `{"` in Base64, and two more parts (RFC 7519). An encrypted
    /// token has four more parts, of which the first may be empty (RFC 7516).
    #[cfg_attr(feature = "otel", inline(never))]
    fn web_token(&mut self, at: usize) -> Option<usize> {
        if at < self.next_web_token_at || !self.reader.has(at, "eyJ") {
            return None;
        }
        let mut end = self.reader.run(at, Alphabet::Url).end;
        // A token that begins within this header would have the same parts after it.
        self.next_web_token_at = end;
        if end < at + 8 {
            return None;
        }
        let is_direct = self.reader.has(end, "..");
        end += usize::from(is_direct);
        let mut parts = 0;
        while parts < 4 && self.reader.get(end) == Some(b'.') {
            let part = self.reader.run(end + 1, Alphabet::Url);
            if part.len() < 4 {
                break;
            }
            end = part.end;
            parts += 1;
        }
        end = self.trim_token(at, end, Alphabet::Url);
        if parts >= if is_direct { 3 } else { 2 } { self.mask(at, end) } else { None }
    }

    /// Finds tokens of Airtable (gitleaks airtable-personnal-access-token) and Harness (gitleaks harness-api-key).
    #[cfg_attr(feature = "otel", inline(never))]
    fn dotted_token(&mut self, at: usize) -> Option<usize> {
        let is_token = if self.reader.has(at, "pat.") || self.reader.has(at, "sat.") {
            let account = self.reader.run(at + 4, Alphabet::Url);
            account.len() == 22 && self.reader.get(account.end) == Some(b'.')
        } else {
            self.reader.has(at, "pat")
                && self.reader.get(at + 17) == Some(b'.')
                && self.reader.run(at, Alphabet::Alnum).end == at + 17
                && self.reader.run(at + 18, Alphabet::Hex).len() >= 60
        };
        let body = self.reader.run(at, Alphabet::Dotted);
        let end = self.trim_token(at, body.end, Alphabet::Dotted);
        if is_token && end >= at + 60 { self.mask(at, end) } else { None }
    }

    /// Finds the credentials after `Authorization:` and an optional scheme.
    #[cfg_attr(feature = "otel", inline(never))]
    fn authorization(&mut self, at: usize) -> Option<usize> {
        let mut value = self.gap_after_word(at, "authorization").filter(|gap| gap.has_colon)?.end;
        let scheme = SCHEMES.into_iter().find_map(|scheme| self.gap_after_word(value, scheme));
        value = scheme.map_or(value, |gap| gap.end);
        let body = self.reader.run(value, Alphabet::Token);
        let end = self.trim_marks(value, body.end);
        let is_word = !body.has_digit && !body.has_upper;
        // As in "authorization: bearer authentication is required".
        let is_prose = is_word
            && self.reader.get(end) == Some(b' ')
            && self.reader.is(end + 1, |it| it.is_ascii_lowercase());
        let fits = match scheme {
            Some(_) => end >= value + 4 && !is_prose,
            None => end >= value + 8 && body.has_digit && !self.reader.has(value, "AWS4-"),
        };
        if fits { self.mask(value, end) } else { None }
    }

    /// Finds the credentials after `Bearer` (RFC 6750) or `Basic` (RFC 7617), unless an ordinary word follows.
    #[cfg_attr(feature = "otel", inline(never))]
    fn scheme(&mut self, at: usize) -> Option<usize> {
        if let Some(gap) = self.gap_after_word(at, "bearer") {
            let body = self.reader.run(gap.end, Alphabet::Token);
            let end = self.trim_marks(gap.end, body.end);
            return if self.is_bearer_token(gap.end, end) { self.mask(gap.end, end) } else { None };
        }
        let gap = self.gap_after_word(at, "basic")?;
        let body = self.reader.run(gap.end, Alphabet::Base64);
        let sample = self.reader.slice(body.start, body.end.min(body.start + CREDENTIALS_SAMPLE));
        let end = self.trim_marks(body.start, body.end);
        if are_credentials(sample) { self.mask(body.start, end) } else { None }
    }

    fn is_bearer_token(&self, from: usize, to: usize) -> bool {
        if to < from + 8 {
            return false;
        }
        let sample = self.reader.slice(from, to.min(from + TOKEN_SAMPLE));
        let count = |fits: fn(&u8) -> bool| sample.iter().filter(|byte| fits(byte)).count();
        let mixes_cases = sample.len() >= 24
            && count(u8::is_ascii_uppercase) >= 4
            && count(u8::is_ascii_lowercase) >= 4;
        // No word contains five letters in alphabetical order, but example tokens do.
        let is_of_alphabet = sample.windows(5).any(|five| five.is_sorted_by(|a, b| *a + 1 == *b));
        is_of_alphabet
            || count(u8::is_ascii_digit) >= 3 && !is_date(sample)
            || is_random(sample)
            || mixes_cases
    }

    /// Finds the values of the cookies after `Cookie:` or `Set-Cookie:`. Their names are not masked.
    #[cfg_attr(feature = "otel", inline(never))]
    fn cookie(&mut self, at: usize) -> Option<usize> {
        let mut next = self.gap_after_word(at, "cookie").filter(|gap| gap.has_colon)?.end;
        let mut masked = None;
        loop {
            let mut equals = next;
            while equals < next + LONGEST_NAME
                && self
                    .reader
                    .is(equals, |it| is_alnum(it) || matches!(it, b'_' | b'-' | b'.' | b'$' | b'%'))
            {
                equals += 1;
            }
            if equals == next || self.reader.get(equals) != Some(b'=') {
                return masked;
            }
            let name = self.reader.slice(next, equals);
            let is_attribute =
                COOKIE_ATTRIBUTES.into_iter().any(|it| name.eq_ignore_ascii_case(it));
            let ends = |it: u8| {
                matches!(it, b';' | b'"' | b'\'' | b'`' | b'\\' | b'<' | b'>' | b'(' | b')')
                    || !(b' '..0x7f).contains(&it)
                    || !is_attribute && matches!(it, b' ' | b',')
            };
            let mut end = equals + 1;
            while self.reader.is(end, |it| !ends(it)) {
                end += 1;
            }
            let value_end = self.trim_marks(equals + 1, end);
            if !is_attribute && value_end > equals + 1 {
                masked = self.mask(equals + 1, value_end);
            }
            if self.reader.get(end) != Some(b';') {
                return masked;
            }
            next = end + 1;
            while self.reader.get(next) == Some(b' ') && next < end + 4 {
                next += 1;
            }
            // Attributes without a value, such as `HttpOnly`.
            for flag in ["httponly", "secure", "partitioned"] {
                if self.reader.has_word(next, flag) && self.reader.has(next + flag.len(), "; ") {
                    next += flag.len() + 2;
                }
            }
        }
    }

    /// The gap after `word`, if the text has `word` at `at`, ignoring case, followed by a gap. `word` must be in lower
    /// case.
    fn gap_after_word(&self, at: usize, word: &str) -> Option<Gap> {
        let end = at + word.len();
        let gap = self.reader.has_word(at, word).then(|| self.gap(end))?;
        (gap.end > end).then_some(gap)
    }

    /// The white space, quotes, colons and equals signs from `at` on, escaped or not.
    fn gap(&self, at: usize) -> Gap {
        let mut gap = Gap { end: at, has_colon: false };
        while gap.end < at + LONGEST_GAP {
            let Some(byte) = self.reader.get(gap.end) else { break };
            gap.end += match byte {
                b' ' | b'\'' | b'`' => 1,
                b':' | b'=' => {
                    gap.has_colon = true;
                    1
                }
                b'\\' => {
                    let mut next = gap.end + 1;
                    while next < at + LONGEST_GAP && self.reader.get(next) == Some(b'\\') {
                        next += 1;
                    }
                    match self.reader.get(next) {
                        // A quote that is not escaped ends the JSON string.
                        Some(b'"') if (next - gap.end).is_multiple_of(2) => break,
                        Some(b'n' | b'r' | b't' | b'"' | b'\'') => next + 1 - gap.end,
                        // An escaped control character, space or no-break space.
                        Some(b'u')
                            if self.reader.has(next, "u00")
                                && self
                                    .reader
                                    .hex(next + 3)
                                    .is_some_and(|it| it <= b' ' || it == 0xa0) =>
                        {
                            next + 5 - gap.end
                        }
                        _ => break,
                    }
                }
                b'%' => match self.reader.hex(gap.end + 1) {
                    Some(b' ' | b'"' | b'\'' | b'\t' | b'\n' | b'\r' | 0xc2 | 0xa0) => 3,
                    Some(b':' | b'=') => {
                        gap.has_colon = true;
                        3
                    }
                    _ => break,
                },
                // A no-break space, or a narrow one.
                0xc2 if self.reader.has(gap.end, "\u{a0}") => 2,
                0xe2 if self.reader.has(gap.end, "\u{202f}") => 3,
                _ => break,
            };
        }
        gap
    }

    /// Looks for a secret around the `:` or `=` at `at`. Returns the position to continue at.
    #[inline(never)]
    pub fn find_at_separator(&mut self, at: usize) -> usize {
        if self.reader.get(at) == Some(b':')
            && let Some(end) = self.password_in_url(at)
        {
            return end;
        }
        self.assignment(at).unwrap_or(at + 1)
    }

    /// Finds the password in `scheme://user:password@host`, whose first colon is at `at`.
    #[cfg_attr(feature = "otel", inline(never))]
    fn password_in_url(&mut self, at: usize) -> Option<usize> {
        let mut from = at + 1;
        for _ in 0..2 {
            // JSON within JSON may escape the slash as `\/`.
            while from < at + LONGEST_GAP && self.reader.get(from) == Some(b'\\') {
                from += 1;
            }
            if self.reader.get(from) != Some(b'/') {
                return None;
            }
            from += 1;
        }
        if !is_alnum(self.reader.before(at)) {
            return None;
        }
        let (mut end, mut colon, mut host) = (from, None, None);
        while let Some(byte) = self.reader.get(end) {
            match byte {
                b':' if colon.is_none() => colon = Some(end + 1),
                b'@' => host = Some(end),
                b'/' | b'?' | b'#' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\' | b'(' | b')' => {
                    break;
                }
                0..=b' ' => break,
                _ => {}
            }
            end += 1;
        }
        self.mask_password(colon?, host?, 1)
    }

    /// Finds the password in a percent-encoded URL, `scheme%3A%2F%2Fuser%3Apassword%40host`, whose first percent sign is
    /// at `at`.
    #[cfg_attr(feature = "otel", inline(never))]
    fn password_in_encoded_url(&mut self, at: usize) -> Option<usize> {
        if !self.reader.has_word(at, "%3a%2f%2f") {
            return None;
        }
        let (mut end, mut colon, mut host) = (at + 9, None, None);
        while let Some(byte) = self.reader.get(end) {
            let decoded = if byte == b'%' { self.reader.hex(end + 1) } else { None };
            match decoded {
                Some(b':') if colon.is_none() => colon = Some(end + 3),
                Some(b'@') => host = Some(end),
                Some(b'/' | b'?' | b'#' | b' ' | b'"' | b'\n') => break,
                Some(_) => {}
                None if is_alnum(byte)
                    || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'!' | b'*') => {}
                None => break,
            }
            end += if decoded.is_some() { 3 } else { 1 };
        }
        self.mask_password(colon?, host?, 3)
    }

    fn mask_password(&mut self, from: usize, to: usize, sign: usize) -> Option<usize> {
        let is_placeholder = self.reader.is(from, |it| matches!(it, b'$' | b'{' | b'<' | b'*'));
        if from >= to || is_placeholder { None } else { self.mask(from, to).map(|end| end + sign) }
    }

    /// Finds the value after the `:` or `=` at `at`, if the name before it is one of a secret: a member of JSON or of an
    /// object in source code, a variable, or a parameter of a URL.
    #[cfg_attr(feature = "otel", inline(never))]
    fn assignment(&mut self, at: usize) -> Option<usize> {
        let name = self.name_before(at)?;
        let letters = self.reader.slice(name.from, name.to);
        let is_signature =
            name.is_parameter && SIGNATURES.into_iter().any(|it| letters.eq_ignore_ascii_case(it));
        let class = if is_signature { Class::Secret } else { self.redaction.class_of(letters) };
        if class == Class::Open {
            return None;
        }
        let mut from = at + 1;
        // Spaces, and the rest of `==` or `=>`.
        while from < at + 5 && self.reader.is(from, |it| matches!(it, b' ' | b'=' | b'>')) {
            from += 1;
        }
        if let Some((from, to)) = self.quoted(from) {
            let value = self.reader.slice(from, to);
            let is_secret = match name.is_quoted {
                true => keys::is_secret(class, value),
                false => is_plausible(class, value, 6),
            };
            return if is_secret && from < to { self.mask(from, to) } else { None };
        }
        let body = self.reader.run(from, Alphabet::Value);
        if self.reader.is(body.end, |it| matches!(it, b'(' | b'[' | b'{')) {
            return None;
        }
        let end = self.trim_marks(from, body.end);
        let is_short_number = class == Class::Card && (3..=4).contains(&body.len());
        if !body.has_digit && !name.is_parameter || body.len() < 3 {
            return None;
        }
        // Only a value that is masked may be read to its end, to keep the scan linear.
        let is_secret = if is_short_number {
            self.reader.digits(from, 5) == body.len()
        } else {
            let value = self.reader.slice(from, end.min(from + LONGEST_NAME));
            match (name.is_parameter, self.reader.get(at)) {
                (true, _) => is_secret_parameter(class, value, is_signature),
                (false, Some(b'=')) => is_plausible(class, value, 6),
                _ => {
                    is_plausible(class, value, 8)
                        && value.iter().filter(|it| it.is_ascii_digit()).count() >= 2
                }
            }
        };
        if is_secret { self.mask(from, end) } else { None }
    }

    /// The name before the `:` or `=` at `at`.
    fn name_before(&self, at: usize) -> Option<AssignedName> {
        let mut to = at;
        while to + 2 > at && self.reader.before(to) == b' ' {
            to -= 1;
        }
        let quote = self.reader.before(to);
        let is_quoted = matches!(quote, b'\'' | b'"' | b'`');
        if is_quoted {
            to -= 1;
            while to + 10 > at && self.reader.before(to) == b'\\' {
                to -= 1;
            }
        }
        let mut from = to;
        let is_of_name =
            |it| is_alnum(it) || matches!(it, b'_' | b'-' | b'.') || is_quoted && it == b' ';
        while to - from < LONGEST_NAME && is_of_name(self.reader.before(from)) {
            from -= 1;
        }
        let before = self.reader.before(from);
        // If an escape precedes the name, its letters are not part of the name.
        if before == b'\\' {
            from += match self.reader.get(from) {
                Some(b'b' | b'f' | b'n' | b'r' | b't') => 1,
                Some(b'u')
                    if self.reader.hex(from + 1).and(self.reader.hex(from + 3)).is_some() =>
                {
                    5
                }
                _ => 0,
            };
        }
        let is_parameter = matches!(before, b'?' | b'&' | b';' | b'#') && !is_quoted;
        (from < to).then_some(AssignedName {
            from,
            to,
            is_quoted: is_quoted && before == quote,
            is_parameter,
        })
    }

    /// The range between the quotes that open at `at`. The closing quote has as many backslashes as the opening one; in
    /// JSON within JSON, quotes inside a string have more.
    fn quoted(&self, at: usize) -> Option<(usize, usize)> {
        let mut from = at;
        while from < at + LONGEST_GAP && self.reader.get(from) == Some(b'\\') {
            from += 1;
        }
        let depth = from - at;
        let quote = self.reader.get(from).filter(|it| matches!(it, b'"' | b'\'' | b'`'))?;
        // A quote that is not escaped ends the JSON string.
        if quote == b'"' && depth.is_multiple_of(2) {
            return None;
        }
        from += 1;
        let mut to = from;
        loop {
            let slashes = to;
            while self.reader.get(to) == Some(b'\\') {
                to += 1;
            }
            let byte = self.reader.get(to)?;
            let depth_here = to - slashes;
            if byte == quote && depth_here <= depth {
                return Some((from, slashes));
            }
            if byte == b'"' && depth_here.is_multiple_of(2) {
                return None;
            }
            to += 1;
        }
    }

    /// Looks for a secret at the `%` at `at`, which may encode a byte. Returns the position to continue at.
    #[cfg_attr(feature = "otel", inline(never))]
    pub fn find_at_percent(&mut self, at: usize) -> usize {
        if let Some(end) = self.password_in_encoded_url(at) {
            return end;
        }
        let Some(mut byte) = self.reader.hex(at + 1) else { return at + 1 };
        let mut end = at + 3;
        while byte == b'%'
            && let Some(inner) = self.reader.hex(end)
        {
            byte = inner;
            end += 2;
        }
        if is_alnum(byte) { self.reader.word_end(end) } else { end }
    }

    /// Passes the `[` at `at`, which may belong to an ANSI sequence such as `ESC [ 1 ; 32 m`. Returns the position to
    /// continue at.
    #[cfg_attr(feature = "otel", inline(never))]
    pub fn pass_bracket(&self, at: usize) -> usize {
        let mut end = at + 1;
        while end < at + LONGEST_GAP && self.reader.is(end, |it| it.is_ascii_digit() || it == b';')
        {
            end += 1;
        }
        // ESC, unescaped or as `\x1b`, `\033` or `\e`.
        let is_escaped = match self.reader.before(at) {
            0x1b => true,
            b'b' | b'B' => self.reader.before(at - 1) == b'1',
            b'3' => self.reader.before(at - 1) == b'3',
            b'e' => self.reader.before(at - 1) == b'\\',
            _ => false,
        };
        let ends = |it: u8| it == b'm' || is_escaped && it.is_ascii_alphabetic();
        if (is_escaped || end > at + 1) && self.reader.is(end, ends) { end + 1 } else { at + 1 }
    }

    /// Looks for a private key in PEM (RFC 7468) that begins with the dashes at `at`. Returns the position to continue
    /// at.
    #[cfg_attr(feature = "otel", inline(never))]
    pub fn find_at_dashes(&mut self, at: usize) -> usize {
        let mut label = at;
        while self.reader.get(label) == Some(b'-') {
            label += 1;
        }
        if label < at + 5 || !self.reader.has(label, "BEGIN ") {
            return label;
        }
        let mut body = label;
        while body < label + LONGEST_LABEL
            && self.reader.is(body, |it| it != b'-' && it != b'"' && it != b'\\')
        {
            body += 1;
        }
        let is_private = self.reader.slice(label, body).windows(11).any(|it| it == b"PRIVATE KEY");
        if !is_private || !self.reader.has(body, "-----") {
            return label;
        }
        let mut end = body + 5;
        // If the end marker is missing, everything that could belong to the key is masked.
        while self.reader.is(end, |it| {
            is_alnum(it)
                || matches!(it, b'+' | b'/' | b'=' | b'\\' | b'-' | b' ' | b':' | b',' | b'.')
        }) {
            if self.reader.has(end, r#"\""#) {
                break;
            }
            if self.reader.has(end, "-----END ") {
                end += 9;
                while self.reader.is(end, |it| it != b'-' && (is_alnum(it) || it == b' ')) {
                    end += 1;
                }
                end += 5 * usize::from(self.reader.has(end, "-----"));
                break;
            }
            // The second backslash of an escape begins none.
            end += if self.reader.has(end, r"\\") { 2 } else { 1 };
        }
        self.mask(label - 5, end).unwrap_or(end)
    }

    /// Looks for a client secret of Microsoft Entra around the `~` at `at`: three bytes, a digit, `Q~`, and 31 to 34 more
    /// bytes (gitleaks azure-ad-client-secret). Returns the position to continue at.
    #[cfg_attr(feature = "otel", inline(never))]
    pub fn find_at_tilde(&mut self, at: usize) -> usize {
        let is_of_secret = |it: u8| is_alnum(it) || matches!(it, b'_' | b'~' | b'.' | b'-');
        let last = self.found.last().map_or(0, |found| found.end);
        let start = at.wrapping_sub(5);
        if at < 5
            || start < last.max(self.escape_end)
            || self.reader.before(at) != b'Q'
            || !self.reader.before(at - 1).is_ascii_digit()
            || !(start..at).all(|place| self.reader.is(place, is_of_secret))
        {
            return at + 1;
        }
        let end = self.reader.run(at + 1, Alphabet::Unreserved).end;
        let end = self.trim_token(start, end, Alphabet::Unreserved);
        if (31..=40).contains(&(end - at)) { self.mask(start, end).unwrap_or(end) } else { at + 1 }
    }
}

/// The text between a word such as `Bearer` and the value it announces.
#[derive(Clone, Copy, Debug)]
struct Gap {
    end: usize,
    /// Whether it contains a colon or an equals sign.
    has_colon: bool,
}

/// A name before `:` or `=`.
struct AssignedName {
    from: usize,
    to: usize,
    /// Whether it is quoted, and so a member of an object.
    is_quoted: bool,
    /// Whether it is a parameter of a URL.
    is_parameter: bool,
}

fn is_date(text: &[u8]) -> bool {
    matches!(text, [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'-', ..])
}

/// Whether a value in source code, a configuration or a log is a literal secret, and not a word, a reference or a
/// placeholder.
fn is_plausible(class: Class, value: &[u8], shortest: usize) -> bool {
    let has_digit = value.iter().any(u8::is_ascii_digit);
    let has_letter = value.iter().any(u8::is_ascii_alphabetic);
    let is_open = value.iter().any(|it| matches!(it, b' ' | b'\\' | b'(' | b'{' | b'<'));
    let begins_otherwise =
        matches!(value, [b'$' | b'%' | b'*' | b'[' | b':', ..] | [b'h', b't', b't', b'p', ..]);
    let is_path = value.contains(&b'.')
        && value.split(|it| *it == b'.').all(|part| {
            part.first().is_some_and(u8::is_ascii_alphabetic)
                && part.iter().all(|it| it.is_ascii_alphanumeric() || *it == b'_')
        });
    let is_closed =
        has_digit && has_letter && !is_open && !begins_otherwise && !is_path && !is_date(value);
    value.len() >= shortest && is_closed && (class != Class::Token || keys::is_token(value))
}

/// Whether the value of a URL parameter is a secret.
fn is_secret_parameter(class: Class, value: &[u8], is_signature: bool) -> bool {
    let is_word =
        [&b"true"[..], b"false", b"null", b"none", b"undefined", b"required"].contains(&value);
    let is_placeholder = matches!(value, [b'$' | b'*' | b':', ..]);
    let has_digit = value.iter().any(u8::is_ascii_digit);
    !is_word
        && !is_placeholder
        && match class {
            Class::Token | Class::Cookie | Class::Card => has_digit && value.len() >= 8,
            _ => value.len() >= if is_signature { 16 } else { 4 },
        }
}

/// Whether `base64` encodes a user name, a colon and a password (RFC 7617).
fn are_credentials(base64: &[u8]) -> bool {
    let mut bits = 0_u32;
    let mut count = 0;
    let mut has_colon = false;
    for byte in base64 {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => break,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            let decoded = (bits >> count) as u8;
            has_colon |= decoded == b':';
            if decoded < b' ' || decoded == 0x7f {
                return false;
            }
        }
    }
    has_colon && base64.len() >= 4
}
