//! Tickets that end while a page is open: given anew by `setTicket` or by a function, to a relay that looks at the
//! clock and the session of each.

#![cfg(not(target_arch = "wasm32"))]

mod harness;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use harness::{Bench, status};
use honeyhive_edge::core::outcome::{Outcome, Reason};
use honeyhive_edge::core::registry::Turn;
use honeyhive_edge::core::time::Now;
use honeyhive_edge::core::wire::{Answer, Request};
use proptest::prelude::*;
use serde_json::{Value, json};

const RELAY: &str = "https://shop.example/honeyhive";
const SESSION: &str = "0a0a0a0a-0000-4000-8000-000000000000";
const OTHER: &str = "1b1b1b1b-0000-4000-8000-000000000000";
/// When the bench's time begins, Unix seconds.
const BEGIN_S: u64 = 1_700_000_000;

/// A ticket for `session` that ends `seconds` after the bench's time begins.
fn ticket(session: &str, seconds: u64) -> String {
    format!("hht1.{session}.feedback~metadata.{}.c2lnbmF0dXJl", BEGIN_S + seconds)
}

/// What the relay has stored of each session, and how often it refused a ticket.
#[derive(Default)]
struct Relay {
    sessions: BTreeMap<String, Value>,
    refused: usize,
    /// Signed with a secret that it does not have any more.
    unknown: Vec<String>,
    now_ms: u64,
}

