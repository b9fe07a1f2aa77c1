//! Through the queue: what was answered with 202 becomes what sending it at once would have made,
//! merged and in order, whatever fails on the way and however often the queue brings it again.

use honeyhive_edge::core::relay::consumer::{BatchAction, Consumer, Fate, Incoming};
use honeyhive_edge::core::relay::message::Message;
use honeyhive_edge::core::relay::passage::{BodyRead, Forward};
use honeyhive_edge::core::relay::rate::Rates;
use honeyhive_edge::core::relay::sequence::Sequences;
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
    Message { target, stamp_ns, fields: fields.to_string(), link: None }.write()
}

/// Delivers a batch whose messages come for the first time; `answer` is the backend. What became of each
/// message, and the log.
fn deliver(
    consumer: &mut Consumer,
    settings: &RelaySettings,
    batch: &[String],
    answer: &mut dyn FnMut(&Request) -> Answer,
) -> (Vec<Fate>, Vec<String>) {
    let incoming = |text: &String| Incoming { text: text.clone(), attempts: 1 };
    let mut now_ms = NOW_MS + 60_000;
    let mut delivery = consumer.open(settings, batch.iter().map(incoming).collect(), now_ms);
    let mut on_the_way: Vec<(usize, Request)> = Vec::new();
    loop {
        // As many sessions at once as may be; one request each.
        match consumer.next(&mut delivery, now_ms) {
            BatchAction::Send { session, request } => {
                assert!(on_the_way.iter().all(|(other, _)| *other != session));
                on_the_way.push((session, request));
            }
            BatchAction::Answer => {
                let (session, request) = on_the_way.pop().expect("it waits for an answer");
                consumer.answered(&mut delivery, session, &answer(&request), now_ms);
            }
            BatchAction::Wait(ms) => now_ms += ms,
            BatchAction::Over => break,
        }
    }
    assert!(on_the_way.is_empty());
    let (fates, log) = consumer.close(delivery, now_ms);
    (fates, log.into_iter().map(|line| line.message).collect())
}

fn store(backend: &mut Backend, request: &Request) -> Answer {
    let path = request.url.trim_start_matches("https://hive.example");
    let (code, body) = backend.take(request.method, path, "sekret", 1, &request.body);
    status(code, &body)
}

/// Stores a request at a backend that goes by the timestamps.
fn store_by_stamp(backend: &mut Backend, request: &Request) -> Answer {
    let headers: Value = serde_json::from_str(&request.headers).unwrap();
    let stamp = headers["hh-client-timestamp"].as_str().unwrap().parse().unwrap();
    let path = request.url.trim_start_matches("https://hive.example");
    let (code, body) = backend.take(request.method, path, "sekret", stamp, &request.body);
    status(code, &body)
}

