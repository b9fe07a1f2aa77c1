//! What the core promises, one by one, with a network made of plain facts.

#![cfg(not(target_arch = "wasm32"))]

mod harness;

use harness::{Bench, SERVER, status, stores};
use honeyhive_edge::core::outcome::{Outcome, Output, Reason};
use honeyhive_edge::core::registry::Turn;
use honeyhive_edge::core::retry::RetryAfter;
use honeyhive_edge::core::session::Target;
use honeyhive_edge::core::time::Now;
use honeyhive_edge::core::wire::{Answer, Request};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A session that no tracer here has.
const OTHER: &str = "0c0c0c0c-0000-4000-8000-000000000000";

#[test]
fn a_thousand_updates_in_one_burst_are_at_most_two_requests() {
    let mut bench = Bench::new(stores);
    let tracer = bench.init(json!({})).tracer;
    let ids: Vec<u64> = (0..1_000)
        .map(|n| bench.enrich(tracer, None, json!({"metadata": {"n": n}, "metrics": {"m": n}})))
        .collect();
    bench.run(1_000);
    assert!(ids.iter().all(|id| bench.is_delivered(*id)));
    assert_eq!(bench.requests.len(), 2);
    assert_eq!(bench.body(1)["metrics"]["m"], 999);
}

#[test]
fn a_thousand_updates_a_millisecond_apart_are_at_most_ten_requests() {
    let mut bench = Bench::new(stores);
    let tracer = bench.init(json!({})).tracer;
    for n in 0..1_000 {
        bench.enrich(tracer, None, json!({"metadata": {"n": n}}));
        bench.run(1);
    }
    bench.run(1_000);
    assert_eq!(bench.settled.len(), 1_000);
    assert!(bench.requests.len() <= 10, "{}", bench.requests.len());
}

