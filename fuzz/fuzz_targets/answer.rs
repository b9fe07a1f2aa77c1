//! Any answers to a session's requests, one after the other, from a server that works in the end:
//! each enrichment ends once, nothing is held for longer, and no key is told.

#![no_main]

#[path = "../../tests/harness/mod.rs"]
mod harness;

use harness::{Bench, SERVER, status};
use honeyhive_edge::core::outcome::Outcome;
use honeyhive_edge::core::retry::RetryAfter;
use honeyhive_edge::core::wire;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

#[derive(Arbitrary, Clone, Debug)]
enum Answer {
    None {
        why: String,
    },
    Http {
        status: u16,
        retry_after: Option<(String, f64)>,
        body: String,
    },
    /// As the server says it that these rules are for.
    Started {
        session_id: String,
        inputs: String,
    },
}

impl Answer {
    fn given(self) -> wire::Answer {
        match self {
            Answer::None { why } => wire::Answer::None { why },
            Answer::Http { status, retry_after, body } => wire::Answer::Http {
                status,
                retry_after: retry_after
                    .and_then(|(header, date)| RetryAfter::parse(&header, |_| Some(date))),
                body,
            },
            Answer::Started { session_id, inputs } => {
                let body = json!({"session_id": session_id, "inputs": {"q": inputs}});
                status(200, &body.to_string())
            }
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Life {
    session_id: Option<String>,
    answers: Vec<Answer>,
    /// Milliseconds between enrichments.
    pauses: Vec<u16>,
}

fuzz_target!(|life: Life| {
    let mut answers = life.answers.into_iter();
    let mut bench =
        Bench::new(move |_| answers.next().map_or_else(|| status(200, "{}"), Answer::given));
    let mut options = json!({"logLevel": "debug", "start": r#"{"inputs":{"q":"hi"}}"#});
    if let Some(id) = life.session_id {
        options["sessionId"] = json!(id);
    }
    let tracer = bench.init(options).tracer;
    let mut given = Vec::new();
    for pause in life.pauses.into_iter().take(20) {
        let fields = json!({"metadata": {"n": pause}, "inputs": {"late": pause}});
        given.push(bench.enrich(tracer, None, fields));
        bench.run(pause.into());
    }
    bench.registry.release(tracer, bench.now);
    bench.run(3_600_000);

    let mut ended: Vec<u64> = bench.settled.iter().map(|(id, _)| *id).collect();
    ended.sort_unstable();
    assert_eq!(ended, given);
    assert_eq!((bench.registry.held(), bench.registry.outboxes()), (0, 0));
    for request in &bench.requests {
        let path = request.url.strip_prefix(SERVER).unwrap();
        assert!(path.bytes().all(|byte| byte.is_ascii_graphic()) && !path.contains(['?', '#']));
    }
    for (_, outcome) in &bench.settled {
        if let Outcome::Dropped { message, .. } = outcome {
            assert!(!message.contains("sekret"), "{message}");
        }
    }
    assert!(bench.lines.iter().all(|line| !line.contains("sekret")), "{:?}", bench.lines);
    for json in &bench.drops {
        assert!(serde_json::from_str::<&serde_json::value::RawValue>(json).is_ok(), "{json}");
    }
});
