//! What carries the simulated core's requests, and everything that can go wrong on the way.

use honeyhive_edge::core::concurrency::Place;
use honeyhive_edge::core::outcome::{Outcome, Output};
use honeyhive_edge::core::retry::RetryAfter;
use honeyhive_edge::core::time::NEVER;
use honeyhive_edge::core::wire::{Answer, Request};
use serde_json::Value;

use super::bugs::Bug;
use super::world::{OnTheWay, World};

/// Requests of one life: more are a loop.
const MOST_REQUESTS: usize = 50_000;

impl World {
    /// Lets the core do what it wants in the scopes that have a reason to look, and the network
    /// what it does.
    pub fn pump(&mut self) -> Result<(), String> {
        loop {
            let has_arrived = |sent: &OnTheWay| sent.answer_at <= self.now.mono_ms;
            while let Some(place) = self.on_the_way.iter().position(has_arrived) {
                let sent = self.on_the_way.remove(place);
                self.registry.answered(sent.flight, &sent.answer, self.now);
                self.wakes.insert(sent.scope, 0);
            }
            let is_due = |(_, at): &(&u64, &u64)| **at <= self.now.mono_ms;
            let Some(scope) = self.wakes.iter().find(is_due).map(|(scope, _)| *scope) else {
                return Ok(());
            };
            while let Some(output) = self.registry.poll(scope, self.now) {
                self.carry_out(output, scope)?;
            }
            self.wakes.remove(&scope);
            let at = self.registry.wake_at(scope, self.now);
            if self.registry.is_busy(scope) && at < NEVER {
                if at <= self.now.mono_ms {
                    return Err(format!("{scope} looks again and again"));
                }
                self.wakes.insert(scope, at);
            }
        }
    }

    pub fn carry_out(&mut self, output: Output, scope: u64) -> Result<(), String> {
        match output {
            Output::Send { flight, timeout_ms, request, .. } => {
                self.send((flight, scope), timeout_ms, *request)
            }
            Output::Gone { scope, .. } if self.scopes.contains(&scope) => {
                Err(format!("{scope} is alive, and counts as gone"))
            }
            Output::Settled { ids, outcome } => {
                ids.into_iter().try_for_each(|id| self.settle(id, &outcome))
            }
            Output::Dropped { json, .. } => {
                serde_json::from_str::<Value>(&json).map(|_| ()).map_err(|error| error.to_string())
            }
            Output::Keep { .. } | Output::Forget { .. } => Err("nobody has a store here".into()),
            Output::Idle { .. } | Output::Gone { .. } | Output::Log(_) => Ok(()),
        }
    }

    fn settle(&mut self, id: u64, outcome: &Outcome) -> Result<(), String> {
        if let Outcome::Flushed(_) = outcome {
            return if self.flushes.remove(&id) {
                Ok(())
            } else {
                Err(format!("flush {id} ended twice"))
            };
        }
        let Some(said) = self.said.get_mut(&id) else {
            return Err(format!("{id} was never said"));
        };
        if said.end.is_some() && self.bug != Some(Bug::TellsNobody) {
            return Err(format!("{id} ended twice"));
        }
        said.end = match outcome {
            _ if self.bug == Some(Bug::TellsNobody) && id.is_multiple_of(17) => None,
            Outcome::Delivered { session_id } => Some(Ok(session_id.to_string())),
            Outcome::Dropped { reason, .. } => Some(Err(*reason)),
            Outcome::Flushed(_) => None,
        };
        if self.bug == Some(Bug::EndsTwice) && id.is_multiple_of(11) {
            self.bug = None;
            return self.settle(id, outcome);
        }
        Ok(())
    }

