//! Recognises payment card numbers by the ranges and lengths that are issued today, the check digit (ISO/IEC 7812-1),
//! and the ways in which cards are printed. The check digit alone is not enough: one in about a hundred lists of
//! numbers, floats, identifiers or IBANs would pass it.

use super::reader::{Reader, is_alnum};

/// The ways in which the digits of cards are grouped: as printed, and by fours.
const GROUPS: [&[usize]; 6] =
    [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[4, 4, 4, 3], &[4, 4, 4, 2]];

/// The separators between groups. A card uses the same one throughout.
const SEPARATORS: [&str; 8] =
    [" ", "-", "\u{a0}", "\u{202f}", "\u{2007}", "\u{2009}", "%20", "%C2%A0"];

/// Words before a number that mark it as a card's, needed for lengths that many other numbers have.
const CARD_WORDS: [&str; 5] = ["card", "visa", "unionpay", "maestro", "pan"];

/// How many bytes before a number are searched for such a word.
const WORD_DISTANCE: usize = 24;

/// The end of the card number that begins at `at`; `None` if none does. There must be a digit at `at` and none before
/// it. `last` is the end of the previous secret.
pub fn card_at(reader: &Reader<'_>, at: usize, last: usize) -> Option<usize> {
    let end = match reader.digits(at, 20) {
        4 => grouped_end(reader, at, last)?,
        length @ 13..=19 => {
            let digits = reader.slice(at, at + length);
            let is_long_enough = matches!(length, 14..=16) || has_card_word(reader, at);
            (is_long_enough && is_card(digits)).then_some(at + length)?
        }
        _ => return None,
    };
    (has_start_boundary(reader, at, end) && has_end_boundary(reader, at, end)).then_some(end)
}

/// Whether the number between `at` and `end` is not the rest of a longer number or name.
fn has_start_boundary(reader: &Reader<'_>, at: usize, end: usize) -> bool {
    match reader.before(at) {
        b'.' | b'+' => false,
        // Two are a dash between words, or the end of a PEM block.
        b'-' => reader.before(at - 1) == b'-',
        // A decimal comma.
        b',' => !(reader.before(at - 1) == b'0' && reader.begins_at(at - 2)),
        // As in `_emphasis_`.
        b'_' => reader.begins_at(at - 1) && reader.get(end) == Some(b'_'),
        _ => true,
    }
}

fn has_end_boundary(reader: &Reader<'_>, at: usize, end: usize) -> bool {
    match reader.get(end) {
        // A number or name goes on after it, unless it is a dash between words or ends one.
        Some(b'-' | b'+') => reader.is(end + 1, |it| matches!(it, b'-' | b' ' | b'"')),
        Some(b'.') => !reader.is(end + 1, |it| it.is_ascii_digit()),
        Some(b'_') => reader.before(at) == b'_' && !reader.is(end + 1, is_alnum),
        Some(next) => !is_alnum(next),
        None => true,
    }
}

/// The end of the groups of digits from `at` on, if they form a card number.
fn grouped_end(reader: &Reader<'_>, at: usize, last: usize) -> Option<usize> {
    let separator = SEPARATORS.into_iter().find(|it| reader.has(at + 4, it))?;
    let end = GROUPS.into_iter().find_map(|groups| match_groups(reader, at, groups, separator))?;
    // With more groups of four next to it, this is a list of numbers, or an IBAN.
    let goes_on = reader.has(end, separator) && {
        let next = end + separator.len();
        let after = next + 4;
        reader.digits(next, 5) == 4
            && !reader.is(after, |it| is_alnum(it) || matches!(it, b'-' | b'/' | b':' | b'.'))
            && match_groups(reader, next, GROUPS[1], separator).is_none()
    };
    (!goes_on && !continues_list(reader, at, separator, last)).then_some(end)
}

/// Whether `at` follows a group of four and `separator` that do not end another card.
fn continues_list(reader: &Reader<'_>, at: usize, separator: &str, last: usize) -> bool {
    let Some(end) = at.checked_sub(separator.len()).filter(|end| reader.has(*end, separator))
    else {
        return false;
    };
    if last == end && last > 0 {
        return false;
    }
    let Some(start) = end.checked_sub(4) else { return false };
    let is_group = reader.digits(start, 4) == 4;
    let is_iban = reader.is(start, |it| it.is_ascii_uppercase())
        && reader.is(start + 1, |it| it.is_ascii_uppercase())
        && reader.digits(start + 2, 2) == 2;
    (is_group || is_iban) && reader.begins_at(start)
}

