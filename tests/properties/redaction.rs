//! No secret that is listed is left in what is sent, told or logged, wherever it stands and however
//! it is spelled; and nothing else is touched.

use honeyhive_edge::core::redact::Redaction;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::string::string_regex;
use serde_json::json;
use serde_json::value::RawValue;

use crate::cases;
use crate::harness::{Bench, status, stores};
use crate::json::{self, in_string, members, read};
use crate::straight::PIECES;

/// In every text under a secret key and in every secret inside a string, and nowhere else.
const MARK: &str = "90210777";

/// Cards that no bank has issued to anybody, as their issuers publish them for tests.
const CARDS: [&str; 5] = [
    "4111111111111111",
    "5555555555554444",
    "378282246310005",
    "6011111111111117",
    "30569309025904",
];

/// Some of the names whose texts are masked by default.
const LISTED: [&str; 6] =
    ["password", "apikey", "accesstoken", "authorization", "setcookie", "clientsecret"];

/// Keys that an application lists itself.
const OWN: [&str; 3] = ["salary", "patientname", "größe"];

/// A key that is listed, in any of the spellings that are taken for the same.
fn secret_key(listed: &'static [&'static str]) -> impl Strategy<Value = String> {
    let choice = (any::<bool>(), 0..8_u8, any::<bool>());
    (prop::sample::select(listed), vec(choice, 16)).prop_map(|(key, choices)| {
        let spelled = key.chars().zip(choices).flat_map(|(c, (upper, gap, escaped))| {
            let c = if upper { c.to_ascii_uppercase() } else { c };
            let gap = ["_", "-", ".", " "].get(usize::from(gap)).unwrap_or(&"");
            [in_string(c, escaped), (*gap).to_owned()]
        });
        format!("\"{}\"", spelled.collect::<String>())
    })
}

/// A string with a secret beyond doubt in it, spelled in any way.
fn secret_text() -> impl Strategy<Value = String> {
    let part = "[A-Za-z0-9_-]";
    let token = format!("[a-z][A-Za-z0-9]{{8,20}}{MARK}{part}{{0,20}}[a-z]");
    let matching = |regex: String| string_regex(&regex).unwrap();
    let secret = prop_oneof![
        matching(format!("[Bb](earer|EARER) {{1,3}}{token}")),
        matching(format!("(sk-|sk-proj-|hh_|hh_ingst_){token}")),
        matching(format!("eyJ{part}{{5,30}}\\.{part}{{4,30}}\\.{token}")),
        (prop::sample::select(CARDS.to_vec()), prop::sample::select(vec!["", " ", "-"]))
            .prop_map(|(card, gap)| grouped(card, gap)),
    ];
    // What comes before ends a word, and what comes after belongs to no secret.
    let before =
        prop::sample::select(vec!["", "key: ", "(", "=", "\n", "é", "\u{1f41d}", "\"", "\\"]);
    let after = vec!["", " and more", ")", "\n", "\"", "é", "!", " 12/27", ", 7"];
    let piece = (before, secret, prop::sample::select(after));
    (vec(piece, 1..3), any::<u64>()).prop_map(|(pieces, escapes)| {
        let pieces = pieces.into_iter();
        let pieces = pieces.map(|(before, secret, after)| [before, &secret, after].concat());
        let text = pieces.collect::<Vec<_>>().join(" ");
        let spelled = text.chars().enumerate();
        let spelled = spelled.map(|(place, c)| in_string(c, escapes >> (place % 61) & 7 == 7));
        format!("\"{}\"", spelled.collect::<String>())
    })
}

/// A card's number in groups of four.
fn grouped(card: &str, gap: &str) -> String {
    let groups: Vec<&str> =
        (0..card.len()).step_by(4).map(|at| &card[at..card.len().min(at + 4)]).collect();
    groups.join(gap)
}

