//! How a request passes the relay, step by step. [`admit`] checks its head, the runtime checks the signature of the
//! ticket, [`Unverified::verified`] checks the ticket, [`Passage::forward`] checks the body, and
//! [`Passage::answered`] takes the backend's answer. Each step needs the one before, so no body is read before the
//! ticket was verified, and nothing is sent before the body was.

use std::rc::Rc;

use super::body::judge;
use super::head::Head;
use super::message::Message;
use super::origin::{Asker, asker};
use super::policy::{BUSY_S, LONGEST_WAIT_S, MAX_MESSAGE_BYTES, PREFLIGHT_S};
use super::rate::Rates;
use super::refusal::{Refusal, error};
use super::response::Response;
use super::route::Route;
use super::sequence::Sequences;
use super::settings::RelaySettings;
use super::ticket::{Presented, Signature, Ticket};
use crate::core::json::{Object, any_members, find};
use crate::core::log::{Level, Line};
use crate::core::retry::may_be_temporary;
use crate::core::session::{SessionId, Target};
use crate::core::time::Now;
use crate::core::wire::{self, Answer, Receipt, Request};

/// The end of a request: the response, and the lines to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The response to the page.
    pub response: Response,
    /// Lines for the log, already filtered by its level.
    pub log: Vec<Line>,
}

/// A request whose ticket has not been verified.
#[derive(Debug)]
pub struct Unverified {
    trip: Trip,
    /// The session or event in the address, if it names one.
    named: Option<String>,
    signature: Signature,
    claims: String,
}

/// A request whose ticket has been verified.
#[derive(Debug)]
pub struct Passage {
    trip: Trip,
    /// The session or event in the address, if it names one.
    named: Option<SessionId>,
    /// The inputs of a start as the page wrote them: keys and values.
    inputs: Vec<(String, String)>,
    /// The fields to send, as JSON, after the masking that the site asked for.
    fields: String,
    stamp_ns: u64,
    /// The session or event that the request is for; known once the body was checked.
    target: Option<Target>,
    step: Step,
}

/// The purpose of the request that is sent to the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It is what the page asked for.
    AsAsked,
    /// It stores the inputs that the start before it did not store.
    LateInputs,
    /// It creates the session that an update did not find.
    MakesSession,
    /// It repeats the update after the session was created.
    Again,
}

/// The parts of a request that are known from its beginning.
#[derive(Debug)]
struct Trip {
    settings: Rc<RelaySettings>,
    asker: Asker,
    route: Route,
    ticket: Ticket,
    stamp: Option<String>,
}

/// What to do with a request that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forward {
    /// Send it to the backend, and pass the answer to [`Passage::answered`].
    Send(Request),
    /// Put this text into the queue, and report to [`Passage::queued`] whether the queue took it.
    Enqueue(String),
}

/// What to do after an answer of the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassageAction {
    /// Send this request as well, and pass its answer to [`Passage::answered`].
    Send(Request),
    /// Respond: the request is complete.
    End(End),
}

/// The result of reading a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyRead<'a> {
    /// The whole body.
    Whole(&'a [u8]),
    /// It is longer than [`Passage::limit`].
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// The connection broke off.
    Broken,
}