/// Messages of one session as a relay writes them one after the other, a millisecond apart.
fn messages_in_order(relay: &mut Sequences, from_ms: u64, fields: &[Value]) -> Vec<String> {
    let id = SessionId::new(SESSION).unwrap();
    let write = |(at_ms, fields): (u64, &Value)| {
        let (stamp_ns, link) = relay.next(id, (NOW_MS + at_ms) * 1_000_000);
        let (target, fields) = (Target::Session(id), fields.to_string());
        Message { target, stamp_ns, fields, link: Some(link) }.write()
    };
    (from_ms..).zip(fields).map(write).collect()
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
fn an_older_value_loses_to_a_newer_one_that_another_isolate_delivers() {
    let settings = relay(json!({}));
    let said = [
        json!({"feedback": {"rating": 1}}),
        json!({"feedback": {"rating": 5}}),
        json!({"metadata": {"page": 2}}),
        json!({"metadata": {"page": 3}}),
    ];
    let all = messages_in_order(&mut Sequences::new(1), 0, &said);
    let expected =
        json!({"feedback": {"rating": 5}, "metadata": {"page": 3}}).as_object().unwrap().clone();
    for of_first in 0..16_u8 {
        let (here, there): (Vec<_>, Vec<_>) =
            (0..4).partition(|place| of_first & (1 << place) != 0);
        for both in [[&here, &there], [&there, &here]] {
            let mut backend = Backend::default();
            for places in both {
                let batch: Vec<String> = places.iter().map(|place| all[*place].clone()).collect();
                deliver(&mut Consumer::default(), &settings, &batch, &mut |request| {
                    store_by_stamp(&mut backend, request)
                });
            }
            assert_eq!(fields_of(&backend, SESSION), json!(expected), "{both:?}");
        }
    }
}

#[test]
fn messages_without_a_gap_are_one_request_and_one_more_for_each_gap() {
    let settings = relay(json!({}));
    let said: Vec<Value> = (0..100).map(|n| json!({"feedback": {format!("k{n}"): n}})).collect();
    let mut relay = Sequences::new(1);
    let all = messages_in_order(&mut relay, 0, &said);
    let mut consumer = Consumer::default();
    let mut requests_of = |batch: &[String]| {
        let mut requests = 0;
        let (fates, _) = deliver(&mut consumer, &settings, batch, &mut |_| {
            requests += 1;
            status(200, "{}")
        });
        assert!(fates.iter().all(|fate| *fate == Fate::Stored));
        requests
    };
    let backwards: Vec<String> = all.iter().rev().cloned().collect();
    assert_eq!(requests_of(&backwards), 2, "a start and an update");
    let more = messages_in_order(&mut relay, 1_000, &said);
    assert_eq!(requests_of(&more[..50]), 1);
    let gaps = [&more[60..70], &more[71..80], &more[90..]].concat();
    assert_eq!(requests_of(&gaps), 3);
    // What was missing comes late. Nothing later has its keys, so nothing is sent again.
    assert_eq!(requests_of(&more[50..60]), 1);
    assert_eq!(requests_of(&more[70..71]), 1);
}

#[test]
fn a_session_takes_few_requests_of_a_batch_however_many_gaps_it_has() {
    let settings = relay(json!({}));
    let said: Vec<Value> = (0..200).map(|n| json!({"feedback": {format!("k{n}"): n}})).collect();
    let all = messages_in_order(&mut Sequences::new(1), 0, &said);
    let mut backend = Backend::default();
    for odd in [1, 0] {
        let batch: Vec<String> = all.iter().skip(odd).step_by(2).cloned().collect();
        let mut requests = 0;
        let (fates, _) = deliver(&mut Consumer::default(), &settings, &batch, &mut |request| {
            requests += 1;
            store_by_stamp(&mut backend, request)
        });
        assert!(fates.iter().all(|fate| *fate == Fate::Stored));
        // The first one starts the session.
        assert!((10..=33).contains(&requests), "{requests} requests for {} messages", batch.len());
    }
    assert_eq!(fields_of(&backend, SESSION)["feedback"].as_object().unwrap().len(), 200);
}

#[test]
fn where_a_session_has_several_relays_or_clocks_each_message_keeps_its_time() {
    let settings = relay(json!({}));
    let stamps_of = |batch: Vec<String>| {
        let mut stamps = Vec::new();
        deliver(&mut Consumer::default(), &settings, &batch, &mut |request| {
            let headers: Value = serde_json::from_str(&request.headers).unwrap();
            let stamp: u64 = headers["hh-client-timestamp"].as_str().unwrap().parse().unwrap();
            if request.method == "PUT" {
                stamps.push(stamp / 1_000_000 - NOW_MS);
            }
            status(200, "{}")
        });
        stamps
    };
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|key| json!({"feedback": {key: 1}}));
    let (mut one, mut other) = (Sequences::new(1), Sequences::new(2));
    let mut batch = messages_in_order(&mut one, 10, &[a.clone(), b.clone()]);
    assert_eq!(stamps_of(batch.clone()), [11]);
    batch.extend(messages_in_order(&mut other, 20, &[a.clone(), b.clone()]));
    assert_eq!(stamps_of(batch), [10, 11, 20, 21]);
    // The second page's clock is behind.
    let mut relay = Sequences::new(3);
    let mut batch = messages_in_order(&mut relay, 30, std::slice::from_ref(&a));
    batch.extend(messages_in_order(&mut relay, 20, std::slice::from_ref(&b)));
    batch.extend(messages_in_order(&mut relay, 40, &[c, d]));
    assert_eq!(stamps_of(batch), [20, 30, 40, 41]);
}

