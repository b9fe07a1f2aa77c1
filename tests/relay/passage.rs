//! What passes the relay, and how it comes out at the other side.

use std::cell::RefCell;
use std::rc::Rc;

use honeyhive_edge::core::relay::passage::{BodyRead, End, Forward, Passage, PassageAction};
use honeyhive_edge::core::relay::rate::Rates;
use honeyhive_edge::core::relay::sequence::Sequences;
use honeyhive_edge::core::relay::settings::RelaySettings;
use honeyhive_edge::core::retry::RetryAfter;
use honeyhive_edge::core::wire::{Answer, Request};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use crate::backend::Backend;
use crate::harness::{Bench, status};
use crate::{NOW_MS, SESSION, cases, head, pass, relay, relayed, ticket, ticket_of_events};

fn sent(outcome: Result<Forward, End>) -> Request {
    match outcome.unwrap() {
        Forward::Send(request) => request,
        other => panic!("{other:?}"),
    }
}

fn headers(request: &Request) -> Value {
    serde_json::from_str(&request.headers).unwrap()
}

fn code(outcome: Result<Forward, End>) -> (u16, String) {
    let response = outcome.unwrap_err().response;
    let body: Value = serde_json::from_str(&response.body).unwrap();
    assert_eq!(body["statusCode"], response.status);
    (response.status, body["errorCode"].as_str().unwrap().to_owned())
}

fn update_path() -> String {
    ["/honeyhive/v1/events/", SESSION].concat()
}

