//! HoneyHive's backend as far as its documents describe it: sessions that requests change.

use std::collections::BTreeMap;

use honeyhive_edge::core::session::SessionId;
use serde_json::{Map, Value, json};

/// A stored session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored {
    /// Its fields by the backend's names.
    pub fields: BTreeMap<String, Value>,
    /// The timestamp of each value, by field and key. A field that has no keys is under the empty one.
    stamps: BTreeMap<(String, String), u64>,
    /// `hh-client-timestamp` and fields of each request that changed it, in the order of arrival.
    pub history: Vec<(u64, String)>,
}

/// All sessions of one server.
#[derive(Debug, Default)]
pub struct Backend {
    /// By key and id.
    pub sessions: BTreeMap<(String, String), Stored>,
    /// Whether it has the legacy routes, and else those of v1.
    pub is_legacy: bool,
    /// Whether an update on the legacy route makes a session that was not there. No document says so; none
    /// denies it either.
    pub is_lenient: bool,
}

/// A request as it arrives.
struct Arrived<'a> {
    key: &'a str,
    stamp: u64,
    given: Map<String, Value>,
}

/// What the server does with a field of a session that is there already.
enum Goes {
    Merged,
    Replaced,
    Nowhere,
}

/// What a start does to a session that exists.
fn by_start(field: &str) -> Goes {
    match field {
        "metadata" | "user_properties" => Goes::Merged,
        _ => Goes::Nowhere,
    }
}

fn by_update(field: &str) -> Goes {
    match field {
        "metadata" | "config" | "feedback" | "metrics" | "user_properties" => Goes::Merged,
        "outputs" | "duration" | "end_time" => Goes::Replaced,
        _ => Goes::Nowhere,
    }
}

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
        let Ok(Value::Object(given)) = serde_json::from_str::<Value>(body) else {
            return refuse(400, "no JSON object");
        };
        if body.contains("\"poison\"") {
            return refuse(if self.is_legacy { 400 } else { 422 }, "poison");
        }
        let mut arrived = Arrived { key, stamp, given };
        match (method, path, self.is_legacy) {
            ("POST", "/v1/sessions", false) => self.start(arrived),
            ("POST", "/session/start", true) => match arrived.given.remove("session") {
                Some(Value::Object(given)) => self.start(Arrived { given, ..arrived }),
                _ => refuse(400, "no session"),
            },
            ("PUT", "/events", true) => match arrived.given.remove("event_id") {
                Some(Value::String(id)) => self.update(id, arrived),
                _ => refuse(400, "no event_id"),
            },
            ("PUT", path, false) if path.starts_with("/v1/events/") => {
                self.update(path.trim_start_matches("/v1/events/").to_owned(), arrived)
            }
            _ => refuse(404, "no such route"),
        }
    }

    fn start(&mut self, arrived: Arrived) -> (u16, String) {
        let Arrived { key, stamp, mut given } = arrived;
        let Some(Value::String(id)) = given.remove("session_id") else {
            return refuse(400, "no session_id");
        };
        if !is_uuid(&id) {
            return refuse(422, "session_id must be a UUID");
        }
        let place = (key.to_owned(), id.clone());
        let is_new = !self.sessions.contains_key(&place);
        let session = self.sessions.entry(place).or_default();
        session.history.push((stamp, Value::Object(given.clone()).to_string()));
        for (field, value) in given {
            match by_start(&field) {
                Goes::Nowhere if !is_new => {}
                Goes::Nowhere | Goes::Replaced => session.replace(field, value, stamp),
                Goes::Merged => session.merge(field, value, stamp),
            }
        }
        // What the answer calls the session changes nothing: no server gives it another id.
        let called = ["string", "99999999-9999-4999-8999-999999999999", id.as_str()];
        let called = called[session.history.len() % called.len()];
        let mut answer = json!({ "session_id": called, "event_id": called });
        if let Some(inputs) = session.fields.get("inputs") {
            answer["inputs"] = inputs.clone();
        }
        (200, answer.to_string())
    }

    fn update(&mut self, id: String, arrived: Arrived) -> (u16, String) {
        let Arrived { key, stamp, given } = arrived;
        if !is_uuid(&id) {
            return refuse(422, "event_id must be a UUID");
        }
        let place = (key.to_owned(), id);
        if self.is_legacy && self.is_lenient {
            self.sessions.entry(place.clone()).or_default();
        }
        let Some(session) = self.sessions.get_mut(&place) else {
            return refuse(if self.is_legacy { 400 } else { 404 }, "no such session");
        };
        session.history.push((stamp, Value::Object(given.clone()).to_string()));
        for (field, value) in given {
            match by_update(&field) {
                Goes::Nowhere => {}
                Goes::Replaced => session.replace(field, value, stamp),
                Goes::Merged => session.merge(field, value, stamp),
            }
        }
        (200, "{}".into())
    }
}

impl Stored {
    /// Values are ordered by when they were said: what arrives late replaces nothing newer.
    fn is_latest(&mut self, field: &str, key: &str, stamp: u64) -> bool {
        let last = self.stamps.entry((field.to_owned(), key.to_owned())).or_default();
        let is_latest = *last <= stamp;
        *last = stamp.max(*last);
        is_latest
    }

    fn replace(&mut self, field: String, value: Value, stamp: u64) {
        if self.is_latest(&field, "", stamp) {
            self.fields.insert(field, value);
        }
    }

    fn merge(&mut self, field: String, value: Value, stamp: u64) {
        let Value::Object(members) = value else {
            return self.replace(field, value, stamp);
        };
        for (key, value) in members {
            if self.is_latest(&field, &key, stamp) {
                let stored = self.fields.entry(field.clone()).or_insert_with(|| json!({}));
                if let Some(stored) = stored.as_object_mut() {
                    stored.insert(key, value);
                }
            }
        }
    }
}

/// Whether `id` is a UUID in its canonical text.
fn is_uuid(id: &str) -> bool {
    SessionId::from_uuid(id).is_some_and(|uuid| uuid.to_string() == id)
}

fn refuse(status: u16, message: &str) -> (u16, String) {
    (status, json!({ "message": message }).to_string())
}