#[test]
fn an_event_is_updated_in_order_and_never_started_whichever_routes_there_are() {
    let settings = relay(json!({}));
    let of_event = |at_ms: u64, fields: Value| {
        let stamp_ns = (NOW_MS + at_ms) * 1_000_000;
        let target = Target::Event(SessionId::new(OTHER).unwrap());
        Message { target, stamp_ns, fields: fields.to_string(), link: None }.write()
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
                retry_after: Some(RetryAfter::Seconds(90)),
                body: String::new(),
            },
        };
    let (fates, _) = deliver(&mut Consumer::default(), &settings, &batch, &mut fails);
    assert_eq!(fates, [Fate::Again { after_s: Some(90) }, Fate::Stored]);
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

/// What a session has of `feedback`, and how many requests it took, where an early message that is poison, or sound,
/// comes after a hundred later ones, and the request with this number fails.
fn late_message(early: &Value, fails: Option<usize>) -> (Consumer, Backend, Vec<Fate>, usize) {
    let settings = relay(json!({}));
    let (mut backend, mut consumer) = (Backend::default(), Consumer::default());
    let later: Vec<String> = (0..100)
        .map(|at| {
            message(SESSION, 10 + at, &json!({"feedback": {"last": at, format!("k{at}"): at}}))
        })
        .collect();
    deliver(&mut consumer, &settings, &later, &mut |request| store(&mut backend, request));
    let batch = [
        message(SESSION, 1, &json!({"feedback": {"last": "early", "early": true}})),
        message(SESSION, 2, early),
    ];
    let mut requests = 0;
    let (fates, _) = deliver(&mut consumer, &settings, &batch, &mut |request| {
        requests += 1;
        if Some(requests) == fails { status(503, "") } else { store(&mut backend, request) }
    });
    (consumer, backend, fates, requests)
}

#[test]
fn a_late_message_that_is_refused_costs_few_requests() {
    let (_, backend, fates, requests) = late_message(&json!({"metrics": {"a": "poison"}}), None);
    assert_eq!(fates, [Fate::Stored, AGAIN]);
    let feedback = &fields_of(&backend, SESSION)["feedback"];
    assert_eq!((&feedback["last"], &feedback["early"]), (&json!(99), &json!(true)));
    // With what was said later, without it, each of the two alone, and what was said later.
    assert_eq!(requests, 5);
}

#[test]
fn a_late_message_is_acknowledged_when_what_followed_it_is_stored_again() {
    for fails in 1..=5 {
        let poison = json!({"metrics": {"a": "poison"}});
        let (mut consumer, mut backend, fates, _) = late_message(&poison, Some(fails));
        assert_eq!(fates, [AGAIN, AGAIN], "{fails}");
        // Whatever comes next of the session sets it right.
        let next = [message(SESSION, 500, &json!({"metrics": {"next": 1}}))];
        deliver(&mut consumer, &relay(json!({})), &next, &mut |it| store(&mut backend, it));
        assert_eq!(fields_of(&backend, SESSION)["feedback"]["last"], 99, "{fails}");
    }
}

