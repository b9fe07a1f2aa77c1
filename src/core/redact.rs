//! Masking of secrets in an enrichment's text, before anything of it is queued.
//!
//! Works on JSON text in one pass and copies only where something is masked. It knows key names
//! and the shapes of secrets that are beyond doubt; what an application means by a secret of its
//! own (`redact` as a function, patterns of its own) is asked of it outside the core.

use std::borrow::Cow;

use super::json;
use super::text::fill;

/// What stands where a secret stood.
pub const MASK: &str = "[Redacted]";

/// Key names whose values are masked where the application names none itself: lower case, without
/// `_`, `-`, `.` and spaces, so that `api_key`, `apiKey` and `X-API-Key` are told by one name each.
const SECRET_KEYS: [&[u8]; 24] = [
    b"accesstoken",
    b"apikey",
    b"apisecret",
    b"apitoken",
    b"authorization",
    b"authtoken",
    b"bearertoken",
    b"clientsecret",
    b"cookie",
    b"cookies",
    b"creditcardnumber",
    b"idtoken",
    b"passphrase",
    b"passwd",
    b"password",
    b"privatekey",
    b"proxyauthorization",
    b"refreshtoken",
    b"secret",
    b"secretaccesskey",
    b"secretkey",
    b"setcookie",
    b"token",
    b"xapikey",
];

/// Characters after `sk-` or `hh_` from which it is a key and no word.
const SHORTEST_KEY: usize = 16;

/// Characters after `Bearer` from which it is a token and no word.
const SHORTEST_BEARER: usize = 8;

/// A byte that is part of a word.
const WORD: u8 = 1;

/// A byte that a secret may start with: see [`secret_at`].
const STARTS: u8 = 2;

/// A dash: together with [`WORD`], base64url.
const DASH: u8 = 4;

/// What a token may have beside that (RFC 6750).
const TOKEN: u8 = 8;

/// A space.
const SPACE: u8 = 16;

/// What each byte may be, looked up once for each byte of a text.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            classes[byte as usize] = WORD;
        }
        if matches!(byte, b'b' | b'B' | b's' | b'h' | b'e' | b'2'..=b'6') {
            classes[byte as usize] |= STARTS;
        }
        classes[byte as usize] |= match byte {
            b'-' => DASH,
            b'.' | b'~' | b'+' | b'/' | b'=' => TOKEN,
            b' ' => SPACE,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// What is masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    /// Spelled as the default ones are; none for those.
    keys: Option<Vec<Vec<u8>>>,
    /// A bit for each letter that a key starts with, by [`bit`].
    first_letters: u32,
    patterns: bool,
}

impl Redaction {
    /// Masks the values of `keys` (the default list if there are none), and, with `patterns`,
    /// what looks like a secret inside strings.
    pub fn new(keys: Option<&[String]>, patterns: bool) -> Redaction {
        let keys = keys.map(|keys| {
            let mut own = Vec::new();
            for key in keys {
                let mut letters = Vec::new();
                for byte in key.bytes() {
                    if !separates(byte) {
                        letters.push(byte.to_ascii_lowercase());
                    }
                }
                own.push(letters);
            }
            own
        });
        let mut redaction = Redaction { keys, first_letters: 0, patterns };
        let mut first_letters = 0;
        redaction.has_key(&mut |key| {
            first_letters |= key.first().map_or(0, bit);
            false
        });
        redaction.first_letters = first_letters;
        redaction
    }

    /// Whether `is_it` holds for any of the keys whose values are masked.
    fn has_key(&self, is_it: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        match &self.keys {
            Some(own) => own.iter().any(|key| is_it(key)),
            None => SECRET_KEYS.iter().any(|key| is_it(key)),
        }
    }

