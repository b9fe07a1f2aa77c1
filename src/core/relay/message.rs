//! A request as it waits in a queue: one line that says what it is, and its fields as JSON. Text, not
//! an object: a queue would read and write its numbers anew, and not every number survives that.

use crate::core::session::SessionId;

/// What a message begins with.
const PREFIX: &str = "hhq1";

/// A request that was allowed, on its way through a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The session.
    pub session: SessionId,
    /// When it was made, nanoseconds since the Unix epoch.
    pub stamp_ns: u64,
    /// A JSON object under the backend's names.
    pub fields: String,
}

impl Message {
    /// As text.
    pub fn write(&self) -> String {
        let Message { session, stamp_ns, fields } = self;
        format!("{PREFIX} {session} {stamp_ns}\n{fields}")
    }

    /// The message that `text` is; nothing if it is none.
    pub fn read(text: &str) -> Option<Message> {
        let (line, fields) = text.split_once('\n')?;
        let mut words = line.split(' ');
        if words.next()? != PREFIX {
            return None;
        }
        let session = SessionId::new(words.next()?)?;
        let stamp_ns = words.next()?.parse().ok()?;
        words.next().is_none().then(|| Message { session, stamp_ns, fields: fields.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let fields = "{\"feedback\":{\"a\":\"x\\ny\",\"n\":12345678901234567890}}".to_owned();
        let message =
            Message { session: SessionId::new("s-1").unwrap(), stamp_ns: u64::MAX, fields };
        assert_eq!(Message::read(&message.write()), Some(message));
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
