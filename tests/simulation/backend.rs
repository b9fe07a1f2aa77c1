//! HoneyHive's backend as far as its documents describe it: sessions that requests change.

use std::collections::BTreeMap;

use honeyhive_edge::core::session::SessionId;
use serde_json::{Map, Value};

/// A stored session: its fields by the backend's names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored {
    pub fields: BTreeMap<String, Value>,
    /// `hh-client-timestamp` and body of each request that changed it, in order.
    pub history: Vec<(u64, String)>,
}

/// All sessions of one server, by key and id.
#[derive(Debug, Default)]
pub struct Backend {
    pub sessions: BTreeMap<(String, String), Stored>,
    pub is_legacy: bool,
}

const MERGED: [&str; 5] = ["metadata", "config", "feedback", "metrics", "user_properties"];

impl Backend {
    /// Takes a request as the server does, and answers with status and body.
    pub fn take(
        &mut self,
        method: &str,
        path: &str,
        key: &str,
        stamp: u64,
        body: &str,
    ) -> (u16, String) {
        let Ok(Value::Object(mut given)) = serde_json::from_str::<Value>(body) else {
            return (400, r#"{"message":"no JSON object"}"#.into());
        };
        if body.contains("\"poison\"") {
            return (422, r#"{"message":"poison"}"#.into());
        }
        match (method, path, self.is_legacy) {
            ("POST", "/v1/sessions", false) => self.start(key, stamp, body, given),
            ("POST", "/session/start", true) => match given.remove("session") {
                Some(Value::Object(session)) => self.start(key, stamp, body, session),
                _ => (400, String::new()),
            },
            ("PUT", "/events", true) => match given.remove("event_id") {
                Some(Value::String(id)) => self.update(key, &id, stamp, body, given),
                _ => (400, String::new()),
            },
            ("PUT", path, false) if path.starts_with("/v1/events/") => {
                let id = path.trim_start_matches("/v1/events/").to_owned();
                self.update(key, &id, stamp, body, given)
            }
            _ => (404, r#"{"message":"no such route"}"#.into()),
        }
    }

    fn start(
        &mut self,
        key: &str,
        stamp: u64,
        body: &str,
        mut given: Map<String, Value>,
    ) -> (u16, String) {
        let Some(Value::String(id)) = given.remove("session_id") else {
            return (400, String::new());
        };
        if !is_uuid(&id) {
            return (422, r#"{"message":"session_id must be a UUID"}"#.into());
        }
        let place = (key.to_owned(), id.clone());
        let exists = self.sessions.contains_key(&place);
        let session = self.sessions.entry(place).or_default();
        session.history.push((stamp, body.to_owned()));
        for (field, value) in given {
            let merges = field == "metadata" || field == "user_properties";
            if exists && merges {
                merge(&mut session.fields, field, value);
            } else if !exists {
                session.fields.insert(field, value);
            }
        }
        // What the answer calls the session changes nothing: no server gives it another id.
        let called = ["string", "99999999-9999-4999-8999-999999999999", id.as_str()];
        let called = called[session.history.len() % called.len()];
        let mut answer = serde_json::json!({ "session_id": called, "event_id": called });
        if let Some(inputs) = session.fields.get("inputs") {
            answer["inputs"] = inputs.clone();
        }
        (200, answer.to_string())
    }

    fn update(
        &mut self,
        key: &str,
        id: &str,
        stamp: u64,
        body: &str,
        given: Map<String, Value>,
    ) -> (u16, String) {
        if !is_uuid(id) {
            return (422, r#"{"message":"event_id must be a UUID"}"#.into());
        }
        let place = (key.to_owned(), id.to_owned());
        let Some(session) = self.sessions.get_mut(&place) else {
            return (404, r#"{"message":"no such session"}"#.into());
        };
        session.history.push((stamp, body.to_owned()));
        for (field, value) in given {
            if MERGED.contains(&field.as_str()) {
                merge(&mut session.fields, field, value);
            } else if matches!(field.as_str(), "outputs" | "duration" | "end_time") {
                session.fields.insert(field, value);
            }
        }
        (200, "{}".into())
    }
}

/// Whether `id` is a UUID in its canonical text.
fn is_uuid(id: &str) -> bool {
    SessionId::from_uuid(id).is_some_and(|uuid| uuid.to_string() == id)
}

fn merge(fields: &mut BTreeMap<String, Value>, field: String, value: Value) {
    match (fields.get_mut(&field), value) {
        (Some(Value::Object(stored)), Value::Object(given)) => stored.extend(given),
        (_, value) => {
            fields.insert(field, value);
        }
    }
}