    /// `json` with its secrets masked. The text must be JSON; anything else comes back harmless
    /// but not necessarily as it was.
    pub fn apply(&self, json: String) -> String {
        let bytes = json.as_bytes();
        let mut masked = String::new();
        let mut copied = 0;
        let mut at = 0;
        while let Some(quote) = bytes[at..].iter().position(|byte| *byte == b'"') {
            let start = at + quote + 1;
            let (end, escapes) = string_end(bytes, start);
            let text = &json[start..end];
            let after = skip_space(bytes, (end + 1).min(bytes.len()));
            if bytes.get(after) == Some(&b':') {
                at = after + 1;
                if self.is_secret_key(text, escapes) {
                    let value = skip_space(bytes, at);
                    masked.push_str(&json[copied..value]);
                    masked.push('"');
                    masked.push_str(MASK);
                    masked.push('"');
                    at = value_end(bytes, value);
                    copied = at;
                }
            } else {
                at = (end + 1).min(bytes.len());
                if self.patterns
                    && let Some(text) = mask_string(text, escapes)
                {
                    masked.push_str(&json[copied..start]);
                    masked.push_str(&text);
                    copied = end;
                }
            }
        }
        if copied == 0 {
            return json;
        }
        masked.push_str(&json[copied..]);
        masked
    }

    fn is_secret_key(&self, key: &str, escapes: bool) -> bool {
        let key: Cow<'_, str> = if escapes {
            json::text(&fill("\"{}\"", &[key])).map_or(key.into(), |key| key.into_owned().into())
        } else {
            key.into()
        };
        let Some(first) = key.bytes().find(|byte| !separates(*byte)) else {
            return false;
        };
        let first = first.to_ascii_lowercase();
        self.first_letters & bit(&first) != 0
            && self.has_key(&mut |secret| {
                key.len() >= secret.len()
                    && secret.first() == Some(&first)
                    && is_spelled(&key, secret)
            })
    }
}

/// Whether spellings of a key differ in it.
fn separates(byte: u8) -> bool {
    matches!(byte, b'_' | b'-' | b'.' | b' ')
}

/// Whether `letters` are those of `key`.
fn is_spelled(key: &str, letters: &[u8]) -> bool {
    let mut at = 0;
    for byte in key.bytes() {
        if separates(byte) {
            continue;
        }
        if letters.get(at) != Some(&byte.to_ascii_lowercase()) {
            return false;
        }
        at += 1;
    }
    at == letters.len()
}

/// A bit that stands for a key's first letter, or for anything else.
fn bit(first: &u8) -> u32 {
    if first.is_ascii_lowercase() { 1 << (first - b'a') } else { 1 << 26 }
}

/// The end of the string whose text starts at `start`: the place of its closing quote; and whether there
/// are escapes in it.
fn string_end(bytes: &[u8], start: usize) -> (usize, bool) {
    let mut at = start;
    let mut escapes = false;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return (at, escapes),
            b'\\' => {
                escapes = true;
                at += 2;
            }
            _ => at += 1,
        }
    }
    (bytes.len(), escapes)
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// The end of the JSON value that starts at `start`.
fn value_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at + 1).0,
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
    at.min(bytes.len())
}

/// `text`, the inside of a JSON string that may have `escapes`, with the secrets in it masked; nothing if it
/// has none.
fn mask_string(text: &str, escapes: bool) -> Option<String> {
    if !escapes {
        return mask_patterns(text);
    }
    // What is spelled with escapes is looked for in what it spells.
    let quoted = fill("\"{}\"", &[text]);
    let masked = json::quoted(&mask_patterns(&json::text(&quoted)?)?);
    Some(masked[1..masked.len() - 1].to_owned())
}

/// `text` with the secrets in it masked; nothing if it has none.
fn mask_patterns(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut masked = String::new();
    let mut copied = 0;
    let mut at = 0;
    let mut before = 0;
    while let Some(byte) = bytes.get(at) {
        let class = CLASSES[usize::from(*byte)];
        // At the first letter of a word that may be a secret.
        if class & !(before << 1) & STARTS != 0
            && let Some((from, to)) = secret_at(bytes, at)
        {
            masked.push_str(&text[copied..from]);
            masked.push_str(MASK);
            copied = to;
            at = to;
            continue;
        }
        before = class & WORD;
        at += 1;
    }
    if copied == 0 {
        return None;
    }
    masked.push_str(&text[copied..]);
    Some(masked)
}

