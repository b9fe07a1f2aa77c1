//! What carries the simulated core's requests, and everything that can go wrong on the way.

use honeyhive_edge::core::concurrency::Place;
use honeyhive_edge::core::outcome::{Outcome, Output, Reason};
use honeyhive_edge::core::retry::RetryAfter;
use honeyhive_edge::core::time::NEVER;
use honeyhive_edge::core::wire::{Answer, Receipt, Request, parse_receipt};
use serde_json::Value;

use super::bugs::Bug;
use super::calls::{Name, markers_in};
use super::capacity::Takes;
use super::clock::Forward;
use super::program::{Failure, LEASE_MS, Sent};
use super::users::is_event;
use super::world::URLS;
use super::world::World;

/// Requests of one life: more are a loop.
const MOST_REQUESTS: usize = 50_000;

impl Sent {
    /// What is known of a request that no answer will come to.
    pub fn lost(self, known_ms: u64) -> Failure {
        let Sent { session, transport, is_start, body, .. } = self;
        Failure { session, transport, known_ms, status: None, is_start, body }
    }
}

impl World {
    /// Lets the core do what it wants in the scopes that have a reason to look, and the network
    /// what it does.
    pub fn pump(&mut self) -> Result<(), String> {
        loop {
            if self.is_frozen() {
                return Ok(());
            }
            self.answers_arrive();
            let awake_ms = self.clock.awake_ms;
            let program = &self.programs[self.here];
            let is_due = |(_, at): &(&u64, &u64)| **at <= awake_ms;
            let Some(scope) = program.wakes.iter().find(is_due).map(|(scope, _)| *scope) else {
                return self.no_flush_waits_for_nothing();
            };
            let now = self.clock.now();
            while let Some(output) = self.programs[self.here].registry.poll(scope, now) {
                self.carry_out(output, scope)?;
            }
            let program = &mut self.programs[self.here];
            program.wakes.remove(&scope);
            let at = program.registry.wake_at(scope, now);
            if program.registry.is_busy(scope) && at < NEVER {
                if at <= now.mono_ms {
                    return Err(format!("{scope} looks again and again"));
                }
                program.wakes.insert(scope, awake_ms + (at - now.mono_ms));
            }
        }
    }

    fn answers_arrive(&mut self) {
        let (now, awake_ms) = (self.clock.now(), self.clock.awake_ms);
        let program = &mut self.programs[self.here];
        let has_arrived = |sent: &Sent| sent.answer_at <= awake_ms;
        while let Some(place) = program.on_the_way.iter().position(has_arrived) {
            let mut sent = program.on_the_way.remove(place);
            program.wait_as_told(&sent, now);
            if self.is_traced {
                let at = now.mono_ms;
                eprintln!("{at} {}: answered: {}, {:?}", self.here, sent.flight, sent.answer);
            }
            if let (Some(Bug::IgnoresRetryAfter), Answer::Http { retry_after, .. }) =
                (self.bug, &mut sent.answer)
            {
                *retry_after = None;
            }
            let plain = Answer::Http { status: 410, retry_after: None, body: String::new() };
            let failed = Answer::Http { status: 500, retry_after: None, body: String::new() };
            let is_busy = matches!(sent.answer, Answer::Http { status: 429 | 503, .. });
            let is_404 = matches!(sent.answer, Answer::Http { status: 404, .. });
            let answer = match self.bug {
                Some(Bug::TakesOneAnswerForRefusal) if is_404 => &plain,
                Some(Bug::NeverShrinksItsLimit) if is_busy => &failed,
                _ => &sent.answer,
            };
            program.registry.finish_request(sent.flight, answer, now);
            program.wakes.insert(sent.scope, 0);
            let others = program.on_the_way.iter_mut().filter(|it| it.flight == sent.flight);
            others.for_each(|other| other.is_ignored = true);
            if !sent.is_stray || sent.is_read {
                let server = (sent.session.server, sent.transport);
                program.limits.hear(server, sent.number, &sent.answer);
            }
            match &sent.answer {
                Answer::None { .. } | Answer::Unusable { .. } => {
                    program.failures.push(sent.lost(awake_ms))
                }
                Answer::Http { status, body, .. }
                    if (200..300).contains(status) && parse_receipt(body) == Receipt::Stored =>
                {
                    if !sent.is_ignored {
                        let when = (awake_ms, program.failures.len());
                        program.worked.insert((sent.session.server, sent.transport), when);
                        program.worked_for.insert(sent.session.clone(), when);
                    }
                    if sent.is_start {
                        program.started.insert(sent.session);
                    }
                }
                Answer::Http { status, .. } => {
                    let status = Some(*status);
                    program.failures.push(Failure { status, ..sent.lost(awake_ms) });
                }
            }
        }
    }

