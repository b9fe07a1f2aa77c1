//! Through the queue: what was answered with 202 becomes what sending it at once would have made,
//! merged and in order, whatever fails on the way and however often the queue brings it again.

use honeyhive_edge::core::relay::consumer::{Consumer, Fate};
use honeyhive_edge::core::relay::message::Message;
use honeyhive_edge::core::relay::passage::{Body, Forward};
use honeyhive_edge::core::relay::rate::Rates;
use honeyhive_edge::core::relay::settings::RelaySettings;
use honeyhive_edge::core::retry::RetryAfter;
use honeyhive_edge::core::session::{SessionId, Target};
use honeyhive_edge::core::wire::{Answer, Request};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::backend::Backend;
use crate::harness::status;
use crate::{NOW_MS, SESSION, cases, head, pass, relay, ticket};

const OTHER: &str = "0a0a0a0a-0000-4000-8000-000000000000";

/// A message: its session, milliseconds after [`NOW_MS`], and its fields.
fn message(session: &str, at_ms: u64, fields: &Value) -> String {
    let stamp_ns = (NOW_MS + at_ms) * 1_000_000;
    let target = Target::Session(SessionId::new(session).unwrap());
    Message { target, stamp_ns, fields: fields.to_string() }.write()
}

/// Delivers a batch; `answer` is the backend. What became of each message, and the log.
fn deliver(
    consumer: &mut Consumer,
    settings: &RelaySettings,
    batch: &[String],
    answer: &mut dyn FnMut(&Request) -> Answer,
) -> (Vec<Fate>, Vec<String>) {
    let mut delivery = consumer.open(settings, batch.to_vec());
    let mut on_the_way: Vec<(usize, Request)> = Vec::new();
    loop {
        // All sessions at once, as the runtime does; one request each.
        for session in 0..delivery.sessions() {
            if let Some(request) = consumer.next(&mut delivery, session, NOW_MS) {
                assert!(on_the_way.iter().all(|(other, _)| *other != session));
                on_the_way.push((session, request));
            }
        }
        let Some((session, request)) = on_the_way.pop() else { break };
        let answer = answer(&request);
        consumer.answered(&mut delivery, session, &answer, NOW_MS);
    }
    let (fates, log) = consumer.close(delivery, NOW_MS);
    (fates, log.into_iter().map(|line| line.message).collect())
}

fn store(backend: &mut Backend, request: &Request) -> Answer {
    let path = request.url.trim_start_matches("https://hive.example");
    let (code, body) = backend.take(request.method, path, "sekret", 1, &request.body);
    status(code, &body)
}

fn fields_of(backend: &Backend, session: &str) -> Value {
    json!(backend.sessions[&("sekret".to_owned(), session.to_owned())].fields)
}

const AGAIN: Fate = Fate::Again { after_s: None };

#[test]
fn messages_of_one_session_are_one_request_in_the_order_they_were_made() {
    let settings = relay(json!({}));
    let mut backend = Backend::default();
    let mut requests = 0;
    let batch = [
        message(SESSION, 30, &json!({"feedback": {"rating": 3}})),
        message(SESSION, 10, &json!({"metadata": {"page": 1}})),
        message(OTHER, 20, &json!({"inputs": {"q": "hi"}})),
        message(SESSION, 20, &json!({"feedback": {"rating": 2, "by": "b"}})),
    ];
    let (fates, log) = deliver(&mut Consumer::default(), &settings, &batch, &mut |request| {
        requests += 1;
        store(&mut backend, request)
    });
    assert_eq!((fates, log), (vec![Fate::Stored; 4], Vec::<String>::new()));
    assert_eq!(requests, 3, "a start and an update, and a start");
    assert_eq!(
        fields_of(&backend, SESSION),
        json!({"metadata": {"page": 1}, "feedback": {"rating": 3, "by": "b"}})
    );
    assert_eq!(fields_of(&backend, OTHER), json!({"inputs": {"q": "hi"}}));
}