#[test]
fn the_key_takes_the_tickets_place() {
    let settings = relay(json!({}));
    let mut asked = head("PUT", &update_path(), &ticket(&["feedback"]));
    asked.stamp = Some("1699999999000000007".into());
    let request = sent(relayed(&settings, asked, r#"{"feedback":{"rating":5}}"#));
    assert_eq!(request.method, "PUT");
    assert_eq!(request.url, ["https://hive.example/v1/events/", SESSION].concat());
    assert_eq!(request.body, r#"{"feedback":{"rating":5}}"#);
    let headers = headers(&request);
    assert_eq!(headers["authorization"], "Bearer sekret");
    assert_eq!(headers["hh-client-timestamp"], "1699999999000000007");
}

#[test]
fn an_update_that_finds_no_session_makes_it_and_is_stored_and_the_page_hears_of_that_alone() {
    let no = r#"{"message":"no such event","success":false}"#;
    let settings = relay(json!({"sessionName": "chat"}));
    let legacy = format!(r#"{{"event_id":"{SESSION}","feedback":{{"rating":5}}}}"#);
    for (path, body, found) in [
        (update_path(), r#"{"feedback":{"rating":5}}"#, status(404, no)),
        ("/honeyhive/events".to_owned(), legacy.as_str(), status(400, no)),
    ] {
        let asked = head("PUT", &path, &ticket(&["feedback"]));
        let mut passage = pass(&settings, asked, &mut Rates::default()).unwrap();
        let update =
            sent(passage.forward(BodyRead::Whole(body.as_bytes()), &mut Sequences::new(1), NOW_MS));
        let PassageAction::Send(start) = passage.answered(&found, false, NOW_MS) else { panic!() };
        assert_eq!(start.method, "POST");
        let mut said: Value = serde_json::from_str(&start.body).unwrap();
        if path.ends_with("/events") {
            said = said["session"].clone();
        }
        assert_eq!((&said["session_id"], &said["session_name"]), (&json!(SESSION), &json!("chat")));
        assert_eq!(said.get("feedback"), None);
        let made = status(200, r#"{"session_id":"x","inputs":{"secret":1}}"#);
        let PassageAction::Send(again) = passage.answered(&made, false, NOW_MS) else { panic!() };
        assert_eq!(again, update);
        for (answer, told) in [(status(200, "{}"), 200), (found.clone(), 404)] {
            let PassageAction::End(end) = passage.answered(&answer, false, NOW_MS) else {
                panic!()
            };
            let is_stored = end.response.status == 200;
            assert_eq!(is_stored, told == 200, "once: {:?}", end.response);
            assert!(!end.response.body.contains("secret"));
        }
    }
}

const ANSWERS: [&str; 3] = [
    "7d0c6a1e-0000-4000-8000-000000000001",
    "7d0c6a1e-0000-4000-8000-000000000002",
    "7d0c6a1e-0000-4000-8000-000000000003",
];

#[test]
fn a_ticket_of_events_lets_feedback_on_these_through_and_nothing_else() {
    let body = r#"{"feedback":{"thumb":"up"}}"#;
    let legacy = |id: &str| format!(r#"{{"event_id":"{id}","feedback":{{"thumb":"up"}}}}"#);
    let path = |id: &str| format!("/honeyhive/v1/events/{id}");
    let start = json!({ "session_id": SESSION });
    let of_second = ticket_of_events(&ANSWERS[1..2]);
    for options in [json!({}), json!({"queue": true})] {
        let settings = relay(options.clone());
        let ask = |method, path: &str, ticket: &str, body: &str| {
            relayed(&settings, head(method, path, ticket), body)
        };
        for (path, body) in
            [(path(ANSWERS[1]), body.to_owned()), ("/honeyhive/events".into(), legacy(ANSWERS[1]))]
        {
            match ask("PUT", &path, &of_second, &body).unwrap() {
                Forward::Enqueue(message) => {
                    let line = format!("hhqe1 {} 1700000000000000000\n", ANSWERS[1]);
                    assert_eq!(
                        message,
                        [&line, r#"{"feedback":{"thumb":"up"}}"#, "\n1 1 0"].concat()
                    );
                }
                Forward::Send(request) => {
                    let is_v1 = request.url.ends_with(ANSWERS[1]);
                    assert!(is_v1 || request.url.ends_with("/events"), "{}", request.url);
                    assert_eq!(request.body, body);
                }
            }
        }
        let refused = |method, path: &str, body: &str| code(ask(method, path, &of_second, body));
        let other = (403, "EVENT_NOT_ALLOWED".to_owned());
        for id in [ANSWERS[0], ANSWERS[2], SESSION, "another"] {
            assert_eq!(refused("PUT", &path(id), body), other, "{id}");
            assert_eq!(refused("PUT", "/honeyhive/events", &legacy(id)), other, "{id}");
        }
        let field = (403, "FIELD_NOT_ALLOWED".to_owned());
        assert_eq!(refused("PUT", &path(ANSWERS[1]), r#"{"metadata":{"a":1}}"#), field);
        assert_eq!(refused("POST", "/honeyhive/v1/sessions", &start.to_string()), other);
        let legacy_start = json!({ "session": start }).to_string();
        assert_eq!(refused("POST", "/honeyhive/session/start", &legacy_start), other);

        // And a ticket of the session is for no event of it.
        let session = (403, "SESSION_NOT_ALLOWED".to_owned());
        let of_session = ticket(&["feedback"]);
        assert_eq!(code(ask("PUT", &path(ANSWERS[1]), &of_session, body)), session);
        let both = ticket_of_events(&[SESSION, ANSWERS[1]]);
        for id in [SESSION, ANSWERS[1]] {
            assert!(ask("PUT", &path(id), &both, body).is_ok());
        }
        assert!(ask("POST", "/honeyhive/v1/sessions", &both, &start.to_string()).is_ok());
    }
}

#[test]
fn a_relay_that_is_to_mask_masks_what_pages_left_in_clear() {
    let key = ["gh", "p_", "Zk3vQ9xT7bLm2RpW8cYdZk3vQ9xT7bLm2RpW"].concat();
    let body = format!(r#"{{"feedback":{{"password":"x","note":"my key is {key}","salary":1}}}}"#);
    let passed = |options: Value| {
        let asked = head("PUT", &update_path(), &ticket(&["feedback"]));
        match relayed(&relay(options), asked, &body) {
            Ok(Forward::Send(request)) => request.body,
            Ok(Forward::Enqueue(message)) => message,
            Err(end) => panic!("{end:?}"),
        }
    };
    assert_eq!(passed(json!({})), body);
    let on = json!({ "redact": true, "redactPatterns": true });
    assert_eq!(
        passed(on.clone()),
        r#"{"feedback":{"password":"[Redacted]","note":"my key is [Redacted]","salary":1}}"#
    );
    let mut queued = on.clone();
    queued["queue"] = json!(true);
    assert!(!passed(queued).contains(&key));
    let mut own = on;
    own["redactKeys"] = json!(["salary"]);
    assert_eq!(
        passed(own),
        r#"{"feedback":{"password":"x","note":"my key is [Redacted]","salary":"[Redacted]"}}"#
    );
}

#[test]
fn a_timestamp_from_the_future_or_none_is_the_relays_own() {
    let settings = relay(json!({}));
    for stamp in ["1700000000000000001", "99999999999999999999", "-5", "+5", "", "0", "1e9", "soon"]
    {
        let mut asked = head("PUT", &update_path(), &ticket(&["feedback"]));
        asked.stamp = Some(stamp.into());
        let request = sent(relayed(&settings, asked, r#"{"feedback":{}}"#));
        assert_eq!(headers(&request)["hh-client-timestamp"], "1700000000000000000", "{stamp}");
    }
}

#[test]
fn a_start_is_described_by_the_site_alone() {
    let settings = relay(json!({"sessionName": "chat", "source": "web", "project": "p"}));
    let start = json!({"session_id": SESSION, "inputs": {"q": 1}});
    let asked = head("POST", "/honeyhive/v1/sessions", &ticket(&["inputs"]));
    let request = sent(relayed(&settings, asked, &start.to_string()));
    assert_eq!(
        serde_json::from_str::<Value>(&request.body).unwrap(),
        json!({"session_id": SESSION, "session_name": "chat", "source": "web",
               "start_time": NOW_MS, "inputs": {"q": 1}})
    );
    let asked = head("POST", "/honeyhive/session/start", &ticket(&["inputs"]));
    let request = sent(relayed(&settings, asked, &json!({"session": start}).to_string()));
    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(
        (&body["session"]["project"], &body["session"]["session_id"]),
        (&json!("p"), &json!(SESSION))
    );
    let asked = head("PUT", "/honeyhive/events", &ticket(&["inputs"]));
    let request = sent(relayed(&settings, asked, &json!({"event_id": SESSION}).to_string()));
    assert_eq!(request.url, "https://hive.example/events");
    assert_eq!(request.body, json!({"event_id": SESSION}).to_string());
}

#[test]
fn the_order_of_the_checks_gives_nothing_away() {
    let settings = relay(json!({"rate": {"requests": 2, "seconds": 60}}));
    let good = ticket(&["feedback"]);
    let mut rates = Rates::default();
    let other = "/honeyhive/v1/events/0a0a0a0a-0000-4000-8000-000000000000";
    // What a ticket that is not right asks for is not looked at, and not counted.
    let forged = [&good[..good.len() - 2], "AA"].concat();
    for _ in 0..5 {
        let end = pass(&settings, head("PUT", other, &forged), &mut rates).unwrap_err();
        assert_eq!(end.response.status, 401);
    }
    // What a right one is refused counts.
    for expected in [403, 403, 429] {
        let end = pass(&settings, head("PUT", other, &good), &mut rates).unwrap_err();
        assert_eq!(end.response.status, expected);
    }
    let end = pass(&settings, head("PUT", &update_path(), &good), &mut rates).unwrap_err();
    assert!(end.response.headers.contains(&("retry-after", "30".into())), "{end:?}");
}

#[test]
fn a_relay_that_lacks_something_says_what() {
    for (options, missing) in [
        (json!({"apiKey": null}), "HH_API_KEY"),
        (json!({"disabled": true}), "`disabled` is set"),
        (json!({"hasSecret": false}), "HH_RELAY_SECRET"),
    ] {
        let end =
            relayed(&relay(options), head("PUT", &update_path(), &ticket(&["feedback"])), "{}");
        let end = end.unwrap_err();
        assert_eq!(end.response.status, 500);
        assert!(end.response.body.contains(missing), "{}", end.response.body);
    }
}

#[test]
fn pages_of_other_origins_may_ask_if_they_are_named() {
    let settings = relay(json!({"origins": ["https://blog.example"]}));
    let asked = |method: &str, origin: &str| {
        let mut head = head(method, &update_path(), &ticket(&["feedback"]));
        head.origin = Some(origin.into());
        head.wanted_method = Some("PUT".into());
        head
    };
    let has = |end: &End, name: &str, value: &str| {
        end.response.headers.iter().any(|(it, is)| *it == name && is == value)
    };
    let preflight = relayed(&settings, asked("OPTIONS", "https://blog.example"), "").unwrap_err();
    assert_eq!(preflight.response.status, 204);
    assert!(has(&preflight, "access-control-allow-origin", "https://blog.example"));
    assert!(has(&preflight, "access-control-allow-methods", "PUT"));
    assert!(has(&preflight, "access-control-allow-headers", "authorization, content-type"));
    // So that the page can read why, and when to come again.
    let refused = relayed(&settings, asked("PUT", "https://blog.example"), "").unwrap_err();
    assert!(has(&refused, "access-control-allow-origin", "https://blog.example"));
    for method in ["OPTIONS", "PUT"] {
        let refused = relayed(&settings, asked(method, "https://evil.example"), "{}").unwrap_err();
        assert_eq!(refused.response.status, 403);
        assert!(
            !refused.response.headers.iter().any(|(name, _)| name.starts_with("access-control"))
        );
        assert!(has(&refused, "vary", "origin"));
    }
}

#[test]
fn a_body_that_did_not_come_whole_is_refused() {
    let settings = relay(json!({"maxBodyBytes": 30}));
    let refused = |body: BodyRead<'_>| {
        let asked = head("PUT", &update_path(), &ticket(&["feedback"]));
        code(pass(&settings, asked, &mut Rates::default()).unwrap().forward(
            body,
            &mut Sequences::new(1),
            NOW_MS,
        ))
        .0
    };
    assert_eq!(refused(BodyRead::Whole(b"")), 400);
    assert_eq!(refused(BodyRead::Whole(b"{\"feedback\":{\"a\":\"\xff\"}}")), 400);
    assert_eq!(refused(BodyRead::Whole(&[b' '; 31])), 413);
    assert_eq!(refused(BodyRead::TooLarge), 413);
    assert_eq!(refused(BodyRead::TooSlow), 408);
    assert_eq!(refused(BodyRead::Broken), 400);
    let mut announced = head("PUT", &update_path(), &ticket(&["feedback"]));
    announced.content_length = Some("31".into());
    assert_eq!(code(relayed(&settings, announced, "{}")).0, 413);
}

/// A page's request with a ticket for inputs and feedback, on its way to the backend.
fn on_its_way(settings: &Rc<RelaySettings>, method: &str, path: &str, body: &str) -> Passage {
    let asked = head(method, path, &ticket(&["inputs", "feedback"]));
    let mut passage = pass(settings, asked, &mut Rates::default()).unwrap();
    passage.forward(BodyRead::Whole(body.as_bytes()), &mut Sequences::new(1), NOW_MS).unwrap();
    passage
}

/// What the page is answered after the backend's answer to its update, which is the same to all that follows.
fn update_answered(settings: &Rc<RelaySettings>, answer: Answer) -> End {
    let mut passage = on_its_way(settings, "PUT", &update_path(), r#"{"feedback":{}}"#);
    for _ in 0..2 {
        if let PassageAction::End(end) = passage.answered(&answer, false, NOW_MS) {
            return end;
        }
    }
    panic!("it has no end");
}

fn body_of(end: &End) -> Value {
    serde_json::from_str(&end.response.body).unwrap()
}

fn said_to_log(end: &End) -> String {
    end.log.iter().map(|line| format!("{} {}\n", line.level.name(), line.message)).collect()
}

#[test]
fn the_page_hears_no_more_of_the_answer_than_it_has_to() {
    let settings = relay(json!({}));
    let session = json!({"session_id": SESSION, "inputs": {"q": 1}, "metadata": {"plan": "x"}});
    let update = |answer| update_answered(&settings, answer);
    assert_eq!(body_of(&update(status(200, &session.to_string()))), json!({"success": true}));
    // That the relay's own key is refused is not the page's fault, and no reason to give up.
    for refused in [401, 403] {
        let end = update(status(refused, r#"{"message":"bad key sekret"}"#));
        assert_eq!(
            (end.response.status, &body_of(&end)["errorCode"]),
            (502, &json!("RELAY_KEY_REFUSED"))
        );
        assert!(end.log[0].message.contains("refused the API key"), "{end:?}");
        assert!(!format!("{end:?}").contains("sekret"));
    }
    assert_eq!(
        update(status(404, "")).response.status,
        404,
        "an older deployment: the page tries its routes"
    );
    assert_eq!(update(status(302, "")).response.status, 502);
    assert_eq!(update(Answer::None { why: "sekret".into() }).response.status, 502);
    let retry_after = Some(RetryAfter::Seconds(7));
    let end = update(Answer::Http { status: 503, retry_after, body: "sekret".into() });
    assert_eq!(end.response.status, 503);
    assert!(end.response.headers.contains(&("retry-after", "7".into())));
    assert!(!end.response.body.contains("sekret"));
}

#[test]
fn the_backends_own_words_are_for_the_log() {
    let words = "duplicate key in events_2 at db-7.internal: SELECT id FROM tenants";
    for code in [400, 402, 404, 405, 408, 409, 413, 422, 429, 451, 500, 503, 599] {
        let answer = || status(code, &json!({"message": format!("{words} sekret")}).to_string());
        let end = update_answered(&relay(json!({})), answer());
        assert_eq!(end.response.status, code);
        assert_eq!(body_of(&end)["errorCode"], "BACKEND_REFUSED");
        for word in ["events_2", "db-7", "SELECT", "sekret"] {
            assert!(!format!("{:?}", end.response).contains(word), "{code}: {end:?}");
        }
        let log = said_to_log(&end);
        assert!(log.starts_with("warn ") && log.contains(&format!("({code}): {words}")), "{log}");
        assert!(!log.contains("sekret"), "{log}");
        let quiet = update_answered(&relay(json!({"logLevel": "error"})), answer());
        assert_eq!(quiet.log, []);
    }
}

#[test]
fn a_success_that_stored_nothing_is_told_as_none() {
    let settings = relay(json!({}));
    for route in ["PUT", "POST"] {
        let answered = |body: &str| {
            let (path, sent) = match route {
                "PUT" => (update_path(), r#"{"feedback":{"a":1}}"#.to_owned()),
                _ => ("/honeyhive/v1/sessions".into(), json!({"session_id": SESSION}).to_string()),
            };
            let mut passage = on_its_way(&settings, route, &path, &sent);
            match passage.answered(&status(200, body), false, NOW_MS) {
                PassageAction::End(end) => end,
                PassageAction::Send(request) => panic!("{request:?}"),
            }
        };
        for body in [r#"{"success":false,"message":"over at db-7"}"#, r#" { "success" : false }"#] {
            let end = answered(body);
            assert_eq!(end.response.status, 422, "as one that refuses what was sent: {end:?}");
            assert_eq!(body_of(&end)["success"], false);
            assert!(!end.response.body.contains("db-7"));
            assert!(said_to_log(&end).contains("(200)"), "{end:?}");
        }
        for body in ["<html>", "Sign in to use this network", "[]", "null"] {
            let end = answered(body);
            assert_eq!(end.response.status, 502, "{body}: {end:?}");
            assert_eq!(body_of(&end)["errorCode"], "NO_HONEYHIVE");
            assert!(said_to_log(&end).starts_with("error the relay: "), "{end:?}");
        }
        for body in ["", "{}", "OK"] {
            assert_eq!(answered(body).response.status, 200, "{body}");
        }
    }
}

#[test]
fn a_start_says_nothing_of_the_inputs_that_the_session_has() {
    let settings = relay(json!({}));
    let mut answers = Vec::new();
    // The session's own input was guessed, or not, or there is none; or the backend does not say.
    for stored in [
        json!({"inputs": {"q": 1, "own": true}}),
        json!({"inputs": {"q": 1}}),
        json!({"inputs": {"q": 1, "own": false, "secret": 2}, "metadata": {"plan": "x"}}),
        json!({"inputs": {}}),
        json!({}),
    ] {
        for (path, is_legacy) in [("/v1/sessions", false), ("/session/start", true)] {
            let start = json!({"session_id": SESSION, "inputs": {"q": 1, "own": true}});
            let sent = if is_legacy { json!({"session": start}) } else { start };
            let path = ["/honeyhive", path].concat();
            let mut passage = on_its_way(&settings, "POST", &path, &sent.to_string());
            let mut end = passage.answered(&status(200, &stored.to_string()), false, NOW_MS);
            let is_stored = stored["inputs"] == json!({"q": 1, "own": true});
            assert_eq!(is_stored, matches!(end, PassageAction::End(_)), "{stored}");
            if let PassageAction::Send(update) = end {
                let body: Value = serde_json::from_str(&update.body).unwrap();
                assert_eq!(body["metadata"], json!({"inputs": {"q": 1, "own": true}}));
                let url = match is_legacy {
                    true => "https://hive.example/events".to_owned(),
                    false => ["https://hive.example/v1/events/", SESSION].concat(),
                };
                assert_eq!((update.method, update.url), ("PUT", url));
                assert_eq!(body.get("event_id").is_some(), is_legacy);
                end = passage.answered(&status(200, "{}"), false, NOW_MS);
            }
            let PassageAction::End(end) = end else { panic!("{end:?}") };
            answers.push(end);
        }
    }
    assert_eq!(
        body_of(&answers[0]),
        json!({"success": true, "session_id": SESSION, "inputs": {"q": 1, "own": true}})
    );
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[test]
fn inputs_that_are_masked_on_the_way_are_told_to_be_stored() {
    let settings = relay(json!({"redact": true, "redactPatterns": true}));
    let start = json!({"session_id": SESSION, "inputs": {"password": "hunter2"}}).to_string();
    let mut passage = on_its_way(&settings, "POST", "/honeyhive/v1/sessions", &start);
    let stored = status(200, r#"{"inputs":{"password":"[Redacted]"}}"#);
    let PassageAction::End(end) = passage.answered(&stored, false, NOW_MS) else {
        panic!("said twice")
    };
    assert_eq!(body_of(&end)["inputs"], json!({"password": "hunter2"}));
    let mut passage = on_its_way(&settings, "POST", "/honeyhive/v1/sessions", &start);
    let PassageAction::Send(update) = passage.answered(&status(200, "{}"), false, NOW_MS) else {
        panic!()
    };
    assert!(!update.body.contains("hunter2"), "{}", update.body);
}

#[test]
fn where_late_inputs_fail_the_page_starts_the_session_again() {
    let settings = relay(json!({}));
    for (answer, told) in [
        (status(503, ""), 503),
        (status(404, ""), 503),
        (status(422, ""), 422),
        (Answer::None { why: String::new() }, 502),
    ] {
        let start = json!({"session_id": SESSION, "inputs": {"q": 1}}).to_string();
        let mut passage = on_its_way(&settings, "POST", "/honeyhive/v1/sessions", &start);
        let next = passage.answered(&status(200, r#"{"inputs":{"q":2}}"#), false, NOW_MS);
        assert!(matches!(next, PassageAction::Send(_)));
        let PassageAction::End(end) = passage.answered(&answer, false, NOW_MS) else { panic!() };
        assert_eq!(end.response.status, told, "{end:?}");
    }
}

#[test]
fn refusals_are_logged_where_everything_is_and_never_with_the_ticket() {
    let loud = relay(json!({"logLevel": "debug"}));
    let ticket = ticket(&["feedback"]);
    let asked = || head("PUT", &update_path(), &ticket);
    let end = relayed(&loud, asked(), r#"{"metrics":{"a":1}}"#).unwrap_err();
    assert!(end.log[0].message.contains("403: the ticket does not allow `metrics`"), "{end:?}");
    assert!(!format!("{end:?}").contains(&ticket));
    let end = relayed(&relay(json!({})), asked(), r#"{"metrics":{"a":1}}"#).unwrap_err();
    assert_eq!(end.log, []);
}

const FIELDS: [&str; 10] = [
    "metadata",
    "inputs",
    "outputs",
    "config",
    "feedback",
    "metrics",
    "userProperties",
    "duration",
    "endTime",
    "error",
];

fn enrichments() -> impl Strategy<Value = Value> {
    let object = vec(("[a-c]", any::<i32>()), 1..4).prop_map(|members| {
        Value::Object(members.into_iter().map(|(key, value)| (key, json!(value))).collect())
    });
    vec((select(FIELDS.to_vec()), object, any::<u32>()), 1..4).prop_map(|fields| {
        let value = |name: &str, object, number| match name {
            "duration" | "endTime" => json!(number),
            _ => object,
        };
        let members = fields
            .into_iter()
            .map(|(name, object, number)| (name.to_owned(), value(name, object, number)));
        Value::Object(members.collect())
    })
}

proptest! {
    #![proptest_config(cases(300))]

    /// Whatever the tracer in the page sends of fields that its ticket allows passes the relay, and
    /// the backend's session is what it would be without one. Whatever else it sends does not.
    #[test]
    fn the_tracer_in_a_page_writes_what_its_ticket_allows_and_nothing_else(
        allowed in subsequence(FIELDS.to_vec(), 1..=FIELDS.len()),
        enrichments in vec(enrichments(), 1..6),
        is_legacy in any::<bool>(),
        exists in any::<bool>(),
        waits in vec(0..400_u64, 6),
    ) {
        let ticket = ticket(&allowed);
        let allows = |name: &str| {
            allowed.contains(&name) || (name == "error" && allowed.contains(&"metadata"))
        };
        // One that is allowed in part may be stored in part: a start goes before its update.
        let of_one_kind = |mut enrichment: Value| {
            let fields = enrichment.as_object_mut().unwrap();
            let is_allowed = allows(fields.keys().next().unwrap());
            fields.retain(|name, _| allows(name) == is_allowed);
            enrichment
        };
        let enrichments: Vec<Value> = enrichments.into_iter().map(of_one_kind).collect();
        let stored = Rc::new(RefCell::new(Backend { is_legacy, is_lenient: true, ..Backend::default() }));
        if exists {
            let start = json!({"session_id": SESSION, "inputs": {"a": 0, "z": 0}});
            let start = if is_legacy { json!({"session": start}) } else { start };
            let path = if is_legacy { "/session/start" } else { "/v1/sessions" };
            stored.borrow_mut().take("POST", path, "sekret", 1, &start.to_string());
        }
        let settings = relay(json!({}));
        let at_relay = stored.clone();
        let rates = RefCell::new(Rates::default());
        let mut bench = Bench::new(move |request| {
            let path = request.url.trim_start_matches("https://shop.example");
            let ticket = headers(request)["authorization"].as_str().unwrap()[7..].to_owned();
            let mut passage =
                match pass(&settings, head(request.method, path, &ticket), &mut rates.borrow_mut()) {
                    Ok(passage) => passage,
                    Err(end) => return status(end.response.status, &end.response.body),
                };
            let mut request = match passage.forward(BodyRead::Whole(request.body.as_bytes()), &mut Sequences::new(1), NOW_MS) {
                Err(end) => return status(end.response.status, &end.response.body),
                Ok(Forward::Send(request)) => request,
                Ok(other) => panic!("{other:?}"),
            };
            loop {
                let path = request.url.trim_start_matches("https://hive.example");
                let (code, body) =
                    at_relay.borrow_mut().take(request.method, path, "sekret", 1, &request.body);
                match passage.answered(&status(code, &body), false, NOW_MS) {
                    PassageAction::Send(next) => request = next,
                    PassageAction::End(end) => return status(end.response.status, &end.response.body),
                }
            }
        });
        let options = json!({"apiKey": null, "serverUrl": "/honeyhive", "page": "https://shop.example", "ticket": ticket, "redact": false});
        let tracer = bench.init(options).tracer;
        let mut ids = Vec::new();
        for (enrichment, wait) in enrichments.iter().zip(&waits) {
            ids.push(bench.enrich(tracer, None, enrichment.clone()));
            bench.run(*wait);
        }
        bench.run(20_000);

        let mut expected = Backend::default();
        let start = json!({"session_id": SESSION, "inputs": if exists { json!({"a": 0, "z": 0}) } else { json!({}) }});
        expected.take("POST", "/v1/sessions", "sekret", 1, &start.to_string());
        for (id, enrichment) in ids.iter().zip(&enrichments) {
            let names: Vec<&str> = enrichment.as_object().unwrap().keys().map(|it| &**it).collect();
            // Inputs are the start's own, or part of the metadata: as it comes.
            let may_be_either = names.contains(&"inputs")
                && allowed.contains(&"metadata")
                && !allowed.contains(&"inputs");
            if !may_be_either || !names.iter().all(|name| *name == "inputs" || allows(name)) {
                prop_assert_eq!(
                    bench.is_delivered(*id), names.iter().all(|name| allows(name)),
                    "{} {:?}", enrichment, bench.end_of(*id)
                );
            }
        }
        // Nothing makes it before something is said that is allowed.
        let fields = stored.borrow().sessions.values().next().map(|it| it.fields.clone());
        let fields = fields.unwrap_or_default();
        for (id, enrichment) in ids.iter().zip(&enrichments) {
            if bench.is_delivered(*id) {
                write_one(&mut expected, enrichment);
            }
        }
        let expected = &expected.sessions.values().next().unwrap().fields;
        prop_assert_eq!(without_inputs(fields), without_inputs(expected.clone()));
    }
}

/// Writes one enrichment as an update of its own. Where inputs go (the start's, or
/// `metadata.inputs`) is the simulation's affair.
fn write_one(backend: &mut Backend, enrichment: &Value) {
    let mut update = json!({});
    for (name, value) in enrichment.as_object().unwrap() {
        match name.as_str() {
            "inputs" => {}
            "error" => update["metadata"]["error"] = value.clone(),
            "metadata" => {
                for (key, value) in value.as_object().unwrap() {
                    update["metadata"][key] = value.clone();
                }
            }
            "userProperties" => update["user_properties"] = value.clone(),
            "endTime" => update["end_time"] = value.clone(),
            name => update[name] = value.clone(),
        }
    }
    backend.take("PUT", &["/v1/events/", SESSION].concat(), "sekret", 1, &update.to_string());
}

fn without_inputs(
    mut fields: std::collections::BTreeMap<String, Value>,
) -> std::collections::BTreeMap<String, Value> {
    fields.remove("inputs");
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("inputs");
    }
    fields.retain(|_, value| *value != json!({}));
    fields
}
