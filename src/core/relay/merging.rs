//! Which messages of a session may be merged into one request.
//!
//! A request has one timestamp, the time of its latest message, by which the backend puts in order what several
//! consumers deliver. If two messages are merged, the values of the earlier one get the time of the later one. A third
//! message that belongs between the two, and that another consumer delivers, would then lose to older values. So two
//! messages are merged only if none can be between them, or if nothing of the earlier one is left beside the later one.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::policy::MAX_RUNS;
use super::sequence::Link;
use crate::core::enrichment::{Enrichment, Field};

/// The place of a message among those of its session: its time in nanoseconds since the Unix epoch, and its number
/// among those of one isolate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    /// The time at which it was made.
    pub made_ns: u64,
    number: u64,
}

/// A message of a session.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The time at which it was made, in nanoseconds since the Unix epoch.
    pub made_ns: u64,
    /// Its place in the order of its session.
    pub link: Option<Link>,
    /// Its content.
    pub enrichment: Enrichment,
}

impl Entry {
    /// Its place among the messages of its session.
    pub fn order(&self) -> Order {
        Order { made_ns: self.made_ns, number: self.link.map_or(0, |link| link.number) }
    }

    /// Whether no message can belong between this one and `next`, as far as one isolate of the relay can know. Messages
    /// of earlier versions of the package do not tell.
    fn is_followed_by(&self, next: &Entry) -> bool {
        match (&self.link, &next.link) {
            (Some(link), Some(next)) => link.is_followed_by(next),
            (None, None) => true,
            _ => false,
        }
    }
}

type Key<'a> = (Field, Cow<'a, str>);

/// Whether several isolates of the relay wrote `entries`. Then each isolate knows only some messages of the session.
pub fn have_several_sources<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> bool {
    let mut sources = entries.into_iter().filter_map(|entry| Some(entry.link?.source));
    let first = sources.next();
    sources.any(|source| Some(source) != first)
}

/// The runs of `entries`, which are in order and have numbers. The messages of a run may be merged. `links_count` says
/// whether the messages' links tell that none is missing.
pub fn runs(entries: Vec<(u64, Entry)>, links_count: bool) -> VecDeque<Vec<(u64, Entry)>> {
    let mut ends = Vec::new();
    let mut keys: BTreeSet<Key<'_>> = BTreeSet::new();
    for (place, pair) in entries.windows(2).enumerate() {
        let [(_, entry), (_, next)] = pair else { continue };
        keys.extend(entry.enrichment.keys());
        let is_next = links_count && entry.is_followed_by(next);
        if !is_next && entry.made_ns != next.made_ns && !replaces(&next.enrichment, &keys) {
            ends.push(place + 1);
            keys.clear();
        }
    }
    let mut entries = entries.into_iter();
    let mut runs = VecDeque::with_capacity(ends.len() + 1);
    let mut from = 0;
    for end in ends {
        runs.push_back(entries.by_ref().take(end - from).collect());
        from = end;
    }
    runs.push_back(entries.collect());
    runs
}

/// At most [`MAX_RUNS`] runs, made of neighbours among `runs`.
pub fn few_of(runs: VecDeque<Vec<(u64, Entry)>>) -> VecDeque<Vec<(u64, Entry)>> {
    let size = runs.len().div_ceil(MAX_RUNS).max(1);
    let mut few: VecDeque<Vec<(u64, Entry)>> = VecDeque::with_capacity(MAX_RUNS);
    for (place, run) in runs.into_iter().enumerate() {
        match few.back_mut().filter(|_| place % size > 0) {
            Some(last) => last.extend(run),
            None => few.push_back(run),
        }
    }
    few
}

/// Whether `enrichment` replaces the values of all `keys`.
fn replaces(enrichment: &Enrichment, keys: &BTreeSet<Key<'_>>) -> bool {
    let new: BTreeSet<Key<'_>> = enrichment.keys().collect();
    keys.iter().all(|key| !are_inputs(key) && new.contains(key))
}