#[test]
fn an_event_is_updated_in_order_and_never_started_whichever_routes_there_are() {
    let settings = relay(json!({}));
    let of_event = |at_ms: u64, fields: Value| {
        let stamp_ns = (NOW_MS + at_ms) * 1_000_000;
        let target = Target::Event(SessionId::new(OTHER).unwrap());
        Message { target, stamp_ns, fields: fields.to_string() }.write()
    };
    for is_legacy in [false, true] {
        let mut backend = Backend { is_legacy, ..Backend::default() };
        let batch = [
            of_event(20, json!({"feedback": {"thumb": "down"}})),
            of_event(10, json!({"feedback": {"thumb": "up", "by": "b"}})),
        ];
        // As long as its span has not come, it is refused, and comes again.
        let mut consumer = Consumer::default();
        let mut requests = Vec::new();
        let (fates, log) = deliver(&mut consumer, &settings, &batch, &mut |request| {
            requests.push(request.method);
            store(&mut backend, request)
        });
        assert_eq!((fates, log.is_empty()), (vec![AGAIN, AGAIN], false));
        assert!(requests.iter().all(|method| *method == "PUT"), "{requests:?}");
        assert!(backend.sessions.is_empty());

        backend.sessions.insert(("sekret".into(), OTHER.into()), Default::default());
        let (fates, log) = deliver(&mut consumer, &settings, &batch, &mut |request| {
            assert_eq!(request.method, "PUT");
            store(&mut backend, request)
        });
        assert_eq!((fates, log), (vec![Fate::Stored; 2], Vec::new()));
        assert_eq!(fields_of(&backend, OTHER), json!({"feedback": {"thumb": "down", "by": "b"}}));
    }
}

#[test]
fn what_fails_comes_again_when_the_backend_says() {
    let settings = relay(json!({}));
    let batch = [
        message(SESSION, 10, &json!({"feedback": {"a": 1}})),
        message(OTHER, 10, &json!({"feedback": {"a": 1}})),
    ];
    let mut fails =
        |request: &Request| match [&*request.url, &request.body].concat().contains(OTHER) {
            true => status(200, "{}"),
            false => Answer::Http {
                status: 429,
                retry_after: Some(RetryAfter::Seconds(9)),
                body: String::new(),
            },
        };
    let (fates, _) = deliver(&mut Consumer::default(), &settings, &batch, &mut fails);
    assert_eq!(fates, [Fate::Again { after_s: Some(9) }, Fate::Stored]);
    let mut silent = |_: &Request| Answer::None { why: "lost".into() };
    let (fates, _) = deliver(&mut Consumer::default(), &settings, &batch, &mut silent);
    assert_eq!(fates, [AGAIN, AGAIN]);
}

#[test]
fn one_that_is_refused_costs_no_other() {
    let settings = relay(json!({}));
    let mut backend = Backend::default();
    let mut batch = vec![message(SESSION, 0, &json!({}))];
    for number in 0..9 {
        let name = number.to_string();
        let value = if number == 4 { json!("poison") } else { json!(number) };
        batch.push(message(SESSION, number, &json!({"metrics": {name: value}})));
    }
    let (fates, log) = deliver(&mut Consumer::default(), &settings, &batch, &mut |request| {
        store(&mut backend, request)
    });
    let expected: Vec<Fate> =
        (0..10).map(|place| if place == 5 { AGAIN } else { Fate::Stored }).collect();
    assert_eq!(fates, expected);
    assert!(log[0].contains("422"), "{log:?}");
    assert_eq!(fields_of(&backend, SESSION)["metrics"].as_object().unwrap().len(), 8);
}

#[test]
fn a_message_that_is_none_of_ours_goes_to_the_dead_letters() {
    let settings = relay(json!({}));
    let batch = [
        "hello".to_owned(),
        message(SESSION, 1, &json!([1])),
        message(SESSION, 1, &json!({"feedback": {"a": 1}})),
    ];
    let (fates, log) =
        deliver(&mut Consumer::default(), &settings, &batch, &mut |_| status(200, "{}"));
    assert_eq!(fates, [AGAIN, AGAIN, Fate::Stored]);
    assert!(log.iter().all(|line| line.contains("dead letters")), "{log:?}");
}