/// JSON with secrets in it at any depth, among what is harmless.
fn with_secrets(listed: &'static [&'static str]) -> impl Strategy<Value = String> {
    let hidden = prop::sample::select(vec![
        format!("\"{MARK}\""),
        format!(r#""\"{MARK}\\""#),
        format!(r#"[ "}}" ,"\"{MARK}\\","{MARK}", null ]"#),
    ]);
    prop_oneof![json::value(), secret_text()].prop_recursive(4, 24, 4, move |inner| {
        let member = prop_oneof![
            2 => (json::key(), inner.clone()),
            1 => (secret_key(listed), hidden.clone()),
        ];
        prop_oneof![
            vec(inner, 0..4).prop_map(|items| format!("[ {}]", items.join(" ,"))),
            json::object(vec(member, 0..5)),
        ]
    })
}

/// Whether digits in `json` have the length and the check digit of a card's number, as every tenth number of that length
/// does: such a number may be masked.
fn may_have_card(json: &str) -> bool {
    let mut numbers = json.split(|c: char| !c.is_ascii_digit());
    numbers.any(|digits| {
        let sum = digits.bytes().rev().enumerate().map(|(place, digit)| {
            let digit = u32::from(digit - b'0') * if place % 2 == 1 { 2 } else { 1 };
            digit / 10 + digit % 10
        });
        (13..=19).contains(&digits.len()) && sum.sum::<u32>() % 10 == 0
    })
}

/// All strings in a JSON value, keys too.
fn texts(json: &str, found: &mut Vec<String>) {
    match json.as_bytes()[0] {
        b'"' => found.push(serde_json::from_str(json).unwrap()),
        b'[' => {
            let items: Vec<Box<RawValue>> = serde_json::from_str(json).unwrap();
            items.iter().for_each(|item| texts(item.get(), found));
        }
        b'{' => members(json).into_iter().for_each(|(key, value)| {
            found.push(key);
            texts(&value, found);
        }),
        _ => found.push(json.to_owned()),
    }
}

fn assert_clean(json: &str) -> Result<(), TestCaseError> {
    let mut found = Vec::new();
    texts(json, &mut found);
    for text in found {
        let digits = text.replace([' ', '-'], "");
        prop_assert!(!text.contains(MARK), "{text:?} is left in {json}");
        prop_assert!(!CARDS.iter().any(|card| digits.contains(card)), "{text:?} is left in {json}");
    }
    Ok(())
}

/// Says `secret` in every field there is, to a server that first refuses and then stores.
fn assert_kept(secret: &str, redact: serde_json::Value) -> Result<(), TestCaseError> {
    let mut refuses = true;
    let mut bench =
        Bench::new(move |_| status(if std::mem::take(&mut refuses) { 422 } else { 200 }, "{}"));
    let mut options = redact;
    options["start"] =
        json!(format!(r#"{{"inputs":{{"a":{secret}}},"metadata":{{"b":{secret}}}}}"#));
    options["logLevel"] = json!("debug");
    let tracer = bench.init(options).tracer;
    let fields = format!(
        r#"{{"metadata":{{"a":{secret}}},"inputs":{{"a":{secret}}},"outputs":{{"a":{secret}}},"config":{{"a":{secret}}},"feedback":{{"a":{secret}}},"metrics":{{"a":{secret}}},"userProperties":{{"a":{secret}}},"error":{secret},"stray":{secret}}}"#
    );
    for _ in 0..2 {
        bench.registry.enrich(tracer, None, fields.clone(), 0, true, bench.now);
        bench.run(1_000);
    }
    prop_assert_eq!(bench.settled.len(), 2);
    prop_assert!(bench.requests.len() > 1 && bench.requests.len() < 8);
    for request in &bench.requests {
        assert_clean(&request.body)?;
    }
    for dropped in &bench.drops {
        assert_clean(dropped)?;
    }
    prop_assert!(!bench.lines.concat().contains(MARK));
    Ok(())
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn no_default_secret_is_left(secret in with_secrets(&LISTED)) {
        assert_kept(&secret, json!({"redact": true, "redactPatterns": true}))?;
    }

    #[test]
    fn no_secret_of_the_applications_own_is_left(
        (key, value) in (secret_key(&OWN), json::value()),
        depth in 0..5_usize,
    ) {
        let hidden = format!(r#"{{{key}:[{MARK},{{"a":"{MARK}"}},{value}]}}"#);
        let secret = (0..depth).fold(hidden, |inner, _| format!(r#"[{{"a":{inner}}}]"#));
        assert_kept(&secret, json!({"redact": true, "redactKeys": OWN}))?;
    }

    #[test]
    fn a_string_that_was_json_is_json_after(
        inner in with_secrets(&LISTED),
        pieces in vec(prop::sample::select(PIECES.to_vec()), 0..6),
        levels in 1..4_usize,
    ) {
        let text = json!({ "text": pieces.concat(), pieces.concat(): 1 }).to_string();
        let innermost = format!("[{inner},{text}]");
        let json = (0..levels).fold(innermost, |json, _| json!({ "q": json }).to_string());
        let mut told = Redaction::default().apply(json);
        for _ in 0..levels {
            let read: Result<serde_json::Value, _> = serde_json::from_str(&told);
            prop_assert!(read.is_ok(), "{}", told);
            told = read.unwrap()["q"].as_str().unwrap().to_owned();
        }
        prop_assert!(serde_json::from_str::<Box<RawValue>>(&told).is_ok(), "{}", told);
        prop_assert!(!told.contains(MARK), "{}", told);
    }

    #[test]
    fn nothing_else_is_touched(
        given in json::object(vec((json::key(), json::value()), 1..5))
            .prop_filter("a number like a card's", |given| !may_have_card(given)),
    ) {
        let mut bench = Bench::new(stores);
        let tracer = bench.init(json!({"redact": true, "redactPatterns": true})).tracer;
        bench.run(100);
        bench.registry.enrich(tracer, None, format!(r#"{{"config":{given}}}"#), 0, true, bench.now);
        bench.run(1_000);
        let sent = read(&bench.requests.last().unwrap().body);
        prop_assert_eq!(read(&sent["config"]), read(&given));
    }
}