/// Checks the head of a request. `Err` is the response to a request that is refused.
pub fn admit(settings: &Rc<RelaySettings>, head: Head) -> Result<Unverified, End> {
    let asker = asker(head.origin.as_deref(), &head.scheme, &head.host, &settings.origins);
    let reader = asker.clone().unwrap_or(Asker::Own);
    let refuse = |refusal| end(settings, &reader, refusal);
    let Some((route, named)) = head.path.strip_prefix(&settings.path).and_then(Route::at) else {
        return Err(refuse(Refusal::NoRoute));
    };
    let Some(asker) = asker else { return Err(refuse(Refusal::ForeignOrigin)) };
    if head.method == "OPTIONS" {
        return Err(preflight(&head, route, &asker));
    }
    if head.method != route.method() {
        return Err(refuse(Refusal::OtherMethod { allow: route.method() }));
    }
    if let Some(lacks) = settings.lacks() {
        return Err(refuse(Refusal::NotSetUp(lacks)));
    }
    if !head.is_json() {
        return Err(refuse(Refusal::ContentType));
    }
    if head.is_encoded() {
        return Err(refuse(Refusal::ContentEncoding));
    }
    if head.announced().is_some_and(|bytes| bytes > settings.max_body_bytes) {
        return Err(refuse(Refusal::TooLarge));
    }
    let Some(ticket) = head.bearer() else { return Err(refuse(Refusal::NoTicket)) };
    let Some(Presented { ticket, claims, signature }) = Presented::read(ticket) else {
        return Err(refuse(Refusal::NoSuchTicket));
    };
    let (claims, named) = (claims.to_owned(), named.map(str::to_owned));
    let stamp = head.stamp;
    let trip = Trip { settings: settings.clone(), asker, route, ticket, stamp };
    Ok(Unverified { trip, named, signature, claims })
}

fn preflight(head: &Head, route: Route, asker: &Asker) -> End {
    let mut response = Response::empty(204);
    response.header("allow", route.method());
    asker.may_read(&mut response);
    if head.wanted_method.is_some() && matches!(asker, Asker::Allowed(_)) {
        response.header("access-control-allow-methods", route.method());
        response.header("access-control-allow-headers", "authorization, content-type");
        response.header("access-control-max-age", PREFLIGHT_S);
    }
    End { response, log: Vec::new() }
}

fn end(settings: &RelaySettings, asker: &Asker, refusal: Refusal) -> End {
    let mut response = refusal.response();
    asker.may_read(&mut response);
    let mut log = Vec::new();
    if settings.tracer.log_level >= Level::Debug {
        let status = refusal.status().to_string();
        let message = ["the relay refused a request with ", &status, ": ", &refusal.sentence()];
        log.push(Line { level: Level::Debug, message: message.concat() });
    }
    End { response, log }
}

impl Unverified {
    /// The text that the signature has to sign.
    pub fn claims(&self) -> &str {
        &self.claims
    }

    /// The signature to verify.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Checks the ticket, and counts its use. `is_right` says whether the runtime found the signature to be right.
    pub fn verified(self, is_right: bool, rates: &mut Rates, now_ms: u64) -> Result<Passage, End> {
        let Unverified { trip, named, signature, .. } = self;
        if !is_right {
            return Err(trip.refused(Refusal::Signature));
        }
        if trip.ticket.has_expired(now_ms) {
            return Err(trip.refused(Refusal::Expired));
        }
        if let Err(wait_s) = rates.count(&signature, trip.settings.rate, now_ms) {
            return Err(trip.refused(Refusal::TooOften { wait_s }));
        }
        let named = named.map(|named| SessionId::new(&named));
        // A legacy update names its session or event in the body.
        let is_known = trip.route != Route::LegacyUpdate;
        let is_elsewhere = named == Some(None) || trip.ticket.target(named.flatten()).is_none();
        if is_known && is_elsewhere {
            return Err(trip.refused(Refusal::elsewhere(&trip.ticket)));
        }
        let fields = String::new();
        let (named, inputs) = (named.flatten(), Vec::new());
        Ok(Passage { trip, named, inputs, fields, stamp_ns: 0, target: None, step: Step::AsAsked })
    }
}

impl Trip {
    fn refused(&self, refusal: Refusal) -> End {
        end(&self.settings, &self.asker, refusal)
    }

    fn ended(&self, mut response: Response, log: Vec<Line>) -> End {
        self.asker.may_read(&mut response);
        End { response, log }
    }

