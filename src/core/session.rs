//! Sessions: their ids, and what one is started with.

use std::fmt;
use std::rc::Rc;

use uuid::Uuid;

use super::enrichment::{Field, Merged};
use super::json::Object;

/// The id of a session: a UUID (RFC 9562), which is all that HoneyHive's v1 routes take.
///
/// An application may call a session by a name of its own. That name stands for the UUID which
/// version 5 in the URL namespace makes of it, so every service, in every language, that is given
/// the same name reaches the same session, and no server has to give the session another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(Uuid);

/// Characters of a UUID as text.
pub const UUID_LENGTH: usize = 36;

impl SessionId {
    /// The id that `text` is or stands for, whatever white space is around it; nothing where `text`
    /// is blank. A UUID may be written in upper or lower case.
    pub fn new(text: &str) -> Option<SessionId> {
        let name = trimmed(text);
        if name.is_empty() {
            return None;
        }
        SessionId::from_uuid(name).or_else(|| SessionId::of_name(name))
    }

    #[cfg(feature = "names")]
    fn of_name(name: &str) -> Option<SessionId> {
        Some(SessionId(Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())))
    }

    /// The shell makes these ids, see [`Registry::with_names`](super::registry::Registry::with_names).
    #[cfg(not(feature = "names"))]
    fn of_name(_name: &str) -> Option<SessionId> {
        None
    }

    /// The id that `text` is, to the letter but for upper and lower case; nothing where it is no UUID.
    pub fn from_uuid(text: &str) -> Option<SessionId> {
        // `Uuid` reads other notations as well, each of another length: without hyphens, as a URN.
        let is_hyphenated = text.len() == UUID_LENGTH;
        is_hyphenated.then(|| Uuid::try_parse(text).ok().map(SessionId)).flatten()
    }

    /// Whether `text`, of which this id was made, is a name that the id only stands for.
    pub fn stands_for(self, text: &str) -> bool {
        SessionId::from_uuid(trimmed(text)) != Some(self)
    }
}

impl fmt::Display for SessionId {
    /// The canonical text: lower case, with hyphens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// What an enrichment is stored in. The backend keeps a session as an event whose id is the session's: so an update
/// reaches either by an id alone, and the two differ in what may be done where there is none of that id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A session, which is started where it is not there.
    Session(SessionId),
    /// Another event, such as a model call, by its id. It is never started: only its span, or whoever made it,
    /// knows what it is.
    Event(SessionId),
}

impl Target {
    /// Its id.
    pub fn id(self) -> SessionId {
        match self {
            Target::Session(id) | Target::Event(id) => id,
        }
    }

    /// Whether it is an event that is no session.
    pub fn is_event(self) -> bool {
        matches!(self, Target::Event(_))
    }

    /// Writes which one it is, as JavaScript reads it.
    pub fn write(self, object: &mut Object<'_>) {
        let name = if self.is_event() { "eventId" } else { "sessionId" };
        object.text(name, &self.id().to_string());
    }
}

/// `text` without the white space around it, as JavaScript's `trim` has it: `sessionIdFrom` makes
/// the same ids there.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c == '\u{feff}' || c.is_whitespace() && c != '\u{85}')
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
    pub name: Rc<str>,
    /// The environment: "dev", "production" …
    pub source: Rc<str>,
    /// Sent where the backend still takes it: on the legacy route.
    pub project: Option<Rc<str>>,
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

    /// The session object of a start request that carries `merged` as far as a start takes it. A `legacy`
    /// route may ask for the `project` also where nothing else is said of the session.
    pub fn write(
        &self,
        id: SessionId,
        merged: &Merged<'_>,
        legacy: bool,
        project: Option<&str>,
        out: &mut String,
    ) {
        let mut object = Object::open(out);
        object.text("session_id", &id.to_string());
        match (&self.description, project) {
            (Some(description), _) => description.write(legacy, &mut object),
            (None, Some(project)) if legacy => object.text("project", project),
            _ => {}
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
    fn an_id_that_is_no_uuid_is_its_uuid_in_the_url_namespace() {
        let id = |text| SessionId::new(text).unwrap().to_string();
        // As Python's uuid.uuid5(uuid.NAMESPACE_URL, …) has it.
        assert_eq!(id("conversation-42"), "9ef19b5f-10a9-5c11-b87a-071520f60cb9");
        assert_eq!(id(" grüße 🐝\n"), "45475c9a-1791-5e01-8c3d-13fb143b87b4");
        for name in [".", "..", "3cd70a6e7d5b4f3a9b390c9c6a1f2e4d", "a/b?c#d"] {
            assert!(SessionId::new(name).unwrap().stands_for(name), "{name}");
        }
    }

    #[test]
    fn a_uuid_is_one_id_in_upper_and_lower_case() {
        let lower = "3cd70a6e-7d5b-4f3a-9b39-0c9c6a1f2e4d";
        let upper = format!("\t{} ", lower.to_uppercase());
        let id = SessionId::new(&upper).unwrap();
        assert_eq!(id, SessionId::new(lower).unwrap());
        assert_eq!(id.to_string(), lower);
        assert!(!id.stands_for(&upper));
    }

    #[test]
    fn what_is_blank_is_no_id() {
        for text in ["", "  ", "\u{feff}\u{a0}\n"] {
            assert_eq!(SessionId::new(text), None, "{text:?}");
        }
    }
}
