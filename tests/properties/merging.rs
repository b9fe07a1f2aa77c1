//! Merging changes nothing: however a run of enrichments is cut into requests, the backend ends
//! with the same session.

use std::cell::RefCell;
use std::rc::Rc;

use honeyhive_edge::core::enrichment::{Enrichment, Field, InputsPlace, Merged};
use honeyhive_edge::core::json::Object;
use honeyhive_edge::core::wire::{Answer, Request};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::backend::{Backend, Stored};
use crate::cases;
use crate::harness::{Bench, SERVER, status};

/// A small object, whose keys come again.
fn fields() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(vec!["a", "b", "c", "error", "x"]);
    let value = prop_oneof![
        (0..50_u8).prop_map(|number| json!(number)),
        (0..50_u8).prop_map(|number| json!({ "deep": number })),
        Just(Value::Null),
        Just(json!([1, "two"])),
    ];
    vec((key, value), 0..4).prop_map(|members| {
        members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    })
}

/// An enrichment as it is given.
fn enrichment() -> impl Strategy<Value = Value> {
    let names =
        ["metadata", "config", "feedback", "metrics", "userProperties", "inputs", "outputs"];
    let field = prop_oneof![
        8 => (prop::sample::select(names.to_vec()), fields()),
        1 => (Just("outputs"), Just(json!([1, 2]))),
        1 => (prop::sample::select(vec!["duration", "endTime", "stray", "error"]), (0..50_u8).prop_map(Value::from)),
    ];
    vec(field, 0..4).prop_map(|fields| {
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    })
}

/// The one enrichment that has the same effect.
fn merged(given: &[Value], inputs: InputsPlace) -> Value {
    let parsed: Vec<Enrichment> =
        given.iter().map(|given| Enrichment::parse(given.to_string()).unwrap().0).collect();
    let merged = Merged::of(&parsed, inputs);
    let mut json = String::new();
    let mut object = Object::open(&mut json);
    for field in Field::ALL {
        merged.write(field, field.name(), &mut object);
    }
    object.close();
    serde_json::from_str(&json).unwrap()
}

/// What a session that exists becomes of `given`, sent in bursts of so many.
fn stored(given: &[Value], bursts: &[usize], is_legacy: bool) -> Stored {
    let backend =
        Rc::new(RefCell::new(Backend { is_legacy, is_lenient: true, ..Backend::default() }));
    let server = backend.clone();
    let mut bench = Bench::new(move |request| answer(&mut server.borrow_mut(), request));
    let tracer = bench.init(json!({"logLevel": "silent"}));
    bench.run(1_000);
    let mut bursts = bursts.iter().cycle();
    let mut rest = given;
    while !rest.is_empty() {
        let burst;
        (burst, rest) = rest.split_at((*bursts.next().unwrap()).min(rest.len()));
        burst.iter().for_each(|fields| {
            bench.enrich(tracer.tracer, None, fields.clone());
        });
        bench.run(1_000);
    }
    assert!(given.len() == bench.settled.len() && bench.drops.is_empty(), "{:?}", bench.settled);
    let mut backend = backend.borrow_mut();
    backend.sessions.remove(&("sekret".into(), tracer.session_id.to_string())).unwrap()
}

fn answer(backend: &mut Backend, request: &Request) -> Answer {
    let path = &request.url[SERVER.len()..];
    let (code, body) = backend.take(request.method, path, "sekret", 0, &request.body);
    status(code, &body)
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn merging_is_associative(
        a in enrichment(), b in enrichment(), c in enrichment(), at_start in any::<bool>(),
    ) {
        let inputs = if at_start { InputsPlace::Start } else { InputsPlace::Metadata };
        let whole = merged(&[a.clone(), b.clone(), c.clone()], inputs);
        let left = merged(&[merged(&[a.clone(), b.clone()], inputs), c.clone()], inputs);
        let right = merged(&[a.clone(), merged(&[b, c], inputs)], inputs);
        prop_assert_eq!(&left, &whole);
        prop_assert_eq!(&right, &whole);
        let alone = merged(&[a], inputs);
        prop_assert_eq!(merged(&[alone.clone(), Value::Object(Map::new())], inputs), alone);
    }

    #[test]
    fn merging_and_sending_is_sending_and_merging(
        given in vec(enrichment(), 1..12),
        bursts in vec(1..6_usize, 1..6),
        is_legacy in any::<bool>(),
    ) {
        let one_by_one = stored(&given, &[1], is_legacy);
        let at_once = stored(&given, &[given.len()], is_legacy);
        let in_bursts = stored(&given, &bursts, is_legacy);
        prop_assert_eq!(&at_once.fields, &one_by_one.fields);
        prop_assert_eq!(&in_bursts.fields, &one_by_one.fields);
    }
}
