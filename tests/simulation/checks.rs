//! What has to hold once a simulated life has come to rest.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::backend::Stored;
use super::bugs::Bug;
use super::world::{Said, World};

impl World {
    /// The promises, once all is at rest.
    pub fn check(&self) -> Result<(), String> {
        let (held, outboxes) = (self.registry.held(), self.registry.outboxes());
        if (held, outboxes) != (0, 0) && self.tracers.iter().all(|tracer| !tracer.is_open) {
            return Err(format!("{held} bytes in {outboxes} outboxes are held for nobody"));
        }
        if let Some(id) = self.flushes.first() {
            return Err(format!("flush {id} never ended"));
        }
        if let Some((id, said)) = self.said.iter().find(|(_, said)| said.end.is_none()) {
            return Err(format!("{id} never ended: {said:?}"));
        }
        let starts = self.starts.iter().map(|(after, said)| ((*after, 1), said));
        let mut all: Vec<_> =
            self.said.iter().map(|(id, said)| ((*id, 0), said)).chain(starts).collect();
        all.sort_by_key(|(order, _)| *order);
        let mut sessions: BTreeMap<(String, String), Vec<&Said>> = BTreeMap::new();
        for (_, said) in all {
            sessions.entry((said.key.clone(), said.session.clone())).or_default().push(said);
        }
        for (session, said) in &sessions {
            self.check_session(session, said).map_err(|why| format!("{session:?}: {why}"))?;
        }
        for (session, stored) in &self.backend.sessions {
            let mut last = (0, "");
            for (stamp, body) in &stored.history {
                if *stamp < last.0 || (*stamp == last.0 && body != last.1) {
                    return Err(format!(
                        "{session:?}: requests out of the order of their timestamps: {last:?}, then {stamp} {body}"
                    ));
                }
                // The same body under a new timestamp is a retry that hides that it is one.
                if body == last.1 && *stamp != last.0 && self.bug == Some(Bug::NewTimestampOnRetry)
                {
                    return Err(format!("{session:?}: a retry has a timestamp of its own"));
                }
                last = (*stamp, body);
            }
        }
        Ok(())
    }

    /// Whether the session is what sending each enrichment by itself, in order, makes of it.
    fn check_session(&self, session: &(String, String), said: &[&Said]) -> Result<(), String> {
        let Some(stored) = self.backend.sessions.get(session) else {
            return match said.iter().find(|said| matches!(said.end, Some(Ok(_)))) {
                Some(said) => Err(format!("delivered to no session: {said:?}")),
                None => Ok(()),
            };
        };
        // For each place the values that were written to it, in order, and whether delivered.
        let mut written: BTreeMap<(String, String), Vec<(Value, bool)>> = BTreeMap::new();
        for said in said {
            let delivered = matches!(said.end, Some(Ok(_)));
            for (field, value) in said.fields.as_object().into_iter().flatten() {
                let mut write = |field: &str, key: &str, value: &Value| {
                    let place = (field.to_owned(), key.to_owned());
                    written.entry(place).or_default().push((value.clone(), delivered));
                };
                match (field.as_str(), value) {
                    ("outputs", Value::Array(_)) => {
                        write("outputs", "", &json!({ "value": value }))
                    }
                    ("outputs" | "duration", _) => write(field, "", value),
                    ("endTime", _) => write("end_time", "", value),
                    ("inputs", _) => {}
                    ("metadata" | "config" | "feedback" | "metrics", Value::Object(members)) => {
                        members.iter().for_each(|(key, value)| write(field, key, value));
                    }
                    ("userProperties", Value::Object(members)) => {
                        members
                            .iter()
                            .for_each(|(key, value)| write("user_properties", key, value));
                    }
                    _ => write("metadata", field, value),
                }
            }
        }
        for ((field, key), values) in &written {
            let stored = stored.fields.get(field);
            let stored =
                if key.is_empty() { stored } else { stored.and_then(|field| field.get(key)) };
            let last = values.iter().rposition(|(_, delivered)| *delivered);
            // What was dropped may have been stored all the same: its answer was lost.
            let possible = &values[last.unwrap_or(0)..];
            let fits = match stored {
                Some(stored) => possible.iter().any(|(value, _)| same(value, stored)),
                None => last.is_none(),
            };
            if !fits {
                return Err(format!(
                    "{field}.{key} is {stored:?}, and one by one makes it {possible:?}"
                ));
            }
        }
        self.check_inputs(stored, said)
    }

    /// Inputs are in the session's start, or, if they came later, in `metadata.inputs`, which the
    /// next late ones replace.
    fn check_inputs(&self, stored: &Stored, said: &[&Said]) -> Result<(), String> {
        let late = stored.fields.get("metadata").and_then(|metadata| metadata.get("inputs"));
        // What was dropped may have been stored all the same, and replaced what came before.
        let inputs: Vec<(&Value, bool)> = said
            .iter()
            .filter_map(|said| Some((said.fields.get("inputs")?, matches!(said.end, Some(Ok(_))))))
            .collect();
        let late_from = inputs.iter().rposition(|(inputs, _)| Some(*inputs) == late);
        for (place, (given, _)) in
            inputs.iter().enumerate().filter(|(_, (_, delivered))| *delivered)
        {
            let replaced = late_from.is_some_and(|late| place <= late);
            let started = given.as_object().into_iter().flatten().all(|(key, value)| {
                let overwritten =
                    inputs[place + 1..].iter().any(|(later, _)| later.get(key).is_some());
                overwritten
                    || stored.fields.get("inputs").and_then(|inputs| inputs.get(key)) == Some(value)
            });
            if !replaced && !started {
                return Err(format!("inputs {given} are lost: {:?}", stored.fields));
            }
        }
        Ok(())
    }
}

/// Equal, with whole numbers equal to their floating twins.
fn same(a: &Value, b: &Value) -> bool {
    a == b || (a.is_number() && a.as_f64() == b.as_f64())
}
