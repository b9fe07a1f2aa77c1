//! What goes in as JSON comes out as the same JSON: value for value the same text.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use crate::cases;
use crate::harness::{Bench, status, stores};
use crate::json::{self, members, read};

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn what_is_sent_is_what_was_given(
        given in json::object(vec((json::key(), json::value()), 1..6)),
        outputs in json::object(vec((json::key(), json::value()), 0..3)),
    ) {
        let mut bench = Bench::new(stores);
        let tracer = bench.init(json!({})).tracer;
        bench.run(100);
        let json = format!(r#"{{"config":{given},"outputs":{outputs},"inputs":{given}}}"#);
        bench.registry.enrich(tracer, None, json, 0, true, bench.now);
        bench.run(1_000);
        prop_assert_eq!(bench.settled.len(), 1);
        let sent = read(&bench.requests.last().unwrap().body);
        prop_assert_eq!(&sent["outputs"], outputs.trim());
        prop_assert_eq!(&read(&sent["metadata"])["inputs"], given.trim());
        let (config, expected) = (members(&sent["config"]), read(&given));
        prop_assert_eq!(config.len(), expected.len(), "a key is sent once");
        prop_assert_eq!(read(&sent["config"]), expected);
    }

    #[test]
    fn what_is_dropped_is_told_as_it_was_given(
        given in json::object(vec((json::key(), json::value()), 1..6)),
        list in vec(json::value(), 0..3),
    ) {
        let mut bench = Bench::new(|_| status(403, ""));
        let tracer = bench.init(json!({})).tracer;
        let list = format!("[{}]", list.join(","));
        let json = format!(r#"{{"userProperties":{given},"outputs":{list},"stray":{list}}}"#);
        bench.registry.enrich(tracer, None, json, 0, true, bench.now);
        bench.run(1_000);
        let told = read(&read(&bench.drops[0])["enrichment"]);
        prop_assert_eq!(read(&told["userProperties"]), read(&given));
        prop_assert_eq!(&read(&told["outputs"])["value"], &list);
        prop_assert_eq!(&read(&told["metadata"])["stray"], &list);
    }
}
