//! Texts, and how they are put together: with what costs the wasm least.

use std::rc::Rc;

/// A text that many share. Not `Rc<str>`, of which every copy is two numbers.
pub type Text = Rc<String>;

/// `template` with these for its `{}`, one after the other. Not `format!`, which is 2 KB of wasm.
pub fn fill(template: &str, with: &[&str]) -> String {
    let mut text = String::new();
    let mut copied = 0;
    let mut next = with.iter();
    for (at, pair) in template.as_bytes().windows(2).enumerate() {
        if pair == b"{}" {
            text.push_str(&template[copied..at]);
            text.push_str(next.next().unwrap_or(&""));
            copied = at + 2;
        }
    }
    debug_assert!(next.next().is_none(), "more than {template} has room for");
    text.push_str(&template[copied..]);
    text
}

/// `number` in decimal. Not by `to_string`, which brings 2 KB of formatting into the wasm.
pub fn decimal(number: u64) -> String {
    let mut text = if number < 10 { String::new() } else { decimal(number / 10) };
    text.push(char::from(b'0' + (number % 10) as u8));
    text
}