    /// When the page made the request, in nanoseconds since the Unix epoch. The backend orders requests by it, so a
    /// time in the future could keep everybody else's later requests from being stored.
    fn stamp_ns(&self, now_ms: u64) -> u64 {
        let now_ns = now_ms.saturating_mul(1_000_000);
        let given = self.stamp.as_deref().filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
        let given = given.and_then(|stamp| stamp.parse().ok());
        given.filter(|stamp| *stamp > 0 && *stamp <= now_ns).unwrap_or(now_ns)
    }
}

impl Passage {
    /// The most bytes of the body that are read.
    pub fn limit(&self) -> u64 {
        self.trip.settings.max_body_bytes
    }

    /// The milliseconds that the body, and then the backend's answer, may take.
    pub fn timeout_ms(&self) -> u64 {
        self.trip.settings.tracer.timeout_ms
    }

    /// The level of the site's log.
    pub fn log_level(&self) -> Level {
        self.trip.settings.tracer.log_level
    }

    /// The response if too many requests are under way.
    pub fn refused_as_busy(&self) -> End {
        self.trip.refused(Refusal::Busy { wait_s: BUSY_S })
    }

    /// Checks the body. A message for the queue gets its place in `sequences`.
    pub fn forward(
        &mut self,
        body: BodyRead<'_>,
        sequences: &mut Sequences,
        now_ms: u64,
    ) -> Result<Forward, End> {
        self.judged(body, sequences, now_ms).map_err(|refusal| self.trip.refused(refusal))
    }

    fn judged(
        &mut self,
        body: BodyRead<'_>,
        sequences: &mut Sequences,
        now_ms: u64,
    ) -> Result<Forward, Refusal> {
        let body = match body {
            BodyRead::Whole([]) => return Err(Refusal::Body("the body is missing")),
            BodyRead::Whole(bytes) if bytes.len() as u64 > self.limit() => {
                return Err(Refusal::TooLarge);
            }
            BodyRead::Whole(bytes) => std::str::from_utf8(bytes)
                .map_err(|_| Refusal::Body("the body must be JSON in UTF-8"))?,
            BodyRead::TooLarge => return Err(Refusal::TooLarge),
            BodyRead::TooSlow => return Err(Refusal::TooSlow),
            BodyRead::Broken => return Err(Refusal::Body("the body broke off")),
        };
        let Trip { settings, route, ticket, .. } = &self.trip;
        let (target, fields) = judge(*route, ticket, self.named, body)?;
        self.target = Some(target);
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        self.inputs = fields.inputs().into_iter().map(owned).collect();
        self.fields =
            settings.masked(serde_json::to_string(&fields).map_err(|_| Refusal::Internal)?);
        self.stamp_ns = self.trip.stamp_ns(now_ms);
        if settings.queues {
            let (stamp_ns, link) = sequences.next(target.id(), self.stamp_ns);
            let fields = std::mem::take(&mut self.fields);
            let message = Message { target, stamp_ns, fields, link: Some(link) }.write();
            return match message.len() <= MAX_MESSAGE_BYTES {
                true => Ok(Forward::Enqueue(message)),
                false => Err(Refusal::TooLarge),
            };
        }
        let request = self.request(*route, target.id(), &self.fields, now_ms);
        Ok(Forward::Send(request.ok_or(Refusal::Internal)?))
    }

    /// The backend's request for `route` with `fields` (JSON) of the session or event `id`.
    fn request(&self, route: Route, id: SessionId, fields: &str, now_ms: u64) -> Option<Request> {
        let destination = self.trip.settings.destination()?;
        let (path, body) = (route.path(id), self.body(route, id, fields, now_ms));
        Some(wire::request(destination, route.method(), &path, body, self.stamp_ns))
    }