impl Relay {
    fn answer(&mut self, request: &Request) -> Answer {
        let says = |code: &str| {
            let body = json!({"success": false, "errorCode": code, "message": "the relay's words"});
            status(401, &body.to_string())
        };
        let headers: Value = serde_json::from_str(&request.headers).unwrap();
        let shown = headers["authorization"].as_str().unwrap().strip_prefix("Bearer ").unwrap();
        assert!(!shown.is_empty(), "nothing is sent without a ticket");
        if shown == "key" {
            return status(200, r#"{"success":true}"#);
        }
        let parts: Vec<&str> = shown.split('.').collect();
        if self.unknown.iter().any(|it| it == shown) {
            self.refused += 1;
            return says("TICKET_INVALID");
        }
        if self.now_ms >= parts[3].parse::<u64>().unwrap() * 1_000 {
            self.refused += 1;
            return says("TICKET_EXPIRED");
        }
        let named = request.url.rsplit_once('/').unwrap().1;
        assert_eq!(named, parts[1], "a request goes to its ticket's session");
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let stored = self.sessions.entry(named.to_owned()).or_insert_with(|| json!({}));
        for (field, value) in body.as_object().unwrap() {
            for (key, value) in value.as_object().unwrap() {
                stored[field][key] = value.clone();
            }
        }
        status(200, r#"{"success":true}"#)
    }
}

/// A page whose requests go to a relay, which reads the bench's clock at each step.
struct Visit {
    bench: Bench,
    relay: Rc<RefCell<Relay>>,
}

impl Visit {
    fn new() -> Visit {
        let relay = Rc::new(RefCell::new(Relay::default()));
        let of_page = relay.clone();
        let mut bench = Bench::new(move |request| of_page.borrow_mut().answer(request));
        bench.registry.restore("[]", 0, bench.now);
        bench.registry.turn(Turn::GoesOn { in_document: true }, bench.now);
        Visit { bench, relay }
    }

    fn run(&mut self, ms: u64) {
        let end = self.bench.now.mono_ms + ms;
        while self.bench.now.mono_ms < end {
            self.relay.borrow_mut().now_ms = self.bench.now.unix_ms;
            self.bench.run(10.min(end - self.bench.now.mono_ms));
        }
    }

    fn init(&mut self, more: Value) -> u64 {
        let mut options = json!({"serverUrl": RELAY, "logLevel": "debug", "apiKey": null});
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.bench.init(options).tracer
    }

    fn say(&mut self, tracer: u64, number: u64) -> u64 {
        let fields = json!({"feedback": {"last": number, (number.to_string()): true}});
        self.bench.enrich(tracer, None, fields)
    }

    fn set(&mut self, tracer: u64, ticket: &str) {
        self.bench.registry.set_ticket(tracer, Ok(ticket), false, 0, self.bench.now);
    }

    fn stored(&self, session: &str) -> Value {
        let sessions = &self.relay.borrow().sessions;
        sessions.get(session).map_or(Value::Null, |it| it["feedback"].clone())
    }

    fn lines(&self, text: &str) -> usize {
        self.bench.lines.iter().filter(|line| line.contains(text)).count()
    }
}

/// Gives a ticket for `session` that lasts `seconds` from when it is asked for.
fn lasts(
    session: &'static str,
    seconds: u64,
) -> Box<dyn FnMut(Now) -> Option<Result<String, String>>> {
    Box::new(move |now| Some(Ok(ticket(session, now.unix_ms.div_ceil(1_000) - BEGIN_S + seconds))))
}

#[test]
fn what_is_refused_for_its_age_waits_for_set_ticket_and_goes_out_in_order() {
    let mut visit = Visit::new();
    let tracer = visit.init(json!({"ticket": ticket(SESSION, 2)}));
    let first = visit.say(tracer, 1);
    visit.run(3_000);
    let late = [visit.say(tracer, 2), visit.say(tracer, 3)];
    visit.run(500);
    let later = visit.say(tracer, 4);
    visit.run(5_000);
    assert_eq!(visit.relay.borrow().refused, 1, "a refused ticket is not shown again");
    visit.set(tracer, &ticket(SESSION, 60));
    visit.run(500);
    for id in [first, late[0], late[1], later] {
        assert!(visit.bench.is_delivered(id), "{:?}", visit.bench.settled);
    }
    assert_eq!(
        visit.stored(SESSION),
        json!({"last": 4, "1": true, "2": true, "3": true, "4": true})
    );
    assert!(visit.bench.drops.is_empty() && visit.bench.store.is_empty());
}

#[test]
fn without_a_new_ticket_it_is_rejected_at_the_deadline() {
    let mut visit = Visit::new();
    let tracer = visit.init(json!({"ticket": ticket(SESSION, 0), "deadlineMs": 5_000}));
    let id = visit.say(tracer, 1);
    visit.run(4_900);
    assert_eq!(visit.bench.reason_of(id), None);
    visit.run(600);
    assert_eq!(visit.bench.reason_of(id), Some(Reason::Rejected));
    assert!(
        visit.bench.drops[0].contains("call tracer.setTicket(ticket)"),
        "{:?}",
        visit.bench.drops
    );
    assert_eq!(visit.relay.borrow().refused, 1);
    assert!(visit.bench.store.is_empty());
}

#[test]
fn a_ticket_of_another_session_is_refused_and_the_old_one_stays() {
    let mut visit = Visit::new();
    let tracer = visit.init(json!({"ticket": ticket(SESSION, 60)}));
    visit.set(tracer, &ticket(OTHER, 60));
    visit.set(tracer, "");
    visit.set(tracer, "no ticket");
    let id = visit.say(tracer, 1);
    visit.run(500);
    assert!(visit.bench.is_delivered(id));
    assert_eq!(visit.stored(OTHER), Value::Null);
    assert_eq!(visit.lines("for another session, and the old one stays: open that session"), 1);
    assert_eq!(visit.lines("the ticket is empty"), 1);
    assert_eq!(visit.lines("what was given as the new ticket is none"), 1);
    let key = visit.init(json!({"apiKey": "key"}));
    visit.set(key, &ticket(SESSION, 60));
    assert_eq!(visit.lines(""), visit.bench.lines.len());
    visit.run(10);
    assert_eq!(visit.lines("setTicket is for a tracer that was made with a ticket"), 1);
}

#[test]
fn the_first_ticket_of_a_function_names_the_session() {
    let mut visit = Visit::new();
    visit.bench.give = lasts(SESSION, 60);
    visit.bench.gives_after_ms = 300;
    let one = visit.init(json!({"ticketSource": 7}));
    let other = visit.init(json!({"ticketSource": 7}));
    let said = [visit.say(one, 1), visit.say(other, 2), visit.say(one, 3)];
    visit.run(200);
    assert!(visit.bench.requests.is_empty() && visit.bench.store.is_empty());
    visit.run(800);
    assert_eq!(visit.bench.asked, 1, "who shares a function shares what it gives");
    for id in said {
        let Some(Outcome::Delivered { target }) = visit.bench.end_of(id) else { panic!("{id}") };
        assert_eq!(target.id().to_string(), SESSION);
    }
    assert_eq!(visit.stored(SESSION), json!({"last": 3, "1": true, "2": true, "3": true}));
    let third = visit.init(json!({"ticketSource": 7}));
    visit.say(third, 4);
    visit.bench.enrich(0, Some(SESSION), json!({"feedback": {"bare": true}}));
    visit.run(500);
    assert_eq!(visit.bench.asked, 1);
    assert_eq!(visit.stored(SESSION)["bare"], json!(true));
}

#[test]
fn a_function_that_gives_another_session_s_ticket_reaches_no_session() {
    let mut visit = Visit::new();
    visit.bench.give = lasts(OTHER, 60);
    let tracer = visit.init(json!({"ticketSource": 1, "sessionId": SESSION, "deadlineMs": 3_000}));
    let id = visit.say(tracer, 1);
    visit.run(4_000);
    assert_eq!(visit.bench.reason_of(id), Some(Reason::RetriesExhausted));
    assert!(visit.bench.requests.is_empty());
    assert_eq!(visit.lines("for another session"), 2, "{:?}", visit.bench.lines);
}

#[test]
fn a_ticket_is_renewed_before_it_ends_and_what_is_refused_goes_out_again() {
    let mut visit = Visit::new();
    visit.bench.give = lasts(SESSION, 2);
    let tracer = visit.init(json!({"ticketSource": 1}));
    let mut said = Vec::new();
    for number in 0..40 {
        said.push(visit.say(tracer, number));
        visit.run(100);
    }
    visit.run(20_000);
    assert!(visit.bench.asked <= 4, "nobody asks while nothing is said: {}", visit.bench.asked);
    said.push(visit.say(tracer, 40));
    visit.run(500);
    assert!(said.iter().all(|id| visit.bench.is_delivered(*id)));
    assert_eq!(
        visit.relay.borrow().refused,
        0,
        "a ticket that has ended by the clock is not shown"
    );
}

#[test]
fn a_new_ticket_is_asked_for_while_the_old_one_still_holds() {
    let mut visit = Visit::new();
    visit.bench.give = lasts(SESSION, 200);
    let tracer = visit.init(json!({"ticketSource": 1}));
    visit.say(tracer, 0);
    visit.run(100_000);
    visit.say(tracer, 1);
    visit.run(75_000);
    assert_eq!(visit.bench.asked, 1);
    visit.bench.gives_after_ms = 10_000;
    let id = visit.say(tracer, 2);
    visit.run(1_000);
    assert_eq!(visit.bench.asked, 2);
    assert!(visit.bench.is_delivered(id), "with the old one, which holds for a while");
}

#[test]
fn a_refusal_of_the_old_ticket_says_nothing_of_the_new_one() {
    let mut visit = Visit::new();
    let tracer = visit.init(json!({"ticket": ticket(SESSION, 2)}));
    visit.run(3_000);
    visit.bench.latency_ms = 1_000;
    let id = visit.say(tracer, 1);
    visit.run(500);
    assert_eq!(visit.bench.in_flight(), 1);
    visit.set(tracer, &ticket(SESSION, 1_000));
    visit.run(5_000);
    assert!(visit.bench.is_delivered(id), "{:?}", visit.bench.lines);
}

#[test]
fn a_function_that_fails_costs_what_waits_for_it_and_says_so_once() {
    for (given, why) in [
        (Some(Err("offline".to_owned())), "offline"),
        (Some(Ok(String::new())), "the ticket is empty"),
        (Some(Ok("<html>".to_owned())), "what was given as the new ticket is none"),
        (None, "no ticket within 5000 ms"),
    ] {
        let mut visit = Visit::new();
        let of_function = given.clone();
        visit.bench.give = Box::new(move |_| of_function.clone());
        let tracer = visit.init(json!({"ticketSource": 1, "deadlineMs": 20_000}));
        let good = visit.init(json!({"ticket": ticket(OTHER, 60)}));
        let id = visit.say(tracer, 1);
        let other = visit.say(good, 1);
        visit.run(21_000);
        assert!(visit.bench.is_delivered(other));
        assert_eq!(visit.bench.reason_of(id), Some(Reason::RetriesExhausted), "{why}");
        assert!(visit.bench.drops[0].contains(why), "{:?}", visit.bench.drops);
        let lines = visit.lines("the function `ticket` gave no ticket: ");
        assert_eq!(lines, 1, "{:?}", visit.bench.lines);
        assert!((2..30).contains(&visit.bench.asked), "{}", visit.bench.asked);
        // It may give one the next time.
        visit.bench.give = lasts(SESSION, 3_600);
        let id = visit.say(tracer, 2);
        visit.run(20_000);
        assert!(visit.bench.is_delivered(id), "{why}");
    }
}

#[test]
fn a_ticket_that_is_no_good_at_all_is_replaced_once() {
    let mut visit = Visit::new();
    let issued = Rc::new(RefCell::new(0));
    let count = issued.clone();
    visit.bench.give = Box::new(move |_| {
        *count.borrow_mut() += 1;
        Some(Ok(ticket(SESSION, 3_600 + *count.borrow())))
    });
    visit.relay.borrow_mut().unknown =
        (1..=3).map(|number| ticket(SESSION, 3_600 + number)).collect();
    let tracer = visit.init(json!({"ticketSource": 1}));
    let id = visit.say(tracer, 1);
    visit.run(2_000);
    assert_eq!(visit.bench.reason_of(id), Some(Reason::Rejected));
    assert_eq!((*issued.borrow(), visit.relay.borrow().refused), (2, 2));
    visit.relay.borrow_mut().unknown.truncate(2);
    let id = visit.say(tracer, 2);
    visit.run(20_000);
    assert!(visit.bench.is_delivered(id));
}

#[test]
fn what_waits_for_a_ticket_outlives_the_page() {
    let mut visit = Visit::new();
    let tracer = visit.init(json!({"ticket": ticket(SESSION, 0)}));
    visit.say(tracer, 1);
    visit.run(500);
    visit.bench.registry.turn(Turn::Leaves, visit.bench.now);
    visit.run(100);
    visit.bench.registry.turn(Turn::Rests, visit.bench.now);
    visit.set(tracer, &ticket(SESSION, 60));
    visit.run(1_000);
    assert_eq!(visit.relay.borrow().refused, 1, "a page that is left shows no refused ticket");
    let left: Vec<String> = visit.bench.store.values().cloned().collect();
    assert!(left[0].contains(&ticket(SESSION, 60)), "kept with the ticket that is good: {left:?}");
    let mut next = Visit::new();
    next.bench.store.insert(-1, left[0].clone());
    next.bench.registry.restore(&json!(left).to_string(), 0, next.bench.now);
    next.init(json!({"ticket": ticket(OTHER, 60)}));
    next.run(500);
    assert_eq!(next.stored(SESSION), json!({"last": 1, "1": true}));
    // The page that rested comes back, and nobody took it over.
    visit.bench.registry.turn(Turn::GoesOn { in_document: true }, visit.bench.now);
    visit.run(500);
    assert_eq!(visit.stored(SESSION), json!({"last": 1, "1": true}));
}

/// Its session is named from the beginning, and yet it can send nothing before it has a ticket.
#[test]
fn the_first_ticket_sends_what_earlier_pages_left() {
    let mut earlier = Visit::new();
    let tracer = earlier.init(json!({"ticket": ticket(SESSION, 0)}));
    earlier.say(tracer, 1);
    earlier.run(500);
    let left: Vec<String> = earlier.bench.store.values().cloned().collect();
    for session in [json!(SESSION), Value::Null] {
        let mut visit = Visit::new();
        visit.bench.store.insert(-1, left[0].clone());
        visit.bench.registry.restore(&json!(left).to_string(), 0, visit.bench.now);
        visit.bench.give = lasts(SESSION, 60);
        visit.init(json!({"ticketSource": 1, "sessionId": session}));
        visit.run(500);
        assert_eq!(visit.stored(SESSION), json!({"last": 1, "1": true}), "{session}");
        assert!(visit.bench.store.is_empty());
    }
}

#[test]
fn a_tracer_with_the_new_ticket_shares_the_outbox_of_its_session() {
    let mut visit = Visit::new();
    let first = visit.init(json!({"ticket": ticket(SESSION, 60)}));
    visit.set(first, &ticket(SESSION, 90));
    let second = visit.init(json!({"ticket": ticket(SESSION, 90)}));
    let third = visit.init(json!({"ticket": ticket(SESSION, 60)}));
    let tracers = [first, second, third, first];
    let said = [0, 1, 2, 3].map(|number| visit.say(tracers[number], number as u64));
    assert_eq!(visit.bench.registry.outboxes(), 1);
    visit.run(500);
    assert!(said.iter().all(|id| visit.bench.is_delivered(*id)));
    assert_eq!(visit.stored(SESSION)["last"], json!(3));
    let shown = visit.bench.requests.iter().filter(|it| it.headers.contains(&ticket(SESSION, 60)));
    assert_eq!(shown.count(), 0, "the old ticket is not shown any more");
}

/// Whoever comes while the function has failed a moment ago is not kept waiting for the next time.
#[test]
fn only_who_is_asked_for_waits_for_the_first_ticket() {
    let mut visit = Visit::new();
    visit.bench.give = Box::new(|_| Some(Err("offline".to_owned())));
    let awaits = |visit: &mut Visit| {
        let options = json!({"serverUrl": RELAY, "ticketSource": 1, "apiKey": null});
        visit.bench.init(options).awaits_ticket
    };
    assert!(awaits(&mut visit) && awaits(&mut visit));
    let mut waiting = 0;
    for _ in 0..20 {
        visit.run(5);
        let asked = visit.bench.asked;
        if awaits(&mut visit) {
            waiting += 1;
            visit.run(1);
            assert!(visit.bench.asked > asked);
        }
    }
    assert!(waiting < 20, "each failure is followed by a wait");
    visit.bench.give = lasts(SESSION, 60);
    visit.say(1, 1);
    visit.run(20_000);
    assert!(!awaits(&mut visit));
}

#[test]
fn a_tracer_that_is_released_asks_for_nothing_more() {
    let mut visit = Visit::new();
    visit.bench.give = lasts(SESSION, 2);
    for _ in 0..100 {
        let tracer = visit.init(json!({"ticketSource": 1}));
        visit.say(tracer, 1);
        visit.bench.registry.release(tracer, visit.bench.now);
        visit.run(100);
    }
    visit.run(10_000);
    assert!(visit.bench.unreachable.is_empty(), "{:?}", visit.bench.unreachable);
    assert_eq!(visit.bench.registry.tracers(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// Whatever happens to its tickets, a page's session is what one call after the other makes.
    #[test]
    fn nothing_is_dropped_or_misplaced_while_tickets_come(
        seed in any::<u64>(),
        lasts_s in 1_u64..6,
        takes_ms in 0_u64..2_000,
        is_behind in any::<bool>(),
        shares in any::<bool>(),
        is_named in any::<bool>(),
        steps in prop::collection::vec((0_u8..12, 0_u64..1_500), 1..40),
    ) {
        let mut visit = Visit::new();
        let mut random = fastrand::Rng::with_seed(seed);
        // The page's clock is behind by that much: it believes that each ticket lasts.
        let behind_s = if is_behind { 1_000 } else { 0 };
        visit.bench.gives_after_ms = takes_ms;
        visit.bench.latency_ms = 50;
        visit.bench.give = Box::new(move |now| match random.u8(0..6) {
            0 => Some(Err("offline".to_owned())),
            1 => Some(Ok("<html>".to_owned())),
            _ => Some(Ok(ticket(SESSION, now.unix_ms.div_ceil(1_000) - BEGIN_S + behind_s + lasts_s + 2))),
        });
        let relay = visit.relay.clone();
        visit.bench.answer = Box::new(move |request| {
            let mut relay = relay.borrow_mut();
            relay.now_ms += behind_s * 1_000;
            let answer = relay.answer(request);
            relay.now_ms -= behind_s * 1_000;
            answer
        });
        let by_hand = visit.init(json!({"ticket": ticket(OTHER, behind_s + 1), "deadlineMs": 600_000}));
        let session = if is_named { json!(SESSION) } else { Value::Null };
        let by_function = json!({"ticketSource": 1, "deadlineMs": 600_000, "sessionId": session});
        let first = visit.init(by_function.clone());
        let second = match shares {
            true => visit.init(by_function),
            false => first,
        };
        let mut said = Vec::new();
        let mut wanted = (json!({}), json!({}));
        for (number, (what, ms)) in steps.into_iter().enumerate() {
            let number = number as u64;
            let after_s = (visit.bench.now.unix_ms / 1_000) - BEGIN_S;
            let (tracer, wanted) = match what {
                0..=3 => (first, &mut wanted.0),
                4..=6 => (second, &mut wanted.0),
                7..=9 => (by_hand, &mut wanted.1),
                10 => {
                    visit.set(by_hand, &ticket(OTHER, after_s + behind_s + lasts_s));
                    continue;
                }
                _ => {
                    if is_named {
                        visit.set(first, &ticket(OTHER, after_s + behind_s + 60));
                    }
                    visit.set(by_hand, &ticket(SESSION, after_s + behind_s + 60));
                    continue;
                }
            };
            said.push(visit.say(tracer, number));
            wanted["last"] = json!(number);
            wanted[number.to_string()] = json!(true);
            visit.run(ms);
        }
        let after_s = (visit.bench.now.unix_ms / 1_000) - BEGIN_S;
        visit.set(by_hand, &ticket(OTHER, after_s + behind_s + 600));
        visit.run(60_000);
        for id in &said {
            prop_assert!(visit.bench.is_delivered(*id), "{id}: {:?}", visit.bench.settled);
        }
        let stored = |session| match visit.stored(session) {
            Value::Null => json!({}),
            stored => stored,
        };
        prop_assert_eq!((stored(SESSION), stored(OTHER)), wanted);
        prop_assert!(visit.bench.drops.is_empty() && visit.bench.store.is_empty());
        prop_assert!(visit.bench.unreachable.is_empty());
    }
}
