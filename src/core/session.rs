//! Sessions: their ids, and what one is started with.

use std::rc::Rc;

use super::enrichment::{Field, Merged};
use super::json::Object;
use super::text::Text;

/// The id of a session, never empty. Mostly a UUID; a name of the application's own is let
/// through, and the backend then answers with an id of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionId(Text);

impl SessionId {
    /// The id in `text`, which may have space around it; nothing where nothing else is there.
    /// `.` and `..` are no ids: no URL can name them, however they are written.
    pub fn new(text: &str) -> Option<SessionId> {
        let text = text.trim_ascii();
        (!matches!(text, "" | "." | "..")).then(|| SessionId(Rc::new(text.to_owned())))
    }

    /// The id as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as one segment of a URL's path (RFC 3986, section 3.3).
    pub fn as_path_segment(&self) -> String {
        const HEX: &[u8; 16] = b"0123456789ABCDEF";
        let mut segment = String::with_capacity(self.0.len());
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
                segment.push(char::from(byte));
            } else {
                segment.push('%');
                segment.push(char::from(HEX[usize::from(byte >> 4)]));
                segment.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
        segment
    }
}

/// What is known of a session before it is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A new UUID: the backend cannot have the session yet, so its start can carry everything.
    New,
    /// Named by the application: the backend may have it already, and then takes from a start
    /// only `metadata` and `user_properties`, and ignores the rest.
    Named,
    /// The backend had it already, with inputs of its own.
    Existing,
}

impl Origin {
    /// Whether a start stores `field` for sure. For an existing session `metadata` is said again
    /// by the update, because the inputs that were ignored become part of it.
    pub fn start_stores(self, field: Field) -> bool {
        match field {
            Field::UserProperties => true,
            Field::Metadata | Field::Inputs => self != Origin::Existing,
            Field::Config | Field::Outputs | Field::Duration | Field::EndTime => {
                self == Origin::New
            }
            Field::Metrics | Field::Feedback => false,
        }
    }
}

/// What a session is started with, beside the fields of its first enrichments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// What is known of the session.
    pub origin: Origin,
    /// How it is described; nothing for a touch, which only makes sure that it exists.
    pub description: Option<Description>,
}

/// How a session shows in the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its name.
    pub name: Text,
    /// The environment: "dev", "production" …
    pub source: Text,
    /// Sent where the backend still takes it: on the legacy route.
    pub project: Option<Text>,
    /// When the session began, Unix milliseconds.
    pub start_time: u64,
}

impl Description {
    /// Writes the members that it comes to.
    pub fn write(&self, legacy: bool, object: &mut Object<'_>) {
        object.text("session_name", &self.name);
        object.text("source", &self.source);
        object.number("start_time", self.start_time);
        if legacy && let Some(project) = &self.project {
            object.text("project", project);
        }
    }
}

impl Start {
    /// A start that changes nothing where the session exists.
    pub fn touch() -> Start {
        Start { origin: Origin::Named, description: None }
    }

    /// Whether it only makes sure that the session exists.
    pub fn is_touch(&self) -> bool {
        self.description.is_none()
    }

    /// Bytes of it in a request, about.
    pub fn bytes(&self) -> u64 {
        self.description.as_ref().map_or(0, |description| {
            let project = description.project.as_ref().map_or(0, |project| project.len());
            (description.name.len() + description.source.len() + project) as u64
        })
    }

    /// The session object of a start request that carries `merged` as far as a start takes it.
    pub fn write(&self, id: &SessionId, merged: &Merged<'_>, legacy: bool, out: &mut String) {
        let mut object = Object::open(out);
        object.text("session_id", id.as_str());
        if let Some(description) = &self.description {
            description.write(legacy, &mut object);
        }
        for field in Field::ALL.into_iter().filter(|field| self.origin.start_stores(*field)) {
            merged.write(field, field.wire_name(), &mut object);
        }
        object.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_segment_of_a_path_whatever_is_in_it() {
        let segment = |text| SessionId::new(text).unwrap().as_path_segment();
        assert_eq!(segment("3cd7-AB_c.~"), "3cd7-AB_c.~");
        assert_eq!(segment(" a/b?c#d%é "), "a%2Fb%3Fc%23d%25%C3%A9");
    }

    #[test]
    fn what_no_url_can_name_is_no_id() {
        for text in ["", "  ", ".", "..", " .. "] {
            assert_eq!(SessionId::new(text), None, "{text:?}");
        }
    }
}