    fn send(
        &mut self,
        flight: (u64, u64),
        timeout_ms: u64,
        request: Request,
    ) -> Result<(), String> {
        self.requests += 1;
        if self.requests > MOST_REQUESTS {
            return Err("it sends without end".into());
        }
        let headers: Value =
            serde_json::from_str(&request.headers).map_err(|_| "headers that are no JSON")?;
        let header = |name: &str| headers[name].as_str().unwrap_or_default();
        let key = header("authorization").trim_start_matches("Bearer ").to_owned();
        let mut stamp: u64 = header("hh-client-timestamp").parse().map_err(|_| "no timestamp")?;
        let path = request.url.trim_start_matches("https://hive.example").to_owned();
        let session = (key.clone(), session_of(&request, &path));
        let on_the_way = || self.on_the_way.iter().filter(|sent| !sent.is_stray);
        if on_the_way().any(|sent| sent.session == session) {
            return Err(format!("two requests of {session:?} are on their way"));
        }
        let at_once = match self.place {
            Place::EdgeRequest => on_the_way().filter(|sent| sent.scope == flight.1).count(),
            Place::Page | Place::ServerProcess => on_the_way().count(),
        };
        if at_once >= most_at_once(self.place) {
            return Err(format!("more than {at_once} requests are on their way"));
        }
        let mut body = request.body;
        match self.bug {
            Some(Bug::MergesOutputs) => body = self.merge_outputs(&session, body),
            Some(Bug::NewTimestampOnRetry) => {
                stamp = stamp.wrapping_add(self.random.u64(..1_000_000_000))
            }
            Some(Bug::WrongKey) if self.random.u8(..20) == 0 => {
                let (status, body) = self.backend.take(request.method, &path, "beta", stamp, &body);
                self.answer_later(flight, session, 5, http(status, body), false);
                return Ok(());
            }
            _ => {}
        }
        let delay = 1 + self.random.u64(..if self.is_healed { 50 } else { timeout_ms - 1 });
        let fault = self.random.u32(..100) < self.fault_rate;
        let fault = if fault { self.random.u8(..12) } else { u8::MAX };
        let mut take = || self.backend.take(request.method, &path, &key, stamp, &body);
        let answer = match fault {
            0 => Answer::None { why: "connection refused".into() },
            1 => http([500, 502, 503, 408][self.random.usize(..4)], String::new()),
            2 => self.slow_down(),
            // Told to have failed after the server has stored; cut after it.
            3 => {
                take();
                http(500, String::new())
            }
            4 => {
                take();
                Answer::None { why: "cut".into() }
            }
            // The request arrives twice.
            5 => {
                take();
                let (status, body) = take();
                http(status, body)
            }
            // Never answered: its lease runs out. Or answered after that.
            6 => return Ok(()),
            7 => {
                let (status, body) = take();
                let delay = timeout_ms + 2_000 + self.random.u64(..10_000);
                self.answer_later(flight, session, delay, http(status, body), true);
                return Ok(());
            }
            // Answered twice, and not the same.
            8 => {
                let (status, body) = take();
                let stray = self.any_answer();
                self.answer_later(flight, session.clone(), delay + 1, stray, true);
                http(status, body)
            }
            // Some other program answers.
            9 => self.any_answer(),
            // A status of success that is not the usual one, and a body that is none of ours.
            10 => {
                let (status, body) = take();
                match status {
                    200 => {
                        let body = ["", "ok", "[]", "{\"session_id\":7}", "{\"inputs\":"];
                        http(self.random.u16(200..300), body[self.random.usize(..5)].into())
                    }
                    _ => http(status, body),
                }
            }
            _ => {
                let (status, body) = take();
                http(status, body)
            }
        };
        if self.bug == Some(Bug::RetriesOutOfOrder) {
            // A failed request goes aside, and is sent again behind the next one that is stored.
            if matches!(answer, Answer::None { .. }) {
                self.set_aside.insert(session.clone(), (request.method, path, stamp, body));
                let (status, body) = (200, format!(r#"{{"session_id":"{}"}}"#, session.1));
                self.answer_later(flight, session, delay, http(status, body), false);
                return Ok(());
            }
            if let Some((method, path, stamp, body)) = self.set_aside.remove(&session) {
                self.backend.take(method, &path, &key, stamp, &body);
            }
        }
        self.answer_later(flight, session, delay, answer, false);
        Ok(())
    }

    fn answer_later(
        &mut self,
        (flight, scope): (u64, u64),
        session: (String, String),
        delay: u64,
        answer: Answer,
        is_stray: bool,
    ) {
        let answer_at = self.now.mono_ms + delay;
        self.on_the_way.push(OnTheWay { flight, scope, session, answer_at, answer, is_stray });
    }

    /// `Retry-After`, in either of its forms.
    fn slow_down(&mut self) -> Answer {
        let seconds = self.random.u64(..4);
        let retry_after = match self.random.bool() {
            true => RetryAfter::Seconds(seconds),
            false => RetryAfter::At(self.now.unix_ms + 1_000 * seconds),
        };
        Answer::Http {
            status: [429, 503][self.random.usize(..2)],
            retry_after: Some(retry_after),
            body: "<html>slow down".into(),
        }
    }

    /// Any status but those of success, with any body.
    fn any_answer(&mut self) -> Answer {
        let body = ["", "<html>", r#"{"message":"no"}"#, "{\"message\":"];
        let status = [
            self.random.u16(300..600),
            [0, 400, 401, 403, 404, 405, 413, 422][self.random.usize(..8)],
        ];
        http(status[self.random.usize(..2)], body[self.random.usize(..4)].into())
    }

    fn merge_outputs(&mut self, session: &(String, String), body: String) -> String {
        let Ok(mut given) = serde_json::from_str::<Value>(&body) else { return body };
        if let Some(outputs) = given.get_mut("outputs").and_then(Value::as_object_mut) {
            let last = self.last_bodies.entry(session.clone()).or_default();
            if let Ok(Value::Object(before)) = serde_json::from_str(last) {
                before.into_iter().for_each(|(key, value)| {
                    outputs.entry(key).or_insert(value);
                });
            }
            *last = Value::Object(outputs.clone()).to_string();
        }
        given.to_string()
    }
}

/// Requests that may be on their way at once, in an edge runtime from one request.
fn most_at_once(place: Place) -> usize {
    match place {
        Place::Page => 2,
        Place::EdgeRequest => 6,
        Place::ServerProcess => 256,
    }
}

fn http(status: u16, body: String) -> Answer {
    Answer::Http { status, retry_after: None, body }
}

fn session_of(request: &Request, path: &str) -> String {
    let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
    [&body["session"]["session_id"], &body["session_id"], &body["event_id"]]
        .into_iter()
        .find_map(Value::as_str)
        .unwrap_or_else(|| path.trim_start_matches("/v1/events/"))
        .to_owned()
}
