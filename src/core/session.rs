//! Sessions: their ids, and the content of their start.

use std::fmt;
use std::rc::Rc;

use uuid::Uuid;

use super::enrichment::{Field, Merged};
use super::json::Object;

/// The id of a session: a UUID (RFC 9562), the only kind of id that HoneyHive's v1 routes accept.
///
/// An application may call a session by a name of its own. That name stands for its UUID version 5 in the URL namespace,
/// so every service in every language that uses the same name reaches the same session, and no server has to assign
/// another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(Uuid);

/// The length of a UUID as text, in characters.
pub const UUID_LENGTH: usize = 36;

impl SessionId {
    /// The id that `text` is or stands for, ignoring white space around it; `None` if `text` is blank. A UUID may be in
    /// upper or lower case.
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

    /// Without the `names` feature, the shell makes these ids: see
    /// [`Registry::with_names`](super::registry::Registry::with_names).
    #[cfg(not(feature = "names"))]
    fn of_name(_name: &str) -> Option<SessionId> {
        None
    }

    /// Reads a UUID in upper or lower case; `None` if `text` is anything else.
    pub fn from_uuid(text: &str) -> Option<SessionId> {
        // `Uuid` also reads other notations, such as URNs. Each has another length.
        let is_hyphenated = text.len() == UUID_LENGTH;
        is_hyphenated.then(|| Uuid::try_parse(text).ok().map(SessionId)).flatten()
    }

    /// Whether `text`, from which this id was made, is a name and not the UUID itself.
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

/// The event that an enrichment is stored in. The backend keeps a session as an event with the session's id, so an
/// update needs only an id for either. The two differ in what happens if there is no event with that id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A session. It is started if it does not exist.
    Session(SessionId),
    /// Another event, such as a model call, by its id. It is never started, because only its span or its creator knows
    /// what it is.
    Event(SessionId),
}

impl Target {
    /// The id of the session or event.
    pub fn id(self) -> SessionId {
        match self {
            Target::Session(id) | Target::Event(id) => id,
        }
    }

    /// Whether it is an event other than a session.
    pub fn is_event(self) -> bool {
        matches!(self, Target::Event(_))
    }

    /// Writes the id under the name that JavaScript reads.
    pub fn write(self, object: &mut Object<'_>) {
        let name = if self.is_event() { "eventId" } else { "sessionId" };
        object.text(name, &self.id().to_string());
    }
}

/// `text` without the white space that JavaScript's `trim` removes, because `sessionIdFrom` has to make the same ids.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c == '\u{feff}' || c.is_whitespace() && c != '\u{85}')
}

/// What is known about a session before it is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionOrigin {
    /// The id is a new UUID: the backend cannot have the session yet, so its start can carry every field.
    New,
    /// The application chose the id: the backend may already have the session, and then takes only `metadata` and
    /// `user_properties` from a start and ignores the rest.
    Named,
    /// The backend already had the session, with inputs of its own.
    Existing,
}

impl SessionOrigin {
    /// Whether a start is certain to store `field`. For an existing session, the update repeats `metadata`, because the
    /// inputs that the start ignored become part of it.
    pub fn start_stores(self, field: Field) -> bool {
        match field {
            Field::UserProperties => true,
            Field::Metadata | Field::Inputs => self != SessionOrigin::Existing,
            Field::Config | Field::Outputs | Field::Duration | Field::EndTime => {
                self == SessionOrigin::New
            }
            Field::Metrics | Field::Feedback => false,
        }
    }
}

/// The content of a session's start, besides the fields of its first enrichments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// What is known about the session.
    pub origin: SessionOrigin,
    /// The session's description; `None` for a touch, which only ensures that the session exists.
    pub description: Option<Description>,
}

/// How a session is presented in the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The session's name.
    pub name: Rc<str>,
    /// The environment, such as "dev" or "production".
    pub source: Rc<str>,
    /// The project's name. Sent only on the legacy route, the only one that still accepts it.
    pub project: Option<Rc<str>>,
    /// When the session began, in Unix milliseconds; 0 where the clock does not say, as a Worker's outside of requests.
    pub start_time: u64,
}

impl Description {
    /// Writes the description as members of `object`.
    pub fn write(&self, legacy: bool, object: &mut Object<'_>) {
        object.text("session_name", &self.name);
        object.text("source", &self.source);
        // Without a start time (a clock at 0 is not in 1970), the backend uses the time of the request.
        if self.start_time > 0 {
            object.number("start_time", self.start_time);
        }
        if legacy && let Some(project) = &self.project {
            object.text("project", project);
        }
    }
}

impl Start {
    /// A start that changes nothing if the session exists.
    pub fn touch() -> Start {
        Start { origin: SessionOrigin::Named, description: None }
    }

    /// Whether it only ensures that the session exists.
    pub fn is_touch(&self) -> bool {
        self.description.is_none()
    }

    /// Makes it store only what a session takes that others may have started. Returns whether that changes it.
    pub fn may_be_started_by_others(&mut self) -> bool {
        let was_new = self.origin == SessionOrigin::New;
        if was_new {
            self.origin = SessionOrigin::Named;
        }
        was_new
    }

    /// The approximate number of bytes that it takes in a request.
    pub fn bytes(&self) -> u64 {
        self.description.as_ref().map_or(0, |description| {
            let project = description.project.as_ref().map_or(0, |project| project.len());
            (description.name.len() + description.source.len() + project) as u64
        })
    }

    /// Writes the session object of a start request, with those fields of `merged` that a start stores. A `legacy` route
    /// may require the `project` even if there is no description.
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
    fn a_session_begins_when_the_clock_says_and_never_in_1970() {
        let written = |start_time| {
            let (name, source) = ("chat".into(), "dev".into());
            let mut out = String::new();
            let mut object = Object::open(&mut out);
            Description { name, source, project: None, start_time }.write(false, &mut object);
            object.close();
            out
        };
        assert_eq!(written(7), r#"{"session_name":"chat","source":"dev","start_time":7}"#);
        assert_eq!(written(0), r#"{"session_name":"chat","source":"dev"}"#);
    }

    #[test]
    fn what_is_blank_is_no_id() {
        for text in ["", "  ", "\u{feff}\u{a0}\n"] {
            assert_eq!(SessionId::new(text), None, "{text:?}");
        }
    }
}
