//! The order in which a relay puts messages of one session into its queue. A consumer gets them in any order, and other
//! consumers may hold some of them. So each message says which one was before it. If a consumer holds both, it knows
//! that no other message belongs between them, and may store them together.

use std::collections::BTreeMap;

use super::policy::REMEMBERED_SEQUENCES;
use crate::core::session::SessionId;

/// The nanoseconds between the timestamps of two messages of a session that were made at about the same time.
const ROOM_NS: u64 = 64;

/// The place of a message in the order of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The relay's isolate that wrote the message: a random number.
    pub source: u32,
    /// The number of the message among all that the isolate wrote, from 1 on.
    pub number: u64,
    /// The number of the message of the session before it, if the isolate knows that one and it was made earlier.
    /// Otherwise 0.
    pub after: u64,
}

impl Link {
    /// Writes the link as text.
    pub fn write(&self) -> String {
        let Link { source, number, after } = self;
        format!("{source} {number} {after}")
    }

    /// Reads a link; `None` if `text` is not one.
    pub fn read(text: &str) -> Option<Link> {
        let mut words = text.split(' ');
        let source = words.next()?.parse().ok()?;
        let number = words.next()?.parse().ok()?;
        let after = words.next()?.parse().ok()?;
        words.next().is_none().then_some(Link { source, number, after })
    }

    /// Whether no message can belong between this one and `next`, which is made later or is the same message again.
    pub fn is_followed_by(&self, next: &Link) -> bool {
        let is_next = next.after == self.number || next.number == self.number;
        self.source == next.source && is_next
    }
}

/// The last message of a session.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    number: u64,
    /// The time of the latest message, in nanoseconds since the Unix epoch.
    made_ns: u64,
    /// The timestamp that it got.
    stamp_ns: u64,
    /// Whether each message was made later than the one before. If pages of the session have different clocks, a
    /// message may belong between any two others.
    is_ordered: bool,
}

/// The numbers of the messages that one isolate writes.
#[derive(Debug)]
pub struct Sequences {
    source: u32,
    last: u64,
    sessions: BTreeMap<SessionId, Last>,
}

impl Sequences {
    /// The numbers of an isolate, which a random `source` tells from other isolates.
    pub fn new(source: u32) -> Sequences {
        Sequences { source, last: 0, sessions: BTreeMap::new() }
    }

    /// The numbers of an isolate that begins at `now_ms`. The time tells it from others as well, for a program in which
    /// random numbers are always the same.
    pub fn begin(seed: u64, now_ms: u64) -> Sequences {
        Sequences::new(fastrand::Rng::with_seed(seed ^ now_ms.rotate_left(32)).u32(..))
    }

    /// The timestamp and the link of the next message of a session or event, which was made at `made_ns`. The timestamp is
    /// that time, but messages of one moment get different ones, with room for all requests that a consumer may send for
    /// one of them.
    pub fn next(&mut self, id: SessionId, made_ns: u64) -> (u64, Link) {
        self.last += 1;
        let (source, number) = (self.source, self.last);
        let before = self.sessions.get(&id).copied();
        let is_later = before.is_none_or(|it| it.made_ns <= made_ns);
        let stamp_ns = match before.filter(|_| is_later) {
            Some(before) => made_ns.max(before.stamp_ns.saturating_add(ROOM_NS)),
            None => made_ns,
        };
        let is_ordered = is_later && before.is_none_or(|it| it.is_ordered);
        let after = before.filter(|_| is_ordered).map_or(0, |it| it.number);
        let before = before.unwrap_or_default();
        let (latest_ns, last_ns) = (made_ns.max(before.made_ns), stamp_ns.max(before.stamp_ns));
        self.sessions
            .insert(id, Last { number, made_ns: latest_ns, stamp_ns: last_ns, is_ordered });
        if self.sessions.len() > REMEMBERED_SEQUENCES {
            let from = number - REMEMBERED_SEQUENCES as u64 / 2;
            self.sessions.retain(|_, last| last.number > from);
        }
        (stamp_ns, Link { source, number, after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: u64) -> SessionId {
        SessionId::new(&number.to_string()).unwrap()
    }

    #[test]
    fn each_message_names_the_one_before_it_in_its_session() {
        let mut sequences = Sequences::new(7);
        let links = [(1, 10), (2, 10), (1, 10), (1, 20), (2, 30)]
            .map(|(id, stamp_ns)| sequences.next(session(id), stamp_ns).1);
        assert_eq!(links.map(|link| link.after), [0, 0, 1, 3, 2]);
        assert!(links[0].is_followed_by(&links[2]) && links[2].is_followed_by(&links[3]));
        assert!(links[0].is_followed_by(&links[0]), "the queue may bring it twice");
        assert!(!links[0].is_followed_by(&links[3]) && !links[2].is_followed_by(&links[0]));
        let other = Link { source: 8, ..links[2] };
        assert!(!links[0].is_followed_by(&other));
        assert_eq!(Link::read(&links[3].write()), Some(links[3]));
    }

    #[test]
    fn messages_of_one_moment_have_timestamps_with_room_between_them() {
        let mut sequences = Sequences::new(7);
        let stamps = [100, 101, 101, 150, 400, 120, 401, 464, 1_000]
            .map(|made_ns| sequences.next(session(1), made_ns).0);
        assert_eq!(stamps, [100, 164, 228, 292, 400, 120, 464, 528, 1_000]);
        assert_eq!(sequences.next(session(2), 101).0, 101);
    }

    #[test]
    fn isolates_differ_by_their_seeds_or_by_their_times() {
        let source = |seed, now_ms| Sequences::begin(seed, now_ms).source;
        assert_ne!(source(1, 5), source(2, 5));
        assert_ne!(source(0, 5), source(0, 6));
    }

    #[test]
    fn after_a_message_that_is_late_any_other_may_be() {
        let mut sequences = Sequences::new(7);
        let afters = [10, 30, 20, 40, 50].map(|it| sequences.next(session(1), it).1.after);
        assert_eq!(afters, [0, 1, 0, 0, 0]);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_a_forgotten_session_begins_anew() {
        let mut sequences = Sequences::new(7);
        sequences.next(session(0), 1);
        for id in 1..20_000 {
            sequences.next(session(id), id);
            assert!(sequences.sessions.len() <= REMEMBERED_SEQUENCES);
        }
        assert_eq!(sequences.next(session(0), 2).1.after, 0);
        assert_eq!(sequences.next(session(19_999), 20_000).1.after, 20_000);
    }

    #[test]
    fn what_is_no_link_is_none() {
        for text in ["", "1", "1 2", "1 2 3 4", "1 2 -3", "a 2 3", "1  2 3", "4294967296 1 0", "}"]
        {
            assert_eq!(Link::read(text), None, "{text}");
        }
    }
}