/// The secret that starts with the word at `at`: what of it is masked. Apart, so that the loop over every
/// byte has all registers: five instructions in a hundred.
#[inline(never)]
fn secret_at(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = &bytes[at..];
    let mut from = 0;
    let to = match rest[0] {
        b'b' | b'B' if rest.len() > 6 && rest[..6].eq_ignore_ascii_case(b"bearer") => {
            from = run(rest, 6, SPACE);
            bearer(rest, from)
        }
        b's' if rest.starts_with(b"sk-") => key(rest),
        b'h' if rest.starts_with(b"hh_") => key(rest),
        b'e' if rest.starts_with(b"eyJ") => json_web_token(rest),
        b'2'..=b'6' => card_number(rest),
        _ => 0,
    };
    (to > 0).then_some((at + from, at + to))
}

/// The end of the token at `from` after `Bearer`, as in RFC 6750; 0 if there is none.
fn bearer(rest: &[u8], from: usize) -> usize {
    let to = run(rest, from, WORD | DASH | TOKEN);
    if from > 6 && to >= from + SHORTEST_BEARER { to } else { 0 }
}

/// The end of a key of OpenAI's or HoneyHive's shape, after its prefix; 0 if there is none.
fn key(rest: &[u8]) -> usize {
    let to = run(rest, 3, WORD | DASH);
    if to >= 3 + SHORTEST_KEY { to } else { 0 }
}

/// The end of three stretches of base64url with dots between them (RFC 7519); 0 if there are none.
fn json_web_token(rest: &[u8]) -> usize {
    let header = run(rest, 0, WORD | DASH);
    let claims = dotted(rest, header);
    if header >= 8 && claims > 0 { dotted(rest, claims) } else { 0 }
}

/// The end of the stretch after the dot at `dot`; 0 if there is none.
fn dotted(rest: &[u8], dot: usize) -> usize {
    let to = run(rest, dot + 1, WORD | DASH);
    if rest.get(dot) == Some(&b'.') && to > dot + 4 { to } else { 0 }
}

/// A payment card number: the lengths and first digits that are issued, with its check digit
/// right (ISO/IEC 7812-1), in groups or not. What comes after it may well be digits again: the
/// date it ends, another card. Its end; 0 if there is none.
fn card_number(rest: &[u8]) -> usize {
    let mut digits = [0_u8; 19];
    let (mut count, mut group, mut longest) = (0, 0, 0);
    let mut found = 0;
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                let Some(digit) = digits.get_mut(count) else { break };
                *digit = byte - b'0';
                count += 1;
                group += 1;
            }
            b' ' | b'-' if group > 0 => {
                longest = longest.max(group);
                group = 0;
            }
            _ => break,
        }
        let ends = |next: &u8| !next.is_ascii_alphanumeric() && *next != b'_';
        // No card is written in longer groups than six; other numbers are.
        let in_groups = group == count || longest.max(group) <= 6;
        if group > 0 && in_groups && rest.get(at + 1).is_none_or(ends) && is_card(&digits[..count])
        {
            found = at + 1;
        }
    }
    found
}

fn is_card(digits: &[u8]) -> bool {
    let count = digits.len();
    let issued = match *digits {
        [4, ..] => matches!(count, 13 | 16 | 19),
        [5, 1..=5, ..] | [2, 2..=7, ..] => count == 16,
        [3, 4 | 7, ..] => count == 15,
        [3, 0 | 6 | 8, ..] => count == 14,
        [6, 0 | 2 | 4 | 5, ..] => matches!(count, 16..=19),
        _ => false,
    };
    issued && luhn(digits)
}

fn luhn(digits: &[u8]) -> bool {
    let mut sum = 0;
    for (place, digit) in digits.iter().rev().enumerate() {
        sum += match place % 2 {
            1 if *digit > 4 => digit * 2 - 9,
            1 => digit * 2,
            _ => *digit,
        };
    }
    sum.is_multiple_of(10)
}

