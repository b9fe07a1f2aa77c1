//! Reads and writes JSON as text. A document is taken apart only as far as a rule needs it, and values are passed on
//! exactly as they were written.
//!
//! Of the `serde_json` crate the tracer uses the writer of texts alone, because with its readers a page would be over its
//! budget: see `docs/size.md` and `docs/decisions.md`. Numbers are read and written by [`Numerals`] for the same reason.
//! Tests compare this module with `serde_json`, and the relay reads requests with `serde_json`.

use std::borrow::Cow;

use super::bytes::plain_end;

/// Functions that read and write numbers. Every JavaScript runtime has them, so the wasm module need not contain them.
#[derive(Clone, Copy, Debug)]
pub struct Numerals {
    /// Reads a JSON number.
    pub read: fn(&str) -> f64,
    /// Writes a finite number as JSON, with the fewest digits that are read as the same number.
    pub write: fn(f64) -> String,
}

impl Numerals {
    /// The functions of Rust's standard library.
    pub const STD: Numerals = Numerals {
        read: |text| text.parse().unwrap_or(f64::NAN),
        write: |number| number.to_string(),
    };

    /// Reads `json`; `None` if it is not a number, or too large for an `f64`.
    pub fn number(&self, json: &str) -> Option<f64> {
        if !is_number(json) {
            return None;
        }
        Some((self.read)(json)).filter(|number| number.is_finite())
    }
}

/// Whether the JSON value `json` is a number.
pub fn is_number(json: &str) -> bool {
    matches!(json.as_bytes(), [b'-' | b'0'..=b'9', ..])
}

/// The members of a JSON object: keys (with their quotes) and values as they were written; `None` if `json` is not an
/// object.
pub fn members(json: &str) -> Option<Vec<(&str, &str)>> {
    items(json, b'{')
}

/// The members of a JSON object like [`members`]; empty if `json` is not an object.
#[inline(never)]
pub fn any_members(json: &str) -> Vec<(&str, &str)> {
    members(json).unwrap_or_default()
}

/// The value of the member called `name` (plain letters).
pub fn find<'a>(members: &[(&'a str, &'a str)], name: &str) -> Option<&'a str> {
    for (key, value) in members {
        if key.get(1..key.len() - 1) == Some(name) {
            return Some(value);
        }
    }
    None
}

/// The elements of a JSON array as they were written; `None` if `json` is not an array.
pub fn elements(json: &str) -> Option<Vec<&str>> {
    let mut elements = Vec::new();
    for (_, value) in items(json, b'[')? {
        elements.push(value);
    }
    Some(elements)
}

/// Whether `json` begins like an object or an array.
pub fn is_nested(json: &str) -> bool {
    matches!(json.as_bytes().first(), Some(b'{' | b'['))
}

/// Whether `json` is exactly one JSON value.
pub fn is_valid(json: &str) -> bool {
    let mut scan = JsonScanner::of(json);
    scan.value().is_some() && scan.peek().is_none()
}

fn items(json: &str, open: u8) -> Option<Vec<(&str, &str)>> {
    let mut scan = JsonScanner::of(json);
    let mut items = Vec::new();
    scan.each_item(open, &mut |scan, key| {
        items.push((key, scan.value()?));
        Some(())
    })?;
    scan.peek().is_none().then_some(items)
}

