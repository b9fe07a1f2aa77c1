//! Masking of secrets in an enrichment's text, before anything of it is queued.
//!
//! Works on JSON text in one pass and copies only where something is masked. It knows key names
//! and the shapes of secrets that are beyond doubt; what an application means by a secret of its
//! own (`redact` as a function, patterns of its own) is asked of it outside the core.

use std::borrow::Cow;

use super::bytes::{self, DASH, SPACE, STARTS, TOKEN, WORD, class};
use super::json;

/// What stands where a secret stood.
pub const MASK: &str = "[Redacted]";

/// Key names whose values are masked where the application names none itself: lower case, without
/// `_`, `-`, `.` and spaces, so that `api_key`, `apiKey` and `X-API-Key` are told by one name each.
const SECRET_KEYS: &[u8] =
    b"accesstoken apikey apisecret apitoken authorization authtoken bearertoken \
    clientsecret cookie cookies creditcardnumber idtoken passphrase passwd password privatekey \
    proxyauthorization refreshtoken secret secretaccesskey secretkey setcookie token xapikey";

/// Characters after `sk-` or `hh_` from which it is a key and no word.
const SHORTEST_KEY: usize = 16;

/// Characters after `Bearer` from which it is a token and no word.
const SHORTEST_BEARER: usize = 8;

/// What is masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    /// Spelled as the default ones are, with spaces between; none for those.
    keys: Option<Vec<u8>>,
    /// A bit for each [`outline`] that a key has.
    outlines: [u32; 8],
    patterns: bool,
}

impl Redaction {
    /// Masks the values of `keys` (the default list if there are none), and, with `patterns`,
    /// what looks like a secret inside strings.
    pub fn new(keys: Option<&[String]>, patterns: bool) -> Redaction {
        let keys = keys.map(|keys| {
            let mut own = Vec::new();
            for key in keys {
                for byte in key.bytes() {
                    if !separates(byte) {
                        own.push(byte.to_ascii_lowercase());
                    }
                }
                own.push(b' ');
            }
            own
        });
        let mut redaction = Redaction { keys, outlines: [0; 8], patterns };
        let mut outlines = [0; 8];
        redaction.has_key(&mut |key| {
            let outline = outline(key);
            outlines[usize::from(outline >> 5)] |= 1 << (outline & 31);
            false
        });
        redaction.outlines = outlines;
        redaction
    }

    /// Whether `is_it` holds for any of the keys whose values are masked.
    fn has_key(&self, is_it: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let keys = self.keys.as_deref().unwrap_or(SECRET_KEYS);
        keys.split(|byte| *byte == b' ').any(|key| !key.is_empty() && is_it(key))
    }

    /// `json` with its secrets masked. The text must be JSON; anything else comes back harmless
    /// but not necessarily as it was.
    pub fn apply(&self, json: String) -> String {
        let bytes = json.as_bytes();
        let starts = if self.patterns { STARTS } else { 0 };
        let mut secrets = Vec::new();
        let mut masked = String::new();
        let mut copied = 0;
        let mut mask = |from, to, mask: &str| {
            masked.push_str(&json[copied..from]);
            masked.push_str(mask);
            copied = to;
        };
        let mut at = 0;
        while let Some(before) = bytes[at..].iter().position(|byte| *byte == b'"') {
            let quote = at + before;
            let string = Scanned::from(bytes, quote, starts, &mut secrets);
            at = string.end;
            let text = &json[quote..at];
            let colon = skip_space(bytes, at);
            if bytes.get(colon) == Some(&b':') {
                at = colon + 1;
                if self.is_secret_key(text, string.has_escapes) {
                    let value = skip_space(bytes, at);
                    at = value_end(bytes, value);
                    mask(value, at, &json::quoted(MASK));
                }
            } else if !string.is_spelled_out {
                for (from, to) in &secrets {
                    mask(*from, *to, MASK);
                }
            } else if self.patterns
                && let Some(text) = json::text(text)
            {
                let plain = json::quoted(&text);
                let masked = self.apply(plain.clone());
                if masked != plain {
                    mask(quote, at, &masked);
                }
            }
            secrets.clear();
        }
        if copied == 0 {
            return json;
        }
        masked.push_str(&json[copied..]);
        masked
    }

    /// Whether `key`, with its quotes, is one whose value is masked.
    fn is_secret_key(&self, key: &str, has_escapes: bool) -> bool {
        let mut key = Cow::Borrowed(key);
        if has_escapes && let Some(text) = json::text(&key) {
            key = text.into_owned().into();
        }
        let key = key.as_bytes();
        let outline = outline(key);
        self.outlines[usize::from(outline >> 5)] >> (outline & 31) & 1 != 0
            && self.has_key(&mut |secret| is_spelled(key, secret))
    }
}