/// Whether `key` stands for inputs, which are not replaced as others are: a session keeps those of its start, and gets
/// later ones as `metadata.inputs`.
fn are_inputs((field, key): &Key<'_>) -> bool {
    *field == Field::Inputs || (*field == Field::Metadata && key == "inputs")
}

/// What `entries`, which are in order, leave stored: their values that no later one of them replaces. If there are
/// `overwritten` messages, only the values whose keys those have. An entry of which nothing is left is empty: it tells
/// that none is missing there.
pub fn unreplaced(entries: &[Entry], overwritten: Option<&[(u64, Entry)]>) -> Vec<Entry> {
    let keys = overwritten.map(|all| -> BTreeSet<Key<'_>> {
        all.iter().flat_map(|(_, entry)| entry.enrichment.keys()).collect()
    });
    let have_inputs = keys.as_ref().is_none_or(|keys| keys.iter().any(are_inputs));
    let mut seen = BTreeSet::new();
    let mut left = Vec::with_capacity(entries.len());
    for entry in entries.iter().rev() {
        let enrichment = entry.enrichment.with_values(|(field, key)| {
            let key = (field, Cow::Owned(key.into_owned()));
            if are_inputs(&key) {
                return have_inputs;
            }
            keys.as_ref().is_none_or(|keys| keys.contains(&key)) && seen.insert(key)
        });
        let is_empty = enrichment.is_empty();
        let enrichment = if is_empty { Enrichment::default() } else { enrichment };
        left.push(Entry { enrichment, ..*entry });
    }
    left.reverse();
    left
}

/// The timestamps under which values of a session may be stored that were made earlier, because they were in a request
/// with later ones. A request counts even if no answer confirmed it.
///
/// Such a value may be older than a message that comes afterwards, because the session has several pages or relays.
/// That message needs a timestamp that is as late.
#[derive(Debug, Default)]
pub struct SentStamps {
    /// By the hash of the key, and the time at which the value was made. Keys with the same hash share a timestamp,
    /// which does no harm.
    stamps: BTreeMap<(u64, u64), u64>,
}

fn hash_of(key: &Key<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (key.0 as u8).hash(&mut hasher);
    key.1.hash(&mut hasher);
    hasher.finish()
}

impl SentStamps {
    /// The latest timestamp under which an older value of the keys of `values` may be stored; 0 if there is none.
    /// `values` has the time at which each value was made.
    pub fn latest_before(&self, values: &BTreeMap<Key<'_>, u64>) -> u64 {
        let latest = |(key, made_ns): (&Key<'_>, &u64)| {
            let hash = hash_of(key);
            self.stamps.range((hash, 0)..(hash, *made_ns)).map(|(_, stamp_ns)| *stamp_ns).max()
        };
        values.iter().filter_map(latest).max().unwrap_or_default()
    }

    /// Notes that `values` are sent with the timestamp `stamp_ns`.
    pub fn note(&mut self, values: &BTreeMap<Key<'_>, u64>, stamp_ns: u64) {
        for (key, made_ns) in values.iter().filter(|(_, made_ns)| **made_ns < stamp_ns) {
            let noted = self.stamps.entry((hash_of(key), *made_ns)).or_default();
            *noted = stamp_ns.max(*noted);
        }
    }