/// Scans a JSON text once, from beginning to end. Its methods return `None` where the text is not valid JSON.
#[derive(Debug)]
pub struct JsonScanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> JsonScanner<'a> {
    /// A scanner at the beginning of `text`.
    pub fn of(text: &'a str) -> JsonScanner<'a> {
        JsonScanner { text, bytes: text.as_bytes(), at: 0 }
    }

    /// How many bytes were consumed.
    pub fn consumed(&self) -> usize {
        self.at
    }

    /// The text that was consumed since `start` bytes had been.
    pub fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.at]
    }

    /// Skips white space and returns the byte after it, without consuming that byte.
    pub fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    /// Consumes the object or array that comes next; `open` is its opening brace or bracket. Calls `see` before each
    /// value, with the value's key as it was written, or with "" in an array. `see` has to consume the value.
    pub fn each_item(
        &mut self,
        open: u8,
        see: &mut dyn FnMut(&mut JsonScanner<'a>, &'a str) -> Option<()>,
    ) -> Option<()> {
        if self.peek()? != open {
            return None;
        }
        self.at += 1;
        let mut is_first = true;
        while !self.closes(open, is_first)? {
            is_first = false;
            let key = if open == b'{' { self.key()? } else { "" };
            self.peek();
            see(self, key)?;
        }
        Some(())
    }

    /// Consumes the value that comes next, and returns it as it was written.
    pub fn value(&mut self) -> Option<&'a str> {
        self.peek();
        let start = self.at;
        self.skip_value()?;
        Some(&self.text[start..self.at])
    }

    /// Consumes the comma before the next item, or the closing brace or bracket that belongs to `open`. Returns whether
    /// it was the closing one.
    fn closes(&mut self, open: u8, is_first: bool) -> Option<bool> {
        let next = self.peek()?;
        // In ASCII a closing brace or bracket is two after the opening one.
        if next == open + 2 {
            self.at += 1;
            return Some(true);
        }
        if !is_first {
            if next != b',' {
                return None;
            }
            self.at += 1;
            self.peek();
        }
        Some(false)
    }

    /// Consumes a key and its colon, and returns the key.
    fn key(&mut self) -> Option<&'a str> {
        let start = self.at;
        self.string()?;
        let key = &self.text[start..self.at];
        if self.peek()? != b':' {
            return None;
        }
        self.at += 1;
        Some(key)
    }

    /// Consumes a value. Not recursive, because the application chooses how deep a value is nested.
    fn skip_value(&mut self) -> Option<()> {
        let mut open = Vec::new();
        loop {
            let mut is_first = false;
            match self.peek()? {
                byte @ (b'{' | b'[') => {
                    self.at += 1;
                    open.push(byte);
                    is_first = true;
                }
                b'"' => self.string()?,
                b'-' | b'0'..=b'9' => self.number()?,
                _ => self.word()?,
            }
            loop {
                let Some(innermost) = open.last() else { return Some(()) };
                if !self.closes(*innermost, is_first)? {
                    break;
                }
                open.pop();
                is_first = false;
            }
            if open.last() == Some(&b'{') {
                self.key()?;
            }
        }
    }

    fn string(&mut self) -> Option<()> {
        if self.bytes.get(self.at) != Some(&b'"') {
            return None;
        }
        self.at += 1;
        loop {
            self.at = plain_end(self.bytes, self.at);
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            match byte {
                b'"' => return Some(()),
                b'\\' => {
                    let escape = *self.bytes.get(self.at)?;
                    self.at += 1;
                    if escape == b'u' {
                        let digits = self.bytes.get(self.at..self.at + 4)?;
                        if !digits.iter().all(u8::is_ascii_hexdigit) {
                            return None;
                        }
                        self.at += 4;
                    } else if !matches!(
                        escape,
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't'
                    ) {
                        return None;
                    }
                }
                _ => return None,
            }
        }
    }

    fn number(&mut self) -> Option<()> {
        self.at += usize::from(self.bytes[self.at] == b'-');
        let start = self.at;
        self.digits()?;
        if self.bytes[start] == b'0' && self.at > start + 1 {
            return None;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn word(&mut self) -> Option<()> {
        let rest = &self.bytes[self.at..];
        let word = ["true", "false", "null"].into_iter().find(|it| rest.starts_with(it.as_bytes()));
        self.at += word?.len();
        Some(())
    }
}

/// Decodes a JSON string; `None` if `json` is not one. Half of a surrogate pair, which no Rust string can hold, becomes
/// U+FFFD.
pub fn text(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix("\"")?.strip_suffix("\"")?;
    let Some(plain) = inner.find('\\') else { return Some(inner.into()) };
    let mut text = String::with_capacity(inner.len());
    text.push_str(&inner[..plain]);
    let mut rest = &inner[plain..];
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let escape = *rest.as_bytes().get(at + 1)?;
        rest = rest.get(at + 2..)?;
        text.push(match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let mut code = unit(rest)?;
                rest = &rest[4..];
                if code >> 10 == 0xd800 >> 10
                    && let Some(low) = rest.strip_prefix("\\u").and_then(unit)
                    && low >> 10 == 0xdc00 >> 10
                {
                    code = 0x1_0000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
                    rest = &rest[6..];
                }
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            other => char::from(other),
        });
    }
    text.push_str(rest);
    Some(text.into())
}

/// Decodes the four hexadecimal digits that `text` starts with into a UTF-16 code unit.
fn unit(text: &str) -> Option<u32> {
    let digits = text.as_bytes().get(..4)?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

/// `text` as a JSON string.
pub fn quoted(text: &str) -> String {
    // A text cannot fail to be written to memory.
    serde_json::to_string(text).unwrap_or_default()
}

/// Puts a JSON object together of its members.
#[derive(Debug)]
pub struct Object<'a> {
    out: &'a mut String,
    empty: bool,
}

