//! A request that waits in a queue: one line that says what it is for, and its fields as JSON. It is text and not an
//! object, because a queue would parse and write its numbers anew, which changes some of them.

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
}

impl Message {
    /// Writes the message as text.
    pub fn write(&self) -> String {
        let Message { target, stamp_ns, fields } = self;
        let prefix = if target.is_event() { PREFIX_OF_EVENT } else { PREFIX };
        format!("{prefix} {} {stamp_ns}\n{fields}", target.id())
    }

    /// Reads a message; `None` if `text` is not one.
    pub fn read(text: &str) -> Option<Message> {
        let (line, fields) = text.split_once('\n')?;
        let mut words = line.split(' ');
        let prefix = words.next()?;
        let id = SessionId::new(words.next()?)?;
        let target = match prefix {
            PREFIX => Target::Session(id),
            PREFIX_OF_EVENT => Target::Event(id),
            _ => return None,
        };
        let stamp_ns = words.next()?.parse().ok()?;
        words.next().is_none().then(|| Message { target, stamp_ns, fields: fields.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let fields = "{\"feedback\":{\"a\":\"x\\ny\",\"n\":12345678901234567890}}".to_owned();
        let id = SessionId::new("s-1").unwrap();
        for target in [Target::Session(id), Target::Event(id)] {
            let message = Message { target, stamp_ns: u64::MAX, fields: fields.clone() };
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