    /// The body of that request. It is written anew, for the session or event `id`.
    fn body(&self, route: Route, id: SessionId, fields: &str, now_ms: u64) -> String {
        let settings = &self.trip.settings;
        let mut body = String::new();
        let out = match route {
            Route::LegacyStart => {
                body.push_str("{\"session\":");
                &mut body
            }
            _ => &mut body,
        };
        let mut object = Object::open(out);
        match route {
            Route::Start | Route::LegacyStart => {
                object.text("session_id", &id.to_string());
                if let Some(description) = settings.description(now_ms) {
                    description.write(route == Route::LegacyStart, &mut object);
                }
            }
            Route::LegacyUpdate => object.text("event_id", &id.to_string()),
            Route::Update => {}
        }
        for (key, value) in any_members(fields) {
            object.member(key, value);
        }
        object.close();
        if route == Route::LegacyStart {
            body.push('}');
        }
        body
    }

    /// The update that stores the inputs that a start did not store, if there are any. A start does not change the
    /// inputs of a session that exists, so they are stored as `metadata.inputs`. The page cannot do that: it would
    /// have to be told what is stored.
    fn late_inputs(&self, stored: &str) -> Option<Request> {
        let fields = any_members(&self.fields);
        let inputs = find(&fields, "inputs")?;
        let stored = any_members(stored);
        let stored = any_members(find(&stored, "inputs").unwrap_or_default());
        let are_stored = any_members(inputs).iter().all(|member| stored.contains(member));
        let said = any_members(find(&fields, "metadata").unwrap_or_default());
        if are_stored || find(&said, "inputs").is_some() {
            return None;
        }
        let Trip { settings, route, ticket, .. } = &self.trip;
        let route = if *route == Route::LegacyStart { Route::LegacyUpdate } else { Route::Update };
        let mut body = String::new();
        let mut object = Object::open(&mut body);
        if route == Route::LegacyUpdate {
            object.text("event_id", &ticket.session.to_string());
        }
        let mut metadata = Object::open(object.value("metadata"));
        metadata.json("inputs", inputs);
        metadata.close();
        object.close();
        let path = route.path(ticket.session);
        let destination = settings.destination()?;
        Some(wire::request(destination, route.method(), &path, body, self.stamp_ns + 1))
    }

    /// Takes the backend's answer to the last request. The page is told in the relay's own words whether its request
    /// was stored: a stored session may contain more than the page should know, and an error may contain host names
    /// or repeat a query. Those go to the site's log.
    pub fn answered(&mut self, answer: &Answer, timed_out: bool, now_ms: u64) -> PassageAction {
        let Answer::Http { status, retry_after, body } = answer else {
            let refusal = if timed_out { Refusal::NoAnswer } else { Refusal::Unreachable };
            return PassageAction::End(self.trip.refused(refusal));
        };
        if let Some(next) = self.next_step(*status, body, now_ms) {
            return PassageAction::Send(next);
        }
        let wait_ms = retry_after.map(|it| it.wait_ms(Now { mono_ms: now_ms, unix_ms: now_ms }));
        let wait_s = wait_ms.map(|ms| ms.div_ceil(1_000).min(LONGEST_WAIT_S));
        PassageAction::End(match *status {
            200..=299 => match wire::parse_receipt(body) {
                Receipt::Stored => self.stored(200),
                // Treated as a refusal of the content: a tracer that sends less at a time may find the cause.
                Receipt::Denied => self.refused_by_backend(*status, body, DENIED_STATUS, None),
                Receipt::Foreign(why) => {
                    self.misdirected(wire::RefusalReason::NoHoneyHive { why: why.into() })
                }
            },
            0 | 300..=399 => self.misdirected(wire::RefusalReason::Redirect),
            401 | 403 => {
                let destination = self.trip.settings.destination().map(|it| &**it);
                self.misdirected(wire::RefusalReason::of_key(*status, destination))
            }
            // The page is to repeat its start, and not to look for other routes.
            404 | 405 if self.step == Step::LateInputs => {
                self.refused_by_backend(*status, body, 503, wait_s)
            }
            _ => self.refused_by_backend(*status, body, *status, wait_s),
        })
    }