impl<'a> Object<'a> {
    /// Opens an object at the end of `out`.
    pub fn open(out: &'a mut String) -> Object<'a> {
        out.push('{');
        Object { out, empty: true }
    }

    /// Continues an object in `out` that has members and was not closed.
    pub fn go_on(out: &'a mut String) -> Object<'a> {
        Object { out, empty: false }
    }

    /// Adds a member whose key and value are already JSON.
    pub fn member(&mut self, key: &str, value: &str) {
        self.comma();
        self.out.push_str(key);
        self.out.push(':');
        self.out.push_str(value);
    }

    /// Adds a member called `name` (plain letters) whose value the caller writes.
    pub fn value(&mut self, name: &str) -> &mut String {
        self.comma();
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    /// Adds a member called `name` (plain letters) whose value is already JSON.
    pub fn json(&mut self, name: &str, json: &str) {
        self.value(name).push_str(json);
    }

    /// Adds a member called `name` (plain letters) whose value is a number.
    pub fn number(&mut self, name: &str, number: u64) {
        self.json(name, &number.to_string());
    }

    /// Adds a member called `name` (plain letters) whose value is any text.
    pub fn text(&mut self, name: &str, text: &str) {
        self.json(name, &quoted(text));
    }

    /// Closes the object.
    pub fn close(self) {
        self.out.push('}');
    }

    fn comma(&mut self) {
        if !self.empty {
            self.out.push(',');
        }
        self.empty = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_str};

    /// Texts that are JSON, and many more that are almost.
    fn texts() -> impl Iterator<Item = String> {
        let seeds = [
            r#"{"a":1,"b":[true,false,null,{"c":"d"}],"":{},"e":[]}"#,
            r#" { "a" : -0.5e+7 , "b" : [ 1 , 2.0E-3 , [ ] ] , "u" : "\u00e9\ud83d\ude00\n\/" } "#,
            r#"{"x":"é☃","y":"\\\"","z":0}"#,
            r#"[1,"two",{"three":3}]"#,
        ];
        let bytes = b"{}[]\",:\\u0-1.e tn\x01";
        seeds.into_iter().flat_map(move |seed| {
            let cuts = (0..=seed.len()).filter(|at| seed.is_char_boundary(*at));
            cuts.flat_map(move |at| {
                let cut = [seed[..at].to_owned(), seed[at..].to_owned()].into_iter();
                let width = seed[at..].chars().next().map_or(0, char::len_utf8);
                let changed = bytes.iter().flat_map(move |byte| {
                    let byte = char::from(*byte);
                    [0, width].map(|skip| format!("{}{byte}{}", &seed[..at], &seed[at + skip..]))
                });
                cut.chain(changed)
            })
        })
    }

    #[test]
    fn what_is_json_and_what_its_members_are_is_as_serde_json_says() {
        let (mut good, mut bad) = (0, 0);
        for text in texts() {
            let value = from_str::<Value>(&text);
            let object = value.as_ref().ok().and_then(Value::as_object);
            let Some(object) = object.filter(|_| text.contains('{')) else {
                // Half a surrogate pair is JSON by its grammar (RFC 8259, section 8.2), and a
                // number that overflows too; serde_json takes neither.
                let lenient = text.contains("\\ud") || text.contains('e');
                assert!(lenient || members(&text).is_none(), "{text}");
                bad += 1;
                continue;
            };
            let found = members(&text).unwrap_or_else(|| panic!("{text} is an object"));
            let mut read = serde_json::Map::new();
            for (key, value) in found {
                read.insert(super::text(key).unwrap().into_owned(), from_str(value).unwrap());
            }
            assert_eq!(&read, object, "{text}");
            good += 1;
        }
        assert!(good > 500 && bad > 500, "{good} {bad}");
    }

    #[test]
    fn lists_are_read_as_objects_are() {
        assert_eq!(elements(" [1, \"a,b\",[2,3] ] "), Some(vec!["1", "\"a,b\"", "[2,3]"]));
        assert_eq!(elements("[]"), Some(vec![]));
        for none in ["", "{}", "[1,]", "[,1]", "[1 2]", "[1]]", "[\"a\":1]", "7"] {
            assert_eq!(elements(none), None, "{none}");
        }
    }

    #[test]
    fn any_text_goes_there_and_back() {
        for text in ["", "plain", "\"\\/\u{0}\u{8}\u{c}\n\r\t\u{1f}", "é☃😀\u{7f}\u{2028}"] {
            let json = quoted(text);
            assert_eq!(from_str::<String>(&json).unwrap(), text);
            assert_eq!(super::text(&json).unwrap(), text);
        }
        assert_eq!(
            text(r#""\b\f\n\r\t\"\\\/\u0041\ud83d\ude00""#).unwrap(),
            "\u{8}\u{c}\n\r\t\"\\/A😀"
        );
        assert_eq!(text(r#""\ud83d-\ude00\ud83d\u0041""#).unwrap(), "\u{fffd}-\u{fffd}\u{fffd}A");
        for none in ["", "\"", "7", "\"\\\"", "\"\\u12\"", "null"] {
            assert_eq!(text(none), None, "{none}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = ["{\"a\":".repeat(100_000), "1".into(), "}".repeat(100_000)].concat();
        assert_eq!(members(&deep).unwrap()[0].1.len(), deep.len() - 6);
    }
}