#[test]
fn a_thousand_increments_come_to_the_exact_sum() {
    let mut bench = Bench::new(stores);
    let tracer = bench.init(json!({})).tracer;
    for _ in 0..1_000 {
        bench.registry.add_metrics(tracer, r#"{"cost":0.1,"tokens":3}"#, 0, bench.now);
        bench.run(1);
    }
    bench.run(1_000);
    let last = bench.body(bench.requests.len() - 1);
    assert_eq!(last["metrics"], json!({"cost": 100, "tokens": 3000}));
}

#[test]
fn increments_add_to_what_was_set_and_not_what_was_refused() {
    let mut bench = Bench::new(stores);
    let tracer = bench.init(json!({"maxQueueBytes": 1_000})).tracer;
    bench.enrich(tracer, None, json!({"metrics": {"tokens": 5}}));
    let big = json!({"metadata": {"a": "x".repeat(600)}});
    bench.enrich(tracer, None, big);
    let refused = bench.registry.add_metrics(tracer, r#"{"tokens":100}"#, 0, bench.now);
    bench.run(1_000);
    assert_eq!(bench.reason_of(refused), Some(Reason::QueueFull));
    bench.registry.add_metrics(tracer, r#"{"tokens":2}"#, 0, bench.now);
    bench.run(1_000);
    let last = bench.body(bench.requests.len() - 1);
    assert_eq!(last["metrics"], json!({"tokens": 7}));
}

#[test]
fn inputs_before_the_start_go_into_it_and_later_ones_into_metadata() {
    let mut bench = Bench::new(stores);
    let tracer = bench.init(json!({"start": r#"{"inputs":{"q":"hi"}}"#})).tracer;
    bench.enrich(tracer, None, json!({"inputs": {"lang": "en"}}));
    bench.run(500);
    bench.enrich(tracer, None, json!({"inputs": {"late": true}}));
    bench.run(500);
    assert_eq!(bench.body(0)["inputs"], json!({"q": "hi", "lang": "en"}));
    assert_eq!(bench.body(1), json!({"metadata": {"inputs": {"late": true}}}));
}

#[test]
fn a_session_whose_first_fields_are_of_no_use_is_started_and_tried_again_all_the_same() {
    let mut requests = 0;
    let mut bench = Bench::new(move |request| {
        requests += 1;
        if requests == 1 { status(503, "") } else { stores(request) }
    });
    let info = bench.init(json!({"start": "[]"}));
    bench.run(10_000);
    assert!(bench.lines.iter().any(|line| line.contains("starts without its first fields")));
    assert_eq!(bench.requests.len(), 2, "it failed once");
    assert_eq!(bench.body(1)["session_id"], info.session_id.to_string());
}

#[test]
fn a_server_without_v1_is_spoken_to_by_its_legacy_routes_from_then_on() {
    let mut bench =
        Bench::new(|request| status(if request.url.contains("/v1/") { 404 } else { 200 }, "{}"));
    let tracer = bench.init(json!({"project": "p"})).tracer;
    let first = bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
    bench.run(500);
    let touch = bench.enrich(tracer, Some(OTHER), json!({}));
    bench.run(500);
    assert!(bench.is_delivered(first) && bench.is_delivered(touch));
    let urls: Vec<&str> =
        bench.requests.iter().map(|request| &request.url[SERVER.len()..]).collect();
    assert_eq!(urls, ["/v1/sessions", "/session/start", "/session/start"]);
    assert_eq!(bench.body(1)["session"]["project"], "p");
    let mut touch = bench.body(2);
    let began = touch["session"]["start_time"].take();
    assert_eq!(began, bench.now.unix_ms - 500);
    touch["session"].as_object_mut().unwrap().remove("start_time");
    // Should it make the session, that is called as the tracer calls its own.
    let made =
        json!({"session_id": OTHER, "project": "p", "session_name": "session", "source": "dev"});
    assert_eq!(touch["session"], made, "an update would make no session there");
}

#[test]
fn a_server_that_is_no_honeyhive_is_named_once_with_what_to_set() {
    for answer in [(|_| status(404, "nope")) as fn(&Request) -> Answer, |_| status(200, "<html>")] {
        let mut bench = Bench::new(answer);
        let tracer = bench.init(json!({})).tracer;
        let ids: Vec<u64> = (0..3)
            .map(|n| {
                let id = bench.enrich(tracer, None, json!({"metadata": {"n": n}}));
                bench.run(500);
                id
            })
            .collect();
        assert!(ids.iter().all(|id| bench.reason_of(*id) == Some(Reason::Rejected)));
        let about = |line: &&String| line.contains(SERVER) && line.contains("HH_API_URL");
        let dropped = |line: &&String| line.starts_with("an enrichment was dropped");
        assert_eq!(
            bench.lines.iter().filter(about).filter(dropped).count(),
            1,
            "{:?}",
            bench.lines
        );
        assert_eq!(bench.drops.len(), 3);
    }
}

#[test]
fn a_refused_key_is_one_request_and_one_clear_line() {
    let mut bench = Bench::new(|_| status(401, r#"{"message":"sekret is no key"}"#));
    let tracer = bench.init(json!({})).tracer;
    let id = bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
    bench.run(60_000);
    assert_eq!(bench.reason_of(id), Some(Reason::Rejected));
    assert_eq!(bench.requests.len(), 1);
    assert!(bench.lines.iter().any(|line| line.contains("HH_API_KEY")), "{:?}", bench.lines);
}

#[test]
fn a_refused_key_is_said_once_however_often_it_is_refused() {
    let mut bench = Bench::new(|_| status(401, ""));
    for _ in 0..3 {
        let tracer = bench.init(json!({})).tracer;
        bench.run(100);
        for n in 0..3 {
            bench.enrich(tracer, None, json!({"metadata": {"n": n}}));
            bench.run(500);
        }
    }
    assert_eq!(bench.drops.len(), 9);
    let about: Vec<_> = bench.lines.iter().filter(|line| line.contains("HH_API_KEY")).collect();
    assert_eq!(about.len(), 1, "{about:?}");
}

#[test]
fn the_key_is_in_no_message_whatever_the_network_says() {
    fn tells(request: &Request) -> Answer {
        if request.body.contains("refuse") {
            status(400, r#"{"message":"header Bearer sekret"}"#)
        } else {
            Answer::None { why: "invalid header Bearer sekret".into() }
        }
    }
    let mut bench = Bench::new(tells);
    let tracer = bench.init(json!({"deadlineMs": 500, "logLevel": "debug"})).tracer;
    bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
    bench.run(2_000);
    bench.enrich(tracer, None, json!({"metadata": {"refuse": 1}}));
    bench.run(60_000);
    assert_eq!(bench.settled.len(), 2);
    let said = format!("{:?} {:?} {:?}", bench.settled, bench.lines, bench.drops);
    assert!(said.contains("[Redacted]") && !said.contains("sekret"), "{said}");
}

#[test]
fn one_bad_enrichment_of_many_costs_only_itself() {
    let mut bench =
        Bench::new(|request| status(if request.body.contains("poison") { 422 } else { 200 }, "{}"));
    let tracer = bench.init(json!({})).tracer;
    let good: Vec<u64> =
        (0..20).map(|n| bench.enrich(tracer, None, json!({"metadata": {"n": n}}))).collect();
    let bad = bench.enrich(tracer, None, json!({"metadata": {"n": "poison"}}));
    let after = bench.enrich(tracer, None, json!({"metadata": {"m": 1}}));
    bench.run(5_000);
    assert!(good.iter().all(|id| bench.is_delivered(*id)) && bench.is_delivered(after));
    assert_eq!(bench.reason_of(bad), Some(Reason::Rejected));
    let stored = bench.requests.iter().filter(|request| !request.body.contains("poison"));
    let values = stored.filter_map(|request| {
        serde_json::from_str::<Value>(&request.body).ok()?["metadata"].get("n").cloned()
    });
    assert_eq!(
        values.collect::<Vec<_>>().last(),
        Some(&json!(19)),
        "the last good value is the one that stays"
    );
}

#[test]
fn a_value_is_let_go_only_when_the_one_after_it_is_stored() {
    let mut bench =
        Bench::new(|request| status(if request.body.contains("poison") { 422 } else { 200 }, "{}"));
    let tracer = bench.init(json!({})).tracer;
    let good = bench.enrich(tracer, None, json!({"metadata": {"a": "good"}}));
    let bad = bench.enrich(tracer, None, json!({"metadata": {"a": "poison"}}));
    let long = (0..40)
        .map(|n| bench.enrich(tracer, None, json!({"outputs": {"n": n, "x": "x".repeat(4_000)}})));
    let long: Vec<u64> = long.collect();
    bench.run(5_000);
    assert_eq!(bench.reason_of(bad), Some(Reason::Rejected));
    assert!(bench.is_delivered(good) && long.iter().all(|id| bench.is_delivered(*id)));
    let stored = |request: &&Request| !request.body.contains("poison");
    let bodies = bench.requests.iter().filter(stored).map(|request| &request.body);
    assert!(
        bodies.clone().any(|body| body.contains(r#""a":"good""#)),
        "what was delivered is stored"
    );
}

#[test]
fn too_much_is_refused_at_the_door_and_what_was_accepted_stays() {
    let mut bench = Bench::new(stores);
    let tracer = bench.init(json!({"maxQueueBytes": 10_000})).tracer;
    let fits = bench.enrich(tracer, None, json!({"metadata": {"a": "x".repeat(8_000)}}));
    let full = bench.enrich(tracer, None, json!({"metadata": {"b": "x".repeat(8_000)}}));
    let large = bench.enrich(tracer, None, json!({"metadata": {"c": "x".repeat(5_000_000)}}));
    assert!(bench.registry.held() <= 10_000);
    bench.run(1_000);
    assert!(bench.is_delivered(fits));
    assert_eq!(bench.reason_of(full), Some(Reason::QueueFull));
    assert_eq!(bench.reason_of(large), Some(Reason::TooLarge));
}

#[test]
fn what_is_refused_for_its_size_leaves_nothing_of_its_session() {
    let mut bench = Bench::new(stores);
    let tracer = bench.init(json!({"maxQueueBytes": 1_000})).tracer;
    bench.run(1_000);
    let other = "0a0a0a0a-0000-4000-8000-000000000000";
    let full = json!({"metadata": {"a": "x".repeat(8_000)}});
    let full = bench.enrich(tracer, Some(other), full);
    bench.run(1_000);
    assert_eq!(bench.reason_of(full), Some(Reason::QueueFull));
    assert_eq!(bench.registry.outboxes(), 1, "that of the tracer's own session");
}

#[test]
fn nobody_is_refused_for_what_another_tracer_gave_up_meanwhile() {
    let mut bench = Bench::new(|request| {
        let is_bad = request.body.contains("poison");
        status(if is_bad { 422 } else { 200 }, "{}")
    });
    let one = json!({"sessionId": "0a0a0a0a-0000-4000-8000-000000000000"});
    let (bad, good) = (bench.init(one.clone()).tracer, bench.init(one).tracer);
    bench.run(1_000);
    let refused = bench.enrich(bad, None, json!({"metadata": {"poison": 1}}));
    let innocent = bench.enrich(good, None, json!({"metadata": {"a": 1}}));
    // The request is on its way.
    bench.run(1);
    bench.registry.close(bad, 0, 0, bench.now);
    bench.run(1_000);
    assert_eq!(bench.reason_of(refused), Some(Reason::Closed));
    assert!(bench.is_delivered(innocent));
}

#[test]
fn too_early_is_no_refusal() {
    let mut answers = [425, 200].into_iter();
    let mut bench = Bench::new(move |_| status(answers.next().unwrap_or(200), "{}"));
    let tracer = bench.init(json!({})).tracer;
    let id = bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
    bench.run(1_000);
    assert!(bench.is_delivered(id));
}

#[test]
fn what_masking_makes_too_large_is_said_to_be_so() {
    let mut bench = Bench::new(stores);
    let tracer = bench.init(json!({"redact": true, "maxQueueBytes": 100_000_000})).tracer;
    let tokens = vec![r#"{"cvv":1}"#; 450_000].join(",");
    let json = format!(r#"{{"metadata":{{"list":[{tokens}]}}}}"#);
    assert!(json.len() < 4_900_000);
    let large = bench.registry.enrich(tracer, None, json, 0, true, bench.now);
    bench.run(1_000);
    assert_eq!(bench.reason_of(large), Some(Reason::TooLarge));
}

#[test]
fn a_hundred_kilobytes_are_warned_of_once_and_delivered() {
    let mut bench = Bench::new(stores);
    let tracer = bench.init(json!({})).tracer;
    let large: Vec<u64> = (0..3)
        .map(|_| bench.enrich(tracer, None, json!({"metadata": {"a": "x".repeat(110_000)}})))
        .collect();
    bench.run(1_000);
    assert!(large.iter().all(|id| bench.is_delivered(*id)));
    assert_eq!(bench.lines.iter().filter(|line| line.contains("100 KB")).count(), 1);
}

#[test]
fn names_are_masked_like_values() {
    let key = ["gh", "p_", "Zk3vQ9xT7bLm2RpW8cYdZk3vQ9xT7bLm2RpW"].concat();
    let mut bench = Bench::new(stores);
    let options = json!({
        "redact": true, "redactPatterns": true, "sessionName": format!("chat of {key}"),
        "source": format!("https://ann:{key}@h"), "project": key, "start": format!(r#"{{"inputs":{{"{key}":1}}}}"#),
    });
    let tracer = bench.init(options.clone()).tracer;
    bench.registry.add_metrics(tracer, &format!(r#"{{"{key}":3}}"#), 0, bench.now);
    bench.run(1_000);
    let child = json!({ "parent": tracer, "sessionName": key });
    bench.init(child);
    bench.run(1_000);
    let sent: Vec<_> = bench.requests.iter().map(|request| request.body.clone()).collect();
    assert!(sent.iter().all(|body| !body.contains(&key)), "{sent:#?}");
    assert_eq!(bench.body(0)["session_name"], "chat of [Redacted]");
    assert_eq!(bench.body(0)["inputs"], json!({ "[Redacted]": 1 }));
    assert!(sent.iter().any(|body| body.contains(r#""metrics":{"[Redacted]":3}"#)), "{sent:#?}");
    assert!(sent.iter().any(|body| body.contains(r#""session_name":"[Redacted]""#)), "{sent:#?}");
    let open = bench.init(json!({ "redact": false, "sessionName": key }));
    assert_eq!(&*open.description.name, key);
}

#[test]
fn a_key_in_what_a_server_says_is_told_in_no_part() {
    let key = "sekret-0123456789abcdefghijklmnop";
    for length in 150..205 {
        let message = format!("{}{key} is not allowed", "x".repeat(length));
        let answer = json!({ "message": message }).to_string();
        let mut bench = Bench::new(move |_| status(422, &answer));
        let tracer = bench.init(json!({ "apiKey": key, "logLevel": "debug" })).tracer;
        bench.enrich(tracer, None, json!({ "metadata": { "a": 1 } }));
        bench.run(1_000);
        let told = format!("{:?}{:?}{:?}", bench.lines, bench.drops, bench.settled);
        assert!(told.contains("rejected the request") && !told.contains("sek"), "{told}");
    }
}

#[test]
fn metrics_that_are_added_to_are_masked_like_any_other() {
    let mut bench = Bench::new(stores);
    let tracer = bench.init(json!({"redact": true, "redactKeys": ["salary"]})).tracer;
    bench.registry.add_metrics(tracer, r#"{"salary":70000,"tokens":3}"#, 0, bench.now);
    let none = bench.registry.add_metrics(tracer, r#"{"salary":1}"#, 0, bench.now);
    bench.run(1_000);
    assert_eq!(bench.body(0)["metrics"], json!(null));
    assert_eq!(bench.body(1)["metrics"], json!({"tokens": 3}));
    assert_eq!(bench.reason_of(none), Some(Reason::Invalid));
    assert!(
        bench.lines.iter().any(|line| line.contains("salary") && line.contains("redact")),
        "{:?}",
        bench.lines
    );
}

#[test]
fn what_would_pass_five_megabytes_goes_in_parts_in_order() {
    let mut bench = Bench::new(stores);
    let tracer = bench.init(json!({"maxQueueBytes": 100_000_000})).tracer;
    for n in 0..4 {
        let fields = json!({"metadata": {"n": n, format!("k{n}"): "x".repeat(2_000_000)}});
        bench.enrich(tracer, None, fields);
    }
    bench.run(5_000);
    assert_eq!(bench.settled.len(), 4);
    assert!(bench.requests.iter().all(|request| request.body.len() <= 5_000_000));
    assert_eq!(bench.body(bench.requests.len() - 1)["metadata"]["n"], 3);
}

#[test]
fn a_bare_call_reaches_the_only_session_and_none_where_several_could_be_meant() {
    let mut bench = Bench::new(stores);
    let nobody = bench.enrich(0, None, json!({"metadata": {"a": 1}}));
    let first = bench.init(json!({}));
    let only = bench.enrich(0, None, json!({"metadata": {"a": 1}}));
    bench.run(500);
    bench.init(json!({}));
    let several = bench.enrich(0, None, json!({"metadata": {"a": 1}}));
    let named = bench.enrich(0, Some(&first.session_id.to_string()), json!({"metadata": {"a": 2}}));
    bench.init(json!({"apiKey": "another"}));
    let still_named =
        bench.enrich(0, Some(&first.session_id.to_string()), json!({"metadata": {"a": 3}}));
    let whose = bench.enrich(0, Some("a session of nobody here"), json!({"metadata": {"a": 4}}));
    bench.run(500);
    assert_eq!(bench.reason_of(nobody), Some(Reason::NoSession));
    assert!(bench.is_delivered(only));
    assert_eq!(bench.reason_of(several), Some(Reason::NoSession));
    assert!(bench.is_delivered(named), "one key and server: no doubt whose session it is");
    assert!(bench.is_delivered(still_named), "an open tracer has it");
    assert_eq!(bench.reason_of(whose), Some(Reason::NoSession));
}

#[test]
fn a_session_id_that_holds_the_key_is_not_shown() {
    let mut bench = Bench::new(|_| status(200, "{}"));
    bench.init(json!({"logLevel": "debug", "sessionId": "chat of sekret"}));
    bench.run(1_000);
    assert!(bench.lines.iter().any(|line| line.contains("is no UUID")), "{:?}", bench.lines);
    assert!(!bench.lines.iter().any(|line| line.contains("sekret")), "{:?}", bench.lines);
}

/// The session that `chat 7` stands for: uuid.uuid5(uuid.NAMESPACE_URL, "chat 7").
const CHAT_7: &str = "7e3c0821-b621-5b26-a20d-fe32cf946491";

/// A server that answers as if it had the session under another id.
fn renames(_: &Request) -> Answer {
    status(200, r#"{"session_id":"0b0b0b0b-0000-4000-8000-000000000000","event_id":"string"}"#)
}

#[test]
fn a_session_named_by_no_uuid_is_that_of_its_uuid_however_it_is_written() {
    let mut bench = Bench::new(renames);
    let tracer = bench.init(json!({"sessionId": " chat 7 ", "logLevel": "info"}));
    assert_eq!(tracer.session_id.to_string(), CHAT_7);
    let upper = bench.init(json!({"sessionId": CHAT_7.to_uppercase()}));
    assert_eq!((upper.session_id, bench.registry.outboxes()), (tracer.session_id, 1));
    let said = [
        bench.enrich(tracer.tracer, None, json!({"metadata": {"a": 1}})),
        bench.enrich(tracer.tracer, Some("chat 7"), json!({"metadata": {"a": 2}})),
        bench.enrich(upper.tracer, Some(CHAT_7), json!({"metadata": {"a": 3}})),
        bench.enrich(0, Some(&CHAT_7.to_uppercase()), json!({"metadata": {"a": 4}})),
    ];
    bench.run(500);
    let reached = Outcome::Delivered { target: Target::Session(tracer.session_id) };
    assert!(said.iter().all(|id| bench.end_of(*id) == Some(&reached)));
    assert_eq!(bench.requests.len(), 1);
    assert_eq!(bench.body(0)["session_id"], CHAT_7);
    assert_eq!(bench.body(0)["metadata"], json!({"a": 4}));
    let about_the_name: Vec<&String> =
        bench.lines.iter().filter(|line| line.contains("chat 7")).collect();
    assert_eq!(about_the_name.len(), 1, "{:?}", bench.lines);
    assert!(about_the_name[0].contains(CHAT_7), "{about_the_name:?}");
}

#[test]
fn no_answer_renames_a_session() {
    let mut bench = Bench::new(renames);
    let tracer = bench.init(json!({"sessionId": "chat 7"})).tracer;
    let theirs = bench.init(json!({"sessionId": "0b0b0b0b-0000-4000-8000-000000000000"})).tracer;
    bench.run(500);
    for (place, tracer) in [tracer, theirs].into_iter().enumerate() {
        let id = bench.enrich(tracer, None, json!({"metadata": {"a": place}}));
        bench.run(500);
        assert!(bench.is_delivered(id));
    }
    assert_eq!(bench.registry.outboxes(), 2, "two sessions stay two");
    let urls: Vec<&str> = bench.requests[2..].iter().map(|it| it.url.as_str()).collect();
    assert!(urls[0].ends_with(&format!("/v1/events/{CHAT_7}")), "{urls:?}");
    assert!(urls[1].ends_with("/v1/events/0b0b0b0b-0000-4000-8000-000000000000"), "{urls:?}");
}

#[test]
fn a_session_that_comes_back_by_its_name_is_the_same_one_as_by_its_id() {
    for names in [["chat 7", CHAT_7], [CHAT_7, "chat 7"]] {
        let mut bench = Bench::new(renames);
        let tracer = bench.init(json!({"sessionId": "chat 7"})).tracer;
        bench.registry.close(tracer, 1_000, 0, bench.now);
        bench.run(1_000);
        assert_eq!(bench.registry.outboxes(), 0);
        for name in names {
            bench.init(json!({"sessionId": name}));
        }
        assert_eq!(bench.registry.outboxes(), 1, "{names:?}");
        let bare = bench.enrich(0, Some("chat 7"), json!({"metadata": {"a": 1}}));
        bench.run(1_000);
        assert!(bench.is_delivered(bare));
    }
}

#[test]
fn a_failed_start_does_not_leave_its_session_unstarted() {
    let mut bench = Bench::new(|request| {
        status(if request.body.contains("\"late\"") { 200 } else { 503 }, "{}")
    });
    let tracer = bench.init(json!({"deadlineMs": 1_000, "start": r#"{"inputs":{"q":1}}"#})).tracer;
    let lost = bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
    bench.run(20_000);
    assert_eq!(bench.reason_of(lost), Some(Reason::RetriesExhausted));
    let kept = bench.enrich(tracer, None, json!({"metadata": {"late": 1}}));
    bench.run(20_000);
    assert!(bench.is_delivered(kept));
    let stored = bench.requests.iter().find(|request| request.body.contains("\"late\"")).unwrap();
    assert!(stored.url.ends_with("/v1/sessions") && stored.body.contains(r#""inputs":{"q":1}"#));
}

#[test]
fn a_start_that_is_tried_again_never_overtakes_what_was_said_after_it() {
    let mut requests = 0;
    let mut bench = Bench::new(move |request| {
        requests += 1;
        // The start alone, after all of it was refused, is refused for another reason.
        let poisoned = if request.body.contains("poison") { 422 } else { 200 };
        status(if requests == 2 { 403 } else { poisoned }, "{}")
    });
    let tracer = bench.init(json!({"start": r#"{"config":{"k":"old"}}"#})).tracer;
    let new = bench.enrich(tracer, None, json!({"config": {"k": "new"}}));
    bench.enrich(tracer, None, json!({"metadata": {"a": "poison"}}));
    bench.run(5_000);
    bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
    bench.run(5_000);
    assert!(bench.is_delivered(new));
    let said =
        |value: &str| bench.requests.iter().rposition(|request| request.body.contains(value));
    assert!(said("new") >= said("old"), "{:#?}", bench.requests);
}

#[test]
fn a_start_that_is_refused_alone_again_and_again_is_given_up() {
    let mut bench =
        Bench::new(|request| status(if request.body.contains("poison") { 422 } else { 403 }, "{}"));
    let tracer = bench.init(json!({"start": r#"{"config":{"k":1}}"#})).tracer;
    let ids: Vec<u64> =
        (0..4).map(|n| bench.enrich(tracer, None, json!({"metadata": {"poison": n}}))).collect();
    bench.run(60_000);
    assert!(ids.iter().all(|id| bench.reason_of(*id) == Some(Reason::Rejected)));
    assert!(bench.requests.len() < 20, "{}", bench.requests.len());
}

#[test]
fn while_a_server_is_down_one_session_probes_and_all_go_on_when_it_is_back() {
    let mut bench = Bench::new(|_| status(503, ""));
    let ids: Vec<u64> = (0..200)
        .map(|_| {
            let tracer = bench.init(json!({"deadlineMs": 100_000})).tracer;
            bench.enrich(tracer, None, json!({"metadata": {"a": 1}}))
        })
        .collect();
    bench.run(10_000);
    assert!(
        bench.requests.len() < 60,
        "{} requests at a server that is down",
        bench.requests.len()
    );
    bench.answer = Box::new(stores);
    bench.run(10_000);
    assert!(ids.iter().all(|id| bench.is_delivered(*id)));
}

#[test]
fn what_nobody_holds_is_let_go() {
    let mut bench = Bench::new(stores);
    for _ in 0..1_000 {
        let tracer = bench.init(json!({})).tracer;
        bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
        bench.registry.release(tracer, bench.now);
    }
    bench.run(2_000);
    assert_eq!(bench.settled.len(), 1_000);
    assert_eq!(bench.registry.tracers(), 0);
    assert_eq!(bench.registry.outboxes(), 0);
    assert_eq!(bench.registry.held(), 0);
}

#[test]
fn what_is_closed_between_the_halves_of_a_refused_batch_is_let_go() {
    let mut bench =
        Bench::new(|request| status(if request.body.contains("poison") { 422 } else { 200 }, "{}"));
    let tracer = bench.init(json!({})).tracer;
    bench.run(300);
    for value in ["good", "good", "poison", "good"] {
        bench.enrich(
            tracer,
            None,
            json!({"metadata": {"a": 1}, "outputs": {"b": value}, "config": {value: 1}}),
        );
    }
    // Refused after 5 ms; then the first half is on its way.
    bench.run(7);
    bench.registry.close(tracer, 0, 0, bench.now);
    bench.registry.release(tracer, bench.now);
    bench.run(60_000);
    assert_eq!(bench.settled.len(), 5);
    assert_eq!(bench.registry.outboxes(), 0);
}

#[test]
fn what_is_kept_grows_with_sessions_and_not_with_their_square() {
    let mut bench = Bench::new(stores);
    let mut kept = |sessions: usize| {
        for _ in 0..sessions {
            let tracer = bench.init(json!({})).tracer;
            bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
            bench.registry.close(tracer, 10_000, 0, bench.now);
        }
        bench.run(1_000);
        // Timers that are over are kept until their time.
        let kept = format!("{:?}", bench.registry).len();
        bench.run(100_000);
        kept / sessions
    };
    let (few, many) = (kept(50), kept(1_000));
    assert!(many < 2 * few, "{few} for each of a few, {many} for each of many");
}

#[test]
fn a_tracer_is_idle_after_a_flush_and_after_a_close() {
    let mut bench = Bench::new(stores);
    let tracer = bench.init(json!({})).tracer;
    bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
    bench.run(500);
    assert_eq!(bench.idle, [tracer]);
    // A flush of nothing is no work.
    bench.registry.flush(tracer, 1_000, 0, bench.now);
    bench.run(500);
    assert_eq!(bench.idle, [tracer]);
    bench.enrich(tracer, None, json!({"metadata": {"a": 2}}));
    bench.registry.close(tracer, 1_000, 0, bench.now);
    bench.run(500);
    assert_eq!(bench.idle, [tracer, tracer]);
    let late = bench.enrich(tracer, None, json!({"metadata": {"a": 3}}));
    bench.run(500);
    assert_eq!(bench.reason_of(late), Some(Reason::Closed));
    assert_eq!(bench.idle, [tracer; 3], "its onDrop was held for that");
}

#[test]
fn a_flush_waits_for_what_came_before_it_and_for_nothing_else() {
    let mut bench = Bench::new(stores);
    let tracer = bench.init(json!({"mergeWindowMs": 60_000})).tracer;
    bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
    bench.run(100);
    let before = bench.enrich(tracer, None, json!({"metadata": {"a": 2}}));
    let flush = bench.registry.flush(tracer, 10_000, 0, bench.now);
    bench.run(6);
    let after = bench.enrich(tracer, None, json!({"metadata": {"a": 3}}));
    bench.run(100);
    assert!(bench.is_delivered(before));
    assert!(matches!(bench.end_of(flush), Some(Outcome::Flushed(counts)) if counts.delivered == 2));
    assert_eq!(bench.end_of(after), None, "it waits for its window");
    let close = bench.registry.close(tracer, 10_000, 0, bench.now);
    bench.run(100);
    assert!(matches!(bench.end_of(close), Some(Outcome::Flushed(counts)) if counts.pending == 0));
    let late = bench.enrich(tracer, None, json!({"metadata": {"a": 4}}));
    bench.run(100);
    assert_eq!(bench.reason_of(late), Some(Reason::Closed));
    assert_eq!(bench.drops.len(), 1, "and onDrop hears of it");
}

#[test]
fn every_enrichment_ends_by_its_deadline_however_long_the_line_is() {
    let mut bench = Bench::new(|_| Answer::None { why: "refused".into() });
    let ids: Vec<u64> = (0..100)
        .map(|_| {
            let tracer = bench.init(json!({"deadlineMs": 500})).tracer;
            bench.enrich(tracer, None, json!({"metadata": {"a": 1}}))
        })
        .collect();
    bench.run(700);
    assert!(ids.iter().all(|id| bench.reason_of(*id) == Some(Reason::RetriesExhausted)));
}

#[test]
fn a_deadline_is_told_in_time_while_its_batch_waits_for_longer_ones() {
    let mut bench = Bench::new(|_| {
        let retry_after = Some(RetryAfter::Seconds(20));
        Answer::Http { status: 503, retry_after, body: "".into() }
    });
    let id = "11111111-1111-4111-8111-111111111111";
    let [short, long] = [1_000, 60_000].map(|deadline_ms| {
        let tracer = bench.init(json!({"deadlineMs": deadline_ms, "sessionId": id})).tracer;
        bench.enrich(tracer, None, json!({"metadata": {"a": deadline_ms}}))
    });
    bench.run(1_100);
    assert_eq!(bench.reason_of(short), Some(Reason::RetriesExhausted));
    assert_eq!(bench.end_of(long), None);
    bench.answer = Box::new(stores);
    bench.run(25_000);
    assert!(bench.is_delivered(long), "and the wait that was asked for is kept");
    assert_eq!(bench.requests.len(), 2);
    assert_eq!(bench.body(1)["metadata"], json!({"a": 60_000}));
}

#[test]
fn a_call_by_id_takes_a_tracer_from_outside_its_request_only_where_the_keys_leave_no_doubt() {
    for (inside, is_clear) in [("sekret", true), ("another", false)] {
        let mut bench = Bench::new(stores);
        bench.init(json!({}));
        let options = json!({"apiKey": inside, "serverUrl": SERVER, "newSessionId": "0a0a0a0a-0000-4000-8000-000000000009"});
        assert!(bench.registry.init(&options.to_string(), 7, bench.now).is_some());
        let unknown = "11111111-1111-4111-8111-111111111111";
        let tracer = bench.registry.resolve_tracer(0, unknown, 7);
        assert_eq!(tracer != 0, is_clear, "{inside}");
        assert_ne!(bench.registry.resolve_tracer(0, unknown, 0), 0, "outside there is one alone");
    }
}

#[test]
fn a_last_try_that_had_no_time_does_not_hide_why_those_before_failed() {
    for seed in 0..20 {
        let mut bench = Bench::new(|_| Answer::None { why: "the policy forbids it".into() });
        bench.run(seed);
        let tracer = bench.init(json!({"deadlineMs": 1_000})).tracer;
        let id = bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
        bench.run(400);
        bench.hangs = true;
        bench.run(2_000);
        let Some(Outcome::Dropped { message, .. }) = bench.end_of(id) else {
            panic!("{:?}", bench.end_of(id))
        };
        assert!(message.contains("the policy forbids it"), "{message}");
    }
}

#[test]
fn what_a_start_stored_is_delivered_where_the_rest_of_its_batch_is_given_up() {
    let mut bench = Bench::new(|request| match (request.method, request.body.as_str()) {
        ("POST", _) => status(200, r#"{"success":true}"#),
        (_, "{}") => status(422, r#"{"message":"an update needs a field"}"#),
        _ => status(503, ""),
    });
    let id = "11111111-1111-4111-8111-111111111111";
    let [short, long] = [1_000, 60_000]
        .map(|deadline_ms| bench.init(json!({"deadlineMs": deadline_ms, "sessionId": id})).tracer);
    let stored = bench.enrich(long, None, json!({"metadata": {"a": 1}}));
    let given_up = bench.enrich(short, None, json!({"feedback": {"rating": 5}}));
    bench.run(10_000);
    assert_eq!(bench.reason_of(given_up), Some(Reason::RetriesExhausted));
    assert!(bench.is_delivered(stored), "{:?}", bench.end_of(stored));
    assert!(bench.requests.iter().all(|request| request.body != "{}"), "nothing is left to send");
}

#[test]
fn a_deadline_is_told_in_time_where_the_server_wants_to_be_left_alone_for_longer() {
    let mut bench = Bench::new(|_| {
        let retry_after = Some(RetryAfter::Seconds(3_600));
        Answer::Http { status: 429, retry_after, body: "".into() }
    });
    let mut ids = Vec::new();
    for _ in 0..20 {
        let tracer = bench.init(json!({"deadlineMs": 3_000})).tracer;
        ids.push(bench.enrich(tracer, None, json!({"metadata": {"a": 1}})));
        bench.run(100);
    }
    bench.run(3_000);
    let told = ids.iter().filter(|id| bench.reason_of(**id) == Some(Reason::RetriesExhausted));
    assert_eq!(told.count(), 20);
}

#[test]
fn an_increment_told_as_dropped_is_in_the_next_total_that_is_delivered() {
    let mut bench = Bench::new(|_| status(503, ""));
    let tracer = bench.init(json!({"deadlineMs": 1_000})).tracer;
    let dropped = bench.registry.add_metrics(tracer, r#"{"tokens":5}"#, 0, bench.now);
    bench.run(5_000);
    assert_eq!(bench.reason_of(dropped), Some(Reason::RetriesExhausted));
    bench.answer = Box::new(stores);
    let next = bench.registry.add_metrics(tracer, r#"{"tokens":2}"#, 0, bench.now);
    bench.run(5_000);
    assert!(bench.is_delivered(next));
    assert_eq!(bench.body(bench.requests.len() - 1)["metrics"], json!({"tokens": 7}));
}

#[test]
fn one_tracers_broken_fetch_holds_up_no_other() {
    fn breaks(request: &Request) -> Answer {
        match request.body.contains("broken") {
            true => Answer::None { why: "no fetch".into() },
            false => status(200, "{}"),
        }
    }
    let mut bench = Bench::new(breaks);
    for _ in 0..30 {
        let broken = bench.init(json!({"transport": 1})).tracer;
        bench.enrich(broken, None, json!({"metadata": {"broken": 1}}));
    }
    bench.run(1_000);
    let sound = bench.init(json!({})).tracer;
    let id = bench.enrich(sound, None, json!({"metadata": {"a": 1}}));
    bench.run(20);
    assert!(bench.is_delivered(id));
}

/// Tracers of one session, each with a `fetch` of its own, as one for each request has.
fn with_a_fetch_each(bench: &mut Bench, tracers: u32) -> Vec<u64> {
    let make = |number| bench.init(json!({"sessionId": OTHER, "transport": number})).tracer;
    (1..=tracers).map(make).collect()
}

#[test]
fn tracers_of_one_session_with_a_fetch_each_have_one_total_and_one_request_at_a_time() {
    let mut bench = Bench::new(stores);
    let tracers = with_a_fetch_each(&mut bench, 2);
    bench.registry.add_metrics(tracers[0], r#"{"tokens":5}"#, 0, bench.now);
    bench.registry.add_metrics(tracers[1], r#"{"tokens":3}"#, 0, bench.now);
    bench.run(500);
    let last = bench.body(bench.requests.len() - 1);
    assert_eq!(last["metrics"], json!({"tokens": 8}));
    // What is said between two requests, and while one is on its way.
    for round in 1..20 {
        bench.registry.add_metrics(tracers[round % 2], r#"{"tokens":1}"#, 0, bench.now);
        bench.run(if round % 3 == 0 { 203 } else { 1 });
    }
    bench.run(500);
    let last = bench.body(bench.requests.len() - 1);
    assert_eq!(last["metrics"], json!({"tokens": 27}));
    assert_eq!(bench.most_at_once, 1);
    assert!(bench.unreachable.is_empty() && bench.busy.is_empty());
}

#[test]
fn each_request_is_sent_with_the_fetch_of_a_tracer_that_has_something_in_it() {
    let mut bench = Bench::new(stores);
    let tracers = with_a_fetch_each(&mut bench, 3);
    bench.run(500);
    bench.sent_with.clear();
    for place in [2, 0, 1, 1, 2] {
        bench.enrich(tracers[place], None, json!({"metadata": {"a": place}}));
        bench.run(500);
    }
    assert_eq!(bench.sent_with, [3, 1, 2, 2, 3]);
    assert!(bench.unreachable.is_empty() && bench.busy.is_empty());
}

#[test]
fn a_broken_fetch_of_one_tracer_costs_another_of_the_same_session_nothing() {
    for (broken, tracers) in [(1, 2), (2, 2), (1, 12), (7, 12)] {
        let mut bench = Bench::new(stores);
        bench.broken.insert(broken);
        // Others have found out already that it is.
        for _ in 0..5 {
            let other = bench.init(json!({"transport": broken})).tracer;
            bench.enrich(other, None, json!({"metadata": {"a": 1}}));
        }
        bench.run(500);
        let mut ids = Vec::new();
        for tracer in with_a_fetch_each(&mut bench, tracers) {
            ids.push(bench.enrich(tracer, None, json!({"metadata": {"a": 1}})));
        }
        bench.run(2_000);
        assert!(ids.iter().all(|id| bench.is_delivered(*id)), "{broken} of {tracers}");
        // Alone it is tried until its deadline, and then others are delivered again.
        let tracer = bench.init(json!({"sessionId": OTHER, "transport": broken})).tracer;
        let lost = bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
        bench.run(40_000);
        assert_eq!(bench.reason_of(lost), Some(Reason::RetriesExhausted));
        let sound = bench.init(json!({"sessionId": OTHER, "transport": 99})).tracer;
        let id = bench.enrich(sound, None, json!({"metadata": {"a": 1}}));
        bench.run(500);
        assert!(bench.is_delivered(id) && bench.unreachable.is_empty(), "{broken} of {tracers}");
    }
}

#[test]
fn in_a_request_its_own_fetch_is_called() {
    let mut bench = Bench::new(stores);
    let make = |bench: &mut Bench, transport: u32, scope| {
        let mut options = json!({"apiKey": "sekret", "serverUrl": SERVER, "sessionId": OTHER});
        options["newSessionId"] = json!(OTHER);
        options["transport"] = json!(transport);
        bench.registry.init(&options.to_string(), scope, bench.now).unwrap().tracer
    };
    let tracers = [make(&mut bench, 1, 1), make(&mut bench, 2, 2)];
    let mut used = BTreeSet::new();
    for round in 0..6_u64 {
        for (tracer, scope) in tracers.into_iter().zip(1..) {
            let json = json!({"metadata": {"a": round}}).to_string();
            bench.registry.enrich(tracer, None, json, scope, true, bench.now);
        }
        // Whichever looks first sends what both have said.
        let first = 1 + round % 2;
        for scope in [first, 3 - first] {
            while let Some(output) = bench.registry.poll(scope, bench.now) {
                if let Output::Send { flight, transport, .. } = output {
                    assert_eq!(u64::from(transport), scope);
                    used.insert(scope);
                    bench.registry.finish_request(flight, &status(200, "{}"), bench.now);
                }
            }
        }
        bench.now.mono_ms += 500;
        bench.now.unix_ms += 500;
    }
    assert_eq!(used.len(), 2);
}

#[test]
fn a_request_that_was_torn_down_is_no_failure_of_the_server() {
    let mut bench = Bench::new(stores);
    let mut options = json!({"apiKey": "sekret", "serverUrl": SERVER, "deadlineMs": 1_000});
    options["mergeWindowMs"] = json!(5_000);
    let mut make = |bench: &mut Bench, id: &str, scope| {
        options["newSessionId"] = json!(id);
        bench.registry.init(&options.to_string(), scope, bench.now).unwrap().tracer
    };
    let torn = make(&mut bench, "00000000-0000-4000-8000-00000000000a", 1);
    let tracer = make(&mut bench, OTHER, 2);
    let say = |bench: &mut Bench, tracer, scope| {
        let json = json!({"metadata": {"a": 1}}).to_string();
        bench.registry.enrich(tracer, None, json, scope, true, bench.now)
    };
    let mut ended = Vec::new();
    let mut pass = |bench: &mut Bench, ms: u64| {
        for _ in 0..ms {
            bench.now.mono_ms += 1;
            bench.now.unix_ms += 1;
            while let Some(output) = bench.registry.poll(2, bench.now) {
                match output {
                    Output::Send { flight, .. } => {
                        bench.registry.finish_request(flight, &status(200, "{}"), bench.now);
                    }
                    Output::Settled { ids, outcome } => {
                        ended.extend(ids.into_iter().map(|id| (id, (*outcome).clone())));
                    }
                    _ => {}
                }
            }
        }
        ended.clone()
    };
    // It sends, and nobody hears of it again.
    say(&mut bench, torn, 1);
    assert!(matches!(bench.registry.poll(1, bench.now), Some(Output::Send { .. })));
    pass(&mut bench, 5);
    say(&mut bench, tracer, 2);
    pass(&mut bench, 2_500);
    let waits = say(&mut bench, tracer, 2);
    let ended = pass(&mut bench, 5_000);
    let end = ended.iter().find(|(id, _)| *id == waits).map(|(_, end)| end);
    assert!(matches!(end, Some(Outcome::Delivered { .. })), "{end:?}");
}

#[test]
fn the_lowest_max_concurrency_counts_for_as_long_as_its_tracer_is_open() {
    let mut bench = Bench::new(stores);
    let low = bench.init(json!({"sessionId": OTHER, "transport": 1, "maxConcurrency": 1})).tracer;
    let other = bench.init(json!({"sessionId": OTHER, "transport": 2})).tracer;
    bench.run(500);
    // The session is sent now with one `fetch`, now with the other.
    for tracer in [other, low, other] {
        bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
        bench.run(500);
    }
    bench.registry.close(low, 0, 0, bench.now);
    bench.registry.release(low, bench.now);
    bench.run(500);
    for _ in 0..5 {
        let tracer = bench.init(json!({"transport": 1})).tracer;
        bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
    }
    bench.most_at_once = 0;
    bench.run(2);
    assert_eq!(bench.most_at_once, 5);
}

#[test]
fn a_session_that_an_open_tracer_has_is_reached_by_that_tracers_key() {
    let mut bench = Bench::new(stores);
    let left = bench.init(json!({"apiKey": "left"}));
    let right = bench.init(json!({"apiKey": "right"}));
    bench.run(500);
    let json = json!({"metadata": {"a": 1}}).to_string();
    let found = bench.registry.enrich(
        right.tracer,
        Some(&left.session_id.to_string()),
        json.clone(),
        0,
        false,
        bench.now,
    );
    bench.run(500);
    let key = |request: &Request| {
        serde_json::from_str::<Value>(&request.headers).unwrap()["authorization"].clone()
    };
    assert!(bench.is_delivered(found));
    assert_eq!(key(&bench.requests[2]), "Bearer left");
    // Who names the tracer means its key.
    bench.registry.enrich(
        right.tracer,
        Some(&left.session_id.to_string()),
        json,
        0,
        true,
        bench.now,
    );
    bench.run(500);
    assert_eq!(key(&bench.requests[3]), "Bearer right");
}

#[test]
fn a_legacy_session_is_made_sure_of_before_more_is_said() {
    let mut exists = false;
    let mut bench = Bench::new(move |request| {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        match request.url.trim_start_matches(SERVER) {
            "/session/start" => {
                exists |= body["session"]["session_id"] == "another";
                status(200, "{}")
            }
            "/events" if exists => status(200, "{}"),
            _ => status(404, r#"{"message":"no such event"}"#),
        }
    });
    let tracer = bench.init(json!({})).tracer;
    bench.run(500);
    let touch = bench.enrich(tracer, Some(OTHER), json!({}));
    let fields = bench.enrich(tracer, Some(OTHER), json!({"metadata": {"a": 1}}));
    bench.run(500);
    assert!(bench.is_delivered(touch) && bench.is_delivered(fields));
    let start = bench.body(bench.requests.len() - 1)["session"].clone();
    assert_eq!((&start["session_id"], &start["metadata"]), (&json!(OTHER), &json!({"a": 1})));
}

#[test]
fn one_strange_answer_to_a_start_costs_no_other_session_anything() {
    let mut answers = 0;
    let mut bench = Bench::new(move |request| {
        answers += 1;
        let is_v1 = request.url.contains("/v1/");
        status(if answers == 1 || !is_v1 { 404 } else { 200 }, "{}")
    });
    let mut ids = Vec::new();
    for _ in 0..6 {
        let tracer = bench.init(json!({})).tracer;
        ids.push(bench.enrich(tracer, None, json!({"metadata": {"a": 1}})));
        // The first answer has come, and what followed from it is on its way.
        bench.run(if ids.len() == 1 { 6 } else { 0 });
    }
    bench.run(20_000);
    // The first one was refused on either kind of routes.
    let delivered = ids[1..].iter().filter(|id| bench.is_delivered(**id)).count();
    assert_eq!(delivered, 5, "{:?}", bench.settled);
}

#[test]
fn a_session_that_what_is_said_of_it_makes_is_called_as_the_tracer_calls_its_own() {
    for says in [json!({"feedback": {"rating": 5}}), json!({})] {
        for has_child in [false, true] {
            let mut there = Vec::new();
            let mut bench = Bench::new(move |request| {
                let body: Value = serde_json::from_str(&request.body).unwrap();
                if request.method == "POST" {
                    there.push(body["session_id"].as_str().unwrap().to_owned());
                    return stores(request);
                }
                let is_there = there.iter().any(|id| request.url.ends_with(id));
                status(if is_there { 200 } else { 404 }, r#"{"message":"no such event"}"#)
            });
            let mut tracer =
                bench.init(json!({"sessionName": "feedback", "source": "prod"})).tracer;
            if has_child {
                tracer = bench.init(json!({"parent": tracer, "sessionName": "ratings"})).tracer;
            }
            bench.run(500);
            let given_at = bench.now.unix_ms;
            let id = bench.enrich(tracer, Some(OTHER), says.clone());
            bench.run(1_000);
            assert!(bench.is_delivered(id));
            let made: Vec<Value> = (0..bench.requests.len())
                .map(|place| bench.body(place))
                .filter(|body| body["session_id"] == OTHER)
                .collect();
            let name = if has_child { "ratings" } else { "feedback" };
            assert_eq!(
                made,
                [
                    json!({"session_id": OTHER, "session_name": name, "source": "prod", "start_time": given_at})
                ]
            );
        }
    }
}

#[test]
fn what_was_given_before_a_worker_had_a_clock_is_tried_for_as_long_as_any_other() {
    let mut fails = 3;
    let mut bench = Bench::new(move |request| {
        if fails == 0 {
            return stores(request);
        }
        fails -= 1;
        status(503, "")
    });
    // Outside of every request the clocks of a Worker say 0.
    let began = std::mem::take(&mut bench.now);
    let tracer = bench.init(json!({"sessionId": OTHER})).tracer;
    let id = bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
    bench.run(0);
    bench.now = Now { mono_ms: began.unix_ms, ..began };
    bench.run(20_000);
    assert!(bench.is_delivered(id), "{:?}", bench.settled);
    assert_eq!(bench.requests.len(), 4);
}

/// A backend with `GET /v1/events/{id}` that keeps metrics, for as many processes as use it.
#[derive(Clone, Default)]
struct Metrics(std::rc::Rc<std::cell::RefCell<serde_json::Map<String, Value>>>);

impl Metrics {
    fn take(&self, request: &Request) -> Answer {
        if request.method == "GET" {
            let id = request.url.rsplit('/').next().unwrap();
            let event = json!({"event_id": id, "metrics": *self.0.borrow()});
            return status(200, &event.to_string());
        }
        let body: Value = serde_json::from_str(&request.body).unwrap();
        for (key, value) in body["metrics"].as_object().into_iter().flatten() {
            self.0.borrow_mut().insert(key.clone(), value.clone());
        }
        stores(request)
    }

    fn now(&self) -> Value {
        Value::Object(self.0.borrow().clone())
    }
}

fn reads(bench: &Bench) -> usize {
    bench.requests.iter().filter(|request| request.method == "GET").count()
}

#[test]
fn totals_of_a_continued_session_begin_with_what_the_backend_has() {
    let backend = Metrics::default();
    // Two of the turns reach the isolate that had the first one.
    let mut isolates: Vec<Bench> = (0..3)
        .map(|_| {
            let backend = backend.clone();
            Bench::new(move |request| backend.take(request))
        })
        .collect();
    for (turn, isolate) in [0, 1, 2, 0, 1].into_iter().enumerate() {
        let bench = &mut isolates[isolate];
        let tracer = bench.init(json!({"sessionId": "conversation 7"})).tracer;
        for _ in 0..2 {
            let id =
                bench.registry.add_metrics(tracer, r#"{"tokens":100,"cost":1.5}"#, 0, bench.now);
            bench.hear_busy();
            bench.run(1_000);
            assert!(bench.is_delivered(id));
        }
        let turns = turn as u64 + 1;
        assert_eq!(backend.now(), json!({"tokens": turns * 200, "cost": turns * 3}));
        assert_eq!(isolates.iter().map(reads).sum::<usize>(), turn + 1, "once a tracer");
    }
    assert_eq!(isolates[0].lines, Vec::<String>::new());
}

#[test]
fn a_chat_s_turns_add_up_whichever_isolates_and_faults_they_meet() {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let backend = Metrics::default();
        let mut isolates: Vec<Bench> = (0..3)
            .map(|isolate| {
                let backend = backend.clone();
                let mut random = fastrand::Rng::with_seed(1_000 * seed + isolate);
                Bench::new(move |request| match random.u8(..10) {
                    0 => Answer::None { why: "refused".into() },
                    1 => status([500, 503, 429][random.usize(..3)], ""),
                    // Stored, and the answer is lost.
                    2 if request.method == "PUT" => {
                        backend.take(request);
                        Answer::None { why: "cut".into() }
                    }
                    _ => backend.take(request),
                })
            })
            .collect();
        let mut sum = 0;
        for _ in 0..random.usize(3..10) {
            let bench = &mut isolates[random.usize(..3)];
            let tracer = bench.init(json!({"sessionId": "conversation 7"})).tracer;
            for _ in 0..random.usize(1..4) {
                let tokens = random.u32(1..100);
                sum += tokens;
                let json = format!(r#"{{"tokens":{tokens}}}"#);
                bench.registry.add_metrics(tracer, &json, 0, bench.now);
                bench.hear_busy();
                bench.run(random.u64(..500));
            }
            // A turn ends when all of it is delivered.
            bench.run(30_000);
            if random.bool() {
                bench.registry.release(tracer, bench.now);
            }
        }
        assert_eq!(backend.now(), json!({"tokens": sum}), "seed {seed}");
        for bench in &isolates {
            assert!(bench.drops.is_empty(), "seed {seed}: {:?}", bench.drops);
        }
    }
}

#[test]
fn nothing_else_waits_for_a_total_that_is_read() {
    let mut bench = Bench::new(|request| match request.method {
        "GET" => Answer::None { why: "hangs".into() },
        _ => stores(request),
    });
    let tracer = bench.init(json!({"sessionId": "chat"})).tracer;
    let total = bench.registry.add_metrics(tracer, r#"{"tokens":1}"#, 0, bench.now);
    bench.hear_busy();
    let other = bench.enrich(tracer, None, json!({"metadata": {"a": 1}}));
    bench.run(100);
    assert!(bench.is_delivered(other) && bench.end_of(total).is_none());
    let flush = bench.registry.flush(tracer, 100, 0, bench.now);
    bench.run(200);
    assert!(bench.end_of(flush).is_some());
    bench.run(40_000);
    assert_eq!(bench.reason_of(total), Some(Reason::RetriesExhausted));
    assert!(bench.requests.iter().all(|request| !request.body.contains("tokens")));
    // What was given up counts in the next total that gets through.
    let backend = Metrics::default();
    backend.0.borrow_mut().insert("tokens".into(), json!(7));
    let at = backend.clone();
    bench.answer = Box::new(move |request| at.take(request));
    let total = bench.registry.add_metrics(tracer, r#"{"tokens":2}"#, 0, bench.now);
    bench.hear_busy();
    bench.run(10_000);
    assert!(bench.is_delivered(total));
    assert_eq!(backend.now(), json!({"tokens": 10}));
    bench.registry.close(tracer, 0, 0, bench.now);
    bench.run(1_000);
    bench.registry.release(tracer, bench.now);
    assert_eq!((bench.registry.outboxes(), bench.registry.held()), (0, 0));
}

#[test]
fn a_total_that_waits_for_its_read_loses_no_time_behind_a_server_that_answers() {
    let mut bench = Bench::new(stores);
    bench.latency_ms = 4_000;
    let busy: Vec<u64> = (0..4)
        .map(|_| bench.init(json!({"maxConcurrency": 1, "deadlineMs": 60_000})).tracer)
        .collect();
    let options = json!({"sessionId": "chat", "maxConcurrency": 1, "deadlineMs": 5_000});
    let tracer = bench.init(options).tracer;
    for other in &busy {
        bench.enrich(*other, None, json!({"metadata": {"a": 1}}));
    }
    let total = bench.registry.add_metrics(tracer, r#"{"tokens":1}"#, 0, bench.now);
    bench.hear_busy();
    bench.run(60_000);
    assert!(bench.is_delivered(total), "{:?}", bench.end_of(total));
}

#[test]
fn a_total_waits_while_there_is_no_network_and_its_read_takes_no_longer_than_its_deadline() {
    let mut bench = Bench::new(|_| Answer::None { why: "no network".into() });
    bench.registry.turn(Turn::GoesOn { in_document: true }, bench.now);
    let tracer = bench.init(json!({"sessionId": "chat", "deadlineMs": 5_000})).tracer;
    let add = |bench: &mut Bench| {
        let id = bench.registry.add_metrics(tracer, r#"{"tokens":1}"#, 0, bench.now);
        bench.hear_busy();
        id
    };
    bench.registry.turn(Turn::Offline, bench.now);
    let total = add(&mut bench);
    bench.run(60_000);
    assert_eq!(bench.end_of(total), None);
    bench.answer = Box::new(stores);
    bench.registry.turn(Turn::GoesOn { in_document: true }, bench.now);
    bench.run(5_000);
    assert!(bench.is_delivered(total), "{:?}", bench.end_of(total));
    // A server that fails is given up at the deadline.
    let mut bench = Bench::new(|it| if it.method == "GET" { status(503, "") } else { stores(it) });
    let tracer = bench.init(json!({"sessionId": "chat", "deadlineMs": 5_000})).tracer;
    bench.run(1_000);
    let total = bench.registry.add_metrics(tracer, r#"{"tokens":1}"#, 0, bench.now);
    bench.hear_busy();
    bench.run(4_900);
    assert_eq!(bench.end_of(total), None);
    bench.run(200);
    assert_eq!(bench.reason_of(total), Some(Reason::RetriesExhausted));
}

#[test]
fn a_metric_that_is_set_while_its_total_is_read_is_what_counts() {
    for says_before in [false, true] {
        let backend = Metrics::default();
        backend.0.borrow_mut().insert("tokens".into(), json!(50));
        let at = backend.clone();
        let mut bench = Bench::new(move |request| at.take(request));
        let tracer = bench.init(json!({"sessionId": "chat"})).tracer;
        let add = |bench: &mut Bench| {
            let id = bench.registry.add_metrics(tracer, r#"{"tokens":1}"#, 0, bench.now);
            bench.hear_busy();
            id
        };
        if !says_before {
            add(&mut bench);
        }
        bench.enrich(tracer, None, json!({"metrics": {"tokens": 5}}));
        let last = add(&mut bench);
        bench.run(2_000);
        assert!(bench.is_delivered(last));
        assert_eq!(backend.now(), json!({"tokens": 6}));
    }
}

#[test]
fn a_tracer_that_is_closed_does_not_wait_for_its_total() {
    let mut bench = Bench::new(|request| match request.method {
        "GET" => Answer::None { why: "hangs".into() },
        _ => stores(request),
    });
    let tracer = bench.init(json!({"sessionId": "chat"})).tracer;
    let total = bench.registry.add_metrics(tracer, r#"{"tokens":1}"#, 0, bench.now);
    bench.hear_busy();
    bench.registry.close(tracer, 500, 0, bench.now);
    bench.run(1_000);
    assert_eq!(bench.reason_of(total), Some(Reason::Closed));
    bench.run(20_000);
    bench.registry.release(tracer, bench.now);
    assert_eq!((bench.registry.outboxes(), bench.registry.held()), (0, 0));
}

#[test]
fn where_a_total_cannot_be_read_one_line_says_so() {
    let no_route = r#"{"message":"Cannot GET /v1/events"}"#;
    for (options, answer, told) in [
        (json!({"sessionId": "chat"}), 404, true),
        (json!({"sessionId": "chat"}), 403, true),
        (json!({}), 404, false),
    ] {
        let mut bench = Bench::new(move |request| {
            let is_read = request.method == "GET" || request.url.ends_with("/search");
            if is_read { status(answer, no_route) } else { stores(request) }
        });
        let tracer = bench.init(options.clone()).tracer;
        for _ in 0..3 {
            let id = bench.registry.add_metrics(tracer, r#"{"tokens":1}"#, 0, bench.now);
            bench.hear_busy();
            bench.run(1_000);
            assert!(bench.is_delivered(id));
        }
        assert_eq!(bench.body(bench.requests.len() - 1)["metrics"], json!({"tokens": 3}));
        let lines = bench.lines.iter().filter(|line| line.starts_with("addMetrics begins with 0"));
        assert_eq!(lines.count(), usize::from(told), "{options} {answer}: {:?}", bench.lines);
        assert_eq!(reads(&bench), usize::from(told), "a session of its own is not read");
    }
}