    /// The request that follows from the last answer, if the page's request takes more than one.
    fn next_step(&mut self, status: u16, body: &str, now_ms: u64) -> Option<Request> {
        let receipt = (200..300).contains(&status).then(|| wire::parse_receipt(body));
        let route = self.trip.route;
        let (step, request) = match self.step {
            Step::AsAsked if route.is_start() && receipt == Some(Receipt::Stored) => {
                (Step::LateInputs, self.late_inputs(body))
            }
            // There may be no such session. The page need not be asked to create it.
            Step::AsAsked
                if matches!(status, 404 | 405)
                    || (status == 400 && route == Route::LegacyUpdate) =>
            {
                let start = match route {
                    Route::Update => Route::Start,
                    Route::LegacyUpdate => Route::LegacyStart,
                    Route::Start | Route::LegacyStart => return None,
                };
                let session = self.target.filter(|target| !target.is_event())?.id();
                (Step::MakesSession, self.request(start, session, "{}", now_ms))
            }
            Step::MakesSession if receipt == Some(Receipt::Stored) => {
                let session = self.target?.id();
                (Step::Again, self.request(route, session, &self.fields, now_ms))
            }
            _ => return None,
        };
        request.inspect(|_| self.step = step)
    }

    /// The end of a request that failed because of the site's set-up. The log says what to change.
    fn misdirected(&self, why: wire::RefusalReason) -> End {
        let mut end = self.trip.refused(match why {
            wire::RefusalReason::Key { .. } => Refusal::Key,
            _ => Refusal::NoHoneyHive,
        });
        let settings = &self.trip.settings;
        if let Some(destination) = settings.destination() {
            let line = Line::error(format!("the relay: {}", why.message(&destination.server)));
            settings.log(line, &mut end.log);
        }
        end
    }

    /// The end of a request that the backend refused with the status `said`. The page gets `status`.
    fn refused_by_backend(&self, said: u16, body: &str, status: u16, wait_s: Option<u64>) -> End {
        let mut response = error(status, "BACKEND_REFUSED", backend_sentence(status));
        if let Some(wait_s) = wait_s {
            response.header("retry-after", &wait_s.to_string());
        }
        let settings = &self.trip.settings;
        let words = wire::error_message(body, settings.destination().map(|it| &**it));
        let colon = if words.is_empty() { "" } else { ": " };
        let line = Line::warn(format!(
            "the relay: HoneyHive refused a page's request ({said}){colon}{words}"
        ));
        let mut log = Vec::new();
        settings.log(line, &mut log);
        self.trip.ended(response, log)
    }

    /// Takes the queue's result.
    pub fn queued(&self, was_taken: bool) -> End {
        match was_taken {
            // From now on the consumer is responsible for storing it.
            true => self.stored(202),
            false => self.trip.refused(Refusal::Queue),
        }
    }

    /// The response to a request that is stored. After a start, the tracer in the page looks for its inputs in the
    /// response. It finds all of them, because all are stored: as the session's own, or as `metadata.inputs` of a
    /// session that had others.
    fn stored(&self, status: u16) -> End {
        let mut body = String::new();
        let mut object = Object::open(&mut body);
        object.json("success", "true");
        if self.trip.route.is_start() {
            object.text("session_id", &self.trip.ticket.session.to_string());
            let mut inputs = Object::open(object.value("inputs"));
            for (key, value) in &self.inputs {
                inputs.member(key, value);
            }
            inputs.close();
        }
        object.close();
        self.trip.ended(Response::json(status, body), Vec::new())
    }
}

/// The status that tells a page that HoneyHive answered with success and stored nothing.
const DENIED_STATUS: u16 = 422;

/// The sentence that a page gets about a request that the backend did not store.
fn backend_sentence(status: u16) -> &'static str {
    match status {
        404 | 405 => "HoneyHive has no such route, or no such session",
        413 => "HoneyHive accepts no request of that size",
        429 => "HoneyHive accepts no more requests now: try again",
        _ if may_be_temporary(status) => "HoneyHive has trouble: try again",
        _ => "HoneyHive refused the request: the relay's log has the reason",
    }
}