/// Whether spellings of a key differ in it; a quote too, as a key comes with its own.
fn separates(byte: u8) -> bool {
    matches!(byte, b'_' | b'-' | b'.' | b' ' | b'"')
}

/// A number that few keys share with one whose value is masked, so that few are compared.
fn outline(key: &[u8]) -> u8 {
    let mut outline = 0_u8;
    for byte in key {
        if !separates(*byte) {
            outline = outline.wrapping_mul(5) ^ byte.to_ascii_lowercase();
        }
    }
    outline
}

/// Whether `letters` are those of `key`.
fn is_spelled(key: &[u8], letters: &[u8]) -> bool {
    let mut at = 0;
    for byte in key {
        if separates(*byte) {
            continue;
        }
        if letters.get(at) != Some(&byte.to_ascii_lowercase()) {
            return false;
        }
        at += 1;
    }
    at == letters.len()
}

/// A JSON string that was looked through.
struct Scanned {
    /// Where it ends: after its closing quote.
    end: usize,
    /// Whether anything is escaped in it.
    has_escapes: bool,
    /// Whether something is that need not be, as `s` in `\u0073`: a secret may be spelled so.
    is_spelled_out: bool,
}

impl Scanned {
    /// Looks through the string whose opening quote is at `quote`, and for `secrets` in it, which begin
    /// with a byte of the class `starts`: from where to where they are.
    fn from(bytes: &[u8], quote: usize, starts: u8, secrets: &mut Vec<(usize, usize)>) -> Scanned {
        let mut string = Scanned { end: bytes.len(), has_escapes: false, is_spelled_out: false };
        let mut at = quote + 1;
        while let Some(byte) = bytes.get(at) {
            let class = class(*byte);
            if class & WORD != 0 {
                // Every secret begins a word.
                at = match class & starts {
                    0 => bytes::run(bytes, at, WORD),
                    _ => secret_at(bytes, at, secrets),
                };
                continue;
            }
            at += 1;
            if *byte == b'"' {
                string.end = at;
                break;
            }
            if *byte == b'\\' {
                string.has_escapes = true;
                at += match bytes.get(at..) {
                    // A control character, which is in no secret.
                    Some([b'u', b'0', b'0', b'0' | b'1', ..]) => 5,
                    Some([b'u' | b'/', ..]) => {
                        string.is_spelled_out = true;
                        1
                    }
                    _ => 1,
                };
            }
        }
        string
    }
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
            b'"' => at = Scanned::from(bytes, at, 0, &mut Vec::new()).end - 1,
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

/// Looks whether the word at `at` begins a secret, and if so adds from where to where it is masked to
/// `secrets`; the end of that, or of the word. Apart, so that the loop over every byte has all registers.
#[inline(never)]
fn secret_at(bytes: &[u8], at: usize, secrets: &mut Vec<(usize, usize)>) -> usize {
    let rest = &bytes[at..];
    let mut from = 0;
    let to = match rest {
        [b'b' | b'B', b'e' | b'E', b'a' | b'A', b'r' | b'R', b'e' | b'E', b'r' | b'R', ..] => {
            from = run(rest, 6, SPACE);
            bearer(rest, from)
        }
        [b's', b'k', b'-', ..] | [b'h', b'h', b'_', ..] => key(rest),
        [b'e', b'y', b'J', ..] => json_web_token(rest),
        [b'2'..=b'6', ..] => card_number(rest),
        _ => 0,
    };
    if to == 0 {
        return run(bytes, at, WORD);
    }
    secrets.push((at + from, at + to));
    at + to
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

/// As [`bytes::run`], once in the wasm.
#[inline(never)]
fn run(bytes: &[u8], at: usize, classes: u8) -> usize {
    bytes::run(bytes, at, classes)
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
    fn what_is_not_secret_stays_as_it_was_written() {
        assert_eq!(
            redact(r#"["\"x\"\n\tsk-proj-abcdefghij0123456789\\n\u001fhh_abcdefghij0123456789é"]"#),
            r#"["\"x\"\n\t[Redacted]\\n\u001f[Redacted]é"]"#,
        );
        // Spelled out, it is written anew.
        assert_eq!(
            redact(r#"{"a" :"\"x\"\tsk-proj-abcdefghij0123456789\u00e9", "b":[ "\/\u0041" ]}"#),
            r#"{"a" :"\"x\"\u0009[Redacted]é", "b":[ "\/\u0041" ]}"#,
        );
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