    pub fn carry_out(&mut self, output: Output, scope: u64) -> Result<(), String> {
        self.trace(&output);
        let bug = self.bug;
        let program = &mut self.programs[self.here];
        match output {
            Output::Send { flight, transport, timeout_ms, request, .. } => {
                if !program.face.lends(transport) {
                    return Err(format!("the fetch number {transport} was let go of"));
                }
                self.send((flight, scope, transport), timeout_ms, *request)
            }
            Output::TornDown { scope, .. } if program.scopes.contains(&scope) => {
                Err(format!("{scope} is alive, and counts as gone"))
            }
            Output::Settled { ids, outcome } => {
                ids.into_iter().try_for_each(|id| self.settle(id, &outcome))
            }
            Output::Dropped { tracer, json } => {
                let place = program.face.place(tracer).ok_or("a tracer of nobody's drops")?;
                if !program.face.tracers[place].has_on_drop || !program.face.holds(place) {
                    return Err(format!("the onDrop of {tracer} is not at hand for {json}"));
                }
                self.check_dropped(place, &json)
            }
            Output::Idle { tracer } => {
                if let Some(place) = program.face.place(tracer) {
                    program.face.let_go(place);
                }
                Ok(())
            }
            Output::Keep { id, json } => self.keep(id, json),
            Output::Forget { ids } if bug == Some(Bug::KeepsForEver) && ids[0] < 0 => Ok(()),
            Output::Forget { ids } => self.forget(&ids),
            // It may have been stored, or be stored yet; nobody hears of it.
            Output::Abort { flight } => {
                let aborted = program.on_the_way.iter_mut().filter(|sent| sent.flight == flight);
                aborted.for_each(|sent| (sent.is_stray, sent.is_ignored) = (true, true));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn settle(&mut self, id: u64, outcome: &Outcome) -> Result<(), String> {
        if let Outcome::Flushed(counts) = outcome {
            let flush = self.programs[self.here].flushes.remove(&id);
            let flush = flush.ok_or_else(|| format!("flush {id} ended twice"))?;
            return self.check_report(id, &flush, *counts);
        }
        let end = match outcome {
            Outcome::Delivered { target } => Ok(target.id().to_string()),
            Outcome::Dropped { reason, .. } => Err(*reason),
            Outcome::Flushed(_) => return Ok(()),
        };
        let program = &mut self.programs[self.here];
        let Some(call) = program.calls.get_mut(&id) else {
            program.leftovers.1 += 1;
            if program.leftovers.1 > program.leftovers.0 {
                return Err(format!("{id} was never said"));
            }
            // What an earlier page said, whose promise nobody holds any more.
            let whose = program.inherited.remove(&id);
            if whose.is_none() && end.is_ok() {
                return Err(format!("{id} is delivered, and was said by nobody"));
            }
            if let Some((page, id)) = whose.flatten()
                && let Some(call) = self.programs[page].calls.get_mut(&id)
            {
                call.end = Some(end);
            }
            return Ok(());
        };
        if call.is_told && self.bug != Some(Bug::TellsNobody) {
            return Err(format!("{id} ended twice"));
        }
        if self.bug == Some(Bug::TellsNobody) && id.is_multiple_of(17) {
            return Ok(());
        }
        call.is_told = true;
        let waited_ms = self.clock.now().mono_ms.saturating_sub(call.given.mono_ms);
        let end = match self.bug {
            Some(Bug::CountsWaitsAgainstDeadlines) if waited_ms > call.deadline_ms => {
                end.and(Err(Reason::RetriesExhausted))
            }
            _ => end,
        };
        if !call.is_handed_over {
            call.end = Some(end.clone());
            self.check_end(id)?;
        }
        match self.bug {
            Some(Bug::EndsTwice) if id.is_multiple_of(11) => {
                self.bug = None;
                return self.settle(id, outcome);
            }
            Some(Bug::LetsGoWithWorkLeft) if end.is_err() => {
                let program = &mut self.programs[self.here];
                if let Some(place) = program.calls[&id].tracer {
                    program.face.let_go(place);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn send(
        &mut self,
        flight: (u64, u64, u32),
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
        let stamp: u64 = header("hh-client-timestamp").parse().map_err(|_| "no timestamp")?;
        let server = URLS.iter().position(|url| request.url.starts_with(url)).ok_or("no server")?;
        let path = request.url.trim_start_matches(URLS[server]).to_owned();
        let id = session_of(&request, &path);
        let session = Name { server, key, id };
        let mut sent = Sent {
            flight: flight.0,
            scope: flight.1,
            transport: flight.2,
            session,
            number: 0,
            answer_at: 0,
            answer: Answer::None { why: String::new() },
            is_stray: false,
            is_ignored: false,
            is_read: false,
            is_start: request.method == "POST",
            body: request.body,
        };
        if request.method == "GET" || path == "/v1/events/search" {
            return self.read(Sent { is_stray: true, is_read: true, ..sent });
        }
        self.check_sent(&sent)?;
        if sent.is_start && is_event(&sent.session.id) {
            return Err(format!("an event is started: {:?}", sent.session));
        }
        let on_the_way = &self.programs[self.here].on_the_way;
        let on_the_way = || on_the_way.iter().filter(|other| !other.is_stray);
        if on_the_way().any(|other| other.session == sent.session) {
            return Err(format!("two requests of {:?} are on their way", sent.session));
        }
        let program = &mut self.programs[self.here];
        let on_the_way = || program.on_the_way.iter().filter(|other| !other.is_stray);
        let is_beside = |other: &&Sent| {
            // Each `fetch` is a way of its own, but of a request's six connections there are no more.
            let of_scope = match program.place {
                Place::EdgeRequest => other.scope == sent.scope,
                _ => other.transport == sent.transport,
            };
            of_scope && other.session.server == sent.session.server
        };
        let at_once = on_the_way().filter(is_beside).count();
        // A page that is left has no other moment.
        let is_left = program.page.as_ref().is_some_and(|page| page.is_left);
        if at_once >= most_at_once(program.place) && !is_left {
            return Err(format!("more than {at_once} requests are on their way"));
        }
        let server = (sent.session.server, sent.transport);
        match program.limits.send(server, at_once) {
            Some(number) => sent.number = number,
            // Where the clock goes back, the core may have taken for lost what is answered here.
            None if self.clock.forward == Forward::Missing => {}
            None if program.place != Place::ServerProcess => {}
            None => return Err(format!("{at_once} at once were too many, and one more is sent")),
        }
        self.carry((request.method, &path, stamp), timeout_ms, &mut sent);
        Ok(())
    }

    /// What a session's metrics add up to is asked for. No server here has events to read, so that is what the process
    /// has added; but a server that fails keeps what waits for it.
    fn read(&mut self, mut sent: Sent) -> Result<(), String> {
        // It counts among the requests to the server, as any other.
        let server = (sent.session.server, sent.transport);
        sent.number = self.programs[self.here].limits.send(server, 0).unwrap_or(0);
        let is_faulty = self.random.u32(..100) < self.fault_rate;
        let answer = match self.random.u8(..4) {
            _ if !is_faulty => http(404, "{}".into()),
            0 => Answer::None { why: "connection refused".into() },
            1 => http([500, 503, 429][self.random.usize(..3)], String::new()),
            2 => http([401, 403][self.random.usize(..2)], String::new()),
            _ => {
                let failure = sent.lost(self.clock.awake_ms + LEASE_MS);
                self.programs[self.here].failures.push(failure);
                return Ok(());
            }
        };
        let delay = 1 + self.random.u64(..50);
        self.answer_later(sent, delay, answer);
        Ok(())
    }

    /// Carries a request to its server and the answer back, or not.
    fn carry(&mut self, what: (&str, &str, u64), timeout_ms: u64, sent: &mut Sent) {
        let (method, path, mut stamp) = what;
        let taken = sent.body.clone();
        let mut body = taken.as_str();
        let mut key = sent.session.key.clone();
        let merged;
        match self.bug {
            Some(Bug::MergesOutputs) => {
                merged = self.merge_outputs(&sent.session, body);
                body = &merged;
            }
            Some(Bug::NewTimestampOnRetry) => {
                stamp = stamp.wrapping_add(self.random.u64(..1_000_000_000))
            }
            Some(Bug::StampsLeftoversAnew) if self.is_of_another_page(body) => {
                stamp = self.clock.now().unix_ms * 1_000_000 + 999_999;
            }
            Some(Bug::StampsWhatRestedAnew) if self.has_rested(body) => {
                stamp = self.clock.now().unix_ms * 1_000_000 + 999_999;
            }
            Some(Bug::WrongKey) if self.random.u8(..20) == 0 => key = "beta".into(),
            _ => {}
        }
        let to = sent.session.server;
        let on_the_way = &self.programs[self.here].on_the_way;
        let beside = on_the_way.iter().filter(|other| other.session.server == to).count();
        let clock = &self.clock;
        let takes = self.capacities[to].take(beside, clock.now(), clock.awake_ms);
        let server = &mut self.servers[to];
        let mut take = || server.take(method, path, &key, stamp, body);
        let least = if let Takes::After(ms) = takes { ms.min(timeout_ms.max(2) - 1) } else { 1 };
        let most = if self.is_healed { 50 } else { timeout_ms.max(2) - 1 };
        let mut delay = (1 + self.random.u64(..most)).max(least);
        let is_faulty = self.random.u32(..100) < self.fault_rate;
        let fault = if is_faulty { self.random.u8(..12) } else { u8::MAX };
        let is_offline = self.programs[self.here].page.as_ref().is_some_and(|page| page.is_offline);
        let lease_ends = self.clock.awake_ms + LEASE_MS;
        let answer = match fault {
            _ if is_offline => Answer::None { why: "there is no network".into() },
            _ if let Takes::Refuses(answer) = takes => answer,
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
            6 => {
                let failure = sent.copy().lost(lease_ends);
                self.programs[self.here].failures.push(failure);
                return;
            }
            7 => {
                let (status, body) = take();
                let failure = sent.copy().lost(lease_ends);
                self.programs[self.here].failures.push(failure);
                delay = timeout_ms + 2_000 + self.random.u64(..10_000);
                sent.is_stray = true;
                http(status, body)
            }
            // Answered twice, and not the same.
            8 => {
                let (status, body) = take();
                let stray = self.any_answer();
                self.answer_later(Sent { is_stray: true, ..sent.copy() }, delay + 1, stray);
                http(status, body)
            }
            // Some other program answers.
            9 => self.any_answer(),
            // A status of success that is not the usual one, and a body that is none of ours.
            10 => {
                let (status, body) = take();
                match status {
                    200 => {
                        let body = ["", "ok", "{}", "{\"session_id\":7}", "{\"inputs\":"];
                        http(self.random.u16(200..300), body[self.random.usize(..5)].into())
                    }
                    _ => http(status, body),
                }
            }
            // A success that is none: HoneyHive says no, or the network's own sign-in page answers.
            11 => {
                let body = [r#"{"success":false,"message":"no"}"#, "Sign in to go on", "[]"];
                http(self.random.u16(200..300), body[self.random.usize(..3)].into())
            }
            _ => {
                let (status, body) = take();
                http(status, body)
            }
        };
        if self.bug == Some(Bug::RetriesOutOfOrder) {
            // A failed request goes aside, and is sent again behind the next one that is stored.
            if matches!(answer, Answer::None { .. }) {
                let aside = (method.to_owned(), path.to_owned(), stamp, taken.clone());
                self.set_aside.insert(sent.session.clone(), aside);
                self.answer_later(sent.copy(), delay, http(200, String::new()));
                return;
            }
            if let Some((method, path, stamp, body)) = self.set_aside.remove(&sent.session) {
                self.servers[sent.session.server].take(&method, &path, &key, stamp, &body);
            }
        }
        self.answer_later(sent.copy(), delay, answer);
    }

    fn answer_later(&mut self, sent: Sent, delay: u64, answer: Answer) {
        let answer_at = self.clock.awake_ms + delay;
        self.programs[self.here].on_the_way.push(Sent { answer_at, answer, ..sent });
    }

    /// `Retry-After`, in either of its forms.
    fn slow_down(&mut self) -> Answer {
        let seconds = self.random.u64(..4);
        let retry_after = match self.random.bool() {
            true => RetryAfter::Seconds(seconds),
            false => RetryAfter::At(self.clock.now().unix_ms + 1_000 * seconds),
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

    fn is_of_another_page(&self, body: &str) -> bool {
        let mut pages = markers_in(body).filter_map(|marker| self.markers.get(&marker));
        pages.any(|(page, _)| *page != self.here)
    }

    /// Whether the page said something in `body` before it rested.
    fn has_rested(&self, body: &str) -> bool {
        let program = &self.programs[self.here];
        let rested_at = program.page.as_ref().map_or(0, |page| page.rested_at);
        let said = markers_in(body).filter_map(|marker| self.markers.get(&marker));
        let mut own = said.filter(|(page, _)| *page == self.here);
        own.any(|(_, id)| program.calls.get(id).is_some_and(|call| call.order <= rested_at))
    }

    fn merge_outputs(&mut self, session: &Name, body: &str) -> String {
        let Ok(mut given) = serde_json::from_str::<Value>(body) else { return body.to_owned() };
        if let Some(outputs) = given.get_mut("outputs").and_then(Value::as_object_mut) {
            let last = self.last_outputs.entry(session.clone()).or_default();
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

impl Sent {
    /// The same request, with its answer yet to come.
    pub fn copy(&self) -> Sent {
        Sent {
            session: self.session.clone(),
            answer: Answer::None { why: String::new() },
            body: self.body.clone(),
            ..*self
        }
    }
}

/// Requests that may be on their way to a server at once, in an edge runtime from one request.
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
    let ids = [&body["session"]["session_id"], &body["session_id"], &body["event_id"]];
    let id = ids.into_iter().find_map(Value::as_str);
    id.unwrap_or_else(|| path.trim_start_matches("/v1/events/")).to_owned()
}