#[test]
fn a_message_from_the_future_moves_no_other() {
    let settings = relay(json!({}));
    let mut consumer = Consumer::default();
    let mut stamps = Vec::new();
    let mut deliver = |batch: &[String]| {
        deliver(&mut consumer, &settings, batch, &mut |request| {
            let headers: Value = serde_json::from_str(&request.headers).unwrap();
            let stamp: u64 = headers["hh-client-timestamp"].as_str().unwrap().parse().unwrap();
            stamps.push(stamp / 1_000_000 - NOW_MS);
            status(200, "{}")
        })
    };
    let target = Target::Session(SessionId::new(OTHER).unwrap());
    let fields = json!({"feedback": {"a": 1}}).to_string();
    for stamp_ns in [u64::MAX, (NOW_MS + 86_400_000) * 1_000_000] {
        deliver(&[Message { target, stamp_ns, fields: fields.clone(), link: None }.write()]);
    }
    deliver(&[message(SESSION, 7, &json!({"feedback": {"a": 1}}))]);
    deliver(&[message(OTHER, 9, &json!({"feedback": {"a": 2}}))]);
    // Batches come after a minute.
    assert!(stamps.iter().all(|stamp_ms| *stamp_ms <= 60_000), "{stamps:?}");
    assert_eq!(stamps[3..5], [7, 7], "its own, to the start and to the update: {stamps:?}");
}

#[test]
fn requests_are_stamped_with_their_own_time_whatever_was_sent_before() {
    let settings = relay(json!({}));
    let mut stamps = Vec::new();
    let mut consumer = Consumer::default();
    for at_ms in [50_000, 10, 30_000] {
        let session = format!("0a0a0a0a-0000-4000-8000-{at_ms:012}");
        let batch = [message(&session, at_ms, &json!({"feedback": {"a": 1}}))];
        deliver(&mut consumer, &settings, &batch, &mut |request| {
            let headers: Value = serde_json::from_str(&request.headers).unwrap();
            stamps.push(headers["hh-client-timestamp"].as_str().unwrap().to_owned());
            status(200, "{}")
        });
    }
    let expected = [50_000, 50_000, 10, 10, 30_000, 30_000];
    let expected = expected.iter().zip([0, 1].iter().cycle());
    let expected: Vec<String> = expected
        .map(|(at_ms, second)| ((NOW_MS + at_ms) * 1_000_000 + second).to_string())
        .collect();
    assert_eq!(stamps, expected);
}

#[test]
fn an_older_rating_stays_undone_however_long_it_was_told_to_wait() {
    let settings = relay(json!({}));
    let (mut backend, mut consumer) = (Backend::default(), Consumer::default());
    let rating = |at_ms, rating| message(SESSION, at_ms, &json!({"feedback": {"rating": rating}}));
    let mut deliver_at = |text: String, now_ms, is_well: bool| {
        let incoming = vec![Incoming { text, attempts: 1 }];
        let mut delivery = consumer.open(&settings, incoming, now_ms);
        while let BatchAction::Send { session, request } = consumer.next(&mut delivery, now_ms) {
            let answer = match is_well {
                true => store(&mut backend, &request),
                false => Answer::Http {
                    status: 503,
                    retry_after: Some(RetryAfter::Seconds(40_000)),
                    body: String::new(),
                },
            };
            consumer.answered(&mut delivery, session, &answer, now_ms);
        }
        consumer.close(delivery, now_ms).0.remove(0)
    };
    let fate = deliver_at(rating(1, 1), NOW_MS + 10, false);
    assert_eq!(fate, Fate::Again { after_s: Some(40_000) });
    deliver_at(rating(2, 5), NOW_MS + 1_000, true);
    // Others are delivered, and forgotten, meanwhile.
    for hour in 1..11 {
        let now_ms = NOW_MS + hour * 3_600_000;
        let text = message(OTHER, hour * 3_600_000, &json!({"feedback": {"a": 1}}));
        deliver_at(text, now_ms, true);
    }
    assert_eq!(deliver_at(rating(1, 1), NOW_MS + 40_100_000, true), Fate::Stored);
    assert_eq!(fields_of(&backend, SESSION)["feedback"], json!({"rating": 5}));
}