#[test]
fn a_key_that_is_refused_is_said_and_nothing_is_lost() {
    let settings = relay(json!({}));
    let batch = ["a", "b"].map(|key| message(SESSION, 1, &json!({"feedback": {key: 1}})));
    let mut requests = 0;
    let (fates, log) = deliver(&mut Consumer::default(), &settings, &batch, &mut |_| {
        requests += 1;
        status(401, r#"{"message":"sekret"}"#)
    });
    assert_eq!((fates, requests), (vec![AGAIN, AGAIN], 1));
    assert!(log[0].contains("refused the API key") && !log[0].contains("sekret"), "{log:?}");
    let (fates, _) =
        deliver(&mut Consumer::default(), &relay(json!({"apiKey": null})), &batch, &mut |_| {
            panic!("there is no key")
        });
    assert_eq!(fates, [AGAIN, AGAIN]);
}

#[test]
fn an_older_deployment_is_found_once() {
    let settings = relay(json!({}));
    let mut backend = Backend { is_legacy: true, is_lenient: true, ..Backend::default() };
    let mut consumer = Consumer::default();
    let mut requests = Vec::new();
    for at_ms in [1, 2] {
        let batch = [message(SESSION, at_ms, &json!({"feedback": {"at": at_ms}}))];
        let (fates, _) = deliver(&mut consumer, &settings, &batch, &mut |request| {
            requests.push(request.url.trim_start_matches("https://hive.example").to_owned());
            store(&mut backend, request)
        });
        assert_eq!(fates, [Fate::Stored]);
    }
    assert_eq!(requests, ["/v1/sessions", "/session/start", "/events", "/events"]);
    assert_eq!(fields_of(&backend, SESSION), json!({"feedback": {"at": 2}}));
}

#[test]
fn what_comes_again_does_not_undo_what_came_later() {
    let settings = relay(json!({}));
    let mut backend = Backend::default();
    backend.take("POST", "/v1/sessions", "sekret", 1, &json!({"session_id": SESSION}).to_string());
    let mut consumer = Consumer::default();
    let early = message(SESSION, 1, &json!({"feedback": {"a": "early", "b": "early"}}));
    let late = message(SESSION, 2, &json!({"feedback": {"a": "late"}, "outputs": {"x": 1}}));
    let (fates, _) =
        deliver(&mut consumer, &settings, std::slice::from_ref(&early), &mut |_| status(503, ""));
    assert_eq!(fates, [AGAIN]);
    for batch in [[late], [early]] {
        let (fates, _) =
            deliver(&mut consumer, &settings, &batch, &mut |request| store(&mut backend, request));
        assert_eq!(fates, [Fate::Stored]);
    }
    assert_eq!(
        fields_of(&backend, SESSION),
        json!({"feedback": {"a": "late", "b": "early"}, "outputs": {"x": 1}})
    );
}

#[test]
fn the_page_hears_that_its_inputs_are_on_their_way() {
    let settings = relay(json!({"queue": true}));
    let asked = head("POST", "/honeyhive/v1/sessions", &ticket(&["inputs"]));
    let mut passage = pass(&settings, asked, &mut Rates::default()).unwrap();
    let body = json!({"session_id": SESSION, "inputs": {"q": 1}}).to_string();
    let forward = passage.forward(Body::Whole(body.as_bytes()), NOW_MS).unwrap();
    let Forward::Enqueue(text) = forward else { panic!("{forward:?}") };
    assert!(!text.contains("sekret") && !text.contains("hht1"), "{text}");
    assert_eq!(text, message(SESSION, 0, &json!({"inputs": {"q": 1}})));
    let taken = passage.queued(true).response;
    assert_eq!(taken.status, 202);
    let said: Value = serde_json::from_str(&taken.body).unwrap();
    assert_eq!(said, json!({"success": true, "session_id": SESSION, "inputs": {"q": 1}}));
    assert_eq!(passage.queued(false).response.status, 503);
}

#[test]
fn a_message_that_no_queue_takes_is_too_large_for_ever() {
    let settings = relay(json!({"queue": true, "maxBodyBytes": 1_000_000}));
    let passed = |bytes: usize| {
        let asked = head("PUT", &format!("/honeyhive/v1/events/{SESSION}"), &ticket(&["metadata"]));
        let mut passage = pass(&settings, asked, &mut Rates::default()).unwrap();
        let body = json!({"metadata": {"a": "x".repeat(bytes)}}).to_string();
        passage.forward(Body::Whole(body.as_bytes()), NOW_MS)
    };
    let longest = (127_000..129_000).rfind(|bytes| passed(*bytes).is_ok()).unwrap();
    let Ok(Forward::Enqueue(text)) = passed(longest) else { panic!() };
    assert_eq!(text.len(), 127_900, "128 KB with what the queue adds");
    let refused = passed(longest + 1).unwrap_err().response;
    assert_eq!(refused.status, 413);
    assert!(refused.body.contains("PAYLOAD_TOO_LARGE"), "{}", refused.body);
}

/// What a page says, one after the other, and how the queue and the backend behave.
#[derive(Clone, Debug)]
struct Life {
    /// For each message: which session, and which keys it writes.
    said: Vec<(bool, Vec<(bool, u8)>)>,
    /// For each batch: how many of those that wait it takes, from where, and how many requests go well.
    batches: Vec<(usize, usize, usize)>,
}

fn lives() -> impl Strategy<Value = Life> {
    let keys = vec((any::<bool>(), 0..3_u8), 1..3);
    let said = vec((any::<bool>(), keys), 1..12);
    let batches = vec((1..6_usize, 0..8_usize, 0..3_usize), 0..12);
    (said, batches).prop_map(|(said, batches)| Life { said, batches })
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn as_if_each_had_been_sent_at_once(life in lives()) {
        let settings = relay(json!({}));
        let (mut backend, mut expected) = (Backend::default(), Backend::default());
        for backend in [&mut backend, &mut expected] {
            for session in [SESSION, OTHER] {
                let start = json!({"session_id": session}).to_string();
                backend.take("POST", "/v1/sessions", "sekret", 1, &start);
            }
        }
        let mut waiting = Vec::new();
        for (at_ms, (which, keys)) in life.said.iter().enumerate() {
            let session = if *which { SESSION } else { OTHER };
            let mut fields = json!({});
            for (in_outputs, key) in keys {
                let field = if *in_outputs { "outputs" } else { "metrics" };
                fields[field][format!("k{key}")] = json!(at_ms);
            }
            let path = ["/v1/events/", session].concat();
            expected.take("PUT", &path, "sekret", 1, &fields.to_string());
            waiting.push(message(session, at_ms as u64, &fields));
        }
        let mut consumer = Consumer::default();
        let all = [(usize::MAX, 0, usize::MAX)];
        for (size, from, goes_well) in life.batches.iter().chain(&all) {
            let from = from % waiting.len().max(1);
            let until = from.saturating_add(*size).min(waiting.len());
            let batch: Vec<_> = waiting.drain(from..until).collect();
            let mut left = *goes_well;
            let (fates, _) = deliver(&mut consumer, &settings, &batch, &mut |request| {
                // A request that fails may have been stored all the same.
                let answer = (left > 0 || from % 2 == 0).then(|| store(&mut backend, request));
                let goes_well = left > 0;
                left -= left.min(1);
                answer.filter(|_| goes_well).unwrap_or_else(|| status(503, ""))
            });
            let again = batch.into_iter().zip(fates).filter(|(_, fate)| *fate != Fate::Stored);
            waiting.extend(again.map(|(message, _)| message));
        }
        prop_assert!(waiting.is_empty());
        for session in [SESSION, OTHER] {
            prop_assert_eq!(fields_of(&backend, session), fields_of(&expected, session));
        }
    }
}