    /// The approximate bytes of memory in use.
    pub fn bytes(&self) -> usize {
        self.stamps.len() * size_of::<((u64, u64), u64)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(made_ns: u64, link: Option<(u64, u64)>, json: &str) -> (u64, Entry) {
        let link = link.map(|(number, after)| Link { source: 1, number, after });
        let enrichment = Enrichment::parse(json.to_owned()).unwrap().0;
        (made_ns, Entry { made_ns, link, enrichment })
    }

    fn runs_of(entries: Vec<(u64, Entry)>) -> Vec<Vec<u64>> {
        let ids = |run: Vec<(u64, Entry)>| run.into_iter().map(|(id, _)| id).collect();
        assert!(!have_several_sources(entries.iter().map(|(_, entry)| entry)));
        runs(entries, true).into_iter().map(ids).collect()
    }

    #[test]
    fn a_run_ends_where_a_message_may_be_missing() {
        let (a, b) = (r#"{"feedback":{"a":1}}"#, r#"{"feedback":{"b":1}}"#);
        let entries = vec![
            entry(1, Some((1, 0)), a),
            entry(2, Some((2, 1)), b),
            entry(4, Some((4, 3)), a),
            entry(5, Some((5, 4)), b),
            entry(6, None, a),
            entry(7, None, b),
        ];
        assert_eq!(runs_of(entries), [vec![1, 2], vec![4, 5], vec![6, 7]]);
    }

    #[test]
    fn what_is_replaced_as_a_whole_ends_no_run() {
        let entries = |fields: [&str; 3]| {
            let numbers = fields.into_iter().zip([1, 3, 5]);
            numbers.map(|(json, n)| entry(n, Some((n, n - 1)), json)).collect()
        };
        let rating = r#"{"feedback":{"rating":1}}"#;
        let more = r#"{"feedback":{"rating":1,"by":2},"outputs":{"o":1}}"#;
        assert_eq!(runs_of(entries([rating, more, more])), [vec![1, 3, 5]]);
        assert_eq!(runs_of(entries([more, rating, more])), [vec![1], vec![3, 5]]);
        assert_eq!(runs_of(entries(["{}", rating, rating])), [vec![1, 3, 5]]);
        let inputs = r#"{"inputs":{"q":1}}"#;
        assert_eq!(runs_of(entries([inputs, inputs, rating])), [vec![1], vec![3], vec![5]]);
    }

    #[test]
    fn what_is_sent_again_is_what_was_overwritten_and_not_replaced_since() {
        let entries = [
            entry(1, None, r#"{"feedback":{"a":1,"b":1},"outputs":{"o":1}}"#).1,
            entry(2, None, r#"{"feedback":{"a":2,"a":3}}"#).1,
            entry(3, None, r#"{"metadata":{"c":3}}"#).1,
        ];
        let json = |left: Vec<Entry>| -> Vec<String> {
            left.iter().map(|entry| entry.enrichment.to_json()).collect()
        };
        let all = [
            r#"{"feedback":{"b":1},"outputs":{"o":1}}"#,
            r#"{"feedback":{"a":3}}"#,
            r#"{"metadata":{"c":3}}"#,
        ];
        assert_eq!(json(unreplaced(&entries, None)), all);
        let late = [entry(0, None, r#"{"feedback":{"a":0},"outputs":{"p":0}}"#)];
        let again = [r#"{"outputs":{"o":1}}"#, r#"{"feedback":{"a":3}}"#, "{}"];
        assert_eq!(json(unreplaced(&entries, Some(&late))), again);
    }

    #[test]
    fn inputs_are_sent_again_after_inputs() {
        let entries = [r#"{"inputs":{"q":1}}"#, r#"{"metadata":{"inputs":{"q":2}}}"#]
            .map(|json| entry(1, None, json).1);
        let late = [entry(0, None, r#"{"inputs":{"q":0}}"#)];
        let is_left = |entry: &Entry| !entry.enrichment.is_empty();
        assert!(unreplaced(&entries, Some(&late)).iter().all(is_left));
        let late = [entry(0, None, r#"{"metadata":{"a":0}}"#)];
        assert!(!unreplaced(&entries, Some(&late)).iter().any(is_left));
    }

    #[test]
    fn a_value_that_was_sent_with_a_later_time_counts_for_newer_ones_of_its_key_alone() {
        let values = |keys: &[(&'static str, u64)]| -> BTreeMap<Key<'static>, u64> {
            keys.iter().map(|(key, ns)| ((Field::Feedback, Cow::Borrowed(*key)), *ns)).collect()
        };
        let mut stamps = SentStamps::default();
        stamps.note(&values(&[("a", 1), ("b", 3)]), 3);
        assert_eq!(stamps.latest_before(&values(&[("a", 2)])), 3);
        assert_eq!(stamps.latest_before(&values(&[("a", 1), ("b", 2), ("c", 2)])), 0);
    }
}