/// The end of the stretch from `at` on whose bytes are all of `class`.
fn run(bytes: &[u8], mut at: usize, class: u8) -> usize {
    while bytes.get(at).is_some_and(|byte| CLASSES[usize::from(*byte)] & class != 0) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redact(json: &str) -> String {
        Redaction::new(None, true).apply(json.into())
    }

    #[test]
    fn values_of_secret_keys_are_masked_at_any_depth_in_any_spelling() {
        assert_eq!(
            redact(
                r#"{"a":{"Password":"x"},"list":[{"API_KEY":{"deep":[1,"}"]},"z":1}],"X-Api-Key":null,"token":12}"#
            ),
            r#"{"a":{"Password":"[Redacted]"},"list":[{"API_KEY":"[Redacted]","z":1}],"X-Api-Key":"[Redacted]","token":"[Redacted]"}"#
        );
        assert_eq!(
            redact(r#"{"pass\u0077ord" : "x" , "b":1}"#),
            r#"{"pass\u0077ord" : "[Redacted]" , "b":1}"#
        );
    }

    #[test]
    fn what_only_looks_like_a_secret_key_stays() {
        let plain =
            r#"{"tokens":1,"total_tokens":2,"secretary":"x","":"y","_":"z","cookie_consent":true}"#;
        assert_eq!(redact(plain), plain);
    }

    #[test]
    fn secrets_inside_strings_are_masked() {
        for (secret, masked) in [
            ("Authorization: Bearer abc.def-123", "Authorization: Bearer [Redacted]"),
            ("\\nbearer  abcdefgh rest", "\nbearer  [Redacted] rest"),
            ("key sk-proj-abcdefghij0123456789!", "key [Redacted]!"),
            ("hh_ingst_abcdefghijklmnop", "[Redacted]"),
            ("t=eyJhbGciOiJI.eyJzdWIi.c2lnbmF0dXJl", "t=[Redacted]"),
            ("card 4111 1111 1111 1111.", "card [Redacted]."),
            ("4111111111111111 12/27", "[Redacted] 12/27"),
            ("4111-1111-1111-1111 5555 5555 5555 4444", "[Redacted] [Redacted]"),
            ("\\u00e94111-1111-1111-1111", "é[Redacted]"),
            ("\\u0073k-proj\\u002dabcdefghij0123456789 \\\"", "[Redacted] \""),
            ("\\ud800 sk-proj-abcdefghij0123456789", "\u{fffd} [Redacted]"),
            ("two: 378282246310005 and 5555555555554444", "two: [Redacted] and [Redacted]"),
        ] {
            let json = ["{\"a\":\"", secret, "\"}"].concat();
            let redacted: serde_json::Value = serde_json::from_str(&redact(&json)).unwrap();
            assert_eq!(redacted["a"], masked);
        }
    }

    #[test]
    fn what_only_looks_like_a_secret_stays() {
        for plain in [
            "bearer of news",
            "the bearer",
            "Bearers abcdefghijkl",
            "ask-sk-short",
            "task-abcdefghijklmnopqrst",
            "hh_short",
            "4111111111111112",
            "41111111111111111",
            "id4111111111111111",
            "4111111111111111x",
            "1700000000000",
            "12345678-1234-1234-1234-123456789012",
            "41111111-1111-1111-8111-aaaaaaaaaaaa",
            "4111111111111111_",
            "eyJ.no",
            "",
        ] {
            let json = ["{\"a\":\"", plain, "\"}"].concat();
            assert_eq!(redact(&json), json);
        }
    }

    #[test]
    fn own_keys_take_the_place_of_the_default_ones() {
        let own = Redaction::new(Some(&["Social-Security".into(), "Straße".into()]), false);
        assert_eq!(
            own.apply(
                r#"{"socialSecurity":1,"password":"x","straße":"y","s":"sk-abcdefghij0123456789"}"#
                    .into()
            ),
            r#"{"socialSecurity":"[Redacted]","password":"x","straße":"[Redacted]","s":"sk-abcdefghij0123456789"}"#
        );
    }

    #[test]
    fn a_key_of_nothing_but_separators_is_none() {
        let own = Redaction::new(Some(&["_".into(), "".into(), "pin".into()]), false);
        let json = r#"{"_":1,"":2,"-.":3,"pi":4,"pins":5,"P_I.N":6}"#;
        let masked = r#"{"_":1,"":2,"-.":3,"pi":4,"pins":5,"P_I.N":"[Redacted]"}"#;
        assert_eq!(own.apply(json.into()), masked);
    }

    #[test]
    fn text_that_is_no_json_does_no_harm() {
        for text in [
            "",
            "\"",
            "\"\\",
            "{\"token\"",
            "{\"token\":",
            "{\"token\":\"",
            "{\"token\":[",
            "é\"",
            "\"\\u",
            "{\"token\":}",
        ] {
            redact(text);
        }
    }
}
