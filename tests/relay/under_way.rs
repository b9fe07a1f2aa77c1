//! Places for requests under way: nobody who has one loses it to a newcomer, whatever was broken off.

use std::rc::Rc;

use honeyhive_edge::core::relay::passage::Passage;
use honeyhive_edge::core::relay::policy::{LATE_MS, MAX_UNDER_WAY};
use honeyhive_edge::core::relay::rate::Rates;
use honeyhive_edge::core::relay::settings::RelaySettings;
use honeyhive_edge::core::relay::under_way::UnderWay;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use crate::{NOW_MS, SESSION, cases, head, pass, relay, ticket};

const TIMEOUT_MS: u64 = 5_000;

/// How long a request keeps its place that nobody hears of any more.
const LONGEST_MS: u64 = TIMEOUT_MS + LATE_MS;

fn request(settings: &Rc<RelaySettings>) -> Passage {
    let path = ["/honeyhive/v1/events/", SESSION].concat();
    pass(settings, head("PUT", &path, &ticket(&["feedback"])), &mut Rates::default()).unwrap()
}

/// All places taken at `now_ms`, by these numbers.
fn full(settings: &Rc<RelaySettings>, now_ms: u64) -> (UnderWay, Vec<u64>) {
    let mut under_way = UnderWay::default();
    let numbers =
        (0..MAX_UNDER_WAY).map(|_| under_way.enter(request(settings), now_ms).unwrap()).collect();
    (under_way, numbers)
}

#[test]
fn where_all_places_are_taken_the_newcomer_comes_again() {
    let settings = relay(json!({}));
    let (mut under_way, numbers) = full(&settings, NOW_MS);
    for _ in 0..1_000 {
        let response =
            under_way.enter(request(&settings), NOW_MS + LONGEST_MS).unwrap_err().response;
        assert_eq!(response.status, 503);
        assert!(response.headers.contains(&("retry-after", "1".into())), "{response:?}");
        assert!(response.body.contains("RELAY_BUSY"), "{response:?}");
    }
    assert!(numbers.iter().all(|number| under_way.get(*number).is_some()));
    under_way.leave(numbers[7]);
    let number = under_way.enter(request(&settings), NOW_MS).unwrap();
    assert!(!numbers.contains(&number), "no number is given twice");
    assert!(under_way.enter(request(&settings), NOW_MS).is_err());
}

#[test]
fn what_was_broken_off_gives_its_place_back_when_it_is_needed() {
    let settings = relay(json!({}));
    let (mut under_way, numbers) = full(&settings, NOW_MS);
    assert!(under_way.step(numbers[3], NOW_MS + 1).is_some(), "this one goes on");
    let later = NOW_MS + LONGEST_MS + 1;
    let number = under_way.enter(request(&settings), later).unwrap();
    assert!(under_way.get(numbers[2]).is_none());
    assert!(under_way.get(numbers[3]).is_some() && under_way.get(number).is_some());

    // While there is room, the slowest is waited for.
    let mut under_way = UnderWay::default();
    let slow = under_way.enter(request(&settings), NOW_MS).unwrap();
    for _ in 1..MAX_UNDER_WAY {
        under_way.enter(request(&settings), NOW_MS + 3_600_000).unwrap();
    }
    assert!(under_way.step(slow, NOW_MS + 3_600_000).is_some());
}

#[test]
fn a_clock_set_back_keeps_nobody_out_for_ever() {
    let settings = relay(json!({}));
    let (mut under_way, _) = full(&settings, NOW_MS + 3_600_000);
    assert!(under_way.enter(request(&settings), NOW_MS).is_ok());
}

proptest! {
    #![proptest_config(cases(200))]

    /// Requests come, go on, end, or are never heard of again: each that is heard of often enough
    /// finds its place, and there are never more than may be.
    #[test]
    fn who_is_heard_of_keeps_its_place(
        steps in vec((0_u64..LONGEST_MS / 4, 0_usize..6, any::<prop::sample::Index>()), 1..60),
    ) {
        let settings = relay(json!({}));
        let (mut under_way, mut lost) = full(&settings, NOW_MS);
        // A hundred that are not broken off.
        let mut alive: Vec<u64> = lost.split_off(MAX_UNDER_WAY - 100);
        let mut now_ms = NOW_MS;
        for (ms, what, which) in steps {
            now_ms += ms;
            for number in &alive {
                prop_assert!(under_way.step(*number, now_ms).is_some(), "{number} has lost its place");
            }
            match what {
                0 if !alive.is_empty() => under_way.leave(alive.swap_remove(which.index(alive.len()))),
                1 if !alive.is_empty() => lost.push(alive.swap_remove(which.index(alive.len()))),
                _ => alive.extend(under_way.enter(request(&settings), now_ms)),
            }
            let kept = alive.iter().chain(&lost).filter(|it| under_way.get(**it).is_some()).count();
            prop_assert!(kept <= MAX_UNDER_WAY);
        }
    }
}
