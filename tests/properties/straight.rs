//! Masking is straight in time: however hostile a text is, each of its bytes is read a bounded number of times.

use honeyhive_edge::core::redact::{Redaction, reads};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use crate::cases;

/// Reads for each byte of a text, at most. What plain text takes is about three.
const MOST_READS: u64 = 60;

/// Pieces that rules begin with, that go on for long, or that end what was begun.
pub const PIECES: [&str; 64] = [
    "eyJ-",
    "eyJhbGciOi",
    ".",
    "..",
    "bearer-",
    "Bearer/",
    "Bearer ",
    "Bearer\n",
    "basic ",
    "Basic dXNlcjpwYXNz",
    "sk-",
    "sk-a-",
    "sk-proj-",
    "hh_",
    "hh_a_",
    "ghp_",
    "github_pat_",
    "glpat-",
    "AKIA",
    "xoxb-",
    "pypi-AgE",
    "SG.",
    "Cookie: ",
    "Cookie: a=",
    "a=b; ",
    "Set-Cookie:",
    "Authorization: ",
    "authorization=",
    "password=",
    "password: ",
    "'password':'",
    "\"password\":\"",
    "\\\"password\\\":\\\"",
    "'",
    "\"",
    "\\",
    "\\n",
    "\\u0041",
    "-----BEGIN PRIVATE KEY-----",
    "-----END ",
    "-----",
    "-",
    "_",
    "a://",
    "a://b:c",
    "://",
    "@",
    "%3A%2F%2F",
    "%25",
    "%",
    "4111",
    "4111 ",
    "4111 1111 1111 1111 ",
    "4111111111111111",
    "1,",
    "0.",
    "Q~",
    "a1bQ~",
    "[1;",
    "\u{1b}[1m",
    "{",
    "[",
    "token=",
    "é",
];

/// Bytes read for each byte of the JSON of `text`.
fn reads_for(text: &str) -> (u64, u64) {
    let json = json!({ "metadata": { "a": text, text: 1 } }).to_string();
    let bytes = json.len() as u64;
    let before = reads();
    Redaction::default().apply(json);
    (reads() - before, bytes)
}

fn assert_straight(text: &str) {
    let (reads, bytes) = reads_for(text);
    let begins: String = text.chars().take(60).collect();
    assert!(reads <= MOST_READS * bytes, "{reads} reads of {bytes} bytes, which begin {begins:?}");
}

#[test]
fn every_repetition_is_read_a_bounded_number_of_times() {
    for piece in PIECES {
        for length in [1_000, 20_000] {
            assert_straight(&piece.repeat(length / piece.len()));
            // Nothing of it is the secret that it would be with another end.
            assert_straight(&format!("{}!", piece.repeat(length / piece.len())));
        }
    }
    for one in PIECES {
        for other in PIECES {
            let pair = [one, other].concat();
            assert_straight(&pair.repeat(4_000 / pair.len()));
        }
    }
}

#[test]
fn what_begins_again_and_again_before_a_long_run_is_read_a_bounded_number_of_times() {
    let runs = [
        "a".repeat(10_000),
        "1".repeat(10_000),
        "a1B-".repeat(2_500),
        "\\".repeat(10_000),
        " ".repeat(10_000),
    ];
    for piece in PIECES {
        for run in &runs {
            assert_straight(&[piece.repeat(500).as_str(), run].concat());
            assert_straight(&[run, piece.repeat(500).as_str(), run].concat());
        }
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn any_text_is_read_a_bounded_number_of_times(
        pieces in vec(prop_oneof![
            4 => prop::sample::select(PIECES.to_vec()).prop_map(str::to_owned),
            1 => "[ -~]{0,12}",
            1 => "\\PC{0,6}",
        ], 1..8),
        times in 1..400_usize,
    ) {
        let text = pieces.concat();
        let (reads, bytes) = reads_for(&text.repeat(times));
        prop_assert!(reads <= MOST_READS * bytes + 10_000, "{} reads of {} bytes", reads, bytes);
    }

    #[test]
    fn text_that_is_no_json_is_read_a_bounded_number_of_times(
        pieces in vec(prop::sample::select(PIECES.to_vec()), 1..8),
        times in 1..400_usize,
    ) {
        let text = pieces.concat().repeat(times);
        let bytes = text.len() as u64;
        let before = reads();
        Redaction::default().apply(text);
        prop_assert!(reads() - before <= MOST_READS * bytes + 10_000);
    }
}
