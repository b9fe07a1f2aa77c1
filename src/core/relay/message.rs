//! A request that waits in a queue: one line that says what it is for, its fields as JSON, and one line that says which
//! message was before it. It is text and not an object, because a queue would parse and write its numbers anew, which
//! changes some of them.

use super::sequence::Link;
use crate::core::session::{SessionId, Target};

/// The beginning of a message for a session.
const PREFIX: &str = "hhq1";

/// The beginning of a message for another event, which an earlier version of the package must not read as a
/// session's.
const PREFIX_OF_EVENT: &str = "hhqe1";

/// A request that was allowed, as it goes through a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The session or event that it is for.
    pub target: Target,
    /// When it was made, in nanoseconds since the Unix epoch.
    pub stamp_ns: u64,
    /// A JSON object with the backend's names.
    pub fields: String,
    /// Its place in the order of its session. Earlier versions of the package did not write it.
    pub link: Option<Link>,
}

impl Message {
    /// Writes the message as text.
    pub fn write(&self) -> String {
        let Message { target, stamp_ns, fields, link } = self;
        let prefix = if target.is_event() { PREFIX_OF_EVENT } else { PREFIX };
        let link = link.map_or(String::new(), |link| ["\n", &link.write()].concat());
        format!("{prefix} {} {stamp_ns}\n{fields}{link}", target.id())
    }

    /// Reads a message; `None` if `text` is not one.
    pub fn read(text: &str) -> Option<Message> {
        let (line, rest) = text.split_once('\n')?;
        // An object does not end with a number, so the last line is a link or belongs to the fields.
        let linked = rest.rsplit_once('\n').and_then(|(it, link)| Some((it, Link::read(link)?)));
        let (fields, link) = linked.map_or((rest, None), |(fields, link)| (fields, Some(link)));
        let mut words = line.split(' ');
        let prefix = words.next()?;
        let id = SessionId::new(words.next()?)?;
        let target = match prefix {
            PREFIX => Target::Session(id),
            PREFIX_OF_EVENT => Target::Event(id),
            _ => return None,
        };
        let stamp_ns = words.next()?.parse().ok()?;
        words.next().is_none().then(|| Message { target, stamp_ns, fields: fields.into(), link })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let fields = "{\"feedback\":{\"a\":\"x\\ny\",\n\"n\":12345678901234567890}}".to_owned();
        let id = SessionId::new("s-1").unwrap();
        let link = Some(Link { source: u32::MAX, number: u64::MAX, after: 0 });
        for (target, link) in [(Target::Session(id), None), (Target::Event(id), link)] {
            let message = Message { target, stamp_ns: u64::MAX, fields: fields.clone(), link };
            assert_eq!(Message::read(&message.write()), Some(message));
        }
    }

    #[test]
    fn what_others_put_there_is_none() {
        for text in [
            "",
            "{}",
            "hhq1",
            "hhq1 s 1",
            "hhq2 s 1\n{}",
            "hhq1  1\n{}",
            "hhq1 s -1\n{}",
            "hhq1 s 1 2\n{}",
        ] {
            assert_eq!(Message::read(text), None, "{text}");
        }
    }
}