/// The end of the digits from `at` on, if they have these groups and form a card number.
fn match_groups(
    reader: &Reader<'_>,
    at: usize,
    groups: &[usize],
    separator: &str,
) -> Option<usize> {
    let mut digits = [0; 19];
    let mut count = 0;
    let mut end = at;
    for (place, &length) in groups.iter().enumerate() {
        if place > 0 {
            if !reader.has(end, separator) {
                return None;
            }
            end += separator.len();
        }
        if reader.digits(end, length + 1) != length {
            return None;
        }
        digits[count..count + length].copy_from_slice(reader.slice(end, end + length));
        count += length;
        end += length;
    }
    is_card(&digits[..count]).then_some(end)
}

fn has_card_word(reader: &Reader<'_>, at: usize) -> bool {
    let from = at.saturating_sub(WORD_DISTANCE);
    (from..at).any(|place| CARD_WORDS.into_iter().any(|word| reader.has_word(place, word)))
}

/// Whether these ASCII digits are in a range that is issued and have a correct check digit.
pub fn is_card(digits: &[u8]) -> bool {
    let leading =
        digits.iter().take(4).fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    // Visa, Discover, JCB, UnionPay, and Maestro.
    let of_any_length = matches!(
        leading,
        4000..=4999 | 6011 | 6440..=6599 | 3528..=3589 | 6200..=6299 | 8100..=8199
            | 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763
    );
    let is_issued = match digits.len() {
        13 => matches!(leading, 4000..=4999),
        // Diners Club.
        14 => matches!(leading, 3000..=3059 | 3095 | 3600..=3699 | 3800..=3999),
        // American Express.
        15 => matches!(leading, 3400..=3499 | 3700..=3799),
        // Mastercard, Mir, RuPay, Troy.
        16 => {
            of_any_length
                || matches!(leading, 5100..=5599 | 2221..=2720 | 2200..=2204)
                || matches!(leading, 6000..=6099 | 8200..=8299 | 5080..=5089 | 9792)
        }
        17..=19 => of_any_length,
        _ => false,
    };
    is_issued && has_check_digit(digits)
}

fn has_check_digit(digits: &[u8]) -> bool {
    let mut sum = 0_u32;
    for (place, digit) in digits.iter().rev().enumerate() {
        let digit = u32::from(digit - b'0');
        sum += match place % 2 {
            1 if digit > 4 => digit * 2 - 9,
            1 => digit * 2,
            _ => digit,
        };
    }
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(text: &str) -> Option<&str> {
        let at = text.find(|c: char| c.is_ascii_digit())?;
        card_at(&Reader::new(text), at, 0).map(|end| &text[at..end])
    }

    #[test]
    fn cards_are_found_in_the_ways_they_are_printed() {
        for number in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "4111\u{a0}1111\u{a0}1111\u{a0}1111",
            "4111\u{202f}1111\u{202f}1111\u{202f}1111",
            "4111%201111%201111%201111",
            "378282246310005",
            "3782 822463 10005",
            "30569309025904",
            "3056 930902 5904",
            "3530111333300000",
            "6200000000000005",
            "6205 5000 0000 0000 004",
            "6759649826438453",
            "2223003122003222",
        ] {
            for (before, after) in [
                ("", ""),
                ("(", ")"),
                ("=", "&"),
                ("x ", "."),
                ("_", "_"),
                ("", " 12/27"),
                ("card:", ", 123"),
                ("**", "**"),
                ("\"", "\\n"),
                ("", " 2024-05-01"),
                ("card--", "--expired"),
                ("-----END PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----"),
                ("card ", "- expired"),
                ("\"", "-\""),
            ] {
                assert_eq!(
                    card(&[before, number, after].concat()),
                    Some(number),
                    "{before}{number}{after}"
                );
            }
        }
        assert_eq!(card("UnionPay card 6205500000000000004"), Some("6205500000000000004"));
    }

    #[test]
    fn other_numbers_are_no_cards() {
        for text in [
            "4111111111111112",
            "41111111111111111",
            "4111111111111111x",
            "4111111111111111_",
            "_4111111111111111",
            ".4111111111111111",
            "0,4111111111111111",
            "-4111111111111111",
            "+4111111111111111",
            "4111111111111111.5",
            "4111111111111111-1",
            "4111111111111111-a",
            "4111111111111111+1",
            "6205500000000000004",
            "4012888888881",
            "4111  1111 1111 1111",
            "4111 1111-1111 1111",
            "41 11 11 11 11 11 11 11",
            "411 1111 1111 1111 1",
            "1234 4111 1111 1111 1111",
            "4111 1111 1111 1111 1234",
        ] {
            assert_eq!(card(text), None, "{text}");
        }
        assert_eq!(card_at(&Reader::new("AT61 4111 1111 1111 1111"), 5, 0), None);
        assert_eq!(card_at(&Reader::new("1234 4111 1111 1111 1111"), 5, 0), None);
    }
}
