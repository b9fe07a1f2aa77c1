//! Masking of hostile texts: each of these repetitions at 32 KB and at 256 KB. `cargo bench --bench hostile` fails
//! where 256 KB take 60 ms or more, or ten times as long as 32 KB: as a program, so that no test judges a clock.

use std::time::{Duration, Instant};

use honeyhive_edge::core::redact::Redaction;

/// What is repeated: beginnings of secrets that come to nothing, or only at the end of a long run.
const PIECES: [&str; 32] = [
    "eyJ-",
    "eyJhbGciOi",
    "eyJhbGciOi.eyJ.",
    "bearer-",
    "Bearer/",
    "Bearer ",
    "Basic ",
    "sk-",
    "sk-a-",
    "hh_",
    "hh_a_",
    "ghp_",
    "github_pat_",
    "AKIA",
    "xoxb-",
    "SG.",
    "Cookie: a=",
    "authorization=",
    "password=",
    "'password':'",
    "\\\"password\\\":\\\"",
    "-----BEGIN PRIVATE KEY-----",
    "-----",
    "a://b:",
    "%3A%2F%2F",
    "%25",
    "4111 ",
    "4111 1111 1111 1111 ",
    "1,",
    "a1bQ~",
    "\\\\",
    "{",
];

/// So long one text may take that has 256 KB.
const LONGEST: Duration = Duration::from_millis(60);

fn main() {
    let redaction = Redaction::default();
    let mut faults = 0;
    for piece in PIECES {
        let time = |bytes: usize| {
            let json = format!("{{\"a\":\"{}\"}}", piece.repeat(bytes / piece.len()));
            // The best of a hundred: the machine may be busy with other things.
            let run = |_| {
                let json = json.clone();
                let from = Instant::now();
                std::hint::black_box(redaction.apply(json));
                from.elapsed()
            };
            (0..100).map(run).min().unwrap_or_default()
        };
        let (short, long) = (time(32 << 10), time(256 << 10));
        let is_fault = long >= LONGEST || long >= short.max(Duration::from_micros(100)) * 10;
        faults += u32::from(is_fault);
        let verdict = if is_fault { "too long" } else { "" };
        println!("{piece:40} {short:>12.1?} {long:>12.1?} {verdict}");
    }
    assert!(faults == 0, "{faults} of {} take too long", PIECES.len());
}
