//! The core's work on one enrichment, step by step: what both kinds of micro-benchmark measure.

use honeyhive_edge::core::enrichment::{Enrichment, InputsPlace, Merged};
use honeyhive_edge::core::json::Numerals;
use honeyhive_edge::core::outcome::Output;
use honeyhive_edge::core::redact::Redaction;
use honeyhive_edge::core::registry::Registry;
use honeyhive_edge::core::time::Now;
use honeyhive_edge::core::wire::Answer;

/// The sizes of the comparison with peers, by the names they have there.
pub const SIZES: [&str; 4] = ["100B", "1KB", "16KB", "100KB"];

/// The steps, in the order they are taken; `whole` is all of them, through the registry.
pub const STEPS: [&str; 4] = ["redact", "parse", "merge", "whole"];

/// A snapshot of the arguments of `enrichSession`, as the face hands it over.
pub fn snapshot(size: &str) -> String {
    let metadata = match size {
        "100B" => r#"{"plan":"pro","user":{"id":"user_123","tags":["beta","eu"]},"seen":true,"cost":0.0042}"#.to_owned(),
        "1KB" => {
            let hit = r#"{"id":"doc_7","score":0.91,"title":"A page of the manual"}"#;
            let step = r#"{"name":"step 3","ms":17.5,"ok":true,"retries":{"count":1,"reason":null}}"#;
            let hits = [hit; 8].join(",");
            let steps = [step; 6].join(",");
            format!(r#"{{"user":{{"id":"user_123","plan":"pro"}},"hits":[{hits}],"steps":[{steps}]}}"#)
        }
        "16KB" => format!(r#"{{"answer":"{}"}}"#, prose(16_000)),
        _ => {
            let message = format!(r#"{{"role":"user","content":"{}","tokens":180}}"#, prose(900));
            format!(r#"{{"messages":[{}]}}"#, vec![message; 100].join(","))
        }
    };
    format!(r#"{{"metadata":{metadata},"metrics":{{"cost":0.0042,"tokens":812}}}}"#)
}

/// Sentences with escapes in them, as the JSON of a model's answer has.
fn prose(bytes: usize) -> String {
    let sentence =
        r#"The model asked whether the hotel near the river is still \"free\", and said so.\n"#;
    sentence.repeat(bytes / sentence.len())
}

/// What a step needs, made beforehand, and what is measured of it.
pub struct Case(Box<dyn FnMut() -> usize>);

impl Case {
    /// The case of a step and a size; panics if there is none of that name.
    pub fn of(step: &str, size: &str) -> Case {
        let json = snapshot(size);
        match step {
            "redact" => {
                let redaction = Redaction::new(None, true);
                Case(Box::new(move || redaction.apply(json.clone()).len()))
            }
            "parse" => Case(Box::new(move || Enrichment::parse(json.clone()).unwrap().0.bytes())),
            "merge" => {
                let said: Vec<_> =
                    (0..10).map(|_| Enrichment::parse(json.clone()).unwrap().0).collect();
                Case(Box::new(move || {
                    let merged = Merged::of(&said, InputsPlace::Metadata);
                    usize::from(honeyhive_edge::core::wire::needs_update(&merged, None))
                }))
            }
            "whole" => {
                let now = Now { mono_ms: 1_000, unix_ms: 1_700_000_000_000 };
                let mut registry = Registry::new(1, Numerals::STD);
                let options = r#"{"apiKey":"key","serverUrl":"https://hive.example","mergeWindowMs":0,"redact":true,"redactPatterns":true,"newSessionId":"0a0a0a0a-0000-4000-8000-000000000000"}"#;
                let tracer = registry.init(options, 0, now).unwrap().tracer;
                Case(Box::new(move || sent(&mut registry, tracer, json.clone(), now)))
            }
            _ => panic!("no step is called {step}"),
        }
    }

    /// Does it once; the number keeps the compiler from leaving it out.
    pub fn run(&mut self) -> usize {
        self.0()
    }
}

/// Enriches a session, makes the request and takes the answer; says how long the body was.
fn sent(registry: &mut Registry, tracer: u64, json: String, now: Now) -> usize {
    registry.enrich(tracer, None, json, 0, true, now);
    let mut bytes = 0;
    while let Some(output) = registry.poll(0, now) {
        if let Output::Send { flight, request, .. } = output {
            bytes += request.body.len();
            let answer = Answer::Http { status: 200, retry_after: None, body: "{}".into() };
            registry.finish_request(flight, &answer, now);
        }
    }
    assert!(bytes > 0, "nothing was sent");
    bytes
}