#[test]
fn a_retry_after_that_asks_for_nothing_uses_up_no_attempts() {
    let settings = relay(json!({"retryDelay": 10}));
    let mut consumer = Consumer::default();
    let text = message(SESSION, 1, &json!({"feedback": {"a": 1}}));
    for retry_after in [RetryAfter::Seconds(0), RetryAfter::At(0), RetryAfter::Seconds(1)] {
        let mut waited_s = 0;
        for attempts in 1..=20 {
            let incoming = vec![Incoming { text: text.clone(), attempts }];
            let mut delivery = consumer.open(&settings, incoming, NOW_MS);
            while let BatchAction::Send { session, .. } = consumer.next(&mut delivery, NOW_MS) {
                let answer = Answer::Http {
                    status: 503,
                    retry_after: Some(retry_after),
                    body: String::new(),
                };
                consumer.answered(&mut delivery, session, &answer, NOW_MS);
            }
            match consumer.close(delivery, NOW_MS).0[..] {
                [Fate::Again { after_s }] => waited_s += after_s.unwrap_or(10),
                ref other => panic!("{other:?}"),
            }
        }
        assert!(waited_s > 7_200, "{retry_after:?}: {waited_s} s");
    }
}

#[test]
fn a_backend_that_is_down_is_asked_little_and_one_that_works_again_gets_all() {
    let settings = relay(json!({}));
    let mut consumer = Consumer::default();
    let batch: Vec<String> = (0..100)
        .map(|at| {
            let session = format!("0a0a0a0a-0000-4000-8000-{at:012}");
            message(&session, at, &json!({"feedback": {"a": at}}))
        })
        .collect();
    let mut requests = 0;
    for _ in 0..2 {
        let before = requests;
        let (fates, _) = deliver(&mut consumer, &settings, &batch, &mut |_| {
            requests += 1;
            status(503, "")
        });
        assert!(fates.iter().all(|fate| *fate == AGAIN));
        assert!(requests - before < 30, "{}", requests - before);
    }
    let after_outage = requests;
    let (fates, _) = deliver(&mut consumer, &settings, &batch, &mut |_| {
        requests += 1;
        status(200, "{}")
    });
    assert!(fates.iter().all(|fate| *fate == Fate::Stored));
    assert_eq!(requests - after_outage, 200);
    // One that asks to be left alone is left alone, and what was not sent does not wait as long.
    let mut busy = |_: &Request| Answer::Http {
        status: 429,
        retry_after: Some(RetryAfter::Seconds(3_600)),
        body: String::new(),
    };
    let (fates, _) = deliver(&mut consumer, &settings, &batch, &mut busy);
    let asked = Fate::Again { after_s: Some(3_600) };
    let told = fates.iter().filter(|fate| **fate == asked).count();
    assert!((1..=10).contains(&told), "{told}");
    assert!(fates.iter().all(|fate| *fate == asked || *fate == AGAIN));
}

#[test]
fn the_page_hears_that_its_inputs_are_on_their_way() {
    let settings = relay(json!({"queue": true}));
    let asked = head("POST", "/honeyhive/v1/sessions", &ticket(&["inputs"]));
    let mut passage = pass(&settings, asked, &mut Rates::default()).unwrap();
    let body = json!({"session_id": SESSION, "inputs": {"q": 1}}).to_string();
    let forward =
        passage.forward(BodyRead::Whole(body.as_bytes()), &mut Sequences::new(1), NOW_MS).unwrap();
    let Forward::Enqueue(text) = forward else { panic!("{forward:?}") };
    assert!(!text.contains("sekret") && !text.contains("hht1"), "{text}");
    let first = "\n1 1 0";
    assert_eq!(text, [&message(SESSION, 0, &json!({"inputs": {"q": 1}})), first].concat());
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
        passage.forward(BodyRead::Whole(body.as_bytes()), &mut Sequences::new(1), NOW_MS)
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
